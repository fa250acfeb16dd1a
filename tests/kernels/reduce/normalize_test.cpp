// Normalisation against naive f64 loops, and the double backward against central differences of the backward.
// Fails on biased/unbiased mix-ups, gamma at the wrong index, a missing projection or second-order term,
// statistics over the wrong axes, cancellation in E x^2 - mean^2, writes past the end, bits that follow the
// thread count.
#include "duel/kernels/reduce/normalize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

using Doubles = std::vector<double>;

/// The naive reference: everything by index arithmetic, in f64.
struct Reference {
  NormShape s;
  double eps;
  Doubles x, gamma, beta, dy, v, h, k;  // v, h, k: cotangents of dx, dgamma, dbeta
  Doubles mean, var, y, dx, dgamma, dbeta;

  int64_t row(int64_t i) const {
    const int64_t part = i / (s.size() / s.parts);
    return part * s.part_rows() + i / s.inner % s.part_rows();
  }
  int64_t affine(int64_t i) const { return s.affine_inner ? i % s.inner : row(i) % s.affine; }
  double xhat(int64_t i) const { return (x[i] - mean[row(i)]) / std::sqrt(var[row(i)] + eps); }

  void forward() {
    const auto count = static_cast<double>(s.count());
    mean.assign(s.rows, 0);
    var.assign(s.rows, 0);
    y.assign(s.size(), 0);
    for (int64_t i = 0; i < s.size(); ++i) mean[row(i)] += x[i] / count;
    for (int64_t i = 0; i < s.size(); ++i)
      var[row(i)] += (x[i] - mean[row(i)]) * (x[i] - mean[row(i)]) / count;
    for (int64_t i = 0; i < s.size(); ++i) y[i] = gamma[affine(i)] * xhat(i) + beta[affine(i)];
  }

  void backward() {
    const auto count = static_cast<double>(s.count());
    Doubles q(s.rows), qx(s.rows);
    dx.assign(s.size(), 0);
    dgamma.assign(s.affine, 0);
    dbeta.assign(s.affine, 0);
    for (int64_t i = 0; i < s.size(); ++i) {
      q[row(i)] += gamma[affine(i)] * dy[i] / count;
      qx[row(i)] += gamma[affine(i)] * dy[i] * xhat(i) / count;
      dgamma[affine(i)] += dy[i] * xhat(i);
      dbeta[affine(i)] += dy[i];
    }
    for (int64_t i = 0; i < s.size(); ++i) {
      dx[i] = (gamma[affine(i)] * dy[i] - q[row(i)] - xhat(i) * qx[row(i)]) / std::sqrt(var[row(i)] + eps);
    }
  }

  /// <v, dx> + <h, dgamma> + <k, dbeta>: what the double backward differentiates.
  double objective() {
    forward();
    backward();
    double sum = 0;
    for (int64_t i = 0; i < s.size(); ++i) sum += v[i] * dx[i];
    for (int64_t c = 0; c < s.affine; ++c) sum += h[c] * dgamma[c] + k[c] * dbeta[c];
    return sum;
  }

  double slope(double& at) {
    const double saved = at, step = 1e-5;
    at = saved + step;
    const double up = objective();
    at = saved - step;
    const double down = objective();
    at = saved;
    return (up - down) / (2 * step);
  }
};

Doubles wide(int64_t n, uint64_t key) { return noise<double>(n, key); }

Reference make(const NormShape& s, bool affine, double eps) {
  Reference r{s,
              eps,
              wide(s.size(), 1),
              wide(s.affine, 2),
              wide(s.affine, 3),
              wide(s.size(), 4),
              wide(s.size(), 5),
              wide(s.affine, 6),
              wide(s.affine, 7),
              {},
              {},
              {},
              {},
              {},
              {}};
  for (double& x : r.x) x = static_cast<float>(x + 0.7);
  for (Doubles* part : {&r.gamma, &r.beta, &r.dy, &r.v, &r.h, &r.k}) {
    for (double& value : *part) value = static_cast<float>(value);  // the same numbers in float and double
  }
  if (!affine) {
    r.gamma.assign(s.affine, 1);
    r.beta.assign(s.affine, 0);
  }
  r.forward();
  r.backward();
  return r;
}

template <class T>
std::vector<T> cast(const Doubles& from) {
  return std::vector<T>(from.begin(), from.end());
}

