// The sliced Wasserstein generator (Deshpande et al. 2018, arXiv:1803.11188): D tells real from fake by its cross-entropy, and G
// makes what D's last layer sees of its samples lie where that of real ones lies, on every line.
//
//   L_D = E softplus(-r) + E softplus(f)
//   L_G = mean over directions u and ranks i of (<u, phi(x)>_(i) - <u, phi(G(z))>_(i))^2,   <.>_(i) the i-th in order
//
// Example:
//   Objective o{.loss = sliced_wasserstein_loss(256)};
#pragma once

#include <functional>

#include "duel/gan/objective/loss.h"

namespace duel::gan {

/// Directions [F, count], each column of length 1, for features of F numbers.
using Directions = std::function<Tensor(int64_t features, int64_t count, const TensorOptions& options)>;
/// Of a normal distribution, so that none is preferred, drawn from default_generator(): a run's is in its checkpoints.
Directions drawn_directions();

/// The mean over directions [F, P] of the squared 2-Wasserstein distance between the projections of a and b [N, F], by
/// matching them in order; shape []. Differentiable in a and b, equals keep their order.
Tensor sliced_wasserstein(const Tensor& a, const Tensor& b, const Tensor& directions);

/// A joint loss; as many fakes as real samples in G's. `count`: directions, drawn anew in every step of G.
Loss sliced_wasserstein_loss(int64_t count, Directions directions = drawn_directions());

}  // namespace duel::gan
