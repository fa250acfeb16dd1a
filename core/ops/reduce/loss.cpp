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

Tensor loss_of_both(const Tensor& logits, int64_t split, const kernels::AnyLoss& real,
                    const kernels::AnyLoss& fake) {
  DUEL_CHECK(logits.rank() >= 1 && split >= 1 && split < logits.dim(0), "loss_of_both",
             "expected rows on both sides, got {} of {}", split, logits.shape());
  const int64_t n = logits.numel(), width = logits.shape().numel_from(1);
  DUEL_CHECK(n > 0, "loss_of_both", "expected at least one logit, got shape {}", logits.shape());
  Tensor value = Tensor::empty({}, logits.options());
  Tensor gradient = tracked(logits) ? Tensor::empty(logits.shape(), logits.options()) : Tensor();
  DUEL_DISPATCH(logits.dtype(), "loss_of_both", {
    detail::Workspace workspace(logits.device(),
                                static_cast<size_t>(kernels::loss_workspace(n) + 2) * sizeof(T));
    kernels::loss_of_both(stream_of(logits.device()), n, split * width, logits.data<T>(), real, fake,
                          value.mutable_data<T>(), gradient.defined() ? gradient.mutable_data<T>() : nullptr,
                          workspace.template as<T>());
  });
  return record("loss_of_both", value, {logits}, {logits, gradient},
                [split, width, real, fake](const RuleContext& ctx, const Tensor& g) -> Grads {
                  if (!grad_enabled()) return {times(ctx.saved(1), g)};
                  const Tensor x = ctx.saved(0);
                  const auto side = [&](const kernels::AnyLoss& any, int64_t begin, int64_t end) {
                    const Tensor part = rows(x, begin, end);
                    const Tensor first = with_loss(any, [&](const auto& as) { return slope(as, part); });
                    return mul(first, div_scalar(g, static_cast<double>((end - begin) * width)));
                  };
                  return {concat({side(real, 0, split), side(fake, split, x.dim(0))})};
                });
}

}  // namespace duel
