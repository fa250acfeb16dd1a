// Element-wise arithmetic with NumPy broadcasting. Closed under differentiation: every rule uses these ops
// only.
//
// i64 tensors are added, subtracted, multiplied, divided with floor_divide and remainder (%), negated and compared
// (comparison.h), with each other and with integer scalars; a scalar that is no integer is an Error. u8 and
// mixed dtypes go through to().
//
// Example:  Tensor y = (a - b) * c + 1.0;
#pragma once

#include "duel/core/tensor/tensor.h"

namespace duel {

/// a + b, a - b, a b and a / b, shapes broadcast. Error for shapes that do not, and for dtypes or devices that differ.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
/// Of i64: the quotient towards minus infinity, and what it leaves, with the divisor's sign (Python's // and
/// %). A zero among the divisors is an Error on the CPU; on a GPU its quotient is 0 and its remainder a.
Tensor floor_divide(const Tensor& a, const Tensor& b);
Tensor remainder(const Tensor& a, const Tensor& b);
/// a^b for a > 0; gradients: b a^(b-1) and a^b log a.
Tensor pow(const Tensor& a, const Tensor& b);
/// At a tie the gradient goes half to each, as in PyTorch.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

/// a + value and a value, of a's dtype.
Tensor add_scalar(const Tensor& a, double value);
Tensor mul_scalar(const Tensor& a, double value);
/// a / value and value / a, each rounded once: a product with a reciprocal is rounded twice, and 169 / 13 is
/// then not 13.
Tensor div_scalar(const Tensor& a, double value);
Tensor scalar_div(double value, const Tensor& a);
/// a^exponent with a constant exponent; integer exponents take any a.
Tensor pow_scalar(const Tensor& a, double exponent);
/// max(a, low) and min(a, high); the gradient is 1 inside and at the bound, as in PyTorch.
Tensor clamp_min(const Tensor& a, double low);
Tensor clamp_max(const Tensor& a, double high);
/// min(max(a, low), high)
Tensor clamp(const Tensor& a, double low, double high);

/// -a, e^a, the natural logarithm, the root and a^2, of a's shape. Of a negative a log and sqrt are not-a-number; at 0 their
/// gradients are infinite.
Tensor neg(const Tensor& a);
Tensor exp(const Tensor& a);
Tensor log(const Tensor& a);
Tensor sqrt(const Tensor& a);
Tensor square(const Tensor& a);
/// Gradient sign(a): 0 at 0.
Tensor abs(const Tensor& a);
/// -1, 0 or 1, and not-a-number of not-a-number; gradient 0 everywhere.
Tensor sign(const Tensor& a);
/// 1 / a
Tensor reciprocal(const Tensor& a);
/// 1 / sqrt(a)
Tensor rsqrt(const Tensor& a);
/// exp(a) - 1 and log(1 + a), accurate near 0
Tensor expm1(const Tensor& a);
Tensor log1p(const Tensor& a);
/// The error function 2 / sqrt(pi) * integral of e^(-t^2) from 0 to a
Tensor erf(const Tensor& a);
/// Of radians, up to 2^40; of larger ones not-a-number.
Tensor sin(const Tensor& a);
Tensor cos(const Tensor& a);
/// To integers, halves to the even one in round; gradient 0 everywhere.
Tensor floor(const Tensor& a);
Tensor ceil(const Tensor& a);
Tensor round(const Tensor& a);

/// target += source (same shape, no graph); for accumulating gradients.
void add_in_place(Tensor& target, const Tensor& source);
/// The same of several pairs, each of one shape and floating dtype, in as few launches as there are.
void add_each(const std::vector<std::pair<Tensor, Tensor>>& targets_and_sources);

/// The functions above as operators.
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& a) { return neg(a); }
inline Tensor operator+(const Tensor& a, double b) { return add_scalar(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return add_scalar(b, a); }
inline Tensor operator-(const Tensor& a, double b) { return add_scalar(a, -b); }
inline Tensor operator-(double a, const Tensor& b) { return add_scalar(neg(b), a); }
inline Tensor operator*(const Tensor& a, double b) { return mul_scalar(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return mul_scalar(b, a); }
inline Tensor operator/(const Tensor& a, double b) { return div_scalar(a, b); }
inline Tensor operator/(double a, const Tensor& b) { return scalar_div(a, b); }
inline Tensor operator%(const Tensor& a, const Tensor& b) { return remainder(a, b); }
/// remainder by a number; of i64 an integer.
Tensor operator%(const Tensor& a, double b);

}  // namespace duel