template <class T>
void expect_near(Guarded<T>& got, const Doubles& want, double tolerance, const char* what) {
  EXPECT_TRUE(got.guards_intact()) << what;
  double size = 1;
  for (double w : want) size = std::max(size, std::abs(w));
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got.data()[i], want[i], tolerance * size) << what << "[" << i << "]";
  }
}

struct Named {
  const char* name;
  NormShape shape;
};

std::vector<Named> shapes() {
  return {{"bn1d", batch_norm_shape(64, 37, 1)},
          {"bn1d wide", batch_norm_shape(5, 1030, 1)},
          {"bn2d 7x7", batch_norm_shape(6, 33, 49)},
          {"bn2d 14x14", batch_norm_shape(5, 7, 196)},
          {"bn2d 2x3", batch_norm_shape(9, 300, 6)},
          {"bn2d large", batch_norm_shape(3, 2, 1111)},
          {"bn2d one sample", batch_norm_shape(1, 5, 30)},
          {"bn one channel", batch_norm_shape(40, 1, 9)},
          {"bn1d in 3 parts", batch_norm_shape(12, 37, 1, 3)},
          {"bn1d wide in 2 parts", batch_norm_shape(4, 1030, 1, 2)},
          {"bn2d in 2 parts", batch_norm_shape(6, 33, 49, 2)},
          {"bn2d large in 2 parts of a sample", batch_norm_shape(2, 2, 1111, 2)},
          {"in", instance_norm_shape(4, 6, 49)},
          {"in 1 channel", instance_norm_shape(3, 1, 700)},
          {"ln", layer_norm_shape(7, 784)},
          {"ln 33", layer_norm_shape(65, 33)},
          {"ln 2", layer_norm_shape(3, 2)},
          {"ln 130", layer_norm_shape(20, 130)}};
}

template <class T>
class Normalize : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Normalize, Types);

template <class T>
constexpr double kTolerance = std::is_same_v<T, float> ? 2e-5 : 2e-13;

template <class T>
Doubles rstd_of(const Reference& r) {
  Doubles out;
  for (double var : r.var) out.push_back(1 / std::sqrt(var + r.eps));
  return out;
}

TYPED_TEST(Normalize, ForwardAndBackward) {
  using T = TypeParam;
  for (const Named& n : shapes()) {
    for (bool affine : {true, false}) {
      SCOPED_TRACE(testing::Message() << n.name << (affine ? " affine" : ""));
      const NormShape& s = n.shape;
      const Reference r = make(s, affine, 1e-3);
      const auto x = cast<T>(r.x), gamma = cast<T>(r.gamma), beta = cast<T>(r.beta), dy = cast<T>(r.dy);
      const T *g = affine ? gamma.data() : nullptr, *b = affine ? beta.data() : nullptr;
      Guarded<T> y(s.size()), mean(s.rows), rstd(s.rows), dx(s.size()), dgamma(s.affine), dbeta(s.affine);
      norm_forward({}, s, x.data(), g, b, T(1e-3), y.data(), mean.data(), rstd.data());
      expect_near(mean, r.mean, kTolerance<T>, "mean");
      expect_near(rstd, rstd_of<T>(r), kTolerance<T>, "rstd");
      expect_near(y, r.y, kTolerance<T>, "y");
      Workspace space(norm_workspace(s) * sizeof(T));
      auto* scratch = static_cast<T*>(space.data());
      norm_backward({}, s, dy.data(), x.data(), mean.data(), rstd.data(), g, dx.data(), dgamma.data(),
                    dbeta.data(), scratch);
      expect_near(dx, r.dx, kTolerance<T>, "dx");
      expect_near(dgamma, r.dgamma, kTolerance<T>, "dgamma");
      expect_near(dbeta, r.dbeta, kTolerance<T>, "dbeta");
      // Single outputs, and dx over dy.
      Guarded<T> alone(s.affine);
      std::vector<T> in_place = dy;
      norm_backward({}, s, in_place.data(), x.data(), mean.data(), rstd.data(), g, in_place.data(),
                    alone.data(), nullptr, scratch);
      EXPECT_EQ(in_place, dx.copy());
      EXPECT_EQ(alone.copy(), dgamma.copy());
      Guarded<T> only(s.affine);
      norm_backward({}, s, dy.data(), x.data(), mean.data(), rstd.data(), g, nullptr, nullptr, only.data(),
                    scratch);
      EXPECT_EQ(only.copy(), dbeta.copy());
      // y over x.
      std::vector<T> over = x;
      norm_forward({}, s, over.data(), g, b, T(1e-3), over.data(), mean.data(), rstd.data());
      EXPECT_EQ(over, y.copy());
      // Inference with the same statistics is the same function.
      const auto given_mean = cast<T>(r.mean), given_var = cast<T>(r.var);
      Guarded<T> inferred(s.size());
      if (s.parts > 1) {
        EXPECT_THROW(norm_inference({}, s, x.data(), given_mean.data(), given_var.data(), g, b, T(1e-3),
                                    inferred.data()),
                     Error);
        continue;
      }
      norm_inference({}, s, x.data(), given_mean.data(), given_var.data(), g, b, T(1e-3), inferred.data());
      expect_near(inferred, r.y, kTolerance<T>, "inference");
    }
  }
}

