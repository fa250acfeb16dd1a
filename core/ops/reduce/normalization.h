// Batch, layer and instance normalisation: y = weight (x - mean) / sqrt(var + eps) + bias with the biased
// variance. Value, gradient and the gradient of the gradient (what a gradient penalty needs) are fused
// kernels; orders above are plain ops. Any order works.
//
// Example:
//   BatchNormState state{.running_mean = Tensor::zeros({64}), .running_var = Tensor::ones({64})};
//   Tensor y = batch_norm(x, weight, bias, state);     // also moves the running statistics
//   state.training = false;
//   Tensor z = batch_norm(x, weight, bias, state);     // by the running statistics
#pragma once

#include "duel/core/ops/map/activation.h"
#include "duel/core/tensor/tensor.h"

namespace duel {

/// Running statistics of a batch norm, shape [C] each, updated in place in training (under NoGrad too), as in
/// PyTorch: running = (1 - momentum) running + momentum batch, the variance unbiased.
struct BatchNormState {
  Tensor running_mean = {}, running_var = {};  // undefined: none kept
  Tensor num_batches_tracked = {};             // i64, counts the batches that moved them; may be undefined
  double momentum = 0.1;
  double eps = 1e-5;
  bool training = true;
  int64_t parts = 1;  // x holds so many batches of equal size, one behind the other
};

/// While it lives on this thread, what a batch norm of nn/ is given in training is `parts` batches of equal size, one
/// behind the other: each is normalised by its own statistics, and the running ones move once for each, in order, as in
/// so many passes. Layers before it must keep the order of the samples. checkpoint() remembers it.
class BatchParts {
 public:
  explicit BatchParts(int64_t parts);
  ~BatchParts();
  BatchParts(const BatchParts&) = delete;
  BatchParts& operator=(const BatchParts&) = delete;

  /// 1 where none lives.
  static int64_t now();

 private:
  int64_t outer_;
};

/// x [N, C] or [N, C, H, W]; weight and bias [C] or undefined. Training normalises by the batch's statistics,
/// of each part, which take more than one value per channel; otherwise the running ones are used where they are kept.
Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormState& state,
                  const Activation& then = {});

/// Over all axes but the first: x [N, ...], weight and bias of shape x.shape()[1:] or undefined.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5,
                  const Activation& then = {});

/// Over the pixels of every sample and channel: x [N, C, H, W], weight and bias [C] or undefined.
Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5,
                     const Activation& then = {});

}  // namespace duel
