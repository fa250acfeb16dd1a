#include "duel/nn/layers/activations.h"

#include "duel/core/ops/map/activation.h"
#include "duel/core/ops/map/arithmetic.h"

namespace duel::nn {

Tensor ReLU::forward(const Tensor& x) { return relu(x); }

Tensor LeakyReLU::forward(const Tensor& x) { return leaky_relu(x, negative_slope); }
std::string LeakyReLU::describe() const {
  return "LeakyReLU(negative_slope=" + detail::number(negative_slope) + ")";
}

Tensor ELU::forward(const Tensor& x) { return elu(x, alpha); }
std::string ELU::describe() const { return "ELU(alpha=" + detail::number(alpha) + ")"; }

Tensor Tanh::forward(const Tensor& x) { return tanh(x); }

Tensor Sigmoid::forward(const Tensor& x) { return sigmoid(x); }

Softplus::Softplus(double beta_) : beta(beta_) {
  DUEL_CHECK(beta > 0, "Softplus", "expected beta > 0, got {}", beta);
}
Tensor Softplus::forward(const Tensor& x) { return beta == 1.0 ? softplus(x) : softplus(x * beta) / beta; }
std::string Softplus::describe() const { return "Softplus(beta=" + detail::number(beta) + ")"; }

Tensor GELU::forward(const Tensor& x) { return gelu(x); }

}  // namespace duel::nn
