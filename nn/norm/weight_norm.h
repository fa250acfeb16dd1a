// WeightNorm: a layer whose weight is g v / |v|, length and direction apart (Salimans & Kingma 2016,
// arXiv:1602.07868). As torch.nn.utils.weight_norm, with its keys weight_g, weight_v: one length for each index
// of the axis `dim`.
//
// Example:
//   nn::WeightNorm layer(nn::Conv2d(64, 64, 3));   // computes what the Conv2d did, until it is trained
#pragma once

#include <typeinfo>

#include "duel/nn/module/weight_layer.h"

namespace duel::nn {

struct WeightNormOptions {
  int dim = 0;
};

class WeightNorm : public Module {
 public:
  template <std::derived_from<WeightLayer> Layer>
  explicit WeightNorm(Layer layer, WeightNormOptions o = {})
      : WeightNorm(std::shared_ptr<WeightLayer>(std::make_shared<Layer>(std::move(layer))), o) {}
  explicit WeightNorm(std::shared_ptr<WeightLayer> layer, WeightNormOptions o = {});

  Tensor forward(const Tensor& x) override { return forward_then(x, {}); }
  Tensor forward_then(const Tensor& x, const Activation& f) override;
  /// g v / |v|, differentiable in both. A v of zeros gives NaN, as in PyTorch.
  Tensor weight() const;
  bool second_derivative_zero() const override { return layer_->second_derivative_zero(); }
  bool fuses() const override { return typeid(*this) == typeid(WeightNorm); }
  std::string describe() const override { return "WeightNorm(" + layer_->describe() + ")"; }
  const WeightLayer& layer() const { return *layer_; }

  WeightNormOptions options;
  Tensor weight_g, weight_v;  // g [1, …, size of dim, …, 1], v as the weight

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<WeightNorm>(like(layer_), options);
  }

 private:
  /// |v| over every axis but dim, which stays.
  Tensor length() const;

  std::shared_ptr<WeightLayer> layer_;  // not a child: its parameters are registered here
};

}  // namespace duel::nn
