// The formulas of element-wise maps. To add one, edit this file only: write the struct, register it below it.
//
// A functor is templated on the element type, so that float and double share the text; scalar parameters are
// double members. Registering makes unary<F, T> or binary<F, T> callable from everywhere; the code is
// compiled once, in elementwise.cu. Comparisons give 1 or 0 in the element type. Not-a-number passes through
// every formula except comparisons (false), pow(1, nan) and pow(nan, 0), which C makes 1.
#pragma once

#include "duel/kernels/base/math.h"
#include "duel/kernels/map/elementwise.h"

#if defined(DUEL_INSTANTIATE)
#define DUEL_FUNCTOR_EXTERN
#else
#define DUEL_FUNCTOR_EXTERN extern
#endif
#define DUEL_UNARY(F)                                                                          \
  DUEL_FUNCTOR_EXTERN template void unary<F, float>(Stream, int64_t, const float*, float*, F); \
  DUEL_FUNCTOR_EXTERN template void unary<F, double>(Stream, int64_t, const double*, double*, F);
#define DUEL_BINARY(F)                                                                                     \
  DUEL_FUNCTOR_EXTERN template void binary<F, float>(Stream, const Broadcast&, const float*, const float*, \
                                                     float*, F);                                           \
  DUEL_FUNCTOR_EXTERN template void binary<F, double>(Stream, const Broadcast&, const double*,             \
                                                      const double*, double*, F);

namespace duel::kernels {

// One argument.

struct Neg {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return -x;
  }
};
DUEL_UNARY(Neg)

struct Exp {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::exp(x);
  }
};
DUEL_UNARY(Exp)

struct Expm1 {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::expm1(x);
  }
};
DUEL_UNARY(Expm1)

struct Log {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::log(x);
  }
};
DUEL_UNARY(Log)

struct Log1p {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::log1p(x);
  }
};
DUEL_UNARY(Log1p)

/// The error function
struct Erf {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::erf(x);
  }
};
DUEL_UNARY(Erf)

struct Sqrt {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::sqrt(x);
  }
};
DUEL_UNARY(Sqrt)

struct Abs {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::abs(x);
  }
};
DUEL_UNARY(Abs)

/// 1, -1, or 0 at zero.
struct Sign {
  template <class T>
  DUEL_HD T operator()(T x) const {
    const T other = x < T(0) ? T(-1) : x;  // 0, or not-a-number
    return x > T(0) ? T(1) : other;
  }
};
DUEL_UNARY(Sign)

struct Square {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x * x;
  }
};
DUEL_UNARY(Square)

struct Reciprocal {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return T(1) / x;
  }
};
DUEL_UNARY(Reciprocal)

// One argument and scalars.

struct AddScalar {
  double value = 0;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x + T(value);
  }
};
DUEL_UNARY(AddScalar)

struct MulScalar {
  double value = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x * T(value);
  }
};
DUEL_UNARY(MulScalar)

/// x / value: rounded once, which a product with 1 / value is not.
struct DivScalar {
  double value = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x / T(value);
  }
};
DUEL_UNARY(DivScalar)

/// value / x
struct ScalarDiv {
  double value = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return T(value) / x;
  }
};
DUEL_UNARY(ScalarDiv)

struct PowScalar {
  double exponent = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::pow(x, T(exponent));
  }
};
DUEL_UNARY(PowScalar)

/// max(x, value): nothing below value is left.
struct MaxScalar {
  double value = 0;
  template <class T>
  DUEL_HD T operator()(T x) const {
    const T bound = T(value);
    return x < bound ? bound : x;
  }
};
DUEL_UNARY(MaxScalar)
using ClampMin = MaxScalar;

/// min(x, value): nothing above value is left.
struct ClampMax {
  double value = 0;
  template <class T>
  DUEL_HD T operator()(T x) const {
    const T bound = T(value);
    return x > bound ? bound : x;
  }
};
DUEL_UNARY(ClampMax)

struct Clamp {
  double low = 0, high = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    const T bottom = T(low), top = T(high), raised = x < bottom ? bottom : x;
    return raised > top ? top : raised;
  }
};
DUEL_UNARY(Clamp)

/// 1 where x > value.
struct GreaterScalar {
  double value = 0;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x > T(value) ? T(1) : T(0);
  }
};
DUEL_UNARY(GreaterScalar)

// Two arguments.

struct Add {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a + b;
  }
};
DUEL_BINARY(Add)

struct Sub {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a - b;
  }
};
DUEL_BINARY(Sub)

struct Mul {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a * b;
  }
};
DUEL_BINARY(Mul)

struct Div {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a / b;
  }
};
DUEL_BINARY(Div)

struct Pow {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return math::pow(a, b);
  }
};
DUEL_BINARY(Pow)

struct Maximum {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    const T larger = a > b ? a : b;
    return a != a ? a : larger;
  }
};
DUEL_BINARY(Maximum)

struct Minimum {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    const T smaller = a < b ? a : b;
    return a != a ? a : smaller;
  }
};
DUEL_BINARY(Minimum)

struct Greater {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a > b ? T(1) : T(0);
  }
};
DUEL_BINARY(Greater)

struct GreaterEqual {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a >= b ? T(1) : T(0);
  }
};
DUEL_BINARY(GreaterEqual)

struct Equal {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a == b ? T(1) : T(0);
  }
};
DUEL_BINARY(Equal)

}  // namespace duel::kernels
