// IDX, the format of MNIST and its kin (Fashion-MNIST, KMNIST, EMNIST, QMNIST), plain or gzip: strict reading, and writing.
//
// Format: bytes 00 00, element type (08 = u8, 0c = i32), rank; rank big-endian u32 dimensions; the elements, row-major.
// Images are u8 of rank 3, or of rank 4 with 1 or 3 channels; labels u8 of rank 1, or QMNIST's: i32, of rank 2 the first
// column. Whether a file is gzip is told by its content, not by its name.
//
// Limits: sides of 1 to 4096 pixels, at most 2^30 elements a file. A file is never believed about its size:
// a plain one must have exactly the length that its dimensions say before anything is allocated, a gzip one
// is unpacked piece by piece and no further than its dimensions say.
//
// Errors: duel::Error, one line "[idx] FILE: FIELD: expected …, got …; REMEDY".
//
// Example:
//   std::filesystem::path dir = find_mnist();
//   ImageSet set = dir.empty() ? draw_digits(60000, 1) : load_mnist(dir, Split::train);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "duel/gan/data/image_set.h"

namespace duel::gan {

enum class Split { train, test };

/// Images and labels of one split from a folder with MNIST's file names: {train,t10k}-{images-idx3,
/// labels-idx1}-ubyte, also with a dot for the second dash, each with or without ".gz"; images-idx4 of images with
/// channels. Also with QMNIST's (qmnist-{train,test}-…, labels-idx2-int) and EMNIST's (emnist-SPLIT-{train,test}-…), whose
/// images lie on their side and are turned upright; of several of EMNIST's splits in one folder `dir` is DIR/emnist-SPLIT.
/// Without a file of labels the set has none. Labels are as in the file: class_names.h counts their classes; of EMNIST's
/// letters the set has the words.
ImageSet load_mnist(const std::filesystem::path& dir, Split split, const CheckShape& check_shape = {});

/// Whether the folder has a file of images of this split under one of those names.
bool has_mnist(const std::filesystem::path& dir, Split split);

/// The folder, or the folder and EMNIST's split, and the half of it, as load_mnist takes them for this file of images;
/// nothing for a file of another name.
struct MnistHalf {
  std::filesystem::path dir;
  Split split;
};
std::optional<MnistHalf> mnist_half_of(const std::filesystem::path& file);

/// Where to look for MNIST: `chosen` if given, else $DUEL_DATA if set, else data/mnist if it holds training
/// images, else an empty path. The files may also lie in the folder's mnist/, MNIST/raw/ or, as torchvision keeps them, in
/// FashionMNIST/raw/, KMNIST/raw/, QMNIST/raw/, EMNIST/raw/, raw/: Error where they lie in several of these. What is chosen
/// and no such folder is returned as it is, so that its reader says what is missing.
std::filesystem::path find_mnist(const std::optional<std::filesystem::path>& chosen = std::nullopt);

/// Elements of a u8 IDX file and its dimensions.
struct IdxData {
  std::vector<int64_t> shape;
  std::vector<uint8_t> data;
};

/// Reads a u8 IDX file whose rank must be `rank` (1 to 4). `check_shape` may throw for its dimensions, before
/// memory is taken for its elements.
IdxData read_idx(const std::filesystem::path& path, int rank,
                 const std::function<void(const std::vector<int64_t>& shape)>& check_shape = {});

/// A file of images, and one of labels, as the head of this file says.
ImageSet read_idx_images(const std::filesystem::path& path, const CheckShape& check_shape = {});
std::vector<uint8_t> read_idx_labels(const std::filesystem::path& path);

/// Writes a u8 IDX file atomically, gzip if asked; the same input gives the same bytes, and read_idx reads
/// them. data.size() must be the product of `shape` (1 to 4 dimensions within the limits).
void write_idx(const std::filesystem::path& path, std::span<const int64_t> shape,
               std::span<const uint8_t> data, bool gzip);

/// Writes `set`, gray images, under MNIST's names into the existing folder `dir`; labels only if the set has them. Error
/// where a file there already would be read in place of what is written, or as its labels.
void write_mnist(const std::filesystem::path& dir, Split split, const ImageSet& set, bool gzip);

}  // namespace duel::gan
