// Gradient checks by central differences, of order 1 and 2, for ops and whole losses. In f64.
//
// Example:
//   auto result = gradgradcheck([&](const auto& in) { return sample_norm(tanh(in[0])); }, {x});
//   if (!result) std::puts(result.message.c_str());
//
// f computes with the tensors that it is given: copies of the inputs, moved for the differences, which are
// taken without recording. Example, a module's weights as inputs (nn/module/scoped_parameters.h):
//   gradcheck([&](const auto& in) { nn::ScopedParameters moved(d.parameters(), in); return mean(d(x)); }, d.parameters());
// Where f differentiates by itself, it needs an EnableGrad around that (gan::gradient_penalty has its own).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel {

struct GradcheckOptions {
  double eps = 1e-6;
  double atol = 1e-5;
  double rtol = 1e-3;
  uint64_t seed = 1;  // of the random cotangent
};

struct GradcheckResult {
  bool ok = true;
  // input, element, expected and computed value of the worst mismatch; or what was thrown
  std::string message;
  double worst = 0.0;  // largest |analytic - numeric| / (atol + rtol |numeric|); up to 1 is accepted
  explicit operator bool() const { return ok; }
};

using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

/// Compares grad(<v, f(inputs)>) for a random v with central differences in every element of every f64 input
/// that requires grad, and runs it twice: both gradients must be equal bit for bit. An f that depends on none
/// of these inputs is refused; one that depends on some has derivative 0 in the others.
GradcheckResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                          GradcheckOptions options = {});

/// The same for the gradient itself, as a function of the inputs and of v.
GradcheckResult gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                              GradcheckOptions options = {});

}  // namespace duel
