// Batch norm in G and D or none, under two losses: which of the four draws digits?
#include <algorithm>
#include <cmath>

#include "duel/gan/lab/founding.h"
#include "duel/gan/lab/founding/over_seeds.h"
#include "duel/gan/lab/internal/founding_digits.h"
#include "duel/gan/lab/internal/founding_rows.h"
#include "duel/gan/picture/plot.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

// Bounds, set before the first run. The claim's "fails" is taken as a distance that at least doubles.
constexpr double kNormsFactor = 2;

struct NormsPlan {
  int64_t channels = 8, batch = 64, drawn = 60000;
  FoundingLooks looks = {.every = 150, .count = 6};
  int64_t judged = 2048, real = 10000;
};

const std::vector<std::string> kNormsLosses = {"ns-gan", "wgan"};
const std::vector<Norm> kNormsNorms = {Norm::batch, Norm::none};

/// One cell of the two by two: its runs, and the distances that they end at (NaN of one that left the finite numbers).
struct NormsCell {
  std::string title;
  std::vector<FoundingRun> runs = {};
  std::vector<double> ends = {};
  Picture digits = {};  // of the first seed
};

std::string norms_title(const std::string& objective, Norm norm) {
  return message("{}, {}", objective, norm == Norm::batch ? "batch norm" : "no norm");
}

NormsCell norms_cell(const NormsPlan& plan, const FoundingDigits& digits, const FoundingJudge& judge,
                     const std::string& objective, Norm norm, const std::vector<uint64_t>& seeds,
                     LabObserver& observer) {
  NormsCell cell{.title = norms_title(objective, norm)};
  for (const uint64_t seed : seeds) {
    const auto trainer = founding_trainer(digits, objective, seed, {.norm = norm});
    cell.runs.push_back(founding_run(*trainer, judge, plan.looks, seed, observer));
    if (observer.stop()) return cell;
    const FoundingRun& run = cell.runs.back();
    cell.ends.push_back(run.failure.empty() ? run.looks.back().distance : NAN);
    if (cell.runs.size() == 1) cell.digits = founding_samples(*trainer, 32, seed);
  }
  observer.said(message("{}: {}", cell.title, significant(ratio_of_runs(cell.ends).value, 4)));
  return cell;
}

Canvas norms_panel(const NormsCell& cell) {
  constexpr int64_t kScale = 2, kHeader = 24;
  Canvas canvas(cell.digits.width * kScale, kHeader + cell.digits.height * kScale);
  canvas.text(0, 8, message("{}: distance {}", cell.title, significant(cell.ends.front(), 4)), {0, 0, 0});
  for (int64_t y = 0; y < cell.digits.height; ++y) {
    for (int64_t x = 0; x < cell.digits.width; ++x) {
      const uint8_t v = cell.digits.pixels[static_cast<size_t>(y * cell.digits.width + x)];
      canvas.rectangle(x * kScale, kHeader + y * kScale, kScale, kScale, {v, v, v});
    }
  }
  return canvas;
}

Canvas norms_curves(const std::vector<NormsCell>& cells, const std::string& judge) {
  Plot plot({.title = "distance along training, every seed",
             .x_label = "iteration",
             .y_label = "fd-" + judge,
             .width = 800,
             .log_y = true});
  for (size_t i = 0; i < cells.size(); ++i) {
    bool first = true;
    for (const FoundingRun& run : cells[i].runs) {
      plot.line(column_of(run.looks, &FoundingLook::iteration), column_of(run.looks, &FoundingLook::distance),
                {.label = first ? cells[i].title : "", .color = series_color(i)});
      first = false;
    }
  }
  return plot.draw();
}

