// The rows of measures() as diagrams: those that name the same one share it.
#include "duel/gan/report/run_plots.h"

#include <algorithm>
#include <cmath>

#include "duel/gan/objective/composition.h"
#include "duel/gan/train/measures/caption.h"
#include "duel/gan/train/run_files.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

using Form = MeasurePlot::Form;
using When = MeasurePlot::When;

constexpr Color kColors[] = {{31, 119, 180}, {214, 39, 40}, {44, 160, 44}}, kGray{120, 120, 120};

Color color_of(const Measure& row, size_t key) {
  const int chosen = row.keys[key].color;
  return kColors[chosen >= 0 ? static_cast<size_t>(chosen) : key % std::size(kColors)];
}

/// Of a size whose letters can be read where a report shows them at half their width.
PlotOptions options_of(const MeasurePlot& plot) {
  return {.title = plot.title,
          .x_label = plot.x_label,
          .y_label = plot.y_label,
          .width = 880,
          .height = 580,
          .log_y = plot.log_y,
          .y_range = plot.y_range,
          .text_scale = 2};
}

/// Adds what the log holds of a row; false where that is nothing.
bool add_curves(Plot& plot, const MetricsLog& log, const Measure& row) {
  bool any = false;
  for (size_t i = 0; i < row.keys.size(); ++i) {
    const MeasureKey& key = row.keys[i];
    for (const auto& [name, curve] : log.group(key.name)) {
      plot.line(curve->x, curve->y, {.label = key.label + name});
      any = true;
    }
    const Curve* curve = log.curve(key.name);
    if (!curve || key.label.empty()) continue;
    if (row.plot.when == When::unless_zero &&
        std::all_of(curve->y.begin(), curve->y.end(), [](double v) { return v == 0; }))
      continue;
    plot.line(curve->x, curve->y, {.label = key.label, .color = color_of(row, i)});
    any = true;
  }
  return any;
}

bool add_counts(Plot& plot, const Histogram& h, SeriesStyle style) {
  double total = 0;
  for (const int64_t count : h.counts) total += static_cast<double>(count);
  if (h.counts.empty() || total == 0) return false;
  const double margin = h.high > h.low ? 0.0 : 0.5 * std::max(1.0, std::abs(h.low));  // all values equal
  const double low = h.low - margin, width = (h.high + margin - low) / static_cast<double>(h.counts.size());
  std::vector<double> edges, shares;
  for (size_t i = 0; i <= h.counts.size(); ++i) edges.push_back(low + width * static_cast<double>(i));
  for (const int64_t count : h.counts) shares.push_back(static_cast<double>(count) / total);
  plot.steps(std::move(edges), std::move(shares), std::move(style));
  return true;
}

bool add_last_counts(Plot& plot, const MetricsLog& log, const Measure& row) {
  bool any = false;
  for (size_t i = 0; i < row.keys.size(); ++i) {
    if (const auto* last = log.last_histogram(row.keys[i].name)) {
      any |= add_counts(plot, last->second, {.label = row.keys[i].label, .color = color_of(row, i)});
    }
  }
  return any;
}

/// "2" of "2.weight": a weight is named by its layer.
std::string layer_of(const std::string& name) {
  const size_t end = name.rfind(".weight");
  return end == std::string::npos || end == 0 ? name : name.substr(0, end);
}

/// The members of a profile. Biases are left out: before a normalisation their gradient is zero, and the
/// curve would fall into a hole.
std::vector<std::pair<std::string, const Curve*>> profiled(const MetricsLog& log, const Measure& row) {
  auto members = log.group(row.keys[0].name);
  std::erase_if(members, [](const auto& member) { return member.first.ends_with("bias"); });
  return members;
}

bool add_profile(Plot& plot, const MetricsLog& log, const Measure& row) {
  const auto members = profiled(log, row);
  if (members.empty()) return false;
  const size_t looks = members[0].second->x.size();
  std::vector<size_t> shown{0, looks / 2, looks - 1};
  shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
  for (const size_t look : shown) {
    std::vector<double> place, value;
    for (size_t i = 0; i < members.size(); ++i) {
      if (look >= members[i].second->y.size()) continue;
      place.push_back(static_cast<double>(i));
      value.push_back(members[i].second->y[look]);
    }
    const SeriesStyle style{.label = tick_label(members[0].second->x[look]),
                            .color = series_color(look == shown[0]       ? 0
                                                  : look == shown.back() ? 3
                                                                         : 2)};
    plot.line(place, value, style);
    plot.scatter(place, value, {.color = style.color, .radius = 3});
  }
  return true;
}

