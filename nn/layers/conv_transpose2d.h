// ConvTranspose2d: the adjoint of Conv2d, as torch.nn.ConvTranspose2d. What is two sizes is {height, width}, or one number
// for both.
//
// Example:
//   nn::ConvTranspose2d up(128, 64, 4, {.stride = 2, .padding = 1});   // [N, 128, 7, 7] to [N, 64, 14, 14]
#pragma once

#include <typeinfo>

#include "duel/core/tensor/size2d.h"
#include "duel/nn/module/weight_layer.h"

namespace duel::nn {

struct ConvTranspose2dOptions {
  Size2d stride = 1;
  Size2d padding = 0;
  Size2d output_padding = 0;  // < stride
  int64_t groups = 1;         // divides both numbers of channels
  bool bias = true;
  Size2d dilation = 1;
};

class ConvTranspose2d : public WeightLayer {
 public:
  /// weight [in, out / groups, KH, KW] (PyTorch's order), bias [out].
  ConvTranspose2d(int64_t in_channels, int64_t out_channels, Size2d kernel_size,
                  ConvTranspose2dOptions options = {});
  /// x [N, in, H, W] to [N, out, H', W'] with
  /// H' = (H - 1) stride - 2 padding + dilation (KH - 1) + 1 + output_padding.
  Tensor forward_with(const Tensor& x, const Tensor& w, const Activation& then = {}) const override;
  int output_axis() const override { return 1; }
  bool fuses() const override { return typeid(*this) == typeid(ConvTranspose2d); }
  std::string describe() const override;

  int64_t in_channels, out_channels;
  Size2d kernel_size;
  ConvTranspose2dOptions options;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<ConvTranspose2d>(in_channels, out_channels, kernel_size, options);
  }
};

}  // namespace duel::nn
