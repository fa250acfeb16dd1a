// MinibatchDiscrimination: how near each sample is to the others of its batch, as further features, so that a discriminator
// sees a collapsed generator (Salimans et al. 2016, arXiv:1606.03498, section 3.2).
//
//   M = x T [N, B, C],  o[i, b] = sum over j of exp(-sum over c of |M[i, b, c] - M[j, b, c]|);  y = [x, o]
//
// The sum holds j = i, a constant 1, as in the paper. It mixes samples: a per-sample gradient penalty over it is refused.
//
// Example:  nn::MinibatchDiscrimination layer(128, 16, 8);   // [N, 128] to [N, 144]
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class MinibatchDiscrimination : public Module {
 public:
  /// `features` values of a sample, `kernels` (B) numbers of `kernel_dim` (C) values each.
  MinibatchDiscrimination(int64_t features, int64_t kernels, int64_t kernel_dim);
  /// x [N, features] to [N, features + kernels].
  Tensor forward(const Tensor& x) override;
  bool mixes_samples() const override { return true; }
  std::string describe() const override;

  int64_t features, kernels, kernel_dim;
  Tensor weight;  // T [features, kernels kernel_dim], N(0, 1 / features)

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<MinibatchDiscrimination>(features, kernels, kernel_dim);
  }
};

}  // namespace duel::nn