/// The double backward's definition, term by term (performance notes 5.2), in f64.
struct Second {
  Doubles d_dy, d_x, d_gamma;
  explicit Second(const Reference& r) : d_dy(r.s.size()), d_x(r.s.size()), d_gamma(r.s.affine) {
    const NormShape& s = r.s;
    const auto count = static_cast<double>(s.count());
    struct Sums {
      double q = 0, qx = 0, v = 0, vx = 0, qv = 0, r = 0, rx = 0;
    };
    std::vector<Sums> sums(s.rows);
    for (int64_t i = 0; i < s.size(); ++i) {
      Sums& t = sums[r.row(i)];
      const double q = r.gamma[r.affine(i)] * r.dy[i], hd = r.h[r.affine(i)] * r.dy[i], xh = r.xhat(i);
      t.q += q, t.qx += q * xh, t.v += r.v[i], t.vx += r.v[i] * xh, t.qv += q * r.v[i], t.r += hd,
          t.rx += hd * xh;
    }
    for (int64_t i = 0; i < s.size(); ++i) {
      const Sums& t = sums[r.row(i)];
      const int64_t a = r.affine(i);
      const double rs = 1 / std::sqrt(r.var[r.row(i)] + r.eps), xh = r.xhat(i), q = r.gamma[a] * r.dy[i];
      const double pv = rs * (r.v[i] - t.v / count - xh * t.vx / count);
      d_dy[i] = r.gamma[a] * pv + r.h[a] * xh + r.k[a];
      d_gamma[a] += r.dy[i] * pv;
      d_x[i] = rs * (r.h[a] * r.dy[i] - t.r / count - xh * t.rx / count) +
               rs * rs *
                   (xh * (t.v * t.q / count - t.qv + 3 * t.qx * t.vx / count) / count +
                    t.vx / count * (t.q / count - q) + t.qx / count * (t.v / count - r.v[i]));
    }
  }
};

TYPED_TEST(Normalize, DoubleBackward) {
  using T = TypeParam;
  for (const Named& n : shapes()) {
    for (int mask = 0; mask < 16; ++mask) {
      const bool affine = mask & 1, has_v = mask & 2, has_h = mask & 4, has_k = mask & 8;
      SCOPED_TRACE(testing::Message() << n.name << " mask " << mask);
      const NormShape& s = n.shape;
      Reference r = make(s, affine, 1e-3);
      if (!has_v) r.v.assign(s.size(), 0);
      if (!has_h) r.h.assign(s.affine, 0);
      if (!has_k) r.k.assign(s.affine, 0);
      const Second want(r);
      const auto x = cast<T>(r.x), gamma = cast<T>(r.gamma), dy = cast<T>(r.dy), v = cast<T>(r.v),
                 h = cast<T>(r.h), k = cast<T>(r.k), mean = cast<T>(r.mean), rstd = cast<T>(rstd_of<T>(r));
      const NormCotangents<T> given{has_v ? v.data() : nullptr, has_h ? h.data() : nullptr,
                                    has_k ? k.data() : nullptr};
      const T* g = affine ? gamma.data() : nullptr;
      Guarded<T> d_dy(s.size()), d_x(s.size()), d_gamma(s.affine);
      Workspace space(norm_workspace(s) * sizeof(T));
      auto* scratch = static_cast<T*>(space.data());
      norm_double_backward({}, s, dy.data(), x.data(), mean.data(), rstd.data(), g, given, d_dy.data(),
                           d_x.data(), d_gamma.data(), scratch);
      expect_near(d_dy, want.d_dy, kTolerance<T>, "d_dy");
      expect_near(d_x, want.d_x, kTolerance<T>, "d_x");
      expect_near(d_gamma, want.d_gamma, 4 * kTolerance<T>, "d_gamma");
      Guarded<T> only(s.affine);
      norm_double_backward({}, s, dy.data(), x.data(), mean.data(), rstd.data(), g, given, nullptr, nullptr,
                           only.data(), scratch);
      EXPECT_EQ(only.copy(), d_gamma.copy());
    }
  }
}

