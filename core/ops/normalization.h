// Batch, layer and instance normalisation. Value and first derivative are fused kernels, higher orders too where the
// docstring says so, else plain ops.
#pragma once

#include "duel/core/tensor.h"

namespace duel {

/// Running statistics of a batch norm, updated in place in training: shape [C] each; momentum and the unbiased variance
/// as in PyTorch.
struct BatchNormState {
  Tensor running_mean, running_var;  // undefined: none kept
  double momentum = 0.1;
  double eps = 1e-5;
  bool training = true;
};

/// x [N, C] or [N, C, H, W]; weight and bias [C] or undefined. Training normalises by the batch's statistics, otherwise
/// by the running ones.
Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormState& state);

/// Over all axes but the first: x [N, ...], weight and bias of shape x.shape()[1:] or undefined.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5);

/// Over the pixels of every sample and channel: x [N, C, H, W], weight and bias [C] or undefined.
Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5);

}  // namespace duel
