// Adam against RMSProp for the clipped critic of wgan. Each optimizer's rate is chosen from the same grid by the same
// rule on seeds that are not looked at again; then they meet at their best rates, on other seeds.
//
// Both players move by the same optimizer at the same rate, as in the paper's algorithm. Adam with beta1 0 and beta2 0.99
// is RMSProp (alpha 0.99) but for the correction of its first steps; beta1 alone is what the Adams differ in.
#include <algorithm>
#include <cmath>
#include <limits>

#include "duel/gan/lab/founding.h"
#include "duel/gan/lab/founding/over_seeds.h"
#include "duel/gan/lab/internal/founding_digits.h"
#include "duel/gan/lab/internal/founding_rows.h"
#include "duel/gan/picture/plot.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

// Bounds, set before the first run. Distances are compared as ratios by common seeds, at each optimizer's best rate.
constexpr double kOptimizersWorseBound =
    1.0;  // RMSProp's over that of Adam with momentum: the interval's high end
constexpr double kOptimizersAlikeBound = 0.5;  // RMSProp's over that of Adam without momentum, from 1

struct OptimizersPlan {
  int64_t channels = 64, batch = 32, drawn = 60000;
  std::vector<double> rates = {5e-5, 2e-4, 8e-4, 3.2e-3};
  std::vector<uint64_t> tuning = {1001, 1002};
  FoundingLooks looks = {.every = 100, .count = 10};
  int64_t judged = 512, real = 10000;
};

struct OptimizersArm {
  std::string name;
  ObjectiveOverrides settings;
  std::vector<double> tuned = {};  // geometric mean of the distances at each rate; infinite where a run broke
  size_t best = 0;                 // of the rates
  std::vector<FoundingRun> runs = {};
  std::vector<double> ends = {}, losses = {};  // last distances, and over the least of the run
};

std::vector<OptimizersArm> optimizers_arms() {
  return {{"rmsprop", {{"optimizer", "rmsprop"}}},
          {"adam, beta1 0", {{"optimizer", "adam"}, {"beta1", 0.0}, {"beta2", 0.99}}},
          {"adam, beta1 0.5", {{"optimizer", "adam"}, {"beta1", 0.5}, {"beta2", 0.99}}},
          {"adam, beta1 0.9", {{"optimizer", "adam"}, {"beta1", 0.9}, {"beta2", 0.99}}}};
}

/// One run of an arm at a rate.
FoundingRun optimizers_run(const OptimizersPlan& plan, const FoundingDigits& digits,
                           const FoundingJudge& judge, const OptimizersArm& arm, double rate, uint64_t seed,
                           bool curve, LabObserver& observer) {
  FoundingPlayers players{.settings = arm.settings};
  players.settings.set("lr", rate);
  const auto trainer = founding_trainer(digits, "wgan", seed, players);
  // A rate is chosen by the end alone.
  return curve
             ? founding_run(*trainer, judge, plan.looks, seed, observer)
             : founding_run(*trainer, judge, {.every = plan.looks.iterations(), .count = 1}, seed, observer);
}

double optimizers_end(const FoundingRun& run) {
  return run.failure.empty() && !run.looks.empty() ? run.looks.back().distance
                                                   : std::numeric_limits<double>::infinity();
}

void tune(const OptimizersPlan& plan, const FoundingDigits& digits, const FoundingJudge& judge,
          OptimizersArm& arm, LabObserver& observer) {
  for (const double rate : plan.rates) {
    std::vector<double> ends;
    for (const uint64_t seed : plan.tuning) {
      ends.push_back(optimizers_end(optimizers_run(plan, digits, judge, arm, rate, seed, false, observer)));
      if (observer.stop()) return;
    }
    arm.tuned.push_back(ratio_of_runs(ends).value);
  }
  arm.best = static_cast<size_t>(std::min_element(arm.tuned.begin(), arm.tuned.end()) - arm.tuned.begin());
  observer.said(message("{}: rate {}", arm.name, shortest(plan.rates[arm.best])));
}

