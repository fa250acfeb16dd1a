// WeightLayer: a layer that acts on its input linearly through one weight (Linear, Conv2d, ConvTranspose2d,
// Embedding), so that a wrapper such as SpectralNorm can run it with another weight.
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class WeightLayer : public Module {
 public:
  Tensor weight, bias;  // bias may be undefined

  Tensor forward(const Tensor& x) override { return forward_with(x, weight); }
  Tensor forward_then(const Tensor& x, const Activation& f) override { return forward_with(x, weight, f); }
  /// The layer with `w` (of weight's shape) in place of its weight, and then the activation.
  virtual Tensor forward_with(const Tensor& x, const Tensor& w, const Activation& then = {}) const = 0;
  /// The axis of weight that counts output channels.
  virtual int output_axis() const { return 0; }
  bool second_derivative_zero() const override { return true; }

 protected:
  /// Registers both with PyTorch's default values, drawn from default_generator(): uniform within 1 /
  /// sqrt(fan_in), which is kaiming_uniform(a = sqrt 5) for the weight. No bias for channels = 0.
  void initialize(const Shape& weight_shape, int64_t bias_channels);
};

}  // namespace duel::nn
