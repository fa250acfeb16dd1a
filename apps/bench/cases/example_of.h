// A functor of kernels/map/ with a parameter, where it has one, that is not its default: for those who go
// through a whole list of functors.
#pragma once

namespace duel::apps::bench {

/// PowScalar{0.7}, Relu{}, …
template <class F>
F example_of() {
  if constexpr (requires { F{0.7}; })
    return F{0.7};
  else
    return F{};
}

}  // namespace duel::apps::bench
