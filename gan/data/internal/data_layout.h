// What a file or a folder of images is, and which files belong to its two halves. Internal to the readers of gan/data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/data/idx.h"
#include "duel/gan/data/internal/zip.h"

namespace duel::gan::detail {

enum class Form { mnist, idx, cifar, npy, npz, pictures };

/// The files of training or of test images.
struct DataHalf {
  Form form = Form::mnist;
  std::vector<std::filesystem::path> files = {};           // of mnist the folder, as load_mnist takes it
  Split split = Split::train;                              // of mnist
  std::vector<uint8_t> labels = {};                        // of pictures; empty: none
  std::vector<std::string> words = {};                     // of pictures, by label
  std::string unlabelled = {};                             // ImageSet::unlabelled
  std::optional<ZipEntry> images = {}, image_labels = {};  // of npz
};

struct DataLayout {
  std::string kind;  // for people: "IDX files", "CIFAR-10", …
  std::optional<DataHalf> train = {}, test = {};
};

/// By what lies there: a file by its content, a folder by the names in it. What has one half only has it as `train`.
/// Error for what is none of the forms of images, or is not there.
DataLayout layout_of(const std::filesystem::path& path);

inline constexpr int64_t kCifarSide = 32, kCifarClasses = 10, kCifarRecord = 1 + 3 * kCifarSide * kCifarSide;

}  // namespace duel::gan::detail
