#include "duel/gan/lab/mixture.h"

#include <cmath>
#include <numbers>

#include "duel/kernels/base/error.h"

namespace duel::gan::lab {

Mixture::Draw Mixture::draw(int64_t n, Generator& random) const {
  const Tensor drawn = random.integers({n}, static_cast<int64_t>(means.size()));
  const std::vector<int64_t> modes = drawn.to_vector<int64_t>();
  const std::vector<float> noise = random.normal({n, 2}).to_vector<float>();
  std::vector<float> points(noise.size());
  for (size_t i = 0; i < modes.size(); ++i) {
    for (size_t axis = 0; axis < 2; ++axis) {
      points[2 * i + axis] = static_cast<float>(means[static_cast<size_t>(modes[i])][axis] +
                                                deviation * double{noise[2 * i + axis]});
    }
  }
  return {Tensor::from(points, {n, 2}), drawn};
}

std::vector<std::string> mixture_names() { return {"ring", "grid"}; }

Mixture make_mixture(const std::string& name) {
  if (name == "ring") {
    Mixture ring{.name = name, .means = {}, .deviation = 0.01, .extent = 1.5};
    for (int i = 0; i < 8; ++i) {
      const double angle = 2 * std::numbers::pi * i / 8;  // the end, 2 pi, is the beginning: not repeated
      ring.means.push_back({std::cos(angle), std::sin(angle)});
    }
    return ring;
  }
  DUEL_CHECK(name == "grid", "lab", "mixture: expected ring or grid, got '{}'", name);
  Mixture grid{.name = name, .means = {}, .deviation = 0.05, .extent = 5.5};
  for (int x = -4; x <= 4; x += 2) {
    for (int y = -4; y <= 4; y += 2) grid.means.push_back({double(x), double(y)});
  }
  return grid;
}

}  // namespace duel::gan::lab
