// Comparisons: a kernel for each of >, >=, ==, !=; the others exchange the operands.
#include "duel/core/ops/map/comparison.h"

#include <cmath>
#include <limits>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/internal/elementwise_detail.h"

namespace duel {

using detail::comparison;

Tensor greater(const Tensor& a, const Tensor& b) {
  return record("greater", comparison<kernels::IsGreater>("greater", a, b), {}, {}, {});
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return record("greater_equal", comparison<kernels::IsGreaterEqual>("greater_equal", a, b), {}, {}, {});
}
Tensor less(const Tensor& a, const Tensor& b) {
  return record("less", comparison<kernels::IsGreater>("less", b, a), {}, {}, {});
}
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return record("less_equal", comparison<kernels::IsGreaterEqual>("less_equal", b, a), {}, {}, {});
}
Tensor equal(const Tensor& a, const Tensor& b) {
  return record("equal", comparison<kernels::IsEqual>("equal", a, b), {}, {}, {});
}
Tensor not_equal(const Tensor& a, const Tensor& b) {
  return record("not_equal", comparison<kernels::IsNotEqual>("not_equal", a, b), {}, {}, {});
}

namespace {
template <class F>
Tensor logical(const char* op, const Tensor& a, const Tensor& b) {
  detail::check_same_kind(op, a, b);
  DUEL_CHECK(a.dtype() == DType::u8, op, "expected tensors of u8, as comparisons give them, got {}",
             to_text(a));
  Tensor y = Tensor::empty(broadcast_shapes(op, a.shape(), b.shape()), a.options());
  const auto plan = kernels::make_broadcast(detail::sizes(y), detail::sizes(a), detail::sizes(b));
  kernels::compare<F, uint8_t>(stream_of(a.device()), plan, a.data<uint8_t>(), b.data<uint8_t>(),
                               y.mutable_data<uint8_t>());
  return record(op, y, {}, {}, {});
}
}  // namespace

Tensor logical_and(const Tensor& a, const Tensor& b) { return logical<kernels::And>("logical_and", a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return logical<kernels::Or>("logical_or", a, b); }
Tensor logical_xor(const Tensor& a, const Tensor& b) { return logical<kernels::Xor>("logical_xor", a, b); }
Tensor logical_not(const Tensor& a) { return equal(a, scalar_like(a, 0.0)); }

Tensor isnan(const Tensor& x) { return not_equal(x, x); }
Tensor isinf(const Tensor& x) {
  if (!is_floating(x.dtype())) return not_equal(x, x);
  return equal(abs(x.detach()), scalar_like(x, INFINITY));
}
Tensor isfinite(const Tensor& x) {
  if (!is_floating(x.dtype())) return equal(x, x);
  return less(abs(x.detach()), scalar_like(x, INFINITY));
}

Tensor scalar_like(const Tensor& x, double value) {
  const double largest = x.dtype() == DType::u8 ? 255.0 : 0x1p53,
               least = x.dtype() == DType::u8 ? 0.0 : -largest;
  DUEL_CHECK(is_floating(x.dtype()) || (std::trunc(value) == value && value >= least && value <= largest),
             "scalar", "expected an integer from {} to {} beside {}, got {}", least, largest, to_text(x),
             value);
  return Tensor::full({}, value, x.options());
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  detail::check_same_kind("where", a, b);
  if (condition.dtype() != DType::u8) {
    detail::check_same_kind("where", condition, a);
    return where(not_equal(condition, scalar_like(condition, 0.0)), a, b);
  }
  detail::check_same_device("where", condition, a);
  const Shape shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  Tensor y = Tensor::empty(shape, a.options());
  const auto plan =
      kernels::make_broadcast(detail::sizes(y), detail::sizes(condition), detail::sizes(a), detail::sizes(b));
  detail::with_type(a.dtype(), [&](auto type) {
    using T = decltype(type);
    kernels::where<T>(stream_of(a.device()), plan, condition.data<uint8_t>(), a.data<T>(), b.data<T>(),
                      y.mutable_data<T>());
  });
  return record("where", y, {a, b}, {condition},
                [](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                  const Tensor chosen = ctx.saved(0), zero = Tensor::zeros({}, g.options());
                  return {ctx.needs(0) ? where(chosen, g, zero) : Tensor(),
                          ctx.needs(1) ? where(chosen, zero, g) : Tensor()};
                });
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  DUEL_CHECK(
      mask.dtype() == DType::u8 && broadcast_shapes("masked_fill", x.shape(), mask.shape()) == x.shape(),
      "masked_fill", "expected a mask of u8 that broadcasts to {}, got {}", x.shape(), to_text(mask));
  return where(mask, scalar_like(x, value), x);
}

}  // namespace duel
