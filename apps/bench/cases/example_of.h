// A functor of kernels/map/ with a parameter, where it has one, that is not its default: for those who go
// through a whole list of functors.
#pragma once

#include "duel/kernels/map/losses.h"

namespace duel::apps::bench {

/// PowScalar{0.7}, Relu{}, …
template <class F>
F example_of() {
  if constexpr (requires { F{0.7}; })
    return F{0.7};
  else
    return F{};
}

/// Of alpha > 1.
template <>
inline kernels::AlphaRampConjugate example_of<kernels::AlphaRampConjugate>() {
  return {1.5};
}

}  // namespace duel::apps::bench
