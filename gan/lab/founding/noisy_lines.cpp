#include "duel/gan/lab/founding/noisy_lines.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

/// E f(x), x ~ N(d, 1), by trapezoids: for analytic f that grow slowly the error falls faster than any power of
/// the step. f(x) here has its nearest poles pi / d away from the real axis.
template <class F>
double noisy_mean(double d, const F& f) {
  DUEL_CHECK(d >= 0 && d <= 100, "lab", "distance in deviations: expected 0 to 100, got {}", d);
  constexpr double kReach = 12.0, kStep = 1.0 / 256;
  double sum = 0;
  for (auto i = static_cast<int64_t>(-kReach / kStep); i <= static_cast<int64_t>(kReach / kStep); ++i) {
    const double e = static_cast<double>(i) * kStep;
    sum += std::exp(-e * e / 2) * f(d + e);
  }
  return sum * kStep / std::sqrt(2 * std::numbers::pi);
}

/// log(1 + exp(t)).
double noisy_softplus(double t) { return std::max(t, 0.0) + std::log1p(std::exp(-std::abs(t))); }

/// log p_r(x) / p_g(x): the optimal D's logit.
double noisy_optimal_logit(double d, double x) { return d * (d / 2 - x); }

}  // namespace

double shifted_normal_js(double d) {
  // Both halves of JS are the same by symmetry, log 2 - E_g log(1 + p_r / p_g).
  return std::numbers::ln2 -
         noisy_mean(d, [d](double x) { return noisy_softplus(noisy_optimal_logit(d, x)); });
}

double shifted_normal_js_slope(double d) {
  return noisy_mean(d,
                    [d](double x) {
                      return (x - d) * (std::numbers::ln2 - noisy_softplus(noisy_optimal_logit(d, x)));
                    }) /
         2;
}

double shifted_normal_pull(double d) {
  return d * noisy_mean(d, [d](double x) { return 1 / (1 + std::exp(-noisy_optimal_logit(d, x))); });
}

}  // namespace duel::gan::lab
