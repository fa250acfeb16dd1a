// Drawing: every shape is a distance function; the share of a pixel that it covers is how far inside its
// centre lies.
#include "duel/gan/picture/canvas.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "duel/gan/picture/png.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {

Color series_color(size_t i) {
  static constexpr std::array<Color, 10> colors{{{31, 95, 180},
                                                 {214, 80, 20},
                                                 {20, 140, 90},
                                                 {190, 40, 120},
                                                 {120, 80, 190},
                                                 {200, 150, 0},
                                                 {60, 60, 60},
                                                 {40, 170, 200},
                                                 {130, 90, 50},
                                                 {140, 160, 30}}};
  const Color base = colors[i % colors.size()];
  const size_t round = i / colors.size() % 3;
  const auto shade = [&](uint8_t v) {
    return static_cast<uint8_t>(round == 0 ? v : round == 1 ? v / 2 : 255 - (255 - v) / 2);
  };
  return {shade(base.r), shade(base.g), shade(base.b)};
}

Color heat_color(double value) {
  static constexpr std::array<std::array<double, 3>, 6> anchors{
      {{255, 255, 255}, {255, 226, 120}, {247, 138, 50}, {200, 40, 70}, {105, 15, 105}, {20, 5, 40}}};
  constexpr double last = anchors.size() - 1;
  const double position = value > 0 ? std::min(value, 1.0) * last : 0.0;  // NaN is 0 too
  const auto low = static_cast<size_t>(std::min(position, last - 1));
  const double part = position - static_cast<double>(low);
  const auto mix = [&](size_t c) {
    return static_cast<uint8_t>(std::lround(anchors[low][c] * (1 - part) + anchors[low + 1][c] * part));
  };
  return {mix(0), mix(1), mix(2)};
}

Canvas::Canvas(int64_t width, int64_t height, Color background) : width_(width), height_(height) {
  constexpr int64_t limit = 32768;
  DUEL_CHECK(width >= 1 && height >= 1 && width <= limit && height <= limit && width * height < (1 << 28),
             "canvas", "expected a picture of 1x1 to {}x{} pixels and less than 2^28 in all, got {}x{}",
             limit, limit, width, height);
  pixels_.resize(static_cast<size_t>(width * height * 3));
  reset_clip();
  rectangle(0, 0, width, height, background);
}

Color Canvas::at(int64_t x, int64_t y) const {
  DUEL_CHECK(x >= 0 && y >= 0 && x < width_ && y < height_, "canvas",
             "expected a pixel of {}x{}, got ({}, {})", width_, height_, x, y);
  const uint8_t* p = pixels_.data() + (y * width_ + x) * 3;
  return {p[0], p[1], p[2]};
}

void Canvas::blend(int64_t x, int64_t y, Color color, double opacity) {
  if (x < clip_left_ || y < clip_top_ || x >= clip_right_ || y >= clip_bottom_ || !(opacity > 0)) return;
  uint8_t* p = pixels_.data() + (y * width_ + x) * 3;
  if (opacity >= 1) {  // most of a picture: without three roundings
    p[0] = color.r, p[1] = color.g, p[2] = color.b;
    return;
  }
  const double share = opacity;
  const auto mix = [&](uint8_t old, uint8_t fresh) {
    return static_cast<uint8_t>(std::lround(old + (fresh - old) * share));
  };
  p[0] = mix(p[0], color.r);
  p[1] = mix(p[1], color.g);
  p[2] = mix(p[2], color.b);
}

template <class Distance>
void Canvas::shade(double left, double top, double right, double bottom, double reach,
                   const Distance& distance, Color color, double opacity) {
  // Written so that a NaN among the coordinates draws nothing, and a huge one never becomes an integer.
  const double margin = reach + 1;
  if (!(left - margin < static_cast<double>(clip_right_) &&
        right + margin > static_cast<double>(clip_left_) &&
        top - margin < static_cast<double>(clip_bottom_) && bottom + margin > static_cast<double>(clip_top_)))
    return;
  const auto bound = [&](double v, int64_t low, int64_t high) {
    return static_cast<int64_t>(std::clamp(v, static_cast<double>(low), static_cast<double>(high)));
  };
  const int64_t x0 = bound(left - margin, clip_left_, clip_right_),
                x1 = bound(right + margin + 1, clip_left_, clip_right_);
  const int64_t y0 = bound(top - margin, clip_top_, clip_bottom_),
                y1 = bound(bottom + margin + 1, clip_top_, clip_bottom_);
  for (int64_t y = y0; y < y1; ++y) {
    for (int64_t x = x0; x < x1; ++x) {
      const double d = distance(static_cast<double>(x) + 0.5, static_cast<double>(y) + 0.5);
      const double covered = std::min(reach + 0.5 - d, 1.0);
      if (covered > 0) blend(x, y, color, covered * opacity);
    }
  }
}

