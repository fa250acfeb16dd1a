// How alike the samples of one class are: the mean structural similarity on several scales of random pairs
// (Wang, Simoncelli & Bovik 2003; for samples of a GAN Odena et al. 2017). 1: all equal. Samples of a G that
// collapsed within its classes are more alike than real ones.
//
// Images of 28 x 28 have room for three scales of a window of 7 (28, 14, 7), not for the five scales of 11
// that photographs get; so the weights are the first three of the paper's, brought to sum 1, and values cannot
// be compared with those of other settings. Of smaller images fewer scales are used, of larger ones up to five: as
// many as a window fits.
//
// Example:
//   Estimate alike = class_similarity(fakes, classes_of(probabilities));
#pragma once

#include <cstdint>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/judge/interval.h"

namespace duel::gan {

struct MsSsimOptions {
  double range = 2;    // of the values: 2 for images in [-1, 1]
  int64_t window = 7;  // side of the Gaussian window, odd; only places where it lies inside count
  double sigma = 1.5;  // its deviation, in pixels of every scale
  int64_t scales = 3;  // at most; 1 to 5, each half as large as the one before (means of 2 x 2 pixels)
};

/// Of images a[i] and b[i]: f32 or f64 [N, C, H, W] of one shape, channels one by one and averaged. N values, -1
/// to 1, computed in f64: the product over the scales of the mean contrast and structure (of the last with the
/// luminance), to the power of the scale's weight; a mean below 0 counts as 0. Error where an image is smaller
/// than the window.
std::vector<double> ms_ssim(const Tensor& a, const Tensor& b, const MsSsimOptions& options = {});

/// Mean over classes of the mean over up to `pairs` random pairs of one class. No sample is in two pairs, so the
/// pairs are independent; a class of one sample has none and is left out. Error where no class has a pair.
/// classes: of every image, numbers from 0.
Estimate class_similarity(const Tensor& images, const std::vector<int64_t>& classes, int64_t pairs = 200,
                          uint64_t seed = 1, const MsSsimOptions& options = {});

}  // namespace duel::gan
