// The elementary functions of math.h: the largest error in ulp against libm in double over all of float's
// range (every 997th bit pattern, all signs, subnormals, infinities, not-a-number among them) and C's special
// values. Fails on a wrong coefficient (the last one of each polynomial shifts the error by several ulp), on
// double rounding of subnormal results, and on cut-offs inside the range of nonzero or finite results.
#include "duel/kernels/base/math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

namespace duel::kernels {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Distance in units of the last place that a float has at `want`; subnormals have the smallest number's.
double ulps(float got, double want) {
  if (std::isnan(want)) return std::isnan(got) ? 0 : kInf;
  if (std::isnan(got)) return kInf;
  if (static_cast<float>(want) == got) return 0.5;
  if (std::isinf(got) || std::isinf(want))
    return std::abs(want) > 3.402823e38 && std::abs(got) > 3.402823e38f ? 1 : kInf;
  int exponent = 0;
  std::frexp(want, &exponent);
  return std::abs(got - want) / std::ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
}

struct Function {
  std::string name;
  float (*own)(float);
  double (*exact)(double);
  double limit;  // ulp
  float low = -kInf, high = kInf;
};

void PrintTo(const Function& f, std::ostream* out) { *out << f.name; }

class Ulps : public ::testing::TestWithParam<Function> {};

TEST_P(Ulps, WholeRange) {
  const Function& f = GetParam();
  double worst = 0;
  float at = 0;
  for (uint64_t pattern = 0; pattern < (uint64_t{1} << 32); pattern += 997) {
    const uint32_t bits = static_cast<uint32_t>(pattern);
    float x;
    std::memcpy(&x, &bits, sizeof x);
    if (x < f.low || x > f.high) continue;
    const double error = ulps(f.own(x), f.exact(x));
    if (error > worst) {
      worst = error;
      at = x;
    }
  }
  EXPECT_LE(worst, f.limit) << "at " << at;
  EXPECT_TRUE(std::isnan(f.own(kNan)));
}

double exact_sigmoid(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
double exact_softplus(double x) { return (x > 0 ? x : 0.0) + std::log1p(std::exp(-std::abs(x))); }
double exact_cdf(double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }
double exact_pdf(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * M_PI); }

INSTANTIATE_TEST_SUITE_P(
    Float, Ulps,
    ::testing::Values(
        Function{"exp", [](float x) { return math::exp(x); }, [](double x) { return std::exp(x); }, 1.0},
        Function{"expm1", [](float x) { return math::expm1(x); }, [](double x) { return std::expm1(x); },
                 1.6},
        Function{"log", [](float x) { return math::log(x); }, [](double x) { return std::log(x); }, 1.0},
        Function{"log1p", [](float x) { return math::log1p(x); }, [](double x) { return std::log1p(x); },
                 1.0},
        Function{"tanh", [](float x) { return math::tanh(x); }, [](double x) { return std::tanh(x); }, 2.6},
        Function{"sigmoid", [](float x) { return math::sigmoid(x); }, exact_sigmoid, 2.2},
        Function{"softplus", [](float x) { return math::softplus(x); }, exact_softplus, 1.6},
        Function{"erf", [](float x) { return math::erf(x); }, [](double x) { return std::erf(x); }, 1.1},
        Function{"normal_cdf", [](float x) { return math::normal_cdf(x); }, exact_cdf, 4.5},
        Function{"normal_pdf", [](float x) { return math::normal_pdf(x); }, exact_pdf, 2.8},
        Function{"sine of turns", [](float x) { return std::isnan(x) ? x : math::sincos_turns(x).sin; },
                 [](double x) { return std::sin(2 * M_PI * x); }, 1.0, 0.0f, 0.49999997f},
        Function{"cosine of turns", [](float x) { return std::isnan(x) ? x : math::sincos_turns(x).cos; },
                 [](double x) { return std::cos(2 * M_PI * x); }, 1.0, 0.0f, 0.24f}),
    [](const ::testing::TestParamInfo<Function>& each) {
      std::string name = each.param.name;
      for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      return name;
    });

// Near their zeros sine and cosine are compared absolutely: 2 pi t in double is no exact zero there either.
TEST(Math, SineAndCosineAllAround) {
  for (int i = 0; i < (1 << 24); i += 7) {
    const float t = static_cast<float>(i) * 0x1p-24f;
    const auto turn = math::sincos_turns(t);
    ASSERT_NEAR(turn.sin, std::sin(2 * M_PI * t), 6e-8) << t;
    ASSERT_NEAR(turn.cos, std::cos(2 * M_PI * t), 6e-8) << t;
  }
  EXPECT_EQ(math::sincos_turns(0.25f).cos, 0.0f);
  EXPECT_EQ(math::sincos_turns(0.5f).cos, -1.0f);
  EXPECT_EQ(math::sincos_turns(0.75f).sin, -1.0f);
}

// In long double the argument is exact enough to judge the double version: a missing term, or quarter turns
// counted wrong.
TEST(Math, SineAndCosineInDouble) {
  const long double turn = 2 * 3.14159265358979323846264338327950288L;
  for (int64_t i = 0; i < (int64_t{1} << 32); i += 4097 * 31) {
    const double t = static_cast<double>(i) * 0x1p-32;
    const auto got = math::sincos_turns(t);
    ASSERT_NEAR(got.sin, static_cast<double>(std::sin(turn * static_cast<long double>(t))), 2.3e-16) << t;
    ASSERT_NEAR(got.cos, static_cast<double>(std::cos(turn * static_cast<long double>(t))), 2.3e-16) << t;
  }
  for (const double quarter : {0.0, 0.25, 0.5, 0.75}) {
    const double sines[] = {0, 1, 0, -1}, cosines[] = {1, 0, -1, 0};
    const int k = static_cast<int>(quarter * 4);
    EXPECT_EQ(math::sincos_turns(quarter).sin, sines[k]);
    EXPECT_EQ(math::sincos_turns(quarter).cos, cosines[k]);
  }
}

TEST(Math, SpecialValues) {
  EXPECT_EQ(math::exp(-kInf), 0.0f);
  EXPECT_EQ(math::exp(kInf), kInf);
  EXPECT_EQ(math::exp(88.8f), kInf);
  EXPECT_EQ(math::exp(-0.0f), 1.0f);
  EXPECT_GT(math::exp(-103.9f), 0.0f);
  EXPECT_EQ(math::exp(-104.1f), 0.0f);
  EXPECT_EQ(math::expm1(-kInf), -1.0f);
  EXPECT_EQ(math::expm1(1e-30f), 1e-30f);
  EXPECT_EQ(math::log(0.0f), -kInf);
  EXPECT_EQ(math::log(-0.0f), -kInf);
  EXPECT_EQ(math::log(1.0f), 0.0f);
  EXPECT_EQ(math::log(kInf), kInf);
  EXPECT_TRUE(std::isnan(math::log(-1e-40f)));
  EXPECT_TRUE(std::isnan(math::log(-kInf)));
  EXPECT_EQ(math::log1p(-1.0f), -kInf);
  EXPECT_TRUE(std::isnan(math::log1p(-1.0000001f)));
  EXPECT_EQ(math::log1p(kInf), kInf);
  EXPECT_EQ(math::tanh(kInf), 1.0f);
  EXPECT_EQ(math::tanh(-20.0f), -1.0f);
  EXPECT_EQ(math::sigmoid(-kInf), 0.0f);
  EXPECT_EQ(math::sigmoid(kInf), 1.0f);
  EXPECT_EQ(math::softplus(100.0f), 100.0f);
  EXPECT_NEAR(math::softplus(-100.0f), 3.7e-44, 1e-45);
  EXPECT_EQ(math::softplus(-kInf), 0.0f);
  EXPECT_EQ(math::softplus(kInf), kInf);
}

TEST(Math, PowSpecialValues) {
  const float values[] = {0.0f,   -0.0f,   1.0f,     -1.0f,     kInf,        -kInf,     kNan,    0.5f,
                          -0.5f,  2.0f,    -2.0f,    3.0f,      -3.0f,       1e-40f,    -1e-40f, 1e30f,
                          -1e30f, 0x1p24f, 16777215, -16777215, 33554432.0f, 1.0000001f};
  for (float x : values) {
    for (float y : values) {
      const float got = math::pow(x, y),
                  want = static_cast<float>(std::pow(static_cast<double>(x), static_cast<double>(y)));
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(got)) << x << "^" << y << " = " << got;
      } else {
        EXPECT_EQ(got, want) << x << "^" << y;
        EXPECT_EQ(std::signbit(got), std::signbit(want)) << x << "^" << y;
      }
    }
  }
}

