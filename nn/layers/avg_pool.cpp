#include "duel/nn/layers/avg_pool.h"

#include "duel/core/ops/reduce/pooling.h"

namespace duel::nn {

AvgPool2d::AvgPool2d(int64_t kernel) : kernel_size(kernel) {
  DUEL_CHECK(kernel >= 1, "AvgPool2d", "expected a window of at least 1, got {}", kernel);
}
Tensor AvgPool2d::forward(const Tensor& x) { return avg_pool2d(x, kernel_size); }
std::string AvgPool2d::describe() const {
  return message("AvgPool2d(kernel_size={}, stride={}, padding=0)", kernel_size, kernel_size);
}

}  // namespace duel::nn