void fight(const OptimizersPlan& plan, const FoundingDigits& digits, const FoundingJudge& judge,
           const std::vector<uint64_t>& seeds, OptimizersArm& arm, LabObserver& observer) {
  for (const uint64_t seed : seeds) {
    arm.runs.push_back(optimizers_run(plan, digits, judge, arm, plan.rates[arm.best], seed, true, observer));
    if (observer.stop()) return;
    arm.ends.push_back(optimizers_end(arm.runs.back()));
    double least = std::numeric_limits<double>::infinity();
    for (const FoundingLook& look : arm.runs.back().looks) least = std::min(least, look.distance);
    arm.losses.push_back(arm.ends.back() / least);
  }
}

Canvas optimizers_picture(const OptimizersPlan& plan, const std::vector<OptimizersArm>& arms,
                          const std::string& judge) {
  Plot grid({.title = "end of training over the rate (tuning seeds)",
             .x_label = "rate of both players",
             .y_label = "fd-" + judge,
             .log_x = true,
             .log_y = true});
  Plot distance({.title = "at each one's best rate: distance, every seed",
                 .x_label = "iteration",
                 .y_label = "fd-" + judge,
                 .log_y = true});
  Plot value({.title = "at each one's best rate: -L_D, every seed",
              .x_label = "iteration",
              .y_label = "mean D(x) - mean D(G(z))"});
  Plot ends({.title = "at each one's best rate: end, every seed",
             .y_label = "fd-" + judge,
             .log_y = true,
             .x_names = {}});
  std::vector<std::string> names;
  for (size_t i = 0; i < arms.size(); ++i) {
    const OptimizersArm& arm = arms[i];
    const SeriesStyle style{.label = arm.name, .color = series_color(i)};
    grid.line(plan.rates, arm.tuned, style);
    grid.scatter(plan.rates, arm.tuned, {.color = series_color(i), .radius = 3});
    for (size_t k = 0; k < arm.runs.size(); ++k) {
      const SeriesStyle one{.label = k == 0 ? arm.name : "", .color = series_color(i)};
      const auto& looks = arm.runs[k].looks;
      const auto at = column_of(looks, &FoundingLook::iteration);
      distance.line(at, column_of(looks, &FoundingLook::distance), one);
      value.line(at, column_of(looks, &FoundingLook::value), one);
      ends.scatter(
          {static_cast<double>(i) + 1}, {arm.ends[k]},
          {.label = k == 0 ? message("{}: {}", i + 1, arm.name) : "", .color = series_color(i), .radius = 3});
    }
  }
  return tile({grid.draw(), ends.draw(), distance.draw(), value.draw()}, 2);
}

std::string optimizers_verdict(const Estimate& ratio) {
  if (ratio.interval.low > 1) return "ends at a larger distance than";
  if (ratio.interval.high < 1) return "ends at a smaller distance than";
  return "is not told apart from";
}