TEST(NormalizeGradient, DoubleBackwardIsTheDerivativeOfTheBackward) {
  for (const NormShape& s :
       {batch_norm_shape(3, 4, 1), batch_norm_shape(2, 3, 4), batch_norm_shape(1, 2, 5),
        batch_norm_shape(4, 3, 2, 2), instance_norm_shape(2, 3, 5), layer_norm_shape(3, 6)}) {
    SCOPED_TRACE(testing::Message() << s.outer << " " << s.rows << " " << s.inner);
    Reference r = make(s, true, 0.05);
    const Doubles rstd = rstd_of<double>(r);
    Doubles d_dy(s.size()), d_x(s.size()), d_gamma(s.affine), scratch(norm_workspace(s));
    norm_double_backward({}, s, r.dy.data(), r.x.data(), r.mean.data(), rstd.data(), r.gamma.data(),
                         NormCotangents<double>{r.v.data(), r.h.data(), r.k.data()}, d_dy.data(), d_x.data(),
                         d_gamma.data(), scratch.data());
    for (int64_t i = 0; i < s.size(); ++i) {
      EXPECT_NEAR(r.slope(r.dy[i]), d_dy[i], 1e-6);
      EXPECT_NEAR(r.slope(r.x[i]), d_x[i], 1e-6);
    }
    for (int64_t c = 0; c < s.affine; ++c) EXPECT_NEAR(r.slope(r.gamma[c]), d_gamma[c], 1e-6);
  }
}

TEST(NormalizeGradient, BackwardIsTheDerivativeOfTheForward) {
  for (const NormShape& s : {batch_norm_shape(3, 4, 1), batch_norm_shape(2, 3, 4),
                             instance_norm_shape(2, 3, 5), layer_norm_shape(3, 6)}) {
    Reference r = make(s, true, 0.05);
    const Doubles dx = r.dx;
    const auto loss = [&] {
      r.forward();
      double sum = 0;
      for (int64_t i = 0; i < s.size(); ++i) sum += r.dy[i] * r.y[i];
      return sum;
    };
    for (int64_t i = 0; i < s.size(); ++i) {
      const double saved = r.x[i], step = 1e-5;
      r.x[i] = saved + step;
      const double up = loss();
      r.x[i] = saved - step;
      const double down = loss();
      r.x[i] = saved;
      EXPECT_NEAR((up - down) / (2 * step), dx[i], 1e-7);
    }
  }
}

TYPED_TEST(Normalize, RunningStatisticsFollowPyTorch) {
  using T = TypeParam;
  for (const NormShape& s : {batch_norm_shape(6, 33, 4), batch_norm_shape(4, 3, 600),
                             batch_norm_shape(1, 3, 1), batch_norm_shape(9, 300, 1, 3)}) {
    const Reference r = make(s, false, 1e-5);
    const auto x = cast<T>(r.x);
    const int64_t channels = s.part_rows();
    Guarded<T> running_mean(channels), running_var(channels), y(s.size()), mean(s.rows), rstd(s.rows);
    Doubles want_mean(channels, 0.5), want_var(channels, 2.0);
    std::fill_n(running_mean.data(), channels, T(0.5));
    std::fill_n(running_var.data(), channels, T(2));
    const auto count = static_cast<double>(s.count());
    int64_t batches = 5;
    for (int round = 0; round < 3; ++round) {
      norm_forward({}, s, x.data(), nullptr, nullptr, T(1e-5), y.data(), mean.data(), rstd.data(),
                   RunningStats<T>{running_mean.data(), running_var.data(), T(0.1), &batches});
      EXPECT_EQ(batches, 5 + (round + 1) * s.parts);
      for (int64_t row = 0; row < s.rows; ++row) {
        const int64_t c = row % channels;
        want_mean[c] = 0.9 * want_mean[c] + 0.1 * r.mean[row];
        want_var[c] = 0.9 * want_var[c] + 0.1 * r.var[row] * (count > 1 ? count / (count - 1) : 1);
      }
    }
    expect_near(running_mean, want_mean, kTolerance<T>, "running mean");
    expect_near(running_var, want_var, kTolerance<T>, "running var");
  }
}

