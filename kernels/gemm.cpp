// Matrix products on the host: a plain loop, one range per block of rows.
#include "duel/kernels/gemm.h"

#include <algorithm>

#include "duel/kernels/parallel.h"

namespace duel::kernels {
namespace {

template <class T>
void product(const char* op, Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
             T alpha, const T* a, const T* b, T beta, const T* bias, T* c) {
  DUEL_CHECK(!stream.on_device(), op, "expected a host stream: no CUDA kernel in this build");
  DUEL_CHECK(m >= 0 && n >= 0 && k >= 0, op, "expected sizes >= 0, got m {}, n {}, k {}", m, n, k);
  if (m == 0 || n == 0) return;
  DUEL_CHECK(c != nullptr && (k == 0 || (a != nullptr && b != nullptr)), op,
             "expected arrays, got a null pointer");
  parallel_for(m, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* row = c + i * n;
      for (int64_t j = 0; j < n; ++j) row[j] = bias ? bias[j] : beta == T(0) ? T(0) : beta * row[j];
      for (int64_t p = 0; p < k; ++p) {
        const T left = alpha * (trans_a ? a[p * m + i] : a[i * k + p]);
        if (trans_b) {
          for (int64_t j = 0; j < n; ++j) row[j] += left * b[j * k + p];
        } else {
          for (int64_t j = 0; j < n; ++j) row[j] += left * b[p * n + j];
        }
      }
    }
  });
}

}  // namespace

template <class T>
size_t gemm_workspace(bool, bool, int64_t, int64_t, int64_t) {
  return 0;
}

template <class T>
void gemm(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          const T* b, T beta, T* c, void*) {
  product<T>("gemm", stream, trans_a, trans_b, m, n, k, alpha, a, b, beta, nullptr, c);
}

template <class T>
void gemm_bias(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const T* a,
               const T* b, const T* bias, T* c, void*) {
  product<T>("gemm_bias", stream, trans_a, trans_b, m, n, k, T(1), a, b, T(0), bias, c);
}

#define DUEL_INSTANTIATE(T)                                                                                  \
  template size_t gemm_workspace<T>(bool, bool, int64_t, int64_t, int64_t);                                  \
  template void gemm<T>(Stream, bool, bool, int64_t, int64_t, int64_t, T, const T*, const T*, T, T*, void*); \
  template void gemm_bias<T>(Stream, bool, bool, int64_t, int64_t, int64_t, const T*, const T*, const T*,    \
                             T*, void*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels
