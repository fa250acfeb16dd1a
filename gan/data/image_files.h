// Images from whatever holds them, told by its content and not by its name: what `--data`, `duel eval`, `duel invert` and
// `duel data` take.
//   folders of IDX files (idx.h: MNIST and its kin), or one such file, plain or gzip
//   CIFAR-10's binary version: data_batch_1.bin … and test_batch.bin, or one such file
//   folders of PNGs and JPEGs: of pictures without classes, with a sub-folder for each class, or with train/ and test/ of
//   either kind; the sub-folders' names are the classes'
//   .npy of NumPy: u8, f32 or f64; [N, H, W], [N, C, H, W] or [N, H, W, C], or one image, in C order
//   .npz, stored or deflated: such an array called images, arr_0, x_train, …, or the only one, and its labels: labels, arr_1,
//   y_train, …; x_test and y_test are its test half
//
// Floats are taken as G's, -1 to 1, where any is negative, else as 0 to 1, and become bytes: what lies outside by more
// than rounding is an error.
//
// Nothing is believed about sizes: a shape must go with the bytes that are there before memory is taken for it. Limits
// are those of idx.h: sides of 1 to 4096 pixels, 2^30 pixels in all, also of what is unpacked.
//
// Example:
//   const ImageSet fakes = read_images("samples.npz");
//   const ImageSet cats = read_half("pets", Split::train, {.resize = 32, .gray = true, .classes = "cat"});
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/data/idx.h"
#include "duel/gan/data/image_set.h"

namespace duel::gan {

/// Whether images may have red, green and blue, or are gray: pictures become so, arrays in colour are refused.
enum class Colours { gray, kept };

/// What becomes of images as they are read.
struct ImageOptions {
  /// The square in their middle is brought to so many pixels a side: the mean over areas where that is smaller, bilinear
  /// where it is larger. 0: they stay as they are, and must be of one size.
  int64_t resize = 0;
  bool gray = false;         // colours as their brightness
  std::string classes = {};  // those alone: "3,8", "1-5", "cat,dog"; empty: all
};

/// All images of a file, or of a folder's test half where it has one, else of its training half. `check_shape` is shown
/// what the options leave of them, but for classes. Error naming the file, what was wrong and what would be right.
ImageSet read_images(const std::filesystem::path& path, const CheckShape& check_shape = {},
                     Colours colours = Colours::gray, const ImageOptions& options = {});

/// The training or the test images. What has one half only has it as the training one; Error for the other then.
ImageSet read_half(const std::filesystem::path& path, Split split, const ImageOptions& options = {},
                   const CheckShape& check_shape = {}, Colours colours = Colours::kept);
bool has_half(const std::filesystem::path& path, Split split);

/// What lies there, for people: "IDX files", "CIFAR-10", ….
std::string kind_of_data(const std::filesystem::path& path);

/// One PNG or JPEG as a set of one image.
ImageSet read_picture(const std::filesystem::path& path, Colours colours = Colours::kept);

/// Where a run's images come from.
struct DataPlace {
  std::filesystem::path path = {};  // empty: digits are drawn
  std::string why = {};             // for people
};
/// `chosen` if it is given, else $DUEL_DATA if it is set, else data/mnist where that has training images, else none;
/// folders as find_mnist finds them.
DataPlace locate_data(const std::optional<std::filesystem::path>& chosen = std::nullopt);

}  // namespace duel::gan
