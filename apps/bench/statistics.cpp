// Quantiles and sampling plans: see statistics.h.
#include "statistics.h"

#include <algorithm>
#include <cmath>

namespace duel::apps::bench {

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

Summary summarize(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {.median = quantile(values, 0.5),
          .p10 = quantile(values, 0.1),
          .p90 = quantile(values, 0.9),
          .smallest = values.front(),
          .count = static_cast<int64_t>(values.size())};
}

int64_t calls_per_sample(double seconds_of_one, double target, int64_t most) {
  if (!(seconds_of_one > 0)) return most;
  const double calls = std::ceil(target / seconds_of_one);
  return calls >= static_cast<double>(most) ? most : std::max<int64_t>(1, static_cast<int64_t>(calls));
}

std::vector<int64_t> sweep(int64_t smallest, int64_t largest) {
  std::vector<int64_t> sizes;
  for (int64_t size = smallest; size < largest; size *= 16) sizes.push_back(size);
  sizes.push_back(largest);
  return sizes;
}

}  // namespace duel::apps::bench
