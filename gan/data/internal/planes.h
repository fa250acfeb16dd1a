// How pixels lie, and their sides: what every reader of images does with them. Internal to gan/data.
#pragma once

#include <cstdint>
#include <vector>

#include "duel/gan/data/image_set.h"

namespace duel::gan::detail {

/// What CheckShape (image_files.h) is shown of a set.
std::vector<int64_t> shape_of(const ImageSet& set);

/// [N, H, W, C] as [N, C, H, W].
std::vector<uint8_t> with_channels_first(const std::vector<uint8_t>& images, const ImageSet& set);

/// [N, C, W, H] as [N, C, H, W]: sides and pixels exchanged.
void transpose(ImageSet& set);

/// Colours as their brightness, (77 red + 150 green + 29 blue) / 256 rounded down, as stb_image has it.
void make_gray(ImageSet& set);

/// The square in the middle, of the shorter side, brought to side x side pixels: the mean over areas where that is
/// smaller, bilinear between centres of pixels where it is larger. Integer arithmetic, rounded once. side: 1 to 4096.
void resize(ImageSet& set, int64_t side);

}  // namespace duel::gan::detail
