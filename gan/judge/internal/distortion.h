// A drawing seen through another linear map of the plane: turned, slanted, stretched and moved a little.
#pragma once

#include <cstdint>

namespace duel::gan {

/// What place (x, y) of the result shows: place (x, y) + map (x, y) + shift of the drawing, with 0 at its centre.
struct Distortion {
  float xx = 0, xy = 0, yx = 0, yy = 0;  // map
  float shift_x = 0, shift_y = 0;        // pixels
};

/// u8 [height, width], 0 where there is no ink, to f32 in [-1, 1] of the same size: bilinear, and no ink outside.
void distort(const uint8_t* from, int64_t height, int64_t width, const Distortion& by, float* to);

}  // namespace duel::gan
