// L_D with a gradient penalty in one pass over real, fake and the penalty's points, where D is piecewise linear: its
// derivatives written out instead of walked.
//
// Note [Analytic critic]
// For D of layers y = W a + b, each followed by a piecewise linear f, let the batch be X = [real; fake; points]. Then
//   forward    a_0 = X, a_l = f(W_l a_(l-1) + b_l), all rows at once
//   backward   delta_L = [dL/dlogits; 1], delta_(l-1) = f'(.) * (W_l^T delta_l), all rows at once; the points' rows go on to
//              the input: g, the gradient of each point's logit
//   penalty    P(g) and v = dP/dg
//   tangent    t_0 = v, t_l = f'(.) * (W_l t_(l-1)), of the points' rows
//   gradients  dW_l = delta_l^T a_(l-1) of the first rows + delta_l^T t_(l-1) of the points', db_l = the sum of delta_l of the first
// Where the points are the real samples, or the fakes, nothing passes D twice: delta is of each row's logit alone, and with
// s = dL/dlogits and t = 0 for the other rows
//   gradients  dW_l = delta_l^T (s a_(l-1) + t_(l-1)), db_l = the sum of s delta_l
// since f'' = 0 leaves nothing else of the second derivative (performance notes: Gulrajani et al. 2017, equation 3, by hand).
// The same to rounding as by the engine, which the tests compare with; on a GPU half of the passes' launches. A loss or a
// penalty of the user's, which may read more than logits and norms, goes the engine's way.
#pragma once

#include <optional>

#include "duel/gan/train/losses.h"

namespace duel::gan {

/// L_D of a round whose penalty is due, its gradient for D's parameters of first order only; nothing where D, the
/// objective or the round ask for the engine's way. The samples are shown already.
std::optional<LossOfD> analytic_loss_of_d(const Objective& objective, Judging& judging, Round& round);

/// Whether analytic_loss_of_d() may be taken on this thread, for tests and comparisons; true at first.
void set_analytic_critic(bool on);

}  // namespace duel::gan
