// Images as NumPy's arrays, written batch by batch: however many there are, no more than a batch lies in memory.
//
//   .npy   u8 [N, H, W, C] in C order, C = 1 or 3
//   .npz   the same as arr_0 and, where there are labels, i64 [N] as arr_1: what guided-diffusion's scripts write and its evaluator
//          reads. Stored, not deflated, as numpy.savez does; at most 4 GiB
//
// read_images (image_files.h) reads both back.
//
// Example:
//   ImageArrayWriter file("samples.npz", 50'000, 28, 28, 1);
//   for (…) file.add(batch);
//   file.finish(labels);
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "duel/core/io/whole_file.h"

namespace duel::gan {

class ImageArrayWriter {
 public:
  /// The name's ending says which. Error for another one, for sizes below 1, for channels other than 1 and 3, and for a .npz that would be
  /// too large; nothing has its name before finish().
  ImageArrayWriter(const std::filesystem::path& path, int64_t count, int64_t height, int64_t width,
                   int64_t channels);

  /// Whole images, their pixels' channels together: [n, H, W, C].
  void add(std::span<const uint8_t> images);
  /// After all `count` images. Labels are for a .npz: one for each image, or none.
  void finish(std::span<const int64_t> labels = {});

 private:
  struct Entry {
    std::string name;
    uint64_t offset = 0, size = 0;
    uint32_t crc = 0;
  };
  void begin(const std::string& name, const std::string& header, uint64_t data);
  void write(std::span<const uint8_t> bytes);
  void end();

  std::filesystem::path path_;
  bool zip_;
  int64_t count_;
  uint64_t bytes_, added_ = 0;  // of pixels
  uint64_t position_ = 0;
  std::vector<Entry> entries_;
  WholeFile file_;
};

/// [n, C, H, W] to [n, H, W, C].
std::vector<uint8_t> channels_last(std::span<const uint8_t> planes, int64_t channels, int64_t height,
                                   int64_t width);

}  // namespace duel::gan
