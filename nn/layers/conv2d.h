// Conv2d: cross-correlation of images with zero padding, as torch.nn.Conv2d. What is two sizes is {height, width}, or one
// number for both.
//
// Example:
//   nn::Conv2d conv(1, 64, 4, {.stride = 2, .padding = 1});                     // [N, 1, 28, 28] to [N, 64, 14, 14]
//   nn::Conv2d depthwise(64, 64, {3, 5}, {.padding = {1, 2}, .groups = 64});    // each channel for itself
#pragma once

#include <typeinfo>

#include "duel/core/ops/linear/conv.h"
#include "duel/core/tensor/size2d.h"
#include "duel/nn/module/weight_layer.h"

namespace duel::nn {

struct Conv2dOptions {
  Size2d stride = 1;
  Size2d padding = 0;
  Size2d dilation = 1;
  int64_t groups = 1;  // divides both numbers of channels
  bool bias = true;
};

class Conv2d : public WeightLayer {
 public:
  /// weight [out, in / groups, KH, KW], bias [out].
  Conv2d(int64_t in_channels, int64_t out_channels, Size2d kernel_size, Conv2dOptions options = {});
  /// x [N, in, H, W] to [N, out, H', W'] with H' = (H + 2 padding - dilation (KH - 1) - 1) / stride + 1.
  Tensor forward_with(const Tensor& x, const Tensor& w, const Activation& then = {}) const override;
  bool fuses() const override { return typeid(*this) == typeid(Conv2d); }
  /// The options as the op takes them.
  ConvOptions op_options() const;
  std::string describe() const override;

  int64_t in_channels, out_channels;
  Size2d kernel_size;
  Conv2dOptions options;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<Conv2d>(in_channels, out_channels, kernel_size, options);
  }
};

}  // namespace duel::nn
