// PixelNorm: every sample's vector of channels, at each place, divided by its root mean square (Karras et al. 2018,
// arXiv:1710.10196, section 4.2): y = x / sqrt(mean over axis 1 of x^2 + eps). No parameters; it does not mix samples.
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class PixelNorm : public Module {
 public:
  explicit PixelNorm(double eps = 1e-8);
  /// x [N, C, ...].
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;

  double eps;

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<PixelNorm>(eps); }
};

}  // namespace duel::nn
