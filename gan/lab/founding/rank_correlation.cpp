#include "duel/gan/lab/founding/rank_correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "duel/gan/lab/founding/over_seeds.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

constexpr double kNormal = 1.959963984540054;

/// From 1, less their mean.
std::vector<double> centred_ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i)
      ranks[order[i]] = static_cast<double>(begin + end + 1) / 2 - static_cast<double>(values.size() + 1) / 2;
    begin = end;
  }
  return ranks;
}

}  // namespace

Estimate rank_correlation(const std::vector<double>& x, const std::vector<double>& y) {
  DUEL_CHECK(x.size() == y.size() && x.size() >= 4, "lab",
             "rank correlation: expected at least 4 pairs, got {} and {} values", x.size(), y.size());
  for (const auto* side : {&x, &y})
    DUEL_CHECK(std::all_of(side->begin(), side->end(), [](double v) { return std::isfinite(v); }), "lab",
               "rank correlation: expected finite values");
  const std::vector<double> a = centred_ranks(x), b = centred_ranks(y);
  const double r = std::inner_product(a.begin(), a.end(), b.begin(), 0.0) /
                   std::sqrt(std::inner_product(a.begin(), a.end(), a.begin(), 0.0) *
                             std::inner_product(b.begin(), b.end(), b.begin(), 0.0));
  const double error = std::sqrt((1 + r * r / 2) / static_cast<double>(x.size() - 3));
  // The transformation has no value at 1.
  const double z = std::atanh(std::clamp(r, -1 + 1e-15, 1 - 1e-15));
  return {r, error, {std::tanh(z - kNormal * error), std::tanh(z + kNormal * error)}};
}

Estimate mean_correlation(const std::vector<double>& of_runs, int64_t pairs) {
  DUEL_CHECK(pairs >= 4, "lab", "mean correlation: expected correlations of at least 4 pairs, got {}", pairs);
  const auto n = static_cast<double>(pairs);
  const double most = 1 - 6 / (n * (n * n - 1));
  std::vector<double> z;
  double within = 0;  // variance of the runs' sum, were the pairs of each independent
  for (const double r : of_runs) {
    if (std::isnan(r)) continue;
    z.push_back(std::atanh(std::clamp(r, -most, most)));
    within += (1 + r * r / 2) / (n - 3);
  }
  const Estimate mean = mean_of_runs(z);
  if (z.size() < 2) return {std::tanh(mean.value), mean.error, mean.interval};
  const double least = kNormal * std::sqrt(within) / static_cast<double>(z.size());
  const double reach = std::max(mean.interval.high - mean.value, least);
  return {std::tanh(mean.value), mean.error, {std::tanh(mean.value - reach), std::tanh(mean.value + reach)}};
}

}  // namespace duel::gan::lab
