// The norm that gradient penalties need.
#pragma once

#include "duel/core/tensor/tensor.h"
#include "duel/kernels/reduce/sample_norm.h"

namespace duel {

/// x [N, ...] to [N]: sqrt(sum of squares + eps) over all axes but the first. At a norm of zero the gradient
/// is zero, and nothing is NaN. Value, first and second derivative are kernels; higher orders plain ops
/// (undefined at zero, as the function is).
Tensor sample_norm(const Tensor& x, double eps = 0.0);

/// weight mean (n - k)^2 of the norms n of x [N, ...] by sample, or weight mean max(0, n - k)^2: a gradient penalty in
/// one launch. N is at least 1.
struct NormPenalty {
  Tensor value;
  Tensor mean_norm;  ///< without a graph
};
NormPenalty norm_penalty(const Tensor& x, const kernels::NormTarget& target, double weight);

/// The same, its gradient in x and base + value, all without a graph and in one launch.
struct NormPenaltyGradient {
  Tensor value, mean_norm, gradient, total;
};
NormPenaltyGradient norm_penalty_gradient(const Tensor& x, const kernels::NormTarget& target, double weight,
                                          const Tensor& base);

}  // namespace duel
