// Derivatives of functions as functions: products with the Jacobian and the Hessian, and both as matrices. As in
// torch.func and torch.autograd.functional.
//
// f is given fresh leaves and computes with those. Where create_graph is set, results can be differentiated again,
// also in other tensors that f knows.
//
// Example, the curvature of a loss along its gradient:
//   const auto f = [&](const Tensor& w) { return mean(square(matmul(x, w) - y)); };
//   Tensor hg = hvp(f, w, vjp(f, w));
#pragma once

#include <functional>

#include "duel/core/tensor/tensor.h"

namespace duel {

using UnaryFunction = std::function<Tensor(const Tensor&)>;

/// v^T J, of x's shape: d <v, f(x)> / dx. v has f(x)'s shape; undefined, it is 1 for a result of one element.
Tensor vjp(const UnaryFunction& f, const Tensor& x, const Tensor& v = {}, bool create_graph = false);

/// J v, of f(x)'s shape: how f(x) moves when x moves by v (x's shape). By two walks backwards: the first one is
/// linear in its cotangent, and its derivative in that along v is J v.
Tensor jvp(const UnaryFunction& f, const Tensor& x, const Tensor& v, bool create_graph = false);

/// df(x)/dx, of shape [f(x)'s axes..., x's axes...] (rank 5 at most), one backward walk for each element of f(x).
/// Zero where f(x) does not depend on x.
Tensor jacobian(const UnaryFunction& f, const Tensor& x, bool create_graph = false);

/// H v, of x's shape, for an f with a result of one element: the gradient of <grad f(x), v>.
Tensor hvp(const UnaryFunction& f, const Tensor& x, const Tensor& v, bool create_graph = false);

/// d2 f(x) / dx dx of shape [x's axes..., x's axes...], for an f with a result of one element.
Tensor hessian(const UnaryFunction& f, const Tensor& x, bool create_graph = false);

}  // namespace duel
