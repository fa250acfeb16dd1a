// Elementary functions for element-wise kernels: exp, expm1, log, log1p, pow, tanh, sigmoid, softplus, erf,
// the normal distribution, sine and cosine of whole turns.
//
// The float versions are polynomials in explicit fused multiply-adds with selects instead of branches: a loop
// over them vectorises, and host and device give the same bits. The double versions are libm's; they serve
// checks.
//
// Largest errors of the float versions in ulp, over all finite arguments (tests/kernels/base/math_test.cpp
// asserts them):
//   exp 1, expm1 1.6, log 1, log1p 1, pow 0.51, tanh 2.6, sigmoid 2.2, softplus 1.6, erf 1.1, normal_cdf 4.5,
//   normal_pdf 2.8, sincos_turns 1
// Results below the normal range round once, like all others. Special values are C's: exp(-inf) = 0, log(0) =
// -inf, log(-1) = not-a-number, pow(x, 0) = 1, and so on.
//
// Note [Selects]
// g++ moves a computation into the branch of the only select that uses it, and then the loop no longer
// vectorises. So selects choose between constants and arguments, and special results are added or multiplied
// onto the finite one. Nor do two selects meet whose conditions are the same for the whole loop (pow with one
// exponent): g++ joins the conditions into one that it cannot vectorise. g++ vectorises selects on AVX2 only
// under -fno-trapping-math, which cmake/DuelRooms.cmake sets; tests/vectorized.py finds loops that stayed
// scalar.
//
// Note [Polynomials]
// Coefficients are minimax fits (Remez exchange in 200 bits, weighted for relative error of the function,
// rounded to float). Reductions: e^x = 2^n e^r with |r| <= ln 2 / 2; log x = n ln 2 + log1p(f) with f in
// [-1/4, 1/2].
//
// Example:
//   DUEL_SIMD
//   for (int64_t i = 0; i < n; ++i) y[i] = math::softplus(x[i]);
#pragma once

#include <cmath>
#include <cstdint>

#include "duel/kernels/base/platform.h"

namespace duel::kernels::math {

namespace detail {

DUEL_HD uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
DUEL_HD uint64_t bits_of(double x) { return __builtin_bit_cast(uint64_t, x); }
DUEL_HD float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }
DUEL_HD double double_of(uint64_t bits) { return __builtin_bit_cast(double, bits); }

constexpr float kInfinity = __builtin_inff();
constexpr float kNan = __builtin_nanf("");

/// Adding it rounds to an integer, which then stands in the low bits: 1.5 * 2^23.
constexpr float kRound = 12582912.0f;
constexpr uint32_t kRoundBits = 0x4B400000u;

/// 2^n, -126 <= n <= 127; any n gives some number.
DUEL_HD float power_of_two(int32_t n) { return float_of((static_cast<uint32_t>(n) + 127u) << 23); }

}  // namespace detail

DUEL_HD float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
DUEL_HD double fma(double a, double b, double c) { return ::fma(a, b, c); }
DUEL_HD float sqrt(float x) { return ::sqrtf(x); }
DUEL_HD double sqrt(double x) { return ::sqrt(x); }
DUEL_HD float abs(float x) { return ::fabsf(x); }
DUEL_HD double abs(double x) { return ::fabs(x); }

