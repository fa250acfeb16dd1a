// ConvTranspose2d: the adjoint of Conv2d, as torch.nn.ConvTranspose2d with square kernels and one group.
//
// Example:
//   nn::ConvTranspose2d up(128, 64, 4, {.stride = 2, .padding = 1});   // [N, 128, 7, 7] to [N, 64, 14, 14]
#pragma once

#include "duel/nn/module/weight_layer.h"

namespace duel::nn {

struct ConvTranspose2dOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t output_padding = 0;
  bool bias = true;
};

class ConvTranspose2d : public WeightLayer {
 public:
  /// weight [in, out, K, K] (PyTorch's order), bias [out].
  ConvTranspose2d(int64_t in_channels, int64_t out_channels, int64_t kernel_size,
                  ConvTranspose2dOptions options = {});
  /// x [N, in, H, W] to [N, out, H', W'] with H' = (H - 1) stride - 2 padding + K + output_padding.
  Tensor forward_with(const Tensor& x, const Tensor& w) const override;
  int output_axis() const override { return 1; }
  std::string describe() const override;

  int64_t in_channels, out_channels, kernel_size;
  ConvTranspose2dOptions options;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<ConvTranspose2d>(in_channels, out_channels, kernel_size, options);
  }
};

}  // namespace duel::nn
