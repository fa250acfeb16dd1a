// Optimizers against PyTorch's documented update rules, written out per parameter in f64, over several steps
// with changing gradients and learning rate. Fails on a misplaced eps, a missing bias correction, weight
// decay after the moments, a first momentum step that is damped, a wrong segment, clipping before the update,
// EMA before clipping.
#include "duel/kernels/training/optimizers.h"

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

/// One parameter in f64 with whatever state its optimizer has.
struct Scalar {
  double p = 0, a = 0, b = 0, ema = 0;
  double before = 0;  // Optimistic Adam: the normalised step before
};
using Rule = std::function<void(Scalar&, double g, int64_t step, double lr)>;

Rule sgd_rule(SgdOptions o) {
  return [o](Scalar& s, double g, int64_t step, double lr) {
    g = g + o.weight_decay * s.p;
    if (o.momentum != 0) {
      s.a = step == 1 ? g : o.momentum * s.a + (1 - o.dampening) * g;
      g = o.nesterov ? g + o.momentum * s.a : s.a;
    }
    s.p = s.p - lr * g;
  };
}

Rule rmsprop_rule(RmsPropOptions o) {
  return [o](Scalar& s, double g, int64_t, double lr) {
    g = g + o.weight_decay * s.p;
    s.a = o.alpha * s.a + (1 - o.alpha) * g * g;
    const double root = std::sqrt(s.a) + o.eps;
    if (o.momentum > 0) {
      s.b = o.momentum * s.b + g / root;
      s.p = s.p - lr * s.b;
    } else {
      s.p = s.p - lr * g / root;
    }
  };
}

Rule adam_rule(AdamOptions o) {
  return [o](Scalar& s, double g, int64_t step, double lr) {
    if (o.decoupled_weight_decay) {
      s.p = s.p * (1 - lr * o.weight_decay);
    } else {
      g = g + o.weight_decay * s.p;
    }
    s.a = o.beta1 * s.a + (1 - o.beta1) * g;
    s.b = o.beta2 * s.b + (1 - o.beta2) * g * g;
    const double m_hat = s.a / (1 - std::pow(o.beta1, step)), v_hat = s.b / (1 - std::pow(o.beta2, step));
    const double normalised = m_hat / (std::sqrt(v_hat) + o.eps);
    s.p = s.p - lr * normalised;
    if (o.optimistic) s.p = s.p - lr * normalised + lr * s.before;
    s.before = normalised;
  };
}

template <class T>
struct Arrays {
  Guarded<T> p, a, b, ema;
  explicit Arrays(int64_t n) : p(n), a(n), b(n), ema(n) {}
};

template <class T>
using Step = std::function<void(int64_t n, const GradSegments<T>&, const StepState*, Arrays<T>&,
                                const UpdateExtras<T>&)>;

struct Extra {
  double clip = 0, ema_decay = -1;
};

/// Runs 6 steps over segments of odd sizes, one without a gradient, one empty.
template <class T>
void check(const Rule& rule, const Step<T>& step, double beta1, double beta2, Extra extra) {
  const std::vector<int64_t> sizes = {1, 5, 0, 8191, 64, 9000, 3, 1000};
  int64_t n = 0;
  for (int64_t size : sizes) n += size;
  const std::vector<T> start = noise<T>(n, 1);
  std::vector<Scalar> want(n);
  Arrays<T> arrays(n);
  for (int64_t i = 0; i < n; ++i) {
    arrays.p.data()[i] = start[i];
    arrays.a.data()[i] = arrays.b.data()[i] = 0;
    arrays.ema.data()[i] = start[i];
    want[i].p = want[i].ema = start[i];
  }
  UpdateExtras<T> extras{extra.clip, extra.ema_decay >= 0 ? arrays.ema.data() : nullptr, extra.ema_decay};
  StepState state;
  for (int round = 1; round <= 6; ++round) {
    const double lr = 0.01 / round;
    state.lr = lr;
    std::vector<std::vector<T>> kept;
    GradSegments<T> grads;
    int64_t at = 0;
    std::vector<double> g(n, 0.0);
    for (size_t k = 0; k < sizes.size(); ++k) {
      kept.push_back(noise<T>(sizes[k], 100 * round + k));
      const bool missing = k == 4;
      grads.add(missing ? nullptr : kept.back().data(), sizes[k]);
      for (int64_t i = 0; i < sizes[k] && !missing; ++i) g[at + i] = kept.back()[i];
      at += sizes[k];
    }
    extras.advanced = round % 2 == 0 ? &state : nullptr, extras.beta1 = beta1, extras.beta2 = beta2;
    if (round % 2 != 0) advance_step({}, &state, beta1, beta2);
    step(n, grads, &state, arrays, extras);
    for (int64_t i = 0; i < n; ++i) {
      rule(want[i], g[i], round, lr);
      if (extra.clip > 0) want[i].p = std::min(std::max(want[i].p, -extra.clip), extra.clip);
      if (extra.ema_decay >= 0)
        want[i].ema = extra.ema_decay * want[i].ema + (1 - extra.ema_decay) * want[i].p;
    }
  }
  EXPECT_EQ(state.step, 6);
  EXPECT_TRUE(arrays.p.guards_intact() && arrays.a.guards_intact() && arrays.b.guards_intact() &&
              arrays.ema.guards_intact());
  // An Adam step is at most lr; rounding of 6 steps stays far below that.
  const double tolerance = 64 * std::numeric_limits<T>::epsilon();
  for (int64_t i = 0; i < n; ++i) {
    ASSERT_NEAR(arrays.p.data()[i], want[i].p, tolerance) << "parameter " << i;
    ASSERT_NEAR(arrays.a.data()[i], want[i].a, tolerance) << "state a " << i;
    ASSERT_NEAR(arrays.b.data()[i], want[i].b, tolerance * (1 + std::abs(want[i].b))) << "state b " << i;
    ASSERT_NEAR(arrays.ema.data()[i], want[i].ema, tolerance) << "ema " << i;
  }
}

