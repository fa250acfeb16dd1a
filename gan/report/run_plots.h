// The diagrams of a run, from its metrics.jsonl: `duel plot RUNDIR`, and what a run draws of itself.
//
// Only what the log holds is drawn: without looks inside (--diagnose-every 0) the losses, logits and norms
// are left.
//
// Example:
//   for (const RunPlot& plot : run_plots(parse_metrics(text), {.clip = 0.01})) write_png(plot.name + ".png", plot.picture);
//   write_run_plots("runs/a");     // runs/a/diagnostics/*.png
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/picture/plot.h"
#include "duel/gan/record/metrics_log.h"

namespace duel::gan {

/// What the objective promises, drawn as dotted lines.
struct PlotHints {
  std::optional<double> k = {};     // the gradient norm that a penalty aims at
  std::optional<double> clip = {};  // the bound of D's weights
};

struct RunPlot {
  std::string name;     // of the file, without ".png"
  std::string caption;  // what is seen, and what healthy and sick look like; one line
  Canvas picture;
};

std::vector<RunPlot> run_plots(const MetricsLog& log, const PlotHints& hints = {});

struct RunPlotFile {
  std::filesystem::path file;
  std::string caption;
};

/// Reads metrics.jsonl, timing.jsonl and config.json of a run directory, writes diagnostics/*.png there (each
/// atomically) and returns the files. Error where there is no metrics.jsonl, or nothing in it to draw.
std::vector<RunPlotFile> write_run_plots(const std::filesystem::path& directory);

}  // namespace duel::gan
