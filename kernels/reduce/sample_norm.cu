// Per-sample norms: rows are independent; a host range holds whole rows, a device block one row.
#include "duel/kernels/reduce/sample_norm.h"

#include <cmath>

#include "duel/kernels/base/lanes.cuh"
#include "duel/kernels/base/parallel.h"

namespace duel::kernels {
namespace {

/// Rows per host range: about 16 k elements.
int64_t row_grain(int64_t m) { return m >= 16384 ? 1 : 16384 / (m < 1 ? 1 : m); }

template <class T>
struct NormOfSum {
  T eps;
  DUEL_HD T operator()(T sum) const { return std::sqrt(sum + eps); }
};

/// a / n, and 0 where the norm is 0.
template <class T>
DUEL_HD T over_norm(T a, T n) {
  return n == T(0) ? T(0) : a / n;
}

/// g/n * (gg - u <gg, u>) with u = x/n: divided before multiplying, so that 1/n^2 is never formed.
template <class T>
struct SecondBackward {
  T g_over_n, inverse, projection;  // g/n, 1/n, <gg, x>/n; all 0 for a zero norm
  DUEL_HD T operator()(T x, T gg) const { return g_over_n * (gg - (x * inverse) * projection); }
};

template <class T>
DUEL_HD SecondBackward<T> second_backward(T g, T n, T dot) {
  return {over_norm(g, n), over_norm(T(1), n), over_norm(dot, n)};
}

/// What lies above or beside the target: n - k.
template <class T>
struct Excess {
  T k;
  bool one_sided;
  DUEL_HD T operator()(T n) const {
    const T excess = n - k;
    return one_sided && excess <= T(0) ? T(0) : excess;  // NaN stays
  }
};

#if DUEL_DEVICE_CODE
/// By one block: the penalty of all norms.
template <class T>
__device__ void penalty_of_norms(int64_t batch, const T* n, const Excess<T>& excess, T weight, T each,
                                 T* value, T* slope, T* mean_norm, const PenaltyExtras<T>& extras) {
  const auto sums = block_sum(strided_terms<2, T>(threadIdx.x, batch, blockDim.x, [&](int64_t b) {
    const T e = excess(n[b]);
    slope[b] = T(2) * e * each;
    return Terms<2, T>{{e * e, n[b]}};
  }));
  if (threadIdx.x == 0) {
    *value = weight * (sums.v[0] / static_cast<T>(batch));
    *mean_norm = sums.v[1] / static_cast<T>(batch);
    if (extras.total != nullptr) *extras.total = *extras.base + *value;
  }
}

/// One block per row; the last one takes the penalty. Without a ticket the next kernel does.
template <class T>
__global__ void norm_penalty_kernel(int64_t m, const T* x, Excess<T> excess, T weight, T each, T* n, T* value,
                                    T* slope, T* mean_norm, PenaltyExtras<T> extras, unsigned* ticket) {
  begin_kernel();
  const T* row = x + static_cast<int64_t>(blockIdx.x) * m;
  const auto sum = block_sum(strided_terms<1, T>(threadIdx.x, m, blockDim.x,
                                                 [&](int64_t i) { return Terms<1, T>{{row[i] * row[i]}}; }));
  const T norm = NormOfSum<T>{T(0)}(sum.v[0]);
  if (threadIdx.x == 0) n[blockIdx.x] = norm;
  if (extras.dx != nullptr) {
    const T factor = over_norm(T(2) * excess(norm) * each, norm);
    T* dx = extras.dx + static_cast<int64_t>(blockIdx.x) * m;
    for (int64_t i = threadIdx.x; i < m; i += blockDim.x) dx[i] = factor * row[i];
  }
  if (ticket == nullptr || !last_block(gridDim.x, ticket)) return;
  penalty_of_norms(gridDim.x, n, excess, weight, each, value, slope, mean_norm, extras);
}

template <class T>
__global__ void penalty_kernel(int64_t batch, const T* n, Excess<T> excess, T weight, T each, T* value,
                               T* slope, T* mean_norm, PenaltyExtras<T> extras) {
  begin_kernel();
  penalty_of_norms(batch, n, excess, weight, each, value, slope, mean_norm, extras);
}

template <class T>
__global__ void sample_norm_kernel(int64_t m, const T* x, T eps, T* n) {
  begin_kernel();
  const T* row = x + static_cast<int64_t>(blockIdx.x) * m;
  const auto sum = block_sum(strided_terms<1, T>(threadIdx.x, m, blockDim.x,
                                                 [&](int64_t i) { return Terms<1, T>{{row[i] * row[i]}}; }));
  if (threadIdx.x == 0) n[blockIdx.x] = NormOfSum<T>{eps}(sum.v[0]);
}

template <class T>
__global__ void sample_norm_backward_kernel(int64_t m, const T* x, const T* n, const T* g, T* dx) {
  begin_kernel();
  const int64_t at = static_cast<int64_t>(blockIdx.x) * m;
  const T factor = over_norm(g[blockIdx.x], n[blockIdx.x]);
  for (int64_t i = threadIdx.x; i < m; i += blockDim.x) dx[at + i] = factor * x[at + i];
}

template <class T>
__global__ void sample_norm_double_backward_kernel(int64_t m, const T* x, const T* n, const T* g, const T* gg,
                                                   T* d_g, T* d_x) {
  begin_kernel();
  const int64_t at = static_cast<int64_t>(blockIdx.x) * m;
  const auto dot = block_sum(strided_terms<1, T>(
      threadIdx.x, m, blockDim.x, [&](int64_t i) { return Terms<1, T>{{gg[at + i] * x[at + i]}}; }));
  const auto formula = second_backward(g[blockIdx.x], n[blockIdx.x], dot.v[0]);
  if (threadIdx.x == 0 && d_g != nullptr) d_g[blockIdx.x] = formula.projection;
  if (d_x == nullptr) return;
  for (int64_t i = threadIdx.x; i < m; i += blockDim.x) d_x[at + i] = formula(x[at + i], gg[at + i]);
}
#endif

void check(const char* op, int64_t batch, int64_t m) {
  DUEL_CHECK(batch >= 0 && m >= 0, op, "expected sizes of at least 0, got batch {} and row length {}", batch,
             m);
}

}  // namespace

template <class T>
void sample_norm(Stream stream, int64_t batch, int64_t m, const T* x, std::type_identity_t<T> eps, T* n) {
  check("sample_norm", batch, m);
  DUEL_CHECK(eps >= 0, "sample_norm", "expected eps of at least 0, got {}", eps);
  if (batch == 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(sample_norm_kernel<T>, dim3(static_cast<unsigned>(batch)), dim3(kSumBlock), 0, stream, m, x, eps,
           n);
    return;
  }
#endif
  (void)stream;
  parallel_for(batch, row_grain(m), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const T* row = x + b * m;
      LaneSums<1, T> sums;
      sums.add(m, [=](int64_t i) { return Terms<1, T>{{row[i] * row[i]}}; });
      n[b] = NormOfSum<T>{eps}(sums.fold().v[0]);
    }
  });
}

