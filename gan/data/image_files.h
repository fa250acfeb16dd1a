// Images from whatever holds them, told by its content and not by its name:
//   an IDX file (idx.h), plain or gzip, or a folder with MNIST's files: its test images, else its training ones
//   .npy and .npz of NumPy: u8, f32 or f64; [N, H, W], [N, C, H, W] or [N, H, W, C] of C = 1 channel, in C order
//   a folder of PNGs, all of one size, in the order of their names; colours become gray
// Where colours are kept, arrays may have C = 3, and a folder of colour PNGs gives 3 channels.
//
// Floats are taken as G's, -1 to 1, where any is negative, else as 0 to 1, and become bytes: what lies outside by more
// than rounding is an error. A .npz holds one array of images, or several of which one is called images or arr_0.
//
// Nothing is believed about sizes: a shape must go with the bytes that are there before memory is taken for it. Limits
// are those of idx.h: sides of 1 to 4096 pixels, 2^30 pixels in all.
//
// Example:
//   const ImageSet fakes = read_images("samples.npz");
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "duel/gan/data/image_set.h"

namespace duel::gan {

/// Whether images may have red, green and blue, or are gray.
enum class Colours { gray, kept };

/// Called with [count, height, width], of images in colour with 3 behind them, before memory is taken for the pixels;
/// throws where they do not suit.
using CheckShape = std::function<void(const std::vector<int64_t>& shape)>;

/// Error naming the file, what was wrong and what would be right. Labels only from a folder with MNIST's files.
ImageSet read_images(const std::filesystem::path& path, const CheckShape& check_shape = {},
                     Colours colours = Colours::gray);

/// One PNG as a set of one image.
ImageSet read_picture(const std::filesystem::path& path, Colours colours = Colours::kept);

}  // namespace duel::gan
