#include "duel/nn/module/activation_trace.h"

#include "duel/core/tensor/internal/op_trace.h"

namespace duel::nn {

namespace {
thread_local ActivationTrace* active = nullptr;
}

ActivationTrace::ActivationTrace() : before_(active) { active = this; }
ActivationTrace::~ActivationTrace() { active = before_; }

std::vector<Tensor> ActivationTrace::tensors() const {
  std::vector<Tensor> all;
  for (const auto& [module, tensor] : outputs_) all.push_back(tensor);
  return all;
}

// A layer and its activation are two steps of an OpTrace.
bool detail::tracing() { return active != nullptr || duel::detail::OpTrace::active() != nullptr; }

Tensor detail::traced(const Module& module, Tensor output) {
  if (active != nullptr && module.named_children().empty()) active->outputs_.emplace_back(&module, output);
  return output;
}

}  // namespace duel::nn
