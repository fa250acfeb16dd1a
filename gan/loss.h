// The first two axes of an objective: the adversarial loss and its relativism.
//
// A loss is four terms on raw logits, each a mean over the batch (Jolicoeur-Martineau 2018, eq. 5-8):
//   L_D = d_real(r) + d_fake(f)        L_G = g_fake(f) + g_real(r)
// r = D(real), f = D(fake). Relativism replaces r and f before the terms see them:
//   none     r, f
//   paired   r - f and f - r of the same index (RSGAN, RpGAN); only the first term of D and of G counts, as the second
//            would repeat it
//   average  r - mean f and f - mean r (RaGAN), each loss halved
// A missing g_real means that real logits do not enter G's loss.
//
// Example, an own loss:  Loss mine{"mine", .d_real = [](const Tensor& r) { return mean(softplus(-r)); }, …};
#pragma once

#include <functional>
#include <string>

#include "duel/core/tensor.h"

namespace duel::gan {

using LossTerm = std::function<Tensor(const Tensor& logits)>;
using JointTerm = std::function<Tensor(const Tensor& real, const Tensor& fake)>;

struct Loss {
  std::string name;
  LossTerm d_real, d_fake, g_fake;
  LossTerm g_real = nullptr;
  // A loss that does not fall apart into terms of one side (the softmax loss): both are set instead of the four, and
  // relativism does not apply.
  JointTerm d_joint = nullptr, g_joint = nullptr;
};

/// Saturating: G minimises log(1 - sigmoid f) (Goodfellow 2014, eq. 1). real_target < 1 is one-sided label smoothing.
Loss minimax_loss(double real_target = 1.0);
/// G minimises -log sigmoid f (Goodfellow 2014, section 3).
Loss non_saturating_loss(double real_target = 1.0);
/// D: mean f - mean r; G: -mean f (Arjovsky 2017).
Loss wasserstein_loss();
/// D: (r - b)^2 / 2 + (f - a)^2 / 2; G: (f - c)^2 / 2 (Mao 2016).
Loss least_squares_loss(double a = 0.0, double b = 1.0, double c = 1.0);
/// D: relu(1 - r) + relu(1 + f); G: -mean f (Lim & Ye 2017; Miyato 2018).
Loss hinge_loss_pair();

enum class Relativism { none, paired, average };

/// The losses of D and G from raw logits [N, 1] or [N]; shape []. Relativistic losses need equal batches.
Tensor discriminator_loss(const Loss& loss, Relativism relativism, const Tensor& real, const Tensor& fake);
Tensor generator_loss(const Loss& loss, Relativism relativism, const Tensor& real, const Tensor& fake);
/// Whether generator_loss reads the real logits.
bool generator_needs_real(const Loss& loss, Relativism relativism);

}  // namespace duel::gan
