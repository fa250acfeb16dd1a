// Sweeps: the file and what it asks for, what is refused and where, the table, and a small one from end to end.
#include "duel/gan/lab/league/sweep.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "duel/gan/lab/league/internal/sweep_runs.h"
#include "duel/gan/lab/league/league.h"
#include "duel/kernels/base/parallel.h"
#include "tests/files.h"
#include "tests/gan/lab/counting_listener.h"

namespace duel::gan::lab {
namespace {

using duel::testing::CountingListener;
using duel::testing::error_of;
using duel::testing::has;
using duel::testing::Scratch;
using duel::testing::text_of;

/// A file with the smallest networks on a few drawn digits.
std::string small_file(const std::string& more, const std::string& settings = "") {
  return R"({"settings": {"objective": "wgan-gp", "data": "synthetic", "synthetic-count": 60, "arch": "mlp",
    "channels-g": 8, "channels-d": 8, "steps": 1, "eval-count": 24)" +
         settings + "}, " + more + "}";
}

SweepPlan plan_of(const std::string& text, std::optional<int64_t> steps = {}) {
  return sweep_from_json(text, "s.json", steps);
}

TEST(Sweep, AGridIsEveryValueWithEveryOther) {
  const SweepPlan plan = plan_of(
      R"({"settings": {"objective": "wgan-gp", "critic-steps": 2, "norm-g": null},
          "axes": {"lambda": [1, 10.0], "lr": [1e-4, 3e-4, 2]}, "seeds": [7, 3]})",
      40);
  ASSERT_EQ(plan.points.size(), 6U);
  EXPECT_EQ(plan.axes, (std::vector<std::string>{"lambda", "lr"}));
  EXPECT_EQ(to_text(plan.points[1].values), "lambda=1, lr=3e-04");
  EXPECT_EQ(to_text(plan.points[5].values), "lambda=10, lr=2");
  EXPECT_EQ(to_text(plan.settings), "objective=wgan-gp, critic-steps=2, steps=40");
  const RunConfig& config = plan.points[4].config;
  EXPECT_EQ(config.objective, "wgan-gp");
  EXPECT_EQ(config.steps, 40);
  EXPECT_EQ(config.overrides.number("lambda"), 10);
  EXPECT_EQ(config.overrides.number("lr-d"), 3e-4);
  EXPECT_EQ(config.overrides.number("lr-g"), 3e-4);
  EXPECT_EQ(config.overrides.integer("critic-steps"), 2);
  EXPECT_EQ(plan.seeds, (std::vector<uint64_t>{7, 3}));
  EXPECT_EQ(plan_of(R"({"axes": {"lr": [1]}, "seeds": 2})").seeds, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(plan_of(R"({"axes": {"spectral-norm": [true, false]}})")
                .points[1]
                .config.overrides.truth("spectral-norm"),
            false);
}

