// Runs beside each other: the settings in which they differ, what their metrics.jsonl say where all have come to and
// at the end; as a table for a terminal, and as a page in one file with curves laid over each other.
//
// Example:
//   const RunComparison both = read_comparison({"runs/a", "runs/b"});
//   std::fputs(to_table(both).c_str(), stdout);
//   write_comparison("compare.html", both, grids);
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/picture/png.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/gan/record/run_summary.h"

namespace duel::gan {

struct ComparedRun {
  std::string label;                                          // "A", "B", …
  RunSummary summary;                                         // never a damaged one
  std::vector<std::pair<std::string, std::string>> settings;  // of config.json
  MetricsLog log;                                             // of metrics.jsonl
};

/// A row with a value for each run, in their order.
struct ComparedSetting {
  std::string name;
  std::vector<std::string> values;  // "-" where a run has none
};
struct ComparedMeasure {
  std::string key;
  double iteration = 0;        // the last one at which every run has a value; 0 at the end of each
  std::vector<double> values;  // NaN where a run has none
};

struct RunComparison {
  std::vector<ComparedRun> runs;
  std::vector<ComparedSetting> settings;           // those that differ
  std::vector<ComparedMeasure> common, last = {};  // curves of every run; of any run, at its end
};

/// Of two to ten run directories, all different. Error naming what is none, is damaged, or has no metrics yet.
RunComparison read_comparison(const std::vector<std::filesystem::path>& directories);

/// For people, at most 80 columns.
std::string to_table(const RunComparison& comparison);

/// A run's samples, or why there are none; `caption` is told below.
struct ComparedGrid {
  Picture grid = {};  // no pixels: none
  std::string caption = "";
};

/// Writes the page atomically: settings, a diagram for each curve that at least two runs have, and the grids, one for
/// each run. Nothing in it refers to another file.
void write_comparison(const std::filesystem::path& file, const RunComparison& comparison,
                      const std::vector<ComparedGrid>& grids);

}  // namespace duel::gan
