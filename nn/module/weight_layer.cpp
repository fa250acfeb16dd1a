#include "duel/nn/module/weight_layer.h"

#include <cmath>

#include "duel/nn/module/init.h"

namespace duel::nn {

void WeightLayer::initialize(const Shape& weight_shape, int64_t bias_channels) {
  weight = register_parameter("weight", Tensor::empty(weight_shape));
  init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (bias_channels == 0) return;
  bias = register_parameter("bias", Tensor::empty({bias_channels}));
  const double bound = 1.0 / std::sqrt(static_cast<double>(init::fan_in(weight_shape)));
  init::uniform_(bias, -bound, bound);
}

}  // namespace duel::nn
