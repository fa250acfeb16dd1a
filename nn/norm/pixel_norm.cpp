#include "duel/nn/norm/pixel_norm.h"

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/reduce/reduction.h"

namespace duel::nn {

PixelNorm::PixelNorm(double e) : eps(e) { DUEL_CHECK(e > 0, "PixelNorm", "expected eps > 0, got {}", e); }

Tensor PixelNorm::forward(const Tensor& x) {
  DUEL_CHECK(x.rank() >= 2, "PixelNorm", "expected an input [N, C, ...], got {}", x.shape());
  return x * rsqrt(mean(square(x), {1}, /*keep_axes=*/true) + eps);
}

std::string PixelNorm::describe() const { return message("PixelNorm(eps={})", detail::number(eps)); }

}  // namespace duel::nn
