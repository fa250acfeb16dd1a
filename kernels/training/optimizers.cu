// Optimizer rules are functors made from options and StepState; one driver runs any of them over the arena.
#include "duel/kernels/training/optimizers.h"

#include <cmath>
#include <limits>
#include <vector>

#include "duel/kernels/base/lanes.cuh"
#include "duel/kernels/base/launch_cost.h"
#include "duel/kernels/base/parallel.h"

namespace duel::kernels {
namespace {

constexpr int64_t kStepGrain = 8192;   // host range
constexpr int64_t kNormGrain = 16384;  // host: one partial sum per so many gradient elements
constexpr int64_t kNormBlocks = 32;    // device: partial sums per segment

// A maker turns options and StepState into the rule of this step, on the host or inside a kernel. A rule maps
// (gradient, parameter, state a, state b) to the new parameter and updates the states that it has.

template <class T, bool kMomentum>
struct SgdRule {
  static constexpr bool kA = kMomentum, kB = false;
  T lr, decay, momentum, keep;
  bool nesterov;
  DUEL_HD T operator()(T g, T p, T& a, T&) const {
    g += decay * p;
    if constexpr (kMomentum) {
      a = momentum * a + keep * g;
      g = nesterov ? g + momentum * a : a;
    }
    return p - lr * g;
  }
};

template <class T, bool kMomentum>
struct SgdMaker {
  using Rule = SgdRule<T, kMomentum>;
  SgdOptions o;
  DUEL_HD Rule operator()(const StepState& s) const {
    const double keep = s.step <= 1 ? 1.0 : 1.0 - o.dampening;  // PyTorch's first buffer is the bare gradient
    return {T(s.lr), T(o.weight_decay), T(o.momentum), T(keep), o.nesterov};
  }
};

template <class T, bool kMomentum>
struct RmsPropRule {
  static constexpr bool kA = true, kB = kMomentum;
  T lr, decay, alpha, rest, eps, momentum;
  DUEL_HD T operator()(T g, T p, T& a, T& b) const {
    g += decay * p;
    a = alpha * a + rest * (g * g);
    T d = g / (std::sqrt(a) + eps);
    if constexpr (kMomentum) d = b = momentum * b + d;
    return p - lr * d;
  }
};

template <class T, bool kMomentum>
struct RmsPropMaker {
  using Rule = RmsPropRule<T, kMomentum>;
  RmsPropOptions o;
  DUEL_HD Rule operator()(const StepState& s) const {
    return {T(s.lr), T(o.weight_decay), T(o.alpha), T(1 - o.alpha), T(o.eps), T(o.momentum)};
  }
};

template <class T>
struct AdamRule {
  static constexpr bool kA = true, kB = true;
  T decay, keep;  // of p: into the gradient, and of itself (Adam: all, 1)
  T beta1, rest1, beta2, rest2, eps, step_size, root;  // lr / bias1, 1 / sqrt(bias2)
  DUEL_HD T operator()(T g, T p, T& m, T& v) const {
    g += decay * p;
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
    return keep * p - step_size * (m / (std::sqrt(v) * root + eps));
  }
};

template <class T>
struct AdamMaker {
  using Rule = AdamRule<T>;
  AdamOptions o;
  DUEL_HD Rule operator()(const StepState& s) const {
    return {T(o.decoupled_weight_decay ? 0 : o.weight_decay),
            T(o.decoupled_weight_decay ? 1 - s.lr * o.weight_decay : 1),
            T(o.beta1),
            T(1 - o.beta1),
            T(o.beta2),
            T(1 - o.beta2),
            T(o.eps),
            T(s.lr / s.bias1),
            T(1 / std::sqrt(s.bias2))};
  }
};

/// Twice Adam's step, less the one before, which the moments and the corrections of before give again.
template <class T>
struct OptimisticAdamRule {
  static constexpr bool kA = true, kB = true;
  AdamRule<T> adam;            // of twice the step's size
  T size_before, root_before;  // lr / bias1, 1 / sqrt(bias2) of the step before
  DUEL_HD T operator()(T g, T p, T& m, T& v) const {
    const T before = size_before * (m / (std::sqrt(v) * root_before + adam.eps));
    return adam(g, p, m, v) + before;
  }
};

template <class T>
struct OptimisticAdamMaker {
  using Rule = OptimisticAdamRule<T>;
  AdamOptions o;
  DUEL_HD Rule operator()(const StepState& s) const {
    Rule rule{AdamMaker<T>{o}(s), T(s.lr), T(1)};
    rule.adam.step_size = T(2 * (s.lr / s.bias1));
    if (s.step > 1) {  // before the first one the moments are 0
      const double done = static_cast<double>(s.step - 1);
      rule.size_before = T(s.lr / (1 - std::pow(o.beta1, done)));
      rule.root_before = T(1 / std::sqrt(1 - std::pow(o.beta2, done)));
    }
    return rule;
  }
};

/// Parameters rest.
template <class T>
struct RestRule {
  static constexpr bool kA = false, kB = false;
  DUEL_HD T operator()(T, T p, T&, T&) const { return p; }
};

template <class T>
struct RestMaker {
  using Rule = RestRule<T>;
  DUEL_HD Rule operator()(const StepState&) const { return {}; }
};

/// What follows the rule: clip and EMA.
template <class T>
struct Folded {
  T limit, ema_decay, ema_rest;
  DUEL_HD T clipped(T p) const {
    const T low = p < -limit ? -limit : p;
    return low > limit ? limit : low;
  }
  DUEL_HD T averaged(T ema, T p) const { return ema_decay * ema + ema_rest * p; }
};

template <class T>
struct FoldedMaker {
  T limit;
  double ema_decay;
  bool ema_warm_up;
  DUEL_HD Folded<T> operator()(const StepState& s) const {
    double decay = ema_decay;
    if (ema_warm_up) {
      const double most = (1.0 + s.step) / (10.0 + s.step);
      decay = most < decay ? most : decay;
    }
    return {limit, T(decay), T(1 - decay)};
  }
};

template <class T>
struct Arena {
  T *p, *a, *b, *ema;
};

DUEL_HD void advance(StepState* states, double beta1, double beta2, int count) {
  for (StepState* state = states; state < states + count; ++state) {
    state->step += 1;
    state->bias1 = 1 - std::pow(beta1, static_cast<double>(state->step));
    state->bias2 = 1 - std::pow(beta2, static_cast<double>(state->step));
  }
}

// Note [The watch for NaN and infinities]
// 0 x is 0 for a finite x and NaN otherwise. The sum of these over all that a step writes costs a few percent
// of the step where memory is the limit, needs no branch, and is 0 or NaN in whatever order it is added up.
// An element's values are added before they are multiplied: numbers whose sum overflows count as infinite. A
// gradient shows in the first moment; where a rule has none it is added too, as a rate of 0 or clipping may
// hide it.

/// 0 times all that a step wrote of one element.
template <class Rule, class T>
DUEL_HD T taint_of(T g, T p, T a, T b, T average) {
  T all = p + average;
  if constexpr (Rule::kA) all += a;
  if constexpr (Rule::kB) all += b;
  if constexpr (!Rule::kA) all += g;
  return T(0) * all;
}

/// Returns that sum: NaN if a parameter, moment, average or (without moments) gradient is not finite.
template <bool kGradient, bool kEma, class Rule, class T>
T step_run(int64_t n, const T* g, const Rule& given, const Folded<T>& folded, Arena<T> at) {
  const Rule rule = given;
  const Folded<T> f = folded;
  T *p = at.p, *a = at.a, *b = at.b, *ema = at.ema;
  T taint = 0;
  DUEL_SIMD_SUM(taint)
  for (int64_t i = 0; i < n; ++i) {
    T a_i = 0, b_i = 0, gradient = 0;
    if constexpr (kGradient) gradient = g[i];
    if constexpr (Rule::kA) a_i = a[i];
    if constexpr (Rule::kB) b_i = b[i];
    const T p_i = f.clipped(rule(gradient, p[i], a_i, b_i));
    p[i] = p_i;
    if constexpr (Rule::kA) a[i] = a_i;
    if constexpr (Rule::kB) b[i] = b_i;
    T average = 0;
    if constexpr (kEma) ema[i] = average = f.averaged(ema[i], p_i);
    taint += taint_of<Rule>(gradient, p_i, a_i, b_i, average);
  }
  return taint;
}

#if DUEL_DEVICE_CODE
constexpr int kStepUnroll = 4;

/// How a step's launch advances its state; null: it is advanced already.
struct Advance {
  StepState* state = nullptr;
  double beta1 = 0, beta2 = 0;
  unsigned* ticket = nullptr;
};

template <class Maker, class T>
__global__ void step_kernel(int64_t n, GradSegments<T> grads, Maker maker, const StepState* state,
                            FoldedMaker<T> folded_maker, Arena<T> at, int64_t* bad_step, Advance advance_by) {
  begin_kernel();
  using Rule = typename Maker::Rule;
  __shared__ StepState shared_state;
  if (threadIdx.x == 0) {
    shared_state = *state;
    if (advance_by.state != nullptr) advance(&shared_state, advance_by.beta1, advance_by.beta2, 1);
  }
  __syncthreads();
  const StepState now = shared_state;
  // The last block has the state to itself: all others have read it.
  if (advance_by.state != nullptr && last_block(gridDim.x, advance_by.ticket) && threadIdx.x == 0) {
    advance_by.state->step = now.step;
    advance_by.state->bias1 = now.bias1;
    advance_by.state->bias2 = now.bias2;
  }
  const Rule rule = maker(now);
  const Folded<T> folded = folded_maker(now);
  const int64_t this_step = now.step;
  T taint = 0;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * (kSumBlock * kStepUnroll) + threadIdx.x;
  T p[kStepUnroll], a[kStepUnroll] = {}, b[kStepUnroll] = {}, g[kStepUnroll] = {};
  int segment = 0;
#pragma unroll
  for (int u = 0; u < kStepUnroll; ++u) {
    const int64_t i = first + u * kSumBlock;
    if (i >= n) break;
    while (i >= grads.begin[segment + 1]) ++segment;
    const T* from = grads.pointer[segment];
    if (from != nullptr) g[u] = from[i - grads.begin[segment]];
    p[u] = at.p[i];
    if constexpr (Rule::kA) a[u] = at.a[i];
    if constexpr (Rule::kB) b[u] = at.b[i];
  }
#pragma unroll
  for (int u = 0; u < kStepUnroll; ++u) {
    const int64_t i = first + u * kSumBlock;
    if (i >= n) break;
    const T updated = folded.clipped(rule(g[u], p[u], a[u], b[u]));
    at.p[i] = updated;
    if constexpr (Rule::kA) at.a[i] = a[u];
    if constexpr (Rule::kB) at.b[i] = b[u];
    T average = 0;
    if (at.ema != nullptr) at.ema[i] = average = folded.averaged(at.ema[i], updated);
    taint += taint_of<Rule>(g[u], updated, a[u], b[u], average);
  }
  // Rarely taken; every writer writes the same number.
  if (bad_step != nullptr && taint != 0 && *bad_step == 0) *bad_step = this_step;
}

/// Block (c, k) sums the squares of every kNormBlocks-th stretch of segment k.
template <class T>
__global__ void norm_partial_kernel(GradSegments<T> grads, T* partial) {
  begin_kernel();
  const int k = static_cast<int>(blockIdx.y);
  const T* g = grads.pointer[k];
  const int64_t n = g != nullptr ? grads.begin[k + 1] - grads.begin[k] : 0;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const auto total = block_sum(strided_terms<1, T>(first, n, static_cast<int64_t>(gridDim.x) * blockDim.x,
                                                   [&](int64_t i) { return Terms<1, T>{{g[i] * g[i]}}; }));
  if (threadIdx.x == 0) partial[k * gridDim.x + blockIdx.x] = total.v[0];
}

template <class T>
__global__ void norm_combine_kernel(int count, const T* partial, T* total, T* per_segment) {
  begin_kernel();
  const int k = static_cast<int>(threadIdx.x);
  Terms<1, T> sum{};
  if (k < count) {
    for (int64_t c = 0; c < kNormBlocks; ++c) sum.v[0] += partial[k * kNormBlocks + c];
    if (per_segment != nullptr) per_segment[k] = std::sqrt(sum.v[0]);
  }
  const auto all = block_sum(sum);
  if (k == 0) *total = std::sqrt(all.v[0]);
}
#endif

DUEL_HD void read_factors(const StepState* states, double* factors, int count) {
  for (int k = 0; k < count; ++k) {
    factors[3 * k] = states[k].lr;
    factors[3 * k + 1] = states[k].lr / states[k].bias1;
    factors[3 * k + 2] = 1 / std::sqrt(states[k].bias2);
  }
}

#if DUEL_DEVICE_CODE
// Groups are few: one thread does them all.
__global__ void advance_step_kernel(StepState* states, double beta1, double beta2, int count) {
  begin_kernel();
  advance(states, beta1, beta2, count);
}
__global__ void factors_kernel(const StepState* states, double* factors, int count) {
  begin_kernel();
  read_factors(states, factors, count);
}
#endif

template <class T>
void check_segments(const char* op, const GradSegments<T>& grads) {
  DUEL_CHECK(grads.count >= 0 && grads.count <= kMaxSegments, op,
             "expected 0 to {} gradient segments, got {}", kMaxSegments, grads.count);
  DUEL_CHECK(grads.begin[0] == 0, op, "expected the first segment to begin at 0, got {}", grads.begin[0]);
  for (int k = 0; k < grads.count; ++k) {
    DUEL_CHECK(grads.begin[k + 1] >= grads.begin[k], op, "expected segments in order, got [{}, {})",
               grads.begin[k], grads.begin[k + 1]);
  }
}

template <class Maker, class T>
void step(const char* op, Stream stream, int64_t n, const GradSegments<T>& grads, const Maker& maker,
          const StepState* state, Arena<T> at, const UpdateExtras<T>& extras) {
  check_segments(op, grads);
  DUEL_CHECK(grads.begin[grads.count] == n, op, "expected segments that cover {} elements, got {}", n,
             grads.begin[grads.count]);
  DUEL_CHECK(extras.clip >= 0, op, "expected a clip value of at least 0 (0: none), got {}", extras.clip);
  DUEL_CHECK(extras.advanced == nullptr || extras.advanced == state, op,
             "expected the step's own state to advance");
  if (n == 0) {
    if (extras.advanced != nullptr) advance_step(stream, extras.advanced, extras.beta1, extras.beta2);
    return;
  }
  at.ema = extras.ema;
  const T limit = extras.clip > 0 ? static_cast<T>(extras.clip) : std::numeric_limits<T>::infinity();
  const FoldedMaker<T> folded_maker{limit, extras.ema_decay, extras.ema_warm_up};
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    Advance advance_by;
    if (extras.advanced != nullptr) {
      if (unsigned* ticket = tickets_for(stream, 1))
        advance_by = {extras.advanced, extras.beta1, extras.beta2, ticket};
      else
        advance_step(stream, extras.advanced, extras.beta1, extras.beta2);
    }
    using Rule = typename Maker::Rule;
    const int64_t per_block = kSumBlock * kStepUnroll,
                  kept = 1 + Rule::kA + Rule::kB + (at.ema != nullptr ? 1 : 0);
    announced_cost.bytes = n * static_cast<int64_t>(sizeof(T)) * (2 * kept + 1);
    launch(step_kernel<Maker, T>, dim3(static_cast<unsigned>((n + per_block - 1) / per_block)),
           dim3(kSumBlock), 0, stream, n, grads, maker, state, folded_maker, at, extras.bad_step, advance_by);
    return;
  }
#endif
  (void)stream;
  if (extras.advanced != nullptr) advance(extras.advanced, extras.beta1, extras.beta2, 1);
  const auto rule = maker(*state);
  const Folded<T> folded = folded_maker(*state);
  using Rule = std::decay_t<decltype(rule)>;
  std::vector<T> taints(static_cast<size_t>((n + kStepGrain - 1) / kStepGrain),
                        T(0));  // by range: begin / kStepGrain
  parallel_for(n, kStepGrain, [&](int64_t begin, int64_t end) {
    int k = 0;
    T taint = 0;
    for (int64_t i = begin; i < end;) {
      while (i >= grads.begin[k + 1]) ++k;
      const int64_t stop = end < grads.begin[k + 1] ? end : grads.begin[k + 1];
      const T* g = grads.pointer[k] != nullptr ? grads.pointer[k] + (i - grads.begin[k]) : nullptr;
      const Arena<T> part{at.p + i, Rule::kA ? at.a + i : nullptr, Rule::kB ? at.b + i : nullptr,
                          at.ema != nullptr ? at.ema + i : nullptr};
      const auto run =
          g != nullptr
              ? (at.ema != nullptr ? step_run<true, true, Rule, T> : step_run<true, false, Rule, T>)
              : (at.ema != nullptr ? step_run<false, true, Rule, T> : step_run<false, false, Rule, T>);
      taint += run(stop - i, g, rule, folded, part);
      i = stop;
    }
    taints[static_cast<size_t>(begin / kStepGrain)] = taint;
  });
  T taint = 0;
  for (const T range : taints) taint += range;
  if (extras.bad_step != nullptr && taint != 0 && *extras.bad_step == 0) *extras.bad_step = state->step;
}

}  // namespace

