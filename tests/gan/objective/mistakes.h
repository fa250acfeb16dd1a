// Checks that tests of known mistakes share. A mistake's test has one check; it must accept Duel's way and
// reject the other.
#pragma once

#include <cmath>
#include <functional>
#include <vector>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/nn/layers.h"
#include "tests/tensors.h"

namespace duel::testing {

/// Whether `gradients` are d(value)/d(parameters), by central differences in every element. An undefined one
/// counts as 0.
inline bool is_gradient_of(const std::function<Tensor()>& value, const std::vector<Tensor>& parameters,
                           const std::vector<Tensor>& gradients) {
  constexpr double h = 1e-5;
  double worst = 0, largest = 0;
  for (size_t k = 0; k < parameters.size(); ++k) {
    for (int64_t i = 0; i < parameters[k].numel(); ++i) {
      double& element = parameters[k].mutable_data<double>()[i];
      const double kept = element;
      const auto at = [&](double v) {
        parameters[k].mutable_data<double>()[i] = v;
        return value().item();
      };
      const double up = at(kept + h), down = at(kept - h), numeric = (up - down) / (2 * h);
      parameters[k].mutable_data<double>()[i] = kept;
      const double computed = gradients[k].defined() ? gradients[k].data<double>()[i] : 0.0;
      worst = std::max(worst, std::abs(computed - numeric));
      largest = std::max(largest, std::abs(numeric));
    }
  }
  return largest > 0 && worst < 1e-6 * largest;
}

inline bool near(double a, double b) { return std::abs(a - b) <= 1e-9 * (1 + std::abs(b)); }

/// Samples of any shape to D(x) = w . x + 0.3.
inline nn::Sequential linear_critic(const std::vector<double>& w) {
  const auto n = static_cast<int64_t>(w.size());
  nn::Sequential critic(nn::Flatten(), nn::Linear(n, 1));
  critic.to(DType::f64);
  critic.load_state_dict({{"1.weight", Tensor::from(w, {1, n})}, {"1.bias", Tensor::from({0.3}, {1})}});
  return critic;
}

}  // namespace duel::testing
