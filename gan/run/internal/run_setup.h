// Internal to gan/: from a configuration to checked parts of a run, before anything is written.
#pragma once

#include "duel/core/device/device.h"
#include "duel/gan/data/image_set.h"
#include "duel/gan/models/models.h"
#include "duel/gan/objective/objective.h"
#include "duel/gan/record/run_config.h"

namespace duel::gan::detail {

constexpr uint64_t kDrawnSeed =
    1;  // drawn digits are one fixed set, as MNIST is; runs of other seeds differ in all else

struct RunSetup {
  RunConfig config;  // resolved
  Objective objective;
  Networks networks;
  ImageSet images;  // empty pixels: to be drawn
  bool drawn = false;
};

/// "cpu", "cuda" or "cuda:N"; Error for anything else.
Device device_named(const std::string& name);

/// Reads the data that the configuration names, and says in it where that is; drawn digits are not drawn yet.
void find_data(RunSetup& setup, RunConfig& config);

/// Draws the digits of a set that is drawn.
void draw_data(RunSetup& setup);

/// Every check that needs no run directory. Reads the data, but does not draw digits yet.
RunSetup set_up(RunConfig config);

/// At most `count` images that are never trained on: the first of MNIST's test set, or digits of another
/// seed. None where the folder has no test set.
ImageSet held_out_images(const RunSetup& setup, int64_t count);

/// Objective and networks of a resolved configuration, whose sides are known.
void make_parts(RunSetup& setup);

}  // namespace duel::gan::detail
