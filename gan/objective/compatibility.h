// What cannot be mixed, and why: one row per impossible mix of an objective's parts, its networks and the
// batch.
//
// Example:
//   for (const ImpossibleMix& mix : impossible_mixes()) std::puts(mix.name);
#pragma once

#include <string>
#include <vector>

#include "duel/gan/objective/objective.h"

namespace duel::gan {

struct Mix {
  const Objective& objective;
  const nn::Module& critic;
  int64_t batch;
  const nn::Module* generator = nullptr;  // where it is known
};

struct ImpossibleMix {
  const char* name;  // the two parts, in a few words
  bool (*present)(const Mix& mix);
  std::string (*why)(const Mix& mix);  // one sentence with the way out
};

/// check_compatible() refuses with the first row that is present.
const std::vector<ImpossibleMix>& impossible_mixes();

/// Whether D may have batch norm under this objective: none of these rows would be there because of it, and the
/// objective does not advise against it (batch_norm_in_d). What an automatic normalisation of D goes by.
bool allows_batch_norm_in_d(const Objective& objective);

}  // namespace duel::gan
