#include "duel/nn/optim/clip_grad.h"

#include <unordered_set>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/tensor/autograd.h"
#include "duel/nn/optim/grad_norm.h"

namespace duel::nn {
namespace {

std::vector<Tensor> gradients_of(const std::vector<Tensor>& parameters) {
  std::vector<Tensor> all;
  for (const Tensor& parameter : parameters) {
    if (parameter.grad().defined()) all.push_back(parameter.grad());
  }
  return all;
}

/// min(1, max_norm / (norm + 1e-6)), shape [].
Tensor factor_of(const Tensor& norm, double max_norm) {
  DUEL_CHECK(max_norm >= 0, "clip_grad_norm_", "expected max_norm >= 0, got {}", max_norm);
  return clamp_max(scalar_div(max_norm, add_scalar(norm, 1e-6)), 1.0);
}

Tensor clipped(const Tensor& gradient, double value) {
  DUEL_CHECK(value >= 0, "clip_grad_value_", "expected clip_value >= 0, got {}", value);
  return clamp_max(clamp_min(gradient, -value), value);
}

/// Overwrites each gradient by f of it; once where two parameters share one, as those of a sum do.
template <class F>
void overwrite(const std::vector<Tensor>& gradients, const F& f) {
  const NoGrad no_grad;
  std::unordered_set<const void*> done;
  for (const Tensor& gradient : gradients) {
    if (done.insert(gradient.raw()).second) gradient.copy_(f(gradient));
  }
}

}  // namespace

Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm) {
  const std::vector<Tensor> gradients = gradients_of(parameters);
  const Tensor norm = gradient_norms(gradients).total;
  const Tensor factor = factor_of(norm, max_norm);
  overwrite(gradients, [&](const Tensor& gradient) { return mul(gradient, factor); });
  return norm;
}

void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value) {
  overwrite(gradients_of(parameters), [&](const Tensor& gradient) { return clipped(gradient, clip_value); });
}

std::vector<Tensor> clipped_by_norm(const std::vector<Tensor>& gradients, double max_norm) {
  const Tensor factor = factor_of(gradient_norms(gradients).total, max_norm);
  std::vector<Tensor> all;
  for (const Tensor& gradient : gradients)
    all.push_back(gradient.defined() ? mul(gradient, factor) : Tensor());
  return all;
}

std::vector<Tensor> clipped_by_value(const std::vector<Tensor>& gradients, double clip_value) {
  std::vector<Tensor> all;
  for (const Tensor& gradient : gradients)
    all.push_back(gradient.defined() ? clipped(gradient, clip_value) : Tensor());
  return all;
}

}  // namespace duel::nn
