// Optimizer steps over a flat arena of parameters: SGD, RMSProp, Adam with PyTorch's formulas and defaults, and
// Optimistic Adam.
// Parameters, moments and the optional EMA copy are flat arrays [n]; gradients come as segments, so no copy
// into an arena is needed. Weight clipping, EMA and the watch for NaN and infinities are
// folded into the one pass.
//
// Note [Graph-safe steps]
// Step count and learning rate are read from a StepState in memory of the stream's device, and advance_step
// changes it there: a captured CUDA graph advances by itself. Call advance_step once per step, before the
// update, and never twice for the parts of one arena. Where an arena is updated by one call, that call can do it:
// UpdateExtras::advanced.
//
// Limits: at most kMaxSegments gradients per call. An arena with more is updated by several calls on
// consecutive parts of it (pointers + offset), all with the same StepState.
//
// Example:
//   StepState state{.lr = 2e-4};
//   GradSegments<float> grads; grads.add(g0, 100); grads.add(nullptr, 10);
//   AdamOptions adam{.beta1 = 0.5};
//   advance_step(Stream(), &state, adam.beta1, adam.beta2);
//   adam_step(Stream(), 110, grads, adam, &state, parameters, m, v);
#pragma once

#include <cstdint>
#include <type_traits>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

inline constexpr int kMaxSegments = 64;

/// Gradients of an arena: segment k covers the elements begin[k] .. begin[k+1]; begin[0] is 0 and
/// begin[count] the arena's size. A null pointer means a gradient of zeros. Passed to kernels by value (about
/// 1 KB).
template <class T>
struct GradSegments {
  int count = 0;
  const T* pointer[kMaxSegments] = {};
  int64_t begin[kMaxSegments + 1] = {};

  /// Appends a segment of `size` elements; an Error when all kMaxSegments are taken.
  void add(const T* gradient, int64_t size) {
    DUEL_CHECK(count < kMaxSegments, "optimizer", "expected at most {} gradient segments per call",
               kMaxSegments);
    pointer[count] = gradient;
    begin[count + 1] = begin[count] + size;
    ++count;
  }
};

/// Lives where the stream works. lr is set by the owner; the rest belongs to advance_step.
struct StepState {
  int64_t step = 0;  ///< steps begun: 1 during the first update
  double lr = 0;
  double bias1 = 1;  ///< 1 - beta1^step
  double bias2 = 1;  ///< 1 - beta2^step
  /// the first step that read or wrote a NaN or an infinity; 0: none. See UpdateExtras::bad_step
  int64_t bad_step = 0;
};

/// step += 1 and the Adam corrections for it (betas of 0 for other optimizers), of `count` states: one for each
/// group of parameters with a rate of its own.
void advance_step(Stream stream, StepState* states, double beta1 = 0, double beta2 = 0, int count = 1);

/// What the rules make of a state, as numbers that ops can read: {lr, lr / bias1, 1 / sqrt(bias2)} of each of
/// `count` states, factors [count, 3]. After an advance_step; with betas of 0 both corrections are 1.
void step_factors(Stream stream, const StepState* states, double* factors, int count = 1);

struct SgdOptions {
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
};
struct RmsPropOptions {
  double alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0;
};
struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled_weight_decay =
      false;                ///< AdamW: p shrinks by lr weight_decay p, and the gradient has no part
  bool optimistic = false;  ///< the step twice, less the one before (Daskalakis et al. 2018)
};

/// What can be folded into any update.
template <class T>
struct UpdateExtras {
  double clip = 0;   ///< > 0: parameters end in [-clip, clip]
  T* ema = nullptr;  ///< [n]: ema = decay * ema + (1 - decay) * parameter, after clipping
  double ema_decay = 0;
  bool ema_warm_up = false;  ///< at step n the decay is at most (1 + n) / (10 + n)
  /// gets the step where a gradient, parameter, moment or average is not finite, if it is 0
  int64_t* bad_step = nullptr;
  /// Not null: the state (which is `state`) is advanced by these betas before the update, in the same launch, and
  /// advance_step is not called.
  StepState* advanced = nullptr;
  double beta1 = 0, beta2 = 0;
};

/// torch.optim.SGD. `velocity` [n] starts at zero and may be null when momentum is 0.
///   g += weight_decay p;  b = momentum b + (1 - dampening) g  (first step: b = g);
///   p -= lr (nesterov ? g + momentum b : b)
template <class T>
void sgd_step(Stream stream, int64_t n, const GradSegments<T>& grads, const SgdOptions& options,
              const StepState* state, T* parameters, std::type_identity_t<T>* velocity,
              const UpdateExtras<T>& extras = {});

/// torch.optim.RMSprop (not centered). `square` [n] starts at zero; `velocity` may be null when momentum is
/// 0.
///   s = alpha s + (1 - alpha) g^2;  d = g / (sqrt(s) + eps);  momentum: b = momentum b + d, p -= lr b
template <class T>
void rmsprop_step(Stream stream, int64_t n, const GradSegments<T>& grads, const RmsPropOptions& options,
                  const StepState* state, T* parameters, T* square, std::type_identity_t<T>* velocity,
                  const UpdateExtras<T>& extras = {});

/// torch.optim.Adam (Kingma & Ba 2014; eps outside the root, after the bias correction; weight decay in the
/// gradient) and torch.optim.AdamW (Loshchilov & Hutter 2017, arXiv:1711.05101: decoupled weight decay). m, v
/// [n] start at zero. advance_step must have been given the same betas.
///   Adam: g += weight_decay p;  AdamW: p *= 1 - lr weight_decay
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   u = m / bias1 / (sqrt(v) / sqrt(bias2) + eps);  p -= lr u
/// Optimistic Adam (Daskalakis et al. 2018, arXiv:1711.00141, algorithm 1): with u of the step before, 0 at the first
///   p -= 2 lr u - lr u_before
/// It needs no memory beyond Adam's: u_before is what m and v were.
template <class T>
void adam_step(Stream stream, int64_t n, const GradSegments<T>& grads, const AdamOptions& options,
               const StepState* state, T* parameters, T* m, T* v, const UpdateExtras<T>& extras = {});

/// Only the average moves: what frozen parameters [n] take part in.
template <class T>
void average_step(Stream stream, int64_t n, const StepState* state, T* parameters,
                  const UpdateExtras<T>& extras);

/// Scratch elements (of T) that grad_norm needs for n gradient elements in `count` segments.
int64_t grad_norm_workspace(int64_t n, int count);

/// *total = L2 norm over all segments; per_segment [count] (may be null) the norm of each. Null gradients
/// count as zeros.
template <class T>
void grad_norm(Stream stream, const GradSegments<T>& grads, T* total, std::type_identity_t<T>* per_segment,
               T* workspace);

}  // namespace duel::kernels
