// What runs of several seeds say together.
#pragma once

#include <vector>

#include "duel/gan/judge/interval.h"

namespace duel::gan::lab {

/// Student's 95 % interval of the mean; NaN of fewer than two values.
Estimate mean_of_runs(const std::vector<double>& values);

/// The geometric mean of positive values, such as distances or their ratios, and its interval, both by mean_of_runs() of
/// the logarithms, whose error it has. NaN where one of them is.
Estimate ratio_of_runs(const std::vector<double>& values);

/// a[i] / b[i], of equal lengths.
std::vector<double> ratios(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace duel::gan::lab
