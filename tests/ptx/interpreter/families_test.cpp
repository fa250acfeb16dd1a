// Whole families of instructions, every width and modifier of each: conversions, bits, fields, approximations.
#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>

#include "texts.h"

namespace duel::ptx::testing {
namespace {

__extension__ typedef __int128 Exact;

template <class T>
std::vector<T> integers() {
  using L = std::numeric_limits<T>;
  std::vector<T> values = {T{0},
                           T{1},
                           T{5},
                           L::max(),
                           L::min(),
                           static_cast<T>(L::max() / 2 + 1),
                           static_cast<T>(-2),
                           static_cast<T>(L::max() - 1),
                           static_cast<T>(16777219),
                           static_cast<T>(9007199254740995)};
  return values;
}

template <class T>
std::vector<T> numbers() {
  return {T(0),
          T(-0.0),
          T(0.5),
          T(-0.5),
          T(1.5),
          T(2.5),
          T(-2.5),
          T(126.7),
          T(-128.4),
          T(255.5),
          T(-1.25),
          T(32767.9),
          T(65535.5),
          T(3e9),
          T(-3e9),
          T(1.7e19),
          T(-9.3e18),
          T(1e30),
          T(-1e30),
          std::numeric_limits<T>::infinity(),
          -std::numeric_limits<T>::infinity(),
          std::numeric_limits<T>::denorm_min()};
}

template <class Visit>
void each_integer(Visit visit) {
  visit(uint8_t{});
  visit(int8_t{});
  visit(uint16_t{});
  visit(int16_t{});
  visit(uint32_t{});
  visit(int32_t{});
  visit(uint64_t{});
  visit(int64_t{});
}

template <class To>
To wrapped(Exact value) {
  return static_cast<To>(static_cast<uint64_t>(static_cast<unsigned long long>(value & ~uint64_t{0})));
}

template <class To>
To clamped(Exact value) {
  const Exact low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
  return static_cast<To>(value < low ? low : value > high ? high : value);
}

const struct {
  const char* name;
  int mode;
} kModes[] = {{"rn", FE_TONEAREST}, {"rz", FE_TOWARDZERO}, {"rm", FE_DOWNWARD}, {"rp", FE_UPWARD}};

/// The processor's own rounding.
template <class To, class From>
To rounded(From value, int mode) {
  std::fesetround(mode);
  volatile From from = value;
  volatile To to = static_cast<To>(from);
  std::fesetround(FE_TONEAREST);
  return to;
}

template <class T>
T whole(T value, int mode) {
  return mode == FE_TONEAREST    ? std::rint(value)
         : mode == FE_TOWARDZERO ? std::trunc(value)
         : mode == FE_DOWNWARD   ? std::floor(value)
                                 : std::ceil(value);
}

TEST(PtxFamilies, IntegersToIntegers) {
  each_integer([](auto to) {
    each_integer([&](auto from) {
      using To = decltype(to);
      using From = decltype(from);
      const std::string types = Named<To>::memory() + "." + Named<From>::memory();
      const std::vector<From> x = integers<From>();
      const auto plain = apply<To>("cvt." + types + " $d, $a;", x);
      const auto saturated = apply<To>("cvt.sat." + types + " $d, $a;", x);
      for (size_t k = 0; k < x.size(); ++k) {
        EXPECT_EQ(plain[k], wrapped<To>(Exact{x[k]})) << types << " of " << +x[k];
        EXPECT_EQ(saturated[k], clamped<To>(Exact{x[k]})) << types << " of " << +x[k];
      }
    });
  });
}

template <class To, class From>
void expect_to_integer() {
  const std::vector<From> x = numbers<From>();
  for (const auto& mode : kModes) {
    const std::string op =
        std::string("cvt.") + mode.name + "i." + Named<To>::memory() + "." + Named<From>::memory();
    const auto got = apply<To>(op + " $d, $a;", x);
    for (size_t k = 0; k < x.size(); ++k) {
      const long double exact = whole(static_cast<long double>(x[k]), mode.mode);
      const auto want = exact > 1e25L    ? std::numeric_limits<To>::max()
                        : exact < -1e25L ? std::numeric_limits<To>::min()
                                         : clamped<To>(static_cast<Exact>(exact));
      EXPECT_EQ(got[k], want) << op << " of " << x[k];
    }
  }
}

template <class To, class From>
void expect_from_integer() {
  const std::vector<From> x = integers<From>();
  for (const auto& mode : kModes) {
    const std::string op =
        std::string("cvt.") + mode.name + "." + Named<To>::memory() + "." + Named<From>::memory();
    const auto got = apply<To>(op + " $d, $a;", x);
    for (size_t k = 0; k < x.size(); ++k)
      EXPECT_EQ(got[k], (rounded<To>(x[k], mode.mode))) << op << " of " << +x[k];
  }
}

TEST(PtxFamilies, FloatsToIntegersAndBack) {
  each_integer([](auto integer) {
    using I = decltype(integer);
    expect_to_integer<I, float>();
    expect_to_integer<I, double>();
    expect_from_integer<float, I>();
    expect_from_integer<double, I>();
  });
}

TEST(PtxFamilies, DoublesToFloats) {
  std::vector<double> x = numbers<double>();
  for (const double each :
       {1 + 0x1p-25, -1 - 0x1p-24, 1 + 0x1p-24 + 0x1p-50, 0x1.5p-149, 0x1.8p-126, 3.5e38, -3.5e38, 0.1}) {
    x.push_back(each);
  }
  for (const auto& mode : kModes) {
    const std::string op = std::string("cvt.") + mode.name + ".f32.f64 $d, $a;";
    const auto got = apply<float>(op, x);
    for (size_t k = 0; k < x.size(); ++k)
      EXPECT_EQ(got[k], (rounded<float>(x[k], mode.mode))) << op << " of " << x[k];
  }
}

template <class T>
void expect_whole() {
  const std::vector<T> x = numbers<T>();
  for (const auto& mode : kModes) {
    const std::string t = Named<T>::memory(), op = std::string("cvt.") + mode.name + "i." + t + "." + t;
    const auto got = apply<T>(op + " $d, $a;", x);
    for (size_t k = 0; k < x.size(); ++k) EXPECT_EQ(got[k], whole(x[k], mode.mode)) << op << " of " << x[k];
  }
}

TEST(PtxFamilies, WholeNumbers) {
  expect_whole<float>();
  expect_whole<double>();
}

template <class T>
void expect_bits() {
  const std::string b = ".b" + std::to_string(8 * sizeof(T));
  const Pairs<T> all = pairs(integers<T>());
  const auto both = [&](const std::string& op, auto reference) {
    const auto got = apply<T>(op + b + " $d, $a, $b;", all.a, all.b);
    for (size_t k = 0; k < got.size(); ++k)
      EXPECT_EQ(got[k], static_cast<T>(reference(all.a[k], all.b[k]))) << op << b;
  };
  both("and", [](T x, T y) { return ~(~x | ~y); });
  both("or", [](T x, T y) { return ~(~x & ~y); });
  both("xor", [](T x, T y) { return (x | y) - (x & y); });
  const auto inverse = apply<T>("not" + b + " $d, $a;", all.a),
             zero = apply<T>("cnot" + b + " $d, $a;", all.a);
  for (size_t k = 0; k < all.a.size(); ++k) {
    EXPECT_EQ(inverse[k], static_cast<T>(std::numeric_limits<T>::max() - all.a[k]));
    EXPECT_EQ(zero[k], all.a[k] == 0 ? 1 : 0);
  }
  using Signed = std::make_signed_t<T>;
  const std::string bits = std::to_string(8 * sizeof(T));
  std::vector<T> x;
  std::vector<uint32_t> by;
  std::vector<Signed> s;
  for (const T each : integers<T>()) {
    for (const uint32_t shift : {0u, 1u, 7u, 15u, 16u, 31u, 32u, 63u, 64u, 300u}) {
      x.push_back(each);
      s.push_back(static_cast<Signed>(each));
      by.push_back(shift);
    }
  }
  const auto left = apply<T>("shl" + b + " $d, $a, $b;", x, by),
             right = apply<T>("shr.u" + bits + " $d, $a, $b;", x, by);
  const auto plain = apply<T>("shr" + b + " $d, $a, $b;", x, by);
  const auto filled = apply<Signed>("shr.s" + bits + " $d, $a, $b;", s, by);
  for (size_t k = 0; k < x.size(); ++k) {
    // Multiplied and divided by a power of two.
    const uint32_t shift = std::min<uint32_t>(by[k], 8 * sizeof(T));
    const Exact power = Exact{1} << shift;
    EXPECT_EQ(left[k], wrapped<T>(Exact{x[k]} * power));
    EXPECT_EQ(right[k], static_cast<T>(Exact{x[k]} / power));
    EXPECT_EQ(plain[k], right[k]);
    const Exact floor = Exact{s[k]} / power - (Exact{s[k]} % power < 0 ? 1 : 0);
    EXPECT_EQ(filled[k], static_cast<Signed>(floor)) << bits << ": " << +s[k] << " by " << by[k];
  }
}

TEST(PtxFamilies, BitsOfEveryWidth) {
  expect_bits<uint16_t>();
  expect_bits<uint32_t>();
  expect_bits<uint64_t>();
}

TEST(PtxFamilies, BitsOf64) {
  const std::vector<uint64_t> x = {0, 1, uint64_t{1} << 63, 0x00F0000000000010u, ~uint64_t{0}};
  EXPECT_EQ((apply<uint32_t>("clz.b64 $d, $a;", x)), (std::vector<uint32_t>{64, 63, 0, 8, 0}));
  EXPECT_EQ((apply<uint32_t>("popc.b64 $d, $a;", x)), (std::vector<uint32_t>{0, 1, 1, 5, 64}));
  EXPECT_EQ((apply<uint64_t>("brev.b64 $d, $a;", x)),
            (std::vector<uint64_t>{0, uint64_t{1} << 63, 1, 0x0800000000000F00u, ~uint64_t{0}}));
  EXPECT_EQ((apply<uint32_t>("bfind.u64 $d, $a;", x)), (std::vector<uint32_t>{UINT32_MAX, 0, 63, 55, 63}));
  EXPECT_EQ((apply<uint32_t>("bfind.s64 $d, $a;", std::vector<int64_t>{-1, -3})),
            (std::vector<uint32_t>{UINT32_MAX, 1}));
  const std::vector<uint32_t> at = {40, 60, 0}, length = {16, 16, 64};
  const std::vector<uint64_t> a(3, 0xFEDCBA9876543210u);
  EXPECT_EQ((apply<uint64_t>("bfe.u64 $d, $a, $b, $c;", a, at, length)),
            (std::vector<uint64_t>{0xDCBA, 0xF, 0xFEDCBA9876543210u}));
  const std::vector<int64_t> s(3, static_cast<int64_t>(0xFEDCBA9876543210u));
  EXPECT_EQ((apply<int64_t>("bfe.s64 $d, $a, $b, $c;", s, at, length)),
            (std::vector<int64_t>{-9030, -1, s[2]}));
}

template <class T, class Wide>
void expect_products() {
  const std::string t = "." + Named<T>::memory();
  const Pairs<T> all = triples(std::vector<T>{T{0}, T{3}, static_cast<T>(-5), std::numeric_limits<T>::max(),
                                              std::numeric_limits<T>::min()});
  const std::vector<Wide> c(all.a.size(), static_cast<Wide>(1000));
  const auto wide = apply<Wide>("mad.wide" + t + " $d, $a, $b, $c;", all.a, all.b, c);
  const auto high = apply<T>("mad.hi" + t + " $d, $a, $b, $c;", all.a, all.b, all.c);
  for (size_t k = 0; k < wide.size(); ++k) {
    const Exact product = Exact{all.a[k]} * all.b[k], modulus = Exact{1} << (8 * sizeof(T));
    EXPECT_EQ(wide[k], wrapped<Wide>(product + 1000)) << t;
    EXPECT_EQ(high[k], wrapped<T>(product / modulus - (product % modulus < 0 ? 1 : 0) + all.c[k])) << t;
  }
}

TEST(PtxFamilies, ProductsAndSums) {
  expect_products<uint16_t, uint32_t>();
  expect_products<int16_t, int32_t>();
  expect_products<uint32_t, uint64_t>();
  expect_products<int32_t, int64_t>();
}

float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }

/// The same bits, or two NaN of which the first is a GPU's.
bool same(float a, float b) {
  if (std::isnan(b)) return std::bit_cast<uint32_t>(a) == 0x7FFFFFFFu;
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

TEST(PtxFamilies, ModifiersOfFloats) {
  const float small = 0x1p-130f, inf = INFINITY;
  const Pairs<float> all =
      pairs(std::vector<float>{0.0f, -0.0f, 1.5f, -0.25f, small, -small, 3e38f, inf, -inf, NAN, 0x1.8p-126f});
  const auto saturated = [](float x) { return std::isnan(x) || x <= 0 ? 0.0f : std::min(x, 1.0f); };
  const auto expect = [&](const std::string& op, auto exact, bool flush, bool saturate) {
    const auto got = apply<float>(op + " $d, $a, $b;", all.a, all.b);
    for (size_t k = 0; k < got.size(); ++k) {
      const double a = flush ? flushed(all.a[k]) : all.a[k], b = flush ? flushed(all.b[k]) : all.b[k];
      auto want = static_cast<float>(exact(a, b));
      if (flush) want = flushed(want);
      if (saturate) want = saturated(want);
      EXPECT_TRUE(same(got[k], want)) << op << " of " << a << ", " << b << ": " << got[k] << ", not " << want;
    }
  };
  const auto add = [](double a, double b) { return a + b; };
  const auto sub = [](double a, double b) { return a - b; };
  const auto mul = [](double a, double b) { return a * b; };
  const auto div = [](double a, double b) { return a / b; };
  for (const std::string mode : {"", ".rn"}) {
    for (const bool flush : {false, true}) {
      for (const bool saturate : {false, true}) {
        const std::string rest = mode + (flush ? ".ftz" : "") + (saturate ? ".sat" : "") + ".f32";
        expect("add" + rest, add, flush, saturate);
        expect("sub" + rest, sub, flush, saturate);
        expect("mul" + rest, mul, flush, saturate);
      }
    }
  }
  for (const std::string mode : {".rn", ".approx", ".full"}) {
    expect("div" + mode + ".f32", div, false, false);
    expect("div" + mode + ".ftz.f32", div, true, false);
  }
  const std::string third = " %f10, $a, $b, 0f3F000000;\nmov.f32 $d, %f10;";
  for (const bool flush : {false, true}) {
    for (const bool saturate : {false, true}) {
      const std::string op =
          std::string("fma.rn") + (flush ? ".ftz" : "") + (saturate ? ".sat" : "") + ".f32";
      const auto got = apply<float>(op + third, all.a, all.b);
      for (size_t k = 0; k < got.size(); ++k) {
        const float a = flush ? flushed(all.a[k]) : all.a[k], b = flush ? flushed(all.b[k]) : all.b[k];
        const auto sum = static_cast<float>(static_cast<long double>(a) * b + 0.5L);
        const float want = saturate ? saturated(sum) : sum;
        EXPECT_TRUE(same(got[k], want))
            << op << " of " << a << ", " << b << ": " << got[k] << ", not " << want;
      }
    }
  }
  const auto smaller = apply<float>("min.ftz.f32 $d, $a, $b;", all.a, all.b);
  const auto larger = apply<float>("max.ftz.f32 $d, $a, $b;", all.a, all.b);
  const auto strict = apply<float>("min.NaN.f32 $d, $a, $b;", all.a, all.b);
  const auto sign = apply<float>("copysign.f32 $d, $a, $b;", all.a, all.b);
  for (size_t k = 0; k < all.a.size(); ++k) {
    const float a = flushed(all.a[k]), b = flushed(all.b[k]);
    if (!std::isnan(a) && !std::isnan(b)) {
      EXPECT_EQ(smaller[k], std::min(a, b));
      EXPECT_EQ(larger[k], std::max(a, b));
      EXPECT_EQ(strict[k], std::min(all.a[k], all.b[k]));
    } else {
      EXPECT_TRUE(same(strict[k], NAN));
      EXPECT_EQ(std::isnan(smaller[k]), std::isnan(a) && std::isnan(b));
    }
    EXPECT_EQ(std::signbit(sign[k]), std::signbit(all.a[k]));
    EXPECT_EQ(std::isnan(sign[k]), std::isnan(all.b[k]));
  }
}

TEST(PtxFamilies, ApproximationsOfOneInput) {
  const std::vector<float> x = {0.0f, -0.0f, 0x1p-130f, 2.0f, 9.0f, 0.3f, INFINITY, NAN};
  const auto expect = [&](const std::string& op, auto exact) {
    for (const bool flush : {false, true}) {
      const auto got = apply<float>(op + (flush ? ".ftz" : "") + ".f32 $d, $a;", x);
      for (size_t k = 0; k < x.size(); ++k) {
        const double a = flush ? flushed(x[k]) : x[k];
        auto want = static_cast<float>(exact(a));
        if (flush) want = flushed(want);
        EXPECT_TRUE(same(got[k], want)) << op << " of " << a << ": " << got[k] << ", not " << want;
      }
    }
  };
  expect("rcp.rn", [](double a) { return 1 / a; });
  expect("rcp.approx", [](double a) { return 1 / a; });
  expect("sqrt.rn", [](double a) { return std::sqrt(a); });
  expect("sqrt.approx", [](double a) { return std::sqrt(a); });
  expect("rsqrt.approx", [](double a) { return 1 / std::sqrt(a); });
  expect("ex2.approx", [](double a) { return std::pow(2.0, a); });
  expect("lg2.approx", [](double a) { return std::log2(a); });
  expect("sin.approx", [](double a) { return std::sin(a); });
  expect("cos.approx", [](double a) { return std::cos(a); });
  EXPECT_EQ((apply<double>("rsqrt.approx.f64 $d, $a;", std::vector<double>{4, 0}))[0], 0.5);
  const auto rough = apply<double>("rsqrt.approx.ftz.f64 $d, $a;", std::vector<double>{3, 1e-310});
  EXPECT_NEAR(rough[0], 1 / std::sqrt(3.0), 1e-6);
  EXPECT_EQ(rough[1], INFINITY) << "flushed";
}

}  // namespace
}  // namespace duel::ptx::testing
