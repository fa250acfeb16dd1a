// MaxPool2d and AvgPool2d: the largest element and the mean of every window, as in torch.nn; GlobalSumPool2d: the sum of every
// channel, which ends the discriminators of SNGAN and BigGAN.
//
// Example:  nn::MaxPool2d halves(2);  nn::AvgPool2d blur({3, 3}, {.stride = 1, .padding = 1});
#pragma once

#include "duel/core/tensor/size2d.h"
#include "duel/nn/module/module.h"

namespace duel::nn {

struct Pool2dOptions {
  Size2d stride = 0;  // 0: the window's size
  Size2d padding = 0;
};

/// What both have in common: x [N, C, H, W] to [N, C, H', W'] with H' = (H + 2 padding - kernel) / stride + 1,
/// rounded down.
class Pool2d : public Module {
 public:
  bool second_derivative_zero() const override { return true; }

  Size2d kernel_size;
  Pool2dOptions options;

 protected:
  Pool2d(const char* name, Size2d kernel_size, Pool2dOptions options);
  std::string describe_as(const char* name) const;
};

/// Padding is minus infinity; of equal maxima the first takes the gradient.
class MaxPool2d : public Pool2d {
 public:
  explicit MaxPool2d(Size2d kernel, Pool2dOptions o = {}) : Pool2d("MaxPool2d", kernel, o) {}
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return describe_as("MaxPool2d"); }

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<MaxPool2d>(kernel_size, options);
  }
};

/// Padding counts as zeros.
class AvgPool2d : public Pool2d {
 public:
  explicit AvgPool2d(Size2d kernel, Pool2dOptions o = {}) : Pool2d("AvgPool2d", kernel, o) {}
  Tensor forward(const Tensor& x) override;
  std::string describe() const override { return describe_as("AvgPool2d"); }

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<AvgPool2d>(kernel_size, options);
  }
};

/// x [N, C, H, W] to [N, C].
class GlobalSumPool2d : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override { return "GlobalSumPool2d()"; }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<GlobalSumPool2d>(); }
};

}  // namespace duel::nn
