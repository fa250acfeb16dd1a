// Internal to gan/run/: samples of a trainer as bytes, and what a judge reads in images.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "duel/gan/data/image_set.h"
#include "duel/gan/judge/comparison.h"
#include "duel/gan/judge/judge.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"

namespace duel::gan::detail {

/// `count` images of G, some at a time: `next` gives so many points, `use` is given their pixels and labels. Batches of G are all of one
/// size. Error where G gives values that are not finite, or no images.
void each_batch(Trainer& trainer, int64_t count, const std::function<Latents(int64_t n)>& next,
                const std::function<void(const ImageSet& images, const Tensor& labels)>& use);

/// `count` images from these streams, classes and codes drawn as in training. Batches of G are all of one size: an image's
/// bits do not depend on how many are wanted. Error where G gives values that are not finite, or no images.
ImageSet sampled_images(Trainer& trainer, int64_t count, LatentGenerators& random);

/// Pixels of one image of a set, to compare it with others.
std::string_view bytes_of(const ImageSet& set, int64_t i);
/// How many of `images` are in `known`, pixel for pixel.
int64_t in_both(const ImageSet& known, const ImageSet& images);

/// All images, [N, C, H, W] in [-1, 1].
Tensor pixels_of(const ResidentData& data);
/// What the judge says of images, in host memory, without their pixels as floats: 188 MB of MNIST's training set.
SampleSet judged(const Judge& judge, const ResidentData& data);
/// The same with the pixels.
SampleSet read_by(const Judge& judge, const ResidentData& data);
/// Stacked digits, each colour read by itself: the probabilities of the 1,000 kinds are products of the three's. Without
/// features and pixels. 4 kB a sample.
SampleSet judged_stacked(const Judge& judge, const ResidentData& data);
struct StackedReading {
  std::vector<int64_t> kinds;  // the likeliest of each, 100 a + 10 b + c
  Tensor features = {};        // f32 [3 N, Judge::feature_count] of their digits, in host memory
};
StackedReading read_stacked(const Judge& judge, const ResidentData& data);
/// The judge of Duel's own that was trained on such images.
std::string default_judge(bool drawn);

}  // namespace duel::gan::detail
