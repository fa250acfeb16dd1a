// Variational f-divergences: Nowozin et al. 2016, arXiv:1606.00709, tables 1, 2 and 6.
#include <cmath>
#include <numbers>

#include "duel/core/ops.h"
#include "duel/gan/objective/loss.h"

namespace duel::gan {
namespace {

using kernels::any_loss;
using kernels::AnyLoss;

/// One of a divergence's functions that the kernels have, too: as itself and as its negative. divergence_loss() finds it by
/// std::function's target, so that a function of the user's in its place has no such term.
struct Known {
  Tensor (*function)(const Tensor& v, double alpha);
  AnyLoss itself = {}, negative = {};
  double alpha = 0;
  Tensor operator()(const Tensor& v) const { return function(v, alpha); }
};

/// v
Known identity() {
  return {.function = [](const Tensor& v, double) { return v; },
          .negative = any_loss(kernels::WassersteinMean{-1})};
}

/// The mean of f, or of -f: by a loss of the kernels where one is known.
LossTerm mean_of(const std::function<Tensor(const Tensor&)>& f, bool negative) {
  if (const auto* known = f.target<Known>()) {
    const AnyLoss& fused = negative ? known->negative : known->itself;
    if (fused.kind != AnyLoss::Kind::none) return fused_term(fused);
  }
  return [f, negative](const Tensor& v) { return negative ? neg(mean(f(v))) : mean(f(v)); };
}

constexpr double kLogTwo = std::numbers::ln2;

}  // namespace

// f*(t) = exp(t - 1)
Divergence kullback_leibler() {
  return {.name = "kullback_leibler",
          .activation = identity(),
          .conjugate_activation = Known{.function = [](const Tensor& v, double) { return exp(v - 1.0); },
                                        .itself = any_loss(kernels::ExponentialLoss{1, -1})},
          .undecided = 1.0};
}

// f*(t) = -1 - log(-t), so f*(g(v)) = v - 1
Divergence reverse_kullback_leibler() {
  return {.name = "reverse_kullback_leibler",
          .activation = Known{.function = [](const Tensor& v, double) { return neg(exp(neg(v))); },
                              .negative = any_loss(kernels::ExponentialLoss{-1})},
          .conjugate_activation = Known{.function = [](const Tensor& v, double) { return v - 1.0; },
                                        .itself = any_loss(kernels::LinearLoss{1, -1}),
                                        .negative = any_loss(kernels::LinearLoss{-1, 1})},
          .saddle = true};
}

// f*(t) = t^2 / 4 + t; where t < -2, f* is at its floor -1 (the supremum over u >= 0 is at 0): twice
// alpha_divergence(2) at t / 2
Divergence pearson_chi_squared() {
  return {.name = "pearson_chi_squared",
          .activation = identity(),
          .conjugate_activation = Known{.function =
                                            [](const Tensor& v, double) {
                                              const Tensor within = clamp_min(v, -2.0);
                                              return square(within) * 0.25 + within;
                                            },
                                        .itself = any_loss(kernels::PearsonConjugate{-2})}};
}

// f*(t) = t / (1 - t), so f*(g(v)) = exp(v) - 1
Divergence squared_hellinger() {
  return {.name = "squared_hellinger",
          .activation = Known{.function = [](const Tensor& v, double) { return 1.0 - exp(neg(v)); },
                              .negative = any_loss(kernels::ExponentialLoss{-1, 0, -1})},
          .conjugate_activation = Known{.function = [](const Tensor& v, double) { return exp(v) - 1.0; },
                                        .itself = any_loss(kernels::ExponentialLoss{1, 0, -1})}};
}

// f*(t) = -log(2 - exp t), so f*(g(v)) = softplus(v) - log 2: the cross-entropy losses up to constants
Divergence jensen_shannon() {
  return {
      .name = "jensen_shannon",
      .activation = Known{.function = [](const Tensor& v, double) { return kLogTwo - softplus(neg(v)); },
                          .negative = any_loss(kernels::SoftplusLoss{1, -1, -kLogTwo})},
      .conjugate_activation = Known{.function = [](const Tensor& v, double) { return softplus(v) - kLogTwo; },
                                    .itself = any_loss(kernels::SoftplusLoss{1, 1, -kLogTwo})},
      .cross_entropy = true};
}

// f*(t) = (y^(a / (a - 1)) - 1) / a with y = t (a - 1) + 1; where y < 0, which only a > 1 allows, f* is at
// its floor -1 / a.
Divergence alpha_divergence(double alpha) {
  DUEL_CHECK(alpha != 0 && alpha != 1 && std::isfinite(alpha), "alpha_divergence",
             "expected a finite alpha other than 0 and 1, whose limits are reverse_kullback_leibler and "
             "kullback_leibler; got {}",
             alpha);
  const std::string name = message("alpha_divergence({})", alpha);
  if (alpha > 1) {
    return {.name = name,
            .activation = identity(),
            .conjugate_activation = Known{.function =
                                              [](const Tensor& v, double a) {
                                                const Tensor y = relu(v * (a - 1) + 1.0);
                                                return (pow_scalar(y, a / (a - 1)) - 1.0) / a;
                                              },
                                          .itself = any_loss(kernels::AlphaRampConjugate{alpha}),
                                          .alpha = alpha}};
  }
  // y = (1 - a) softplus(-v) > 0, and g = f'(1) = 0 where softplus(-v) = 1 / (1 - a)
  const double middle = 1 / (1 - alpha);
  return {.name = name,
          .activation =
              Known{.function = [](const Tensor& v, double a) { return 1 / (1 - a) - softplus(neg(v)); },
                    .negative = any_loss(kernels::SoftplusLoss{1, -1, -middle}),
                    .alpha = alpha},
          .conjugate_activation = Known{.function =
                                            [](const Tensor& v, double a) {
                                              const Tensor y = softplus(neg(v)) * (1 - a);
                                              return (pow_scalar(y, a / (a - 1)) - 1.0) / a;
                                            },
                                        .itself = any_loss(kernels::AlphaConjugate{alpha}),
                                        .alpha = alpha},
          .undecided = -(middle + std::log1p(-std::exp(-middle)))};
}

Loss divergence_loss(const Divergence& divergence) {
  return {
      .name = divergence.name,
      .d_real = mean_of(divergence.activation, true),
      .d_fake = mean_of(divergence.conjugate_activation, false),
      .g_fake = mean_of(divergence.saddle ? divergence.conjugate_activation : divergence.activation, true),
      .cross_entropy = divergence.cross_entropy,
      .undecided = divergence.undecided};
}

}  // namespace duel::gan
