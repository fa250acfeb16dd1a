// Activations: one struct each with value, first and second derivative.
//
// The conventions at kinks are PyTorch's: relu'(0) = 0, leaky_relu'(0) = slope, elu'(0) = alpha. Not-a-number
// gives not-a-number, in every derivative that depends on x. second_is_zero says that the second derivative
// is zero almost everywhere (piecewise linear): gradient penalties over such critics have a cheaper exact
// form.
//
// To add one: write the struct and name it in DUEL_ACTIVATIONS.
//
// Example: dx = dy * leaky_relu'(x)
//   activation_d1(stream, n, x, dy, dx, LeakyRelu{0.2});
#pragma once

#include "duel/kernels/base/math.h"
#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// y[i] = f(x[i]). y may be x.
template <class A, class T>
void activation(Stream stream, int64_t n, const T* x, T* y, A f);

/// out[i] = g[i] * f'(x[i]). out may be x or g.
template <class A, class T>
void activation_d1(Stream stream, int64_t n, const T* x, const T* g, T* out, A f);

/// out[i] = g[i] * f''(x[i]). out may be x or g.
template <class A, class T>
void activation_d2(Stream stream, int64_t n, const T* x, const T* g, T* out, A f);

/// max(x, 0)
struct Relu {
  static constexpr bool second_is_zero = true;
  template <class T>
  DUEL_HD T value(T x) const {
    return x < T(0) ? T(0) : x;
  }
  template <class T>
  DUEL_HD T first(T x) const {
    const T below = x <= T(0) ? T(0) : x;  // x: not-a-number
    return x > T(0) ? T(1) : below;
  }
  template <class T>
  DUEL_HD T second(T) const {
    return T(0);
  }
};

/// x above 0, slope * x else
struct LeakyRelu {
  double slope = 0.01;
  static constexpr bool second_is_zero = true;
  template <class T>
  DUEL_HD T value(T x) const {
    const T below = T(slope) * x;
    return x > T(0) ? x : below;
  }
  template <class T>
  DUEL_HD T first(T x) const {
    const T at_most = T(slope), below = x <= T(0) ? at_most : x;  // x: not-a-number
    return x > T(0) ? T(1) : below;
  }
  template <class T>
  DUEL_HD T second(T) const {
    return T(0);
  }
};

/// x above 0, alpha * (e^x - 1) else
struct Elu {
  double alpha = 1;
  static constexpr bool second_is_zero = false;
  template <class T>
  DUEL_HD T value(T x) const {
    const T below = T(alpha) * math::expm1(x > T(0) ? T(0) : x);
    return x > T(0) ? x : below;
  }
  template <class T>
  DUEL_HD T first(T x) const {
    const T below = T(alpha) * math::exp(x > T(0) ? T(0) : x);
    return x > T(0) ? T(1) : below;
  }
  template <class T>
  DUEL_HD T second(T x) const {
    const T below = T(alpha) * math::exp(x > T(0) ? T(0) : x);
    return x > T(0) ? T(0) : below;
  }
};

struct Tanh {
  static constexpr bool second_is_zero = false;
  template <class T>
  DUEL_HD T value(T x) const {
    return math::tanh(x);
  }
  /// 1 - tanh^2, without its cancellation where tanh is near +-1.
  template <class T>
  DUEL_HD T first(T x) const {
    const T e = math::exp(T(-2) * math::abs(x)), d = T(1) + e;
    return T(4) * e / (d * d);
  }
  template <class T>
  DUEL_HD T second(T x) const {
    return T(-2) * math::tanh(x) * first(x);
  }
};

/// s(x) = 1 / (1 + e^-x); s' = s(x) s(-x); s'' = s' (s(-x) - s(x)) = -s' tanh(x / 2)
struct Sigmoid {
  static constexpr bool second_is_zero = false;
  template <class T>
  DUEL_HD T value(T x) const {
    return math::sigmoid(x);
  }
  template <class T>
  DUEL_HD T first(T x) const {
    const T e = math::exp(-math::abs(x)), d = T(1) + e;
    return e / (d * d);
  }
  template <class T>
  DUEL_HD T second(T x) const {
    return -first(x) * math::tanh(T(0.5) * x);
  }
};

/// log(1 + e^x)
struct Softplus {
  static constexpr bool second_is_zero = false;
  template <class T>
  DUEL_HD T value(T x) const {
    return math::softplus(x);
  }
  template <class T>
  DUEL_HD T first(T x) const {
    return math::sigmoid(x);
  }
  template <class T>
  DUEL_HD T second(T x) const {
    return Sigmoid{}.first(x);
  }
};

/// x P(x), P the standard normal distribution function (the exact form, not the tanh approximation)
struct Gelu {
  static constexpr bool second_is_zero = false;
  template <class T>
  DUEL_HD T value(T x) const {
    return x * math::normal_cdf(x);
  }
  template <class T>
  DUEL_HD T first(T x) const {
    return math::normal_cdf(x) + x * math::normal_pdf(x);
  }
  template <class T>
  DUEL_HD T second(T x) const {
    return (T(2) - x * x) * math::normal_pdf(x);
  }
};

/// One that is chosen at run time, of those that a product can end in (kernels/map/finish.h); by default none, f(x) = x.
struct Activation {
  enum class Kind : uint8_t { none, relu, leaky_relu, tanh };
  Kind kind = Kind::none;
  double slope = 0;  // of leaky_relu

  constexpr Activation() = default;
  constexpr Activation(Relu) : kind(Kind::relu) {}
  constexpr Activation(LeakyRelu f) : kind(Kind::leaky_relu), slope(f.slope) {}
  constexpr Activation(Tanh) : kind(Kind::tanh) {}

  constexpr explicit operator bool() const { return kind != Kind::none; }
  constexpr bool second_is_zero() const { return kind != Kind::tanh; }
  /// use(f) with the activation as its own type; not called where there is none. Without kSmooth for the piecewise linear
  /// ones alone: what the others need would cost a kernel registers.
  template <bool kSmooth = true, class Use>
  DUEL_HD void visit(Use use) const {
    switch (kind) {
      case Kind::none:
        return;
      case Kind::relu:
        return use(Relu{});
      case Kind::leaky_relu:
        return use(LeakyRelu{slope});
      case Kind::tanh:
        if constexpr (kSmooth) return use(Tanh{});
    }
  }
};

/// Every activation that activations.cu instantiates (for float and double).
#define DUEL_ACTIVATIONS(A) A(Relu) A(LeakyRelu) A(Elu) A(Tanh) A(Sigmoid) A(Softplus) A(Gelu)

#define DUEL_DECLARE_ACTIVATION_FOR(A, T)                                         \
  extern template void activation(Stream, int64_t, const T*, T*, A);              \
  extern template void activation_d1(Stream, int64_t, const T*, const T*, T*, A); \
  extern template void activation_d2(Stream, int64_t, const T*, const T*, T*, A);
#define DUEL_DECLARE_ACTIVATION(A) \
  DUEL_DECLARE_ACTIVATION_FOR(A, float) DUEL_DECLARE_ACTIVATION_FOR(A, double)
DUEL_ACTIVATIONS(DUEL_DECLARE_ACTIVATION)
#undef DUEL_DECLARE_ACTIVATION
#undef DUEL_DECLARE_ACTIVATION_FOR

}  // namespace duel::kernels
