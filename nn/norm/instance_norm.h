// InstanceNorm2d: every channel of every sample by its own mean and biased variance, as
// torch.nn.InstanceNorm2d without running statistics (its default).
#pragma once

#include <typeinfo>

#include "duel/nn/module/module.h"

namespace duel::nn {

struct InstanceNormOptions {
  double eps = 1e-5;
  bool affine = false;
};

class InstanceNorm2d : public Module {
 public:
  explicit InstanceNorm2d(int64_t num_features, InstanceNormOptions options = {});
  /// x [N, C, H, W] with more than one pixel.
  Tensor forward(const Tensor& x) override { return forward_then(x, {}); }
  Tensor forward_then(const Tensor& x, const Activation& f) override;
  bool fuses() const override { return typeid(*this) == typeid(InstanceNorm2d); }
  std::string describe() const override;

  int64_t num_features;
  InstanceNormOptions options;
  Tensor weight, bias;  // [C], ones and zeros; undefined without affine

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<InstanceNorm2d>(num_features, options);
  }
};

}  // namespace duel::nn
