// A PNG file as gray pixels. Internal to the readers of gan/data.
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
};

/// [height, width], 0 black to 255 white: colours as their brightness, 16 bits as 8, transparency left out.
/// `check_size` may throw before anything is decoded. Errors start with "[png] FILE: ".
std::vector<uint8_t> read_png_gray(const std::filesystem::path& path,
                                   const std::function<void(const PngSize&)>& check_size);

}  // namespace duel::gan::detail