TEST(Sweep, VariantsAreSettingsThatGoTogether) {
  const SweepPlan plan = plan_of(
      R"({"axes": {"lr": [1e-4, 2]}, "variants": [{}, {"cr": 10}, {"lecam": 0.3, "augment": "color"}]})", 1);
  EXPECT_EQ(plan.axes, (std::vector<std::string>{"lr", "cr", "lecam", "augment"}));
  ASSERT_EQ(plan.points.size(), 6U);
  EXPECT_EQ(to_text(plan.points[0].values), "lr=1e-04");
  EXPECT_EQ(to_text(plan.points[3].values), "cr=10, lr=2");
  EXPECT_EQ(to_text(plan.points[4].values), "lecam=0.3, augment=color, lr=1e-04");
  EXPECT_EQ(plan.points[4].config.overrides.number("lecam"), 0.3);
  EXPECT_FALSE(plan.points[3].config.overrides.has("lecam"));
  const SweepPlan alone = plan_of(R"({"variants": [{}, {"cr": 10}], "runs": 2})", 1);
  ASSERT_EQ(alone.points.size(), 2U);
  EXPECT_NE(to_text(alone.points[0].values), to_text(alone.points[1].values));

  const auto refused = [](const std::string& more) {
    return error_of([&] { plan_of("{" + more + "}", 1); });
  };
  EXPECT_TRUE(has(refused(R"("variants": [])"), "[sweep] s.json: variants: expected a list of objects"));
  EXPECT_TRUE(has(refused(R"("variants": [{}, 1])"), "s.json: variants: 2: expected an object of settings"));
  EXPECT_TRUE(has(refused(R"("variants": [{"cr": 1}, {"cr": 1}])"), "variants: 2: (cr=1) is there twice"));
  EXPECT_TRUE(
      has(refused(R"("variants": [{"data": "synthetic"}])"), "variants: 1: data: all points are judged"));
  EXPECT_TRUE(has(refused(R"("variants": [{"cr": -1}])"), "variants: 1: cr: expected"));
  EXPECT_TRUE(has(refused(R"("variants": [{"objective": "no"}])"), "variants: 1: objective: "));
  EXPECT_TRUE(has(refused(R"("axes": {"cr": [1]}, "variants": [{"cr": 1}])"), "among axes and in a variant"));
  EXPECT_TRUE(
      has(refused(R"("settings": {"cr": 1}, "variants": [{}, {"cr": 1}])"), "settings and in a variant"));
  EXPECT_TRUE(has(refused(R"("variants": [{"cr": 1}])"), "axes: expected a setting with its values"));
}

TEST(Sweep, DrawnPointsAreInTheirRangesAndGoOn) {
  const auto drawn = [](int runs, int seed) {
    return plan_of(
               message(
                   R"({"axes": {"lr": {"min": 1e-5, "max": 1e-1, "log": true}, "batch": {"min": 4, "max": 6},
                    "objective": ["hinge", "ns-gan"], "beta1": {"min": 0, "max": 0.9}}, "runs": {}, "seed": {}})",
                   runs, seed))
        .points;
  };
  const std::vector<SweepPoint> points = drawn(200, 3), fewer = drawn(20, 3);
  ASSERT_EQ(points.size(), 200U);
  std::set<std::string> batches, objectives;
  int small = 0;
  double betas = 0;
  for (const SweepPoint& p : points) {
    const double lr = p.config.overrides.number("lr-d");
    EXPECT_GE(lr, 1e-5);
    EXPECT_LE(lr, 1e-1);
    EXPECT_EQ(significant(lr, 3), significant(lr, 6)) << "three digits";
    small += lr < 1e-3;
    betas += p.config.overrides.number("beta1") / 200;
    batches.insert(p.values[1].second);
    objectives.insert(p.config.objective);
  }
  EXPECT_NEAR(small, 100, 30) << "uniform in the logarithm";
  EXPECT_NEAR(betas, 0.45, 0.08);
  EXPECT_EQ(batches, (std::set<std::string>{"4", "5", "6"}));
  EXPECT_EQ(objectives.size(), 2U);
  for (size_t i = 0; i < fewer.size(); ++i) EXPECT_EQ(fewer[i].values, points[i].values) << i;
  EXPECT_NE(drawn(20, 4)[0].values, points[0].values);
  std::set<SweepValues> all;  // each once, as many as there are
  for (const SweepPoint& p :
       plan_of(R"({"axes": {"lr": [1, 2], "batch": {"min": 1, "max": 2}}, "runs": 4})").points)
    all.insert(p.values);
  EXPECT_EQ(all.size(), 4U);
}

