// A colour picture to draw on: lines, discs, rectangles, text in a bitmap font of our own.
//
// Coordinates are pixels from the top left corner, x to the right, y downwards; the centre of pixel (i, j) is
// (i + 0.5, j + 0.5). Lines and discs have smooth edges. What lies outside is not drawn. Text is ASCII; any
// other byte is a box.
//
// Example:
//   Canvas canvas(320, 200);
//   canvas.line(10, 190, 310, 20, {200, 30, 30}, 2.0);
//   canvas.text(10, 10, "a line", {0, 0, 0}, 2);
//   write_png("line.png", canvas);
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace duel::gan {

struct Color {
  uint8_t r = 0, g = 0, b = 0;
  bool operator==(const Color&) const = default;
};

/// The i-th of ten colours that are told apart on white, also by most colour-blind readers; then darker, then
/// lighter ones; after thirty they repeat.
Color series_color(size_t i);

/// White (0) over yellow, red and violet to nearly black (1); values outside are taken as the nearest end.
Color heat_color(double value);

class Canvas {
 public:
  /// Sides from 1 to 32768.
  Canvas(int64_t width, int64_t height, Color background = {255, 255, 255});

  int64_t width() const { return width_; }
  int64_t height() const { return height_; }
  /// r, g, b of [height, width].
  const std::vector<uint8_t>& pixels() const { return pixels_; }
  Color at(int64_t x, int64_t y) const;

  /// Mixes a share `opacity` (0 to 1) of the colour into one pixel.
  void blend(int64_t x, int64_t y, Color color, double opacity = 1.0);
  void line(double x0, double y0, double x1, double y1, Color color, double thickness = 1.0,
            double opacity = 1.0);
  void disc(double x, double y, double radius, Color color, double opacity = 1.0);
  /// Pixels [x, x + width) x [y, y + height), filled.
  void rectangle(int64_t x, int64_t y, int64_t width, int64_t height, Color color, double opacity = 1.0);
  /// Letters of 5x8 pixels times `scale`; (x, y) is the top left corner. Vertical text runs upwards from it.
  void text(int64_t x, int64_t y, std::string_view text, Color color, int scale = 1, bool vertical = false);
  /// Copies a picture so that its top left corner is (x, y).
  void paste(const Canvas& picture, int64_t x, int64_t y);

  /// Pixels along and across a line of text.
  static int64_t text_length(std::string_view text, int scale = 1);
  static int64_t text_height(int scale = 1) { return 8 * scale; }

  /// From now on only pixels of this rectangle change, until reset_clip().
  void clip(int64_t x, int64_t y, int64_t width, int64_t height);
  void reset_clip();

 private:
  /// Blends every pixel whose distance from the shape is at most its half width, the last pixel in part.
  template <class Distance>
  void shade(double left, double top, double right, double bottom, double reach, const Distance& distance,
             Color color, double opacity);

  int64_t width_, height_;
  int64_t clip_left_ = 0, clip_top_ = 0, clip_right_, clip_bottom_;
  std::vector<uint8_t> pixels_;
};

/// Pictures of the same size in rows of `columns` on white, `padding` pixels around and between. At least
/// one.
Canvas tile(const std::vector<Canvas>& pictures, int64_t columns, int64_t padding = 8);

/// An RGB PNG, written atomically; duel::Error with the system's reason.
void write_png(const std::filesystem::path& path, const Canvas& canvas);

/// Whether a pixel of a character's 5x8 glyph is ink. row 0 to 7, column 0 to 4.
bool glyph_pixel(char character, int row, int column);

}  // namespace duel::gan