Shown show_norms(const FoundingOptions& options, LabObserver& observer) {
  NormsPlan plan;
  if (options.quick)
    plan = {.channels = 4,
            .batch = 16,
            .drawn = 512,
            .looks = {.every = 5, .count = 2},
            .judged = 64,
            .real = 256};
  const FoundingDigits digits = founding_digits(options.data, plan.drawn, "dcgan", plan.channels, plan.batch);
  const FoundingJudge judge = founding_judge(digits, plan.judged, plan.real);
  observer.said(message("real digits: {}", digits.source()));
  observer.started(std::ssize(options.seeds) * 4 * plan.looks.iterations(), 0);
  std::vector<NormsCell> cells;
  for (const std::string& objective : kNormsLosses) {
    for (const Norm norm : kNormsNorms) {
      cells.push_back(norms_cell(plan, digits, judge, objective, norm, options.seeds, observer));
      if (observer.stop()) return {};
    }
  }

  Shown shown;
  FoundingTable table{.name = "cell", .columns = {"distance", "low", "high"}, .rows = {}};
  FoundingTable curves{
      .name = "cell, seed, number", .columns = plan.looks.names(), .rows = {}, .listed = false};
  std::vector<Canvas> panels;
  for (const NormsCell& cell : cells) {
    const Estimate mean = ratio_of_runs(cell.ends);
    table.rows.push_back({cell.title, {mean.value, mean.interval.low, mean.interval.high}});
    for (size_t i = 0; i < cell.runs.size(); ++i) {
      const std::string where = message("{}, seed {}", cell.title, options.seeds[i]);
      curves.rows.push_back({where + ", distance", column_of(cell.runs[i].looks, &FoundingLook::distance),
                             cell.runs[i].failure});
      curves.rows.push_back({where + ", D's value", column_of(cell.runs[i].looks, &FoundingLook::value)});
    }
    panels.push_back(norms_panel(cell));
  }
  // What leaving batch norm out does to the distance, by seeds.
  std::vector<std::vector<double>> factors;
  for (size_t loss = 0; loss < kNormsLosses.size(); ++loss) {
    factors.push_back(ratios(cells[2 * loss + 1].ends, cells[2 * loss].ends));
    const Estimate factor = ratio_of_runs(factors.back());
    table.rows.push_back({message("{}: no norm over batch norm", kNormsLosses[loss]),
                          {factor.value, factor.interval.low, factor.interval.high}});
  }
  const Estimate between = ratio_of_runs(ratios(factors[0], factors[1]));
  table.rows.push_back(
      {"that of ns-gan over that of wgan", {between.value, between.interval.low, between.interval.high}});

  const std::string source = "Arjovsky et al. 2017, section 4.3, figure 6";
  shown.facts = {
      {.what = message("ns-gan: fd-{} with batch norm over without: at most 1/2", judge.judge.name()),
       .expected = 0,
       .found = 1 / ratio_of_runs(factors[0]).value,
       .bound = 1 / kNormsFactor,
       .source = source},
      {.what = message("wgan: fd-{} without batch norm over with: at most 2", judge.judge.name()),
       .expected = 1,
       .found = ratio_of_runs(factors[1]).value,
       .bound = kNormsFactor - 1,
       .source = source}};
  shown.pictures = {{"digits", tile(panels, 2)}, {"curves", norms_curves(cells, judge.judge.name())}};
  shown.tables = {table, curves};
  shown.conclusions = {message(
      "fd-{} of {} samples after {} iterations of dcgan, {} wide, batch {}, floor {} (training images): geometric "
      "mean and Student's 95 % interval over seeds; factors by common seeds. Real digits are {}.",
      judge.judge.name(), plan.judged, plan.looks.iterations(), plan.channels, plan.batch,
      significant(judge.floor, 3), digits.source())};
  if (options.seeds.size() < 2) {
    shown.conclusions.push_back(
        "One seed gives no interval, and nothing is told apart by it: --seeds 3 or more.");
    return shown;
  }
  for (size_t loss = 0; loss < kNormsLosses.size(); ++loss) {
    const Interval range = ratio_of_runs(factors[loss]).interval;
    const char* verdict = range.low > 1    ? "leaving batch norm out makes the distance larger"
                          : range.high < 1 ? "leaving batch norm out makes the distance smaller"
                                           : "with and without batch norm are not told apart";
    shown.conclusions.push_back(message("{}: {} (factor {} to {}).", kNormsLosses[loss], verdict,
                                        significant(range.low, 3), significant(range.high, 3)));
  }
  shown.conclusions.push_back(message("The factor of ns-gan {} that of wgan ({} to {} times as large).",
                                      between.interval.low > 1    ? "is above"
                                      : between.interval.high < 1 ? "is below"
                                                                  : "is not told apart from",
                                      significant(between.interval.low, 3),
                                      significant(between.interval.high, 3)));
  return shown;
}

}  // namespace

FoundingRow norms_row() {
  return {
      .name = "norms",
      .title = "Batch norm or none, under two losses",
      .claim =
          "A DCGAN without batch norm fails under the usual loss and draws under the Wasserstein loss (Arjovsky et "
          "al. 2017, arXiv:1701.07875, section 4.3).",
      .show = show_norms,
      .uses_data = true};
}

}  // namespace duel::gan::lab
