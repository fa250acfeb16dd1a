// Stacked digits: scores and floors in closed form, protocols as published, and runs that a folder keeps.
#include "duel/gan/lab/stacked/stacked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "duel/core/ops.h"
#include "duel/gan/objective/critic.h"
#include "tests/files.h"

namespace duel::gan::lab {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using duel::testing::Scratch;
using duel::testing::text_of;

TEST(StackedScore, OfCollapsedAndOfEvenSets) {
  std::vector<int64_t> one(1000), even(1000, 26);
  one[537] = 26000;
  EXPECT_EQ(score_stacked(one).modes, 1);
  EXPECT_NEAR(score_stacked(one).reverse_kl, std::log(1000.0), 1e-12);
  EXPECT_EQ(score_stacked(even).modes, 1000);
  EXPECT_NEAR(score_stacked(even).reverse_kl, 0, 1e-12);
  even[0] = 0;
  even[1] = 52;  // 998 shares of 1/1000, and one of 2/1000
  EXPECT_EQ(score_stacked(even).modes, 999);
  EXPECT_NEAR(score_stacked(even).reverse_kl, 0.002 * std::log(2.0), 1e-12);
  EXPECT_TRUE(has(error_of([] { score_stacked(std::vector<int64_t>(1000)); }), "got 0 of 1000"));
  EXPECT_TRUE(has(error_of([] { score_stacked({1, 2}); }), "got 3 of 2"));
}

// By hand where samples are few, by the published limit where they are many, by drawing in between.
TEST(StackedScore, FloorsAreExact) {
  EXPECT_NEAR(expected_reverse_kl(1), std::log(1000.0), 1e-12);
  EXPECT_NEAR(expected_reverse_kl(2, 2), 0.5 * std::log(2.0), 1e-14);
  EXPECT_NEAR(expected_modes(2, 2), 1.5, 1e-14);
  EXPECT_NEAR(expected_modes(1), 1, 1e-12);
  EXPECT_NEAR(expected_modes(26000), 1000, 1e-6);
  EXPECT_NEAR(expected_reverse_kl(26000), 999.0 / 52000, 2e-4);
  EXPECT_NEAR(expected_reverse_kl(2600), 0.214, 1e-3);

  Generator random(3);
  double modes = 0, divergence = 0;
  constexpr int kDraws = 40;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<int64_t> counts(1000);
    for (const float u : random.uniform({2000}).to_vector<float>())
      ++counts[std::min<size_t>(static_cast<size_t>(u * 1000), 999)];
    modes += static_cast<double>(score_stacked(counts).modes) / kDraws;
    divergence += score_stacked(counts).reverse_kl / kDraws;
  }
  EXPECT_NEAR(modes, expected_modes(2000), 6) << "five of its errors";
  EXPECT_NEAR(divergence, expected_reverse_kl(2000), 0.006);
}

TEST(StackedProtocols, BuildWhatTheySay) {
  for (const StackedProtocol& p : stacked_protocols()) {
    SCOPED_TRACE(p.name);
    for (const char* name : {"ns-gan", "pacgan", "wgan-gp", "sngan"}) {
      SCOPED_TRACE(name);
      const Objective objective = stacked_objective(p, name, false);
      Generator random(1);
      const Networks n = stacked_networks(p, objective, random);
      EXPECT_EQ(n.latent.width(), p.latent);
      EXPECT_EQ((*n.generator)(random.normal({2, p.latent})).shape(), (Shape{2, 3, 28, 28}));
      const int64_t packing = objective.schedule.packing;
      EXPECT_EQ(packing, std::string(name) == "pacgan" ? 2 : 1);
      EXPECT_EQ(judge(*n.discriminator, random.normal({2, 3 * packing, 28, 28})).logits.shape(),
                (Shape{2, 1}));
    }
  }
  // G of the small ones: 256 x 1024 + 1024, three transposed convolutions, one to colours, and norms.
  Generator random(1);
  const Networks quarter = stacked_networks(stacked_protocol("quarter"), named_objective("ns-gan"), random);
  EXPECT_EQ(quarter.generator->parameter_count(), 256 * 1024 + 1024 + (64 * 32 + 32 * 16 + 16 * 8) * 9 + 32 +
                                                      16 + 8 + 8 * 3 * 9 + 3 + 2 * (64 + 32 + 16 + 8));
  EXPECT_EQ(quarter.discriminator->parameter_count(),
            (3 * 2 + 2 * 4 + 4 * 8) * 9 + 2 + 4 + 8 + 2 * (2 + 4 + 8) + 8 * 16 + 1);
}

