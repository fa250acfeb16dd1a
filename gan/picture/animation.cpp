#include "duel/gan/picture/animation.h"

#include <zlib.h>

#include <span>
#include <string_view>

#include "duel/core/io/atomic_file.h"
#include "duel/gan/data/internal/byte_source.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kSignature = 8, kAround = 12;  // bytes; length, type and sum of a chunk

void put(Bytes& to, uint32_t value, int bytes = 4) {
  for (int i = bytes - 1; i >= 0; --i) to.push_back(static_cast<uint8_t>(value >> 8 * i));
}

void put_chunk(Bytes& to, std::string_view type, std::span<const uint8_t> data) {
  put(to, static_cast<uint32_t>(data.size()));
  const size_t begin = to.size();
  to.insert(to.end(), type.begin(), type.end());
  to.insert(to.end(), data.begin(), data.end());
  put(to, static_cast<uint32_t>(::crc32(0, to.data() + begin, static_cast<uInt>(to.size() - begin))));
}

/// Calls use(type, data) for each chunk of a PNG that png.h made.
template <class Use>
void each_chunk(const Bytes& png, Use use) {
  for (size_t at = kSignature; at + kAround <= png.size();) {
    const auto length = static_cast<size_t>(big_endian(png.data() + at));
    const auto* type = reinterpret_cast<const char*>(png.data() + at + 4);
    use(std::string_view(type, 4), std::span(png).subspan(at + 8, length));
    at += kAround + length;
  }
}

}  // namespace

std::vector<uint8_t> encode_apng(const std::vector<Picture>& frames, int rate) {
  DUEL_CHECK(!frames.empty(), "apng", "expected at least one picture");
  DUEL_CHECK(rate >= 1 && rate <= 1000, "apng", "expected a rate of 1 to 1000 pictures a second, got {}",
             rate);
  const Picture& first = frames.front();
  Bytes file;
  uint32_t number = 0;  // of chunks that make it move
  for (const Picture& frame : frames) {
    DUEL_CHECK(frame.width == first.width && frame.height == first.height && frame.channels == first.channels,
               "apng", "expected pictures of one size and kind, got {} x {} x {} and {} x {} x {}",
               first.width, first.height, first.channels, frame.width, frame.height, frame.channels);
    const bool begins = &frame == &first;
    const Bytes png = encode_png(frame);
    Bytes control;
    put(control, number++);
    for (const int64_t size : {frame.width, frame.height, int64_t{0}, int64_t{0}})
      put(control, static_cast<uint32_t>(size));
    put(control, 1, 2);  // shown for 1 / rate s
    put(control, static_cast<uint32_t>(rate), 2);
    put(control, 0, 2);  // left there, then replaced as a whole
    bool told = false;
    if (begins) file.assign(png.begin(), png.begin() + kSignature);
    each_chunk(png, [&](std::string_view type, std::span<const uint8_t> data) {
      if (type == "IDAT") {
        if (!told) put_chunk(file, "fcTL", control);
        told = true;
        if (begins) {
          put_chunk(file, "IDAT", data);
          return;
        }
        Bytes numbered;
        put(numbered, number++);
        numbered.insert(numbered.end(), data.begin(), data.end());
        put_chunk(file, "fdAT", numbered);
      } else if (begins && type != "IEND") {
        put_chunk(file, type, data);
        if (type != "IHDR") return;
        Bytes animation;
        put(animation, static_cast<uint32_t>(frames.size()));
        put(animation, 0);  // again and again
        put_chunk(file, "acTL", animation);
      }
    });
  }
  put_chunk(file, "IEND", {});
  return file;
}

void write_apng(const std::filesystem::path& path, const std::vector<Picture>& frames, int rate) {
  write_file_atomically(path, encode_apng(frames, rate));
}

}  // namespace duel::gan
