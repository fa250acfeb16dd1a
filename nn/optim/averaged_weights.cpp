#include "duel/nn/optim/averaged_weights.h"

#include <unordered_map>

#include "duel/core/tensor/autograd.h"
#include "duel/nn/norm/batch_norm.h"

namespace duel::nn {
namespace {

std::vector<BatchNorm*> batch_norms(Module& module) {
  std::vector<BatchNorm*> all;
  module.apply([&](Module& m) {
    auto* norm = dynamic_cast<BatchNorm*>(&m);
    if (norm && norm->options.track_running_stats) all.push_back(norm);
  });
  return all;
}

/// While it lives every batch norm's momentum is what set() said last; then each has its own again.
class ScopedMomentum {
 public:
  explicit ScopedMomentum(std::vector<BatchNorm*> norms) : norms_(std::move(norms)) {
    for (const BatchNorm* norm : norms_) before_.push_back(norm->options.momentum);
  }
  ~ScopedMomentum() {
    for (size_t i = 0; i < norms_.size(); ++i) norms_[i]->options.momentum = before_[i];
  }
  ScopedMomentum(const ScopedMomentum&) = delete;
  ScopedMomentum& operator=(const ScopedMomentum&) = delete;
  void set(double momentum) {
    for (BatchNorm* norm : norms_) norm->options.momentum = momentum;
  }

 private:
  std::vector<BatchNorm*> norms_;
  std::vector<double> before_;
};

}  // namespace

bool has_statistics(Module& module) { return !batch_norms(module).empty(); }

void gather_statistics(Module& module, const std::vector<Tensor>& inputs) {
  NoGrad no_grad;
  const ScopedMode training(module, true);
  ScopedMomentum momentum(batch_norms(module));
  for (size_t k = 0; k < inputs.size(); ++k) {
    momentum.set(1.0 /
                 static_cast<double>(k + 1));  // the mean of all so far; the first replaces what was there
    module(inputs[k]);
  }
}

StateDict averaged_buffers(Module& module, const Optimizer& optimizer, const std::vector<Tensor>& inputs) {
  StateDict fresh;
  for (const auto& [name, buffer] : module.named_buffers()) fresh.emplace_back(name, buffer.clone());
  const AveragedWeights average(module, optimizer, fresh);
  gather_statistics(module, inputs);
  return fresh;
}

AveragedWeights::AveragedWeights(Module& module, const Optimizer& optimizer, const StateDict& buffers) {
  const StateDict state = optimizer.ema_state_dict(module);
  const std::unordered_map<std::string, Tensor> average(state.begin(), state.end());
  const std::unordered_map<std::string, Tensor> given(buffers.begin(), buffers.end());
  std::vector<Tensor> targets, replacements;
  for (const auto& [name, parameter] : module.named_parameters()) {
    targets.push_back(parameter);
    replacements.push_back(average.at(name));
  }
  parameters_.emplace(targets, replacements);
  targets.clear();
  replacements.clear();
  for (const auto& [name, buffer] : module.named_buffers()) {
    const auto found = given.find(name);
    if (found == given.end()) continue;
    targets.push_back(buffer);
    replacements.push_back(found->second);
  }
  buffers_.emplace(targets, replacements);
}

}  // namespace duel::nn