const Extra kExtras[] = {{}, {.clip = 0.3}, {.ema_decay = 0.9}, {0.25, 0.75}};

template <class T>
class Optimizers : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Optimizers, Types);

TYPED_TEST(Optimizers, Sgd) {
  using T = TypeParam;
  for (const SgdOptions& o : {SgdOptions{}, SgdOptions{0.9}, SgdOptions{0.5, 0.3},
                              SgdOptions{0.9, 0, 0.1, true}, SgdOptions{0, 0, 0.2}}) {
    for (const Extra& extra : kExtras) {
      check<T>(
          sgd_rule(o),
          [&](int64_t n, const GradSegments<T>& g, const StepState* s, Arrays<T>& x,
              const UpdateExtras<T>& e) {
            sgd_step({}, n, g, o, s, x.p.data(), o.momentum != 0 ? x.a.data() : nullptr, e);
          },
          0, 0, extra);
    }
  }
}

TYPED_TEST(Optimizers, RmsProp) {
  using T = TypeParam;
  for (const RmsPropOptions& o :
       {RmsPropOptions{}, RmsPropOptions{0.9, 1e-3, 0.1}, RmsPropOptions{0.99, 1e-4, 0, 0.9}}) {
    for (const Extra& extra : kExtras) {
      check<T>(
          rmsprop_rule(o),
          [&](int64_t n, const GradSegments<T>& g, const StepState* s, Arrays<T>& x,
              const UpdateExtras<T>& e) {
            rmsprop_step({}, n, g, o, s, x.p.data(), x.a.data(), o.momentum != 0 ? x.b.data() : nullptr, e);
          },
          0, 0, extra);
    }
  }
}

TYPED_TEST(Optimizers, Adam) {
  using T = TypeParam;
  for (const AdamOptions& o :
       {AdamOptions{}, AdamOptions{0.5, 0.9}, AdamOptions{0, 0.9, 1e-3}, AdamOptions{0.5, 0.999, 1e-8, 0.1},
        AdamOptions{0.5, 0.999, 1e-8, 0.3, true}, AdamOptions{.beta1 = 0.5, .beta2 = 0.9, .optimistic = true},
        AdamOptions{.beta1 = 0, .beta2 = 0.9, .eps = 1e-3, .weight_decay = 0.1, .optimistic = true},
        AdamOptions{.weight_decay = 0.3, .decoupled_weight_decay = true, .optimistic = true}}) {
    for (const Extra& extra : kExtras) {
      check<T>(
          adam_rule(o),
          [&](int64_t n, const GradSegments<T>& g, const StepState* s, Arrays<T>& x,
              const UpdateExtras<T>& e) { adam_step({}, n, g, o, s, x.p.data(), x.a.data(), x.b.data(), e); },
          o.beta1, o.beta2, extra);
    }
  }
}

// A NaN gradient must be seen in the parameter, also when clipping is on.
TYPED_TEST(Optimizers, NaNIsNotHidden) {
  using T = TypeParam;
  T g = std::numeric_limits<T>::quiet_NaN(), p = 1;
  GradSegments<T> grads;
  grads.add(&g, 1);
  StepState state{.lr = 0.1};
  advance_step({}, &state);
  sgd_step({}, 1, grads, SgdOptions{}, &state, &p, nullptr, UpdateExtras<T>{.clip = 0.5});
  EXPECT_TRUE(std::isnan(p));
}

TYPED_TEST(Optimizers, PartsOfAnArenaAddUp) {
  using T = TypeParam;
  const int64_t n = 100, split = 37;
  const std::vector<T> g = noise<T>(n, 1), start = noise<T>(n, 2);
  std::vector<T> p = start, m(n), v(n), p2 = start, m2(n), v2(n);
  StepState state{.lr = 0.1};
  advance_step({}, &state, 0.9, 0.999);
  GradSegments<T> whole, left, right;
  whole.add(g.data(), n);
  left.add(g.data(), split);
  right.add(g.data() + split, n - split);
  adam_step({}, n, whole, AdamOptions{}, &state, p.data(), m.data(), v.data());
  adam_step({}, split, left, AdamOptions{}, &state, p2.data(), m2.data(), v2.data());
  adam_step({}, n - split, right, AdamOptions{}, &state, p2.data() + split, m2.data() + split,
            v2.data() + split);
  EXPECT_EQ(p, p2);
  EXPECT_EQ(m, m2);
  EXPECT_EQ(v, v2);
}

