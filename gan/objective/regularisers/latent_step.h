// Latents that take a step towards what D finds real before G makes its samples of them, in D's turn and in G's (LOGAN: Wu et
// al. 2019, arXiv:1912.00953):
//
//   z' = z + alpha g / (beta + |g|^2)   g = dD(G(z))/dz of each sample: a natural gradient's step, with the damping beta
//                                       of the empirical Fisher matrix g g^T; beta 0: z + alpha g, a gradient's
//
// clipped to [-1, 1] where noise is uniform in it, as the paper's is. Losses are differentiated through the step, to which both
// players' weights contribute: each feels how it changes what the other one is shown. Labels and codes stay. Samples that a
// trained G draws are of latents as they are.
#pragma once

#include <functional>

#include "duel/gan/objective/latent.h"

namespace duel::gan {

struct LatentStep {
  double rate = 0.0;     // alpha; 0: none. The paper's: 0.9
  double damping = 5.0;  // beta
  bool on() const { return rate > 0; }
};

/// G's input [N, width] after the step, with the graph of D and G in it; `answers` gives what D says of G's samples for an
/// input, higher where they look real, [N, any].
Tensor stepped(const LatentStep& step, const LatentPlan& plan, const Tensor& input,
               const std::function<Tensor(const Tensor& input)>& answers);

}  // namespace duel::gan
