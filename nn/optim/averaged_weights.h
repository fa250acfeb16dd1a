// A network as its moving average of weights sees the world: the average in place of the weights, and
// batch-norm statistics gathered under it, because those of the moving weights belong to other activations.
//
// Example:
//   StateDict buffers = nn::averaged_buffers(net, optimizer, inputs);    // some batches of what the network is given
//   { nn::AveragedWeights average(net, optimizer, buffers);  nn::EvalMode eval(net);  y = net(x); }
#pragma once

#include <optional>
#include <vector>

#include "duel/nn/module/scoped_parameters.h"
#include "duel/nn/optim/optim.h"

namespace duel::nn {

/// Sets running_mean and running_var of every batch norm below to their means over the batches `inputs`, each
/// layer in training mode meanwhile (torch.optim.swa_utils.update_bn). Nothing is recorded.
void gather_statistics(Module& module, const std::vector<Tensor>& inputs);

/// Whether gather_statistics has anything to gather.
bool has_statistics(Module& module);

/// The module's buffers as they would be under the optimizer's average: fresh copies, statistics gathered
/// from `inputs`. The module itself is as before. Errors as ema_state_dict().
StateDict averaged_buffers(Module& module, const Optimizer& optimizer, const std::vector<Tensor>& inputs);

/// While it lives the module's parameters are the optimizer's average, and its buffers those given by name
/// (others stay). Do not step an optimizer of the module then.
class AveragedWeights {
 public:
  AveragedWeights(Module& module, const Optimizer& optimizer, const StateDict& buffers = {});

 private:
  std::optional<ScopedParameters> parameters_, buffers_;
};

}  // namespace duel::nn
