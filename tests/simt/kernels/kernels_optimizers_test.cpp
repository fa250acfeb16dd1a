// Optimizers as CUDA kernels: steps over an arena with gradients in segments, the same bits as the host's;
// the gradient norm within rounding. Fails on a wrong segment, a lost tail, a state read on the host, an
// extra applied out of order.
#include "duel/kernels/training/optimizers.h"

#include "kernels_common.h"

namespace duel::simt {
namespace {

using namespace kernels;  // the options and extras of every rule

template <class T>
class SimtOptimizers : public ::testing::Test {};
TYPED_TEST_SUITE(SimtOptimizers, ::duel::simt::Types);

/// Lengths of segments; the sign says whether there is a gradient (negative: null).
const std::vector<std::vector<int64_t>> kArenas = {
    {1}, {257}, {-300}, {1000, 1, 24, -7, 500}, {3, 3, 3, -2, 1023, 1025, 0, 70}, {2048}, {0}, {}};

template <class T>
struct Host {
  std::vector<T> p, a, b, ema;
};

/// Two steps of `update(stream, n, grads, state, p, a, b, extras)`.
template <class T, class Update>
void expect_steps(Update update, const UpdateExtras<T>& given, bool with_ema, const std::string& what) {
  for (const auto& lengths : kArenas) {
    int64_t n = 0;
    for (int64_t length : lengths) n += std::abs(length);
    SCOPED_TRACE(what + ", arena of " + std::to_string(lengths.size()) + " segments, " + std::to_string(n));
    auto squares = noise<T>(n, 3);
    for (T& v : squares) v = std::abs(v);
    Host<T> host{noise<T>(n, 1), noise<T>(n, 2), squares, noise<T>(n, 4)};
    if (what == "RMSProp") std::swap(host.a, host.b);  // its first state is the one of squares
    std::vector<std::vector<T>> gradients;
    for (size_t k = 0; k < lengths.size(); ++k) {
      gradients.push_back(noise<T>(std::max<int64_t>(lengths[k], 0), 10 + k));
    }
    const std::vector<StepState> start = {StepState{.step = 0, .lr = 0.01}};

    const auto run = [&](Stream s, const std::vector<const T*>& g, StepState* state, T* p, T* a, T* b,
                         T* ema) {
      GradSegments<T> grads;
      for (size_t k = 0; k < lengths.size(); ++k)
        grads.add(lengths[k] < 0 ? nullptr : g[k], std::abs(lengths[k]));
      UpdateExtras<T> extras = given;
      if (with_ema) extras.ema = ema;
      for (int step = 0; step < 3; ++step) {
        if (step == 1) {  // by the update itself
          UpdateExtras<T> advancing = extras;
          advancing.advanced = state, advancing.beta1 = 0.9, advancing.beta2 = 0.99;
          update(s, n, grads, state, p, a, b, advancing);
        } else {
          advance_step(s, state, 0.9, 0.99);
          update(s, n, grads, state, p, a, b, extras);
        }
      }
    };

    std::list<In<T>> g;
    for (const auto& gradient : gradients) g.emplace_back(gradient, "gradient");
    const InOut<T> p(host.p, "parameters"), a(host.a, "state a"), b(host.b, "state b"), ema(host.ema, "ema");
    std::vector<int64_t> words(sizeof(StepState) / sizeof(int64_t));
    std::memcpy(words.data(), start.data(), sizeof(StepState));
    const InOut<int64_t> state(words, "step state");

    std::vector<StepState> host_state = start;
    std::vector<const T*> pointers;
    for (const auto& gradient : gradients) pointers.push_back(gradient.data());
    run(Stream(), pointers, host_state.data(), host.p.data(), host.a.data(), host.b.data(), host.ema.data());
    run_all_orders(
        [&] {
          pointers.clear();
          for (const auto& gradient : g) pointers.push_back(gradient.data());
          run(stream(), pointers, reinterpret_cast<StepState*>(state.data()), p.data(), a.data(), b.data(),
              ema.data());
        },
        {.shuffles = 2, .shift = 1});
    expect_same(p.values(), host.p, "parameters");
    expect_same(a.values(), host.a, "state a");
    expect_same(b.values(), host.b, "state b");
    expect_same(ema.values(), host.ema, "ema");
    std::memcpy(words.data(), host_state.data(), sizeof(StepState));
    EXPECT_EQ(state.values(), words) << "step state";
  }
}

template <class T>
std::vector<UpdateExtras<T>> extras() {
  return {{}, {.clip = 0.3, .ema_decay = 0.9}};
}

TYPED_TEST(SimtOptimizers, Sgd) {
  using T = TypeParam;
  for (const SgdOptions& o :
       {SgdOptions{}, SgdOptions{.momentum = 0.9, .dampening = 0.1, .weight_decay = 0.01},
        SgdOptions{.momentum = 0.8, .nesterov = true}}) {
    for (const auto& e : extras<T>()) {
      expect_steps<T>(
          [&](Stream s, int64_t n, const GradSegments<T>& g, const StepState* state, T* p, T* a, T*,
              const UpdateExtras<T>& x) { sgd_step(s, n, g, o, state, p, o.momentum > 0 ? a : nullptr, x); },
          e, e.ema_decay > 0, "SGD");
    }
  }
}

TYPED_TEST(SimtOptimizers, RmsProp) {
  using T = TypeParam;
  for (const RmsPropOptions& o :
       {RmsPropOptions{}, RmsPropOptions{.alpha = 0.9, .weight_decay = 0.1, .momentum = 0.7}}) {
    for (const auto& e : extras<T>()) {
      expect_steps<T>(
          [&](Stream s, int64_t n, const GradSegments<T>& g, const StepState* state, T* p, T* a, T* b,
              const UpdateExtras<T>& x) {
            rmsprop_step(s, n, g, o, state, p, a, o.momentum > 0 ? b : nullptr, x);
          },
          e, e.ema_decay > 0, "RMSProp");
    }
  }
}

TYPED_TEST(SimtOptimizers, Adam) {
  using T = TypeParam;
  for (const AdamOptions& o : {AdamOptions{}, AdamOptions{.beta1 = 0.5, .beta2 = 0.9, .weight_decay = 0.01},
                               AdamOptions{.weight_decay = 0.3, .decoupled_weight_decay = true},
                               AdamOptions{.beta1 = 0.5, .beta2 = 0.9, .optimistic = true}}) {
    for (const auto& e : extras<T>()) {
      expect_steps<T>([&](Stream s, int64_t n, const GradSegments<T>& g, const StepState* state, T* p, T* a,
                          T* b, const UpdateExtras<T>& x) { adam_step(s, n, g, o, state, p, a, b, x); },
                      e, e.ema_decay > 0, "Adam");
    }
  }
}

TEST(SimtStepStates, AdvanceTogetherAndSayTheirFactors) {
  const StepState start[2] = {{.step = 3, .lr = 0.5}, {.step = 3, .lr = 0.25}};
  StepState host[2] = {start[0], start[1]};
  std::vector<double> factors(6);
  advance_step(Stream(), host, 0.5, 0.75, 2);
  step_factors(Stream(), host, factors.data(), 2);
  std::vector<int64_t> words(2 * (sizeof(StepState) / sizeof(int64_t)));
  std::memcpy(words.data(), start, sizeof(start));
  const InOut<int64_t> states(words, "step states");
  const Out<double> out(6, "factors");
  run_all_orders([&] {
    auto* at = reinterpret_cast<StepState*>(states.data());
    advance_step(stream(), at, 0.5, 0.75, 2);
    step_factors(stream(), at, out.data(), 2);
  });
  std::memcpy(words.data(), host, sizeof(host));
  EXPECT_EQ(states.values(), words);
  expect_same(out.values(), factors, "factors");
}

TYPED_TEST(SimtOptimizers, GradNorm) {
  using T = TypeParam;
  std::vector<std::vector<int64_t>> arenas = kArenas;
  arenas.push_back({20000, 3});
  arenas.push_back(std::vector<int64_t>(64, 5));
  for (const auto& lengths : arenas) {
    int64_t n = 0;
    std::vector<std::vector<T>> gradients;
    for (size_t k = 0; k < lengths.size(); ++k) {
      n += std::abs(lengths[k]);
      gradients.push_back(noise<T>(std::max<int64_t>(lengths[k], 0), 20 + k));
    }
    const int count = static_cast<int>(lengths.size());
    const int64_t space = grad_norm_workspace(n, count);
    for (bool each : {true, false}) {
      SCOPED_TRACE(std::to_string(count) + " segments, " + std::to_string(n) + (each ? "" : ", total only"));
      const auto run = [&](Stream s, const std::vector<const T*>& g, T* total, T* per_segment, T* work) {
        GradSegments<T> grads;
        for (size_t k = 0; k < lengths.size(); ++k)
          grads.add(lengths[k] < 0 ? nullptr : g[k], std::abs(lengths[k]));
        grad_norm(s, grads, total, each ? per_segment : nullptr, work);
      };
      std::vector<T> total(1), per_segment(lengths.size()), work(static_cast<size_t>(space) + 1);
      std::vector<const T*> pointers;
      for (const auto& gradient : gradients) pointers.push_back(gradient.data());
      run(Stream(), pointers, total.data(), per_segment.data(), work.data());
      std::list<In<T>> g;
      for (const auto& gradient : gradients) g.emplace_back(gradient, "gradient");
      const Out<T> sum(1, "total"), parts(each ? count : 0, "per segment");
      const Scratch<T> scratch(space, "workspace");
      run_all_orders(
          [&] {
            pointers.clear();
            for (const auto& gradient : g) pointers.push_back(gradient.data());
            run(stream(), pointers, sum.data(), parts.data(), scratch.data());
          },
          {.shuffles = 1, .shift = 1});
      const double relative = (std::sqrt(static_cast<double>(n)) + 8) * std::numeric_limits<T>::epsilon();
      expect_near(
          sum.values(), total, [&](size_t) { return relative * total[0]; }, "total");
      if (each)
        expect_near(
            parts.values(), per_segment, [&](size_t k) { return relative * per_segment[k]; }, "parts");
    }
  }
}

}  // namespace
}  // namespace duel::simt
