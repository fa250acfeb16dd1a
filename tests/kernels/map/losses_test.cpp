// The fused losses against their textbook formulas in long double. Fails on a wrong sign, target or factor,
// on cancellation at large logits, on a gradient that is not the value's derivative, on a double backward
// that is not the gradient's derivative, on writes past the end, and on bits that follow the thread count.
#include "duel/kernels/map/losses.h"

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

using Real = long double;
using LossFormula = std::function<Real(Real)>;

struct Naive {
  LossFormula value, first, second;
};

// log(1 + e^x) without rounding trouble in either direction.
Real softplus(Real x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

Naive naive(const SigmoidBce& l) {
  const Real t = l.target;
  return {[=](Real x) { return t * softplus(-x) + (1 - t) * softplus(x); },
          [=](Real x) { return (1 - t) / (1 + std::exp(-x)) - t / (1 + std::exp(x)); },
          [](Real x) { return 1 / ((1 + std::exp(-x)) * (1 + std::exp(x))); }};
}
Naive naive(const Hinge& l) {
  const Real s = l.sign;
  return {[=](Real x) { return std::max(Real(0), 1 - s * x); },
          [=](Real x) { return 1 - s * x > 0 ? -s : Real(0); }, [](Real) { return Real(0); }};
}
Naive naive(const SquaredDifference& l) {
  const Real t = l.target, f = l.factor;
  return {[=](Real x) { return f * (x - t) * (x - t); }, [=](Real x) { return 2 * f * (x - t); },
          [=](Real) { return 2 * f; }};
}
Naive naive(const WassersteinMean& l) {
  const Real s = l.sign;
  return {[=](Real x) { return s * x; }, [=](Real) { return s; }, [](Real) { return Real(0); }};
}

Naive naive(const LinearLoss& l) {
  const Real s = l.slope, o = l.offset;
  return {[=](Real x) { return s * x + o; }, [=](Real) { return s; }, [](Real) { return Real(0); }};
}
Naive naive(const ExponentialLoss& l) {
  const Real r = l.rate, s = l.shift, o = l.offset;
  return {[=](Real x) { return std::exp(r * x + s) + o; }, [=](Real x) { return r * std::exp(r * x + s); },
          [=](Real x) { return r * r * std::exp(r * x + s); }};
}
Naive naive(const SoftplusLoss& l) {
  const Real size = l.size, s = l.sign, o = l.offset;
  return {[=](Real x) { return size * softplus(s * x) + o; },
          [=](Real x) { return size * s / (1 + std::exp(-s * x)); },
          [=](Real x) { return size / ((1 + std::exp(-x)) * (1 + std::exp(x))); }};
}
Naive naive(const PearsonConjugate& l) {
  const Real f = l.floor;
  return {[=](Real x) { return std::max(x, f) * std::max(x, f) / 4 + std::max(x, f); },
          [=](Real x) { return x < f ? 0 : x / 2 + 1; }, [=](Real x) { return x < f ? Real(0) : Real(0.5); }};
}
Naive naive(const AlphaConjugate& l) {
  const Real a = l.alpha;
  const auto y = [=](Real x) { return (1 - a) * softplus(-x); };
  const auto below = [](Real x) { return 1 / (1 + std::exp(x)); };
  return {[=](Real x) { return (std::pow(y(x), a / (a - 1)) - 1) / a; },
          [=](Real x) { return below(x) * std::pow(y(x), 1 / (a - 1)); },
          [=](Real x) {
            return below(x) * (below(x) * std::pow(y(x), 1 / (a - 1) - 1) -
                               (1 - below(x)) * std::pow(y(x), 1 / (a - 1)));
          }};
}
Naive naive(const AlphaRampConjugate& l) {
  const Real a = l.alpha;
  const auto y = [=](Real x) { return std::max(Real(0), (a - 1) * x + 1); };
  return {[=](Real x) { return (std::pow(y(x), a / (a - 1)) - 1) / a; },
          [=](Real x) { return std::pow(y(x), 1 / (a - 1)); },
          [=](Real x) { return y(x) > 0 ? std::pow(y(x), 1 / (a - 1) - 1) : Real(0); }};
}

template <class T>
void expect_close(T got, Real want, Real size, const char* what) {
  const Real unit = std::numeric_limits<T>::epsilon();
  EXPECT_LE(std::abs(static_cast<Real>(got) - want), 16 * unit * size + std::numeric_limits<T>::denorm_min())
      << what << ": got " << got << ", want " << want;
}

template <class T, class L>
void check(const L& loss, int64_t n, double spread, double divisor) {
  SCOPED_TRACE(testing::Message() << typeid(L).name() << " n " << n << " spread " << spread);
  std::vector<T> x = noise<T>(n, 7 + n);
  for (T& v : x) v = static_cast<T>(v * spread);
  const Naive want = naive(loss);
  Guarded<T> value(1), grad(n), product(n), value_only(1);
  Workspace space(loss_workspace(n) * sizeof(T));
  auto* scratch = static_cast<T*>(space.data());
  loss_value_grad({}, n, x.data(), loss, divisor, value.data(), grad.data(), scratch);
  loss_value_grad({}, n, x.data(), loss, divisor, value_only.data(), nullptr, scratch);
  const std::vector<T> g = noise<T>(n, 99);
  loss_d2({}, n, x.data(), loss, divisor, g.data(), product.data());
  EXPECT_TRUE(value.guards_intact() && grad.guards_intact() && product.guards_intact());
  Real sum = 0, size = 0;
  const Real scale = 1 / static_cast<Real>(static_cast<T>(divisor));
  for (int64_t i = 0; i < n; ++i) {
    const Real v = want.value(x[i]), d = want.first(x[i]);
    sum += scale * v;
    size += std::abs(scale * v) + std::abs(scale) * std::abs(Real(x[i])) * Real(1e-3);
    expect_close(grad.data()[i], scale * d,
                 std::abs(scale) * std::max(std::abs(d), Real(spread > 50 ? 0 : 1)), "gradient");
    expect_close(product.data()[i], scale * g[i] * want.second(x[i]), std::abs(scale * g[i]),
                 "second product");
    if (L::second_is_zero) {
      EXPECT_EQ(product.data()[i], T(0));
    }
  }
  expect_close(*value.data(), sum, size * std::sqrt(Real(n + 1)), "value");
  EXPECT_EQ(*value.data(), *value_only.data());
}

template <class T>
class Losses : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Losses, Types);

