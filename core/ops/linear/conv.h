// Convolutions. conv2d, conv_transpose2d and conv2d_weight_grad form a family closed under differentiation:
// the gradient of each is one of the other two, so any order works.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// Height and width alike, as in the networks that Duel trains.
struct ConvOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t output_padding = 0;  // conv_transpose2d only: extra rows and columns at the far side, < stride
};

/// x [N, Cin, H, W], weight [Cout, Cin, K, K], bias [Cout] or undefined: [N, Cout, H', W'] with
/// H' = (H + 2 padding - K) / stride + 1.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvOptions options = {});

/// x [N, Cin, H, W], weight [Cin, Cout, K, K] (PyTorch's order), bias [Cout] or undefined: [N, Cout, H', W']
/// with H' = (H - 1) stride - 2 padding + K + output_padding.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvOptions options = {});

/// The gradient of conv2d in its weight: x [N, Cin, H, W], dy [N, Cout, H', W'] to [Cout, Cin, K, K].
Tensor conv2d_weight_grad(const Tensor& x, const Tensor& dy, int64_t kernel, ConvOptions options = {});

}  // namespace duel
