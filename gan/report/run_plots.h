// The diagrams of a run, from its curves: `duel plot RUNDIR` reads them, a run that draws itself has them.
//
// Which there are, and what they show, is said by the rows of measures.h. Only what the log holds is drawn: without looks inside (--diagnose-every 0) the losses, logits and norms
// are left.
//
// Example:
//   for (const RunPlot& plot : run_plots(parse_metrics(text), {.clip = 0.01})) write_png(plot.name + ".png", plot.picture());
//   write_run_plots("runs/a", read_run_curves("runs/a"));     // runs/a/diagnostics/*.png
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/picture/plot.h"
#include "duel/gan/record/metrics_log.h"
#include "duel/gan/record/run_config.h"
#include "duel/gan/train/measures.h"

namespace duel::gan {

struct RunPlot {
  std::string name;     // of the file, without ".png"
  std::string caption;  // what is seen, and what healthy and sick look like; one line
  Plot plot;
  Canvas picture() const { return plot.draw(); }
};

std::vector<RunPlot> run_plots(const MetricsLog& log, const PlotHints& hints = {});

struct RunPlotFile {
  std::filesystem::path file;
  std::string caption;
};

/// What a run's diagrams are drawn from.
struct RunCurves {
  MetricsLog log = {};
  PlotHints hints = {};
};
/// From metrics.jsonl, timing.jsonl and config.json of a run directory. Error where the first cannot be read.
RunCurves read_run_curves(const std::filesystem::path& directory);
PlotHints plot_hints(const RunConfig& config);

/// Writes diagnostics/*.png into a run directory (each atomically) and returns the files. Error where there
/// is nothing to draw.
std::vector<RunPlotFile> write_run_plots(const std::filesystem::path& directory, const RunCurves& curves);

}  // namespace duel::gan
