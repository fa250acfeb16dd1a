// Activations: values and both derivatives in f64 against central differences and in f32 against f64, the
// conventions at kinks, the tails. Fails on a wrong sign, factor or missing term in any derivative, on 1 -
// tanh^2 computed with its cancellation, and on a second_is_zero that does not tell the truth.
#include "duel/kernels/map/activations.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

template <class A>
class Activations : public ::testing::Test {};

struct Leaky2 : LeakyRelu {
  Leaky2() : LeakyRelu{0.2} {}
};
struct Elu15 : Elu {
  Elu15() : Elu{1.5} {}
};

template <class A>
A plain(const A& a) {
  return a;
}
LeakyRelu plain(const Leaky2& a) { return a; }
Elu plain(const Elu15& a) { return a; }

using All = ::testing::Types<Relu, LeakyRelu, Leaky2, Elu, Elu15, Tanh, Sigmoid, Softplus, Gelu>;
TYPED_TEST_SUITE(Activations, All);

/// From -30 to 30, denser near 0, never at it.
std::vector<double> arguments() {
  std::vector<double> x;
  for (int i = -400; i < 400; ++i) {
    const double t = (i + 0.37) / 400;
    x.push_back(30 * t * t * t);
    x.push_back(4 * t);
  }
  return x;
}

TYPED_TEST(Activations, DerivativesByCentralDifferences) {
  const auto f = plain(TypeParam());
  const std::vector<double> x = arguments();
  const int64_t n = static_cast<int64_t>(x.size());
  const std::vector<double> g(x.size(), 1.7);
  Guarded<double> value(n), first(n), second(n);
  activation({}, n, x.data(), value.data(), f);
  activation_d1({}, n, x.data(), g.data(), first.data(), f);
  activation_d2({}, n, x.data(), g.data(), second.data(), f);
  EXPECT_TRUE(value.guards_intact() && first.guards_intact() && second.guards_intact());
  bool curved = false;
  for (int64_t i = 0; i < n; ++i) {
    const double h = 1e-4 * std::min(1.0, std::abs(x[i]));
    const double up = f.value(x[i] + h), down = f.value(x[i] - h);
    EXPECT_EQ(value.data()[i], f.value(x[i]));
    ASSERT_NEAR(first.data()[i], 1.7 * (up - down) / (2 * h), 1e-6 + 1e-15 / h) << x[i];
    const double slope_up = f.first(x[i] + h), slope_down = f.first(x[i] - h);
    ASSERT_NEAR(second.data()[i], 1.7 * (slope_up - slope_down) / (2 * h), 1e-6 + 1e-15 / h) << x[i];
    curved = curved || second.data()[i] != 0;
  }
  EXPECT_EQ(curved, !f.second_is_zero);
}

TYPED_TEST(Activations, FloatAgainstDouble) {
  const auto f = plain(TypeParam());
  const std::vector<double> arguments_f64 = arguments();
  const std::vector<float> x(arguments_f64.begin(), arguments_f64.end());
  const int64_t n = static_cast<int64_t>(x.size());
  const auto g = noise<float>(n, 5);
  Guarded<float> value(n), first(n), second(n);
  activation({}, n, x.data(), value.data(), f);
  activation_d1({}, n, x.data(), g.data(), first.data(), f);
  activation_d2({}, n, x.data(), g.data(), second.data(), f);
  for (int64_t i = 0; i < n; ++i) {
    const double xi = x[i], gi = g[i];
    // Relative, except where the exact function passes through zero (Gelu's derivatives do).
    const double small = 1e-7, tail = 4e-7 * (1 + xi * xi);
    const double floor = 300 * std::numeric_limits<float>::denorm_min();
    ASSERT_NEAR(value.data()[i], f.value(xi), tail * std::abs(f.value(xi)) + floor) << xi;
    ASSERT_NEAR(first.data()[i], gi * f.first(xi),
                (tail * std::abs(f.first(xi)) + small * std::abs(f.second(xi))) * std::abs(gi) + floor)
        << xi;
    ASSERT_NEAR(
        second.data()[i], gi * f.second(xi),
        (tail * std::abs(f.second(xi)) + 4 * small * f.first(0.0) * std::exp(-xi * xi / 2)) * std::abs(gi) +
            floor)
        << xi;
  }
}

