#include "duel/core/engine/functional.h"

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/base/error.h"

namespace duel {
namespace {

/// A leaf with x's values; under create_graph x's own place in its graph, where it has one.
Tensor argument(const Tensor& x, bool create_graph) {
  if (create_graph && x.requires_grad()) return x.clone();  // a place of its own: f may know x, too
  return x.detach().clone().set_requires_grad(true);
}

Tensor defined_or_zero(const Tensor& g, const Tensor& like) { return g.defined() ? g : zeros_like(like); }

/// d <v, y> / dx; zero where y does not depend on x.
Tensor pulled(const Tensor& y, const Tensor& x, const Tensor& v, bool create_graph,
              bool retain_graph = false) {
  if (!y.requires_grad()) return zeros_like(x);
  const Tensor g =
      grad({y}, {x}, v.defined() ? std::vector<Tensor>{v} : std::vector<Tensor>{},
           {.create_graph = create_graph, .retain_graph = retain_graph, .allow_unused = true})[0];
  return defined_or_zero(g, x);
}

Tensor value_of_one(const char* op, const UnaryFunction& f, const Tensor& x) {
  const Tensor y = f(x);
  DUEL_CHECK(y.numel() == 1, op, "expected a function whose result has one element, got {}", to_text(y));
  return y;
}

}  // namespace

Tensor vjp(const UnaryFunction& f, const Tensor& x, const Tensor& v, bool create_graph) {
  EnableGrad recording;
  const Tensor at = argument(x, create_graph);
  return pulled(f(at), at, v, create_graph);
}

Tensor jvp(const UnaryFunction& f, const Tensor& x, const Tensor& v, bool create_graph) {
  DUEL_CHECK(v.shape() == x.shape() && v.dtype() == x.dtype(), "jvp", "expected a direction of {}, got {}",
             to_text(x), to_text(v));
  EnableGrad recording;
  const Tensor at = argument(x, create_graph), y = f(at);
  if (!y.requires_grad()) return zeros_like(y);
  const Tensor u = zeros_like(y).set_requires_grad(true);
  const Tensor g = pulled(y, at, u, true);
  return pulled(g, u, v, create_graph);
}

Tensor jacobian(const UnaryFunction& f, const Tensor& x, bool create_graph) {
  EnableGrad recording;
  const Tensor at = argument(x, create_graph), y = f(at);
  std::vector<int64_t> sizes(y.shape().begin(), y.shape().end());
  sizes.insert(sizes.end(), x.shape().begin(), x.shape().end());
  const Shape shape{std::span<const int64_t>(sizes)};
  if (!y.requires_grad() || shape.numel() == 0) return Tensor::zeros(shape, x.options());
  const Tensor flat = y.reshape({-1});
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < flat.numel(); ++i) rows.push_back(pulled(flat[i], at, {}, create_graph, true));
  return stack(rows).reshape(shape);
}

Tensor hvp(const UnaryFunction& f, const Tensor& x, const Tensor& v, bool create_graph) {
  DUEL_CHECK(v.shape() == x.shape() && v.dtype() == x.dtype(), "hvp", "expected a direction of {}, got {}",
             to_text(x), to_text(v));
  EnableGrad recording;
  const Tensor at = argument(x, create_graph);
  const Tensor g = pulled(value_of_one("hvp", f, at), at, {}, true);
  return pulled(g, at, v, create_graph);
}

Tensor hessian(const UnaryFunction& f, const Tensor& x, bool create_graph) {
  return jacobian([&f](const Tensor& at) { return pulled(value_of_one("hessian", f, at), at, {}, true); }, x,
                  create_graph);
}

}  // namespace duel
