#include "duel/gan/lab/founding/over_seeds.h"

#include <cmath>
#include <numeric>

#include "duel/gan/lab/league/scores.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {

Estimate mean_of_runs(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  if (values.empty()) return {NAN, NAN, {NAN, NAN}};
  if (values.size() == 1) return {values[0], NAN, {NAN, NAN}};
  const Interval range = mean_interval(values);
  return {std::accumulate(values.begin(), values.end(), 0.0) / n,
          (range.high - range.low) / 2 / student_quantile(n - 1), range};
}

Estimate ratio_of_runs(const std::vector<double>& values) {
  std::vector<double> logs;
  for (const double v : values) logs.push_back(std::log(v));
  const Estimate mean = mean_of_runs(logs);
  return {std::exp(mean.value), mean.error, {std::exp(mean.interval.low), std::exp(mean.interval.high)}};
}

std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b) {
  DUEL_CHECK(a.size() == b.size(), "lab", "ratios: expected as many values, got {} and {}", a.size(),
             b.size());
  std::vector<double> result;
  for (size_t i = 0; i < a.size(); ++i) result.push_back(a[i] / b[i]);
  return result;
}

}  // namespace duel::gan::lab
