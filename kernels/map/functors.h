// The formulas of element-wise maps. To add one, edit this file only: write the struct, name it in a list at the end.
//
// A functor is templated on the element type, so that float and double share the text; scalar parameters are
// double members. The list makes unary<F, T> or binary<F, T> callable from everywhere; the code is
// compiled once, in elementwise.cu. Comparisons give 1 or 0 in the element type. Not-a-number passes through
// every formula except comparisons (false), pow(1, nan) and pow(nan, 0), which C makes 1. Comparisons to bytes
// (compare<F, T>) and the formulas of integers are registered for the types that they are named with.
#pragma once

#include "duel/kernels/base/math.h"
#include "duel/kernels/map/elementwise.h"

namespace duel::kernels {

// One argument.

struct Neg {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return -x;
  }
};

struct Exp {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::exp(x);
  }
};

struct Expm1 {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::expm1(x);
  }
};

struct Log {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::log(x);
  }
};

struct Log1p {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::log1p(x);
  }
};

/// The error function
struct Erf {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::erf(x);
  }
};

struct Sqrt {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::sqrt(x);
  }
};

struct Rsqrt {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return T(1) / math::sqrt(x);
  }
};

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

struct Cos {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return static_cast<T>(sine(static_cast<double>(x), 1));
  }
};

struct Floor {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return std::floor(x);
  }
};

struct Ceil {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return std::ceil(x);
  }
};

/// To the nearest integer, halves to the even one.
struct Round {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return std::rint(x);
  }
};

struct Abs {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::abs(x);
  }
};

/// 1, -1, or 0 at zero.
struct Sign {
  template <class T>
  DUEL_HD T operator()(T x) const {
    const T other = x < T(0) ? T(-1) : x;  // 0, or not-a-number
    return x > T(0) ? T(1) : other;
  }
};

struct Square {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x * x;
  }
};

struct Reciprocal {
  template <class T>
  DUEL_HD T operator()(T x) const {
    return T(1) / x;
  }
};

// One argument and scalars.

struct AddScalar {
  double value = 0;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x + T(value);
  }
};

struct MulScalar {
  double value = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x * T(value);
  }
};

/// x / value: rounded once, which a product with 1 / value is not.
struct DivScalar {
  double value = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x / T(value);
  }
};

/// value / x
struct ScalarDiv {
  double value = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return T(value) / x;
  }
};

struct PowScalar {
  double exponent = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return math::pow(x, T(exponent));
  }
};

/// max(x, value): nothing below value is left.
struct MaxScalar {
  double value = 0;
  template <class T>
  DUEL_HD T operator()(T x) const {
    const T bound = T(value);
    return x < bound ? bound : x;
  }
};

/// min(x, value): nothing above value is left.
struct ClampMax {
  double value = 0;
  template <class T>
  DUEL_HD T operator()(T x) const {
    const T bound = T(value);
    return x > bound ? bound : x;
  }
};

struct Clamp {
  double low = 0, high = 1;
  template <class T>
  DUEL_HD T operator()(T x) const {
    const T bottom = T(low), top = T(high), raised = x < bottom ? bottom : x;
    return raised > top ? top : raised;
  }
};

/// 1 where x > value.
struct GreaterScalar {
  double value = 0;
  template <class T>
  DUEL_HD T operator()(T x) const {
    return x > T(value) ? T(1) : T(0);
  }
};

// Two arguments.

struct Add {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a + b;
  }
};

struct Sub {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a - b;
  }
};

struct Mul {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a * b;
  }
};

struct Div {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a / b;
  }
};

struct Pow {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return math::pow(a, b);
  }
};

struct Maximum {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    const T larger = a > b ? a : b;
    return a != a ? a : larger;
  }
};

struct Minimum {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    const T smaller = a < b ? a : b;
    return a != a ? a : smaller;
  }
};

/// The quotient of integers, towards minus infinity: Python's //. Of a division by zero, 0.
struct FloorDivide {
  DUEL_HD int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0) return 0;
    if (b == -1) return static_cast<int64_t>(0 - static_cast<uint64_t>(a));
    const int64_t quotient = a / b;
    return quotient - ((a % b != 0) & ((a < 0) != (b < 0)) ? 1 : 0);
  }
};

/// What floor division leaves, with the divisor's sign: Python's %. Of a division by zero, a.
struct Remainder {
  DUEL_HD int64_t operator()(int64_t a, int64_t b) const {
    if (b == 0) return a;
    if (b == -1) return 0;
    const int64_t rest = a % b;
    return rest + ((rest != 0) & ((rest < 0) != (b < 0)) ? b : 0);
  }
};

