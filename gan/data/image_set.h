// A set of images in host memory, as read from files or drawn: no tensors, just bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace duel::gan {

struct ImageSet {
  int64_t count = 0;
  int64_t height = 0;
  int64_t width = 0;
  std::vector<uint8_t> images;  ///< [count, channels, height, width], 0 background to 255 ink
  std::vector<uint8_t> labels;  ///< [count], or empty where the classes are not known
  std::string source;           ///< for people: the files read, or how it was drawn
  /// labels that there are, rising, where more than those that occur (class_names.h)
  std::vector<int64_t> classes = {};
  int64_t channels = 1;  ///< 1: gray, 3: red, green and blue
  /// What the classes are called, by their labels; empty, or an empty word, where they have no other name than the label.
  std::vector<std::string> words = {};
  std::string unlabelled = {};  ///< where labels were found that cannot be taken: why

  /// Bytes of one image.
  int64_t pixels() const { return channels * height * width; }
};

/// Called by readers with [count, height, width], of images in colour with 3 behind them, before memory is taken for the
/// pixels; throws where they do not suit.
using CheckShape = std::function<void(const std::vector<int64_t>& shape)>;

/// Images begin to end - 1 with their labels.
ImageSet part_of(const ImageSet& set, int64_t begin, int64_t end);

}  // namespace duel::gan