template <class T>
void sample_norm_backward(Stream stream, int64_t batch, int64_t m, const T* x, const T* n, const T* g,
                          T* dx) {
  check("sample_norm_backward", batch, m);
  if (batch == 0 || m == 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(sample_norm_backward_kernel<T>, dim3(static_cast<unsigned>(batch)), dim3(kSumBlock), 0, stream, m,
           x, n, g, dx);
    return;
  }
#endif
  (void)stream;
  parallel_for(batch, row_grain(m), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const T factor = over_norm(g[b], n[b]);
      const T* row = x + b * m;
      T* out = dx + b * m;
      DUEL_SIMD
      for (int64_t i = 0; i < m; ++i) out[i] = factor * row[i];
    }
  });
}

template <class T>
void sample_norm_double_backward(Stream stream, int64_t batch, int64_t m, const T* x, const T* n, const T* g,
                                 const T* gg, std::type_identity_t<T>* d_g, std::type_identity_t<T>* d_x) {
  check("sample_norm_double_backward", batch, m);
  if (batch == 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(sample_norm_double_backward_kernel<T>, dim3(static_cast<unsigned>(batch)), dim3(kSumBlock), 0,
           stream, m, x, n, g, gg, d_g, d_x);
    return;
  }
#endif
  (void)stream;
  parallel_for(batch, row_grain(m), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const T* row = x + b * m;
      const T* v = gg + b * m;
      LaneSums<1, T> dot;
      dot.add(m, [=](int64_t i) { return Terms<1, T>{{v[i] * row[i]}}; });
      const auto formula = second_backward(g[b], n[b], dot.fold().v[0]);
      if (d_g != nullptr) d_g[b] = formula.projection;
      if (d_x == nullptr) continue;
      T* out = d_x + b * m;
      DUEL_SIMD
      for (int64_t i = 0; i < m; ++i) out[i] = formula(row[i], v[i]);
    }
  });
}

