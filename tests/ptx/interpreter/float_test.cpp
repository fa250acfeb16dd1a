// Floating-point instructions and conversions against references of more precision.
#include <bit>
#include <cmath>
#include <limits>

#include "texts.h"

namespace duel::ptx::testing {
namespace {

__extension__ typedef __float128 Quad;

template <class T>
std::vector<T> edges() {
  using L = std::numeric_limits<T>;
  return {T{0},
          -T{0},
          T{1},
          T{-1},
          T{3},
          T(0.1),
          T(-2.5),
          L::infinity(),
          -L::infinity(),
          L::quiet_NaN(),
          L::denorm_min(),
          -L::denorm_min(),
          L::min(),
          L::max(),
          L::lowest(),
          T(1) + L::epsilon()};
}

template <class T>
bool same(T a, T b) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  if (std::isnan(a) && std::isnan(b)) return sizeof(T) == 8 || std::bit_cast<Bits>(a) == 0x7FFFFFFFu;
  return std::bit_cast<Bits>(a) == std::bit_cast<Bits>(b);
}

template <class T>
T flushed(T x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(T{0}, x) : x;
}

template <class T, class Reference>
void expect_pairs(const std::string& op, Reference reference) {
  const Pairs<T> all = pairs(edges<T>());
  const std::vector<T> got = apply<T>(op + " $d, $a, $b;", all.a, all.b);
  for (size_t k = 0; k < got.size(); ++k) {
    const T want = reference(all.a[k], all.b[k]);
    EXPECT_TRUE(same(got[k], want)) << op << " of " << all.a[k] << ", " << all.b[k] << ": " << got[k]
                                    << ", not " << want;
  }
}

// The sum, product and quotient in twice the precision and more, rounded once more, are those of IEEE 754.
TEST(PtxFloat, ArithmeticOfIeee754) {
  expect_pairs<float>("add.rn.f32",
                      [](float a, float b) { return static_cast<float>(double{a} + double{b}); });
  expect_pairs<float>("sub.rn.f32",
                      [](float a, float b) { return static_cast<float>(double{a} - double{b}); });
  expect_pairs<float>("mul.rn.f32",
                      [](float a, float b) { return static_cast<float>(double{a} * double{b}); });
  expect_pairs<float>("div.rn.f32",
                      [](float a, float b) { return static_cast<float>(double{a} / double{b}); });
  expect_pairs<double>("add.f64", [](double a, double b) { return static_cast<double>(Quad{a} + Quad{b}); });
  expect_pairs<double>("sub.rn.f64",
                       [](double a, double b) { return static_cast<double>(Quad{a} - Quad{b}); });
  expect_pairs<double>("mul.rn.f64",
                       [](double a, double b) { return static_cast<double>(Quad{a} * Quad{b}); });
  expect_pairs<double>("div.rn.f64",
                       [](double a, double b) { return static_cast<double>(Quad{a} / Quad{b}); });
}

TEST(PtxFloat, FlushesDenormalsWhereAsked) {
  expect_pairs<float>("add.ftz.f32", [](float a, float b) {
    return flushed(static_cast<float>(double{flushed(a)} + double{flushed(b)}));
  });
  expect_pairs<float>("mul.rn.ftz.f32", [](float a, float b) {
    return flushed(static_cast<float>(double{flushed(a)} * double{flushed(b)}));
  });
  expect_pairs<float>("add.rn.f32",
                      [](float a, float b) { return static_cast<float>(double{a} + double{b}); });
}

TEST(PtxFloat, SaturationMakesNanZero) {
  expect_pairs<float>("add.sat.f32", [](float a, float b) {
    const auto sum = static_cast<float>(double{a} + double{b});
    return std::isnan(sum) || sum <= 0 ? 0.0f : std::min(sum, 1.0f);
  });
}

// The product is exact in 113 bits. Where the sum is not, what is lost moves it off the ties of float's rounding.
TEST(PtxFloat, FusedMultiplyAdd) {
  const Pairs<float> all = triples(edges<float>());
  const auto got = apply<float>("fma.rn.f32 $d, $a, $b, $c;", all.a, all.b, all.c);
  for (size_t k = 0; k < got.size(); ++k) {
    const Quad product = Quad{all.a[k]} * Quad{all.b[k]}, c = all.c[k];
    Quad exact = product + c;
    const Quad lost = product > c || product < -c ? c - (exact - product) : product - (exact - c);
    if (lost > 0 || lost < 0) exact += (lost > 0) == (exact > 0) ? exact * 0x1p-100 : -exact * 0x1p-100;
    EXPECT_TRUE(same(got[k], static_cast<float>(exact)))
        << all.a[k] << " * " << all.b[k] << " + " << all.c[k] << ": " << got[k];
  }
  const double tiny = std::numeric_limits<double>::epsilon();
  EXPECT_EQ((apply<double>("fma.rn.f64 $d, $a, $b, $c;", std::vector<double>{1 + tiny},
                           std::vector<double>{1 - tiny}, std::vector<double>{-1}))[0],
            -tiny * tiny);
}

TEST(PtxFloat, RootsAndReciprocals) {
  const std::vector<float> f = edges<float>();
  const std::vector<double> d = edges<double>();
  const auto root = apply<float>("sqrt.rn.f32 $d, $a;", f), one_by = apply<float>("rcp.rn.f32 $d, $a;", f);
  const auto by_root = apply<float>("rsqrt.approx.f32 $d, $a;", f);
  const auto root64 = apply<double>("sqrt.rn.f64 $d, $a;", d),
             one_by64 = apply<double>("rcp.rn.f64 $d, $a;", d);
  for (size_t k = 0; k < f.size(); ++k) {
    EXPECT_TRUE(same(root[k], static_cast<float>(std::sqrt(double{f[k]})))) << f[k];
    EXPECT_TRUE(same(one_by[k], static_cast<float>(1 / double{f[k]}))) << f[k];
    EXPECT_TRUE(same(by_root[k], static_cast<float>(1 / std::sqrt(double{f[k]})))) << f[k];
    EXPECT_TRUE(same(root64[k], std::sqrt(d[k]))) << d[k];
    EXPECT_TRUE(same(one_by64[k], static_cast<double>(1 / Quad{d[k]}))) << d[k];
  }
}

TEST(PtxFloat, RoughReciprocalOfDoubles) {
  const std::vector<double> d = {3,       -7, 1, 1e300, 1e-300, 0, std::numeric_limits<double>::denorm_min(),
                                 INFINITY};
  const auto got = apply<double>("rcp.approx.ftz.f64 $d, $a;", d);
  for (size_t k = 0; k < 5; ++k) {
    EXPECT_NEAR(got[k] * d[k], 1, 0x1p-19);
    EXPECT_EQ(std::bit_cast<uint64_t>(got[k]) & 0xFFFFFFFFu, 0u);
  }
  EXPECT_EQ(got[5], INFINITY);
  EXPECT_EQ(got[6], INFINITY) << "flushed";
  EXPECT_EQ(got[7], 0);
}

TEST(PtxFloat, PowersAndLogarithmsOfTwo) {
  const std::vector<float> x = {0, 1, -1, 10, -126, -127, 128, 0.5f, -INFINITY};
  const auto exp2 = apply<float>("ex2.approx.ftz.f32 $d, $a;", x);
  for (size_t k = 0; k < x.size(); ++k) {
    EXPECT_EQ(exp2[k], k == 5 ? 0.0f : static_cast<float>(std::pow(2.0, double{x[k]}))) << x[k];
  }
  EXPECT_EQ((apply<float>("lg2.approx.f32 $d, $a;", std::vector<float>{1, 8, 0.25f})),
            (std::vector<float>{0, 3, -2}));
  EXPECT_NEAR((apply<float>("sin.approx.f32 $d, $a;", std::vector<float>{1}))[0], 0.84147098f, 1e-6);
  EXPECT_NEAR((apply<float>("cos.approx.f32 $d, $a;", std::vector<float>{1}))[0], 0.54030231f, 1e-6);
  EXPECT_NEAR((apply<float>("tanh.approx.f32 $d, $a;", std::vector<float>{1}))[0], 0.76159416f, 1e-6);
}

TEST(PtxFloat, LesserAndGreater) {
  const auto min = []<class T>(T a, T b) {
    if (std::isnan(a)) return b;
    if (std::isnan(b)) return a;
    if (a == 0 && b == 0) return std::signbit(a) || std::signbit(b) ? -T{0} : T{0};
    return a < b ? a : b;
  };
  const auto max = [&]<class T>(T a, T b) {
    return std::isnan(a) || std::isnan(b) ? min(a, b) : -min(-a, -b);
  };
  expect_pairs<float>("min.f32", [&](float a, float b) { return min(a, b); });
  expect_pairs<float>("max.f32", [&](float a, float b) { return max(a, b); });
  expect_pairs<double>("min.f64", [&](double a, double b) { return min(a, b); });
  expect_pairs<double>("max.f64", [&](double a, double b) { return max(a, b); });
  expect_pairs<float>("max.NaN.f32",
                      [&](float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : max(a, b); });
}

TEST(PtxFloat, Signs) {
  expect_pairs<double>("copysign.f64", [](double a, double b) { return std::copysign(b, a); });
  const std::vector<float> f = {0.0f, -0.0f, 2.5f, -INFINITY};
  EXPECT_EQ((apply<uint32_t>("neg.f32 %f15, $a;\nmov.b32 $d, %f15;", f)),
            (std::vector<uint32_t>{0x80000000u, 0, 0xC0200000u, 0x7F800000u}));
  EXPECT_EQ((apply<uint32_t>("abs.f32 %f15, $a;\nmov.b32 $d, %f15;", f)),
            (std::vector<uint32_t>{0, 0, 0x40200000u, 0x7F800000u}));
}

template <class T>
void test_comparisons(const std::string& t) {
  const Pairs<T> all = pairs(edges<T>());
  const auto expect = [&](const std::string& name, auto reference) {
    const auto got =
        apply<uint32_t>("setp." + name + "." + t + " %p1, $a, $b;\nselp.u32 $d, 1, 0, %p1;", all.a, all.b);
    for (size_t k = 0; k < got.size(); ++k) {
      EXPECT_EQ(got[k] != 0, reference(all.a[k], all.b[k])) << name << " " << all.a[k] << ", " << all.b[k];
    }
  };
  const auto nan = [](T a, T b) { return std::isunordered(a, b); };
  expect("eq", [](T a, T b) { return a == b; });
  expect("ne", [](T a, T b) { return std::islessgreater(a, b); });
  expect("lt", [](T a, T b) { return std::isless(a, b); });
  expect("le", [](T a, T b) { return std::islessequal(a, b); });
  expect("gt", [](T a, T b) { return std::isgreater(a, b); });
  expect("ge", [](T a, T b) { return std::isgreaterequal(a, b); });
  expect("equ", [&](T a, T b) { return nan(a, b) || a == b; });
  expect("neu", [&](T a, T b) { return !(a == b); });
  expect("ltu", [&](T a, T b) { return nan(a, b) || a < b; });
  expect("leu", [&](T a, T b) { return nan(a, b) || a <= b; });
  expect("gtu", [&](T a, T b) { return nan(a, b) || a > b; });
  expect("geu", [&](T a, T b) { return nan(a, b) || a >= b; });
  expect("num", [&](T a, T b) { return !nan(a, b); });
  expect("nan", nan);
}

TEST(PtxFloat, Comparisons) {
  test_comparisons<float>("f32");
  test_comparisons<double>("f64");
}

TEST(PtxFloat, Choices) {
  EXPECT_EQ((apply<float>("setp.lt.f32 %p1, $a, $b;\nselp.f32 $d, $a, 0f40000000, %p1;",
                          std::vector<float>{1, 3}, std::vector<float>{2, 2})),
            (std::vector<float>{1, 2}));
}

TEST(PtxConvert, ToIntegersByEveryRounding) {
  const std::vector<float> x = {2.5f, -2.5f, 3.5f, 2.4f, -2.6f, 3e9f, -3e9f, 1e30f, NAN, -0.0f};
  EXPECT_EQ((apply<int32_t>("cvt.rni.s32.f32 $d, $a;", x)),
            (std::vector<int32_t>{2, -2, 4, 2, -3, INT32_MAX, INT32_MIN, INT32_MAX, 0, 0}));
  EXPECT_EQ((apply<int32_t>("cvt.rzi.s32.f32 $d, $a;", x)),
            (std::vector<int32_t>{2, -2, 3, 2, -2, INT32_MAX, INT32_MIN, INT32_MAX, 0, 0}));
  EXPECT_EQ((apply<int32_t>("cvt.rmi.s32.f32 $d, $a;", x)),
            (std::vector<int32_t>{2, -3, 3, 2, -3, INT32_MAX, INT32_MIN, INT32_MAX, 0, 0}));
  EXPECT_EQ((apply<uint32_t>("cvt.rpi.u32.f32 $d, $a;", x)),
            (std::vector<uint32_t>{3, 0, 4, 3, 0, 3000000000u, 0, UINT32_MAX, 0, 0}));
  EXPECT_EQ((apply<int64_t>("cvt.rzi.s64.f64 $d, $a;", std::vector<double>{-1.9, 1e19, 0x1p62, NAN})),
            (std::vector<int64_t>{-1, INT64_MAX, int64_t{1} << 62, INT64_MIN}));
}

TEST(PtxConvert, ToWholeNumbers) {
  const std::vector<float> x = {2.5f, -2.5f, 3.5f, -0.3f, INFINITY};
  EXPECT_EQ((apply<float>("cvt.rni.f32.f32 $d, $a;", x)), (std::vector<float>{2, -2, 4, -0.0f, INFINITY}));
  EXPECT_EQ((apply<float>("cvt.rmi.f32.f32 $d, $a;", x)), (std::vector<float>{2, -3, 3, -1, INFINITY}));
  EXPECT_EQ((apply<float>("cvt.rpi.f32.f32 $d, $a;", x)), (std::vector<float>{3, -2, 4, -0.0f, INFINITY}));
  EXPECT_EQ((apply<double>("cvt.rzi.f64.f64 $d, $a;", std::vector<double>{-7.9})), (std::vector<double>{-7}));
}

TEST(PtxConvert, BetweenFloats) {
  const double between = 1 + 0x1p-25;  // past 1, nearer to it than to the next float
  const std::vector<double> x = {between, -between, 1e300, -1e300, 1e-320};
  const float next = std::nextafterf(1.0f, 2.0f), most = std::numeric_limits<float>::max();
  EXPECT_EQ((apply<float>("cvt.rn.f32.f64 $d, $a;", x)), (std::vector<float>{1, -1, INFINITY, -INFINITY, 0}));
  EXPECT_EQ((apply<float>("cvt.rz.f32.f64 $d, $a;", x)), (std::vector<float>{1, -1, most, -most, 0}));
  EXPECT_EQ((apply<float>("cvt.rp.f32.f64 $d, $a;", x)),
            (std::vector<float>{next, -1, INFINITY, -most, std::numeric_limits<float>::denorm_min()}));
  EXPECT_EQ((apply<float>("cvt.rm.f32.f64 $d, $a;", x)), (std::vector<float>{1, -next, most, -INFINITY, 0}));
  EXPECT_EQ((apply<double>("cvt.f64.f32 $d, $a;", std::vector<float>{0x1p-149f, 3})),
            (std::vector<double>{0x1p-149, 3}));
  EXPECT_EQ((apply<float>("cvt.ftz.f32.f32 $d, $a;", std::vector<float>{0x1p-149f, 3})),
            (std::vector<float>{0, 3}));
}

TEST(PtxConvert, FromIntegers) {
  const std::vector<int32_t> x = {16777217, -16777219, 7};  // a float has 24 bits
  EXPECT_EQ((apply<float>("cvt.rn.f32.s32 $d, $a;", x)), (std::vector<float>{16777216, -16777220, 7}));
  EXPECT_EQ((apply<float>("cvt.rz.f32.s32 $d, $a;", x)), (std::vector<float>{16777216, -16777218, 7}));
  EXPECT_EQ((apply<float>("cvt.rp.f32.s32 $d, $a;", x)), (std::vector<float>{16777218, -16777218, 7}));
  EXPECT_EQ((apply<double>("cvt.rn.f64.u64 $d, $a;", std::vector<uint64_t>{UINT64_MAX})),
            (std::vector<double>{0x1p64}));
  EXPECT_EQ((apply<float>("cvt.rn.f32.u16 $d, $a;", std::vector<uint16_t>{65535})),
            (std::vector<float>{65535}));
}

TEST(PtxConvert, BetweenIntegers) {
  const std::vector<int32_t> x = {-1, 300, 128, 70000};
  EXPECT_EQ((apply<int64_t>("cvt.s64.s32 $d, $a;", x)), (std::vector<int64_t>{-1, 300, 128, 70000}));
  EXPECT_EQ((apply<int64_t>("cvt.u64.u32 $d, $a;", x)), (std::vector<int64_t>{4294967295, 300, 128, 70000}));
  EXPECT_EQ((apply<int32_t>("cvt.s32.s8 $d, $a;", x)), (std::vector<int32_t>{-1, 44, -128, 112}));
  EXPECT_EQ((apply<int32_t>("cvt.u32.u8 $d, $a;", x)), (std::vector<int32_t>{255, 44, 128, 112}));
  EXPECT_EQ((apply<int32_t>("cvt.u16.u32 %h5, $a;\ncvt.u32.u16 $d, %h5;", x)),
            (std::vector<int32_t>{65535, 300, 128, 4464}));
  EXPECT_EQ((apply<int32_t>("cvt.sat.s8.s32 $d, $a;", x)), (std::vector<int32_t>{-1, 127, 127, 127}));
}

// The nearest number of 11 binary digits, in f64; the farther from 0 of two.
TEST(PtxFloat, RoundsToTf32) {
  std::vector<float> x = edges<float>();
  for (uint32_t k = 0; k < 4000; ++k) x.push_back(std::bit_cast<float>(k * 0x9E3779B9u));
  for (const uint32_t low : {0x0FFFu, 0x1000u, 0x1001u, 0x2FFFu, 0x3000u})
    for (const uint32_t sign : {0u, 0x80000000u}) x.push_back(std::bit_cast<float>(0x40400000u + low + sign));
  const auto got = apply<uint32_t>("cvt.rna.tf32.f32 $d, $a;", x);
  for (size_t k = 0; k < x.size(); ++k) {
    const auto rounded = std::bit_cast<float>(got[k]);
    if (std::isnan(x[k])) {
      EXPECT_EQ(got[k], 0x7FFFFFFFu);
      continue;
    }
    EXPECT_EQ(got[k] & 0x1FFFu, 0u) << x[k];
    if (std::isinf(x[k])) {
      EXPECT_EQ(rounded, x[k]);
      continue;
    }
    int exponent = 0;
    std::frexp(static_cast<double>(x[k]), &exponent);
    const double unit = std::ldexp(1.0, std::max(exponent, -125) - 11);
    const double want =
        std::copysign(std::floor(std::abs(static_cast<double>(x[k])) / unit + 0.5) * unit, x[k]);
    EXPECT_EQ(rounded, static_cast<float>(want)) << x[k];
  }
}

}  // namespace
}  // namespace duel::ptx::testing