// Bit by bit: what one call does of two batches, two calls do.
TYPED_TEST(Normalize, PartsAreCallsOneAfterTheOther) {
  using T = TypeParam;
  for (const int64_t pixels : {1, 49, 700}) {
    const int64_t n = 5, c = 19, size = n * c * pixels;
    const NormShape one = batch_norm_shape(n, c, pixels), two = batch_norm_shape(2 * n, c, pixels, 2);
    const auto x = cast<T>(wide(2 * size, 1)), dy = cast<T>(wide(2 * size, 2)), gamma = cast<T>(wide(c, 3));
    struct Results {
      std::vector<T> y, mean, rstd, running_mean, running_var, dx, dgamma;
      int64_t batches = 0;
      Results(int64_t size, int64_t rows, int64_t c)
          : y(size), mean(rows), rstd(rows), running_mean(c), running_var(c, T(1)), dx(size), dgamma(c) {}
    };
    Results together(2 * size, 2 * c, c), apart(2 * size, 2 * c, c);
    std::vector<T> scratch(norm_workspace(two));
    const auto pass = [&](const NormShape& s, int64_t at, Results& to) {
      const int64_t from = at * size, row = at * c;
      norm_forward({}, s, x.data() + from, gamma.data(), nullptr, T(1e-3), to.y.data() + from,
                   to.mean.data() + row, to.rstd.data() + row,
                   {to.running_mean.data(), to.running_var.data(), T(0.1), &to.batches});
      std::vector<T> dgamma(c);
      norm_backward({}, s, dy.data() + from, x.data() + from, to.mean.data() + row, to.rstd.data() + row,
                    gamma.data(), to.dx.data() + from, dgamma.data(), nullptr, scratch.data());
      for (int64_t i = 0; i < c; ++i) to.dgamma[i] += dgamma[i];
    };
    pass(two, 0, together);
    pass(one, 0, apart);
    pass(one, 1, apart);
    EXPECT_EQ(together.y, apart.y);
    EXPECT_EQ(together.mean, apart.mean);
    EXPECT_EQ(together.rstd, apart.rstd);
    EXPECT_EQ(together.running_mean, apart.running_mean);
    EXPECT_EQ(together.running_var, apart.running_var);
    EXPECT_EQ(together.batches, 2);
    EXPECT_EQ(apart.batches, 2);
    EXPECT_EQ(together.dx, apart.dx);
    EXPECT_EQ(together.dgamma, apart.dgamma);
  }
}

// 1000 +- 0.01: a one-pass variance in float would be garbage.
TYPED_TEST(Normalize, SmallSpreadAroundALargeMean) {
  using T = TypeParam;
  const NormShape s = batch_norm_shape(8, 3, 49);
  Reference r = make(s, false, 1e-12);
  for (double& x : r.x) x = static_cast<T>(1000 + 0.01 * x);
  r.forward();
  const auto x = cast<T>(r.x);
  Guarded<T> y(s.size()), mean(s.rows), rstd(s.rows);
  norm_forward({}, s, x.data(), nullptr, nullptr, T(1e-12), y.data(), mean.data(), rstd.data());
  for (int64_t c = 0; c < s.rows; ++c) {
    EXPECT_NEAR(rstd.data()[c] * std::sqrt(r.var[c] + r.eps), 1, (std::is_same_v<T, float> ? 2e-3 : 1e-9));
  }
}

TYPED_TEST(Normalize, EmptyInputs) {
  using T = TypeParam;
  for (const NormShape& s : {batch_norm_shape(0, 3, 4), batch_norm_shape(2, 3, 0), batch_norm_shape(2, 0, 3),
                             layer_norm_shape(0, 5), layer_norm_shape(4, 0), instance_norm_shape(0, 3, 4)}) {
    Guarded<T> y(0), mean(s.rows), rstd(s.rows), dgamma(s.affine), dbeta(s.affine), running(s.rows);
    Workspace space(norm_workspace(s) * sizeof(T));
    auto* scratch = static_cast<T*>(space.data());
    const std::vector<T> gamma(s.affine, T(2));
    std::fill_n(running.data(), s.rows, T(7));
    RunningStats<T> kept;
    if (s.affine == s.rows && !s.affine_inner) kept = {running.data(), running.data(), T(0.1)};
    norm_forward({}, s, y.data(), gamma.data(), gamma.data(), T(1e-5), y.data(), mean.data(), rstd.data(),
                 kept);
    EXPECT_EQ(running.copy(), std::vector<T>(s.rows, T(7)));
    norm_inference({}, s, y.data(), mean.data(), rstd.data(), gamma.data(), gamma.data(), T(1e-5), y.data());
    norm_backward({}, s, y.data(), y.data(), mean.data(), rstd.data(), gamma.data(), y.data(), dgamma.data(),
                  dbeta.data(), scratch);
    EXPECT_EQ(dgamma.copy(), std::vector<T>(s.affine, T(0)));
    EXPECT_EQ(dbeta.copy(), std::vector<T>(s.affine, T(0)));
    Guarded<T> d_gamma(s.affine);
    norm_double_backward({}, s, y.data(), y.data(), mean.data(), rstd.data(), gamma.data(),
                         NormCotangents<T>{}, y.data(), y.data(), d_gamma.data(), scratch);
    EXPECT_EQ(d_gamma.copy(), std::vector<T>(s.affine, T(0)));
    EXPECT_TRUE(y.guards_intact() && mean.guards_intact() && rstd.guards_intact() && dgamma.guards_intact());
  }
}

