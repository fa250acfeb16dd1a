// Other resolutions: Upsample by a whole factor and PixelShuffle, as in torch.nn, and Blur2d, which low-pass filters an image
// in front of a stride or behind an enlargement.
//
// Example:  nn::Upsample smooth(2, nn::Upsample::Mode::bilinear);   // [N, C, H, W] to [N, C, 2H, 2W]
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class Upsample : public Module {
 public:
  enum class Mode { nearest, bilinear };  // bilinear: align_corners=False
  explicit Upsample(int64_t factor, Mode mode = Mode::nearest);
  /// x [N, C, H, W] to [N, C, kH, kW].
  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override;
  int64_t scale_factor;
  Mode mode;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<Upsample>(scale_factor, mode);
  }
};

/// x [N, C r r, H, W] to [N, C, H r, W r] (core/ops/reduce/resampling.h).
class PixelShuffle : public Module {
 public:
  explicit PixelShuffle(int64_t factor);
  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override { return message("PixelShuffle(upscale_factor={})", upscale_factor); }
  int64_t upscale_factor;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<PixelShuffle>(upscale_factor);
  }
};

/// [1, 2, 1] / 4 along both sides, zeros beyond the border; x [N, C, H, W] to the same.
class Blur2d : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  bool second_derivative_zero() const override { return true; }
  std::string describe() const override { return "Blur2d()"; }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<Blur2d>(); }
};

}  // namespace duel::nn
