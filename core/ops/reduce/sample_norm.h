// The norm that gradient penalties need.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// x [N, ...] to [N]: sqrt(sum of squares + eps) over all axes but the first. At a norm of zero the gradient
/// is zero, and nothing is NaN. Value, first and second derivative are kernels; higher orders plain ops
/// (undefined at zero, as the function is).
Tensor sample_norm(const Tensor& x, double eps = 0.0);

}  // namespace duel