namespace detail {

/// e^x = 2^exponent (1 + rest): exponent by rounding, rest a polynomial.
struct ExpParts {
  int32_t exponent;
  float r, q;  // e^r = 1 + r + r^2 q
};

DUEL_HD ExpParts exp_parts(float x) {
  const float shifted = fma(x, 0x1.715476p+0f, kRound);
  const float n = shifted - kRound;
  const float r = fma(n, -0x1.7f7d1cp-20f, fma(n, -0x1.62e400p-1f, x));  // ln 2 in two parts
  float q = 0x1.6d98f6p-10f;
  q = fma(q, r, 0x1.122808p-7f);
  q = fma(q, r, 0x1.555488p-5f);
  q = fma(q, r, 0x1.5554b0p-3f);
  q = fma(q, r, 0.5f);
  return {static_cast<int32_t>(bits_of(shifted) - kRoundBits), r, q};
}

/// log(1 + f), -1/4 <= f <= 1/2
DUEL_HD float log1p_near_zero(float f) {
  float p = 0x1.349ddcp-5f;
  p = fma(p, f, -0x1.756632p-4f);
  p = fma(p, f, 0x1.df4254p-4f);
  p = fma(p, f, -0x1.04aa38p-3f);
  p = fma(p, f, 0x1.24609cp-3f);
  p = fma(p, f, -0x1.5519b8p-3f);
  p = fma(p, f, 0x1.999788p-3f);
  p = fma(p, f, -0x1.00006ep-2f);
  p = fma(p, f, 0x1.55555ap-2f);
  return fma(f * f, fma(p, f, -0.5f), f);
}

constexpr float kLn2 = 0x1.62e430p-1f;

}  // namespace detail

/// e^x
DUEL_HD float exp(float x) {
  const float above = x < -104.0f ? -104.0f : x;  // both ends are past the last nonzero, finite result
  const float inside = above > 89.0f ? 89.0f : above;
  const detail::ExpParts e = detail::exp_parts(inside);
  const float p = fma(fma(e.q, e.r, 1.0f), e.r, 1.0f);
  // In two steps, as 2^exponent itself may be out of range.
  const int32_t half = e.exponent >> 1;
  return p * detail::power_of_two(half) * detail::power_of_two(e.exponent - half);
}
DUEL_HD double exp(double x) { return ::exp(x); }

/// e^x - 1, accurate near 0
DUEL_HD float expm1(float x) {
  const float above = x < -30.0f ? -30.0f : x;
  const float inside = above > 89.0f ? 89.0f : above;
  const detail::ExpParts e = detail::exp_parts(inside);
  const float p = fma(e.q * e.r, e.r, e.r);
  // 2^n p + (2^n - 1), halved so that n = 128 does not overflow early.
  const float half = detail::power_of_two(e.exponent - 1);
  const float scaled = fma(p, half, half - 0.5f);
  return e.exponent == 0 ? p : scaled + scaled;
}
DUEL_HD double expm1(double x) { return ::expm1(x); }

/// Natural logarithm
DUEL_HD float log(float x) {
  const bool tiny = x < 0x1p-126f;
  const float normal = x * (tiny ? 0x1p23f : 1.0f);
  const uint32_t steps = (detail::bits_of(normal) - 0x3F400000u) & 0xFF800000u;  // exponent over [3/4, 3/2)
  const float n = fma(static_cast<float>(static_cast<int32_t>(steps)), 0x1p-23f, tiny ? -23.0f : 0.0f);
  const float f = detail::float_of(detail::bits_of(normal) - steps) - 1.0f;
  const float finite = fma(n, detail::kLn2, detail::log1p_near_zero(f));
  const float high = x < detail::kInfinity ? 0.0f : x;
  const float low = x > 0.0f ? high : -detail::kInfinity;
  return finite + (x >= 0.0f ? low : detail::kNan);
}
DUEL_HD double log(double x) { return ::log(x); }

/// log(1 + x), accurate near 0
DUEL_HD float log1p(float x) {
  const float one_more = (1.0f + x) + 0x1p-30f;  // the summand keeps x = -1 finite here and is lost elsewhere
  const uint32_t steps = (detail::bits_of(one_more) - 0x3F400000u) & 0xFF800000u;
  // (1 + x) 2^-n - 1 without rounding 1 + x: x 2^-n + (2^-n - 1).
  const float scale = detail::float_of(0x40800000u - steps);  // 4 * 2^-n
  const float f = detail::float_of(detail::bits_of(x) - steps) + fma(0.25f, scale, -1.0f);
  const float n = static_cast<float>(static_cast<int32_t>(steps)) * 0x1p-23f;
  const float finite = fma(n, detail::kLn2, detail::log1p_near_zero(f));
  const float high = x < detail::kInfinity ? 0.0f : x;
  const float low = x > -1.0f ? high : -detail::kInfinity;
  return finite + (x >= -1.0f ? low : detail::kNan);
}
DUEL_HD double log1p(double x) { return ::log1p(x); }

