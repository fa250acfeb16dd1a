// Clipping of gradients, as torch.nn.utils: by the norm of all of them together, or value by value. Nothing
// is read back from the device.
//
// Example:
//   backward(loss);
//   nn::clip_grad_norm_(net.parameters(), 1.0);
//   optimizer.step();
// or, with gradients in hand:
//   optimizer.step(nn::clipped_by_norm(grad({loss}, net.parameters()), 1.0));
#pragma once

#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel::nn {

/// Multiplies the gradients that backward() left in `parameters` by min(1, max_norm / (norm + 1e-6)), in place,
/// where norm is their L2 norm together; returns it, shape [], as it was before. Parameters without a gradient
/// are passed over. Gradients of one dtype on one device.
Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm);

/// Puts every element of those gradients into [-clip_value, clip_value], in place.
void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value);

/// The same of gradients that grad() returned, as new tensors; undefined ones stay undefined.
std::vector<Tensor> clipped_by_norm(const std::vector<Tensor>& gradients, double max_norm);
std::vector<Tensor> clipped_by_value(const std::vector<Tensor>& gradients, double clip_value);

}  // namespace duel::nn
