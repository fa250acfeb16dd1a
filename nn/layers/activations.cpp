#include "duel/nn/layers/activations.h"

#include "duel/core/ops/map/activation.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"

namespace duel::nn {

Tensor ReLU::forward(const Tensor& x) { return relu(x); }

Tensor LeakyReLU::forward(const Tensor& x) { return leaky_relu(x, negative_slope); }
std::string LeakyReLU::describe() const {
  return "LeakyReLU(negative_slope=" + detail::number(negative_slope) + ")";
}

PReLU::PReLU(int64_t n, double init) : num_parameters(n) {
  DUEL_CHECK(n >= 1, "PReLU", "expected at least 1 slope, got {}", n);
  weight = register_parameter("weight", Tensor::full({n}, init));
}
Tensor PReLU::forward(const Tensor& x) {
  DUEL_CHECK(num_parameters == 1 || (x.rank() >= 2 && x.dim(1) == num_parameters), "PReLU",
             "expected an input [N, {}, ...], got {}", num_parameters, x.shape());
  Tensor slope = weight;
  if (num_parameters > 1) {
    std::vector<int64_t> sizes(static_cast<size_t>(x.rank()), 1);
    sizes[1] = num_parameters;
    slope = weight.reshape(Shape(sizes));
  }
  return where(greater(x, Tensor::zeros({}, x.options())), x, x * slope);
}
std::string PReLU::describe() const { return message("PReLU(num_parameters={})", num_parameters); }

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

Tensor SiLU::forward(const Tensor& x) { return x * sigmoid(x); }

}  // namespace duel::nn
