// Fisher GAN (Mroueh & Sercu 2017, arXiv:1705.09675): the difference of D's means over both sides, held by D's own second
// moment instead of by its weights or its gradient, as an augmented Lagrangian (equation 9 and algorithm 1).
//
//   L_D = E f - E r + l (O - 1) + rho / 2 (O - 1)^2,   O = E r^2 / 2 + E f^2 / 2
//   l  += rho (O - 1) after each step of D: the multiplier, 0 at first
//   L_G = -E f
//
// Example:
//   Objective o{.loss = wasserstein_loss(), .d_terms = {second_moment(1e-6)}};
#pragma once

#include "duel/gan/objective/term.h"

namespace duel::gan {

/// Of D: l (O - 1) + rho / 2 (O - 1)^2 of both sides' raw logits; rho above 0. Its multiplier l, shape [], is Term::memory: it
/// takes its step when the value is asked for, which is why the steps of D have to be as many.
Term second_moment(double rho);

/// Whether it is that term.
bool has_multiplier(const Term& term);

}  // namespace duel::gan
