// The kernel distance of two sets of features (Binkowski et al. 2018, there of Inception's features, "KID"):
// the squared maximum mean discrepancy under k(x, y) = (x . y / D + 1)^3, unbiased, so 0 on average for two
// sets of one kind, and below 0 half the time.
//
//   sum_{i != j} k(x_i, x_j) / n(n - 1) + sum_{i != j} k(y_i, y_j) / m(m - 1) - 2 sum_ij k(x_i, y_j) / nm
//
// All pairs are used: that is more certain than the mean over subsets that torchmetrics and clean-fid report,
// which estimates the same number and is there to be compared with theirs.
//
// Example:
//   Estimate kid = kernel_distance(judge.features(real), judge.features(fake));
#pragma once

#include <cstdint>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/interval.h"

namespace duel::gan {

/// a [N, D], b [M, D]: f32 or f64, computed in f64; N and M at least 3. The error is that of the jackknife
/// that leaves out each sample of both sets once. N = M = 10,000, D = 128: about 80 GFLOP, 20 MB beside the
/// features.
Estimate kernel_distance(const Tensor& a, const Tensor& b);

struct SubsetDistance {
  double mean = 0, deviation = 0;  // over the subsets; the deviation over `subsets` - 1
};
/// As torchmetrics' and clean-fid's: the same of `subsets` pairs of subsets of `size` samples, each drawn without
/// repetition. size is cut at N and M. The deviation is that of a subset's value, not the error of the mean.
SubsetDistance subset_kernel_distance(const Tensor& a, const Tensor& b, int64_t subsets = 100,
                                      int64_t size = 1000, uint64_t seed = 1);

}  // namespace duel::gan
