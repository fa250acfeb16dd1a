#include "duel/nn/optim/lookahead.h"

#include <unordered_map>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/tensor/autograd.h"

namespace duel::nn {

Lookahead::Lookahead(ParameterArena arena, double alpha)
    : arena_(std::move(arena)), alpha_(alpha), slow_(arena_.copies()) {
  DUEL_CHECK(alpha > 0 && alpha <= 1, "Lookahead", "expected alpha in (0, 1], got {}", alpha);
}

void Lookahead::pull_back() {
  const NoGrad no_grad;
  for (size_t b = 0; b < slow_.size(); ++b) {
    const Tensor& fast = arena_.blocks()[b].flat;
    slow_[b].copy_(slow_[b] + (fast - slow_[b]) * alpha_);
  }
  arena_.restore(slow_);
}

StateDict Lookahead::state_dict() const {
  StateDict all;
  for (size_t b = 0; b < slow_.size(); ++b) {
    for (const auto& entry : arena_.blocks()[b].entries)
      all.emplace_back(entry.name, ParameterArena::window(slow_[b], entry));
  }
  return all;
}

void Lookahead::load_state_dict(const StateDict& state) {
  const StateDict targets = state_dict();
  const std::unordered_map<std::string, Tensor> given(state.begin(), state.end());
  DUEL_CHECK(state.size() == targets.size(), "load_state_dict", "expected {} slow weights, got {}",
             targets.size(), state.size());
  for (const auto& [name, target] : targets) {
    const auto found = given.find(name);
    DUEL_CHECK(found != given.end(), "load_state_dict", "the slow weights of {} are missing", name);
    DUEL_CHECK(found->second.shape() == target.shape() && found->second.dtype() == target.dtype(),
               "load_state_dict", "the slow weights of {}: expected {}, got {}", name, to_text(target),
               to_text(found->second));
  }
  const NoGrad no_grad;
  for (const auto& [name, target] : targets) target.copy_(given.at(name));
}

}  // namespace duel::nn
