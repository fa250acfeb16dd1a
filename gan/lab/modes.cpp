#include "duel/gan/lab/modes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "duel/kernels/base/error.h"

namespace duel::gan::lab {

ModeScore score_modes(const Mixture& mixture, const Tensor& points) {
  DUEL_CHECK(points.rank() == 2 && points.dim(1) == 2 && points.dim(0) >= 1, "score_modes",
             "expected points [N, 2], N at least 1, got {}", points.shape());
  const std::vector<double> xy = points.to_vector<double>();
  const size_t n = xy.size() / 2, k = mixture.means.size();
  ModeScore score;
  score.good.assign(k, 0);
  for (size_t i = 0; i < n; ++i) {
    size_t nearest = 0;
    double least = std::numeric_limits<double>::infinity();  // squared distance in deviations
    for (size_t m = 0; m < k; ++m) {
      const double dx = (xy[2 * i] - mixture.means[m][0]) / mixture.deviation;
      const double dy = (xy[2 * i + 1] - mixture.means[m][1]) / mixture.deviation;
      const double squared = dx * dx + dy * dy;
      if (squared < least) least = squared, nearest = m;
    }
    if (least < 9.0) ++score.good[nearest];
  }
  const auto total = static_cast<double>(std::accumulate(score.good.begin(), score.good.end(), int64_t{0}));
  score.modes = static_cast<int64_t>(k) - std::count(score.good.begin(), score.good.end(), 0);
  score.high_quality = total / static_cast<double>(n);
  score.reverse_kl = total > 0 ? 0.0 : std::log(static_cast<double>(k));
  for (const int64_t count : score.good) {
    const double share = static_cast<double>(count) / std::max(total, 1.0);
    if (count > 0) score.reverse_kl += share * std::log(share * static_cast<double>(k));
  }
  score.reverse_kl = std::max(score.reverse_kl, 0.0);  // rounding may leave -1e-16
  return score;
}

double true_high_quality() { return 1 - std::exp(-4.5); }

double true_reverse_kl(const Mixture& mixture, int64_t points) {
  return static_cast<double>(mixture.means.size() - 1) /
         (2 * static_cast<double>(points) * true_high_quality());
}

Spread spread_of(const std::vector<double>& values) {
  DUEL_CHECK(!values.empty(), "spread_of", "expected values, got none");
  const auto n = static_cast<double>(values.size());
  Spread spread{.mean = std::accumulate(values.begin(), values.end(), 0.0) / n};
  if (values.size() == 1) return spread;
  double squares = 0;
  for (const double v : values) squares += (v - spread.mean) * (v - spread.mean);
  spread.error = std::sqrt(squares / (n - 1) / n);
  return spread;
}

}  // namespace duel::gan::lab
