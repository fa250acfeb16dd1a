// How element-wise ops call kernels: fresh output, dtype dispatch, broadcasting. Internal to core/ops/.
#pragma once

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/kernels/map/elementwise.h"
#include "duel/kernels/map/functors.h"

namespace duel::detail {

inline std::span<const int64_t> sizes(const Tensor& x) {
  return {x.shape().begin(), static_cast<size_t>(x.rank())};
}

/// y = f(x), unrecorded.
template <class F>
Tensor unary(const char* op, const Tensor& x, F f) {
  Tensor y = Tensor::empty(x.shape(), x.options());
  DUEL_DISPATCH(x.dtype(), op,
                kernels::unary<F, T>(stream_of(x.device()), x.numel(), x.data<T>(), y.mutable_data<T>(), f));
  return y;
}

inline void check_same_kind(const char* op, const Tensor& a, const Tensor& b) {
  DUEL_CHECK(a.dtype() == b.dtype(), op, "expected one dtype, got {} and {}", to_text(a), to_text(b));
  check_same_device(op, a, b);
}

/// y = f(a, b) with broadcasting, unrecorded.
template <class F>
Tensor binary(const char* op, const Tensor& a, const Tensor& b, F f = {}) {
  check_same_kind(op, a, b);
  Tensor y = Tensor::empty(broadcast_shapes(op, a.shape(), b.shape()), a.options());
  const auto plan = kernels::make_broadcast(sizes(y), sizes(a), sizes(b));
  DUEL_DISPATCH(
      a.dtype(), op,
      kernels::binary<F, T>(stream_of(a.device()), plan, a.data<T>(), b.data<T>(), y.mutable_data<T>(), f));
  return y;
}

}  // namespace duel::detail
