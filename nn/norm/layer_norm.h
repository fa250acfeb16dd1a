// LayerNorm over the last axes, as torch.nn.LayerNorm. It does not mix samples: the norm for critics under a
// penalty.
//
// Example:  nn::LayerNorm norm({64, 14, 14});   // inputs [N, 64, 14, 14]
#pragma once

#include <typeinfo>

#include "duel/nn/module/module.h"

namespace duel::nn {

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;
  bool bias = true;
};

class LayerNorm : public Module {
 public:
  explicit LayerNorm(const Shape& normalized_shape, LayerNormOptions options = {});
  /// x [..., normalized_shape]: every leading index is normalised by itself.
  Tensor forward(const Tensor& x) override { return forward_then(x, {}); }
  Tensor forward_then(const Tensor& x, const Activation& f) override;
  bool fuses() const override { return typeid(*this) == typeid(LayerNorm); }
  std::string describe() const override;

  Shape normalized_shape;
  LayerNormOptions options;
  Tensor weight, bias;  // normalized_shape, ones and zeros; may be undefined

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<LayerNorm>(normalized_shape, options);
  }
};

}  // namespace duel::nn
