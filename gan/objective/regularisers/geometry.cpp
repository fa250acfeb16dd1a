#include "duel/gan/objective/regularisers/geometry.h"

#include <cmath>
#include <numbers>

#include "duel/core/ops.h"

namespace duel::gan {
namespace {

constexpr double kScale = 0.2 * std::numbers::ln2, kMove = 0.125;  // deviations

/// For each image whether it is, as [N, 1, 1, 1].
Tensor chosen(const Tensor& drawn, const Tensor& images) { return drawn.reshape({images.dim(0), 1, 1, 1}); }

/// Pixels' distances from the middle along one side, [1, 1, H, 1] or [1, 1, 1, W].
Tensor from_middle(const Tensor& images, int axis) {
  const int64_t side = images.dim(axis);
  return (arange(int64_t{0}, side, 1, {DType::i64, images.device()}).to(images.dtype()) -
          static_cast<double>(side - 1) / 2)
      .reshape(Shape{1, 1, 1, 1}.with(axis, side));
}

}  // namespace

Tensor flipped(const Tensor& images, Generator& random) {
  const Tensor drawn = random.integers({images.dim(0)}, 2, images.device());
  return where(chosen(drawn == 1.0, images), flip(images, {3}), images);
}

Tensor turned(const Tensor& images, Generator& random) {
  const Tensor drawn = random.integers({images.dim(0)}, 4, images.device());
  Tensor x = images;
  if (images.dim(2) == images.dim(3))
    x = where(chosen(drawn == 1.0 || drawn == 3.0, images), flip(transpose(x, 2, 3), {2}), x);
  return where(chosen(drawn >= 2.0, images), flip(x, {2, 3}), x);
}

Tensor warped(const Tensor& images, const Tensor (&maps)[6]) {
  const int64_t n = images.dim(0), h = images.dim(2), w = images.dim(3);
  const auto each = [&](size_t i) { return maps[i].reshape({n, 1, 1, 1}); };
  const Tensor x = from_middle(images, 3), y = from_middle(images, 2);
  // Where a pixel is taken from, in an image with a border of zeros; whatever lies beyond is taken from that border.
  const auto place = [&](size_t first, int64_t side) {
    const Tensor at = each(first) * x + each(first + 1) * y + each(first + 2);
    return clamp(at + (static_cast<double>(side - 1) / 2 + 1), 0, static_cast<double>(side + 1));
  };
  const Tensor column = place(0, w), row = place(3, h);
  const Tensor left = clamp_max(floor(column), static_cast<double>(w)),
               top = clamp_max(floor(row), static_cast<double>(h));
  const Tensor right_share = column - left, low_share = row - top;
  const Tensor from = pad(images, {1, 1, 1, 1}).flatten(2);
  const auto taken = [&](double down, double right) {
    const Tensor index = ((top + down) * static_cast<double>(w + 2) + (left + right)).to(DType::i64);
    const Shape flat{n, 1, h * w};
    return gather(from, 2, broadcast_to(index.reshape(flat), flat.with(1, images.dim(1))))
        .reshape(images.shape());
  };
  const Tensor above = taken(0, 0) * (1.0 - right_share) + taken(0, 1) * right_share;
  const Tensor below = taken(1, 0) * (1.0 - right_share) + taken(1, 1) * right_share;
  return above * (1.0 - low_share) + below * low_share;
}

Tensor mapped_affinely(const Tensor& images, Generator& random) {
  const Shape each{images.dim(0)};
  const TensorOptions options = images.options();
  const Tensor scale = exp(random.normal(each, 0, kScale, options));
  const Tensor angle = random.uniform(each, -std::numbers::pi, std::numbers::pi, options);
  const Tensor stretch = exp(random.normal(each, 0, kScale, options));
  const Tensor right = random.normal(each, 0, kMove * static_cast<double>(images.dim(3)), options);
  const Tensor down = random.normal(each, 0, kMove * static_cast<double>(images.dim(2)), options);
  const Tensor c = cos(angle), s = sin(angle);
  // Turned, then stretched, then scaled, read backwards: from where it lands to where it is from.
  const Tensor across = scale * stretch, along = scale / stretch;
  return warped(images, {c * across, s * along, right, neg(s) * across, c * along, down});
}

}  // namespace duel::gan