TEST(Sweep, SaysWhatIsWrongAndWhere) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> mistakes = {
      {"{\"axes\":\n {\"lr\": [1,]}}", {"s.json: not JSON", "line 2", "column 12"}},
      {"[]", {"expected a JSON object", "a list"}},
      {"{}", {"axes: expected a setting with its values"}},
      {R"({"axs": {}})", {"unknown key 'axs'", "'axes'"}},
      {R"({"lr": 3, "axes": {}})", {"lr: expected inside of \"settings\""}},
      {R"({"axes": {"lrr": [1]}})", {"s.json: axes: unknown key 'lrr'", "'lr'"}},
      {R"({"axes": {"lr": [1, 0]}})", {"axes: lr: expected a positive number, got 0"}},
      {R"({"axes": {"lr": 1}})", {"axes: lr: expected a list of values", "got 1"}},
      {R"({"axes": {"lr": []}})", {"axes: lr: expected at least one value"}},
      {R"({"axes": {"lr": [1, null]}})", {"axes: lr", "null"}},
      {R"({"axes": {"lr": [1, 1.0]}})", {"axes: lr: 1 is there twice"}},
      {R"({"axes": {"objective": ["hinge", "wgn"]}})", {"axes: objective", "'wgn'", "'wgan'"}},
      {R"({"settings": {"arch": "mpl"}, "axes": {"lr": [1]}})", {"settings", "'mpl'", "mlp"}},
      {R"({"settings": {"keep": 3, "out": "x"}, "axes": {"lr": [1]}})",
       {"settings: keep, out: nothing of a sweep's"}},
      {R"({"settings": {"lr": 3}, "axes": {"lr": [1]}})", {"lr: stands among settings and axes"}},
      {R"({"axes": {"seed": [1]}})", {"axes: seed", "\"seeds\""}},
      {R"({"axes": {"data": ["synthetic"]}})", {"axes: data", "the same images"}},
      {R"({"axes": {"lr": {"min": 1, "max": 0.1}}, "runs": 2})",
       {"axes: lr: expected min below max, got 1 and 0.1"}},
      {R"({"axes": {"lambda": {"min": 0, "max": 1, "log": true}}, "runs": 2})",
       {"axes: lambda: expected min above 0"}},
      {R"({"axes": {"beta1": {"min": 0, "max": 1}}, "runs": 2})",
       {"axes: beta1: expected a number in [0, 1)"}},
      {R"({"axes": {"batch": {"min": 1.5, "max": 3}}, "runs": 2})", {"axes: batch: expected an integer"}},
      {R"({"axes": {"lr": {"min": 1, "mx": 2}}, "runs": 2})",
       {"axes: lr: expected min, max and log, got 'mx'"}},
      {R"({"axes": {"arch": {"min": 1, "max": 2}}, "runs": 2})", {"axes: arch: only numbers have a range"}},
      {R"({"axes": {"lr": {"min": 1, "max": 2}}})", {"axes: lr", "\"runs\""}},
      {R"({"axes": {"lr": [1, 2]}, "runs": 3})", {"runs: expected at most 2", "got 3"}},
      {R"({"axes": {"lr": [1]}, "seed": 3})", {"seed", "\"runs\"", "\"seeds\""}},
      {R"({"axes": {"lr": [1]}, "seeds": [1, 1]})", {"seeds: 1 is there twice"}},
      {R"({"axes": {"lr": [1]}, "seeds": 0})", {"seeds: expected an integer from 1", "got 0"}},
      {R"({"axes": {"lr": [1]}, "rank-by": "fdd"})", {"rank-by: expected one of fd, ", "'fdd'"}},
      {R"({"axes": {"lr": [1]}, "rank-by": "ms_ssim"})", {"rank-by: ms_ssim", "ranks nothing"}},
      {R"({"axes": {"lr": [1]}, "refused": "go"})", {"refused: expected \"stop\" or \"skip\", got 'go'"}},
      {R"({"settings": {"eval-count": 3}, "axes": {"lr": [1]}})",
       {"eval-count: expected at least 24, got 3"}},
  };
  for (const auto& [text, parts] : mistakes) {
    const std::string said = error_of([&, &json = text] { plan_of(json); });
    EXPECT_TRUE(has(said, "s.json")) << text;
    for (const std::string& part : parts) EXPECT_TRUE(has(said, part)) << text << "\n" << said;
  }
  EXPECT_TRUE(has(error_of([] { plan_of(R"({"axes": {"epochs": [1]}})", 3); }), "epochs is an axis"));
}

