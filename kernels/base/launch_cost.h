// What the next launch of this thread computes or moves, told by launchers for who lists graphs (`duel bench graph`):
// products and convolutions their FLOP, optimizers the bytes that they read and write in place. Where nobody asks, a
// number is written and never read.
#pragma once

#include <cstdint>

namespace duel::kernels {

struct LaunchCost {
  double flop = 0;    ///< a multiply-add is two
  int64_t bytes = 0;  ///< 0: inputs once and outputs once, as the tensors say
};
/// Announced, and of no launch yet.
inline thread_local LaunchCost announced_cost;

}  // namespace duel::kernels
