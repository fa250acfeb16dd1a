#include "duel/nn/norm/layer_norm.h"

#include <algorithm>

#include "duel/core/ops/reduce/normalization.h"
#include "duel/kernels/base/text.h"

namespace duel::nn {

LayerNorm::LayerNorm(const Shape& shape, LayerNormOptions o) : normalized_shape(shape), options(o) {
  DUEL_CHECK(shape.rank() >= 1 && shape.rank() < Shape::kMaxRank && shape.numel() >= 1, "LayerNorm",
             "expected 1 to {} axes to normalise over, none empty, got {}", Shape::kMaxRank - 1, shape);
  DUEL_CHECK(o.eps >= 0, "LayerNorm", "expected eps >= 0, got {}", o.eps);
  if (o.elementwise_affine) weight = register_parameter("weight", Tensor::ones(shape));
  if (o.elementwise_affine && o.bias) bias = register_parameter("bias", Tensor::zeros(shape));
}

Tensor LayerNorm::forward_then(const Tensor& x, const Activation& f) {
  const int axes = normalized_shape.rank();
  const bool fits = x.rank() >= axes &&
                    std::equal(normalized_shape.begin(), normalized_shape.end(), x.shape().end() - axes);
  DUEL_CHECK(fits, "LayerNorm", "expected an input whose last axes are {}, got {}", normalized_shape,
             x.shape());
  if (x.rank() == axes + 1) return layer_norm(x, weight, bias, options.eps, f);
  const Shape rows = normalized_shape.inserted(0, x.numel() / normalized_shape.numel());
  return layer_norm(x.reshape(rows), weight, bias, options.eps, f).reshape(x.shape());
}

std::string LayerNorm::describe() const {
  std::string sizes = joined(normalized_shape);
  if (normalized_shape.rank() == 1) sizes += ",";
  return message("LayerNorm(({}), eps={}, elementwise_affine={})", sizes, detail::number(options.eps),
                 detail::truth(options.elementwise_affine));
}

}  // namespace duel::nn
