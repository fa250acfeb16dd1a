// A pen that traces polylines into a 28x28 picture by distance. Internal to drawn_digits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace duel::gan {

/// A point of a traced line with the pen's radius there; pixels.
struct PenPoint {
  float x, y, radius;
};

/// Depth in ink of every pixel centre of a square picture: the pen's radius less the distance to its path,
/// positive inside. Pixel (x, y) has its centre at (x + 0.5, y + 0.5).
class InkField {
 public:
  static constexpr int side = 28;
  InkField() { depth_.fill(-far); }

  /// Draws one line; a single point makes a dot.
  void trace(const std::vector<PenPoint>& line);
  float depth(int x, int y) const { return depth_[static_cast<size_t>(y * side + x)]; }

 private:
  void segment(const PenPoint& a, const PenPoint& b);
  static constexpr float far = 1000;
  static constexpr float reach = 1.5f;  // depths below -reach are not computed
  std::array<float, side * side> depth_;
};

}  // namespace duel::gan
