#include "duel/nn/module/scoped_parameters.h"

#include "duel/core/tensor/internal/tensor_impl.h"

namespace duel::nn {

// What a handle points to changes its content, not its place: the layer's member and the module's list see it
// alike. Recorded ops keep handles of their own (core/engine/record.cpp), so their saved tensors do not
// change with it.
ScopedParameters::ScopedParameters(std::vector<Tensor> parameters, const std::vector<Tensor>& replacements)
    : parameters_(std::move(parameters)) {
  DUEL_CHECK(parameters_.size() == replacements.size(), "ScopedParameters",
             "expected one replacement for each of {} parameters, got {}", parameters_.size(),
             replacements.size());
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor &old = parameters_[i], &now = replacements[i];
    DUEL_CHECK(now.defined() && now.shape() == old.shape() && now.dtype() == old.dtype() &&
                   now.device() == old.device(),
               "ScopedParameters", "parameter {}: expected {}, got {}", i, to_text(old),
               now.defined() ? to_text(now) : "nothing");
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    originals_.push_back(std::make_shared<duel::detail::TensorImpl>(*parameters_[i].impl()));
    *parameters_[i].impl() = duel::detail::TensorImpl(*replacements[i].impl());
  }
}

ScopedParameters::~ScopedParameters() {
  for (size_t i = parameters_.size(); i-- > 0;) *parameters_[i].impl() = *originals_[i];
}

}  // namespace duel::nn
