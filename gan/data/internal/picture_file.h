// A PNG or JPEG file as pixels, gray or in colour. Internal to the readers of gan/data.
//
// Note [What is checked before it is decoded]
// stb_image decodes, but it checks no checksum and believes the compressed data about its length. So every chunk's
// length and CRC are checked first, and the data must unpack to no more than its header says (PNG specification,
// sections 5.3, 5.4 and 10). Of a JPEG every segment is gone through first: stb_image
// (2.27) writes past its tables where one defines too many codes, reads tables that were never defined, and takes what is
// missing at the end for gray. A picture of more than 100 scans is refused: each may make it go through the whole picture.
// How a camera was held (EXIF) is not looked at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace duel::gan::detail {

struct PictureSize {
  int64_t height = 0, width = 0;
  bool colour = false;  // by its header, whatever its pixels are
};

/// [channels, height, width], 0 black to 255 white, 16 bits as 8, transparency left out. `channels_for` says how many:
/// 1, colours as their brightness, or 3; it may throw before anything is decoded. Errors start with "[png] FILE: " or "[jpeg] FILE: ".
std::vector<uint8_t> read_picture_file(const std::filesystem::path& path,
                                       const std::function<int(const PictureSize&)>& channels_for);

/// Whether the file's name ends in .png, .jpg or .jpeg, large or small.
bool is_picture_name(const std::filesystem::path& path);

}  // namespace duel::gan::detail
