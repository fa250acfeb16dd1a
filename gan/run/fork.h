// A run that starts from the state of another one, with other settings: `duel train --fork RUN@STEP`.
//
// Note [What a fork takes over]
// Everything that decides the future of the run that it is from: weights, the optimizers' moments, averages, what terms
// remember, random streams, the place in the data, the iteration's number. Its steps count on from there. With the same
// settings it goes on bit for bit as that run does; rates take the values that are set. Its folder is a run of its own:
// it has a checkpoint from the start and does not need the other one again. run.json says where it is from and which
// settings differ.
//
// Under another objective, what was set of the old one otherwise than its default stays where it has a place; all else is
// the new one's default.
//
// A setting for which the state has no place, or another one (networks, latents, moments of the optimizer, an average),
// and the seed, whose streams are in the state, cannot change: Run refuses it by its name.
//
// Example:
//   RunConfig config = forked_config("runs/a@2000");       // "runs/a@latest", "runs/a@best", or a checkpoint
//   config.overrides.set("lr-g", 1e-5);
//   config.out = "runs/slower";
//   Run run(config);
#pragma once

#include <optional>
#include <string>

#include "duel/gan/record/run_config.h"

namespace duel::gan {

/// The settings of the run that `origin` names, `RUN@STEP`, `RUN@latest`, `RUN@best` (kept by --keep-best), RUN (its
/// latest) or a checkpoint, and `fork` set to it; under another objective those that stay. Error naming what is not there, and the steps that are.
RunConfig forked_config(const std::string& origin, const std::optional<std::string>& objective = {});

}  // namespace duel::gan
