#include "duel/nn/norm/group_norm.h"

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/reduce/normalization.h"

namespace duel::nn {

GroupNorm::GroupNorm(int64_t groups, int64_t channels, GroupNormOptions o)
    : num_groups(groups), num_channels(channels), options(o) {
  DUEL_CHECK(groups >= 1 && channels >= 1 && channels % groups == 0, "GroupNorm",
             "expected a number of groups that divides the channels, got {} and {}", groups, channels);
  DUEL_CHECK(o.eps >= 0, "GroupNorm", "expected eps >= 0, got {}", o.eps);
  if (!o.affine) return;
  weight = register_parameter("weight", Tensor::ones({channels}));
  bias = register_parameter("bias", Tensor::zeros({channels}));
}

Tensor GroupNorm::forward(const Tensor& x) {
  DUEL_CHECK(x.rank() >= 2 && x.dim(1) == num_channels, "GroupNorm", "expected an input [N, {}, ...], got {}",
             num_channels, x.shape());
  // A group is one channel of num_channels / num_groups times the pixels.
  const int64_t rows = num_channels / num_groups, pixels = x.shape().numel_from(2);
  const Tensor y = instance_norm(x.reshape({x.dim(0), num_groups, rows, pixels}), {}, {}, options.eps);
  if (!options.affine) return y.reshape(x.shape());
  const Shape columns{num_channels, 1};
  return (y.reshape({x.dim(0), num_channels, pixels}) * weight.reshape(columns) + bias.reshape(columns))
      .reshape(x.shape());
}

std::string GroupNorm::describe() const {
  return message("GroupNorm({}, {}, eps={}, affine={})", num_groups, num_channels,
                 detail::number(options.eps), detail::truth(options.affine));
}

}  // namespace duel::nn
