// Internal to gan/: one iteration of a run before the run begins, so that whatever an iteration refuses is
// refused before there is a folder.
//
// Note [The rehearsal is the iteration]
// A list of what an iteration cannot do would drift from what it does. So a trainer that is thrown away does
// one: the same networks, batch size, device and kind of images, with a look inside where the run will take
// looks, and a few samples. What only repeats itself (steps of D or G, steps ahead) is done twice at most,
// and images that would have to be drawn are one batch of them. It costs a run two iterations or so.
#pragma once

#include "duel/gan/run/internal/run_setup.h"

namespace duel::gan::detail {

/// Error where it fails. The networks of `setup` are made anew afterwards, those given have their values back:
/// those of the run have not moved.
void rehearse(RunSetup& setup);

}  // namespace duel::gan::detail
