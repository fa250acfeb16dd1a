#include "duel/gan/judge/internal/distortion.h"

#include <cmath>

namespace duel::gan {

void distort(const uint8_t* from, int64_t height, int64_t width, const Distortion& by, float* to) {
  const auto ink = [&](int64_t y, int64_t x) {
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? static_cast<float>(from[y * width + x]) : 0.0f;
  };
  const float middle_y = 0.5f * static_cast<float>(height - 1),
              middle_x = 0.5f * static_cast<float>(width - 1);
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      const float v = static_cast<float>(row) - middle_y, u = static_cast<float>(column) - middle_x;
      const float x = static_cast<float>(column) + by.xx * u + by.xy * v + by.shift_x,
                  y = static_cast<float>(row) + by.yx * u + by.yy * v + by.shift_y;
      const float left = std::floor(x), top = std::floor(y), right_share = x - left, low_share = y - top;
      const auto x0 = static_cast<int64_t>(left), y0 = static_cast<int64_t>(top);
      const float upper = ink(y0, x0) + right_share * (ink(y0, x0 + 1) - ink(y0, x0)),
                  lower = ink(y0 + 1, x0) + right_share * (ink(y0 + 1, x0 + 1) - ink(y0 + 1, x0));
      *to++ = (upper + low_share * (lower - upper)) / 127.5f - 1.0f;
    }
  }
}

}  // namespace duel::gan
