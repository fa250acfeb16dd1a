// Samples beside the training images that are nearest to them. Internal to gan/run.
#pragma once

#include <filesystem>

#include "duel/core/tensor/tensor.h"
#include "duel/gan/data/image_set.h"

namespace duel::gan::detail {

/// A row for each of the ten samples that are nearest to any training image, the nearest first, and for each of ten
/// others, the first of the set: the sample, then its five nearest training images by the judge's features, each over
/// its distance. Written atomically.
void write_neighbours(const std::filesystem::path& file, const ImageSet& samples, const Tensor& features,
                      const ImageSet& training, const Tensor& training_features);

}  // namespace duel::gan::detail
