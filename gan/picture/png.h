// Pictures as PNG files, gray and colour; grids of samples.
//
// 8 bits per pixel, rows from top to bottom, no alpha. The encoder is stb_image_write's.
//
// Example: 64 digits as an 8x8 grid, 242x242 pixels.
//   Picture grid = tile_grid(set.images, 64, 28, 28, 8);
//   write_png("grid.png", grid);
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace duel::gan {

/// Gray or in colour.
struct Picture {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> pixels;  ///< [height, width, channels], 0 black to 255 white
  int64_t channels = 1;         ///< 1, or 3: red, green and blue
};

/// Lays the first `count` of `images` ([>= count, channels, h, w]) out in rows of `columns`, `padding` black pixels
/// around and between, as torchvision's make_grid does: fewer images than columns make a narrower grid, and
/// the last row is filled up with black. count >= 1, columns >= 1, padding >= 0, sides >= 1; channels 1 or 3.
Picture tile_grid(std::span<const uint8_t> images, int64_t count, int64_t h, int64_t w, int64_t columns,
                  int64_t padding = 2, int64_t channels = 1);

/// The bytes of a PNG file. pixels: [height, width]; sides from 1 to 32768.
std::vector<uint8_t> encode_png_gray(int64_t width, int64_t height, std::span<const uint8_t> pixels);

/// Encodes in memory and writes atomically (core/io/atomic_file.h); duel::Error with the system's reason.
void write_png_gray(const std::filesystem::path& path, int64_t width, int64_t height,
                    std::span<const uint8_t> pixels);

/// The same in colour. pixels: r, g, b of [height, width]. gan/picture/canvas.h draws such pictures.
std::vector<uint8_t> encode_png_rgb(int64_t width, int64_t height, std::span<const uint8_t> pixels);
void write_png_rgb(const std::filesystem::path& path, int64_t width, int64_t height,
                   std::span<const uint8_t> pixels);

/// As its channels say.
std::vector<uint8_t> encode_png(const Picture& picture);
void write_png(const std::filesystem::path& path, const Picture& picture);

}  // namespace duel::gan
