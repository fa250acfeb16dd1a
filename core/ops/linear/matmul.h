// Matrix products of matrices and of stacks of them. Closed under differentiation: the gradients are matrix products with other transpose
// flags.
#pragma once

#include "duel/core/ops/map/activation.h"
#include "duel/core/tensor/tensor.h"

namespace duel {

/// op(a) [..., M, K] times op(b) [..., K, N]; op exchanges the last two axes where its flag is set. The axes before
/// broadcast, up to rank 5. A vector [K] counts as a row on the left, as a column on the right, and that axis goes
/// from the result (without flags).
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

/// Matrices of equal number: a [B, M, K] times b [B, K, N].
Tensor bmm(const Tensor& a, const Tensor& b);

/// x [N, in] times weight [out, in] transposed, plus bias [out] (may be undefined): [N, out], as in PyTorch; then the
/// activation, in the same launch on a GPU.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Activation& then = {});

}  // namespace duel
