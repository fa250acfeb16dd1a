#include "duel/nn/layers/upsample.h"

#include "duel/core/ops/reduce/pooling.h"

namespace duel::nn {

Upsample::Upsample(int64_t factor) : scale_factor(factor) {
  DUEL_CHECK(factor >= 1, "Upsample", "expected a factor of at least 1, got {}", factor);
}
Tensor Upsample::forward(const Tensor& x) { return upsample_nearest2d(x, scale_factor); }
std::string Upsample::describe() const {
  return message("Upsample(scale_factor={}, mode='nearest')", scale_factor);
}

}  // namespace duel::nn
