// A PNG file as pixels, gray or in colour. Internal to the readers of gan/data.
//
// Note [What is checked before it is decoded]
// stb_image decodes, but it checks no checksum and believes the compressed data about its length. So every chunk's
// length and CRC are checked first, and the data must unpack to no more than its header says (PNG specification,
// sections 5.3, 5.4 and 10).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace duel::gan::detail {

struct PngSize {
  int64_t height = 0, width = 0;
  bool colour = false;  // by its header, whatever its pixels are
};

/// [channels, height, width], 0 black to 255 white, 16 bits as 8, transparency left out. `channels_for` says how many:
/// 1, colours as their brightness, or 3; it may throw before anything is decoded. Errors start with "[png] FILE: ".
std::vector<uint8_t> read_png(const std::filesystem::path& path,
                              const std::function<int(const PngSize&)>& channels_for);

}  // namespace duel::gan::detail
