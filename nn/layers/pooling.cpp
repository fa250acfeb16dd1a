#include "duel/nn/layers/pooling.h"

#include "duel/core/ops/reduce/pooling.h"
#include "duel/core/ops/reduce/reduction.h"

namespace duel::nn {

Pool2d::Pool2d(const char* name, Size2d kernel, Pool2dOptions o) : kernel_size(kernel), options(o) {
  if (o.stride == Size2d()) options.stride = kernel;
  const Size2d s = options.stride, p = o.padding;
  DUEL_CHECK(kernel.h >= 1 && kernel.w >= 1 && s.h >= 1 && s.w >= 1, name,
             "expected a window and a stride of at least 1, got {} and {}", to_text(kernel), to_text(s));
  DUEL_CHECK(p.h >= 0 && p.w >= 0 && 2 * p.h <= kernel.h && 2 * p.w <= kernel.w, name,
             "expected padding of at most half the window {}, got {}", to_text(kernel), to_text(p));
}

std::string Pool2d::describe_as(const char* name) const {
  return message("{}(kernel_size={}, stride={}, padding={})", name, to_text(kernel_size),
                 to_text(options.stride), to_text(options.padding));
}

Tensor MaxPool2d::forward(const Tensor& x) {
  return max_pool2d(x, kernel_size, options.stride, options.padding);
}

Tensor AvgPool2d::forward(const Tensor& x) {
  return avg_pool2d(x, kernel_size, options.stride, options.padding);
}

Tensor GlobalSumPool2d::forward(const Tensor& x) {
  DUEL_CHECK(x.rank() == 4, "GlobalSumPool2d", "expected an input [N, C, H, W], got {}", x.shape());
  return sum(x, {2, 3});
}

}  // namespace duel::nn
