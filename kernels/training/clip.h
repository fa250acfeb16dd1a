// Weight clipping in place (Arjovsky et al. 2017): every element is moved into [-limit, limit].
// A NaN stays NaN, so that a broken run is seen and not hidden.
//
// Example:
//   clip(Stream(), n, 0.01f, weights);
#pragma once

#include <cstdint>
#include <type_traits>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// x[i] = min(max(x[i], -limit), limit) for i < n; limit > 0 (an Error otherwise).
template <class T>
void clip(Stream stream, int64_t n, std::type_identity_t<T> limit, T* x);

}  // namespace duel::kernels
