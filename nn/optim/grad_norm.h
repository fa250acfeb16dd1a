// L2 norms of a network's gradients, for diagnostics and for clipping by norm: one launch for up to 64
// gradients, no host reads.
//
// Example:
//   nn::GradientNorms norms = nn::gradient_norms(grad({loss}, net.parameters()));
//   double total = norms.total.item();
#pragma once

#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel::nn {

struct GradientNorms {
  Tensor total;  // shape []: over all of them together
  Tensor each;   // [gradients]: one by one
};

/// Of gradients of one floating dtype on one device; undefined ones count as zeros. Without a defined one
/// both are zeros of f32 on the CPU. No graph.
GradientNorms gradient_norms(const std::vector<Tensor>& gradients);

}  // namespace duel::nn
