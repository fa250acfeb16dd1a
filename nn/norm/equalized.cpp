#include "duel/nn/norm/equalized.h"

#include <cmath>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/nn/module/init.h"

namespace duel::nn {

Equalized::Equalized(std::shared_ptr<WeightLayer> layer, EqualizedOptions o)
    : options(o), layer_(std::move(layer)) {
  DUEL_CHECK(layer_, "Equalized", "expected a layer, got a null pointer");
  DUEL_CHECK(o.lr_multiplier > 0, "Equalized", "expected a multiplier of the rate above 0, got {}",
             o.lr_multiplier);
  weight = register_parameter("weight", layer_->weight);
  bias = register_parameter("bias", layer_->bias);
  scale = o.gain * o.lr_multiplier / std::sqrt(static_cast<double>(init::fan_in(weight.shape())));
  init::normal_(weight, 0.0, 1.0 / o.lr_multiplier);
  if (bias.defined()) init::constant_(bias, o.bias / o.lr_multiplier);
}

Tensor Equalized::forward_then(const Tensor& x, const Activation& f) {
  const double m = options.lr_multiplier;
  if (m == 1.0) return layer_->forward_with(x, weight * scale, f);
  return activate(layer_->forward_with(x, weight * (scale / m)) * m, f);  // the bias too
}

}  // namespace duel::nn
