// Conv2d: cross-correlation of images, as torch.nn.Conv2d with square kernels, zero padding, one group, no
// dilation.
//
// Example:  nn::Conv2d conv(1, 64, 4, {.stride = 2, .padding = 1});   // [N, 1, 28, 28] to [N, 64, 14, 14]
#pragma once

#include "duel/nn/module/weight_layer.h"

namespace duel::nn {

struct Conv2dOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  bool bias = true;
};

class Conv2d : public WeightLayer {
 public:
  /// weight [out, in, K, K], bias [out].
  Conv2d(int64_t in_channels, int64_t out_channels, int64_t kernel_size, Conv2dOptions options = {});
  /// x [N, in, H, W] to [N, out, H', W'] with H' = (H + 2 padding - K) / stride + 1.
  Tensor forward_with(const Tensor& x, const Tensor& w) const override;
  std::string describe() const override;

  int64_t in_channels, out_channels, kernel_size;
  Conv2dOptions options;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<Conv2d>(in_channels, out_channels, kernel_size, options);
  }
};

}  // namespace duel::nn
