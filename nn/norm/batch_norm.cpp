#include "duel/nn/norm/batch_norm.h"

#include "duel/core/engine/checkpoint.h"
#include "duel/core/ops/reduce/normalization.h"

namespace duel::nn {

BatchNorm::BatchNorm(const char* name, int64_t features, BatchNormOptions o)
    : num_features(features), options(o) {
  DUEL_CHECK(features >= 1, name, "expected at least 1 channel, got {}", features);
  DUEL_CHECK(o.eps >= 0 && o.momentum >= 0 && o.momentum <= 1, name,
             "expected eps >= 0 and momentum in [0, 1], got {} and {}", detail::number(o.eps), o.momentum);
  if (o.affine) {
    weight = register_parameter("weight", Tensor::ones({features}));
    bias = register_parameter("bias", Tensor::zeros({features}));
  }
  if (o.track_running_stats) {
    running_mean = register_buffer("running_mean", Tensor::zeros({features}));
    running_var = register_buffer("running_var", Tensor::ones({features}));
    num_batches_tracked = register_buffer("num_batches_tracked", Tensor::zeros({}, {DType::i64, {}}));
  }
}

// Under BatchParts the question is whether a sample of one part reaches what comes of another's.
bool BatchNorm::mixes_samples() const { return by_batch() && BatchParts::now() == 1; }

Tensor BatchNorm::normalize(const Tensor& x, const Activation& then) {
  const bool moved = is_training() && recomputing();  // by the first run of this pass
  return batch_norm(x, weight, bias,
                    {.running_mean = moved ? Tensor() : running_mean,
                     .running_var = moved ? Tensor() : running_var,
                     .num_batches_tracked = moved ? Tensor() : num_batches_tracked,
                     .momentum = options.momentum,
                     .eps = options.eps,
                     .training = by_batch(),
                     .parts = BatchParts::now()},
                    then);
}

std::string BatchNorm::describe_as(const char* name) const {
  return message("{}({}, eps={}, momentum={}, affine={}, track_running_stats={})", name, num_features,
                 detail::number(options.eps), detail::number(options.momentum), detail::truth(options.affine),
                 detail::truth(options.track_running_stats));
}

BatchNorm1d::BatchNorm1d(int64_t features, BatchNormOptions o) : BatchNorm("BatchNorm1d", features, o) {}

Tensor BatchNorm1d::forward_then(const Tensor& x, const Activation& f) {
  DUEL_CHECK((x.rank() == 2 || x.rank() == 3) && x.dim(1) == num_features, "BatchNorm1d",
             "expected an input [N, {}] or [N, {}, L], got {}", num_features, num_features, x.shape());
  if (x.rank() == 2) return normalize(x, f);
  return normalize(x.reshape(x.shape().inserted(3)), f).reshape(x.shape());
}

BatchNorm2d::BatchNorm2d(int64_t features, BatchNormOptions o) : BatchNorm("BatchNorm2d", features, o) {}

Tensor BatchNorm2d::forward_then(const Tensor& x, const Activation& f) {
  DUEL_CHECK(x.rank() == 4 && x.dim(1) == num_features, "BatchNorm2d",
             "expected an input [N, {}, H, W], got {}", num_features, x.shape());
  return normalize(x, f);
}

}  // namespace duel::nn
