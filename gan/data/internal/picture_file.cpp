// PNG and JPEG through stb_image, whose functions stay private to this file.
#include "duel/gan/data/internal/picture_file.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <fstream>
#include <memory>
#include <span>

#include "duel/gan/data/internal/image_limits.h"
#include "duel/kernels/base/error.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace duel::gan::detail {
namespace {

constexpr const char *kPng = "png", *kJpeg = "jpeg";
constexpr std::array<uint8_t, 8> kSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr int64_t kMaxFile = int64_t{1} << 28;

int64_t big_endian(const uint8_t* p) {
  return int64_t{p[0]} << 24 | int64_t{p[1]} << 16 | int64_t{p[2]} << 8 | int64_t{p[3]};
}

std::vector<uint8_t> bytes_of(const std::filesystem::path& path, const std::string& file) {
  std::error_code error;
  DUEL_CHECK(std::filesystem::is_regular_file(path, error), kPng, "{}: is not a regular file", file);
  const auto length = static_cast<int64_t>(std::filesystem::file_size(path, error));
  DUEL_CHECK(!error && length <= kMaxFile, kPng, "{}: expected at most {} bytes, got {}", file, kMaxFile,
             length);
  std::vector<uint8_t> bytes(static_cast<size_t>(length));
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(bytes.data()), length);
  DUEL_CHECK(in && in.gcount() == length, kPng, "{}: could not be read", file);
  return bytes;
}

/// Unpacks one chunk after the other and throws the bytes away; Error past `most` of them.
class Meter {
 public:
  Meter(const std::string& file, int64_t most) : file_(file), most_(most) {
    DUEL_CHECK(::inflateInit(&stream_) == Z_OK, kPng, "{}: not enough memory for zlib", file);
  }
  ~Meter() { ::inflateEnd(&stream_); }
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  void add(std::span<const uint8_t> packed) {
    stream_.next_in = const_cast<uint8_t*>(packed.data());
    stream_.avail_in = static_cast<uInt>(packed.size());
    while (!ended_) {
      stream_.next_out = scratch_.data();
      stream_.avail_out = static_cast<uInt>(scratch_.size());
      const int status = ::inflate(&stream_, Z_NO_FLUSH);
      const auto got = static_cast<int64_t>(scratch_.size() - stream_.avail_out);
      unpacked_ += got;
      DUEL_CHECK(unpacked_ <= most_, kPng,
                 "{}: its pixels unpack to more than their {} bytes; get the file again", file_, most_);
      ended_ = status == Z_STREAM_END;
      DUEL_CHECK(ended_ || status == Z_OK || status == Z_BUF_ERROR, kPng,
                 "{}: corrupt ({}); get the file again", file_,
                 stream_.msg != nullptr ? stream_.msg : ::zError(status));
      if (stream_.avail_in == 0 && got == 0) break;
    }
  }
  bool ended() const { return ended_; }

 private:
  const std::string& file_;
  int64_t most_, unpacked_ = 0;
  bool ended_ = false;
  z_stream stream_{};
  std::array<uint8_t, 1 << 14> scratch_;
};

