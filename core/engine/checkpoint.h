// Activation checkpointing: a part of a network keeps none of its intermediate results for the backward, which
// computes them again. As in torch.utils.checkpoint (Chen et al. 2016, arXiv:1604.06174): a chain of n layers in
// parts of sqrt(n) layers holds about 2 sqrt(n) results instead of n, for one more forward.
//
// Example, a deep network's blocks:
//   for (auto& block : blocks) x = checkpoint([block](const std::vector<Tensor>& in) { return (*block)(in[0]); }, {x});
//
// Note [A pass that changes its network]
// The function runs twice for one pass. What a pass changes must change once, and the second run must see what
// the first saw: a batch norm's running statistics, spectral norm's vectors, the masks of a dropout with a
// generator of its own. Duel's layers see to it with run_once() and recomputing(), and so does a layer of one's own
// that changes itself. Draws from default_generator() repeat by themselves. Hooks of modules are called in both
// runs.
#pragma once

#include <functional>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel {

/// f(inputs), with its values and its derivatives of any order, but of what f computes on the way nothing is kept:
/// every walk backwards calls f again. An undefined input is passed on. What f uses beside its inputs (a module's
/// parameters, results from outside) has its gradient, too; what f refers to must live until the backward.
/// Gradients of order 1 have the bits of f(inputs)', but for a tensor that f uses more than once and others use,
/// too: its terms are summed in another order. Under NoGrad it is f(inputs).
///
/// default_generator() repeats in the second run what it drew in the first, and stands after it where it stood
/// before. Once it has drawn on a GPU, every call waits for its state, so that none can be captured (graph.h).
///
/// Error in the backward where an input or what f's rules need was changed in place since, as everywhere; where the
/// second run depends on a tensor that requires grad and that the first did not know; and, on the CPU, where its
/// value has other bits than the first's.
Tensor checkpoint(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                  const std::vector<Tensor>& inputs);

/// For a pass that changes its layer: calls `change`, without recording, and returns its tensors. Where checkpoint()
/// runs the pass again it changes nothing and returns those of the first run.
std::vector<Tensor> run_once(const std::function<std::vector<Tensor>()>& change);

/// Whether checkpoint() runs its function again, on this thread.
bool recomputing();

}  // namespace duel
