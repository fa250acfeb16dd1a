// PNG and JPEG through stb_image, whose functions stay private to this file.
#include "duel/gan/data/internal/picture_file.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <span>

#include "duel/core/io/internal/file_ending.h"
#include "duel/gan/data/internal/byte_source.h"
#include "duel/gan/data/internal/image_limits.h"
#include "duel/gan/data/internal/planes.h"
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

/// The segments of a JPEG (ITU-T T.81, annex B), up to its end: what the decoder takes on trust is refused where it is wrong.
class JpegSegments {
 public:
  JpegSegments(const std::vector<uint8_t>& bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  PictureSize checked() {
    size_t at = 2;
    for (;;) {
      need(at, 2);
      if (bytes_[at] != 0xff) wrong("a marker is missing");
      while (bytes_[at + 1] == 0xff) need(++at, 2);  // fill bytes
      const uint8_t marker = bytes_[at + 1];
      at += 2;
      if (marker == 0xd9) break;
      if (marker == 0x01) continue;
      if (marker == 0x00 || is_restart(marker)) wrong("a marker is out of place");
      need(at, 2);
      const size_t length = size_t{bytes_[at]} << 8 | bytes_[at + 1];
      if (length < 2) wrong("a segment's length is below 2");
      need(at, length);
      segment(marker, std::span(bytes_).subspan(at + 2, length - 2));
      at += length;
      if (marker == 0xda) at = behind_coded_data(at);
    }
    if (scans_ == 0) wrong("has no pixels");
    return size_;
  }

 private:
  [[noreturn]] void wrong(std::string_view what) const {
    fail(kJpeg, "{}: corrupt ({}); get the file again", file_, what);
  }
  void need(size_t at, size_t count) const {
    DUEL_CHECK(at <= bytes_.size() && count <= bytes_.size() - at, kJpeg,
               "{}: ends too early, after {} bytes; get the file again", file_, bytes_.size());
  }
  static bool is_restart(uint8_t marker) { return marker >= 0xd0 && marker <= 0xd7; }

  void segment(uint8_t marker, std::span<const uint8_t> data) {
    if (marker == 0xc4) return huffman_tables(data);
    if (marker == 0xdb) return quantisers(data);
    if (marker == 0xda) return scan(data);
    if (marker >= 0xc0 && marker <= 0xc2) return frame(marker, data);
    DUEL_CHECK(marker < 0xc0 || marker > 0xcf || marker == 0xcc, kJpeg,
               "{}: is coded in a way that is not read; save it as baseline or progressive JPEG", file_);
  }
  /// Each may define up to 256 codes, all of which must have room at their length.
  void huffman_tables(std::span<const uint8_t> data) {
    while (!data.empty()) {
      if (data.size() < 17 || (data[0] >> 4) > 1 || (data[0] & 15) > 3) wrong("a table of codes");
      size_t codes = 0;
      int64_t room = 1;
      for (size_t bits = 1; bits <= 16; ++bits) {
        codes += data[bits];
        room = 2 * room - data[bits];
        if (room < 0) wrong("a table of codes");
      }
      if (codes > 256 || data.size() < 17 + codes) wrong("a table of codes");
      (data[0] >> 4 == 0 ? dc_ : ac_)[data[0] & 15] = true;
      data = data.subspan(17 + codes);
    }
  }
  void quantisers(std::span<const uint8_t> data) {
    while (!data.empty()) {
      const size_t size = 1 + size_t{64} * (data[0] >> 4 == 0 ? 1 : 2);
      if ((data[0] >> 4) > 1 || (data[0] & 15) > 3 || data.size() < size) wrong("a table of factors");
      factors_[data[0] & 15] = true;
      data = data.subspan(size);
    }
  }
  void frame(uint8_t marker, std::span<const uint8_t> data) {
    if (!components_.empty()) wrong("two frames");
    if (data.size() < 6 || data.size() != 6 + size_t{3} * data[5]) wrong("the frame's length");
    DUEL_CHECK(data[0] == 8 && (data[5] == 1 || data[5] == 3 || data[5] == 4), kJpeg,
               "{}: expected 1, 3 or 4 components of 8 bits, got {} of {}", file_, int{data[5]},
               int{data[0]});
    size_.height = int64_t{data[1]} << 8 | data[2];
    size_.width = int64_t{data[3]} << 8 | data[4];
    size_.colour = data[5] >= 3;
    progressive_ = marker == 0xc2;
    DUEL_CHECK(size_.width >= 1 && size_.width <= kMaxSide && size_.height >= 1 && size_.height <= kMaxSide,
               kJpeg, "{}: expected sides of 1 to {} pixels, got {}x{}", file_, kMaxSide, size_.height,
               size_.width);
    for (size_t i = 6; i < data.size(); i += 3) {
      const int across = data[i + 1] >> 4, down = data[i + 1] & 15;
      if (across < 1 || across > 4 || down < 1 || down > 4 || data[i + 2] > 3) wrong("a component");
      components_.push_back({data[i], data[i + 2]});
    }
  }
  void scan(std::span<const uint8_t> data) {
    constexpr int kMostScans = 100;
    DUEL_CHECK(++scans_ <= kMostScans, kJpeg, "{}: expected at most {} scans, got more; save it again", file_,
               kMostScans);
    if (data.empty() || data[0] < 1 || data[0] > components_.size() || data.size() != 4 + size_t{2} * data[0])
      wrong("a scan's components");
    const uint8_t* range = &data[1 + size_t{2} * data[0]];  // of coefficients, and how exact they are
    for (size_t i = 1; i < 1 + size_t{2} * data[0]; i += 2) {
      const auto found = std::find_if(components_.begin(), components_.end(),
                                      [&](const Component& c) { return c.name == data[i]; });
      const int dc = data[i + 1] >> 4, ac = data[i + 1] & 15;
      if (found == components_.end() || dc > 3 || ac > 3) wrong("a scan's components");
      if (!factors_[found->factors]) wrong("a table of factors is missing");
      const bool needs_dc = !progressive_ || (range[0] == 0 && range[2] >> 4 == 0),
                 needs_ac = !progressive_ || range[1] > 0;
      if ((needs_dc && !dc_[static_cast<size_t>(dc)]) || (needs_ac && !ac_[static_cast<size_t>(ac)]))
        wrong("a table of codes is missing");
    }
  }
  /// Where the next marker is: within coded data 0xff stands before 0 or the number of a restart alone.
  size_t behind_coded_data(size_t at) const {
    for (;; ++at) {
      need(at, 2);
      if (bytes_[at] == 0xff && bytes_[at + 1] != 0 && !is_restart(bytes_[at + 1])) return at;
    }
  }

  struct Component {
    uint8_t name, factors;
  };
  const std::vector<uint8_t>& bytes_;
  const std::string& file_;
  std::array<bool, 4> dc_{}, ac_{}, factors_{};  // tables that are there
  std::vector<Component> components_;
  bool progressive_ = false;
  int scans_ = 0;
  PictureSize size_;
};

/// Note [What is checked before it is decoded].
void check_jpeg(const std::vector<uint8_t>& bytes, const std::string& file,
                const std::function<void(const PictureSize&)>& on_size) {
  on_size(JpegSegments(bytes, file).checked());
}

}  // namespace

bool is_picture_name(const std::filesystem::path& path) {
  const std::string ending = ending_of(path);
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
  ImageSet one;
  one.count = 1;
  one.height = height;
  one.width = width;
  one.channels = channels;
  const std::vector<uint8_t> interleaved(pixels.get(), pixels.get() + one.pixels());
  return channels == 1 ? interleaved : with_channels_first(interleaved, one);
}

}  // namespace duel::gan::detail