void advance_step(Stream stream, StepState* states, double beta1, double beta2, int count) {
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(advance_step_kernel, dim3(1), dim3(1), 0, stream, states, beta1, beta2, count);
    return;
  }
#endif
  (void)stream;
  advance(states, beta1, beta2, count);
}

void step_factors(Stream stream, const StepState* states, double* factors, int count) {
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(factors_kernel, dim3(1), dim3(1), 0, stream, states, factors, count);
    return;
  }
#endif
  (void)stream;
  read_factors(states, factors, count);
}

template <class T>
void sgd_step(Stream stream, int64_t n, const GradSegments<T>& grads, const SgdOptions& options,
              const StepState* state, T* parameters, std::type_identity_t<T>* velocity,
              const UpdateExtras<T>& extras) {
  DUEL_CHECK(!options.nesterov || (options.momentum > 0 && options.dampening == 0), "sgd",
             "expected momentum above 0 and no dampening with nesterov, got momentum {} and dampening {}",
             options.momentum, options.dampening);
  const Arena<T> at{parameters, velocity, nullptr, nullptr};
  if (options.momentum != 0) {
    DUEL_CHECK(velocity != nullptr || n == 0, "sgd", "expected a velocity buffer with momentum {}, got none",
               options.momentum);
    step("sgd", stream, n, grads, SgdMaker<T, true>{options}, state, at, extras);
  } else {
    step("sgd", stream, n, grads, SgdMaker<T, false>{options}, state, at, extras);
  }
}

