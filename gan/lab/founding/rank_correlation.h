// Spearman's rank correlation with an interval, of one run and of several.
#pragma once

#include <cstdint>
#include <vector>

#include "duel/gan/judge/interval.h"

namespace duel::gan::lab {

/// Pearson's correlation of the ranks, equal values sharing the mean of theirs; x and y of the same length, 4 or
/// more. 95 % interval by Fisher's transformation with the variance (1 + r^2 / 2) / (n - 3) (Bonett & Wright 2000),
/// for independent pairs. Values along one run are not: there it is too narrow. NaN where one side is constant.
Estimate rank_correlation(const std::vector<double>& x, const std::vector<double>& y);

/// Of runs that each gave a correlation of `pairs` pairs, 4 or more: the mean by Fisher's transformation and Student's
/// 95 % interval of it over the runs, which holds whatever ties the pairs of one run together. It is never narrower than
/// with independent pairs: correlations of few ranks are often equal, and say nothing of their spread then. A
/// correlation of 1, which the transformation has no value for, counts as half the way from there to the next one that
/// so many ranks can have, 12 / (pairs (pairs^2 - 1)) below. Runs that are NaN do not count; of one that is left the
/// interval is NaN, of none all. The error is Student's, on the transformation.
Estimate mean_correlation(const std::vector<double>& of_runs, int64_t pairs);

}  // namespace duel::gan::lab
