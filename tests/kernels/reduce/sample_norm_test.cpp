// Per-sample norms against naive f64 loops and, for the second backward, against central differences of the
// first. Fails on a norm over the whole batch, a missing projection term, NaN at zero rows, a row too many or
// too few.
#include "duel/kernels/reduce/sample_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

template <class T>
class SampleNorm : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SampleNorm, Types);

struct Size {
  int64_t batch, m;
};
const Size kSizes[] = {{0, 5},  {5, 0},  {1, 1},    {3, 1},     {1, 17},
                       {64, 2}, {7, 65}, {64, 784}, {5, 20000}, {33, 127}};

TYPED_TEST(SampleNorm, AllThreeMatchNaiveLoops) {
  using T = TypeParam;
  const double unit = std::numeric_limits<T>::epsilon();
  for (const Size& size : kSizes) {
    for (double eps : {0.0, 1e-4}) {
      SCOPED_TRACE(testing::Message() << size.batch << " x " << size.m << " eps " << eps);
      const int64_t n = size.batch * size.m;
      const std::vector<T> x = noise<T>(n, 1), g = noise<T>(size.batch, 2), gg = noise<T>(n, 3);
      Guarded<T> norm(size.batch), dx(n), d_g(size.batch), d_x(n);
      sample_norm({}, size.batch, size.m, x.data(), T(eps), norm.data());
      sample_norm_backward({}, size.batch, size.m, x.data(), norm.data(), g.data(), dx.data());
      sample_norm_double_backward({}, size.batch, size.m, x.data(), norm.data(), g.data(), gg.data(),
                                  d_g.data(), d_x.data());
      EXPECT_TRUE(norm.guards_intact() && dx.guards_intact() && d_g.guards_intact() && d_x.guards_intact());
      for (int64_t b = 0; b < size.batch; ++b) {
        long double sum = static_cast<T>(eps), dot = 0, absolute = 0;
        for (int64_t j = b * size.m; j < (b + 1) * size.m; ++j) {
          sum += (long double)(x[j]) * x[j];
          dot += (long double)(gg[j]) * x[j];
          absolute += std::abs((long double)(gg[j]) * x[j]);
        }
        const double root = static_cast<double>(std::sqrt(sum)), inverse = root == 0 ? 0 : 1 / root;
        ASSERT_NEAR(norm.data()[b], root, 32 * unit * root);
        const double dot_error = (rounding_bound<T>(size.m, absolute) + 8 * unit * absolute) * inverse;
        ASSERT_NEAR(d_g.data()[b], dot * inverse, dot_error);
        for (int64_t j = b * size.m; j < (b + 1) * size.m; ++j) {
          ASSERT_NEAR(dx.data()[j], g[b] * x[j] * inverse, 16 * unit * std::abs(g[b]));
          ASSERT_NEAR(d_x.data()[j], g[b] * inverse * (gg[j] - x[j] * dot * inverse * inverse),
                      std::abs(g[b]) * inverse * (32 * unit * (std::abs(gg[j]) + 1) + dot_error));
        }
      }
    }
  }
}

TYPED_TEST(SampleNorm, ZeroRowsGiveZeros) {
  using T = TypeParam;
  const std::vector<T> x = {0, 0, 0, 3, 0, 4}, g = {2, 5}, gg = {1, -2, 3, 1, 1, 1};
  Guarded<T> norm(2), dx(6), d_g(2), d_x(6);
  sample_norm({}, 2, 3, x.data(), T(0), norm.data());
  sample_norm_backward({}, 2, 3, x.data(), norm.data(), g.data(), dx.data());
  sample_norm_double_backward({}, 2, 3, x.data(), norm.data(), g.data(), gg.data(), d_g.data(), d_x.data());
  EXPECT_EQ(norm.copy(), (std::vector<T>{0, 5}));
  EXPECT_EQ(d_g.data()[0], T(0));
  EXPECT_NEAR(d_g.data()[1], 1.4, 1e-6);
  for (int j = 0; j < 3; ++j) {
    EXPECT_EQ(dx.data()[j], T(0));
    EXPECT_EQ(d_x.data()[j], T(0));
  }
  EXPECT_NEAR(dx.data()[3], 3, 1e-6);
  EXPECT_NEAR(dx.data()[5], 4, 1e-6);
  EXPECT_NEAR(d_x.data()[3], 1 - 3 * 7 / 25.0, 1e-6);
}

