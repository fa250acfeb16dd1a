// Matrix products. Closed under differentiation: the gradients are matrix products with other transpose
// flags.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// op(a) [M, K] times op(b) [K, N]; op transposes where its flag is set.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

/// x [N, in] times weight [out, in] transposed, plus bias [out] (may be undefined): [N, out], as in PyTorch.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace duel
