#include "duel/nn/norm/conditional_batch_norm.h"

#include "duel/core/ops/map/arithmetic.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/norm/spectral_norm.h"

namespace duel::nn {

ConditionalBatchNorm2d::ConditionalBatchNorm2d(int64_t features, int64_t condition,
                                               ConditionalBatchNormOptions o)
    : num_features(features), num_condition(condition), options(o) {
  DUEL_CHECK(condition >= 1, "ConditionalBatchNorm2d", "expected a condition of at least 1 value, got {}",
             condition);
  bn = register_module("bn", BatchNorm2d(features, {.eps = o.eps, .momentum = o.momentum, .affine = false}));
  const auto linear = [&] {
    return with_spectral_norm(o.spectral_norm, Linear(condition, features, {.bias = false}));
  };
  gain = register_module("gain", linear());
  shift = register_module("shift", linear());
}

Tensor ConditionalBatchNorm2d::forward(const Tensor& x, const Tensor& condition) {
  DUEL_CHECK(condition.rank() == 2 && condition.dim(1) == num_condition && condition.dim(0) == x.dim(0),
             "ConditionalBatchNorm2d", "expected a condition [{}, {}], got {}", x.dim(0), num_condition,
             condition.shape());
  const auto planes = [&](Module& of) { return of(condition).reshape({x.dim(0), num_features, 1, 1}); };
  const Tensor normalised = (*bn)(x), scale = planes(*gain) + 1.0;
  return normalised * scale + planes(*shift);
}

std::string ConditionalBatchNorm2d::describe() const {
  return message("ConditionalBatchNorm2d({}, {}, eps={}, momentum={}, spectral_norm={})", num_features,
                 num_condition, detail::number(options.eps), options.momentum,
                 detail::truth(options.spectral_norm));
}

}  // namespace duel::nn
