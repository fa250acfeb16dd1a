// linear and conv2d as the linear maps that they are in x, and what their weights get, without a graph: for passes whose
// derivatives are written out (gan/train/internal/analytic.cpp). Under NoGrad only. `slope`: what the result is multiplied with as it
// is stored; null: nothing.
#pragma once

#include "duel/core/ops/linear/conv.h"
#include "duel/core/tensor/internal/slope.h"

namespace duel::detail {

/// dy [N, out] to dy weight [N, in]: the adjoint of linear in x.
Tensor linear_pullback(const Tensor& dy, const Tensor& weight, const Slope* slope);
/// x [N, in] to x weight^T [N, out], without the bias.
Tensor linear_pushforward(const Tensor& x, const Tensor& weight, const Slope* slope);
/// What a layer's weight and bias get; undefined where it is not asked for.
struct WeightAndBias {
  Tensor weight, bias;
};
/// Of linear. Both are one launch where nothing records them; this and conv2d_gradients also serve rules that are recorded.
WeightAndBias linear_gradients(const Tensor& x, const Tensor& dy, bool weight, bool bias);
/// dw += what linear's weight gets from x and dy.
void add_linear_weight_gradient(const Tensor& x, const Tensor& dy, Tensor& dw);

/// The same of conv2d; `height` and `width` are x's.
Tensor conv2d_pullback(const Tensor& dy, const Tensor& weight, int64_t height, int64_t width,
                       const ConvOptions& options, const Slope* slope);
Tensor conv2d_pushforward(const Tensor& x, const Tensor& weight, const ConvOptions& options,
                          const Slope* slope);
WeightAndBias conv2d_gradients(const Tensor& x, const Tensor& dy, Size2d kernel, const ConvOptions& options,
                               bool weight, bool bias);

}  // namespace duel::detail
