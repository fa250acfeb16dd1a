// How the two players move when both move in one update. (The usual order, D some steps and then G, needs no more than
// their optimizers: trainer.cpp.)
//
// Example:
//   Gradients g = simultaneous_update({{weights_d, optimizer_d}, {weights_g, optimizer_g}, losses});
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "duel/nn/optim.h"

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

/// A look-ahead step of both, gradients there, and the step with those from where they started. The optimizers' moments see
/// both gradients (Gidel 2018, arXiv:1802.10551, algorithm 4: ExtraAdam).
Gradients extragradient_update(const Game& game);

}  // namespace duel::gan
