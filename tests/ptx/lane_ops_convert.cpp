// cvt: see lane_ops.h.
#include <cmath>
#include <limits>

#include "lane_ops.h"
#include "tests/simt/tensor_core.h"

namespace duel::ptx {
namespace lanes {
namespace {

enum class Round { nearest, zero, down, up };

template <class T>
T flushed(T x) {
  return std::fabs(x) < std::numeric_limits<T>::min() ? std::copysign(T{0}, x) : x;
}
float result(float x) { return std::isnan(x) ? std::bit_cast<float>(0x7FFFFFFFu) : x; }
double result(double x) { return x; }

template <Round kRound, class T>
T integral(T x) {
  switch (kRound) {
    case Round::nearest:
      return std::nearbyint(x);
    case Round::zero:
      return std::trunc(x);
    case Round::down:
      return std::floor(x);
    case Round::up:
      return std::ceil(x);
  }
  return x;
}

/// A value one step off is put on the right side of the exact one.
template <Round kRound, class T, class Less>
T corrected(T nearest, Less less) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  const bool below = less(nearest, false),
             above = less(nearest, true);  // the result is below, above the exact value
  if (kRound == Round::up && below) return std::nextafter(nearest, kInfinity);
  if (kRound == Round::down && above) return std::nextafter(nearest, -kInfinity);
  if (kRound == Round::zero && nearest > 0 && above) return std::nextafter(nearest, T{0});
  if (kRound == Round::zero && nearest < 0 && below) return std::nextafter(nearest, T{0});
  return nearest;
}

template <Round kRound>
struct Narrow {  // f32 from f64
  static float of(double a) {
    const auto nearest = static_cast<float>(a);
    if (kRound == Round::nearest || std::isnan(a)) return result(nearest);
    return corrected<kRound>(nearest, [&](float x, bool above) {
      return above ? static_cast<double>(x) > a : static_cast<double>(x) < a;
    });
  }
};

template <class To, Round kRound>
struct FromInteger {
  template <class From>
  static To of(From a) {
    const auto nearest = static_cast<To>(a);
    if (kRound == Round::nearest) return nearest;
    return corrected<kRound>(nearest, [&](To x, bool above) {
      const auto exact = static_cast<Int128>(x), wanted = static_cast<Int128>(a);
      return above ? exact > wanted : exact < wanted;
    });
  }
};

template <class To, Round kRound, bool kFlush>
struct ToInteger {
  template <class From>
  static To of(From a) {
    if (std::isnan(a)) {
      return sizeof(From) == 8 || sizeof(To) == 8 ? static_cast<To>(uint64_t{1} << (8 * sizeof(To) - 1))
                                                  : To{0};
    }
    const From x = integral<kRound>(kFlush ? flushed(a) : a);
    // The limits themselves may have no From: 2^bits has.
    const From end = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    if (x >= end) return std::numeric_limits<To>::max();
    if (std::is_signed_v<To> ? x < -end : x < 0) return std::numeric_limits<To>::min();
    return static_cast<To>(x);
  }
};

template <class To>
struct Resize {
  template <class From>
  static To of(From a) {
    return static_cast<To>(a);
  }
};
template <class To>
struct ResizeSaturated {
  template <class From>
  static To of(From a) {
    const auto wide = static_cast<Int128>(a);
    const auto low = static_cast<Int128>(std::numeric_limits<To>::min());
    const auto high = static_cast<Int128>(std::numeric_limits<To>::max());
    return static_cast<To>(wide < low ? low : wide > high ? high : wide);
  }
};

template <Round kRound>
struct Integral {
  template <class T>
  static T of(T a) {
    return result(integral<kRound>(a));
  }
};
struct Widen {
  static double of(float a) { return static_cast<double>(a); }
};
struct Same {
  template <class T>
  static T of(T a) {
    return a;
  }
};
template <class F>
struct Flushed {
  template <class T>
  static auto of(T a) {
    return F::of(flushed(a));
  }
};
template <class F>
struct FlushedAround {
  static float of(double a) { return flushed(F::of(a)); }
};
template <class F>
struct Saturated {
  template <class T>
  static auto of(T a) {
    const auto x = F::of(a);
    using R = decltype(x + x);
    return x > R{0} ? (x < R{1} ? x : R{1}) : R{0};
  }
};

struct Tf32 {
  static uint32_t of(float a) { return simt::round_to_tf32(a); }
};

std::string cvt(const std::string& modifiers, const std::string& to, const std::string& from) {
  return "cvt" + modifiers + "." + to + "." + from;
}

template <class Visit>
void each_integer(Visit visit) {
  visit(uint8_t{}, "u8");
  visit(int8_t{}, "s8");
  visit(uint16_t{}, "u16");
  visit(int16_t{}, "s16");
  visit(uint32_t{}, "u32");
  visit(int32_t{}, "s32");
  visit(uint64_t{}, "u64");
  visit(int64_t{}, "s64");
}

template <Round kRound>
void add_rounded(Table& table, const std::string& mode) {
  const std::string r = ".r" + mode, ri = r + "i";
  constexpr Sort kConvert = Sort::convert;
  each_integer([&](auto integer, const std::string& t) {
    using I = decltype(integer);
    table.add1<FromInteger<float, kRound>, float, I>(cvt(r, "f32", t), kConvert);
    table.add1<FromInteger<double, kRound>, double, I>(cvt(r, "f64", t), kConvert);
    table.add1<ToInteger<I, kRound, false>, I, float>(cvt(ri, t, "f32"), kConvert);
    table.add1<ToInteger<I, kRound, true>, I, float>(cvt(ri + ".ftz", t, "f32"), kConvert);
    table.add1<ToInteger<I, kRound, false>, I, double>(cvt(ri, t, "f64"), kConvert);
  });
  table.add1<Narrow<kRound>, float, double>(cvt(r, "f32", "f64"), kConvert);
  table.add1<FlushedAround<Narrow<kRound>>, float, double>(cvt(r + ".ftz", "f32", "f64"), kConvert);
  table.add1<Saturated<Narrow<kRound>>, float, double>(cvt(r + ".sat", "f32", "f64"), kConvert);
  table.add1<Integral<kRound>, float, float>(cvt(ri, "f32", "f32"), kConvert);
  table.add1<Flushed<Integral<kRound>>, float, float>(cvt(ri + ".ftz", "f32", "f32"), kConvert);
  table.add1<Integral<kRound>, double, double>(cvt(ri, "f64", "f64"), kConvert);
}

}  // namespace

void add_conversions(Table& table) {
  constexpr Sort kConvert = Sort::convert;
  add_rounded<Round::nearest>(table, "n");
  add_rounded<Round::zero>(table, "z");
  add_rounded<Round::down>(table, "m");
  add_rounded<Round::up>(table, "p");
  each_integer([&](auto to, const std::string& t) {
    each_integer([&](auto from, const std::string& f) {
      using To = decltype(to);
      using From = decltype(from);
      table.add1<Resize<To>, To, From>(cvt("", t, f), kConvert);
      table.add1<ResizeSaturated<To>, To, From>(cvt(".sat", t, f), kConvert);
    });
  });
  table.add1<Widen, double, float>(cvt("", "f64", "f32"), kConvert);
  table.add1<Flushed<Widen>, double, float>(cvt(".ftz", "f64", "f32"), kConvert);
  table.add1<Same, float, float>(cvt("", "f32", "f32"), kConvert);
  table.add1<Flushed<Same>, float, float>(cvt(".ftz", "f32", "f32"), kConvert);
  table.add1<Saturated<Same>, float, float>(cvt(".sat", "f32", "f32"), kConvert);
  table.add1<Saturated<Flushed<Same>>, float, float>(cvt(".ftz.sat", "f32", "f32"), kConvert);
  table.add1<Same, double, double>(cvt("", "f64", "f64"), kConvert);
  table.add1<Tf32, uint32_t, float>(cvt(".rna", "tf32", "f32"), kConvert);
}

}  // namespace lanes
}  // namespace duel::ptx
