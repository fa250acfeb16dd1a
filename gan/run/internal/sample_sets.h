// Internal to gan/run/: samples of a trainer as bytes, and what a judge reads in images.
#pragma once

#include "duel/gan/data/image_set.h"
#include "duel/gan/judge/comparison.h"
#include "duel/gan/judge/judge.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"

namespace duel::gan::detail {

/// `count` gray images of height x width from these streams, classes and codes drawn as in training. Batches of G are all of one
/// size: an image's bits do not depend on how many are wanted. Error where G gives values that are not finite.
ImageSet sampled_images(Trainer& trainer, int64_t height, int64_t width, int64_t count,
                        LatentGenerators& random);

/// All images, [N, 1, H, W] in [-1, 1].
Tensor pixels_of(const ResidentData& data);
/// What the judge says of images, in host memory, without their pixels as floats: 188 MB of MNIST's training set.
SampleSet judged(const Judge& judge, const ResidentData& data);
/// The same with the pixels.
SampleSet read_by(const Judge& judge, const ResidentData& data);
/// The judge of Duel's own that was trained on such images.
std::string default_judge(bool drawn);

}  // namespace duel::gan::detail
