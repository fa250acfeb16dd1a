// The range of an axis from what is drawn along it. Internal: who draws a Plot includes it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "duel/gan/picture/plot.h"

namespace duel::gan::detail {

/// Collects the ends of what is to be seen.
struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void take(double v, bool logarithmic) {
    if (!std::isfinite(v) || (logarithmic && v <= 0)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  Range with_margin(bool logarithmic, double margin) const {
    if (!(low <= high)) return logarithmic ? Range{0.1, 10} : Range{0, 1};
    if (logarithmic) {
      const double factor = high > low ? std::pow(high / low, margin) : 2.0;
      return {low / factor, high * factor};
    }
    const double room = high > low ? (high - low) * margin : std::max(std::abs(high), 1.0) * 0.5;
    return {low - room, high + room};
  }
};

}  // namespace duel::gan::detail
