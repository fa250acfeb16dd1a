// BatchNorm1d and BatchNorm2d, as in torch.nn: y = (x - mean) / sqrt(var + eps) * weight + bias per channel.
//
// Training: mean and biased variance of the batch, and the running ones move by `momentum` towards the
// batch's mean and unbiased variance. Evaluation: the running ones. A norm that uses the batch mixes its
// samples, so a per-sample gradient penalty over it means nothing: mixes_samples() says so.
#pragma once

#include <typeinfo>

#include "duel/nn/module/module.h"

namespace duel::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  // running = (1 - momentum) running + momentum batch
  bool affine = true;
  bool track_running_stats = true;  // false: the batch's statistics in both modes, no buffers
};

/// What both have in common.
class BatchNorm : public Module {
 public:
  bool mixes_samples() const override;
  /// With the running statistics it is affine.
  bool second_derivative_zero() const override { return !by_batch(); }

  int64_t num_features;
  BatchNormOptions options;
  Tensor weight, bias;  // [C], ones and zeros; undefined without affine
  Tensor running_mean, running_var,
      num_batches_tracked;  // [C], [C], i64 []; undefined without track_running_stats

 protected:
  BatchNorm(const char* name, int64_t num_features, BatchNormOptions options);
  bool by_batch() const { return is_training() || !options.track_running_stats; }
  /// x of [N, C] or [N, C, H, W].
  Tensor normalize(const Tensor& x, const Activation& then);
  std::string describe_as(const char* name) const;
};

class BatchNorm1d : public BatchNorm {
 public:
  explicit BatchNorm1d(int64_t num_features, BatchNormOptions options = {});
  /// x [N, C] or [N, C, L].
  Tensor forward(const Tensor& x) override { return forward_then(x, {}); }
  Tensor forward_then(const Tensor& x, const Activation& f) override;
  bool fuses() const override { return typeid(*this) == typeid(BatchNorm1d); }
  std::string describe() const override { return describe_as("BatchNorm1d"); }

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<BatchNorm1d>(num_features, options);
  }
};

class BatchNorm2d : public BatchNorm {
 public:
  explicit BatchNorm2d(int64_t num_features, BatchNormOptions options = {});
  /// x [N, C, H, W].
  Tensor forward(const Tensor& x) override { return forward_then(x, {}); }
  Tensor forward_then(const Tensor& x, const Activation& f) override;
  bool fuses() const override { return typeid(*this) == typeid(BatchNorm2d); }
  std::string describe() const override { return describe_as("BatchNorm2d"); }

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<BatchNorm2d>(num_features, options);
  }
};

}  // namespace duel::nn
