// Power iterations against naive f64 loops. Fails on a transposed weight that is read in the wrong order, a missing copy, a
// direction taken from a product too short to have one, a sign or a bound that sigma or its derivative forgets, NaN that
// is lost.
#include "duel/kernels/reduce/spectral.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "duel/kernels/base/error.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

template <class T>
class SpectralKernel : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SpectralKernel, Types);

using Doubles = std::vector<double>;

double norm_of(const Doubles& x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

struct Naive {
  Doubles u, v;
  double sigma = 0, slope = 0;
};

template <class T>
Naive naive(const WeightMatrix& m, const std::vector<T>& w, Doubles u, Doubles v, int64_t iterations,
            double eps) {
  const auto at = [&](int64_t r, int64_t c) {
    return static_cast<double>(w[static_cast<size_t>((c / m.inner * m.rows + r) * m.inner + c % m.inner)]);
  };
  const auto times_v = [&] {
    Doubles product(u.size());
    for (int64_t r = 0; r < m.rows; ++r)
      for (int64_t c = 0; c < m.columns(); ++c)
        product[static_cast<size_t>(r)] += at(r, c) * v[static_cast<size_t>(c)];
    return product;
  };
  const auto take = [eps](const Doubles& raw, Doubles& to) {
    const double norm = norm_of(raw);
    for (size_t i = 0; i < raw.size() && norm >= eps; ++i) to[i] = raw[i] / norm;
  };
  for (int64_t i = 0; i < iterations; ++i) {
    Doubles product(v.size());
    for (int64_t r = 0; r < m.rows; ++r)
      for (int64_t c = 0; c < m.columns(); ++c)
        product[static_cast<size_t>(c)] += at(r, c) * u[static_cast<size_t>(r)];
    take(product, v);
    take(times_v(), u);
  }
  const Doubles product = times_v();
  double value = 0;
  for (size_t r = 0; r < u.size(); ++r) value += u[r] * product[r];
  const bool below = std::abs(value) < eps;
  return {u, v, below ? eps : std::abs(value), below ? 0.0 : value < 0 ? -1.0 : 1.0};
}

const WeightMatrix kMatrices[] = {{1, 1, 1},  {1, 5, 3},  {1, 3, 70},    {4, 6, 9},
                                  {7, 1, 16}, {3, 40, 1}, {1, 64, 1024}, {16, 8, 300}};

TYPED_TEST(SpectralKernel, MatchesNaiveLoops) {
  using T = TypeParam;
  for (const WeightMatrix& m : kMatrices) {
    for (const int64_t iterations : {0, 1, 3}) {
      SCOPED_TRACE(testing::Message()
                   << m.outer << " x " << m.rows << " x " << m.inner << ", " << iterations);
      const std::vector<T> w = noise<T>(m.rows * m.columns(), 1);
      const std::vector<T> u0 = noise<T>(m.rows, 2), v0 = noise<T>(m.columns(), 3);
      Guarded<T> u(m.rows), v(m.columns()), u_then(m.rows), v_then(m.columns()), sigma(1), slope(1);
      std::copy(u0.begin(), u0.end(), u.data());
      std::copy(v0.begin(), v0.end(), v.data());
      power_iteration<T>({}, m, w.data(), iterations, T(1e-12), u.data(), v.data(),
                         {u_then.data(), v_then.data(), sigma.data(), slope.data()});
      EXPECT_TRUE(u.guards_intact() && v.guards_intact() && u_then.guards_intact() &&
                  v_then.guards_intact() && sigma.guards_intact() && slope.guards_intact());
      const Naive right =
          naive<T>(m, w, Doubles(u0.begin(), u0.end()), Doubles(v0.begin(), v0.end()), iterations, 1e-12);
      // Of the longest sums, relative to directions of length 1 (of any length without an iteration).
      const double unit =
          32 * std::numeric_limits<T>::epsilon() * std::sqrt(static_cast<double>(m.columns() + m.rows));
      const double size = iterations == 0 ? norm_of(right.u) * norm_of(right.v) : 1;
      for (int64_t r = 0; r < m.rows; ++r) {
        EXPECT_NEAR(u.data()[r], right.u[static_cast<size_t>(r)], unit);
        EXPECT_EQ(u.data()[r], u_then.data()[r]);
      }
      for (int64_t c = 0; c < m.columns(); ++c) {
        EXPECT_NEAR(v.data()[c], right.v[static_cast<size_t>(c)], unit);
        EXPECT_EQ(v.data()[c], v_then.data()[c]);
      }
      EXPECT_NEAR(sigma.data()[0], right.sigma, unit * size * norm_of(Doubles(w.begin(), w.end())));
      EXPECT_EQ(slope.data()[0], static_cast<T>(right.slope));
    }
  }
}

TYPED_TEST(SpectralKernel, WhatHasNoDirectionKeepsTheOldOne) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const T entry : {T(0), T(1e-7), nan}) {
    std::vector<T> w(6, entry), u{T(0.6), T(0.8)}, v{T(1), T(0), T(0)}, u_then(2), v_then(3), sigma(1),
        slope(1);
    const std::vector<T> u0 = u, v0 = v;
    power_iteration<T>({}, {1, 2, 3}, w.data(), 2, T(1e-3), u.data(), v.data(),
                       {u_then.data(), v_then.data(), sigma.data(), slope.data()});
    EXPECT_EQ(u, u0);
    EXPECT_EQ(v, v0);
    EXPECT_EQ(u_then, u0);
    if (entry == entry) {
      EXPECT_EQ(sigma[0], T(1e-3));
      EXPECT_EQ(slope[0], T(0));
    } else {
      EXPECT_TRUE(std::isnan(sigma[0]) && std::isnan(slope[0]));
    }
  }
}

TYPED_TEST(SpectralKernel, TheValueHasASignAndItsLookMovesNothing) {
  using T = TypeParam;
  const std::vector<T> w{T(2), T(0), T(0), T(1)}, u{T(-1), T(0)}, v{T(1), T(0)};
  std::vector<T> u_then(2), v_then(2), sigma(1), slope(1);
  spectral_value<T>({}, {1, 2, 2}, w.data(), T(1e-12), u.data(), v.data(),
                    {u_then.data(), v_then.data(), sigma.data(), slope.data()});
  EXPECT_EQ(sigma[0], T(2));
  EXPECT_EQ(slope[0], T(-1));
  EXPECT_EQ(u_then, u);
  EXPECT_EQ(v_then, v);
}

TYPED_TEST(SpectralKernel, RefusesAMatrixWithoutEntries) {
  using T = TypeParam;
  T x[4] = {};
  const SpectralResults<T> to{x, x, x, x};
  EXPECT_THROW(power_iteration<T>({}, {1, 0, 3}, x, 1, T(1), x, x, to), Error);
  EXPECT_THROW(power_iteration<T>({}, {1, 1, 1}, x, -1, T(1), x, x, to), Error);
}

}  // namespace
}  // namespace duel::kernels
