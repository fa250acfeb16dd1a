// Convolutions. conv2d, conv_transpose2d and conv2d_weight_grad form a family closed under differentiation:
// the gradient of each is one of the other two, so any order works. Both layers may end in an activation, which own
// kernels do in the same launch where it is piecewise linear.
#pragma once

#include "duel/core/ops/map/activation.h"
#include "duel/core/tensor/size2d.h"
#include "duel/core/tensor/tensor.h"

namespace duel {

/// What is two sizes is {height, width}, or one number for both.
struct ConvOptions {
  Size2d stride = 1;
  Size2d padding = 0;
  Size2d output_padding = 0;  // conv_transpose2d only: extra rows and columns at the far side, < stride
  Size2d dilation = 1;        // the distance between two taps of the kernel
  int64_t groups = 1;         // of channels that do not meet; divides both numbers of channels
};

/// x [N, Cin, H, W], weight [Cout, Cin / groups, KH, KW], bias [Cout] or undefined: [N, Cout, H', W'] with
/// H' = (H + 2 padding - dilation (KH - 1) - 1) / stride + 1.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvOptions options = {},
              const Activation& then = {});

/// x [N, Cin, H, W], weight [Cin, Cout / groups, KH, KW] (PyTorch's order), bias [Cout] or undefined: [N, Cout, H', W']
/// with H' = (H - 1) stride - 2 padding + dilation (KH - 1) + 1 + output_padding.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvOptions options = {},
                        const Activation& then = {});

/// The gradient of conv2d in its weight: x [N, Cin, H, W], dy [N, Cout, H', W'] to [Cout, Cin / groups, KH, KW].
Tensor conv2d_weight_grad(const Tensor& x, const Tensor& dy, Size2d kernel, ConvOptions options = {});

}  // namespace duel
