// The samples of a training set that are nearest to generated ones, and how many of those are copies.
//
// Example:
//   Neighbours near = nearest(fakes, training_images, 3);             // in pixels; features do as well
//   double copied = share_of_copies(fakes, test_images, training_images).share.value;   // 0.01: no more than chance
#pragma once

#include <cstdint>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/interval.h"

namespace duel::gan {

struct Neighbours {
  Tensor index;     // i64 [N, k], nearest first
  Tensor distance;  // f64 [N, k], Euclidean
};

/// The k nearest of `among` [M, ...] to each of `points` [N, ...]: f32 or f64 samples of one shape, flattened; k at
/// most M. Of f32 sets the search is in f32 and the distances of what it found in f64: neighbours whose distances
/// differ by less than a millionth may change places, or the last one with the next. 10,000 images of 784 pixels
/// among 60,000: 940 GFLOP.
Neighbours nearest(const Tensor& points, const Tensor& among, int64_t k = 1);

struct Copies {
  Estimate share;       // of fakes as near to a training sample as a copy
  double distance = 0;  // how near that is
  double baseline = 0;  // the same share of held-out real samples
};

/// A copy is nearer to a training sample than all but a share `baseline` of real samples that were not trained on.
/// Without copying the share is the baseline; of a G that gives its training set back, 1. The interval knows both
/// the fakes' and the held-out samples' chance. baseline above 0 and below 1.
Copies share_of_copies(const Tensor& fake, const Tensor& held_out, const Tensor& training,
                       double baseline = 0.01, uint64_t seed = 1);

}  // namespace duel::gan