struct Greater {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a > b ? T(1) : T(0);
  }
};

struct GreaterEqual {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a >= b ? T(1) : T(0);
  }
};

struct Equal {
  template <class T>
  DUEL_HD T operator()(T a, T b) const {
    return a == b ? T(1) : T(0);
  }
};

// Comparisons to bytes. (a < b is b > a.)

struct IsGreater {
  template <class T>
  DUEL_HD uint8_t operator()(T a, T b) const {
    return a > b ? 1 : 0;
  }
};

struct IsGreaterEqual {
  template <class T>
  DUEL_HD uint8_t operator()(T a, T b) const {
    return a >= b ? 1 : 0;
  }
};

struct IsEqual {
  template <class T>
  DUEL_HD uint8_t operator()(T a, T b) const {
    return a == b ? 1 : 0;
  }
};

struct IsNotEqual {
  template <class T>
  DUEL_HD uint8_t operator()(T a, T b) const {
    return a != b ? 1 : 0;
  }
};

struct And {
  DUEL_HD uint8_t operator()(uint8_t a, uint8_t b) const { return (a != 0) & (b != 0) ? 1 : 0; }
};

struct Or {
  DUEL_HD uint8_t operator()(uint8_t a, uint8_t b) const { return (a | b) != 0 ? 1 : 0; }
};

struct Xor {
  DUEL_HD uint8_t operator()(uint8_t a, uint8_t b) const { return (a != 0) != (b != 0) ? 1 : 0; }
};

/// Every functor that elementwise.cu instantiates: for float and double, for int64_t, and as comparisons of each
/// element type, and of bytes, that give bytes.
// clang-format off
#define DUEL_UNARY_FUNCTORS(F) F(Neg) F(Exp) F(Expm1) F(Log) F(Log1p) F(Erf) F(Sqrt) F(Rsqrt) \
  F(Sin) F(Cos) F(Floor) F(Ceil) F(Round) F(Abs) F(Sign) F(Square) F(Reciprocal) F(AddScalar) \
  F(MulScalar) F(DivScalar) F(ScalarDiv) F(PowScalar) F(MaxScalar) F(ClampMax) F(Clamp) \
  F(GreaterScalar)
#define DUEL_BINARY_FUNCTORS(F) F(Add) F(Sub) F(Mul) F(Div) F(Pow) F(Maximum) F(Minimum) \
  F(Greater) F(GreaterEqual) F(Equal)
#define DUEL_INTEGER_FUNCTORS(F) F(Add) F(Sub) F(Mul) F(Maximum) F(Minimum) F(FloorDivide) \
  F(Remainder)
#define DUEL_COMPARE_FUNCTORS(F) F(IsGreater) F(IsGreaterEqual) F(IsEqual) F(IsNotEqual)
#define DUEL_LOGICAL_FUNCTORS(F) F(And) F(Or) F(Xor)
// clang-format on

#define DUEL_UNARY_OF(F, T) template void unary<F>(Stream, int64_t, const T*, T*, F);
#define DUEL_BINARY_OF(F, T) template void binary<F>(Stream, const Broadcast&, const T*, const T*, T*, F);
#define DUEL_COMPARE_OF(F, T) \
  template void compare<F>(Stream, const Broadcast&, const T*, const T*, uint8_t*, F);
#define DUEL_DECLARE(F) extern DUEL_UNARY_OF(F, float) extern DUEL_UNARY_OF(F, double)
DUEL_UNARY_FUNCTORS(DUEL_DECLARE)
#undef DUEL_DECLARE
#define DUEL_DECLARE(F) extern DUEL_BINARY_OF(F, float) extern DUEL_BINARY_OF(F, double)
DUEL_BINARY_FUNCTORS(DUEL_DECLARE)
#undef DUEL_DECLARE
#define DUEL_DECLARE(F) extern DUEL_BINARY_OF(F, int64_t)
DUEL_INTEGER_FUNCTORS(DUEL_DECLARE)
#undef DUEL_DECLARE
#define DUEL_DECLARE(F)                                                                      \
  extern DUEL_COMPARE_OF(F, float) extern DUEL_COMPARE_OF(F, double) extern DUEL_COMPARE_OF( \
      F, uint8_t) extern DUEL_COMPARE_OF(F, int64_t)
DUEL_COMPARE_FUNCTORS(DUEL_DECLARE)
#undef DUEL_DECLARE
#define DUEL_DECLARE(F) extern DUEL_COMPARE_OF(F, uint8_t)
DUEL_LOGICAL_FUNCTORS(DUEL_DECLARE)
#undef DUEL_DECLARE

}  // namespace duel::kernels
