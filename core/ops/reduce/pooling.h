// Windows over [N, C, H, W]: their means, their maxima, and nearest up-sampling. Average pooling and up-sampling are
// each other's gradient up to a factor, closed under differentiation.
#pragma once

#include "duel/core/tensor/size2d.h"
#include "duel/core/tensor/tensor.h"

namespace duel {

/// Mean of every window, [N, C, H, W] to [N, C, H', W'] with H' = (H + 2 padding - kernel) / stride + 1, rounded
/// down. stride 0: the kernel's size. Padding, at most half the kernel, counts as zeros (PyTorch's
/// count_include_pad).
Tensor avg_pool2d(const Tensor& x, Size2d kernel, Size2d stride = {}, Size2d padding = {});
/// The largest element of every window; shapes as for avg_pool2d, padding is -inf. The gradient goes to that element,
/// the first one at a tie. NaN in a window gives NaN.
Tensor max_pool2d(const Tensor& x, Size2d kernel, Size2d stride = {}, Size2d padding = {});
/// Every pixel repeated k x k times.
Tensor upsample_nearest2d(const Tensor& x, int64_t k);

}  // namespace duel
