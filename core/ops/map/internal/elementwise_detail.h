// How element-wise ops call kernels: fresh output, dtype dispatch, broadcasting. Internal to core/ops/.
#pragma once

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/core/tensor/internal/with_type.h"
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

/// y = f(a, b) with broadcasting into y, which may be a; unrecorded.
template <class F, class T>
void binary_into(const Tensor& a, const Tensor& b, const Tensor& y, F f = {}) {
  const auto plan = kernels::make_broadcast(sizes(y), sizes(a), sizes(b));
  kernels::binary<F, T>(stream_of(a.device()), plan, a.data<T>(), b.data<T>(), y.mutable_data<T>(), f);
}

/// y = f(a, b) with broadcasting, unrecorded.
template <class F>
Tensor binary(const char* op, const Tensor& a, const Tensor& b, F f = {}) {
  check_same_kind(op, a, b);
  Tensor y = Tensor::empty(broadcast_shapes(op, a.shape(), b.shape()), a.options());
  DUEL_DISPATCH(a.dtype(), op, binary_into<F, T>(a, b, y, f));
  return y;
}

/// The same where f also takes integers.
template <class F>
Tensor number_binary(const char* op, const Tensor& a, const Tensor& b, F f = {}) {
  if (a.dtype() != DType::i64) return binary(op, a, b, f);
  check_same_kind(op, a, b);
  Tensor y = Tensor::empty(broadcast_shapes(op, a.shape(), b.shape()), a.options());
  binary_into<F, int64_t>(a, b, y, f);
  return y;
}

/// u8 of f(a, b), unrecorded.
template <class F>
Tensor comparison(const char* op, const Tensor& a, const Tensor& b, F f = {}) {
  check_same_kind(op, a, b);
  Tensor y = Tensor::empty(broadcast_shapes(op, a.shape(), b.shape()), {DType::u8, a.device()});
  const auto plan = kernels::make_broadcast(sizes(y), sizes(a), sizes(b));
  with_type(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::compare<F, T>(stream_of(a.device()), plan, a.data<T>(), b.data<T>(), y.mutable_data<uint8_t>(),
                           f);
  });
  return y;
}

}  // namespace duel::detail
