// Equalized: a layer whose weight is drawn from N(0, 1) and scaled where it is used, so that every layer learns at the same
// pace under Adam (equalised learning rate: Karras et al. 2018, arXiv:1710.10196, section 4.1; with a multiplier of the rate,
// StyleGAN: Karras et al. 2019, arXiv:1812.04948, appendix C).
//
//   w = weight (gain lr_multiplier / sqrt(fan_in)),  b = bias lr_multiplier;  weight ~ N(0, 1) / lr_multiplier
//
// Example:  nn::Equalized layer(nn::Conv2d(64, 64, 3, {.padding = 1}));
#pragma once

#include <typeinfo>

#include "duel/nn/module/weight_layer.h"

namespace duel::nn {

struct EqualizedOptions {
  double gain = 1.0;
  double lr_multiplier = 1.0;
  double bias = 0.0;  // that the layer begins with
};

class Equalized : public Module {
 public:
  template <std::derived_from<WeightLayer> Layer>
  explicit Equalized(Layer layer, EqualizedOptions o = {})
      : Equalized(std::shared_ptr<WeightLayer>(std::make_shared<Layer>(std::move(layer))), o) {}
  explicit Equalized(std::shared_ptr<WeightLayer> layer, EqualizedOptions o = {});

  Tensor forward(const Tensor& x) override { return forward_then(x, {}); }
  Tensor forward_then(const Tensor& x, const Activation& f) override;
  bool second_derivative_zero() const override { return layer_->second_derivative_zero(); }
  bool fuses() const override { return typeid(*this) == typeid(Equalized); }
  std::string describe() const override { return "Equalized(" + layer_->describe() + ")"; }
  const WeightLayer& layer() const { return *layer_; }

  EqualizedOptions options;
  double scale;         // of the weight, where it is used
  Tensor weight, bias;  // bias as in the layer; undefined where that has none

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<Equalized>(like(layer_), options);
  }

 private:
  std::shared_ptr<WeightLayer> layer_;  // not a child: its parameters are registered here
};

}  // namespace duel::nn
