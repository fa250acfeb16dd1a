// Variational f-divergences: Nowozin et al. 2016, arXiv:1606.00709, tables 1, 2 and 6.
#include <cmath>

#include "duel/core/ops.h"
#include "duel/gan/objective/loss.h"

namespace duel::gan {
namespace {

Tensor same(const Tensor& v) { return v; }

using kernels::any_loss;
/// -v
kernels::AnyLoss minus() { return any_loss(kernels::WassersteinMean{-1}); }

}  // namespace

// f*(t) = exp(t - 1)
Divergence kullback_leibler() {
  return {.name = "kullback_leibler",
          .activation = same,
          .conjugate_activation = [](const Tensor& v) { return exp(v - 1.0); },
          .undecided = 1.0,
          .falls = minus(),
          .conjugate = any_loss(kernels::ExponentialLoss{1, -1})};
}

// f*(t) = -1 - log(-t), so f*(g(v)) = v - 1
Divergence reverse_kullback_leibler() {
  return {.name = "reverse_kullback_leibler",
          .activation = [](const Tensor& v) { return neg(exp(neg(v))); },
          .conjugate_activation = [](const Tensor& v) { return v - 1.0; },
          .saddle = true,
          .falls = any_loss(kernels::ExponentialLoss{-1}),
          .conjugate = any_loss(kernels::LinearLoss{1, -1}),
          .falls_at_saddle = any_loss(kernels::LinearLoss{-1, 1})};
}

// f*(t) = t^2 / 4 + t; where t < -2, f* is at its floor -1 (the supremum over u >= 0 is at 0): twice
// alpha_divergence(2) at t / 2
Divergence pearson_chi_squared() {
  return {.name = "pearson_chi_squared",
          .activation = same,
          .conjugate_activation =
              [](const Tensor& v) {
                const Tensor within = clamp_min(v, -2.0);
                return square(within) * 0.25 + within;
              },
          .falls = minus(),
          .conjugate = any_loss(kernels::PearsonConjugate{-2})};
}

// f*(t) = t / (1 - t), so f*(g(v)) = exp(v) - 1
Divergence squared_hellinger() {
  return {.name = "squared_hellinger",
          .activation = [](const Tensor& v) { return 1.0 - exp(neg(v)); },
          .conjugate_activation = [](const Tensor& v) { return exp(v) - 1.0; },
          .falls = any_loss(kernels::ExponentialLoss{-1, 0, -1}),
          .conjugate = any_loss(kernels::ExponentialLoss{1, 0, -1})};
}

// f*(t) = -log(2 - exp t), so f*(g(v)) = softplus(v) - log 2: the cross-entropy losses up to constants
Divergence jensen_shannon() {
  const double log_two = std::log(2.0);
  return {.name = "jensen_shannon",
          .activation = [log_two](const Tensor& v) { return log_two - softplus(neg(v)); },
          .conjugate_activation = [log_two](const Tensor& v) { return softplus(v) - log_two; },
          .cross_entropy = true,
          .falls = any_loss(kernels::SoftplusLoss{1, -1, -log_two}),
          .conjugate = any_loss(kernels::SoftplusLoss{1, 1, -log_two})};
}

// f*(t) = (y^(a / (a - 1)) - 1) / a with y = t (a - 1) + 1; where y < 0, which only a > 1 allows, f* is at
// its floor -1 / a.
Divergence alpha_divergence(double a) {
  DUEL_CHECK(a != 0 && a != 1 && std::isfinite(a), "alpha_divergence",
             "expected a finite alpha other than 0 and 1, whose limits are reverse_kullback_leibler and "
             "kullback_leibler; got {}",
             a);
  const double exponent = a / (a - 1);
  const std::string name = message("alpha_divergence({})", a);
  if (a > 1) {
    return {.name = name,
            .activation = same,
            .conjugate_activation =
                [a, exponent](const Tensor& v) {
                  return (pow_scalar(relu(v * (a - 1) + 1.0), exponent) - 1.0) / a;
                },
            .falls = minus(),
            .conjugate = any_loss(kernels::AlphaRampConjugate{a})};
  }
  // y = (1 - a) softplus(-v) > 0, and g = f'(1) = 0 where softplus(-v) = 1 / (1 - a)
  const double middle = 1 / (1 - a);
  return {.name = name,
          .activation = [a](const Tensor& v) { return 1 / (1 - a) - softplus(neg(v)); },
          .conjugate_activation =
              [a, exponent](const Tensor& v) {
                return (pow_scalar(softplus(neg(v)) * (1 - a), exponent) - 1.0) / a;
              },
          .undecided = -(middle + std::log1p(-std::exp(-middle))),
          .falls = any_loss(kernels::SoftplusLoss{1, -1, -middle}),
          .conjugate = any_loss(kernels::AlphaConjugate{a})};
}

Loss divergence_loss(const Divergence& divergence) {
  const auto g = divergence.activation, conjugate = divergence.conjugate_activation,
             raised = divergence.saddle ? conjugate : g;
  const auto term = [](const kernels::AnyLoss& fused, LossTerm composed) {
    return fused.kind == kernels::AnyLoss::Kind::none ? std::move(composed) : fused_term(fused);
  };
  return {.name = divergence.name,
          .d_real = term(divergence.falls, [g](const Tensor& r) { return neg(mean(g(r))); }),
          .d_fake = term(divergence.conjugate, [conjugate](const Tensor& f) { return mean(conjugate(f)); }),
          .g_fake = term(divergence.saddle ? divergence.falls_at_saddle : divergence.falls,
                         [raised](const Tensor& f) { return neg(mean(raised(f))); }),
          .cross_entropy = divergence.cross_entropy,
          .undecided = divergence.undecided};
}

}  // namespace duel::gan
