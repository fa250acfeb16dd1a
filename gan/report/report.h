// report.html: one file that shows a run to anybody with a browser. Samples over time with a slider, walks between
// latents, generated images beside the training images nearest to them, diagrams, warnings, configuration, machine,
// checkpoints and the commands to go on. No network, no server: every picture is inside.
//
// While its run goes on the page loads itself anew; the last one, which the run writes as it ends, does not. It works
// without scripts too, with less: diagrams stand still, and of the samples the last ones are shown.
//
// Limits: at most 3 MB. Of many sample grids at most 120, evenly thinned to what fits; the first and the last stay. A
// picture that does not fit by itself is named instead.
//
// Example:
//   const RunCurves curves = read_run_curves("runs/a");
//   write_report("runs/a", curves, {.walks = draw_walks(trainer), .running = true});
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

/// The first eight images of `input` (rows of SampleGrid::input) in the first row, and below each the three training
/// images that are nearest to it in pixels. Nothing where the trainer has no images, or fewer than three.
std::optional<Picture> draw_neighbours(Trainer& trainer, const Tensor& input);

struct ReportParts {
  std::optional<Walks> walks = {};
  bool running = false;  // the run goes on: the page follows it
};

/// Reads samples, settings and record of a run directory (what is missing is left out), writes report.html
/// there atomically and returns its path. Diagrams are drawn from `curves`.
std::filesystem::path write_report(const std::filesystem::path& directory, const RunCurves& curves,
                                   const ReportParts& parts = {});

/// What a person should look at, one sentence each, as the rows of measures.h say; empty for a run that looks
/// well.
std::vector<std::string> run_warnings(const MetricsLog& log);

/// With &, <, > and quotes as character references.
std::string html_text(const std::string& text);
/// RFC 4648, with padding.
std::string base64(const std::string& bytes);

}  // namespace duel::gan