TYPED_TEST(Losses, MatchTheirFormulas) {
  for (int64_t n : {1, 2, 31, 64, 100, 1000, 4096, 4097, 20001}) {
    for (double spread : {0.5, 3.0, 20.0}) {
      for (double target : {0.0, 1.0, 0.9, 0.25}) check<TypeParam>(SigmoidBce{target}, n, spread, n);
      for (double sign : {1.0, -1.0}) {
        check<TypeParam>(Hinge{sign}, n, spread, 1.4);
        check<TypeParam>(WassersteinMean{sign}, n, spread, -n);
      }
      check<TypeParam>(SquaredDifference{1.0, 0.5}, n, spread, n);
      check<TypeParam>(SquaredDifference{-1.0, 1.5}, n, spread, 0.5);
    }
  }
}

// In ranges where nothing overflows; relative to the size of what powers and exponentials give.
template <class T, class L>
void check_divergence(const L& loss, double spread) {
  SCOPED_TRACE(testing::Message() << typeid(L).name() << " spread " << spread);
  const int64_t n = 301;
  std::vector<T> x = noise<T>(n, 5);
  for (T& v : x) v = static_cast<T>(v * spread);
  const Naive want = naive(loss);
  Guarded<T> value(1), grad(n), product(n);
  Workspace space(loss_workspace(n) * sizeof(T));
  const std::vector<T> g = noise<T>(n, 99);
  loss_value_grad({}, n, x.data(), loss, n, value.data(), grad.data(), static_cast<T*>(space.data()));
  loss_d2({}, n, x.data(), loss, n, g.data(), product.data());
  EXPECT_TRUE(value.guards_intact() && grad.guards_intact() && product.guards_intact());
  Real sum = 0, size = 1;
  for (int64_t i = 0; i < n; ++i) {
    const Real v = want.value(x[i]), d = want.first(x[i]), d2 = want.second(x[i]);
    sum += v / n;
    size = std::max(size, std::abs(v));
    expect_close(grad.data()[i] * static_cast<T>(n), d, 4 * std::max(std::abs(d), Real(1)), "gradient");
    expect_close(product.data()[i] * static_cast<T>(n), g[i] * d2, 8 * std::max(std::abs(d2), Real(1)),
                 "second product");
  }
  expect_close(*value.data(), sum, 4 * size, "value");
}

