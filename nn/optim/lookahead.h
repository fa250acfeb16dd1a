// Lookahead: weights that an optimizer moves, taken back from time to time to between where they were and where they
// are.
//
// Zhang et al. 2019, arXiv:1907.08610, algorithm 1: slow weights s, fast ones f that any optimizer moves. Every k steps
//   s += alpha (f - s);  f = s
// In a game of two players whose steps turn around the point where neither wants to move, the chord across the turn leads
// inwards: Chavdarova et al. 2021, arXiv:2006.14567, algorithm 1, where both players are taken back at once. Moments of the
// optimizer and averages of the weights stay as they are.
//
// Example:
//   nn::Lookahead slow(optimizer.arena(), 0.5);
//   for (int64_t step = 1; step <= 1000; ++step) {
//     optimizer.step(grad({loss()}, net.parameters()));
//     if (step % 5 == 0) slow.pull_back();
//   }
#pragma once

#include <vector>

#include "duel/nn/optim/parameter_arena.h"

namespace duel::nn {

class Lookahead {
 public:
  /// The slow weights start at the present ones. Error for an alpha that is not in (0, 1].
  Lookahead(ParameterArena arena, double alpha);

  /// Moves both, in order of the device's work; nothing is read from it. Frozen parameters stay, as their slow weights are
  /// themselves.
  void pull_back();

  /// The slow weights by the parameters' names; sharing storage.
  StateDict state_dict() const;
  /// Error that names what is missing, unexpected or of the wrong shape; then nothing was changed.
  void load_state_dict(const StateDict& state);

 private:
  ParameterArena arena_;
  double alpha_;
  std::vector<Tensor> slow_;  // per block, in the arena's layout
};

}  // namespace duel::nn
