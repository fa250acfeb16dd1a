// ConditionalBatchNorm2d: batch norm whose scale and shift are linear in a condition (de Vries et al. 2017,
// arXiv:1707.00683; by a row per label, Dumoulin et al. 2017, arXiv:1610.07629; by a shared embedding joined with a part of
// the noise, BigGAN: Brock et al. 2019, arXiv:1809.11096).
//
//   y = bn(x) (1 + gain(c)) + shift(c)   per sample and channel; bn without a scale or a shift of its own
//
// A label as a condition is its one-hot row: gain and shift are then a table with a row per class.
//
// Example:  nn::ConditionalBatchNorm2d norm(64, 10);   // norm(x [N, 64, H, W], one_hot(labels, 10))
#pragma once

#include "duel/nn/norm/batch_norm.h"

namespace duel::nn {

struct ConditionalBatchNormOptions {
  bool spectral_norm = false;  // of gain and shift
  double eps = 1e-5;
  double momentum = 0.1;
};

class ConditionalBatchNorm2d : public Module {
 public:
  ConditionalBatchNorm2d(int64_t features, int64_t condition, ConditionalBatchNormOptions options = {});
  /// x [N, features, H, W], condition [N, condition].
  Tensor forward(const Tensor& x, const Tensor& condition) override;
  bool mixes_samples() const override { return children_mix_samples(); }
  std::string describe() const override;

  int64_t num_features, num_condition;
  ConditionalBatchNormOptions options;
  std::shared_ptr<BatchNorm2d> bn;
  std::shared_ptr<Module> gain, shift;  // [condition] to [features], without bias

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<ConditionalBatchNorm2d>(num_features, num_condition, options);
  }
};

}  // namespace duel::nn