TYPED_TEST(Losses, OfDivergencesMatchTheirFormulas) {
  for (const double spread : {0.5, 3.0}) {
    check_divergence<TypeParam>(LinearLoss{-1, 1}, spread);
    check_divergence<TypeParam>(ExponentialLoss{1, -1, 0}, spread);
    check_divergence<TypeParam>(ExponentialLoss{-1, 0, -1}, spread);
    check_divergence<TypeParam>(SoftplusLoss{1, -1, -0.7}, spread);
    check_divergence<TypeParam>(SoftplusLoss{-1, 1, 0}, spread);
    check_divergence<TypeParam>(PearsonConjugate{-2}, 2 * spread);
    for (const double alpha : {0.5, -1.5}) check_divergence<TypeParam>(AlphaConjugate{alpha}, spread);
    for (const double alpha : {1.5, 2.0, 1.25})
      check_divergence<TypeParam>(AlphaRampConjugate{alpha}, spread);
  }
  // Far out nothing is lost: softplus(-40) is e^-40.
  EXPECT_NEAR(static_cast<double>(SoftplusLoss{1, -1, 0}.value(TypeParam(40))), std::exp(-40.0), 1e-23);
}

// (Jolicoeur-Martineau 2018, eq. 5-8) by the naive formulas and their differences, against the kernel's gradients.
TYPED_TEST(Losses, OfSidesMatchTheirFormulas) {
  using T = TypeParam;
  const Naive one = naive(SigmoidBce{0.9}), other = naive(SoftplusLoss{0.5, -1, 0.25});
  const AnyLoss of_one = any_loss(SigmoidBce{0.9}), of_other = any_loss(SoftplusLoss{0.5, -1, 0.25});
  for (const auto& [n, m] : {std::pair<int64_t, int64_t>{1, 1}, {5, 5}, {33, 40}, {300, 7}}) {
    for (const Against against : {Against::nothing, Against::partner, Against::mean}) {
      if (against == Against::partner && n != m) continue;
      SCOPED_TRACE(testing::Message() << n << " " << m << " " << static_cast<int>(against));
      const std::vector<T> r = noise<T>(n, 1), f = noise<T>(m, 2);
      const auto mean_of = [](const std::vector<Real>& x, const LossFormula& g) {
        Real sum = 0;
        for (const Real v : x) sum += g(v);
        return sum / static_cast<Real>(x.size());
      };
      const auto loss = [&](const std::vector<Real>& a, const std::vector<Real>& b) {
        const auto same = [](Real x) { return x; };
        if (against == Against::nothing) return mean_of(a, one.value) + mean_of(b, other.value);
        std::vector<Real> x = a, y = b;
        if (against == Against::partner) {
          for (size_t i = 0; i < x.size(); ++i) x[i] -= b[i];
          return mean_of(x, one.value);
        }
        const Real ma = mean_of(a, same), mb = mean_of(b, same);
        for (Real& v : x) v -= mb;
        for (Real& v : y) v -= ma;
        return (mean_of(x, one.value) + mean_of(y, other.value)) / 2;
      };
      std::vector<Real> a(r.begin(), r.end()), b(f.begin(), f.end());
      Guarded<T> value(1), by_r(n), by_f(m), alone(1);
      Workspace space(loss_of_sides_workspace(n, m) * sizeof(T));
      auto* scratch = static_cast<T*>(space.data());
      loss_of_sides<T>({}, against, {n, r.data(), of_one, by_r.data()}, {m, f.data(), of_other, by_f.data()},
                       value.data(), scratch);
      loss_of_sides<T>({}, against, {n, r.data(), of_one}, {m, f.data(), of_other}, alone.data(), scratch);
      EXPECT_TRUE(value.guards_intact() && by_r.guards_intact() && by_f.guards_intact());
      EXPECT_EQ(*value.data(), *alone.data());
      expect_close(*value.data(), loss(a, b), 4, "value");
      const auto slope = [&](Real& at) {
        const Real saved = at, step = 1e-5L;
        at = saved + step;
        const Real up = loss(a, b);
        at = saved - step;
        const Real down = loss(a, b);
        at = saved;
        return (up - down) / (2 * step);
      };
      const double close = std::is_same_v<T, float> ? 1e-6 : 1e-11;
      for (int64_t i = 0; i < n; ++i)
        EXPECT_NEAR(by_r.data()[i], static_cast<double>(slope(a[static_cast<size_t>(i)])), close) << i;
      for (int64_t i = 0; i < m; ++i)
        EXPECT_NEAR(by_f.data()[i], static_cast<double>(slope(b[static_cast<size_t>(i)])), close) << i;
    }
  }
  T x = 0;
  const auto none = [&](int64_t n, int64_t m, Against against) {
    loss_of_sides<T>({}, against, {n, &x, of_one}, {m, &x, of_other}, &x, &x);
  };
  EXPECT_THROW(none(0, 1, Against::nothing), Error);
  EXPECT_THROW(none(1, 0, Against::mean), Error);
  EXPECT_THROW(none(1, 2, Against::partner), Error);
}

