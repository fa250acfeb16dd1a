#include "duel/nn/norm/instance_norm.h"

#include "duel/core/ops/reduce/normalization.h"

namespace duel::nn {

InstanceNorm2d::InstanceNorm2d(int64_t features, InstanceNormOptions o) : num_features(features), options(o) {
  DUEL_CHECK(features >= 1, "InstanceNorm2d", "expected at least 1 channel, got {}", features);
  DUEL_CHECK(o.eps >= 0, "InstanceNorm2d", "expected eps >= 0, got {}", o.eps);
  if (!o.affine) return;
  weight = register_parameter("weight", Tensor::ones({features}));
  bias = register_parameter("bias", Tensor::zeros({features}));
}

Tensor InstanceNorm2d::forward_then(const Tensor& x, const Activation& f) {
  DUEL_CHECK(x.rank() == 4 && x.dim(1) == num_features, "InstanceNorm2d",
             "expected an input [N, {}, H, W], got {}", num_features, x.shape());
  return instance_norm(x, weight, bias, options.eps, f);
}

std::string InstanceNorm2d::describe() const {
  return message("InstanceNorm2d({}, eps={}, affine={})", num_features, detail::number(options.eps),
                 detail::truth(options.affine));
}

}  // namespace duel::nn
