// Made of sums: variances, norms, products, log-sum-exp, distances.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// The variance over all elements or some axes, divided by n - 1 where unbiased (PyTorch's default), else by n; and
/// its root, whose gradient is 0 where it is 0.
Tensor var(const Tensor& x);
Tensor var(const Tensor& x, const Axes& axes, bool unbiased = true, bool keep_axes = false);
Tensor std(const Tensor& x);
Tensor std(const Tensor& x, const Axes& axes, bool unbiased = true, bool keep_axes = false);

/// (sum of |x|^p)^(1/p), p > 0; with p infinity the largest |x|. At a norm of 0 the gradient is 0.
Tensor norm(const Tensor& x, double p = 2.0);
Tensor norm(const Tensor& x, double p, const Axes& axes, bool keep_axes = false);

/// The product, by halves; its gradient is right at zeros, too.
Tensor prod(const Tensor& x);
Tensor prod(const Tensor& x, int axis, bool keep_axis = false);

/// log(sum(exp(x))), without overflow; -infinity where all are.
Tensor logsumexp(const Tensor& x, const Axes& axes, bool keep_axes = false);

/// Euclidean distances of rows: x [..., M, D], y [..., N, D] to [..., M, N], from differences, which take M N D
/// elements. The gradient is 0 at a distance of 0.
Tensor cdist(const Tensor& x, const Tensor& y);

/// Running sums along an axis, also of i64.
Tensor cumsum(const Tensor& x, int axis);

struct Sorted {
  Tensor values, indices;  // values differentiable, indices i64
};
/// Along an axis; equals keep their order, not-a-number counts as the largest.
Sorted sort(const Tensor& x, int axis = -1, bool descending = false);
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);
/// The k largest (smallest) along an axis, the first one first.
Sorted topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true);

}  // namespace duel
