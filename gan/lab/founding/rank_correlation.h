// Spearman's rank correlation with an interval.
#pragma once

#include <vector>

#include "duel/gan/judge/interval.h"

namespace duel::gan::lab {

/// Pearson's correlation of the ranks, equal values sharing the mean of theirs; x and y of the same length, 4 or
/// more. 95 % interval by Fisher's transformation with the variance (1 + r^2 / 2) / (n - 3) (Bonett & Wright 2000),
/// for independent pairs. Values along one run are not: there it is too narrow. NaN where one side is constant.
Estimate rank_correlation(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace duel::gan::lab
