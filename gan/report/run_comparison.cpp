#include "duel/gan/report/run_comparison.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "duel/core/io/atomic_file.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/gan/picture/plot.h"
#include "duel/gan/record/internal/run_record.h"
#include "duel/gan/record/internal/text_table.h"
#include "duel/gan/report/internal/caption.h"
#include "duel/gan/report/internal/diagram.h"
#include "duel/gan/report/internal/html.h"
#include "duel/gan/report/report.h"
#include "duel/gan/train/measures.h"
#include "duel/gan/train/measures/caption.h"
#include "duel/gan/train/run_files.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

constexpr const char* kCompareOp = "compare";
constexpr size_t kMostRuns = 10;            // colours that are told apart
constexpr size_t kRunsBesideEachOther = 4;  // in a terminal

ComparedRun read_run(const fs::path& directory, size_t number) {
  std::error_code ignored;
  const std::string name = directory.string();
  DUEL_CHECK(fs::is_directory(directory, ignored), kCompareOp,
             "{}: no such folder; expected the run directory of duel train", name);
  DUEL_CHECK(is_run_directory(directory), kCompareOp,
             "{}: is no run directory of duel train: it has no config.json and metrics.jsonl", name);
  ComparedRun run{.label = std::string(1, static_cast<char>('A' + number)),
                  .summary = run_summary(directory),
                  .settings = {},
                  .log = {}};
  DUEL_CHECK(run.summary.state != RunSummary::State::damaged, kCompareOp, "{}", run.summary.problem);
  const RunFiles files(directory);
  run.settings = json_table(
      read_file(kCompareOp, files.config(), size_t{1} << 20, "the config.json of a run directory"));
  DUEL_CHECK(fs::exists(files.metrics(), ignored), kCompareOp,
             "{}: is not there yet; compare runs that have trained", files.metrics().string());
  run.log.add_file(files.metrics());
  DUEL_CHECK(!run.log.empty(), kCompareOp, "{}: holds no line yet; compare runs that have trained",
             files.metrics().string());
  return run;
}

std::vector<ComparedSetting> differing(const std::vector<ComparedRun>& runs) {
  std::vector<ComparedSetting> rows;
  for (size_t r = 0; r < runs.size(); ++r) {
    for (const auto& [name, value] : runs[r].settings) {
      auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& each) { return each.name == name; });
      if (row == rows.end()) row = rows.insert(rows.end(), {name, Texts(runs.size(), "-")});
      row->values[r] = value;
    }
  }
  std::erase_if(rows, [](const ComparedSetting& row) {
    return std::adjacent_find(row.values.begin(), row.values.end(), std::not_equal_to<>()) ==
           row.values.end();
  });
  return rows;
}