TEST(StepStates, AdvanceTogetherAndSayTheirFactors) {
  StepState states[2] = {{.step = 3, .lr = 0.5}, {.step = 3, .lr = 0.25}};
  advance_step({}, states, 0.5, 0.75, 2);
  double factors[6];
  step_factors({}, states, factors, 2);
  for (int k = 0; k < 2; ++k) {
    const double lr = k == 0 ? 0.5 : 0.25;
    EXPECT_EQ(states[k].step, 4);
    EXPECT_EQ(factors[3 * k], lr);
    EXPECT_DOUBLE_EQ(factors[3 * k + 1], lr / (1 - std::pow(0.5, 4)));
    EXPECT_DOUBLE_EQ(factors[3 * k + 2], 1 / std::sqrt(1 - std::pow(0.75, 4)));
  }
}

TYPED_TEST(Optimizers, GradientNorm) {
  using T = TypeParam;
  for (int64_t size : {0, 1, 7, 1000, 50001}) {
    const std::vector<T> a = noise<T>(size, 1), b = noise<T>(33, 2);
    GradSegments<T> grads;
    grads.add(a.data(), size);
    grads.add(nullptr, 10);
    grads.add(b.data(), 33);
    long double sum_a = 0, sum_b = 0;
    for (T x : a) sum_a += (long double)(x)*x;
    for (T x : b) sum_b += (long double)(x)*x;
    std::vector<std::vector<T>> results;
    for (int count : {1, 2, 4}) {
      set_threads(count);
      Guarded<T> total(1), each(3);
      Workspace space(grad_norm_workspace(size + 43, 3) * sizeof(T));
      grad_norm({}, grads, total.data(), each.data(), static_cast<T*>(space.data()));
      const double unit = 32 * std::numeric_limits<T>::epsilon();
      EXPECT_NEAR(*total.data(), std::sqrt(sum_a + sum_b), unit * std::sqrt(sum_a + sum_b));
      EXPECT_NEAR(each.data()[0], std::sqrt(sum_a), unit * std::sqrt(sum_a));
      EXPECT_EQ(each.data()[1], T(0));
      EXPECT_NEAR(each.data()[2], std::sqrt(sum_b), unit * std::sqrt(sum_b));
      EXPECT_TRUE(total.guards_intact() && each.guards_intact());
      results.push_back(total.copy());
    }
    set_threads(2);
    EXPECT_EQ(results[0], results[1]);
    EXPECT_EQ(results[0], results[2]);
  }
}

TYPED_TEST(Optimizers, MistakesAreNamed) {
  using T = TypeParam;
  T g = 1, p = 1, v = 0;
  GradSegments<T> grads;
  grads.add(&g, 1);
  StepState state{.lr = 0.1};
  EXPECT_THROW(sgd_step({}, 2, grads, SgdOptions{}, &state, &p, nullptr), Error);
  EXPECT_THROW(sgd_step({}, 1, grads, SgdOptions{0.9}, &state, &p, nullptr), Error);
  EXPECT_THROW(sgd_step({}, 1, grads, SgdOptions{0, 0, 0, true}, &state, &p, &v), Error);
  EXPECT_THROW(rmsprop_step({}, 1, grads, RmsPropOptions{0.9, 1e-8, 0, 0.9}, &state, &p, &v, nullptr), Error);
  EXPECT_THROW(adam_step({}, 1, grads, AdamOptions{}, &state, &p, &v, &v, UpdateExtras<T>{.clip = -1}),
               Error);
  EXPECT_EQ(p, T(1));
  GradSegments<T> full;
  for (int k = 0; k < kMaxSegments; ++k) full.add(nullptr, 1);
  EXPECT_THROW(full.add(nullptr, 1), Error);
}

// What clipping must not hide.
TYPED_TEST(Optimizers, ClippingKeepsTheInsideAndShowsNaN) {
  using T = TypeParam;
  const T inf = std::numeric_limits<T>::infinity();
  T p[5] = {inf, -inf, std::numeric_limits<T>::quiet_NaN(), T(-0.25), T(0.1)};
  const StepState state{.step = 1};
  average_step<T>({}, 5, &state, p, {.clip = 0.25});
  EXPECT_EQ(p[0], T(0.25));
  EXPECT_EQ(p[1], T(-0.25));
  EXPECT_TRUE(std::isnan(p[2]));
  EXPECT_EQ(p[3], T(-0.25));
  EXPECT_EQ(p[4], T(0.1));
  EXPECT_THROW((average_step<T>({}, 5, &state, p, {.clip = -1})), Error);
}

}  // namespace
}  // namespace duel::kernels
