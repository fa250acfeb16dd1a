// ScopedParameters: a module's forward with other tensors in place of its parameters, which may be results of
// recorded ops; gradients then flow through them. This is how a network is evaluated as a function of its
// weights: unrolled optimization, meta-learning, finite differences.
//
// While the object lives, every handle of a parameter is a handle of its replacement: do not step an
// optimizer then. What was recorded stays valid afterwards.
//
// Example, D after a gradient step, differentiable in what the step depended on:
//   Tensor logits;
//   { nn::ScopedParameters moved(d.parameters(), stepped);  logits = d(x); }
#pragma once

#include <memory>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel::nn {

class ScopedParameters {
 public:
  /// One replacement of equal shape and dtype for each parameter, in order.
  ScopedParameters(std::vector<Tensor> parameters, const std::vector<Tensor>& replacements);
  ~ScopedParameters();
  ScopedParameters(const ScopedParameters&) = delete;

 private:
  std::vector<Tensor> parameters_;
  std::vector<std::shared_ptr<duel::detail::TensorImpl>> originals_;
};

}  // namespace duel::nn
