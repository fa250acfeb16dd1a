// Where a generator of random numbers stands: three integers, which a checkpoint holds.
#pragma once

#include <cstdint>

namespace duel {

struct RandomState {
  uint64_t seed = 0, stream = 0, offset = 0;
  bool operator==(const RandomState&) const = default;
};

}  // namespace duel
