#include "duel/nn/layers/upsample.h"

#include "duel/core/ops/reduce/pooling.h"
#include "duel/core/ops/reduce/resampling.h"

namespace duel::nn {

Upsample::Upsample(int64_t factor, Mode m) : scale_factor(factor), mode(m) {
  DUEL_CHECK(factor >= 1, "Upsample", "expected a factor of at least 1, got {}", factor);
}
Tensor Upsample::forward(const Tensor& x) {
  return mode == Mode::nearest ? upsample_nearest2d(x, scale_factor) : upsample_bilinear2d(x, scale_factor);
}
std::string Upsample::describe() const {
  return message("Upsample(scale_factor={}, mode='{}')", scale_factor,
                 mode == Mode::nearest ? "nearest" : "bilinear");
}

PixelShuffle::PixelShuffle(int64_t factor) : upscale_factor(factor) {
  DUEL_CHECK(factor >= 1, "PixelShuffle", "expected a factor of at least 1, got {}", factor);
}
Tensor PixelShuffle::forward(const Tensor& x) { return pixel_shuffle(x, upscale_factor); }

Tensor Blur2d::forward(const Tensor& x) { return blur2d(x); }

}  // namespace duel::nn
