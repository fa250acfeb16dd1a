// Elementary functions.
#pragma once

#include <cmath>
#include <cstdint>

#include "duel/kernels/platform.h"

namespace duel::kernels::math {

template <class T>
DUEL_HD T exp(T x) {
  return std::exp(x);
}
template <class T>
DUEL_HD T expm1(T x) {
  return std::expm1(x);
}
template <class T>
DUEL_HD T log(T x) {
  return std::log(x);
}
template <class T>
DUEL_HD T log1p(T x) {
  return std::log1p(x);
}
template <class T>
DUEL_HD T tanh(T x) {
  return std::tanh(x);
}
template <class T>
DUEL_HD T erf(T x) {
  return std::erf(x);
}
template <class T>
DUEL_HD T pow(T x, T y) {
  return std::pow(x, y);
}
template <class T>
DUEL_HD T sqrt(T x) {
  return std::sqrt(x);
}
template <class T>
DUEL_HD T abs(T x) {
  return std::fabs(x);
}
template <class T>
DUEL_HD T sigmoid(T x) {
  const T e = exp(-abs(x)), num = x >= T(0) ? T(1) : e;
  return num / (T(1) + e);
}
template <class T>
DUEL_HD T softplus(T x) {
  return (x > T(0) ? x : T(0)) + log1p(exp(-abs(x)));
}

template <class T>
DUEL_HD T fma(T a, T b, T c) {
  return std::fma(a, b, c);
}
template <class T>
struct SinCos {
  T sin, cos;
};
template <class T>
DUEL_HD SinCos<T> sincos_turns(T t) {
  return {std::sin(T(6.283185307179586) * t), std::cos(T(6.283185307179586) * t)};
}
/// P(X < x) and the density of a standard normal X.
template <class T>
DUEL_HD T normal_cdf(T x) {
  return T(0.5) * std::erfc(T(-0.70710678118654752) * x);
}
template <class T>
DUEL_HD T normal_pdf(T x) {
  return T(0.39894228040143268) * exp(T(-0.5) * x * x);
}

}  // namespace duel::kernels::math