template <class T>
void rmsprop_step(Stream stream, int64_t n, const GradSegments<T>& grads, const RmsPropOptions& options,
                  const StepState* state, T* parameters, T* square, std::type_identity_t<T>* velocity,
                  const UpdateExtras<T>& extras) {
  const Arena<T> at{parameters, square, velocity, nullptr};
  if (options.momentum != 0) {
    DUEL_CHECK(velocity != nullptr || n == 0, "rmsprop",
               "expected a velocity buffer with momentum {}, got none", options.momentum);
    step("rmsprop", stream, n, grads, RmsPropMaker<T, true>{options}, state, at, extras);
  } else {
    step("rmsprop", stream, n, grads, RmsPropMaker<T, false>{options}, state, at, extras);
  }
}

template <class T>
void adam_step(Stream stream, int64_t n, const GradSegments<T>& grads, const AdamOptions& options,
               const StepState* state, T* parameters, T* m, T* v, const UpdateExtras<T>& extras) {
  const Arena<T> at{parameters, m, v, nullptr};
  if (options.optimistic)
    step("adam", stream, n, grads, OptimisticAdamMaker<T>{options}, state, at, extras);
  else
    step("adam", stream, n, grads, AdamMaker<T>{options}, state, at, extras);
}

template <class T>
void average_step(Stream stream, int64_t n, const StepState* state, T* parameters,
                  const UpdateExtras<T>& extras) {
  GradSegments<T> none;
  none.add(nullptr, n);
  step("average", stream, n, none, RestMaker<T>{}, state, Arena<T>{parameters, nullptr, nullptr, nullptr},
       extras);
}

