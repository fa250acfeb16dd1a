// Weight clipping: one map in place.
#include "duel/kernels/training/clip.h"

#include "duel/kernels/base/map.cuh"

namespace duel::kernels {
namespace {

template <class T>
struct Clip {
  T limit;
  DUEL_HD T operator()(T x) const {
    const T low = x < -limit ? -limit : x;  // comparisons with NaN are false: NaN passes
    return low > limit ? limit : low;
  }
};

}  // namespace

template <class T>
void clip(Stream stream, int64_t n, std::type_identity_t<T> limit, T* x) {
  DUEL_CHECK(n >= 0, "clip", "expected a number of elements of at least 0, got {}", n);
  DUEL_CHECK(limit > 0, "clip", "expected a positive limit, got {}", limit);
  map(stream, n, Clip<T>{limit}, x, x);
}

template void clip(Stream, int64_t, float, float*);
template void clip(Stream, int64_t, double, double*);

}  // namespace duel::kernels
