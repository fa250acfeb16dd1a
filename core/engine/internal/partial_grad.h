// Derivatives in what a function was given, of what it computed from that. Internal to core/.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "duel/core/tensor/internal/node.h"

namespace duel::detail {

/// d<output, grad_output> / d(inputs), of an output that was computed from the inputs, all different, after
/// next_sequence() gave `start`. The walk ends at the inputs: that one was made from another does not count.
/// Undefined where it is not wanted or the output does not depend on it. Error that names `op` where the output
/// depends on what is older than `start` and no input.
std::vector<Tensor> partial_grad(const char* op, const Tensor& output, const Tensor& grad_output,
                                 const std::vector<const Node*>& inputs,
                                 const std::function<bool(int)>& wanted, uint64_t start, bool create_graph);

}  // namespace duel::detail
