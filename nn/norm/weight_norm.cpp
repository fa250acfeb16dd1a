#include "duel/nn/norm/weight_norm.h"

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"

namespace duel::nn {

WeightNorm::WeightNorm(std::shared_ptr<WeightLayer> layer, WeightNormOptions o)
    : options(o), layer_(std::move(layer)) {
  DUEL_CHECK(layer_, "WeightNorm", "expected a layer, got a null pointer");
  options.dim = normalize_axis("WeightNorm", o.dim, layer_->weight.rank());
  weight_v = layer_->weight;
  Tensor start;
  {
    const NoGrad no_grad;
    start = length();
  }
  register_parameter("bias", layer_->bias);
  weight_g = register_parameter("weight_g", start);
  register_parameter("weight_v", weight_v);
}

Tensor WeightNorm::length() const {
  std::vector<int> others;
  for (int axis = 0; axis < weight_v.rank(); ++axis) {
    if (axis != options.dim) others.push_back(axis);
  }
  return sqrt(sum(square(weight_v), others, /*keep_axes=*/true));
}

Tensor WeightNorm::weight() const { return weight_v * (weight_g / length()); }

Tensor WeightNorm::forward_then(const Tensor& x, const Activation& f) {
  return layer_->forward_with(x, weight(), f);
}

}  // namespace duel::nn
