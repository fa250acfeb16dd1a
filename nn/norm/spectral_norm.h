// SpectralNorm: a Linear, Conv2d, ConvTranspose2d or Embedding whose weight is divided by an estimate of its
// largest singular value (Miyato et al. 2018), so the layer is about 1-Lipschitz. As torch.nn.utils.spectral_norm,
// with its keys weight_orig, weight_u, weight_v.
//
// Note [Spectral norm by power iteration]
// u and v are buffers. Every training forward moves them by one iteration, v = W^T u and u = W v, normalised;
// then sigma = u^T W v with u and v as constants, and the gradient flows through W / sigma in both places
// where W stands. In evaluation u and v rest. Where W^T u or W v is shorter than eps the old direction stays,
// and sigma is at least eps: a weight of zeros gives zeros, and the layer never stretches.
//
// Example:
//   nn::Sequential d(nn::SpectralNorm(nn::Linear(784, 256)), nn::ReLU(), nn::SpectralNorm(nn::Linear(256, 1)));
#pragma once

#include <typeinfo>

#include "duel/core/ops/linear/spectral.h"
#include "duel/nn/module/weight_layer.h"

namespace duel::nn {

struct SpectralNormOptions {
  int n_power_iterations = 1;
  double eps = 1e-12;
};

class SpectralNorm : public Module {
 public:
  template <std::derived_from<WeightLayer> Layer>
  explicit SpectralNorm(Layer layer, SpectralNormOptions o = {})
      : SpectralNorm(std::shared_ptr<WeightLayer>(std::make_shared<Layer>(std::move(layer))), o) {}
  explicit SpectralNorm(std::shared_ptr<WeightLayer> layer, SpectralNormOptions o = {});

  Tensor forward(const Tensor& x) override { return forward_then(x, {}); }
  Tensor forward_then(const Tensor& x, const Activation& f) override;
  /// |u^T W v| for the current u and v, at least eps, shape []; differentiable in the weight.
  Tensor sigma() const;
  /// In x; the weight's share is a constant for a penalty's input gradient.
  bool second_derivative_zero() const override { return true; }
  bool fuses() const override { return typeid(*this) == typeid(SpectralNorm); }
  std::string describe() const override { return "SpectralNorm(" + layer_->describe() + ")"; }
  const WeightLayer& layer() const { return *layer_; }

  SpectralNormOptions options;
  Tensor weight_orig, weight_u, weight_v;  // u [out], v [everything else]

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<SpectralNorm>(like(layer_), options);
  }

 private:
  SpectralEstimate estimate() const;

  std::shared_ptr<WeightLayer>
      layer_;  // not a child: its parameters are registered here, under PyTorch's names
};

/// The layer, under spectral norm or as it is.
template <std::derived_from<WeightLayer> Layer>
std::shared_ptr<Module> with_spectral_norm(bool on, Layer layer) {
  if (on) return std::make_shared<SpectralNorm>(std::move(layer));
  return std::make_shared<Layer>(std::move(layer));
}

}  // namespace duel::nn