int64_t grad_norm_workspace(int64_t n, int count) {
  const int64_t host = n / kNormGrain + count, device = kNormBlocks * count;
  return host > device ? host : device;
}

template <class T>
void grad_norm(Stream stream, const GradSegments<T>& grads, T* total, std::type_identity_t<T>* per_segment,
               T* workspace) {
  check_segments("grad_norm", grads);
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    if (grads.count > 0) {
      launch(norm_partial_kernel<T>, dim3(kNormBlocks, static_cast<unsigned>(grads.count)), dim3(kSumBlock),
             0, stream, grads, workspace);
    }
    launch(norm_combine_kernel<T>, dim3(1), dim3(kSumBlock), 0, stream, grads.count, workspace, total,
           per_segment);
    return;
  }
#endif
  (void)stream;
  double all = 0;
  for (int k = 0; k < grads.count; ++k) {
    const T* g = grads.pointer[k];
    const int64_t n = g != nullptr ? grads.begin[k + 1] - grads.begin[k] : 0;
    parallel_for(n, kNormGrain, [&](int64_t begin, int64_t end) {
      LaneSums<1, T> sums;
      const T* from = g + begin;
      sums.add(end - begin, [=](int64_t i) { return Terms<1, T>{{from[i] * from[i]}}; });
      workspace[begin / kNormGrain] = sums.fold().v[0];
    });
    double segment = 0;
    for (int64_t r = 0; r < (n + kNormGrain - 1) / kNormGrain; ++r)
      segment += static_cast<double>(workspace[r]);
    if (per_segment != nullptr) per_segment[k] = static_cast<T>(std::sqrt(segment));
    all += segment;
  }
  *total = static_cast<T>(std::sqrt(all));
}

#define DUEL_DEFINE_OPTIMIZERS(T)                                                                            \
  template void sgd_step(Stream, int64_t, const GradSegments<T>&, const SgdOptions&, const StepState*, T*,   \
                         T*, const UpdateExtras<T>&);                                                        \
  template void rmsprop_step(Stream, int64_t, const GradSegments<T>&, const RmsPropOptions&,                 \
                             const StepState*, T*, T*, T*, const UpdateExtras<T>&);                          \
  template void adam_step(Stream, int64_t, const GradSegments<T>&, const AdamOptions&, const StepState*, T*, \
                          T*, T*, const UpdateExtras<T>&);                                                   \
  template void average_step(Stream, int64_t, const StepState*, T*, const UpdateExtras<T>&);                 \
  template void grad_norm(Stream, const GradSegments<T>&, T*, T*, T*);
DUEL_DEFINE_OPTIMIZERS(float)
DUEL_DEFINE_OPTIMIZERS(double)

}  // namespace duel::kernels
