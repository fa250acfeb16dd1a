// How people write digits: the skeletons behind drawn_digits. Internal to gan/data.
//
// A family is one way of writing a digit (a 7 with a bar, a 2 with a loop), given by one or more extreme
// shapes with the same strokes and points; every weighted mean of them is a shape of the family.
#pragma once

#include <vector>

namespace duel::gan {

struct ShapePoint {
  float x, y;   ///< y down; the digit spans about 0 to 1 both ways before its aspect is applied
  bool corner;  ///< the pen turns here; elsewhere the line is smooth
};

using ShapeStroke = std::vector<ShapePoint>;
using DigitShape = std::vector<ShapeStroke>;

struct ShapeFamily {
  float weight;  ///< share among the families of this digit, any scale
  float aspect;  ///< mean width / height of an upright digit
  std::vector<DigitShape> extremes;
};

/// The families of digit 0..9.
const std::vector<ShapeFamily>& digit_families(int digit);

}  // namespace duel::gan
