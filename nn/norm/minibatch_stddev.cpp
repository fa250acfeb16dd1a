#include "duel/nn/norm/minibatch_stddev.h"

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/reduction.h"

namespace duel::nn {

Tensor MinibatchStddev::forward(const Tensor& x) {
  DUEL_CHECK(x.rank() >= 2 && x.dim(0) >= 1, "MinibatchStddev",
             "expected a batch [N, C, ...] of at least one sample, got {}", to_text(x));
  const Tensor deviation = mean(sqrt(variance(x, {0}) + 1e-8));
  return concat({x, broadcast_to(deviation, x.shape().with(1, 1))}, 1);
}

}  // namespace duel::nn