Shown show_optimizers(const FoundingOptions& options, LabObserver& observer) {
  OptimizersPlan plan;
  if (options.quick)
    plan = {.channels = 16,
            .batch = 16,
            .drawn = 512,
            .rates = {2e-4, 3.2e-3},
            .tuning = {1001},
            .looks = {.every = 5, .count = 2},
            .judged = 64,
            .real = 256};
  const FoundingDigits digits = founding_digits(options.data, plan.drawn, "mlp", plan.channels, plan.batch);
  const FoundingJudge judge = founding_judge(digits, plan.judged, plan.real);
  std::vector<OptimizersArm> arms = optimizers_arms();
  observer.said(message("real digits: {}", digits.source()));
  observer.started(std::ssize(arms) * plan.looks.iterations() *
                       (std::ssize(plan.rates) * std::ssize(plan.tuning) + std::ssize(options.seeds)),
                   0);
  for (OptimizersArm& arm : arms) {
    tune(plan, digits, judge, arm, observer);
    if (observer.stop()) return {};
    fight(plan, digits, judge, options.seeds, arm, observer);
    if (observer.stop()) return {};
  }

  Shown shown;
  FoundingTable tuned{.name = "distance at rate", .columns = {}, .rows = {}};
  for (const double rate : plan.rates) tuned.columns.push_back(shortest(rate));
  FoundingTable best{
      .name = "at its best rate", .columns = {"rate", "distance", "low", "high", "end/least"}, .rows = {}};
  FoundingTable curves{
      .name = "optimizer, seed, number", .columns = plan.looks.names(), .rows = {}, .listed = false};
  std::string at_edge;
  for (const OptimizersArm& arm : arms) {
    tuned.rows.push_back({arm.name, arm.tuned});
    const Estimate end = ratio_of_runs(arm.ends);
    best.rows.push_back({arm.name,
                         {plan.rates[arm.best], end.value, end.interval.low, end.interval.high,
                          ratio_of_runs(arm.losses).value}});
    if (arm.best == 0 || arm.best + 1 == plan.rates.size())
      at_edge += (at_edge.empty() ? "" : "; ") + arm.name;
    for (size_t i = 0; i < arm.runs.size(); ++i) {
      const std::string where = message("{}, seed {}", arm.name, options.seeds[i]);
      const FoundingRun& run = arm.runs[i];
      curves.rows.push_back(
          {where + ", distance", column_of(run.looks, &FoundingLook::distance), run.failure});
      curves.rows.push_back({where + ", D's value", column_of(run.looks, &FoundingLook::value)});
    }
  }

  shown.conclusions = {message(
      "wgan on {}: mlp, {} wide, batch {}, {} iterations of five critic steps; fd-{} of {} samples, floor {} (training "
      "images). Rates were chosen on seeds of their own ({} each), the ends are of others: geometric mean and "
      "Student's 95 % interval, ratios by common seeds.",
      digits.source(), plan.channels, plan.batch, plan.looks.iterations(), judge.judge.name(), plan.judged,
      significant(judge.floor, 3), plan.tuning.size())};
  if (options.seeds.size() < 2)
    shown.conclusions.push_back(
        "One seed gives no interval, and nothing is told apart by it: --seeds 3 or more.");
  if (!at_edge.empty())
    shown.conclusions.push_back(
        message("The best rate is at an end of the grid for {}: a better one may lie beyond.", at_edge));
  const std::string source = "Arjovsky et al. 2017, section 4";
  for (size_t i = 1; i < arms.size(); ++i) {
    const bool momentum = i > 1;
    const Estimate ratio = ratio_of_runs(ratios(arms[0].ends, arms[i].ends));
    best.rows.push_back({message("rmsprop over {}", arms[i].name),
                         {NAN, ratio.value, ratio.interval.low, ratio.interval.high}});
    if (momentum && options.seeds.size() > 1)
      shown.facts.push_back(
          {.what = message("fd-{} of rmsprop over that of {}, high end of the interval: below 1",
                           judge.judge.name(), arms[i].name),
           .expected = 0,
           .found = ratio.interval.high,
           .bound = kOptimizersWorseBound,
           .source = source + ": momentum makes it worse"});
    else if (!momentum)
      shown.facts.push_back(
          {.what = message("fd-{} of rmsprop over that of {}", judge.judge.name(), arms[i].name),
           .expected = 1,
           .found = ratio.value,
           .bound = kOptimizersAlikeBound,
           .source = source + ": it is the momentum, not Adam"});
    if (options.seeds.size() > 1)
      shown.conclusions.push_back(message("rmsprop {} {} (ratio {} to {}).", optimizers_verdict(ratio),
                                          arms[i].name, significant(ratio.interval.low, 3),
                                          significant(ratio.interval.high, 3)));
  }
  for (size_t i = 2; i < arms.size() && options.seeds.size() > 1; ++i) {
    const Estimate ratio = ratio_of_runs(ratios(arms[i].ends, arms[1].ends));
    shown.conclusions.push_back(message("{} {} {} (ratio {} to {}).", arms[i].name, optimizers_verdict(ratio),
                                        arms[1].name, significant(ratio.interval.low, 3),
                                        significant(ratio.interval.high, 3)));
  }
  shown.tables = {tuned, best, curves};
  shown.pictures = {{"curves", optimizers_picture(plan, arms, judge.judge.name())}};
  return shown;
}

}  // namespace

FoundingRow optimizers_row() {
  return {
      .name = "optimizers",
      .title = "Momentum for a clipped critic",
      .claim =
          "Training a WGAN becomes unstable at times when one uses a momentum based optimizer such as Adam (with "
          "beta1 > 0) on the critic; RMSProp does better (Arjovsky et al. 2017, arXiv:1701.07875, section 4).",
      .show = show_optimizers,
      .uses_data = true};
}

}  // namespace duel::gan::lab