TEST(Sweep, PointsThatCannotBeTrainedAreToldBefore) {
  const std::string axes = R"("axes": {"norm-d": ["batch", "none"], "batch": [8, 61]}, "seeds": 1)";
  SweepPlan plan = plan_of(small_file(axes));
  check_points(plan);
  EXPECT_TRUE(has(plan.points[0].refusal, "gradient norm of each sample")) << plan.points[0].refusal;
  EXPECT_TRUE(plan.points[3].refusal.starts_with("batch: expected at most 60")) << plan.points[3].refusal;
  EXPECT_EQ(plan.points[2].refusal, "");
  EXPECT_EQ(plan.points[2].steps, 1);
  EXPECT_TRUE(has(refusals_text(plan), "refused: norm-d=batch, batch=8\n  wgan-gp takes"))
      << refusals_text(plan);
  const std::string said = error_of([&] { check_refusals(plan); });
  EXPECT_TRUE(has(said, "s.json: 3 of 4 points cannot be trained") && has(said, "\"skip\"")) << said;
  plan.skip_refused = true;
  check_refusals(plan);
  EXPECT_EQ(points_text(plan).substr(0, 12), "norm-d batch");
  EXPECT_FALSE(has(points_text(plan), "61")) << points_text(plan);
  std::erase_if(plan.points, [](const SweepPoint& p) { return p.refusal.empty(); });
  EXPECT_TRUE(
      has(error_of([&] { check_refusals(plan); }), "3 of 3 points cannot be trained, and so nothing is"));
  plan = plan_of(R"({"settings": {"data": "stacked:synthetic"}, "axes": {"lr": [1]}})");
  EXPECT_TRUE(has(error_of([&] { check_points(plan); }), "expected gray digits, got stacked ones"));
  plan = plan_of(R"({"settings": {"data": "/nowhere"}, "axes": {"lr": [1]}})");
  EXPECT_TRUE(has(error_of([&] { check_points(plan); }), "s.json: settings: data: /nowhere: no such folder"));
  // epochs are of the data
  plan = plan_of(R"({"settings": {"data": "synthetic", "synthetic-count": 50, "arch": "mlp"},
                     "axes": {"epochs": [1, 2], "batch": [10]}})");
  check_points(plan);
  EXPECT_EQ(plan.points[1].steps, 10);
}

SweepRun scored(const SweepValues& values, uint64_t seed, double fd, double recall = 0.5) {
  SweepRun run{.values = values,
               .run = {.objective = "wgan-gp", .seed = seed, .seconds = 3, .steps = 10, .judge = "mnist-v1"}};
  if (std::isfinite(fd))
    run.run.measures = {{"fd", {fd, fd - 1, fd + 1, 0.5}}, {"recall", {recall, 0.4, 0.6, 0.9}}};
  else
    run.run.failure = "not finite at iteration 7";
  return run;
}

void expect_narrow(const std::string& text) {
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(end - begin, 80U) << text.substr(begin, end - begin);
}