// The smallest numbers: 1/n^2 would overflow in float.
TYPED_TEST(SampleNorm, TinyRowsStayFinite) {
  using T = TypeParam;
  const T tiny = std::is_same_v<T, float> ? T(1e-21) : T(1e-160);
  const std::vector<T> x = {tiny, tiny}, g = {tiny}, gg = {1, 2};
  T norm, d_g, d_x[2];
  sample_norm({}, 1, 2, x.data(), T(0), &norm);
  sample_norm_double_backward({}, 1, 2, x.data(), &norm, g.data(), gg.data(), &d_g, d_x);
  EXPECT_GT(norm, T(0));
  EXPECT_NEAR(d_g, 3 / std::sqrt(2.0), 0.05);
  EXPECT_NEAR(d_x[0], (1 - 1.5) / std::sqrt(2.0), 0.05);
}

TYPED_TEST(SampleNorm, EitherOutputMayBeMissingAndInputOverwritten) {
  using T = TypeParam;
  const int64_t batch = 3, m = 50;
  const std::vector<T> x = noise<T>(batch * m, 1), g = noise<T>(batch, 2);
  std::vector<T> gg = noise<T>(batch * m, 3), in_place = x;
  Guarded<T> norm(batch), dx(batch * m), d_g(batch), d_x(batch * m), alone(batch);
  sample_norm({}, batch, m, x.data(), T(0), norm.data());
  sample_norm_backward({}, batch, m, x.data(), norm.data(), g.data(), dx.data());
  sample_norm_backward({}, batch, m, in_place.data(), norm.data(), g.data(), in_place.data());
  EXPECT_EQ(in_place, dx.copy());
  sample_norm_double_backward({}, batch, m, x.data(), norm.data(), g.data(), gg.data(), d_g.data(),
                              d_x.data());
  sample_norm_double_backward({}, batch, m, x.data(), norm.data(), g.data(), gg.data(), alone.data(),
                              nullptr);
  sample_norm_double_backward({}, batch, m, x.data(), norm.data(), g.data(), gg.data(), nullptr, gg.data());
  EXPECT_EQ(alone.copy(), d_g.copy());
  EXPECT_EQ(gg, d_x.copy());
}

TEST(SampleNormGradient, SecondBackwardIsTheDerivativeOfTheFirst) {
  const int64_t batch = 2, m = 5, n = batch * m;
  const double eps = 0.01, h = 1e-6;
  std::vector<double> x = noise<double>(n, 1), g = noise<double>(batch, 2);
  const std::vector<double> gg = noise<double>(n, 3);
  const auto objective = [&] {  // <gg, dx>
    std::vector<double> norm(batch), dx(n);
    sample_norm({}, batch, m, x.data(), eps, norm.data());
    sample_norm_backward({}, batch, m, x.data(), norm.data(), g.data(), dx.data());
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += gg[i] * dx[i];
    return sum;
  };
  std::vector<double> norm(batch), d_g(batch), d_x(n);
  sample_norm({}, batch, m, x.data(), eps, norm.data());
  sample_norm_double_backward({}, batch, m, x.data(), norm.data(), g.data(), gg.data(), d_g.data(),
                              d_x.data());
  const auto slope = [&](double& at) {
    const double saved = at;
    at = saved + h;
    const double up = objective();
    at = saved - h;
    const double down = objective();
    at = saved;
    return (up - down) / (2 * h);
  };
  for (int64_t i = 0; i < n; ++i) EXPECT_NEAR(slope(x[i]), d_x[i], 1e-7);
  for (int64_t b = 0; b < batch; ++b) EXPECT_NEAR(slope(g[b]), d_g[b], 1e-7);
}

TEST(SampleNormErrors, NegativeEps) {
  float x = 1, n = 0;
  EXPECT_THROW(sample_norm({}, 1, 1, &x, -1.0f, &n), Error);
}

TYPED_TEST(SampleNorm, SameBitsForAnyThreadCount) {
  using T = TypeParam;
  const std::vector<T> x = noise<T>(64 * 3001, 4);
  std::vector<std::vector<T>> results;
  for (int count : {1, 2, 4}) {
    set_threads(count);
    Guarded<T> norm(64);
    sample_norm({}, 64, 3001, x.data(), T(0), norm.data());
    results.push_back(norm.copy());
  }
  set_threads(2);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace duel::kernels