void Canvas::line(double x0, double y0, double x1, double y1, Color color, double thickness, double opacity) {
  const double dx = x1 - x0, dy = y1 - y0, squared = dx * dx + dy * dy;
  const auto distance = [&](double x, double y) {
    const double t = squared > 0 ? std::clamp(((x - x0) * dx + (y - y0) * dy) / squared, 0.0, 1.0) : 0.0;
    return std::hypot(x - x0 - t * dx, y - y0 - t * dy);
  };
  shade(std::min(x0, x1), std::min(y0, y1), std::max(x0, x1), std::max(y0, y1), thickness / 2, distance,
        color, opacity);
}

void Canvas::disc(double x, double y, double radius, Color color, double opacity) {
  shade(
      x, y, x, y, radius, [&](double px, double py) { return std::hypot(px - x, py - y); }, color, opacity);
}

void Canvas::rectangle(int64_t x, int64_t y, int64_t width, int64_t height, Color color, double opacity) {
  const int64_t right = std::min(x + width, clip_right_), bottom = std::min(y + height, clip_bottom_);
  for (int64_t j = std::max(y, clip_top_); j < bottom; ++j) {
    for (int64_t i = std::max(x, clip_left_); i < right; ++i) blend(i, j, color, opacity);
  }
}

int64_t Canvas::text_length(std::string_view text, int scale) {
  return text.empty() ? 0 : (static_cast<int64_t>(text.size()) * 6 - 1) * scale;
}

void Canvas::text(int64_t x, int64_t y, std::string_view text, Color color, int scale, bool vertical) {
  for (size_t i = 0; i < text.size(); ++i) {
    for (int row = 0; row < 8; ++row) {
      for (int column = 0; column < 5; ++column) {
        if (!glyph_pixel(text[i], row, column)) continue;
        const int64_t along = (static_cast<int64_t>(i) * 6 + column) * scale, across = int64_t{row} * scale;
        if (vertical) {
          rectangle(x + across, y - along - scale + 1, scale, scale, color);
        } else {
          rectangle(x + along, y + across, scale, scale, color);
        }
      }
    }
  }
}

void Canvas::paste(const Canvas& picture, int64_t x, int64_t y) {
  for (int64_t j = 0; j < picture.height_; ++j) {
    for (int64_t i = 0; i < picture.width_; ++i) blend(x + i, y + j, picture.at(i, j));
  }
}

void Canvas::clip(int64_t x, int64_t y, int64_t width, int64_t height) {
  clip_left_ = std::clamp<int64_t>(x, 0, width_);
  clip_top_ = std::clamp<int64_t>(y, 0, height_);
  clip_right_ = std::clamp<int64_t>(x + width, clip_left_, width_);
  clip_bottom_ = std::clamp<int64_t>(y + height, clip_top_, height_);
}

void Canvas::reset_clip() { clip(0, 0, width_, height_); }

Canvas tile(const std::vector<Canvas>& pictures, int64_t columns, int64_t padding) {
  DUEL_CHECK(!pictures.empty() && columns >= 1 && padding >= 0, "tile",
             "expected pictures, 1 or more columns, a padding of 0 or more; got {}, {}, {}", pictures.size(),
             columns, padding);
  const int64_t w = pictures[0].width(), h = pictures[0].height(),
                count = static_cast<int64_t>(pictures.size());
  columns = std::min(columns, count);
  const int64_t rows = (count + columns - 1) / columns;
  Canvas whole(columns * (w + padding) + padding, rows * (h + padding) + padding);
  for (int64_t i = 0; i < count; ++i) {
    const Canvas& picture = pictures[static_cast<size_t>(i)];
    DUEL_CHECK(picture.width() == w && picture.height() == h, "tile",
               "expected pictures of {}x{}, got one of {}x{}", w, h, picture.width(), picture.height());
    whole.paste(picture, padding + i % columns * (w + padding), padding + i / columns * (h + padding));
  }
  return whole;
}

void write_png(const std::filesystem::path& path, const Canvas& canvas) {
  write_png_rgb(path, canvas.width(), canvas.height(), canvas.pixels());
}

}  // namespace duel::gan
