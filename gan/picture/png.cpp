// PNG through stb_image_write, whose functions stay private to this file, deflated by zlib: stb's own deflate takes
// several times as long for larger files, which was most of what a report cost.
#include "duel/gan/picture/png.h"

#include <zlib.h>

#include <algorithm>
#include <cstdlib>

#include "duel/core/io/atomic_file.h"
#include "duel/kernels/base/error.h"

namespace {

/// As stb asks for it: a block of malloc, or null where there is no memory.
unsigned char* png_deflate(unsigned char* data, int size, int* packed_size, int /*quality*/) {
  uLongf packed = ::compressBound(static_cast<uLong>(size));
  auto* const bytes = static_cast<unsigned char*>(std::malloc(packed));
  if (bytes == nullptr) return nullptr;
  if (::compress2(bytes, &packed, data, static_cast<uLong>(size), Z_DEFAULT_COMPRESSION) != Z_OK) {
    std::free(bytes);
    return nullptr;
  }
  *packed_size = static_cast<int>(packed);
  return bytes;
}

}  // namespace

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STBIW_ZLIB_COMPRESS png_deflate
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace duel::gan {

Picture tile_grid(std::span<const uint8_t> images, int64_t count, int64_t h, int64_t w, int64_t columns,
                  int64_t padding, int64_t channels) {
  constexpr int64_t limit = 1 << 20;
  DUEL_CHECK(count >= 1 && count <= limit, "tile_grid", "expected 1 to {} images, got {}", limit, count);
  DUEL_CHECK(h >= 1 && w >= 1 && h <= limit && w <= limit, "tile_grid",
             "expected images of at least 1x1 pixel, got {}x{}", h, w);
  DUEL_CHECK(columns >= 1, "tile_grid", "expected at least 1 column, got {}", columns);
  DUEL_CHECK(padding >= 0 && padding <= limit, "tile_grid", "expected a padding of 0 or more, got {}",
             padding);
  DUEL_CHECK(channels == 1 || channels == 3, "tile_grid", "expected images of 1 or 3 channels, got {}",
             channels);
  DUEL_CHECK(static_cast<int64_t>(images.size()) / count / channels / h / w >= 1, "tile_grid",
             "expected {} images of {}x{} pixels, got {} bytes", count, h, w, images.size());
  columns = std::min(columns, count);
  const int64_t rows = (count + columns - 1) / columns;
  Picture grid;
  grid.width = columns * (w + padding) + padding;
  grid.height = rows * (h + padding) + padding;
  grid.channels = channels;
  grid.pixels.assign(static_cast<size_t>(grid.width * grid.height * channels), 0);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t top = padding + i / columns * (h + padding), left = padding + i % columns * (w + padding);
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t y = 0; y < h; ++y) {
        const uint8_t* from = &images[static_cast<size_t>(((i * channels + c) * h + y) * w)];
        uint8_t* to = &grid.pixels[static_cast<size_t>(((top + y) * grid.width + left) * channels + c)];
        for (int64_t x = 0; x < w; ++x) to[x * channels] = from[x];
      }
    }
  }
  return grid;
}

namespace {

/// Lines are deflated as they are: on diagrams and grids of digits the filters cost half the time and, deflated, no
/// filter is about as small.
[[maybe_unused]] const int unfiltered = stbi_write_force_png_filter = 0;

std::vector<uint8_t> encode(int64_t width, int64_t height, int channels, std::span<const uint8_t> pixels) {
  constexpr int64_t limit = 32768;  // stb counts bytes in int
  DUEL_CHECK(
      width >= 1 && height >= 1 && width <= limit && height <= limit && width * height * channels < (1 << 30),
      "png", "expected a picture of 1x1 to {}x{} pixels and less than 2^30 bytes in all, got {}x{}", limit,
      limit, width, height);
  DUEL_CHECK(static_cast<int64_t>(pixels.size()) == width * height * channels, "png",
             "expected {} pixels for {}x{}, got {}", width * height, width, height,
             static_cast<int64_t>(pixels.size()) / channels);
  std::vector<uint8_t> bytes;
  const auto append = [](void* out, void* data, int size) {
    const auto* begin = static_cast<const uint8_t*>(data);
    static_cast<std::vector<uint8_t>*>(out)->insert(static_cast<std::vector<uint8_t>*>(out)->end(), begin,
                                                    begin + size);
  };
  const int ok = stbi_write_png_to_func(append, &bytes, static_cast<int>(width), static_cast<int>(height),
                                        channels, pixels.data(), static_cast<int>(width) * channels);
  DUEL_CHECK(ok != 0, "png", "not enough memory to encode {}x{} pixels", width, height);
  return bytes;
}

}  // namespace

std::vector<uint8_t> encode_png_gray(int64_t width, int64_t height, std::span<const uint8_t> pixels) {
  return encode(width, height, 1, pixels);
}

std::vector<uint8_t> encode_png_rgb(int64_t width, int64_t height, std::span<const uint8_t> pixels) {
  return encode(width, height, 3, pixels);
}

void write_png_gray(const std::filesystem::path& path, int64_t width, int64_t height,
                    std::span<const uint8_t> pixels) {
  write_file_atomically(path, encode_png_gray(width, height, pixels));
}

void write_png_rgb(const std::filesystem::path& path, int64_t width, int64_t height,
                   std::span<const uint8_t> pixels) {
  write_file_atomically(path, encode_png_rgb(width, height, pixels));
}

std::vector<uint8_t> encode_png(const Picture& picture) {
  DUEL_CHECK(picture.channels == 1 || picture.channels == 3, "png", "expected 1 or 3 channels, got {}",
             picture.channels);
  return encode(picture.width, picture.height, static_cast<int>(picture.channels), picture.pixels);
}

void write_png(const std::filesystem::path& path, const Picture& picture) {
  write_file_atomically(path, encode_png(picture));
}

}  // namespace duel::gan
