// AvgPool2d: the mean of every window, torch.nn.AvgPool2d(k) with stride k and no padding.
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(int64_t kernel);
  /// x [N, C, H, W] to [N, C, H / k, W / k]; k must divide H and W.
  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;
  int64_t kernel_size;

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<AvgPool2d>(kernel_size); }
};

}  // namespace duel::nn