/// tanh x = -m / (2 + m), m = e^(-2|x|) - 1
DUEL_HD float tanh(float x) {
  const float m = expm1(-2.0f * abs(x));
  const float size = -m / (2.0f + m);
  return ::copysignf(size, x);
}
DUEL_HD double tanh(double x) { return ::tanh(x); }

/// 1 / (1 + e^-x), accurate in both tails
template <class T>
DUEL_HD T sigmoid(T x) {
  const T e = exp(-abs(x)), above = x < T(0) ? e : T(1);
  return above / (T(1) + e);
}

/// log(1 + e^x), accurate in both tails
template <class T>
DUEL_HD T softplus(T x) {
  const T positive = x < T(0) ? T(0) : x;
  return positive + log1p(exp(-abs(x)));
}

namespace detail {

/// log2 of a positive, finite double that was a float; error below 2^-42.
DUEL_HD double log2_of(double x) {
  const uint64_t steps =
      (bits_of(x) + (0x3FF0000000000000u - 0x3FE6A09E00000000u)) >> 52;  // biased exponent over [0.7, 1.4)
  const double n = double_of(steps | 0x4330000000000000u) - (0x1p52 + 1023);
  const double m = double_of(bits_of(x) - (steps << 52) + 0x3FF0000000000000u);
  const double s = (m - 1) / (m + 1), u = s * s;
  double p = 0x1.21b522c027644p-2;
  p = fma(p, u, 0x1.47950a3934618p-2);
  p = fma(p, u, 0x1.a61a30a7a2e39p-2);
  p = fma(p, u, 0x1.2776c290daad1p-1);
  p = fma(p, u, 0x1.ec709dc53e8a2p-1);
  p = fma(p, u, 0x1.71547652b8250p+1);
  return fma(p, s, n);
}

/// 2^x, past both ends of float's range cut off.
DUEL_HD double exp2_of(double x) {
  const double above = x < -200.0 ? -200.0 : x;
  const double inside = above > 200.0 ? 200.0 : above;
  const double shifted = inside + 0x1.8p52;
  const double f = inside - (shifted - 0x1.8p52);
  double p = 0x1.6df79e92b054bp-20;
  p = fma(p, f, 0x1.00f1befc0a3dbp-16);
  p = fma(p, f, 0x1.42fafca88776fp-13);
  p = fma(p, f, 0x1.5d8736831f5b1p-10);
  p = fma(p, f, 0x1.3b2ac3590b9a5p-7);
  p = fma(p, f, 0x1.c6b08dab239e8p-5);
  p = fma(p, f, 0x1.ebfbdfe993a53p-3);
  p = fma(p, f, 0x1.62e42ff004891p-1);
  p = fma(p, f, 1.0);
  return p * double_of((bits_of(shifted) - 0x4338000000000000u + 1023u) << 52);
}

}  // namespace detail

/// x^y with C's special cases. In double inside: log2 x would need more bits than a float has.
DUEL_HD float pow(float base, float exponent) {
  const double x = base, y = exponent, size = abs(x);
  // Where C asks for 1 whatever the other argument is, that one is replaced by a finite number.
  const double low = size > 0.0 ? 0.0 : -detail::kInfinity;
  const double special = size < detail::kInfinity ? low : size;  // infinity, not-a-number
  const double logarithm = detail::log2_of(size) + (y == 0.0 ? 0.0 : special);
  const double power_of_minus_one = y == y ? 1.0 : y;
  const double power_of_one = x > 0.0 ? 1.0 : power_of_minus_one;
  const double magnitude = detail::exp2_of((size == 1.0 ? power_of_one : y) * logarithm);

  // Integers are told by rounding; from 2^24 on every float is an even one. An odd one lies 1/2 beside an
  // integer when halved, and 4 (1/2)^2 = 1, all others less. No select: it would be joined with the one
  // below, see Note [Selects].
  const double large = abs(y) < 0x1p24 ? y : 0.0, halved = 0.5 * large;
  const double beside = halved - ((halved + 0x1.8p52) - 0x1.8p52), odd = ::floor(4.0 * beside * beside);
  const double of_odd = fma(odd, ::copysign(1.0, x) - 1.0, 1.0);  // the sign of x, or 1
  const double below = size < detail::kInfinity ? detail::kNan : 1.0;
  const double of_fraction = x < 0.0 ? below : 1.0;
  return static_cast<float>(magnitude *
                            (of_odd * ((large + 0x1.8p52) - 0x1.8p52 == large ? 1.0 : of_fraction)));
}
DUEL_HD double pow(double base, double exponent) { return ::pow(base, exponent); }

