// The loops and kernels behind activations.h: one pass each, compiled for every activation registered there.
#include "duel/kernels/map/activations.h"

#include "duel/kernels/base/map.cuh"

namespace duel::kernels {
namespace {

template <class A>
struct Value {
  A f;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return f.value(x);
  }
};

template <class A>
struct TimesFirst {
  A f;
  template <class T>
  DUEL_HD T operator()(T x, T g) const {
    return g * f.first(x);
  }
};

template <class A>
struct TimesSecond {
  A f;
  template <class T>
  DUEL_HD T operator()(T x, T g) const {
    return g * f.second(x);
  }
};

void check(const char* op, int64_t n, bool pointers) {
  DUEL_CHECK(n >= 0, op, "expected a size of at least 0, got {}", n);
  DUEL_CHECK(n == 0 || pointers, op, "expected arrays, got a null pointer");
}

}  // namespace

template <class A, class T>
void activation(Stream stream, int64_t n, const T* x, T* y, A f) {
  check("activation", n, x && y);
  map(stream, n, Value<A>{f}, y, x);
}

template <class A, class T>
void activation_d1(Stream stream, int64_t n, const T* x, const T* g, T* out, A f) {
  check("activation_d1", n, x && g && out);
  map(stream, n, TimesFirst<A>{f}, out, x, g);
}

template <class A, class T>
void activation_d2(Stream stream, int64_t n, const T* x, const T* g, T* out, A f) {
  check("activation_d2", n, x && g && out);
  map(stream, n, TimesSecond<A>{f}, out, x, g);
}

#define DUEL_DEFINE_ACTIVATION_FOR(A, T)                                   \
  template void activation(Stream, int64_t, const T*, T*, A);              \
  template void activation_d1(Stream, int64_t, const T*, const T*, T*, A); \
  template void activation_d2(Stream, int64_t, const T*, const T*, T*, A);
#define DUEL_DEFINE_ACTIVATION(A) DUEL_DEFINE_ACTIVATION_FOR(A, float) DUEL_DEFINE_ACTIVATION_FOR(A, double)
DUEL_ACTIVATIONS(DUEL_DEFINE_ACTIVATION)

}  // namespace duel::kernels
