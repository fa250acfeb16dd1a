// ModulatedConv2d: a convolution whose kernel is scaled, and brought back to unit length, for each sample by its style
// (StyleGAN2: Karras et al. 2020, arXiv:1912.04958, section 2.2, equations 1 and 3).
//
//   s = style(w) [N, in],  w'[n, o, i] = weight[o, i] s[n, i],  y[n] = x[n] * w'[n] / sqrt(sum over i and taps of w'^2 + 1e-8)
//
// Note [Scaling instead of a kernel for each sample]
// A convolution is linear in each input and each output channel, so the same values come of x scaled by s, one convolution with
// the common weight for the whole batch, and its outputs scaled by the length's inverse: rsqrt(s^2 (sum over taps of
// weight^2)^T + 1e-8), a matrix product. Every derivative order follows, through both scalings (a double backward that misses
// the second is a known mistake of public code).
//
// The weight is equalised (nn/norm/equalized.h); style is an equalised Linear whose bias begins at 1.
//
// Example:  nn::ModulatedConv2d conv(64, 32, 3, /*style_dim=*/128);   // conv(x [N, 64, H, W], w [N, 128])
#pragma once

#include "duel/nn/norm/equalized.h"

namespace duel::nn {

struct ModulatedConv2dOptions {
  bool demodulate = true;
  double eps = 1e-8;
};

class ModulatedConv2d : public Module {
 public:
  /// An odd kernel; sides are kept.
  ModulatedConv2d(int64_t in_channels, int64_t out_channels, int64_t kernel_size, int64_t style_dim,
                  ModulatedConv2dOptions options = {});
  /// x [N, in, H, W], w [N, style_dim] to [N, out, H, W].
  Tensor forward(const Tensor& x, const Tensor& w) override;
  bool mixes_samples() const override { return children_mix_samples(); }
  std::string describe() const override;

  int64_t in_channels, out_channels, kernel_size, style_dim;
  ModulatedConv2dOptions options;
  Tensor weight;  // [out, in, K, K]
  std::shared_ptr<Equalized> style;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<ModulatedConv2d>(in_channels, out_channels, kernel_size, style_dim, options);
  }
};

}  // namespace duel::nn