bool add_row(Plot& plot, const MetricsLog& log, const Measure& row, const PlotHints& hints) {
  const Form form = row.plot.form;
  const bool any = form == Form::curves    ? add_curves(plot, log, row)
                   : form == Form::profile ? add_profile(plot, log, row)
                                           : add_last_counts(plot, log, row);
  if (!any) return false;
  for (const PlotGuide& guide : row.plot.guides) {
    const std::optional<double> at = guide.at(hints);
    const SeriesStyle style{.label = guide.label, .color = kGray};
    if (at) guide.vertical ? plot.vertical(*at, style) : plot.horizontal(*at, style);
  }
  return true;
}

/// The rows of each diagram, in order.
std::vector<std::vector<const Measure*>> diagrams() {
  std::vector<const Measure*> drawn;
  for (const Measure& row : measures()) {
    if (!row.plot.diagram.empty()) drawn.push_back(&row);
  }
  std::stable_sort(drawn.begin(), drawn.end(),
                   [](const Measure* a, const Measure* b) { return a->plot.order < b->plot.order; });
  std::vector<std::vector<const Measure*>> all;
  for (const Measure* row : drawn) {
    const auto same = std::find_if(
        all.begin(), all.end(), [&](const auto& rows) { return rows[0]->plot.diagram == row->plot.diagram; });
    same == all.end() ? all.push_back({row}) : same->push_back(row);
  }
  return all;
}

std::optional<RunPlot> drawn(const std::vector<const Measure*>& rows, const MetricsLog& log,
                             const PlotHints& hints) {
  PlotOptions options = options_of(rows[0]->plot);
  if (rows[0]->plot.form == Form::profile) {
    for (const auto& [name, curve] : profiled(log, *rows[0])) options.x_names.push_back(layer_of(name));
  }
  if (const auto* last = log.last_histogram(rows[0]->keys[0].name);
      last && rows[0]->plot.form == Form::counts)
    options.title += " at iteration " + tick_label(last->first);
  Plot plot(options);
  std::vector<const Measure*> seen;
  for (const Measure* row : rows) {
    if (row->plot.when == When::alone && !seen.empty()) continue;
    if (add_row(plot, log, *row, hints)) seen.push_back(row);
  }
  if (seen.empty()) return std::nullopt;
  return RunPlot{rows[0]->plot.diagram, measure_caption(rows[0]->plot.caption, seen), std::move(plot)};
}

}  // namespace

std::vector<RunPlot> run_plots(const MetricsLog& log, const PlotHints& hints) {
  std::vector<RunPlot> plots;
  for (const auto& rows : diagrams()) {
    if (auto plot = drawn(rows, log, hints)) plots.push_back(std::move(*plot));
  }
  return plots;
}

RunCurves read_run_curves(const std::filesystem::path& directory) {
  std::error_code why;
  DUEL_CHECK(std::filesystem::is_directory(directory, why), "plot",
             "{}: no such folder; expected the run directory of duel train", directory.string());
  RunCurves curves;
  const RunFiles files(directory);
  if (std::filesystem::exists(files.config(), why))
    curves.hints = plot_hints(read_run_config(files.config()));
  curves.log.add_file(files.metrics());
  if (std::filesystem::exists(files.timing(), why)) curves.log.add_file(files.timing());
  return curves;
}

PlotHints plot_hints(const RunConfig& config) {
  const ObjectiveOverrides& o = config.overrides;
  PlotHints hints;
  // gradients of no length: no line on a logarithmic axis
  if (o.has("k") && o.number("k") > 0) hints.k = o.number("k");
  if (o.has("clip")) hints.clip = o.number("clip");
  // or where an axis says it
  if (o.has("penalties") || o.has("constraint")) {
    Objective parts;
    for (const char* axis : {"penalties", "constraint"}) {
      if (o.has(axis)) find_axis(axis)->put("plot", parts, o.text(axis));
    }
    if (!parts.penalties.empty() && parts.penalties[0].shape.k > 0) hints.k = parts.penalties[0].shape.k;
    if (parts.constraint.weight_clip > 0) hints.clip = parts.constraint.weight_clip;
  }
  return hints;
}

std::vector<RunPlotFile> write_run_plots(const std::filesystem::path& directory, const RunCurves& curves) {
  const std::vector<RunPlot> plots = run_plots(curves.log, curves.hints);
  DUEL_CHECK(!plots.empty(), "plot", "{}: its metrics.jsonl holds no line to draw", directory.string());
  std::error_code why;
  const std::filesystem::path folder = RunFiles(directory).diagnostics();
  std::filesystem::create_directories(folder, why);
  if (why) fail_system(why.value(), "plot", "{}: cannot be created: {}", folder.string(), why.message());
  std::vector<RunPlotFile> files;
  for (const RunPlot& plot : plots) {
    files.push_back({folder / (plot.name + ".png"), plot.caption});
    write_png(files.back().file, plot.picture());
  }
  return files;
}

}  // namespace duel::gan
