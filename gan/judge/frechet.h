// The Frechet distance of two sets of features, as if each were Gaussian (Heusel et al. 2017, there of
// Inception's features, "FID"; Dowson & Landau 1982):
//
//   |mu1 - mu2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2)
//
// in squared units of the features. The last trace is the sum of the singular values of C1^1/2 C2^1/2, which
// is found without squaring, so that singular covariances (N <= D, features that are always 0) cost no digits.
//
// Samples make it too large, by about b / N (of N(0, 1) in D dimensions against itself, N each:
// 2 D / N + D (D + 1) / 2N): a value means something beside one of real samples at the same sizes, its floor.
// Numbers of other features, Inception's among them, cannot be compared with it.
//
// Example:
//   double fd = frechet_distance(judge.features(real), judge.features(fake));
#pragma once

#include <cstdint>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/interval.h"

namespace duel::gan {

struct Moments {
  Tensor mean;        // f64 [D]
  Tensor covariance;  // f64 [D, D], unbiased (over N - 1)
};

/// features: f32 or f64 [N, D], N at least 2, finite. Computed in f64.
Moments moments_of(const Tensor& features);

/// Never below 0; 0 within rounding (1e-13 of the traces) for equal moments. Error where means and covariances
/// do not fit each other or hold what is not finite. Of a covariance the symmetric part counts; eigenvalues
/// below rounding, D x 2e-16 of the largest, count as 0.
double frechet_distance(const Moments& a, const Moments& b);
/// The same of moments_of() both: of at least 2 samples each.
double frechet_distance(const Tensor& a, const Tensor& b);

struct FrechetEstimate {
  Estimate plain;     // frechet_distance(a, b), and the interval of its expectation at these sizes
  Estimate infinite;  // without the bias of finite samples: for the distributions themselves, as FID-infinity
                      // (Chong & Forsyth 2020). Below 0 by chance alone; its interval is cut at 0.
};

/// By a jackknife over `groups` (2 or more) random groups of each set, or each sample where there are fewer. N at
/// least 4.
FrechetEstimate estimate_frechet(const Tensor& a, const Tensor& b, int64_t groups = 50, uint64_t seed = 1);

}  // namespace duel::gan
