// Sums, means and extremes. sum_to and broadcast_to are each other's gradient: a family closed under
// differentiation.
#pragma once

#include <optional>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel {

/// Over all elements: a tensor of shape [].
Tensor sum(const Tensor& x);
Tensor mean(const Tensor& x);
/// Over the given axes (negative counts from the end); keep_axes leaves them in the shape with size 1.
Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep_axes = false);
Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep_axes = false);
/// Over one axis. The gradient goes to the maxima, shared evenly among ties.
Tensor max(const Tensor& x, int axis, bool keep_axis = false);
Tensor min(const Tensor& x, int axis, bool keep_axis = false);

/// Sums the axes that broadcasting `shape` to x.shape() would have stretched.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// NumPy broadcast to `shape`, as a copy.
Tensor broadcast_to(const Tensor& x, const Shape& shape);

/// Unbiased = false: the population variance over all elements.
Tensor variance(const Tensor& x, const std::vector<int>& axes, bool keep_axes = false);

/// The flat index of the first NaN or infinity of a floating tensor; empty where all are finite. On a GPU it
/// waits.
std::optional<int64_t> first_nonfinite(const Tensor& x);

/// Index of the largest value along the last axis of [..., N], as i64 (first one at a tie). No gradient.
Tensor argmax(const Tensor& x);

}  // namespace duel
