// Precision, recall, density and coverage: whether samples lie where real ones do, and whether they are
// everywhere there. A set's region is made of balls around its samples that reach to their k-th neighbour in
// the set.
//
//   precision  share of fakes in a ball of a real sample             (Kynkaanniemi et al. 2019)
//   recall     share of real samples in a ball of a fake             (the same)
//   density    real balls that a fake lies in, mean over fakes, / k  (Naeem et al. 2020); may pass 1
//   coverage   share of real samples with a fake in their ball       (the same)
//
// One k for all four. 5 is Naeem's, 3 Kynkaanniemi's; values of different k or of different numbers of samples
// cannot be compared. A ball has its surface: a distance equal to the radius is inside, as in both papers.
//
// The intervals are those of 63 random halves of both sets (half the samples vary as much around the whole as the
// whole does around its expectation): leaving out single samples or resampling whether each fake is inside, with
// the real balls held, says errors that are off by half to twice.
//
// Example:
//   Manifold m = manifold(judge.features(real), judge.features(fake));
//   m.precision.value, m.coverage.interval.low
#pragma once

#include <cstdint>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/interval.h"

namespace duel::gan {

struct Manifold {
  Estimate precision, recall, density, coverage;
};

/// real [N, D], fake [M, D]: f32 or f64, computed in f64; N and M at least 2 k + 2. N = M = 10,000, D = 128: about
/// 77 GFLOP, 60 MB beside the features.
Manifold manifold(const Tensor& real, const Tensor& fake, int64_t k = 5, uint64_t seed = 1);

}  // namespace duel::gan
