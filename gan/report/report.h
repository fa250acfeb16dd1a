// report.html: one file that shows a run to anybody with a browser. Samples over time with a slider, walks
// between latents, diagrams, warnings, configuration, machine, checkpoints and the commands to go on. No
// network, no server: every picture is inside.
//
// Limits: of many sample grids at most 120, evenly thinned, and no more than 2.5 MB; the first and the last
// stay.
//
// Example:
//   const RunCurves curves = read_run_curves("runs/a");
//   write_report("runs/a", curves.log, write_run_plots("runs/a", curves), draw_walks(trainer));
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/picture/png.h"
#include "duel/gan/report/run_plots.h"
#include "duel/gan/train/trainer.h"

namespace duel::gan {

/// Rows that walk between latents, always the same ones.
struct Walks {
  Picture grid;
  int64_t iteration = 0;
};
Walks draw_walks(Trainer& trainer);

/// Reads samples, settings and record of a run directory (what is missing is left out), writes report.html
/// there atomically and returns its path.
std::filesystem::path write_report(const std::filesystem::path& directory, const MetricsLog& log,
                                   const std::vector<RunPlotFile>& plots, const std::optional<Walks>& walks);

/// What a person should look at, one sentence each, as the rows of measures.h say; empty for a run that looks
/// well.
std::vector<std::string> run_warnings(const MetricsLog& log);

/// With &, <, > and quotes as character references.
std::string html_text(const std::string& text);
/// RFC 4648, with padding.
std::string base64(const std::string& bytes);

}  // namespace duel::gan
