// What is made of a list of times: quantiles, and when there are enough of them.
//
// Example:
//   const Summary s = summarize({3.0, 1.0, 2.0});   // s.median == 2
#pragma once

#include <cstdint>
#include <vector>

namespace duel::apps::bench {

/// The value below which a share q in [0, 1] of the ascending values lies, linearly interpolated between
/// neighbours (numpy's default). `sorted` is not empty.
double quantile(const std::vector<double>& sorted, double q);

struct Summary {
  double median = 0, p10 = 0, p90 = 0, smallest = 0;
  int64_t count = 0;
  /// How far four fifths of the values lie apart, in per cent of the median.
  double spread_percent() const { return median > 0 ? 100 * (p90 - p10) / median : 0; }
};
/// Of at least one value, in any order.
Summary summarize(std::vector<double> values);

/// How many samples are taken: `wanted`, but none is begun after `seconds` once there are `least`.
struct SamplingPlan {
  int64_t wanted = 100, least = 10;
  double seconds = 3;
  bool enough(int64_t done, double passed) const {
    return done >= wanted || (done >= least && passed >= seconds);
  }
};

/// Calls per sample: as many as make one sample at least `target` seconds long, between 1 and `most`.
int64_t calls_per_sample(double seconds_of_one, double target, int64_t most);

/// The sizes of a sweep from `smallest` to `largest`, each 16 times the one before, `largest` always last.
std::vector<int64_t> sweep(int64_t smallest, int64_t largest);

}  // namespace duel::apps::bench
