// ActivationTrace: the outputs of every layer of a network while it runs, with their places in the graph, so
// that a diagnostic can differentiate with respect to them.
//
// A layer is a module without children, called as layer(x): Sequential and the networks of gan/ do. While no
// trace is alive, a layer pays for one comparison.
//
// Example, the gradient's norm at each layer:
//   nn::ActivationTrace trace;
//   Tensor loss = mean(net(x));
//   std::vector<Tensor> at = grad({loss}, trace.tensors());
#pragma once

#include <utility>
#include <vector>

#include "duel/nn/module/module.h"

namespace duel::nn {

/// Sees the layers that this thread runs between its construction and its end; a trace made later sees them
/// alone until it ends.
class ActivationTrace {
 public:
  ActivationTrace();
  ~ActivationTrace();
  ActivationTrace(const ActivationTrace&) = delete;

  /// In the order of the calls; a layer called twice appears twice.
  const std::vector<std::pair<const Module*, Tensor>>& outputs() const { return outputs_; }
  std::vector<Tensor> tensors() const;

 private:
  friend Tensor detail::traced(const Module& module, Tensor output);
  std::vector<std::pair<const Module*, Tensor>> outputs_;
  ActivationTrace* before_;
};

}  // namespace duel::nn
