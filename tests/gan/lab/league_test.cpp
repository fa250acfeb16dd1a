// The league: ranks that say what is told apart, and a small one from end to end.
#include "duel/gan/lab/league/league.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/gan/judge/interval.h"
#include "duel/kernels/base/parallel.h"
#include "tests/files.h"
#include "tests/gan/lab/counting_listener.h"

namespace duel::gan::lab {
namespace {

using duel::testing::CountingListener;
using duel::testing::error_of;
using duel::testing::get;
using duel::testing::has;
using duel::testing::Scratch;
using duel::testing::text_of;

LeagueRun scored(const std::string& objective, uint64_t seed, double fd) {
  LeagueRun run{.objective = objective, .seed = seed, .steps = 10, .judge = "mnist-v1"};
  if (std::isfinite(fd)) {
    run.measures = {{"fd", {fd, fd - 1, fd + 1, 0.5}}, {"precision", {0.5, 0.4, 0.6, 0.9}}};
  } else {
    run.failure = "not finite at iteration 7";
  }
  return run;
}

const LeagueRow& row_of(const LeagueTable& table, const std::string& objective) {
  for (const LeagueRow& row : table.rows)
    if (row.objective == objective) return row;
  throw std::runtime_error("no row " + objective);
}

TEST(League, StudentsInterval) {
  for (const auto& [degrees, quantile] :
       {std::pair(1.0, 12.7062047), std::pair(2.0, 4.3026527), std::pair(3.0, 3.1824463),
        std::pair(4.0, 2.7764451), std::pair(10.0, 2.2281389), std::pair(29.0, 2.0452296),
        std::pair(30.0, 2.0422725), std::pair(100.0, 1.9839715)})
    EXPECT_NEAR(student_quantile(degrees), quantile, 1e-5) << degrees;
  EXPECT_GT(student_quantile(1.5), student_quantile(2));
  EXPECT_LT(student_quantile(1.5), student_quantile(1));
  // t(0.975, 2) = 4.302653; the mean of 1, 2, 4 is 7/3, its error 0.8819171.
  const Interval range = mean_interval({1, 2, 4});
  EXPECT_NEAR(range.low, 7.0 / 3 - 4.302653 * 0.8819171, 1e-5);
  EXPECT_NEAR(range.high, 7.0 / 3 + 4.302653 * 0.8819171, 1e-5);
}

// a is 10 % better than b at every seed, though both swing by a factor of 3: paired, that is told apart. c swings
// by itself around both.
TEST(League, RanksArePaired) {
  std::vector<LeagueRun> runs;
  const double swing[] = {10, 30, 17}, own[] = {1.5, 0.6, 1.1};
  for (int i = 0; i < 3; ++i) {
    const auto seed = static_cast<uint64_t>(i + 1);
    runs.push_back(scored("a", seed, swing[i]));
    runs.push_back(scored("b", seed, swing[i] * (1.1 + 0.001 * i)));
    runs.push_back(scored("c", seed, swing[i] * own[i]));
    runs.push_back(scored("lost", seed, i == 1 ? NAN : 12));
  }
  const LeagueTable table = make_league_table(runs);
  EXPECT_EQ(row_of(table, "a").rank, (std::pair<int64_t, int64_t>{1, 2}));
  EXPECT_EQ(row_of(table, "b").rank, (std::pair<int64_t, int64_t>{2, 3}));
  EXPECT_EQ(row_of(table, "c").rank, (std::pair<int64_t, int64_t>{1, 3}));
  EXPECT_NEAR(*row_of(table, "a").fd, std::cbrt(10.0 * 30 * 17), 1e-9) << "a geometric mean";
  EXPECT_LT(row_of(table, "a").range->low, *row_of(table, "a").fd);
  EXPECT_EQ(table.protocol.floor, 0.5);
  // One run of three without an end: no score, last, and said.
  EXPECT_EQ(table.rows.back().objective, "lost");
  EXPECT_FALSE(table.rows.back().fd);
  EXPECT_FALSE(table.rows.back().rank);
  EXPECT_EQ(table.rows.back().failed, 1);
  EXPECT_TRUE(has(to_text(table), "2 of 3")) << to_text(table);
  const std::string rows = to_text(table).substr(to_text(table).find("rank"));
  for (size_t begin = 0, end; (end = rows.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(end - begin, 80u);
  EXPECT_TRUE(has(to_markdown(table), "| 1-2 | a | 3 |")) << to_markdown(table);
}

TEST(League, OneSeedRanksNothing) {
  const LeagueTable table = make_league_table({scored("a", 1, 3), scored("b", 1, 300)});
  EXPECT_EQ(table.rows[0].objective, "a");
  EXPECT_FALSE(table.rows[0].rank);
  EXPECT_FALSE(table.rows[0].range);
  // What is known is the interval of the judge's samples, and that it is of those.
  EXPECT_TRUE(has(to_markdown(table), "| - | b | 1 | 300 | 299-301 |")) << to_markdown(table);
  EXPECT_TRUE(has(to_text(table), "of other")) << to_text(table);
}

// FD after each look: geometric means over seeds, nothing where a run had none.
TEST(League, TellsHowFdWent) {
  std::vector<LeagueRun> runs{scored("a", 1, 4), scored("a", 2, 9), scored("lost", 1, NAN)};
  runs[0].curve = {{5, 16}, {10, 4}};
  runs[1].curve = {{5, 25}, {10, 9}};
  runs[2].curve = {{5, 30}};
  const LeagueTable table = make_league_table(runs);
  EXPECT_EQ(table.looks, (std::vector<int64_t>{5, 10}));
  EXPECT_NEAR(row_of(table, "a").course[0], 20, 1e-12);
  EXPECT_NEAR(row_of(table, "a").course[1], 6, 1e-12);
  EXPECT_TRUE(
      has(to_markdown(table), "| FD after | 5 | 10 |\n|---|---|---|\n| a | 20 | 6 |\n| lost | 30 | - |\n"))
      << to_markdown(table);
}

LeagueRequest small_league(const std::filesystem::path& out) {
  LeagueRequest request{.objectives = {"ns-gan", "cgan"}, .seeds = {1}, .steps = 8, .count = 60, .out = out};
  request.config.data = "synthetic";
  request.config.synthetic_count = 200;
  request.config.networks.arch = "mlp";
  request.config.networks.channels_g = request.config.networks.channels_d = 8;
  request.config.batch = 16;
  return request;
}

TEST(League, GoesOnRunByRunWithTheSameBits) {
  const Scratch scratch;
  CountingListener listener;
  const LeagueOutcome whole = run_league(small_league(scratch / "whole"), listener);
  EXPECT_TRUE(whole.complete);
  ASSERT_EQ(whole.runs.size(), 2u);
  EXPECT_EQ(listener.steps, 16);
  const LeagueRun& run = whole.runs[0];
  EXPECT_EQ(run.objective, "ns-gan");
  EXPECT_EQ(run.judge, "digits-v1");
  EXPECT_EQ(run.steps, 8);
  EXPECT_EQ(run.images_d, 8 * 16);
  ASSERT_EQ(run.curve.size(), 4u) << "an eighth, a quarter, half and all";
  EXPECT_EQ(run.curve[3].second, run.find("fd")->value);
  ASSERT_EQ(run.samples.shape(), (Shape{4, 2 * 30 + 2, 8 * 30 + 2}))
      << "a picture of 16 samples at every look";
  EXPECT_NE(slice(run.samples, 0, 0, 1).to_vector<double>(), run.last_samples().to_vector<double>())
      << "samples move as G trains";
  EXPECT_GT(run.find("fd")->value, run.find("fd")->floor);

  kernels::set_threads(1);
  CountingListener stopped;
  stopped.most = 12;
  EXPECT_FALSE(run_league(small_league(scratch / "parts"), stopped).complete);
  CountingListener rest;
  const LeagueOutcome outcome = run_league(small_league(scratch / "parts"), rest);
  kernels::set_threads(0);
  EXPECT_TRUE(outcome.complete);
  EXPECT_EQ(rest.found, 1);
  EXPECT_EQ(rest.missing, 1);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(outcome.runs[i].find("fd")->value, whole.runs[i].find("fd")->value) << i;
    EXPECT_EQ(outcome.runs[i].samples.to_vector<double>(), whole.runs[i].samples.to_vector<double>()) << i;
  }
  EXPECT_EQ(get(scratch / "parts" / "league.png"), get(scratch / "whole" / "league.png"));
  EXPECT_TRUE(has(text_of(scratch / "parts" / "league.md"), "| ns-gan | 1 |"));

  // An older record has the last picture alone: then the table's picture shows nothing else.
  const std::filesystem::path older = scratch / "parts" / "runs" / "ns-gan-1.safetensors";
  TensorFile record = read_safetensors(older);
  const Tensor last = whole.runs[0].last_samples().reshape({2 * 30 + 2, 8 * 30 + 2});
  for (auto& [name, tensor] : record.tensors) tensor = last;
  write_safetensors(older, record);
  const LeagueOutcome mixed = run_league(small_league(scratch / "parts"), rest);
  EXPECT_EQ(mixed.runs[0].last_samples().to_vector<double>(), last.to_vector<double>());
  EXPECT_LT(get(scratch / "parts" / "league.png").size(), get(scratch / "whole" / "league.png").size());

  LeagueRequest other = small_league(scratch / "parts");
  other.steps = 9;
  EXPECT_TRUE(has(error_of([&] { run_league(other, rest); }), "steps"));
}

// It has one picture, of where it failed, and none of a look.
TEST(League, ARunThatFailsBeforeItsFirstLookHasARow) {
  const Scratch scratch;
  register_objective("explodes", [] { return named_objective("ns-gan", {{"lr-d", 1e30}, {"lr-g", 1e30}}); });
  LeagueRequest request = small_league(scratch / "league");
  request.objectives = {"ns-gan", "explodes"};
  request.steps = 40;  // looks from the fifth on
  CountingListener listener;
  const LeagueOutcome outcome = run_league(request, listener);
  ASSERT_EQ(outcome.runs.size(), 2u);
  const LeagueRun& failed = outcome.runs[0].objective == "explodes" ? outcome.runs[0] : outcome.runs[1];
  EXPECT_TRUE(has(failed.failure, "not finite at iteration")) << failed.failure;
  EXPECT_TRUE(failed.curve.empty());
  EXPECT_EQ(failed.samples.dim(0), 1);
  EXPECT_TRUE(has(text_of(scratch / "league" / "league.md"), "| explodes | - | - | - | - |"));
  EXPECT_GT(get(scratch / "league" / "league.png").size(), 1000u);
}

TEST(League, RefusesBeforeItTrains) {
  const Scratch scratch;
  CountingListener listener;
  const auto refused = [&](const char* expected, const std::function<void(LeagueRequest&)>& change) {
    LeagueRequest request = small_league(scratch / "league");
    change(request);
    const std::string said = error_of([&] { run_league(request, listener); });
    EXPECT_TRUE(has(said, expected)) << said;
    EXPECT_EQ(listener.steps, 0);
  };
  refused("unknown objective", [](LeagueRequest& r) { r.objectives.push_back("gna"); });
  refused("count: expected at least 24, got 23", [](LeagueRequest& r) { r.count = 23; });
  refused("steps: expected at least 1", [](LeagueRequest& r) { r.steps = 0; });
}

}  // namespace
}  // namespace duel::gan::lab