/// Of all runs, in the order in which they appear; `epoch` only says the iteration again.
Texts keys_of(const std::vector<ComparedRun>& runs) {
  Texts keys;
  for (const ComparedRun& run : runs) {
    for (const std::string& key : run.log.keys()) {
      if (key != "epoch" && std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  return keys;
}

/// Values of layers and weights: too many for a table.
bool of_a_layer(const std::string& key) {
  const Measure* row = measure_of_curve(key);
  return key.find('/') != std::string::npos && row && row->of_look;
}

/// For people: "fd-mnist-v1" of "distances/fd-mnist-v1", what a judge said.
std::string name_of_measure(const std::string& key) {
  const Measure* row = measure_of_curve(key);
  return row && row->keys[0].member == "MEASURE-JUDGE" ? key.substr(key.find('/') + 1) : key;
}

std::vector<const Curve*> curves_of(const std::vector<ComparedRun>& runs, const std::string& key) {
  std::vector<const Curve*> curves;
  for (const ComparedRun& run : runs) curves.push_back(run.log.curve(key));
  return curves;
}

/// The last value at or before an iteration at which all have one.
std::optional<ComparedMeasure> common_of(const std::vector<ComparedRun>& runs, const std::string& key) {
  const std::vector<const Curve*> curves = curves_of(runs, key);
  if (std::find(curves.begin(), curves.end(), nullptr) != curves.end()) return std::nullopt;
  std::vector<double> shared = curves[0]->x;
  for (const Curve* curve : curves) {
    std::vector<double> both;
    std::set_intersection(shared.begin(), shared.end(), curve->x.begin(), curve->x.end(),
                          std::back_inserter(both));
    shared = std::move(both);
  }
  if (shared.empty()) return std::nullopt;
  ComparedMeasure row{.key = key, .iteration = shared.back(), .values = {}};
  for (const Curve* curve : curves) {
    const auto at = std::lower_bound(curve->x.begin(), curve->x.end(), row.iteration) - curve->x.begin();
    row.values.push_back(curve->y[static_cast<size_t>(at)]);
  }
  return row;
}

ComparedMeasure last_of(const std::vector<ComparedRun>& runs, const std::string& key) {
  ComparedMeasure row{.key = key, .values = {}};
  for (const Curve* curve : curves_of(runs, key))
    row.values.push_back(curve ? curve->y.back() : std::numeric_limits<double>::quiet_NaN());
  return row;
}

std::string state_text(const RunSummary& run) {
  return message("{} with {}, iteration {} of {}, {}", run.objective, run.arch, run.iteration, run.total,
                 to_text(run.state));
}

/// Some columns of values, blocks of a few runs below each other; `head` names the rows.
std::string blocks(const std::vector<ComparedRun>& runs, const Texts& head,
                   const std::vector<std::pair<Texts, Texts>>& rows) {
  std::string text;
  for (size_t begin = 0; begin < runs.size(); begin += kRunsBesideEachOther) {
    const size_t end = std::min(begin + kRunsBesideEachOther, runs.size());
    std::vector<detail::TextColumn> columns;
    for (const std::string& each : head) columns.push_back({each, true});
    for (size_t r = begin; r < end; ++r) columns.push_back({runs[r].label, true});
    std::vector<Texts> part;
    for (const auto& [names, values] : rows) {
      part.push_back(names);
      part.back().insert(part.back().end(), values.begin() + static_cast<std::ptrdiff_t>(begin),
                         values.begin() + static_cast<std::ptrdiff_t>(end));
    }
    for (const std::string& line : detail::text_table(columns, part)) text += line + "\n";
    if (end < runs.size()) text += "\n";
  }
  return text;
}

Texts numbers(const std::vector<double>& values) {
  Texts texts;
  for (const double value : values) texts.push_back(detail::number_text(value));
  return texts;
}

// ---- The page ---------------------------------------------------------------------------------------------

/// One diagram with a line for each run that has the curve; nothing where fewer than two have.
std::string diagram(const std::vector<ComparedRun>& runs, const std::string& key) {
  const Measure* row = measure_of_curve(key);
  const bool curves = row && row->plot.form == MeasurePlot::Form::curves;
  Plot plot({.title = name_of_measure(key),
             .x_label = "iteration",
             .log_y = curves && row->plot.log_y,
             .y_range = curves ? row->plot.y_range : std::nullopt});
  size_t found = 0;
  bool zero = true;  // in all of them: nothing to see (a penalty that is not there)
  for (size_t r = 0; r < runs.size(); ++r) {
    const Curve* curve = runs[r].log.curve(key);
    if (!curve || std::none_of(curve->y.begin(), curve->y.end(), [](double v) { return std::isfinite(v); }))
      continue;
    ++found;
    zero = zero && std::all_of(curve->y.begin(), curve->y.end(), [](double v) { return v == 0; });
    plot.line(curve->x, curve->y, {.label = runs[r].label, .color = series_color(r)});
  }
  if (found < 2 || (zero && row && row->plot.when == MeasurePlot::When::unless_zero)) return {};
  return detail::diagram("plot-" + key, plot,
                         row ? detail::caption_html(measure_caption(*row)) : std::string());
}

std::vector<Texts> setting_rows(const RunComparison& c) {
  std::vector<Texts> rows;
  for (const ComparedSetting& setting : c.settings) {
    rows.push_back({setting.name});
    rows.back().insert(rows.back().end(), setting.values.begin(), setting.values.end());
  }
  return rows;
}

}  // namespace

RunComparison read_comparison(const std::vector<fs::path>& directories) {
  DUEL_CHECK(directories.size() >= 2 && directories.size() <= kMostRuns, kCompareOp,
             "RUN: expected 2 to {} run directories, got {}", kMostRuns, directories.size());
  for (size_t i = 0; i < directories.size(); ++i) {
    std::error_code ignored;
    for (size_t k = 0; k < i; ++k)
      DUEL_CHECK(!fs::equivalent(directories[i], directories[k], ignored), kCompareOp,
                 "RUN: {} and {} are the same run", directories[k].string(), directories[i].string());
  }
  RunComparison comparison;
  for (const fs::path& directory : directories)
    comparison.runs.push_back(read_run(directory, comparison.runs.size()));
  const std::vector<ComparedRun>& runs = comparison.runs;
  comparison.settings = differing(runs);
  for (const std::string& key : keys_of(runs)) {
    if (of_a_layer(key)) continue;
    if (auto row = common_of(runs, key)) comparison.common.push_back(std::move(*row));
    comparison.last.push_back(last_of(runs, key));
  }
  return comparison;
}

std::string to_table(const RunComparison& c) {
  std::string text;
  for (const ComparedRun& run : c.runs) {
    text +=
        detail::cut_text(run.label + "  " + visible(run.summary.directory.string()), detail::kTableWidth) +
        "\n";
    for (const std::string& line : detail::text_lines(state_text(run.summary), 3)) text += line + "\n";
  }
  std::vector<std::pair<Texts, Texts>> rows;
  for (const ComparedSetting& setting : c.settings) rows.push_back({{setting.name}, setting.values});
  text += "\n" + (rows.empty() ? "no setting differs\n" : blocks(c.runs, {"setting"}, rows));

  rows.clear();
  for (const ComparedMeasure& row : c.common)
    rows.push_back({{name_of_measure(row.key), detail::number_text(row.iteration)}, numbers(row.values)});
  text += "\nwhere all have been\n" + (rows.empty() ? "no iteration that all have logged\n"
                                                    : blocks(c.runs, {"measure", "iteration"}, rows));

  rows = {{{"iteration"}, {}}};
  for (const ComparedRun& run : c.runs) rows[0].second.push_back(detail::number_text(run.log.iteration()));
  for (const ComparedMeasure& row : c.last) rows.push_back({{name_of_measure(row.key)}, numbers(row.values)});
  return text + "\nin the last line of each one's metrics\n" + blocks(c.runs, {"measure"}, rows);
}

void write_comparison(const fs::path& file, const RunComparison& c, const std::vector<ComparedGrid>& grids) {
  DUEL_CHECK(grids.size() == c.runs.size(), kCompareOp, "grids: expected one for each of {} runs, got {}",
             c.runs.size(), grids.size());
  std::string title;
  Texts heads{""};
  std::vector<Texts> about;
  for (const ComparedRun& run : c.runs) {
    const RunSummary& s = run.summary;
    title += (title.empty() ? "" : ", ") + s.directory.filename().string();
    heads.push_back(run.label);
    about.push_back({run.label, s.directory.string(), s.objective, s.arch,
                     message("{} of {}", s.iteration, s.total), to_text(s.state), s.started});
  }
  std::string html = detail::page_begin("compared: " + title);
  html += "<h1>Runs compared</h1>\n" +
          detail::scrolling(
              "the runs",
              detail::table({"", "run", "objective", "network", "iteration", "state", "started"}, about));
  html += "<h2>Settings that differ</h2>\n";
  html += c.settings.empty()
              ? std::string("<p>None.</p>\n")
              : detail::scrolling("settings that differ", detail::table(heads, setting_rows(c)));

  html += "<h2>Samples</h2>\n<div class=\"grids\">\n";
  for (size_t r = 0; r < c.runs.size(); ++r) {
    const std::string caption = "<strong>" + c.runs[r].label + "</strong> " + html_text(grids[r].caption);
    html += grids[r].grid.pixels.empty()
                ? "<p>" + caption + "</p>\n"
                : detail::figure("samples of " + c.runs[r].label, detail::png_uri(grids[r].grid), caption);
  }
  html += "</div>\n<h2>Curves</h2>\n" + detail::diagram_switches(nullptr) + "<div class=\"plots\">\n";
  std::string layers;
  for (const std::string& key : keys_of(c.runs)) (of_a_layer(key) ? layers : html) += diagram(c.runs, key);
  html += "</div>\n";
  if (!layers.empty())
    html +=
        "<details><summary>Layer by layer</summary>\n<div class=\"plots\">\n" + layers + "</div></details>\n";

  std::vector<Texts> rows;
  for (const ComparedMeasure& row : c.last) {
    rows.push_back({name_of_measure(row.key)});
    const Texts values = numbers(row.values);
    rows.back().insert(rows.back().end(), values.begin(), values.end());
  }
  html += "<h2>At the end</h2>\n" + detail::scrolling("measures at the end", detail::table(heads, rows)) +
          detail::page_end_with_script();
  write_file_atomically(file, html);
}

}  // namespace duel::gan