TYPED_TEST(Activations, EmptyAndInPlace) {
  const auto f = plain(TypeParam());
  activation({}, 0, static_cast<const float*>(nullptr), static_cast<float*>(nullptr), f);
  std::vector<double> x = {-0.75, 0.5, 2};
  const std::vector<double> before = x;
  activation_d1({}, 3, x.data(), x.data(), x.data(), f);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(x[i], before[i] * f.first(before[i]));
  EXPECT_THROW(activation({}, 1, static_cast<const double*>(nullptr), x.data(), f), Error);
}

// At every place: the wide part of the loop, its remainder, the last element.
template <class T, class A>
void expect_nan_passes(const A& f) {
  const int64_t n = 37;
  for (int64_t at = 0; at < n; ++at) {
    std::vector<T> x = noise<T>(n, 3);
    x[static_cast<size_t>(at)] = std::numeric_limits<T>::quiet_NaN();
    const std::vector<T> g(static_cast<size_t>(n), T(1));
    Guarded<T> value(n), first(n), second(n);
    activation({}, n, x.data(), value.data(), f);
    activation_d1({}, n, x.data(), g.data(), first.data(), f);
    activation_d2({}, n, x.data(), g.data(), second.data(), f);
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_EQ(std::isnan(value.data()[i]), i == at) << "value " << i;
      EXPECT_EQ(std::isnan(first.data()[i]), i == at) << "first " << i;
      // A second derivative that is zero whatever x is does not depend on it.
      EXPECT_EQ(std::isnan(second.data()[i]), i == at && !f.second_is_zero) << "second " << i;
    }
  }
}

TYPED_TEST(Activations, NotANumberPassesThroughEveryDerivative) {
  expect_nan_passes<float>(plain(TypeParam()));
  expect_nan_passes<double>(plain(TypeParam()));
}

TEST(ActivationKinks, AsPyTorch) {
  EXPECT_EQ(Relu{}.first(0.0f), 0.0f);
  EXPECT_EQ(LeakyRelu{0.2}.first(0.0), 0.2);
  EXPECT_EQ(Elu{1.5}.first(0.0), 1.5);
  EXPECT_EQ(Elu{1.5}.second(0.0), 1.5);
  EXPECT_EQ(Relu{}.value(-0.0f), 0.0f);
  EXPECT_TRUE(std::isnan(Relu{}.value(std::nanf(""))));
  EXPECT_TRUE(std::isnan(LeakyRelu{}.value(std::nanf(""))));
}

TEST(ActivationTails, StayAccurate) {
  // sigmoid'(x) = e^-x for large x, on both sides; 1 - s(x) would give 0.
  EXPECT_NEAR(Sigmoid{}.first(80.0f) / std::exp(-80.0), 1, 1e-6);
  EXPECT_NEAR(Sigmoid{}.first(-80.0f) / std::exp(-80.0), 1, 1e-6);
  EXPECT_NEAR(Tanh{}.first(20.0f) / (4 * std::exp(-40.0)), 1, 1e-6);
  EXPECT_EQ(Softplus{}.value(100.0f), 100.0f);
  EXPECT_NEAR(Softplus{}.value(-80.0f) / std::exp(-80.0), 1, 1e-6);
  EXPECT_NEAR(Gelu{}.value(-8.0f) / (-8 * 0.5 * std::erfc(8 / std::sqrt(2.0))), 1, 1e-5);
  // sigmoid''(x) = -x / 8 near 0: s(-x) - s(x) would lose all digits.
  EXPECT_NEAR(Sigmoid{}.second(1e-5f) / (-1e-5 / 8), 1, 1e-6);
}

}  // namespace
}  // namespace duel::kernels
