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
/// `value` before and after along one axis.
Tensor pad(const Tensor& x, int axis, int64_t before, int64_t after, double value = 0.0);
/// The same for several axes, from the last one on: {left, right, top, bottom, …}, as in PyTorch.
Tensor pad(const Tensor& x, const std::vector<int64_t>& pads, double value = 0.0);
/// The order of the given axes turned round.
Tensor flip(const Tensor& x, const Axes& axes);

/// Joined along an existing axis / along a new one.
Tensor concat(const std::vector<Tensor>& tensors, int axis = 0);
Tensor stack(const std::vector<Tensor>& tensors, int axis = 0);
/// concat, by its name in PyTorch.
inline Tensor cat(const std::vector<Tensor>& tensors, int axis = 0) { return concat(tensors, axis); }
/// Parts of ceil(size / chunks) indices of an axis, the last one what is left: `chunks` of them or fewer.
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int axis = 0);
/// Parts of `size` indices, the last one what is left; or of the given sizes, which fill the axis.
std::vector<Tensor> split(const Tensor& x, int64_t size, int axis = 0);
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int axis = 0);

// These share storage, as reshape does (t() and expand() copy).

/// Without the axes of size 1 / without that axis, where its size is 1.
Tensor squeeze(const Tensor& x);
Tensor squeeze(const Tensor& x, int axis);
/// With a new axis of size 1 that stands at `axis`.
Tensor unsqueeze(const Tensor& x, int axis);
/// A matrix transposed; a vector or a scalar as it is.
Tensor t(const Tensor& x);

/// Rows of x [R, ...] by index (i64 [N]): result[i] = x[index[i]], shape [N, ...].
Tensor gather(const Tensor& x, const Tensor& index);
/// Zeros [rows, ...] with result[index[i]] += x[i], in order of i.
Tensor scatter_add(const Tensor& x, const Tensor& index, int64_t rows);

/// Along an axis, with an index (i64) of x's rank that is at most as large as x on the other axes, as in PyTorch:
/// on axis 1, result[i, j, k] = x[i, index[i, j, k], k], of index's shape.
Tensor gather(const Tensor& x, int axis, const Tensor& index);
/// x plus values at index, as in PyTorch: on axis 1, result[i, index[i, j, k], k] += values[i, j, k], in order of j.
/// values and index have one shape, and x's sizes on the other axes.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& values);
/// Indices of one axis (i64 [N]): on axis 1, result[i, n, k] = x[i, index[n], k].
Tensor index_select(const Tensor& x, int axis, const Tensor& index);

}  // namespace duel
