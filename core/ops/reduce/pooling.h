// Average pooling and nearest up-sampling of [N, C, H, W]: each other's gradient up to a factor, closed under
// differentiation.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// Mean of every k x k window, stride k; H and W must be multiples of k.
Tensor avg_pool2d(const Tensor& x, int64_t k);
/// Every pixel repeated k x k times.
Tensor upsample_nearest2d(const Tensor& x, int64_t k);

}  // namespace duel
