// What people are told of measures: below a diagram, in TensorBoard.
//
// Example:
//   measure_caption("Norms of the losses' gradients in all weights.", {&measure_of("grad_norm_d")})
#pragma once

#include <string>
#include <vector>

#include "duel/gan/train/measures.h"

namespace duel::gan {

/// `what`, which may be empty, then healthy, sick and source of the rows; what two of them say alike stands once. Plain
/// text.
std::string measure_caption(const std::string& what, const std::vector<const Measure*>& rows);
/// The same of one row behind its meaning, as a sentence.
std::string measure_caption(const Measure& row);

/// The row of a curve, "spectral_norms/0.weight" as well as "loss_d"; null where there is none.
const Measure* measure_of_curve(const std::string& key);

}  // namespace duel::gan
