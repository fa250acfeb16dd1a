#include "duel/gan/lab/internal/pictures.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "duel/core/ops/map/movement.h"
#include "duel/gan/picture/plot.h"

namespace duel::gan::lab {
namespace {

constexpr Color kTruth{190, 190, 190}, kPoint{31, 95, 180};

Plot panel(const Mixture& mixture, const std::string& title, int64_t size) {
  const Range range{-mixture.extent, mixture.extent};
  return Plot({.title = title,
               .width = size,
               .height = size,
               .x_range = range,
               .y_range = range,
               .equal_axes = true,
               .grid = false});
}

Canvas cloud(const Mixture& mixture, const Tensor& points, const std::string& title, int64_t size) {
  Plot plot = panel(mixture, title, size);
  std::vector<double> mean_x, mean_y, x, y;
  for (const auto& mean : mixture.means) mean_x.push_back(mean[0]), mean_y.push_back(mean[1]);
  plot.scatter(mean_x, mean_y, {.color = kTruth, .radius = 5});
  const std::vector<double> xy = points.to_vector<double>();
  for (size_t i = 0; i < xy.size(); i += 2) x.push_back(xy[i]), y.push_back(xy[i + 1]);
  plot.scatter(std::move(x), std::move(y), {.color = kPoint, .radius = 0.8, .opacity = 0.5});
  return plot.draw();
}

/// Counts in cells, their square roots as colours: modes of very different weight are all seen.
Canvas density(const Mixture& mixture, const Tensor& points, const std::string& title, int64_t size) {
  constexpr int64_t cells = 80;
  std::vector<double> counts(static_cast<size_t>(cells * cells), 0.0);
  const std::vector<double> xy = points.to_vector<double>();
  const auto cell = [&](double v) { return std::floor((v + mixture.extent) / (2 * mixture.extent) * cells); };
  for (size_t i = 0; i < xy.size(); i += 2) {
    const double column = cell(xy[i]), row = cell(xy[i + 1]);
    if (!(column >= 0 && row >= 0 && column < cells && row < cells)) continue;
    counts[static_cast<size_t>(row) * cells + static_cast<size_t>(column)] += 1;
  }
  for (double& count : counts) count = std::sqrt(count);
  Plot plot = panel(mixture, title, size);
  const Range range{-mixture.extent, mixture.extent};
  plot.heat_map(std::move(counts), cells, cells, range, range);
  return plot.draw();
}

std::vector<Canvas> panels(const Mixture& mixture, const PointRun& run, size_t clouds, int64_t size,
                           bool named) {
  std::vector<Canvas> all;
  const size_t kept = run.snapshot_steps.size();
  for (size_t i = 0; i < clouds; ++i) {
    if (i >= kept) {  // a run that diverged has fewer
      all.emplace_back(size, size);
      continue;
    }
    const auto at = static_cast<int64_t>(i);
    const std::string step = "step " + std::to_string(run.snapshot_steps[i]);
    all.push_back(
        cloud(mixture, rows(run.snapshots, at, at + 1), i == 0 && named ? run.objective : step, size));
  }
  const auto last = static_cast<int64_t>(kept);
  all.push_back(density(mixture, rows(run.snapshots, last - 1, last),
                        run.diverged ? "diverged" : std::to_string(run.score.modes) + " modes", size));
  return all;
}

}  // namespace

Canvas samples_over_time(const Mixture& mixture, const PointRun& run) {
  const size_t clouds = run.snapshot_steps.size();
  return tile(panels(mixture, run, clouds, 280, false), static_cast<int64_t>(clouds) + 1, 4);
}

Canvas overview(const Mixture& mixture, const std::vector<PointRun>& runs) {
  size_t clouds = 0;
  for (const PointRun& run : runs) clouds = std::max(clouds, run.snapshot_steps.size());
  std::vector<Canvas> all;
  for (const PointRun& run : runs) {
    for (Canvas& canvas : panels(mixture, run, clouds, 170, true)) all.push_back(std::move(canvas));
  }
  return tile(all, static_cast<int64_t>(clouds) + 1, 2);
}

Canvas final_points(const Mixture& mixture, const std::vector<PointRun>& runs) {
  std::vector<Canvas> all;
  for (const PointRun& run : runs) {
    const auto last = static_cast<int64_t>(run.snapshot_steps.size());
    const std::string found = run.diverged ? "diverged" : std::to_string(run.score.modes);
    all.push_back(cloud(mixture, rows(run.snapshots, last - 1, last), run.objective + ": " + found, 170));
  }
  return tile(all, 7, 2);
}

Canvas scores_over_time(const Mixture& mixture, const std::vector<PointRun>& runs) {
  struct Curve {
    std::string name;
    std::vector<const PointRun*> runs;
  };
  std::vector<Curve> curves;
  for (const PointRun& run : runs) {
    const auto found =
        std::find_if(curves.begin(), curves.end(), [&](const Curve& c) { return c.name == run.objective; });
    if (found == curves.end()) {
      curves.push_back({run.objective, {&run}});
    } else {
      found->runs.push_back(&run);
    }
  }
  const int64_t points = runs.empty() ? 2500 : runs[0].settings.measured_points;
  struct Measure {
    const char* title;
    double (*value)(const Moment&);
    double truth;
  };
  const std::vector<Measure> measures{
      {"modes", [](const Moment& m) { return static_cast<double>(m.modes); },
       static_cast<double>(mixture.means.size())},
      {"high-quality share", [](const Moment& m) { return m.high_quality; }, true_high_quality()},
      {"reverse KL", [](const Moment& m) { return m.reverse_kl; }, true_reverse_kl(mixture, points)}};
  std::vector<Canvas> all;
  for (const Measure& measure : measures) {
    Plot plot({.title = mixture.name + ": " + measure.title, .x_label = "step", .width = 620, .height = 420});
    for (const Curve& curve : curves) {
      std::vector<double> x, y;
      size_t moments = 0;
      const PointRun* full = curve.runs[0];
      for (const PointRun* run : curve.runs) {
        if (run->history.size() > moments) moments = run->history.size(), full = run;
      }
      for (size_t i = 0; i < moments; ++i) {
        double total = 0;
        for (const PointRun* run : curve.runs)
          total += measure.value(run->history[std::min(i, run->history.size() - 1)]);
        x.push_back(static_cast<double>(full->history[i].step));
        y.push_back(total / static_cast<double>(curve.runs.size()));
      }
      plot.line(std::move(x), std::move(y), {.label = curve.name});
    }
    plot.horizontal(measure.truth, {.label = "true samples", .color = Color{}, .width = 1});
    all.push_back(plot.draw());
  }
  return tile(all, static_cast<int64_t>(all.size()));
}

}  // namespace duel::gan::lab
