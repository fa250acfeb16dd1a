// Activations. Values, first and second derivatives are kernels; orders above are composed of plain ops.
// Where the second derivative is zero almost everywhere, the backward of the gradient skips the primal pass.
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

Tensor relu(const Tensor& x);
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
Tensor elu(const Tensor& x, double alpha = 1.0);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
/// log(1 + exp(x)), exact for large |x|.
Tensor softplus(const Tensor& x);
/// x Phi(x), the exact form.
Tensor gelu(const Tensor& x);

}  // namespace duel
