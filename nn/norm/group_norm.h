// GroupNorm: the channels of every sample in groups, each group by its own mean and biased variance, as
// torch.nn.GroupNorm. It does not mix samples.
//
// Example:  nn::GroupNorm norm(8, 64);   // [N, 64, H, W], groups of 8 channels
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;
};

class GroupNorm : public Module {
 public:
  /// num_groups divides num_channels.
  GroupNorm(int64_t num_groups, int64_t num_channels, GroupNormOptions options = {});
  /// x [N, C, ...] with more than one value in a group.
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;

  int64_t num_groups, num_channels;
  GroupNormOptions options;
  Tensor weight, bias;  // [C], ones and zeros; undefined without affine

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<GroupNorm>(num_groups, num_channels, options);
  }
};

}  // namespace duel::nn
