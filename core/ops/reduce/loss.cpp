// Fused adversarial losses. The kernel gives the mean and its gradient in one pass; under create_graph the
// gradient is composed of plain ops instead, which covers every order and is the oracle of the kernel's.
#include "duel/core/ops/reduce/loss.h"

#include "duel/core/device/workspace.h"
#include "duel/core/ops/map/activation.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/internal/elementwise_detail.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/unit.h"
#include "duel/kernels/map/losses.h"

namespace duel {
namespace {

using Grads = std::vector<Tensor>;

// d loss / d x in plain ops.
Tensor slope(const kernels::SigmoidBce& loss, const Tensor& x) {
  return add_scalar(sigmoid(x), -loss.target);
}
Tensor slope(const kernels::Hinge& loss, const Tensor& x) {
  const Tensor margin = 1.0 - x.detach() * loss.sign;
  const Tensor inside = detail::binary<kernels::Greater>("greater", margin, Tensor::zeros({}, x.options()));
  return where(isnan(margin), margin, inside) * -loss.sign;  // of not-a-number, not-a-number
}
Tensor slope(const kernels::SquaredDifference& loss, const Tensor& x) {
  return (x - loss.target) * (2.0 * loss.factor);
}
Tensor slope(const kernels::WassersteinMean& loss, const Tensor& x) {
  return Tensor::full(x.shape(), loss.sign, x.options());
}

Tensor slope(const kernels::LinearLoss& loss, const Tensor& x) {
  return Tensor::full(x.shape(), loss.slope, x.options());
}
Tensor slope(const kernels::ExponentialLoss& loss, const Tensor& x) {
  return exp(x * loss.rate + loss.shift) * loss.rate;
}
Tensor slope(const kernels::SoftplusLoss& loss, const Tensor& x) {
  return sigmoid(x * loss.sign) * (loss.size * loss.sign);
}
Tensor slope(const kernels::PearsonConjugate& loss, const Tensor& x) {
  const Tensor outside =
      detail::binary<kernels::Greater>("greater", Tensor::full({}, loss.floor, x.options()), x.detach());
  return where(outside, Tensor::zeros(x.shape(), x.options()), x * 0.5 + 1.0);
}
Tensor slope(const kernels::AlphaConjugate& loss, const Tensor& x) {
  const double a = loss.alpha;
  return sigmoid(neg(x)) * pow_scalar(softplus(neg(x)) * (1 - a), 1 / (a - 1));
}
Tensor slope(const kernels::AlphaRampConjugate& loss, const Tensor& x) {
  const double a = loss.alpha;
  return pow_scalar(relu(x * (a - 1) + 1.0), 1 / (a - 1));
}

template <class L>
const char* name_of(const L&) {
  return "fused_loss";
}
const char* name_of(const kernels::SigmoidBce&) { return "bce_with_logits"; }
const char* name_of(const kernels::Hinge&) { return "hinge_loss"; }
const char* name_of(const kernels::SquaredDifference&) { return "squared_difference"; }
const char* name_of(const kernels::WassersteinMean&) { return "wasserstein_mean"; }

/// x g outside of recording: x itself where g is 1 and nobody will ask for x again.
Tensor times(const Tensor& x, const Tensor& g) {
  return detail::is_unit(g) && !detail::walk_keeps_graph() ? x : mul(x, g);
}

template <class L>
Tensor fused(const Tensor& logits, L loss) {
  const char* const op = name_of(loss);
  const int64_t n = logits.numel();
  DUEL_CHECK(n > 0, op, "expected at least one logit, got shape {}", logits.shape());
  const auto count = static_cast<double>(n);
  Tensor value = Tensor::empty({}, logits.options());
  Tensor gradient = tracked(logits) ? Tensor::empty(logits.shape(), logits.options()) : Tensor();
  DUEL_DISPATCH(logits.dtype(), op, {
    detail::Workspace workspace(logits.device(), static_cast<size_t>(kernels::loss_workspace(n)) * sizeof(T));
    kernels::loss_value_grad(
        stream_of(logits.device()), n, logits.data<T>(), loss, static_cast<T>(count), value.mutable_data<T>(),
        gradient.defined() ? gradient.mutable_data<T>() : nullptr, workspace.template as<T>());
  });
  return record(op, value, {logits}, {logits, gradient},
                [loss, count](const RuleContext& ctx, const Tensor& g) -> Grads {
                  if (!grad_enabled()) return {times(ctx.saved(1), g)};
                  return {mul(slope(loss, ctx.saved(0)), div_scalar(g, count))};
                });
}

}  // namespace

Tensor bce_with_logits(const Tensor& logits, double target) {
  DUEL_CHECK(target >= 0 && target <= 1, "bce_with_logits", "expected a target in [0, 1], got {}", target);
  return fused(logits, kernels::SigmoidBce{target});
}
Tensor bce_with_logits(const Tensor& logits, const Tensor& target) {
  DUEL_CHECK(logits.shape() == target.shape(), "bce_with_logits", "expected a target of shape {}, got {}",
             logits.shape(), target.shape());
  return mean(sub(softplus(logits), mul(target, logits)));
}
Tensor mse_loss(const Tensor& x, const Tensor& target) {
  DUEL_CHECK(x.shape() == target.shape(), "mse_loss", "expected a target of shape {}, got {}", x.shape(),
             target.shape());
  return mean(square(sub(x, target)));
}
Tensor hinge_loss(const Tensor& logits, double sign) { return fused(logits, kernels::Hinge{sign}); }
Tensor squared_difference(const Tensor& logits, double target, double scale) {
  return fused(logits, kernels::SquaredDifference{target, scale});
}
Tensor wasserstein_mean(const Tensor& logits, double sign) {
  return fused(logits, kernels::WassersteinMean{sign});
}

Tensor fused_loss(const Tensor& logits, const kernels::AnyLoss& loss) {
  return with_loss(loss, [&](const auto& as) { return fused(logits, as); });
}

namespace {

/// Gradients of both sides for g of the loss, recorded: plain ops.
std::pair<Tensor, Tensor> side_gradients(const Tensor& one, const Tensor& other,
                                         const kernels::AnyLoss& of_one, const kernels::AnyLoss& of_other,
                                         kernels::Against against, const Tensor& g) {
  const auto slope_of = [](const kernels::AnyLoss& any, const Tensor& x) {
    return with_loss(any, [&](const auto& as) { return slope(as, x); });
  };
  const auto of_each = [&](const Tensor& x) { return div_scalar(g, static_cast<double>(x.numel())); };
  switch (against) {
    case kernels::Against::nothing:
      return {mul(slope_of(of_one, one), of_each(one)), mul(slope_of(of_other, other), of_each(other))};
    case kernels::Against::partner: {
      const Tensor by = mul(slope_of(of_one, sub(one, other.reshape(one.shape()))), of_each(one));
      return {by, neg(by).reshape(other.shape())};
    }
    case kernels::Against::mean: {
      const Tensor by_one = slope_of(of_one, sub(one, mean(other))),
                   by_other = slope_of(of_other, sub(other, mean(one)));
      return {mul(mul_scalar(sub(by_one, mean(by_other)), 0.5), of_each(one)),
              mul(mul_scalar(sub(by_other, mean(by_one)), 0.5), of_each(other))};
    }
  }
  throw InternalError("unknown comparison of logits");
}

/// The loss's value; grads of defined tensors of the sides' shapes.
Tensor sides_value(const Tensor& one, const Tensor& other, const kernels::AnyLoss& of_one,
                   const kernels::AnyLoss& of_other, kernels::Against against, const Tensor& grad_one,
                   const Tensor& grad_other) {
  const int64_t n = one.numel(), m = other.numel();
  DUEL_CHECK(n > 0 && m > 0, "loss_of_sides", "expected logits on both sides, got shapes {} and {}",
             one.shape(), other.shape());
  Tensor value = Tensor::empty({}, one.options());
  DUEL_DISPATCH(one.dtype(), "loss_of_sides", {
    detail::Workspace workspace(one.device(),
                                static_cast<size_t>(kernels::loss_of_sides_workspace(n, m)) * sizeof(T));
    const auto place = [](const Tensor& t) { return t.defined() ? t.mutable_data<T>() : nullptr; };
    kernels::loss_of_sides<T>(stream_of(one.device()), against, {n, one.data<T>(), of_one, place(grad_one)},
                              {m, other.data<T>(), of_other, place(grad_other)}, value.mutable_data<T>(),
                              workspace.template as<T>());
  });
  return value;
}

}  // namespace

Tensor loss_of_sides(const Tensor& one, const Tensor& other, const kernels::AnyLoss& of_one,
                     const kernels::AnyLoss& of_other, kernels::Against against) {
  DUEL_CHECK(one.dtype() == other.dtype(), "loss_of_sides", "expected one dtype, got {} and {}", to_text(one),
             to_text(other));
  detail::check_same_device("loss_of_sides", one, other);
  const auto like = [](const Tensor& x) {
    return tracked(x) ? Tensor::empty(x.shape(), x.options()) : Tensor();
  };
  const Tensor grad_one = like(one), grad_other = like(other);
  const Tensor value = sides_value(one, other, of_one, of_other, against, grad_one, grad_other);
  return record("loss_of_sides", value, {one, other}, {one, other, grad_one, grad_other},
                [of_one, of_other, against](const RuleContext& ctx, const Tensor& g) -> Grads {
                  if (!grad_enabled()) {
                    const auto given = [&](int i) {
                      return ctx.needs(i) ? times(ctx.saved(2 + i), g) : Tensor();
                    };
                    return {given(0), given(1)};
                  }
                  auto [a, b] = side_gradients(ctx.saved(0), ctx.saved(1), of_one, of_other, against, g);
                  return {ctx.needs(0) ? a : Tensor(), ctx.needs(1) ? b : Tensor()};
                });
}

Tensor loss_of_both(const Tensor& logits, int64_t split, const kernels::AnyLoss& real,
                    const kernels::AnyLoss& fake, kernels::Against against) {
  DUEL_CHECK(logits.rank() >= 1 && split >= 1 && split < logits.dim(0), "loss_of_both",
             "expected rows on both sides, got {} of {}", split, logits.shape());
  const int64_t all = logits.dim(0);
  const Tensor gradient = tracked(logits) ? Tensor::empty(logits.shape(), logits.options()) : Tensor();
  const auto part = [&](const Tensor& x, int64_t begin, int64_t end) {
    return x.defined() ? rows(x.detach(), begin, end) : x;
  };
  const Tensor value = sides_value(part(logits, 0, split), part(logits, split, all), real, fake, against,
                                   part(gradient, 0, split), part(gradient, split, all));
  return record("loss_of_both", value, {logits}, {logits, gradient},
                [split, real, fake, against](const RuleContext& ctx, const Tensor& g) -> Grads {
                  if (!grad_enabled()) return {times(ctx.saved(1), g)};
                  const Tensor x = ctx.saved(0);
                  const auto [a, b] =
                      side_gradients(rows(x, 0, split), rows(x, split, x.dim(0)), real, fake, against, g);
                  return {concat({a, b})};
                });
}

}  // namespace duel