TEST(StackedProtocols, TrainAsPublished) {
  const StackedProtocol &quarter = stacked_protocol("quarter"), &full = stacked_protocol("full");
  const Schedule s = stacked_objective(quarter, "wgan-gp", false).schedule;
  EXPECT_EQ(s.d.lr, 2e-4);
  EXPECT_EQ(s.g.lr, 1e-4);
  EXPECT_EQ(s.d.beta2, 0.99);
  EXPECT_EQ(s.critic_steps, named_objective("wgan-gp").schedule.critic_steps);
  EXPECT_EQ(stacked_objective(full, "ns-gan", false).schedule.generator_steps, 2);
  EXPECT_EQ(stacked_objective(full, "wgan-gp", false).schedule.generator_steps, 1) << "5 of D for one of G";
  EXPECT_EQ(stacked_objective(quarter, "wgan", false).schedule.d.kind, OptimizerKind::rmsprop);
  EXPECT_EQ(stacked_objective(quarter, "wgan-gp", true).schedule.d.lr,
            named_objective("wgan-gp").schedule.d.lr);
  EXPECT_TRUE(has(error_of([&] { stacked_objective(quarter, "cgan", false); }), "needs classes"));
  EXPECT_TRUE(has(error_of([&] { stacked_objective(quarter, "began", false); }), "autoencoder"));
  EXPECT_TRUE(has(error_of([] { stacked_protocol("third"); }), "one of quarter, half, full, got 'third'"));
}

struct StackedObserver : LabObserver {
  void finished(const std::string& run, const std::string&, double, int64_t) override { done.push_back(run); }
  std::vector<std::string> done;
};

StackedRequest small_stacked(const std::filesystem::path& out) {
  StackedRequest request{
      .objectives = {"ns-gan", "pacgan"}, .seeds = {1, 2}, .steps = 2, .count = 50, .out = out};
  request.config.data = "synthetic";
  request.config.synthetic_count = 80;
  request.config.stacked_count = 300;
  return request;
}

TEST(StackedRuns, AreKeptAndTheSameAgain) {
  const Scratch scratch;
  StackedObserver first, again, other;
  const StackedOutcome outcome = run_stacked(small_stacked(scratch / "a"), first);
  EXPECT_TRUE(outcome.complete);
  ASSERT_EQ(outcome.runs.size(), 4U);
  EXPECT_EQ(first.done.size(), 4U);
  EXPECT_NEAR(static_cast<double>(outcome.floor->score.modes), expected_modes(50), 4);
  EXPECT_LT(3 * outcome.floor->fd, outcome.runs[0].fd.value()) << "two steps make no digits";
  const std::string table = text_of(scratch / "a" / "results.md"),
                    json = text_of(scratch / "a" / "results.json");
  EXPECT_TRUE(has(table, "| ns-gan | 2 |") && has(table, "| PacDCGAN4 | 667.4 ± 29.0 |")) << table;
  EXPECT_TRUE(has(json, "duel lab stacked --objective ns-gan,pacgan --seeds 2 --steps 2 --protocol quarter"))
      << json;

  EXPECT_EQ(run_stacked(small_stacked(scratch / "a"), again).runs.size(), 4U);
  EXPECT_TRUE(again.done.empty());
  EXPECT_EQ(text_of(scratch / "a" / "results.md"), table);

  StackedRequest alone = small_stacked(scratch / "b");
  alone.objectives = {"pacgan"};
  alone.seeds = {2};
  const StackedOutcome one = run_stacked(alone, other);
  EXPECT_EQ(one.runs[0].counts, outcome.runs[3].counts);
  EXPECT_EQ(one.runs[0].samples.to_vector<uint8_t>(), outcome.runs[3].samples.to_vector<uint8_t>());

  StackedRequest more = small_stacked(scratch / "a");
  more.steps = 3;
  EXPECT_TRUE(has(error_of([&] { run_stacked(more, other); }), "steps: this run has 2, asked for is 3"));
  more = small_stacked(scratch / "c");
  more.objectives = {"acgan"};
  EXPECT_TRUE(has(error_of([&] { run_stacked(more, other); }), "needs classes"));
  EXPECT_FALSE(std::filesystem::exists(scratch / "c"));
}

TEST(StackedTable, SaysMeansErrorsAndFailures) {
  StackedOutcome outcome{.request = {.objectives = {"a", "b"}, .steps = 500000, .count = 25600}};
  const auto run = [](const char* name, uint64_t seed, int64_t modes, double kl, const char* failure) {
    return StackedRun{
        .objective = name, .seed = seed, .failure = failure, .seconds = 4, .score = {modes, kl}};
  };
  outcome.runs = {run("a", 1, 10, 5, ""), run("a", 2, 14, 6, ""),
                  run("b", 1, 0, std::log(1000.0), "not finite")};
  const StackedTable table = make_stacked_table(outcome);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0].modes.mean, 12);
  EXPECT_NEAR(table.rows[0].modes.error, 2, 1e-12);
  EXPECT_EQ(table.rows[0].modes_range->low, 0) << "Student's with one degree of freedom goes below";
  EXPECT_EQ(rank_text(table.rows[0].rank), "1");
  EXPECT_EQ(rank_text(table.rows[1].rank), "-") << "of one run nothing is known";
  EXPECT_FALSE(table.rows[1].modes_range);
  const std::string text = to_text(table);
  for (const char* part :
       {"long as published.", "12.0 ± 2.0", "5.500 ± 0.500", "0 of 1", "even kinds", "78.5 ± 17.6"})
    EXPECT_TRUE(has(text, part)) << part << "\n" << text;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }), 80) << line;
}

}  // namespace
}  // namespace duel::gan::lab