TEST(Sweep, TheTableRanksPointsBySettingsThatDiffer) {
  SweepPlan plan;
  plan.axes = {"lambda", "k", "lr"};
  const SweepValues a{{"lambda", "1"}, {"k", "1"}, {"lr", "0.01"}},
      b{{"lambda", "10"}, {"k", "1"}, {"lr", "0.01"}}, c{{"lambda", "10"}, {"k", "1"}, {"lr", "5"}};
  std::vector<SweepRun> runs;
  for (uint64_t seed : {1, 2, 3}) {
    const auto s = static_cast<double>(seed);
    runs.push_back(scored(a, seed, 20 + s, 0.7 + 0.01 * s));
    runs.push_back(scored(b, seed, 10 + s, 0.6 + 0.01 * s));
    runs.push_back(scored(c, seed, seed == 2 ? NAN : 5));
  }
  const SweepTable table = make_sweep_table(plan, runs);
  EXPECT_EQ(table.axes, (std::vector<std::string>{"lambda", "lr"}));
  EXPECT_EQ(table.rows[0].values, b);
  EXPECT_NEAR(*table.rows[0].score, std::cbrt(11.0 * 12 * 13), 1e-9);
  EXPECT_EQ(table.rows[0].rank, (std::pair<int64_t, int64_t>{1, 1}));
  EXPECT_EQ(table.rows[2].values, c);
  EXPECT_FALSE(table.rows[2].rank);
  const std::string text = to_text(table);
  EXPECT_TRUE(has(text, "\n1    10     0.01 3 ")) << text;
  EXPECT_TRUE(has(text, "2 of 3")) << text;
  EXPECT_TRUE(has(text, "\nfailed: lambda=10, k=1, lr=5 seed 2: not finite at iteration 7\n")) << text;
  EXPECT_TRUE(has(text, " s/run\n")) << text;
  expect_narrow(text);
  EXPECT_TRUE(has(to_markdown(table), "| 1 | 10 | 0.01 | 3 |")) << to_markdown(table);

  // By another measure: higher is better, and FD stands beside it.
  plan.rank_by = "recall";
  const SweepTable by_recall = make_sweep_table(plan, runs);
  EXPECT_EQ(by_recall.rows[0].values, a);
  EXPECT_EQ(by_recall.rows[0].rank, (std::pair<int64_t, int64_t>{1, 1}));
  EXPECT_NEAR(*by_recall.rows[0].score, 0.72, 1e-12);
  EXPECT_NEAR(*by_recall.rows[1].fd, std::cbrt(11.0 * 12 * 13), 1e-9);
}

TEST(Sweep, ATableOfManySettingsFitsTheWindow) {
  SweepPlan plan;
  std::vector<SweepRun> runs(2);
  for (int i = 0; i < 2; ++i) {
    SweepValues values;
    for (const char* axis : {"penalties", "critic-steps", "label-smoothing", "optimizer"})
      values.emplace_back(axis, message("a-rather-long-value-{}", i));
    runs[static_cast<size_t>(i)] = scored(values, 1, 3 + i);
  }
  for (const auto& [axis, value] : runs[0].values) plan.axes.push_back(axis);
  const std::string text = to_text(make_sweep_table(plan, runs));
  expect_narrow(text);
  EXPECT_TRUE(has(text, "\nrank point runs FD") && has(text, "\n#2 penalties=a-rather-long-value-1")) << text;
  EXPECT_TRUE(has(text, "rec")) << text;
  // With two of them there is room, once the measures that tell least are gone.
  for (SweepRun& run : runs) run.values.resize(2);
  plan.axes.resize(2);
  const std::string two = to_text(make_sweep_table(plan, runs));
  expect_narrow(two);
  EXPECT_TRUE(has(two, "a-rather-long-value-1") && has(two, "s/run") && !has(two, "modes")) << two;
}

TEST(Sweep, NamesOfRunsAreThoseOfTheirSettings) {
  EXPECT_EQ(sweep_name({{"lr", "1e-04"}, {"lambda", "10"}}, 3), "lambda=10,lr=1e-04-3");
  const auto name = [](const std::string& penalties) { return sweep_name({{"penalties", penalties}}, 1); };
  EXPECT_NE(name("r1@real"), name("r1real"));
  EXPECT_EQ(name("../a b").find('/'), std::string::npos);
  EXPECT_NE(name(std::string(300, 'a')), name(std::string(301, 'a')));
  EXPECT_LT(name(std::string(300, 'a')).size(), 150U);
}

