// How sure a measure is: 95 % intervals by the jackknife.
//
// Note [What an interval is for]
// A measure of n against m samples is a number drawn at random, with an expectation. The interval is for that
// expectation: what the measure gives on average for samples of these two kinds at these sizes. So it may be
// held against a floor and against other values at the same sizes, also where a measure has a bias that falls
// with the size (fd, class_kl, class_tv). fd_infinite has its bias removed, and its interval is for the
// distance of the distributions themselves.
//
// Note [Why no bootstrap]
// Samples that are drawn twice are each other's neighbours at distance 0 and take a covariance's last
// dimensions away: a bootstrap of a Frechet distance or of nearest neighbours is biased by more than the
// interval is wide. Leaving samples out has no such fault: one after the other where a formula gives all those
// values at once (kid, classes), 20 to 50 random groups where not (fd, copies), each set by itself and the two
// variances added; half of both sets, 63 times, for what depends on neighbours (precision and its kin), of which
// leaving out one says too much. Pairs of ms_ssim share no image and need none of it. Quantiles are Student's,
// with Welch's degrees of freedom. Shares get Wilson's interval with the number of samples that the error is
// worth: it neither passes 0 and 1 nor has width 0 there. tests/gan/judge/ has the coverage of every interval on
// 200 draws, of known truth or of the mean of the draws: 90 to 99 of 100. Errors are rather too large near a
// floor, where both sets are of one kind (Efron & Stein 1981: never too small on average), and no interval knows a
// bias: of fd, class_kl and class_tv it is for the expectation.
//
// Example:
//   Jackknife of_real = delete_groups(whole, without_group, group_sizes);
//   Interval range = interval_of(whole, {of_real, of_fake});
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <vector>

namespace duel::gan {

struct Interval {
  double low = 0, high = 0;
};

/// A measure with its standard error and 95 % interval.
struct Estimate {
  double value = 0, error = 0;
  Interval interval = {};
};

/// What leaving out parts of one set of samples says about a measure.
struct Jackknife {
  double bias = 0;      // of the measure, as far as it comes from this set's size
  double variance = 0;  // of the measure, from this set
  double degrees = 1;   // of freedom of that variance
};

/// From `whole`, the measure of all samples, and without[k], that of all but group k of sizes[k] samples; two
/// groups or more. Busing, Meijer & van der Leeden 1999 (groups of unequal size), whose equal case is Quenouille's
/// bias and Tukey's variance.
inline Jackknife delete_groups(double whole, const std::vector<double>& without,
                               const std::vector<int64_t>& sizes) {
  const auto groups = static_cast<double>(without.size());
  double samples = 0, mean = 0;
  for (const int64_t size : sizes) samples += static_cast<double>(size);
  std::vector<double> pseudo(without.size()), weight(without.size());
  Jackknife result{.degrees = std::max(groups - 1, 1.0)};
  double corrected = groups * whole;
  for (size_t k = 0; k < without.size(); ++k) {
    const double h = samples / static_cast<double>(sizes[k]);
    pseudo[k] = h * whole - (h - 1) * without[k];
    weight[k] = 1 / (h - 1);
    corrected -= (1 - 1 / h) * without[k];
    mean += pseudo[k] / h;
  }
  result.bias = whole - corrected;
  for (size_t k = 0; k < without.size(); ++k)
    result.variance += (pseudo[k] - mean) * (pseudo[k] - mean) * weight[k] / groups;
  return result;
}

/// 97.5 % quantile of Student's t, to 1e-5; degrees may be a fraction, below 1 they count as 1. From 30 degrees on by its
/// expansion around the normal one (Abramowitz & Stegun 26.7.5). Below that it is too small, by 24 % at 1 and 3 % at 2: there
/// P(|T| < sqrt(v) tan a), the share of the integral of cos^(v - 1) from 0 to pi/2 that lies below a, is solved for a.
inline double student_quantile(double degrees) {
  constexpr double z = 1.959963984540054, z2 = z * z;
  const double v = std::max(degrees, 1.0);
  const double expansion = z + z * (z2 + 1) / (4 * v) + z * ((5 * z2 + 16) * z2 + 3) / (96 * v * v) +
                           z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * v * v * v);
  if (v >= 30) return expansion;
  const auto density = [v](double a) { return std::pow(std::cos(a), v - 1); };
  const auto integral = [&](double to) {  // Simpson's rule
    constexpr int kParts = 128;
    double sum = density(0) + density(to);
    for (int k = 1; k < kParts; ++k) sum += (k % 2 == 1 ? 4 : 2) * density(to * k / kParts);
    return sum * to / (3 * kParts);
  };
  const double wanted = 0.95 * std::sqrt(std::acos(-1.0)) / 2 * std::tgamma(v / 2) / std::tgamma((v + 1) / 2);
  // The integral is concave, so that Newton's steps from below end at the root.
  double a = std::atan(expansion / std::sqrt(v));
  for (int k = 0; k < 8; ++k) a += (wanted - integral(a)) / density(a);
  return std::sqrt(v) * std::tan(a);
}

/// Variance of the sum of independent parts, its degrees of freedom by Welch's formula.
inline Jackknife combined(std::initializer_list<Jackknife> parts) {
  Jackknife sum{.degrees = 0};
  double squares = 0;
  for (const Jackknife& part : parts) {
    sum.bias += part.bias;
    sum.variance += part.variance;
    squares += part.variance * part.variance / part.degrees;
    sum.degrees += part.degrees;
  }
  if (squares > 0) sum.degrees = sum.variance * sum.variance / squares;
  return sum;
}

/// value +- quantile x error, cut at what the measure can be.
inline Estimate estimate_of(double value, const Jackknife& parts, double lowest = 0,
                            double highest = std::numeric_limits<double>::infinity()) {
  const double error = std::sqrt(parts.variance), reach = student_quantile(parts.degrees) * error;
  return {
      value, error, {std::clamp(value - reach, lowest, highest), std::clamp(value + reach, lowest, highest)}};
}

/// Of a share of n samples, 0 to 1, at the normal quantile t or one of Student's (Wilson 1927).
inline Interval wilson_interval(double share, double n, double t) {
  const double middle = (share + t * t / (2 * n)) / (1 + t * t / n);
  const double reach = t / (1 + t * t / n) * std::sqrt(share * (1 - share) / n + t * t / (4 * n * n));
  return {std::clamp(middle - reach, 0.0, share), std::clamp(middle + reach, share, 1.0)};
}

/// For a share of `samples` samples, 0 to 1: Wilson's interval with as many independent samples as give
/// the error; where the error is 0 with `samples`.
inline Estimate share_of(double share, const Jackknife& parts, int64_t samples) {
  const double spread = share * (1 - share);
  const double n = parts.variance > 0 && spread > 0 ? spread / parts.variance : static_cast<double>(samples);
  return {share, std::sqrt(parts.variance), wilson_interval(share, n, student_quantile(parts.degrees))};
}

}  // namespace duel::gan
