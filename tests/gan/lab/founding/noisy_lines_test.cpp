// Lines under noise: JS and its slope against a series of another form.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "duel/gan/lab/founding/noisy_lines.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

/// exp(x^2) erfc(x), x >= 0.
double scaled_erfc(double x) {
  if (x < 20) return std::exp(x * x) * std::erfc(x);
  const double y = 1 / (2 * x * x);
  return (1 - y * (1 - 3 * y * (1 - 5 * y * (1 - 7 * y)))) / (x * std::sqrt(std::numbers::pi));
}

/// JS(N(0, 1), N(d, 1)) = log 2 - E log(1 + exp(-t)), t ~ N(d^2 / 2, d^2) (the capacity of a channel of two inputs and
/// normal noise): log(1 + exp(-t)) = max(-t, 0) + sum_k (-1)^(k+1) exp(-k |t|) / k, each term a normal integral. The
/// sum, which alternates, by Cohen, Villegas & Zagier 2000, algorithm 1.
double js_by_series(double d) {
  const double upper = std::erfc(d / 2 / std::numbers::sqrt2) / 2;
  const double head = d * std::exp(-d * d / 8) / std::sqrt(2 * std::numbers::pi) - d * d / 2 * upper;
  constexpr int kTerms = 30;
  double scale = std::pow(3 + std::sqrt(8.0), kTerms);
  scale = (scale + 1 / scale) / 2;
  double b = -1, c = -scale, sum = 0;
  for (int k = 0; k < kTerms; ++k) {
    const double term =
        std::exp(-d * d / 8) / 2 / (k + 1) *
        (scaled_erfc((k + 0.5) * d / std::numbers::sqrt2) + scaled_erfc((k + 1.5) * d / std::numbers::sqrt2));
    c = b - c;
    sum += c * term;
    b *= (k + kTerms) * static_cast<double>(k - kTerms) / ((k + 0.5) * (k + 1));
  }
  return std::numbers::ln2 - head - sum / scale;
}

TEST(NoisyLines, JensenShannonIsTheSeries) {
  for (const double d : {0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0})
    EXPECT_NEAR(shifted_normal_js(d), js_by_series(d), 1e-10) << d;
}

TEST(NoisyLines, JensenShannonRisesFromNothingToLogTwo) {
  EXPECT_NEAR(shifted_normal_js(0), 0, 1e-14);
  EXPECT_NEAR(shifted_normal_js(0.01) / 0.0001, 0.125, 1e-5);  // Fisher's information: d^2 / 8
  for (int k = 1; k < 40; ++k) EXPECT_GT(shifted_normal_js(k * 0.2), shifted_normal_js((k - 1) * 0.2)) << k;
  EXPECT_LT(shifted_normal_js(8), std::numbers::ln2);
  EXPECT_NEAR(shifted_normal_js(100), std::numbers::ln2, 1e-14);
  EXPECT_THROW(shifted_normal_js(-1), Error);
  EXPECT_THROW(shifted_normal_js(101), Error);
}

// A slope of the wrong half of JS, or a D* upside down, fails here.
TEST(NoisyLines, TheGradientThroughTheOptimalDIsThatOfTwoJensenShannon) {
  for (const double d : {0.25, 0.5, 1.0, 2.0, 4.0, 8.0}) {
    EXPECT_NEAR(2 * shifted_normal_js_slope(d), shifted_normal_pull(d), 1e-10) << d;
    constexpr double kEps = 1e-4;
    EXPECT_NEAR(shifted_normal_js_slope(d),
                (shifted_normal_js(d + kEps) - shifted_normal_js(d - kEps)) / (2 * kEps), 1e-8)
        << d;
  }
}

}  // namespace
}  // namespace duel::gan::lab
