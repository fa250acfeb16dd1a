// What becomes of the results of a product, a convolution or a norm before they are stored, so that it needs no launch of
// its own:
//
//   r[i] = the result, its bias added
//   r[i] = r[i] * f'(slope_at[i])    with slope_at: the result is a gradient that goes on through f, which was taken of slope_at
//   c[i] = r[i]                      c may be null where value is given
//   value[i] = f(r[i])               with value: the layer's activation beside what it was taken of
//
// at most one of slope_at and value.
//
// Own device kernels do it in the same launch. On the host, and after a library, finish_results() follows: the same bits as
// by kernels/map/activations.h.
//
// Example: h = leaky_relu(x w^T + bias), and x w^T + bias for the backward
//   gemm_bias<float>(stream, false, true, 64, 256, 784, x, w, bias, before, workspace, {.f = LeakyRelu{0.2}, .value = h});
#pragma once

#include "duel/kernels/map/activations.h"

namespace duel::kernels {

template <class T>
struct Finish {
  Activation f = {};
  const T* slope_at = nullptr;
  T* value = nullptr;
};

/// Applies slope_at and value of `finish` to n results that lie in c, or in value where c is null.
template <class T>
void finish_results(Stream stream, int64_t n, T* c, const Finish<T>& finish);

/// Error that names `op` where the parts of `finish` do not go together.
template <class T>
void check_finish(const char* op, const T* c, const Finish<T>& finish);

#if DUEL_DEVICE_CODE
/// One result through slope_at and value of `finish`, at offset `at` of c (null: only value is wanted); kSmooth: as in
/// Activation::visit.
template <bool kSmooth = true, class T>
__device__ __forceinline__ void store_one(T* c, const Finish<T>& finish, int64_t at, T r) {
  if (finish.slope_at) {
    const T x = finish.slope_at[at];
    finish.f.template visit<kSmooth>([&](const auto& f) { r = r * f.first(x); });
  }
  if (c) c[at] = r;
  if (finish.value) {
    finish.f.template visit<kSmooth>([&](const auto& f) { r = f.value(r); });
    finish.value[at] = r;
  }
}
#endif

}  // namespace duel::kernels