template <class T, class L>
void expect_nan_passes(const L& loss, bool first_depends, bool second_depends) {
  const int64_t n = 77;
  Workspace space(loss_workspace(n) * sizeof(T));
  for (int64_t at = 0; at < n; at += 4) {
    std::vector<T> x = noise<T>(n, 3);
    x[static_cast<size_t>(at)] = std::numeric_limits<T>::quiet_NaN();
    const std::vector<T> g(static_cast<size_t>(n), T(1));
    Guarded<T> value(1), grad(n), product(n);
    loss_value_grad({}, n, x.data(), loss, n, value.data(), grad.data(), static_cast<T*>(space.data()));
    loss_d2({}, n, x.data(), loss, n, g.data(), product.data());
    EXPECT_TRUE(std::isnan(*value.data()));
    for (int64_t i = 0; i < n; ++i) {
      EXPECT_EQ(std::isnan(grad.data()[i]), i == at && first_depends) << i;
      EXPECT_EQ(std::isnan(product.data()[i]), i == at && second_depends) << i;
    }
  }
}

// A derivative that is the same number for every logit does not depend on it.
TYPED_TEST(Losses, NotANumberPasses) {
  expect_nan_passes<TypeParam>(SigmoidBce{0.9}, true, true);
  expect_nan_passes<TypeParam>(Hinge{-1}, true, false);
  expect_nan_passes<TypeParam>(LinearLoss{2, 1}, false, false);
  expect_nan_passes<TypeParam>(ExponentialLoss{1, -1}, true, true);
  expect_nan_passes<TypeParam>(SoftplusLoss{1, -1}, true, true);
  expect_nan_passes<TypeParam>(PearsonConjugate{}, true, false);
  expect_nan_passes<TypeParam>(AlphaConjugate{0.5}, true, true);
  expect_nan_passes<TypeParam>(AlphaRampConjugate{1.5}, true, true);
  expect_nan_passes<TypeParam>(SquaredDifference{1, 0.5}, true, false);
  expect_nan_passes<TypeParam>(WassersteinMean{-1}, false, false);
}

