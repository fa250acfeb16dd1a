// Activations. Values, first and second derivatives are kernels; orders above are composed of plain ops.
// Where the second derivative is zero almost everywhere, the backward of the gradient skips the primal pass.
#pragma once

#include "duel/core/tensor/tensor.h"
#include "duel/kernels/map/activations.h"

namespace duel {

/// One that is chosen at run time, of those that linear, the convolutions and the norms can end in: none (by default),
/// kernels::Relu{}, LeakyRelu{slope} or Tanh{}.
using Activation = kernels::Activation;
/// f(x); x itself where f is none.
Tensor activate(const Tensor& x, const Activation& f);

/// max(x, 0); gradient 0 at 0.
Tensor relu(const Tensor& x);
/// x, or slope x below 0.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// x, or alpha (e^x - 1) below 0 (Clevert et al. 2015, arXiv:1511.07289).
Tensor elu(const Tensor& x, double alpha = 1.0);
/// (e^x - e^-x) / (e^x + e^-x)
Tensor tanh(const Tensor& x);
/// 1 / (1 + e^-x)
Tensor sigmoid(const Tensor& x);
/// log(1 + exp(x)), exact for large |x|.
Tensor softplus(const Tensor& x);
/// x Phi(x), the exact form.
Tensor gelu(const Tensor& x);

}  // namespace duel