TEST(Sweep, GoesOnWithMoreValuesAndRefusesOtherSettings) {
  const Scratch scratch;
  const auto swept = [&](const std::string& more, const std::string& settings, CountingListener& listener) {
    SweepPlan plan = plan_of(small_file(more, settings));
    check_points(plan);
    return run_sweep(plan, scratch / "sweep", listener);
  };
  const std::string batches = R"("axes": {"batch": [8, 12]}, "seeds": 1)";
  CountingListener stopped, rest, more;
  stopped.most = 2;  // in the second run
  kernels::set_threads(1);
  EXPECT_FALSE(swept(batches, "", stopped).complete);
  kernels::set_threads(0);
  const SweepOutcome whole = swept(batches, "", rest);
  EXPECT_TRUE(whole.complete);
  EXPECT_EQ(rest.found, 1);
  EXPECT_EQ(rest.missing, 1);
  ASSERT_EQ(whole.runs.size(), 2U);
  EXPECT_EQ(whole.runs[1].values, (SweepValues{{"batch", "12"}}));
  EXPECT_EQ(whole.runs[1].run.images_d, 5 * 12) << "wgan-gp's critic steps";
  EXPECT_EQ(whole.runs[1].run.judge, "digits-v1");
  EXPECT_TRUE(std::isfinite(whole.runs[0].run.held_out_gap)) << "read back from the folder";
  EXPECT_TRUE(std::isfinite(whole.runs[1].run.held_out_gap));

  const SweepOutcome longer = swept(R"("axes": {"batch": [16, 12, 8]}, "seeds": 1)", "", more);
  EXPECT_EQ(more.found, 2);
  ASSERT_EQ(longer.runs.size(), 3U);
  EXPECT_EQ(longer.runs[2].values, (SweepValues{{"batch", "8"}})) << "in the order of the file";
  EXPECT_EQ(longer.runs[1].run.find("fd")->value, whole.runs[1].run.find("fd")->value);
  EXPECT_TRUE(has(text_of(scratch / "sweep" / "sweep.md"), "| 16 | 1 |"));
  EXPECT_TRUE(has(text_of(scratch / "sweep" / "sweep.json"),
                  R"({"point":{"batch":16},"objective":"wgan-gp","seed":1,)"));
  EXPECT_TRUE(std::filesystem::exists(scratch / "sweep" / "sweep.png"));

  CountingListener varied, varied_again;
  const std::string variants = R"("axes": {"batch": [8]}, "variants": [{}, {"lambda": 5}], "seeds": 1)";
  EXPECT_TRUE(swept(variants, "", varied).complete);
  EXPECT_EQ(varied.found, 1) << "the point without variants of before";
  const SweepOutcome loaded = swept(variants, "", varied_again);
  EXPECT_EQ(varied_again.found, 2);
  ASSERT_EQ(loaded.runs.size(), 4U) << "with the other batches, which are in the folder";
  EXPECT_EQ(loaded.runs[0].values, (SweepValues{{"batch", "8"}}));
  EXPECT_EQ(loaded.runs[1].values, (SweepValues{{"lambda", "5"}, {"batch", "8"}}));
  EXPECT_TRUE(has(text_of(scratch / "sweep" / "sweep.md"), "| - |"));

  const auto refusal = [&](const std::string& axes, const std::string& settings) {
    const SweepPlan plan = plan_of(small_file(axes, settings));
    return error_of([&] { recorded_sweep(plan, scratch / "sweep"); });
  };
  EXPECT_TRUE(has(refusal(batches, R"(, "lambda": 3)"), "lambda: this run has null, asked for is 3"));
  EXPECT_TRUE(has(refusal(R"("axes": {"lr": [1]})", ""), "another sweep, over batch; s.json is over lr"));
  std::filesystem::rename(scratch / "sweep", scratch / "league");
  LeagueRequest league{
      .objectives = {"ns-gan"}, .seeds = {1}, .steps = 1, .count = 24, .out = scratch / "league"};
  league.config = plan_of(small_file(batches)).base;
  EXPECT_TRUE(has(error_of([&] { run_league(league, more); }), "league"));
}

}  // namespace
}  // namespace duel::gan::lab
