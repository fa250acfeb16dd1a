// Pictures of mode collapse: where the points lie as training goes on, and their density at the end.
//
// Example:
//   write_png("wgan-gp-1.png", samples_over_time(mixture, run));
//   write_png("samples.png", overview(mixture, {run_a, run_b}));
#pragma once

#include <vector>

#include "duel/gan/lab/experiment.h"
#include "duel/gan/picture/canvas.h"

namespace duel::gan::lab {

/// One panel for every snapshot, from left to right, then the density; true means are circles behind the
/// points.
Canvas samples_over_time(const Mixture& mixture, const PointRun& run);

/// One row like that for every run, smaller. Runs may have different numbers of snapshots. At least one.
Canvas overview(const Mixture& mixture, const std::vector<PointRun>& runs);

/// One small panel for every run: its points at the end, with objective and modes found. At least one.
Canvas final_points(const Mixture& mixture, const std::vector<PointRun>& runs);

/// Modes, high-quality share and reverse KL over the steps: one diagram each, one line for every objective,
/// the mean over its seeds (of a run that diverged: its last values). Beside them dotted what true samples
/// reach.
Canvas scores_over_time(const Mixture& mixture, const std::vector<PointRun>& runs);

}  // namespace duel::gan::lab