/// The error function 2 / sqrt(pi) * integral of e^(-t^2) from 0 to x
DUEL_HD float erf(float x) {
  const float u = x * x;
  float near = 0x1.4ae4d0p-14f;
  near = fma(near, u, -0x1.a485ecp-11f);
  near = fma(near, u, 0x1.5419f6p-8f);
  near = fma(near, u, -0x1.b7fbb4p-6f);
  near = fma(near, u, 0x1.ce2d20p-4f);
  near = fma(near, u, -0x1.81273ep-2f);
  near = fma(near, u, 0x1.06eba8p-3f);
  near = fma(near, x, x);
  // Beyond 0.9: 1 - e^(-t p(t)), p fitted to -log(erfc(t)) / t on [0.9, 4].
  const float size = abs(x), t = size > 4.0f ? 4.0f : size;
  float p = 0x1.5e11e8p-17f;
  p = fma(p, t, -0x1.4a2688p-12f);
  p = fma(p, t, 0x1.d936b6p-9f);
  p = fma(p, t, -0x1.843626p-6f);
  p = fma(p, t, 0x1.b2d3d0p-4f);
  p = fma(p, t, 0x1.4538aep-1f);
  p = fma(p, t, 0x1.20ee5cp+0f);
  const float tail = 1.0f - exp(-t * p);
  const float far = ::copysignf(tail, x);
  return !(size >= 0.9375f) ? near : far;
}
DUEL_HD double erf(double x) { return ::erf(x); }

namespace detail {

/// e^(-x^2 / 2), with the rounding error of x^2 put back.
DUEL_HD float half_gaussian(float x) {
  const float inside = abs(x) > 20.0f ? 20.0f : x;
  const float square = inside * inside, rest = fma(inside, inside, -square);
  const float e = exp(-0.5f * square);
  return fma(-0.5f * rest, e, e);
}

}  // namespace detail

/// The density of the standard normal distribution
DUEL_HD float normal_pdf(float x) { return 0x1.988454p-2f * detail::half_gaussian(x); }
DUEL_HD double normal_pdf(double x) { return 0.39894228040143267794 * exp(-0.5 * x * x); }

/// P(X < x) for a standard normal X, accurate in both tails: half of erfc(z) = e^(-z^2) p(t) / (1 + 2 z),
/// z = |x| / sqrt(2), t = (z - 2) / (z + 2).
DUEL_HD float normal_cdf(float x) {
  const float size = abs(x), z = (size > 14.5f ? 14.5f : size) * 0x1.6a09e6p-1f;
  const float t = (z - 2.0f) / (z + 2.0f);
  float p = 0x1.4fe68cp-14f;
  p = fma(p, t, 0x1.6561fep-13f);
  p = fma(p, t, -0x1.a4be48p-12f);
  p = fma(p, t, -0x1.74c3f8p-10f);
  p = fma(p, t, 0x1.4869a4p-10f);
  p = fma(p, t, 0x1.1d657ep-7f);
  p = fma(p, t, -0x1.0727ccp-7f);
  p = fma(p, t, -0x1.bc273ap-5f);
  p = fma(p, t, 0x1.4ff9fep-3f);
  p = fma(p, t, -0x1.5407cep-3f);
  p = fma(p, t, -0x1.7bf5eap-4f);
  p = fma(p, t, 0x1.46e80ep+0f);
  const float tail = 0.5f * detail::half_gaussian(x) * (p / fma(2.0f, z, 1.0f));
  return x > 0.0f ? 1.0f - tail : tail;
}
DUEL_HD double normal_cdf(double x) { return 0.5 * ::erfc(-0.70710678118654752440 * x); }

