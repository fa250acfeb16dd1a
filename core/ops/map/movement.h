// Moving data: slices and pads, joins, permutations, rows by index. slice / pad and gather / scatter_add are
// each other's gradient: families closed under differentiation. (reshape and flatten are members of Tensor.)
#pragma once

#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel {

/// Axis i of the result is axis order[i] of x.
Tensor permute(const Tensor& x, const std::vector<int>& order);
/// Swaps two axes.
Tensor transpose(const Tensor& x, int axis_a = -2, int axis_b = -1);

/// Indices [begin, end) of one axis, as a copy.
Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end);
/// Indices [begin, end) of the leading axis, sharing storage: what is written to one is seen in the other.
Tensor rows(const Tensor& x, int64_t begin, int64_t end);
/// Zeros before and after along one axis.
Tensor pad(const Tensor& x, int axis, int64_t before, int64_t after);

/// Joined along an existing axis / along a new one.
Tensor concat(const std::vector<Tensor>& tensors, int axis = 0);
Tensor stack(const std::vector<Tensor>& tensors, int axis = 0);

/// Rows of x [R, ...] by index (i64 [N]): result[i] = x[index[i]], shape [N, ...].
Tensor gather(const Tensor& x, const Tensor& index);
/// Zeros [rows, ...] with result[index[i]] += x[i], in order of i.
Tensor scatter_add(const Tensor& x, const Tensor& index, int64_t rows);

}  // namespace duel