TYPED_TEST(Losses, NothingGivesZero) {
  Guarded<TypeParam> value(1);
  Workspace space(loss_workspace(0) * sizeof(TypeParam));
  loss_value_grad({}, 0, static_cast<const TypeParam*>(nullptr), SigmoidBce{1}, 1.0, value.data(), nullptr,
                  static_cast<TypeParam*>(space.data()));
  EXPECT_EQ(*value.data(), TypeParam(0));
}

// At +-100 the losses are their asymptotes to the last bit, and the small side is exp(-100), not 0 or NaN.
TYPED_TEST(Losses, HugeLogitsStayFiniteAndExact) {
  using T = TypeParam;
  const Real tiny = std::exp(Real(-100));
  const auto near = [](T got, Real want) {
    EXPECT_LE(std::abs(got - want),
              8 * std::numeric_limits<T>::epsilon() * std::abs(want) + std::numeric_limits<T>::denorm_min());
  };
  const SigmoidBce real{1.0}, fake{0.0}, smooth{0.9};
  EXPECT_EQ(real.value(T(-100)), T(100));
  EXPECT_EQ(fake.value(T(100)), T(100));
  near(real.value(T(100)), tiny);
  near(fake.value(T(-100)), tiny);
  near(smooth.value(T(100)), Real(10));
  near(smooth.value(T(-100)), Real(90));
  EXPECT_EQ(real.first(T(-100)), T(-1));
  EXPECT_EQ(fake.first(T(100)), T(1));
  near(real.first(T(100)), -tiny);
  near(fake.first(T(-100)), tiny);
  near(real.second(T(100)), tiny);
  near(real.second(T(-100)), tiny);
  for (T x : {T(-1e4), T(1e4)}) {
    EXPECT_TRUE(std::isfinite(real.value(x)) && std::isfinite(real.first(x)) &&
                std::isfinite(real.second(x)));
  }
  for (T x : {T(-100), T(100)}) {
    T value, grad;
    Workspace space(loss_workspace(1) * sizeof(T));
    loss_value_grad({}, 1, &x, real, T(1), &value, &grad, static_cast<T*>(space.data()));
    near(value, x > 0 ? tiny : Real(100));
    near(grad, x > 0 ? -tiny : Real(-1));
  }
}

TYPED_TEST(Losses, HingeKinkAndNaN) {
  using T = TypeParam;
  EXPECT_EQ(Hinge{1}.first(T(1)), T(0));
  EXPECT_EQ(Hinge{-1}.first(T(-1)), T(0));
  EXPECT_EQ(Hinge{1}.first(T(5)), T(0));
  EXPECT_EQ(Hinge{1}.first(std::numeric_limits<T>::infinity()), T(0));
  EXPECT_EQ(Hinge{-1}.first(T(0)), T(1));
  const T nan = std::numeric_limits<T>::quiet_NaN();
  EXPECT_TRUE(std::isnan(Hinge{1}.value(nan)));
  EXPECT_TRUE(std::isnan(Hinge{1}.first(nan)));
  EXPECT_TRUE(std::isnan(SigmoidBce{1}.value(nan)));
  EXPECT_TRUE(std::isnan(SigmoidBce{1}.first(nan)));
}

TYPED_TEST(Losses, SameBitsForAnyThreadCount) {
  using T = TypeParam;
  const int64_t n = 50001;
  const std::vector<T> x = noise<T>(n, 5);
  std::vector<T> values;
  for (int count : {1, 2, 4}) {
    set_threads(count);
    Guarded<T> value(1), grad(n);
    Workspace space(loss_workspace(n) * sizeof(T));
    loss_value_grad({}, n, x.data(), SigmoidBce{0.9}, T(1), value.data(), grad.data(),
                    static_cast<T*>(space.data()));
    values.push_back(*value.data());
  }
  set_threads(2);
  EXPECT_EQ(values[0], values[1]);
  EXPECT_EQ(values[0], values[2]);
}

}  // namespace
}  // namespace duel::kernels