TEST(Math, PowRandomArguments) {
  uint64_t state = 1;
  auto next = [&] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 32);
  };
  double worst = 0;
  for (int i = 0; i < 2000000; ++i) {
    const uint32_t a = next(), b = next();
    float x, y;
    std::memcpy(&x, &a, sizeof x);
    std::memcpy(&y, &b, sizeof y);
    if (i % 2 != 0) y = static_cast<float>(b % 64) * 0.5f - 16;  // integers and halves
    if (i % 3 == 0)
      x = 1 + static_cast<float>(a % 20000) * 1e-4f - 1;  // moderate bases, where y may be large
    if (i % 6 == 0) y = static_cast<float>(b % 200000) * 0.01f - 1000;
    worst = std::max(worst, ulps(math::pow(x, y), std::pow(static_cast<double>(x), static_cast<double>(y))));
  }
  EXPECT_LE(worst, 0.51);
}

TEST(Math, DoubleIsLibm) {
  EXPECT_DOUBLE_EQ(math::sigmoid(-40.0), std::exp(-40.0) / (1 + std::exp(-40.0)));
  EXPECT_DOUBLE_EQ(math::softplus(-40.0), std::log1p(std::exp(-40.0)));
  EXPECT_NEAR(math::normal_cdf(-6.0) / 9.8658764503769814e-10, 1.0, 1e-13);
  EXPECT_DOUBLE_EQ(math::pow(2.0, 0.5), std::sqrt(2.0));
}

}  // namespace
}  // namespace duel::kernels
