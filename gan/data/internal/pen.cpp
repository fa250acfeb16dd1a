// Distance from pixels to capsules.
#include "duel/gan/data/internal/pen.h"

#include <algorithm>
#include <cmath>

namespace duel::gan {

void InkField::segment(const PenPoint& a, const PenPoint& b) {
  const float dx = b.x - a.x, dy = b.y - a.y, dr = b.radius - a.radius;
  const float length2 = dx * dx + dy * dy;
  const float scale = length2 > 1e-12f ? 1 / length2 : 0;
  const float margin = std::max(a.radius, b.radius) + reach;
  const int x0 = std::max(0, static_cast<int>(std::min(a.x, b.x) - margin));
  const int x1 = std::min(side - 1, static_cast<int>(std::max(a.x, b.x) + margin));
  const int y0 = std::max(0, static_cast<int>(std::min(a.y, b.y) - margin));
  const int y1 = std::min(side - 1, static_cast<int>(std::max(a.y, b.y) + margin));
  for (int y = y0; y <= y1; ++y) {
    const float py = static_cast<float>(y) + 0.5f - a.y;
    float* row = &depth_[static_cast<size_t>(y * side)];
    for (int x = x0; x <= x1; ++x) {
      const float px = static_cast<float>(x) + 0.5f - a.x;
      const float t = std::min(1.0f, std::max(0.0f, (px * dx + py * dy) * scale));
      const float qx = px - t * dx, qy = py - t * dy;
      row[x] = std::max(row[x], a.radius + t * dr - std::sqrt(qx * qx + qy * qy));
    }
  }
}

void InkField::trace(const std::vector<PenPoint>& line) {
  if (line.size() == 1) segment(line[0], line[0]);
  for (size_t i = 1; i < line.size(); ++i) segment(line[i - 1], line[i]);
}

}  // namespace duel::gan
