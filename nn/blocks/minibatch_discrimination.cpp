#include "duel/nn/blocks/minibatch_discrimination.h"

#include <cmath>

#include "duel/core/ops/linear/matmul.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/nn/module/init.h"

namespace duel::nn {

MinibatchDiscrimination::MinibatchDiscrimination(int64_t f, int64_t b, int64_t c)
    : features(f), kernels(b), kernel_dim(c) {
  DUEL_CHECK(f >= 1 && b >= 1 && c >= 1, "MinibatchDiscrimination",
             "expected sizes of at least 1, got {}, {} and {}", f, b, c);
  weight = register_parameter("weight", Tensor::empty({f, b * c}));
  init::normal_(weight, 0.0, 1.0 / std::sqrt(static_cast<double>(f)));
}

Tensor MinibatchDiscrimination::forward(const Tensor& x) {
  DUEL_CHECK(x.rank() == 2 && x.dim(1) == features, "MinibatchDiscrimination",
             "expected an input [N, {}], got {}", features, x.shape());
  const int64_t n = x.dim(0);
  const Tensor m = matmul(x, weight);
  const Tensor apart = abs(m.reshape({n, 1, kernels, kernel_dim}) - m.reshape({1, n, kernels, kernel_dim}));
  return concat({x, sum(exp(neg(sum(apart, {3}))), {1})}, 1);
}

std::string MinibatchDiscrimination::describe() const {
  return message("MinibatchDiscrimination({}, {}, {})", features, kernels, kernel_dim);
}

}  // namespace duel::nn
