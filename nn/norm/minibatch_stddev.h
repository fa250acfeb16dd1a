// MinibatchStddev: one more channel that says how much the samples of the batch differ, so that a
// discriminator sees a collapsed generator (Karras et al. 2018, arXiv:1710.10196, section 3).
//
// [N, C, ...] to [N, C + 1, ...]: the deviation of every feature over the batch (dividing by N; sqrt(variance
// + 1e-8)), averaged over all features and positions to one number, in every place of the new channel. The
// paper's code does so in groups of 4; here the group is the batch.
//
// Example:  nn::Sequential d(nn::Conv2d(1, 8, 4, {.stride = 2, .padding = 1}), nn::ReLU(), nn::MinibatchStddev());  // 9 channels
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

class MinibatchStddev : public Module {
 public:
  Tensor forward(const Tensor& x) override;
  bool mixes_samples() const override { return true; }
  std::string describe() const override { return "MinibatchStddev()"; }

 protected:
  std::shared_ptr<Module> make_like() const override { return std::make_shared<MinibatchStddev>(); }
};

}  // namespace duel::nn