template <class T>
void norm_penalty(Stream stream, int64_t batch, int64_t m, const T* x, const NormTarget& target,
                  double weight, T* n, T* value, T* slope, T* mean_norm, const PenaltyExtras<T>& extras) {
  check("norm_penalty", batch, m);
  DUEL_CHECK(batch >= 1, "norm_penalty", "expected at least one sample, got {}", batch);
  DUEL_CHECK((extras.base == nullptr) == (extras.total == nullptr), "norm_penalty",
             "expected a base and a place for the total, or neither");
  const Excess<T> excess{T(target.k), target.one_sided};
  const T w = T(weight), each = w / static_cast<T>(batch);
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    unsigned* const ticket = tickets_for(stream, 1);
    launch(norm_penalty_kernel<T>, dim3(static_cast<unsigned>(batch)), dim3(kSumBlock), 0, stream, m, x,
           excess, w, each, n, value, slope, mean_norm, extras, ticket);
    if (ticket == nullptr)
      launch(penalty_kernel<T>, dim3(1), dim3(kSumBlock), 0, stream, batch, n, excess, w, each, value, slope,
             mean_norm, extras);
    return;
  }
#endif
  sample_norm(stream, batch, m, x, T(0), n);
  LaneSums<2, T> sums;
  sums.add(batch, [=](int64_t b) {
    const T e = excess(n[b]);
    slope[b] = T(2) * e * each;
    return Terms<2, T>{{e * e, n[b]}};
  });
  const auto total = sums.fold();
  *value = w * (total.v[0] / static_cast<T>(batch));
  *mean_norm = total.v[1] / static_cast<T>(batch);
  if (extras.total != nullptr) *extras.total = *extras.base + *value;
  if (extras.dx != nullptr) sample_norm_backward(stream, batch, m, x, n, slope, extras.dx);
}

#define DUEL_DEFINE_SAMPLE_NORM(T)                                                                          \
  template void norm_penalty(Stream, int64_t, int64_t, const T*, const NormTarget&, double, T*, T*, T*, T*, \
                             const PenaltyExtras<T>&);                                                      \
  template void sample_norm(Stream, int64_t, int64_t, const T*, T, T*);                                     \
  template void sample_norm_backward(Stream, int64_t, int64_t, const T*, const T*, const T*, T*);           \
  template void sample_norm_double_backward(Stream, int64_t, int64_t, const T*, const T*, const T*,         \
                                            const T*, T*, T*);
DUEL_DEFINE_SAMPLE_NORM(float)
DUEL_DEFINE_SAMPLE_NORM(double)

}  // namespace duel::kernels
