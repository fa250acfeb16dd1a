#include "duel/gan/lab/founding/rank_correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

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
  constexpr double kNormal = 1.959963984540054;
  // The transformation has no value at 1.
  const double z = std::atanh(std::clamp(r, -1 + 1e-15, 1 - 1e-15));
  return {r, error, {std::tanh(z - kNormal * error), std::tanh(z + kNormal * error)}};
}

}  // namespace duel::gan::lab
