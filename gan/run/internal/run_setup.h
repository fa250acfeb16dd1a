// Internal to gan/: from a configuration to checked parts of a run, before anything is written.
#pragma once

#include "duel/core/device/device.h"
#include "duel/gan/data/image_set.h"
#include "duel/gan/models/models.h"
#include "duel/gan/objective/objective.h"
#include "duel/gan/record/run_config.h"
#include "duel/gan/run/run.h"

namespace duel::gan::detail {

constexpr uint64_t kDrawnSeed =
    1;  // drawn digits are one fixed set, as MNIST is; runs of other seeds differ in all else

/// Of which digits an image of stacked ones is made: also one fixed set.
constexpr uint64_t kStackedSeed = 1;

/// What `data` says of a run whose program gave the samples.
inline constexpr const char* kOwnData = "own";

struct RunSetup {
  RunConfig config;  // resolved
  Objective objective;
  Networks networks;
  bool networks_given = false;  // not made of a row: there are no others
  ImageSet images;              // empty pixels: to be drawn or stacked, or they lie in `resident`
  bool drawn = false;           // digits, whether they are stacked or not
  bool stacked = false;
  ImageSet digits = {};  // to be stacked; none where they are to be drawn first
  std::shared_ptr<const ResidentData> resident = {}, held_out = {};  // where they were given
};

/// Makes the objective that was given known by its name, and the configuration say that name.
void take_objective(RunConfig& config, const RunParts& parts);

/// Error where a stored run names an objective or networks of a program's own that this one has not registered.
void check_registered(const RunConfig& stored, const char* op, const std::string& source,
                      bool networks_given);

/// "cpu", "cuda" or "cuda:N"; Error for anything else.
Device device_named(const std::string& name);

/// Reads the data that the configuration names, and says in it where that is; digits are not drawn or stacked yet.
void find_data(RunSetup& setup, RunConfig& config);

/// Error for stacked digits, where gray ones are wanted.
void refuse_stacked(const RunSetup& setup, const char* op);

/// Draws and stacks the digits of a set that is made.
void draw_data(RunSetup& setup);

/// `count` images as those of the run, which need not be made yet: for a trial.
ImageSet some_like(const RunSetup& setup, int64_t count);

/// Every check of checked values (check_values) that needs no run directory. Reads the data, but does not draw digits yet.
RunSetup set_up(RunConfig config, RunParts parts = {});

/// At most `count` images that are never trained on: the first of MNIST's test set, digits of another seed, or stacked
/// ones of such digits. None where the folder has no test set.
ImageSet held_out_images(const RunSetup& setup, int64_t count);
/// The same on the device; of samples that the program gave those that it gave for this.
std::shared_ptr<const ResidentData> held_out_data(const RunSetup& setup, int64_t count, Device device);

/// Objective and networks of a resolved configuration, whose sides are known; networks that were given stay.
void make_parts(RunSetup& setup);

}  // namespace duel::gan::detail
