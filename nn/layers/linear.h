// Linear: y = x W^T + b, as torch.nn.Linear.
//
// Example:  nn::Linear fc(100, 256);  Tensor y = fc(x);   // [N, 100] to [N, 256]
#pragma once

#include <typeinfo>

#include "duel/nn/module/weight_layer.h"

namespace duel::nn {

struct LinearOptions {
  bool bias = true;
};

class Linear : public WeightLayer {
 public:
  /// weight [out, in], bias [out].
  Linear(int64_t in_features, int64_t out_features, LinearOptions options = {});
  /// x [..., in] to [..., out].
  Tensor forward_with(const Tensor& x, const Tensor& w, const Activation& then = {}) const override;
  bool fuses() const override { return typeid(*this) == typeid(Linear); }
  std::string describe() const override;

  int64_t in_features, out_features;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<Linear>(in_features, out_features, LinearOptions{.bias = bias.defined()});
  }
};

}  // namespace duel::nn