template <class T>
struct SinCos {
  T sin, cos;
};

/// sin(2 pi t) and cos(2 pi t), 0 <= t < 1: quarter turns by rounding, then |2 pi r| <= pi / 4.
DUEL_HD SinCos<float> sincos_turns(float t) {
  const float shifted = fma(t, 4.0f, detail::kRound);
  const uint32_t quarter = detail::bits_of(shifted) - detail::kRoundBits;
  const float r = fma(shifted - detail::kRound, -0.25f, t), u = r * r;
  float s = 0x1.4bc89ap+5f;
  s = fma(s, u, -0x1.32ca9ep+6f);
  s = fma(s, u, 0x1.466bbap+6f);
  s = fma(s, u, -0x1.4abbcep+5f);
  s = fma(s, u, -0x1.777a5cp-23f);  // 2 pi is this plus 0x1.921fb6p+2
  s = fma(r, 0x1.921fb6p+2f, r * s);
  float c = 0x1.d9f7bcp+5f;
  c = fma(c, u, -0x1.55c664p+6f);
  c = fma(c, u, 0x1.03c1dep+6f);
  c = fma(c, u, -0x1.3bd3ccp+4f);
  c = fma(c, u, 1.0f);
  const float sine = (quarter & 1u) != 0 ? c : s, cosine = (quarter & 1u) != 0 ? s : c;
  return {(quarter & 2u) != 0 ? -sine : sine, ((quarter + 1u) & 2u) != 0 ? -cosine : cosine};
}
/// As above; Taylor's polynomials, whose next terms are below 2^-63 here. The library's sine is no choice: on
/// a GPU its path for huge arguments, never taken, would cost every thread a stack frame.
DUEL_HD SinCos<double> sincos_turns(double t) {
  constexpr double kTurn = 6.28318530717958647693, kRound = 0x1.8p+52;
  const double shifted = fma(t, 4.0, kRound), quarters = shifted - kRound;
  const uint32_t quarter = static_cast<uint32_t>(quarters);
  const double r = fma(quarters, -0.25, t), x = kTurn * r, u = x * x;
  double s = 0x1.952c77030ad4ap-49;
  s = fma(s, u, -0x1.ae7f3e733b81fp-41);
  s = fma(s, u, 0x1.6124613a86d09p-33);
  s = fma(s, u, -0x1.ae64567f544e4p-26);
  s = fma(s, u, 0x1.71de3a556c734p-19);
  s = fma(s, u, -0x1.a01a01a01a01ap-13);
  s = fma(s, u, 0x1.1111111111111p-7);
  s = fma(s, u, -0x1.5555555555555p-3);
  s = fma(x * u, s, x);
  double c = -0x1.6827863b97d97p-53;
  c = fma(c, u, 0x1.ae7f3e733b81fp-45);
  c = fma(c, u, -0x1.93974a8c07c9dp-37);
  c = fma(c, u, 0x1.1eed8eff8d898p-29);
  c = fma(c, u, -0x1.27e4fb7789f5cp-22);
  c = fma(c, u, 0x1.a01a01a01a01ap-16);
  c = fma(c, u, -0x1.6c16c16c16c17p-10);
  c = fma(c, u, 0x1.5555555555555p-5);
  c = fma(c, u, -0x1.0000000000000p-1);
  c = fma(c, u, 1.0);
  const double sine = (quarter & 1u) != 0 ? c : s, cosine = (quarter & 1u) != 0 ? s : c;
  return {(quarter & 2u) != 0 ? -sine : sine, ((quarter + 1u) & 2u) != 0 ? -cosine : cosine};
}

}  // namespace duel::kernels::math
