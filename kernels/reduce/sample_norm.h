// Per-sample L2 norm of a matrix [batch, m], with its first and second backward: what gradient penalties
// are made of (one norm per sample, never one per batch).
//
// Safe at zero: where the norm is 0 both backwards give 0, never NaN. eps (inside the root) may be 0.
// Limits: plain sums of squares, so inputs beyond about sqrt(max) overflow. One row is summed by one thread
// with fixed lanes: same bits for any number of threads.
//
// Example:
//   sample_norm(Stream(), 64, 784, x, 0.0f, n);                        // n[b] = |x_b|
//   sample_norm_backward(Stream(), 64, 784, x, n, g, dx);              // dx_b = g_b x_b / n_b
#pragma once

#include <cstdint>
#include <type_traits>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// n[b] = sqrt(sum_j x[b, j]^2 + eps), x [batch, m], n [batch].
template <class T>
void sample_norm(Stream stream, int64_t batch, int64_t m, const T* x, std::type_identity_t<T> eps, T* n);

/// dx[b, j] = g[b] x[b, j] / n[b], 0 where n[b] == 0. n as written by sample_norm; dx may be x.
template <class T>
void sample_norm_backward(Stream stream, int64_t batch, int64_t m, const T* x, const T* n, const T* g, T* dx);

/// Backward of sample_norm_backward. gg [batch, m] is the cotangent of its dx:
///   d_g[b] = <gg_b, x_b> / n_b
///   d_x[b] = g_b / n_b * (gg_b - x_b <gg_b, x_b> / n_b^2)
/// both 0 where n[b] == 0. Either output may be null; d_x may be gg.
template <class T>
void sample_norm_double_backward(Stream stream, int64_t batch, int64_t m, const T* x, const T* n, const T* g,
                                 const T* gg, std::type_identity_t<T>* d_g, std::type_identity_t<T>* d_x);

/// What a penalty makes of norms: (n - k)^2, or max(0, n - k)^2 where it is one-sided.
struct NormTarget {
  double k = 1;
  bool one_sided = false;
};

/// What else norm_penalty() makes in its launch, each where it is not null: dx [batch, m], the penalty's gradient in x, and
/// *total = *base + *value.
template <class T>
struct PenaltyExtras {
  T* dx = nullptr;
  const T* base = nullptr;
  T* total = nullptr;
};

/// One launch from gradients to a penalty: n [batch] the norms of x's rows, *value = weight mean (n - k)^2, slope [batch]
/// its derivatives by n, *mean_norm = mean n. batch is at least 1. Without tickets a second launch.
template <class T>
void norm_penalty(Stream stream, int64_t batch, int64_t m, const T* x, const NormTarget& target,
                  double weight, T* n, T* value, T* slope, T* mean_norm, const PenaltyExtras<T>& extras = {});

}  // namespace duel::kernels
