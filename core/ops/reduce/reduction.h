// Sums, means and extremes. sum_to and broadcast_to are each other's gradient: a family closed under
// differentiation. Sums and extremes take integers, too: sums of u8 and i64 are i64.
#pragma once

#include <optional>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel {

/// Over all elements: a tensor of shape [].
Tensor sum(const Tensor& x);
Tensor mean(const Tensor& x);
/// Over the given axes; keep_axes leaves them in the shape with size 1.
Tensor sum(const Tensor& x, const Axes& axes, bool keep_axes = false);
Tensor mean(const Tensor& x, const Axes& axes, bool keep_axes = false);
/// Not-a-number wins. The gradient goes to the extremes, shared evenly among ties. (Where they are: argmax.)
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
Tensor max(const Tensor& x, const Axes& axes, bool keep_axes = false);
Tensor min(const Tensor& x, const Axes& axes, bool keep_axes = false);

/// Sums the axes that broadcasting `shape` to x.shape() would have stretched.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// NumPy broadcast to `shape`, as a copy.
Tensor broadcast_to(const Tensor& x, const Shape& shape);

/// The population variance: the mean squared distance from the mean. (With the unbiased divisor: var.)
Tensor variance(const Tensor& x, const Axes& axes, bool keep_axes = false);

/// The flat index of the first NaN or infinity of a floating tensor; empty where all are finite. On a GPU it
/// waits.
std::optional<int64_t> first_nonfinite(const Tensor& x);

/// Index of the largest or smallest value along an axis, as i64: the first one at a tie, the first not-a-number if
/// there is one. No gradient.
Tensor argmax(const Tensor& x, int axis = -1, bool keep_axis = false);
Tensor argmin(const Tensor& x, int axis = -1, bool keep_axis = false);

/// u8 []: whether every element, or one, is nonzero. Of u8.
Tensor all(const Tensor& x);
Tensor any(const Tensor& x);
/// Whether |a - b| <= atol + rtol |b| everywhere, infinities equal to themselves alone and not-a-number to nothing,
/// or to not-a-number where equal_nan says so. Waits for a GPU.
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
              bool equal_nan = false);

}  // namespace duel
