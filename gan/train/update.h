// How the two players move when both move in one update. (The usual order, D some steps and then G, needs no
// more than their optimizers: trainer.cpp.)
//
// Example:
//   Gradients g = simultaneous_update({{weights_d, optimizer_d}, {weights_g, optimizer_g}, losses});
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "duel/nn/optim/optim.h"

namespace duel::gan {

struct Player {
  std::vector<Tensor> parameters;
  nn::Optimizer& optimizer;
};

struct Game {
  Player d, g;
  /// L_D and L_G at the players' present weights, recorded for both players' weights.
  std::function<std::pair<Tensor, Tensor>()> losses;
};

/// One per parameter, in order; what the optimizers were given.
struct Gradients {
  std::vector<Tensor> d, g;
};

/// Both gradients at the same point, then both steps (the simultaneous gradient descent of Mescheder 2017).
Gradients simultaneous_update(const Game& game);

/// A look-ahead step of both, gradients there, and the step with those from where they started (Gidel 2018,
/// arXiv:1802.10551). The optimizers' moments and step counts see both gradients, one after the other: that
/// is its algorithm 4, ExtraAdam, whose bias correction counts two steps per update. Averages of weights move
/// once per update, towards the weights that it ends at: the look-ahead leaves no trace in them.
Gradients extragradient_update(const Game& game);

/// Both steps with the gradients of L_D + gamma R and L_G + gamma R, R = (|grad_D L_D|^2 + |grad_G L_G|^2) /
/// 2, which pulls the players towards points where neither wants to move (Mescheder 2017, arXiv:1705.10461,
/// eq. 6 and algorithm 2). The losses must be recorded for both players' weights, L_D also through the fakes.
Gradients consensus_update(const Game& game, double gamma);

/// D's parameters after `steps` more steps of its optimizer on `loss`, which is called with those before each
/// step in place of D's own; differentiable in all that the loss was recorded for, through every step and the
/// optimizer's moments (Metz 2017, arXiv:1611.02163). Neither D nor its optimizer changes.
std::vector<Tensor> unrolled_parameters(const Player& d, int64_t steps, const std::function<Tensor()>& loss);

}  // namespace duel::gan
