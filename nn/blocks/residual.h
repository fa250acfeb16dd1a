// Residual: the sum of two paths from one input, what a residual block is (He et al. 2016, arXiv:1512.03385).
//
// Example, a block that halves an image (a mean of pixels and a 1x1 convolution commute, so the cheap order is taken):
//   nn::Residual block(nn::Sequential(nn::ReLU(), nn::Conv2d(32, 64, 3, {.padding = 1}), nn::ReLU(),
//                                     nn::Conv2d(64, 64, 3, {.padding = 1}), nn::AvgPool2d(2)),
//                      nn::Sequential(nn::AvgPool2d(2), nn::Conv2d(32, 64, 1)));
#pragma once

#include "duel/nn/module/sequential.h"

namespace duel::nn {

class Residual : public Module {
 public:
  /// scale (residual(x) + skip(x)), of equal shapes; a skip without layers gives x itself. A scale of 1 / sqrt(2) keeps the
  /// variance of two independent paths.
  explicit Residual(Sequential path, Sequential past = {}, double factor = 1.0)
      : Residual(std::make_shared<Sequential>(std::move(path)), std::make_shared<Sequential>(std::move(past)),
                 factor) {}
  Residual(std::shared_ptr<Sequential> path, std::shared_ptr<Sequential> past, double factor = 1.0);

  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  bool mixes_samples() const override { return children_mix_samples(); }
  std::string describe() const override { return describe_children("Residual"); }

  std::shared_ptr<Sequential> residual, skip;
  double scale;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<Residual>(like(residual), like(skip), scale);
  }
};

}  // namespace duel::nn