TYPED_TEST(Normalize, ConstantRowsAreNotNaN) {
  using T = TypeParam;
  const NormShape s = layer_norm_shape(2, 5);
  const std::vector<T> x(10, T(3)), dy = noise<T>(10, 1);
  Guarded<T> y(10), mean(2), rstd(2), dx(10);
  T scratch[4];
  norm_forward({}, s, x.data(), nullptr, nullptr, T(1e-5), y.data(), mean.data(), rstd.data());
  EXPECT_EQ(y.copy(), std::vector<T>(10, T(0)));
  norm_backward({}, s, dy.data(), x.data(), mean.data(), rstd.data(), nullptr, dx.data(), nullptr, nullptr,
                scratch);
  for (T value : dx.copy()) EXPECT_TRUE(std::isfinite(value));
}

TYPED_TEST(Normalize, SameBitsForAnyThreadCount) {
  using T = TypeParam;
  for (const NormShape& s : {batch_norm_shape(16, 128, 49), layer_norm_shape(64, 784)}) {
    const Reference r = make(s, true, 1e-3);
    const auto x = cast<T>(r.x), gamma = cast<T>(r.gamma), dy = cast<T>(r.dy), v = cast<T>(r.v);
    std::vector<std::vector<T>> results;
    for (int count : {1, 2, 4}) {
      set_threads(count);
      Guarded<T> y(s.size()), mean(s.rows), rstd(s.rows), dx(s.size()), dgamma(s.affine), dbeta(s.affine),
          d_dy(s.size()), d_x(s.size()), d_gamma(s.affine);
      Workspace space(norm_workspace(s) * sizeof(T));
      auto* scratch = static_cast<T*>(space.data());
      norm_forward({}, s, x.data(), gamma.data(), gamma.data(), T(1e-3), y.data(), mean.data(), rstd.data());
      norm_backward({}, s, dy.data(), x.data(), mean.data(), rstd.data(), gamma.data(), dx.data(),
                    dgamma.data(), dbeta.data(), scratch);
      norm_double_backward({}, s, dy.data(), x.data(), mean.data(), rstd.data(), gamma.data(),
                           NormCotangents<T>{v.data(), nullptr, nullptr}, d_dy.data(), d_x.data(),
                           d_gamma.data(), scratch);
      std::vector<T> all;
      for (Guarded<T>* part : {&y, &mean, &rstd, &dx, &dgamma, &dbeta, &d_dy, &d_x, &d_gamma}) {
        const auto values = part->copy();
        all.insert(all.end(), values.begin(), values.end());
      }
      results.push_back(all);
    }
    set_threads(2);
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
  }
}

TEST(NormalizeErrors, WrongShapes) {
  float x = 0;
  NormShape bad = layer_norm_shape(2, 3);
  bad.outer = 2;
  EXPECT_THROW(norm_forward({}, bad, &x, nullptr, nullptr, 1e-5f, &x, &x, &x), Error);
  EXPECT_THROW(norm_forward({}, instance_norm_shape(2, 3, 1), &x, nullptr, nullptr, 1e-5f, &x, &x, &x,
                            RunningStats<float>{&x, &x, 0.1f}),
               Error);
  EXPECT_THROW(norm_forward({}, batch_norm_shape(2, 3, 1), &x, nullptr, nullptr, 1e-5f, &x, &x, &x,
                            RunningStats<float>{&x, nullptr, 0.1f}),
               Error);
}

}  // namespace
}  // namespace duel::kernels
