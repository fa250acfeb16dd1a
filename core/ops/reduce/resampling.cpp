#include "duel/core/ops/reduce/resampling.h"

#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/pooling.h"

namespace duel {
namespace {

/// The outermost `border` rows of an axis once more, in their order: where rows come in groups of more than `border` equal
/// ones, the first and the last row repeated.
Tensor repeated(const Tensor& x, int axis, int64_t border) {
  if (border == 0) return x;
  const int64_t size = x.dim(axis);
  return concat({slice(x, axis, 0, border), x, slice(x, axis, size - border, size)}, axis);
}

}  // namespace

// Rows of k equal values under a triangle of half width k: for odd k a mean over k of them, for even k, whose centres lie
// between two values, a further mean over two.
Tensor upsample_bilinear2d(const Tensor& x, int64_t k) {
  DUEL_CHECK(x.rank() == 4 && k >= 1, "upsample_bilinear2d",
             "expected [N, C, H, W] and k >= 1, got {} and {}", x.shape(), k);
  if (k == 1) return x;
  const Tensor larger = upsample_nearest2d(x, k);
  const Tensor means = avg_pool2d(repeated(repeated(larger, 2, k / 2), 3, k / 2), k, 1);
  return k % 2 == 0 ? avg_pool2d(means, 2, 1) : means;
}

Tensor blur2d(const Tensor& x) {
  DUEL_CHECK(x.rank() == 4, "blur2d", "expected [N, C, H, W], got {}", x.shape());
  return avg_pool2d(avg_pool2d(x, 2, 1, 1), 2, 1);
}

Tensor pixel_shuffle(const Tensor& x, int64_t r) {
  DUEL_CHECK(x.rank() == 4 && r >= 1 && x.dim(1) % (r * r) == 0, "pixel_shuffle",
             "expected [N, C r r, H, W] and r >= 1, got {} and {}", x.shape(), r);
  const int64_t n = x.dim(0), c = x.dim(1) / (r * r), h = x.dim(2), w = x.dim(3);
  return permute(x.reshape({n * c, r, r, h, w}), {0, 3, 1, 4, 2}).reshape({n, c, h * r, w * r});
}

Tensor pixel_unshuffle(const Tensor& x, int64_t r) {
  DUEL_CHECK(x.rank() == 4 && r >= 1 && x.dim(2) % r == 0 && x.dim(3) % r == 0, "pixel_unshuffle",
             "expected [N, C, H r, W r] and r >= 1, got {} and {}", x.shape(), r);
  const int64_t n = x.dim(0), c = x.dim(1), h = x.dim(2) / r, w = x.dim(3) / r;
  return permute(x.reshape({n * c, h, r, w, r}), {0, 2, 4, 1, 3}).reshape({n, c * r * r, h, w});
}

}  // namespace duel
