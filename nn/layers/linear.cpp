#include "duel/nn/layers/linear.h"

#include "duel/core/ops/linear/matmul.h"

namespace duel::nn {

Linear::Linear(int64_t in, int64_t out, LinearOptions options) : in_features(in), out_features(out) {
  DUEL_CHECK(in >= 1 && out >= 1, "Linear", "expected at least 1 feature in and out, got {} and {}", in, out);
  initialize({out, in}, options.bias ? out : 0);
}

Tensor Linear::forward_with(const Tensor& x, const Tensor& w, const Activation& then) const {
  DUEL_CHECK(x.rank() >= 1 && x.dim(-1) == in_features, "Linear", "expected an input [..., {}], got {}",
             in_features, x.shape());
  if (x.rank() == 2) return linear(x, w, bias, then);
  const Tensor rows = x.reshape(Shape{x.numel() / in_features, in_features});
  return linear(rows, w, bias, then).reshape(x.shape().with(-1, out_features));
}

std::string Linear::describe() const {
  return message("Linear(in_features={}, out_features={}, bias={})", in_features, out_features,
                 detail::truth(bias.defined()));
}

}  // namespace duel::nn