/// Note [What is checked before it is decoded].
void check_chunks(const std::vector<uint8_t>& bytes, const std::string& file,
                  const std::function<void(const PictureSize&)>& on_size) {
  DUEL_CHECK(
      bytes.size() >= kSignature.size() && std::equal(kSignature.begin(), kSignature.end(), bytes.begin()),
      kPng, "{}: is no PNG and no JPEG", file);
  std::unique_ptr<Meter> meter;
  const auto total = static_cast<int64_t>(bytes.size());
  int64_t at = 8;
  for (std::string type; type != "IEND";) {
    DUEL_CHECK(total - at >= 12 && big_endian(&bytes[static_cast<size_t>(at)]) <= total - at - 12, kPng,
               "{}: truncated after {} bytes; get the file again", file, total);
    const int64_t length = big_endian(&bytes[static_cast<size_t>(at)]);
    const uint8_t* chunk = &bytes[static_cast<size_t>(at) + 4];
    type.assign(reinterpret_cast<const char*>(chunk), 4);
    DUEL_CHECK(::crc32(::crc32(0, nullptr, 0), chunk, static_cast<uInt>(length + 4)) ==
                   static_cast<uLong>(big_endian(chunk + 4 + length)),
               kPng, "{}: the checksum of chunk {} is wrong; get the file again", file, in_quotes(type));
    const uint8_t* data = chunk + 4;
    DUEL_CHECK((at == 8) == (type == "IHDR") && (type != "IHDR" || length == 13), kPng,
               "{}: expected one IHDR chunk of 13 bytes at its begin; get the file again", file);
    if (type == "IHDR") {
      const int64_t width = big_endian(data), height = big_endian(data + 4);
      DUEL_CHECK(width >= 1 && width <= kMaxSide && height >= 1 && height <= kMaxSide, kPng,
                 "{}: expected sides of 1 to {} pixels, got {}x{}", file, kMaxSide, height, width);
      on_size({height, width, (data[9] & 2) != 0});  // 2, 3 and 6: true colours, a palette, with transparency
      // Four channels of 16 bits, and a byte for each line; seven passes have up to twice the lines, and lines end
      // in whole bytes.
      meter = std::make_unique<Meter>(file, 8 * height * width + 16 * (height + 8));
    } else if (type == "IDAT") {
      meter->add({data, static_cast<size_t>(length)});
    }
    at += length + 12;
  }
  DUEL_CHECK(meter->ended(), kPng, "{}: its pixels end too early; get the file again", file);
}

bool is_jpeg(const std::vector<uint8_t>& bytes) {
  return bytes.size() > 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

/// Note [What is checked before it is decoded].
void check_jpeg(const std::vector<uint8_t>& bytes, const std::string& file,
                const std::function<void(const PictureSize&)>& on_size) {
  constexpr int64_t kMostScans = 100;
  int width = 0, height = 0, stored = 0;
  DUEL_CHECK(
      stbi_info_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &stored) != 0,
      kJpeg, "{}: could not be decoded ({}); get the file again", file, stbi_failure_reason());
  DUEL_CHECK(width >= 1 && width <= kMaxSide && height >= 1 && height <= kMaxSide, kJpeg,
             "{}: expected sides of 1 to {} pixels, got {}x{}", file, kMaxSide, height, width);
  // Within the coded data 0xff stands before 0 or the number of a restart alone.
  int64_t scans = 0;
  bool ends = false;
  for (size_t i = 0; i + 1 < bytes.size(); ++i) {
    if (bytes[i] != 0xff) continue;
    const uint8_t marker = bytes[i + 1];  // 0xda begins a scan, 0xd9 ends the picture
    scans += marker == 0xda ? 1 : 0;
    if (marker == 0xda || marker == 0xd9) ends = marker == 0xd9;
  }
  DUEL_CHECK(scans <= kMostScans, kJpeg, "{}: expected at most {} scans, got {}; save it again", file,
             kMostScans, scans);
  DUEL_CHECK(ends, kJpeg, "{}: ends too early, after {} bytes; get the file again", file, bytes.size());
  on_size({height, width, stored >= 3});
}

}  // namespace

bool is_picture_name(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

std::vector<uint8_t> read_picture_file(const std::filesystem::path& path,
                                       const std::function<int(const PictureSize&)>& channels_for) {
  const std::string file = path.string();
  const std::vector<uint8_t> bytes = bytes_of(path, file);
  int width = 0, height = 0, stored = 0, channels = 1;
  const bool jpeg = is_jpeg(bytes);
  (jpeg ? check_jpeg : check_chunks)(bytes, file,
                                     [&](const PictureSize& size) { channels = channels_for(size); });
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &stored, channels),
      stbi_image_free);
  DUEL_CHECK(pixels, jpeg ? kJpeg : kPng, "{}: could not be decoded ({}); get the file again", file,
             stbi_failure_reason());
  const int64_t area = int64_t{width} * height;
  std::vector<uint8_t> planes(static_cast<size_t>(channels * area));
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < area; ++i)
      planes[static_cast<size_t>(c * area + i)] = pixels.get()[i * channels + c];
  return planes;
}

}  // namespace duel::gan::detail
