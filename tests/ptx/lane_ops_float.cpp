// Floating point: see lane_ops.h.
#include <cmath>
#include <limits>

#include "lane_ops.h"

namespace duel::ptx {
namespace lanes {
namespace {

template <class T>
T flushed(T x) {
  return std::fabs(x) < std::numeric_limits<T>::min() ? std::copysign(T{0}, x) : x;
}

/// A GPU's f32 instructions give one NaN; those of f64 keep the bits of the NaN that they got.
float result(float x) { return std::isnan(x) ? std::bit_cast<float>(0x7FFFFFFFu) : x; }
double result(double x) { return x; }

template <class T>
T saturated(T x) {
  return x > T{0} ? (x < T{1} ? x : T{1}) : T{0};  // NaN gives 0
}

struct Add {
  template <class T>
  static T of(T a, T b) {
    return result(a + b);
  }
};
struct Sub {
  template <class T>
  static T of(T a, T b) {
    return result(a - b);
  }
};
struct Mul {
  template <class T>
  static T of(T a, T b) {
    return result(a * b);
  }
};
struct Fma {
  template <class T>
  static T of(T a, T b, T c) {
    return result(std::fma(a, b, c));
  }
};
struct Div {
  template <class T>
  static T of(T a, T b) {
    return result(a / b);
  }
};
struct Reciprocal {
  template <class T>
  static T of(T a) {
    return result(T{1} / a);
  }
};
struct Root {
  template <class T>
  static T of(T a) {
    return result(std::sqrt(a));
  }
};
struct ReciprocalRoot {
  static float of(float a) { return result(static_cast<float>(1.0 / std::sqrt(static_cast<double>(a)))); }
  static double of(double a) { return 1.0 / std::sqrt(a); }
};
struct Exp2 {
  static float of(float a) { return result(static_cast<float>(std::exp2(static_cast<double>(a)))); }
};
struct Log2 {
  static float of(float a) { return result(static_cast<float>(std::log2(static_cast<double>(a)))); }
};
struct Sine {
  static float of(float a) { return result(static_cast<float>(std::sin(static_cast<double>(a)))); }
};
struct Cosine {
  static float of(float a) { return result(static_cast<float>(std::cos(static_cast<double>(a)))); }
};
struct Tanh {
  static float of(float a) { return result(static_cast<float>(std::tanh(static_cast<double>(a)))); }
};

double upper_word(double x) {
  return std::bit_cast<double>(std::bit_cast<uint64_t>(x) & 0xFFFFFFFF00000000u);
}
/// The first guess of libdevice's divisions: from and to the upper word of a double.
struct RoughReciprocal {
  static double of(double a) { return flushed(upper_word(1.0 / flushed(upper_word(a)))); }
};
struct RoughReciprocalRoot {
  static double of(double a) { return flushed(upper_word(1.0 / std::sqrt(flushed(upper_word(a))))); }
};

struct Abs {
  template <class T>
  static T of(T a) {
    return std::fabs(a);
  }
};
struct Neg {
  template <class T>
  static T of(T a) {
    return -a;
  }
};
/// "Copies the sign bit of a into the value of b".
struct CopySign {
  template <class T>
  static T of(T a, T b) {
    return std::copysign(b, a);
  }
};
struct Min {
  template <class T>
  static T of(T a, T b) {
    if (std::isnan(a)) return result(b);
    if (std::isnan(b)) return a;
    if (a == b) return std::signbit(a) ? a : b;  // -0 is less than +0
    return a < b ? a : b;
  }
};
struct Max {
  template <class T>
  static T of(T a, T b) {
    if (std::isnan(a)) return result(b);
    if (std::isnan(b)) return a;
    if (a == b) return std::signbit(a) ? b : a;
    return a < b ? b : a;
  }
};
template <class F>
struct NanWins {
  static float of(float a, float b) { return std::isnan(a) || std::isnan(b) ? result(a + b) : F::of(a, b); }
};

template <class F>
struct Flushed {
  template <class... T>
  static auto of(T... a) {
    return flushed(F::of(flushed(a)...));
  }
};
template <class F>
struct Saturated {
  template <class... T>
  static auto of(T... a) {
    return saturated(F::of(a...));
  }
};

/// f32 with .ftz and .sat, and f64. `rounded`: the mode of rounding may be said ("add.rn.f32").
template <class F>
void add_binary(Table& table, const std::string& name, Sort f32, Sort f64) {
  table.add2<F, float, float, float>(name + ".f32", f32);
  table.add2<Flushed<F>, float, float, float>(name + ".ftz.f32", f32);
  table.add2<Saturated<F>, float, float, float>(name + ".sat.f32", f32);
  table.add2<Saturated<Flushed<F>>, float, float, float>(name + ".ftz.sat.f32", f32);
  table.add2<F, double, double, double>(name + ".f64", f64);
}
template <class F>
void add_unary(Table& table, const std::string& name, Sort sort) {
  table.add1<F, float, float>(name + ".f32", sort);
  table.add1<Flushed<F>, float, float>(name + ".ftz.f32", sort);
}

}  // namespace

void add_float_ops(Table& table) {
  for (const std::string mode : {"", ".rn"}) {
    add_binary<Add>(table, "add" + mode, Sort::f32, Sort::f64);
    add_binary<Sub>(table, "sub" + mode, Sort::f32, Sort::f64);
    add_binary<Mul>(table, "mul" + mode, Sort::f32, Sort::f64);
  }
  table.add3<Fma, float, float, float, float>("fma.rn.f32", Sort::f32);
  table.add3<Flushed<Fma>, float, float, float, float>("fma.rn.ftz.f32", Sort::f32);
  table.add3<Saturated<Fma>, float, float, float, float>("fma.rn.sat.f32", Sort::f32);
  table.add3<Saturated<Flushed<Fma>>, float, float, float, float>("fma.rn.ftz.sat.f32", Sort::f32);
  table.add3<Fma, double, double, double, double>("fma.rn.f64", Sort::f64);

  for (const std::string mode : {".rn", ".approx", ".full"}) {
    table.add2<Div, float, float, float>("div" + mode + ".f32", Sort::special);
    table.add2<Flushed<Div>, float, float, float>("div" + mode + ".ftz.f32", Sort::special);
  }
  table.add2<Div, double, double, double>("div.rn.f64", Sort::special);
  for (const std::string mode : {".rn", ".approx"}) {
    add_unary<Reciprocal>(table, "rcp" + mode, Sort::special);
    add_unary<Root>(table, "sqrt" + mode, Sort::special);
  }
  table.add1<Reciprocal, double, double>("rcp.rn.f64", Sort::special);
  table.add1<Root, double, double>("sqrt.rn.f64", Sort::special);
  table.add1<RoughReciprocal, double, double>("rcp.approx.ftz.f64", Sort::special);
  table.add1<RoughReciprocalRoot, double, double>("rsqrt.approx.ftz.f64", Sort::special);
  table.add1<ReciprocalRoot, double, double>("rsqrt.approx.f64", Sort::special);
  add_unary<ReciprocalRoot>(table, "rsqrt.approx", Sort::special);
  add_unary<Exp2>(table, "ex2.approx", Sort::special);
  add_unary<Log2>(table, "lg2.approx", Sort::special);
  add_unary<Sine>(table, "sin.approx", Sort::special);
  add_unary<Cosine>(table, "cos.approx", Sort::special);
  table.add1<Tanh, float, float>("tanh.approx.f32", Sort::special);

  add_unary<Abs>(table, "abs", Sort::f32);
  add_unary<Neg>(table, "neg", Sort::f32);
  table.add1<Abs, double, double>("abs.f64", Sort::f64);
  table.add1<Neg, double, double>("neg.f64", Sort::f64);
  table.add2<CopySign, float, float, float>("copysign.f32", Sort::f32);
  table.add2<CopySign, double, double, double>("copysign.f64", Sort::f64);
  table.add2<Min, float, float, float>("min.f32", Sort::f32);
  table.add2<Max, float, float, float>("max.f32", Sort::f32);
  table.add2<Flushed<Min>, float, float, float>("min.ftz.f32", Sort::f32);
  table.add2<Flushed<Max>, float, float, float>("max.ftz.f32", Sort::f32);
  table.add2<NanWins<Min>, float, float, float>("min.NaN.f32", Sort::f32);
  table.add2<NanWins<Max>, float, float, float>("max.NaN.f32", Sort::f32);
  table.add2<Min, double, double, double>("min.f64", Sort::f64);
  table.add2<Max, double, double, double>("max.f64", Sort::f64);
}

}  // namespace lanes

const LaneOp* lane_op(std::string_view name) {
  static const lanes::Table table = [] {
    lanes::Table made;
    lanes::add_integer_ops(made);
    lanes::add_float_ops(made);
    lanes::add_conversions(made);
    return made;
  }();
  return table.find(name);
}

}  // namespace duel::ptx
