// The per-sample L2 norm with kernels for orders 0, 1 and 2.
#include "duel/core/ops/reduce/sample_norm.h"

#include "duel/core/ops/map/activation.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/unit.h"
#include "duel/kernels/reduce/sample_norm.h"

namespace duel {
namespace {

using Grads = std::vector<Tensor>;

/// [N] to [N, 1, …, 1] of x's rank.
Tensor as_column(const Tensor& per_sample, const Tensor& x) {
  Shape shape = x.shape();
  for (int axis = 1; axis < x.rank(); ++axis) shape = shape.with(axis, 1);
  return per_sample.reshape(shape);
}

std::vector<int> sample_axes(const Tensor& x) {
  std::vector<int> axes;
  for (int axis = 1; axis < x.rank(); ++axis) axes.push_back(axis);
  return axes;
}

/// 1 / n, and 0 where n is 0, differentiable where n > 0.
Tensor safe_reciprocal(const Tensor& n) {
  const Tensor zero = Tensor::zeros({}, n.options());
  const Tensor positive = greater(n, zero);
  return where(positive, reciprocal(where(positive, n, Tensor::ones({}, n.options()))), zero);
}

/// dx[b] = g[b] x[b] / n[b]: the gradient of the norm, with a gradient of its own.
Tensor sample_norm_backward(const Tensor& x, const Tensor& g, const Tensor& n, double eps) {
  const int64_t batch = x.dim(0), m = x.shape().numel_from(1);
  Tensor dx = Tensor::empty(x.shape(), x.options());
  DUEL_DISPATCH(x.dtype(), "sample_norm_backward",
                kernels::sample_norm_backward(stream_of(x.device()), batch, m, x.data<T>(), n.data<T>(),
                                              g.data<T>(), dx.mutable_data<T>()));
  return record(
      "sample_norm_backward", dx, {x, g}, {x, g, n},
      [eps, batch, m](const RuleContext& ctx, const Tensor& gg) -> Grads {
        const Tensor in = ctx.saved(0), weight = ctx.saved(1), norm = ctx.saved(2);
        if (grad_enabled()) {
          const Tensor per_norm = safe_reciprocal(sample_norm(in, eps));
          const Tensor along = sum(gg * in, sample_axes(in));
          const Tensor d_g = along * per_norm;
          const Tensor d_x =
              as_column(weight * per_norm, in) * (gg - in * as_column(along * square(per_norm), in));
          return {d_x, d_g};
        }
        Tensor d_x = ctx.needs(0) ? Tensor::empty(in.shape(), in.options()) : Tensor();
        Tensor d_g = ctx.needs(1) ? Tensor::empty({batch}, in.options()) : Tensor();
        DUEL_DISPATCH(in.dtype(), "sample_norm_double_backward",
                      kernels::sample_norm_double_backward(stream_of(in.device()), batch, m, in.data<T>(),
                                                           norm.data<T>(), weight.data<T>(), gg.data<T>(),
                                                           d_g.defined() ? d_g.mutable_data<T>() : nullptr,
                                                           d_x.defined() ? d_x.mutable_data<T>() : nullptr));
        return {d_x, d_g};
      });
}

}  // namespace

Tensor sample_norm(const Tensor& x, double eps) {
  DUEL_CHECK(x.rank() >= 2, "sample_norm", "expected [N, ...] with at least two axes, got {}", x.shape());
  DUEL_CHECK(eps >= 0, "sample_norm", "expected eps >= 0, got {}", eps);
  Tensor n = Tensor::empty({x.dim(0)}, x.options());
  DUEL_DISPATCH(x.dtype(), "sample_norm",
                kernels::sample_norm(stream_of(x.device()), x.dim(0), x.shape().numel_from(1), x.data<T>(),
                                     static_cast<T>(eps), n.mutable_data<T>()));
  return record("sample_norm", n, {x}, {x, n.detach()},
                [eps](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {sample_norm_backward(ctx.saved(0), g, ctx.saved(1), eps)};
                });
}

namespace {
/// What the kernel makes: norms and the penalty's derivatives by them [N], value and mean norm [].
struct PenaltyOfNorms {
  Tensor n, slope, value, mean_norm;
};
/// `gradient` and `total` are filled where they are defined, total with base + value.
PenaltyOfNorms penalty_of_norms(const Tensor& x, const kernels::NormTarget& target, double weight,
                                const Tensor& gradient = {}, const Tensor& base = {},
                                const Tensor& total = {}) {
  DUEL_CHECK(x.rank() >= 2 && x.dim(0) >= 1, "norm_penalty",
             "expected [N, ...] with samples and at least two axes, got {}", x.shape());
  const int64_t batch = x.dim(0);
  const auto made = [&](const Shape& shape) { return Tensor::empty(shape, x.options()); };
  const PenaltyOfNorms all{made({batch}), made({batch}), made({}), made({})};
  DUEL_DISPATCH(x.dtype(), "norm_penalty", {
    kernels::PenaltyExtras<T> extras;
    if (gradient.defined()) extras.dx = gradient.mutable_data<T>();
    if (total.defined()) extras.base = base.data<T>(), extras.total = total.mutable_data<T>();
    kernels::norm_penalty(stream_of(x.device()), batch, x.shape().numel_from(1), x.data<T>(), target, weight,
                          all.n.mutable_data<T>(), all.value.mutable_data<T>(), all.slope.mutable_data<T>(),
                          all.mean_norm.mutable_data<T>(), extras);
  });
  return all;
}
}  // namespace

NormPenalty norm_penalty(const Tensor& x, const kernels::NormTarget& target, double weight) {
  const auto [n, slope, value, mean_norm] = penalty_of_norms(x, target, weight);
  const int64_t batch = x.dim(0);
  NormPenalty result{value, mean_norm};
  result.value = record("norm_penalty", result.value, {x}, {x, n, slope},
                        [target, weight, batch](const RuleContext& ctx, const Tensor& g) -> Grads {
                          const Tensor in = ctx.saved(0);
                          if (!grad_enabled()) {
                            const Tensor by_norm = detail::is_unit(g) ? ctx.saved(2) : mul(ctx.saved(2), g);
                            return {sample_norm_backward(in, by_norm, ctx.saved(1), 0)};
                          }
                          const Tensor norms = sample_norm(in);
                          Tensor excess = add_scalar(norms, -target.k);
                          if (target.one_sided) excess = relu(excess);
                          const Tensor share = mul_scalar(g, 2 * weight / static_cast<double>(batch));
                          return {sample_norm_backward(in, mul(excess, share), norms.detach(), 0)};
                        });
  return result;
}

NormPenaltyGradient norm_penalty_gradient(const Tensor& x, const kernels::NormTarget& target, double weight,
                                          const Tensor& base) {
  DUEL_CHECK(base.numel() == 1 && base.dtype() == x.dtype(), "norm_penalty", "expected one number, got {}",
             to_text(base));
  const Tensor gradient = Tensor::empty(x.shape(), x.options()), total = Tensor::empty({}, x.options());
  const PenaltyOfNorms all = penalty_of_norms(x, target, weight, gradient, base, total);
  for (const Tensor& each : {gradient, total}) record("norm_penalty", each, {x, base}, {}, {});
  return {all.value, all.mean_norm, gradient, total};
}

}  // namespace duel
