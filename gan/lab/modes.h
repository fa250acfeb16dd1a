// How well points cover a mixture: the published measures of mode collapse (VEEGAN, PacGAN).
//
// A point belongs to the nearest mode and is good where it lies closer than 3 deviations. From 2,500 points
// of fixed z:
//   modes         how many modes have at least one good point
//   high quality  good points / all points
//   reverse KL    KL(share of the good points in each mode || uniform), natural logarithm
//
// What true samples reach is no 100 %: 1 - exp(-9/2) = 98.89 % of a 2-D Gaussian lie within 3 deviations;
// more means that modes are narrower than they should be. The KL of n true samples is about (K - 1) / 2n:
// 0.0014 for 8 modes and 0.0049 for 25 at 2,500.
//
// Example:
//   const ModeScore score = score_modes(make_mixture("ring"), points);   // [N, 2]
#pragma once

#include <cstdint>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/lab/mixture.h"

namespace duel::gan::lab {

struct ModeScore {
  int64_t modes = 0;
  double high_quality = 0;  // 0 to 1
  /// 0 to ln K. Without a single good point there is no histogram: ln K, the value of one mode alone.
  double reverse_kl = 0;
  std::vector<int64_t> good = {};  // good points of every mode
};

/// points: f32 or f64 [N, 2], N >= 1. A point that is not finite is not good.
ModeScore score_modes(const Mixture& mixture, const Tensor& points);

/// Share of true samples within 3 deviations: 1 - exp(-9/2).
double true_high_quality();
/// Expected reverse KL of `points` true samples, in the limit of many: (K - 1) / 2n over the good ones.
double true_reverse_kl(const Mixture& mixture, int64_t points);

struct Spread {
  double mean = 0;
  double error = 0;  // standard error of the mean: deviation (n - 1) / sqrt(n); 0 for one value
};
Spread spread_of(const std::vector<double>& values);

}  // namespace duel::gan::lab
