// Upsample: nearest-neighbour enlargement by a whole factor, torch.nn.Upsample(scale_factor=k,
// mode="nearest").
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class Upsample : public Module {
 public:
  explicit Upsample(int64_t factor);
  /// x [N, C, H, W] to [N, C, kH, kW].
  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;
  int64_t scale_factor;

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<Upsample>(scale_factor); }
};

}  // namespace duel::nn
