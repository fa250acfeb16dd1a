// The formulas of element-wise maps. To add one, edit this file only: write the struct, register it below it.
//
// A functor is templated on the element type, so that float and double share the text; scalar parameters are
// double members. Registering makes unary<F, T> or binary<F, T> callable from everywhere; the code is
// compiled once, in elementwise.cu. Comparisons give 1 or 0 in the element type. Not-a-number passes through
// every formula except comparisons (false), pow(1, nan) and pow(nan, 0), which C makes 1. Comparisons to bytes
// (compare<F, T>) and the formulas of integers are registered for the types that they are named with.
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
#define DUEL_INTEGER(F)                                                                          \
  DUEL_FUNCTOR_EXTERN template void binary<F, int64_t>(Stream, const Broadcast&, const int64_t*, \
                                                       const int64_t*, int64_t*, F);
#define DUEL_COMPARE_OF(F, T) \
  DUEL_FUNCTOR_EXTERN template void compare<F, T>(Stream, const Broadcast&, const T*, const T*, uint8_t*, F);
#define DUEL_COMPARE(F)       \
  DUEL_COMPARE_OF(F, float)   \
  DUEL_COMPARE_OF(F, double)  \
  DUEL_COMPARE_OF(F, uint8_t) \
  DUEL_COMPARE_OF(F, int64_t)

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

struct Rsqrt {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return T(1) / math::sqrt(x);
  }
};
DUEL_UNARY(Rsqrt)

/// sin(x + quarters pi / 2) of radians, within 1.5 ulp of a double for |x| up to 2^40; beyond that,
/// not-a-number. x is taken to [-pi/4, pi/4] by pi / 2 in three parts
/// (Cody and Waite); the polynomials are fdlibm's. Without selects: see Note [Selects] in math.h.
DUEL_HD double sine(double x, uint64_t quarters) {
  const double shifted = math::fma(x, 0x1.45f306dc9c883p-1, 0x1.8p52), n = shifted - 0x1.8p52;
  const uint64_t turn = math::detail::bits_of(shifted) + quarters;
  double r = math::fma(n, -0x1.921fb54442d18p0, x);
  r = math::fma(n, -0x1.1a62633145c07p-54, r);
  r = math::fma(n, 0x1.f1976b7ed8fbcp-110, r);
  const double z = r * r;
  double s = 1.58969099521155010221e-10;
  s = math::fma(s, z, -2.50507602534068634195e-08);
  s = math::fma(s, z, 2.75573137070700676789e-06);
  s = math::fma(s, z, -1.98412698298579493134e-04);
  s = math::fma(s, z, 8.33333333332248946124e-03);
  s = math::fma(s, z, -1.66666666666666324348e-01);
  s = math::fma(r * z, s, r);
  double c = -1.13596475577881948265e-11;
  c = math::fma(c, z, 2.08757232129817482790e-09);
  c = math::fma(c, z, -2.75573143513906633035e-07);
  c = math::fma(c, z, 2.48015872894767294178e-05);
  c = math::fma(c, z, -1.38888888888741095749e-03);
  c = math::fma(c, z, 4.16666666666666019037e-02);
  c = math::fma(z, math::fma(z, c, -0.5), 1.0);
  const uint64_t even = (turn & 1) - 1;  // all bits where the sine is meant
  const uint64_t value = (math::detail::bits_of(s) & even) | (math::detail::bits_of(c) & ~even);
  const double beyond = math::abs(x) > 0x1p40 ? __builtin_nan("") : 0.0;
  return math::detail::double_of(value ^ (turn & 2) << 62) + beyond;
}

struct Sin {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return static_cast<T>(sine(static_cast<double>(x), 0));
  }
};
DUEL_UNARY(Sin)

struct Cos {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return static_cast<T>(sine(static_cast<double>(x), 1));
  }
};
DUEL_UNARY(Cos)

struct Floor {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return std::floor(x);
  }
};
DUEL_UNARY(Floor)

struct Ceil {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return std::ceil(x);
  }
};
DUEL_UNARY(Ceil)

/// To the nearest integer, halves to the even one.
struct Round {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return std::rint(x);
  }
};
DUEL_UNARY(Round)

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
DUEL_INTEGER(Add)

struct Sub {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a - b;
  }
};
DUEL_BINARY(Sub)
DUEL_INTEGER(Sub)

struct Mul {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a * b;
  }
};
DUEL_BINARY(Mul)
DUEL_INTEGER(Mul)

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
DUEL_INTEGER(Maximum)

struct Minimum {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    const T smaller = a < b ? a : b;
    return a != a ? a : smaller;
  }
};
DUEL_BINARY(Minimum)
DUEL_INTEGER(Minimum)

/// The quotient of integers, towards minus infinity: Python's //. Of a division by zero, 0.
struct FloorDivide {
  DUEL_HD int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0) return 0;
    if (b == -1) return static_cast<int64_t>(0 - static_cast<uint64_t>(a));
    const int64_t quotient = a / b;
    return quotient - ((a % b != 0) & ((a < 0) != (b < 0)) ? 1 : 0);
  }
};
DUEL_INTEGER(FloorDivide)

/// What floor division leaves, with the divisor's sign: Python's %. Of a division by zero, a.
struct Remainder {
  DUEL_HD int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0) return a;
    if (b == -1) return 0;
    const int64_t rest = a % b;
    return rest + ((rest != 0) & ((rest < 0) != (b < 0)) ? b : 0);
  }
};
DUEL_INTEGER(Remainder)

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

// Comparisons to bytes. (a < b is b > a.)

struct IsGreater {
  template <class T>
  DUEL_HD uint8_t operator()(T a, T b) const {
    return a > b ? 1 : 0;
  }
};
DUEL_COMPARE(IsGreater)

struct IsGreaterEqual {
  template <class T>
  DUEL_HD uint8_t operator()(T a, T b) const {
    return a >= b ? 1 : 0;
  }
};
DUEL_COMPARE(IsGreaterEqual)

struct IsEqual {
  template <class T>
  DUEL_HD uint8_t operator()(T a, T b) const {
    return a == b ? 1 : 0;
  }
};
DUEL_COMPARE(IsEqual)

struct IsNotEqual {
  template <class T>
  DUEL_HD uint8_t operator()(T a, T b) const {
    return a != b ? 1 : 0;
  }
};
DUEL_COMPARE(IsNotEqual)

struct And {
  DUEL_HD uint8_t operator()(uint8_t a, uint8_t b) const { return (a != 0) & (b != 0) ? 1 : 0; }
};
DUEL_COMPARE_OF(And, uint8_t)

struct Or {
  DUEL_HD uint8_t operator()(uint8_t a, uint8_t b) const { return (a | b) != 0 ? 1 : 0; }
};
DUEL_COMPARE_OF(Or, uint8_t)

struct Xor {
  DUEL_HD uint8_t operator()(uint8_t a, uint8_t b) const { return (a != 0) != (b != 0) ? 1 : 0; }
};
DUEL_COMPARE_OF(Xor, uint8_t)

}  // namespace duel::kernels
