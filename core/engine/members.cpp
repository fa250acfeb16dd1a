// The members of Tensor that are ops: the functions of duel/core/ops.h by their other spelling.
#include "duel/core/ops.h"
#include "duel/core/ops/map/internal/elementwise_detail.h"
#include "duel/core/tensor/internal/node.h"

namespace duel {
namespace {

/// x = y for every handle of x: see operator+= in tensor.h. `into` writes the result to x's storage, unrecorded.
template <class Op, class Into>
Tensor& update(const char* op, Tensor& x, const Tensor& y, Op compute, Into into) {
  DUEL_CHECK(
      !grad_enabled() || !x.requires_grad() || !x.is_leaf(), op,
      "the target ({}) is a leaf that requires grad: change it under NoGrad, or make a new tensor, x = x op y",
      to_text(x));
  detail::check_same_kind(op, x, y);
  DUEL_CHECK(broadcast_shapes(op, x.shape(), y.shape()) == x.shape(), op,
             "expected a shape that broadcasts to {}, got {}", x.shape(), y.shape());
  if (tracked(x) || tracked(y)) {
    const Tensor result = compute(x, y);
    *x.impl() = *result.impl();
  } else {
    detail::check_in_place(op, x, y);
    into(x, y);
  }
  return x;
}

template <class F>
void float_into(const char* op, const Tensor& x, const Tensor& y) {
  DUEL_DISPATCH(x.dtype(), op, detail::binary_into<F, T>(x, y, x));
}
template <class F>
void number_into(const char* op, const Tensor& x, const Tensor& y) {
  if (x.dtype() == DType::i64) return detail::binary_into<F, int64_t>(x, y, x);
  float_into<F>(op, x, y);
}

}  // namespace

void Tensor::refuse_recorded(const char* op, const Tensor& y) const {
  DUEL_CHECK(
      !tracked(*this) && !tracked(y), op,
      "the target ({}) is a view without a name, and the change would be recorded nowhere: where() and concat() make "
      "a new tensor, NoGrad changes this one",
      to_text(*this));
}

Tensor& Tensor::operator+=(const Tensor& y) & {
  return update("+=", *this, y, add,
                [](const Tensor& a, const Tensor& b) { number_into<kernels::Add>("+=", a, b); });
}
Tensor& Tensor::operator-=(const Tensor& y) & {
  return update("-=", *this, y, sub,
                [](const Tensor& a, const Tensor& b) { number_into<kernels::Sub>("-=", a, b); });
}
Tensor& Tensor::operator*=(const Tensor& y) & {
  return update("*=", *this, y, mul,
                [](const Tensor& a, const Tensor& b) { number_into<kernels::Mul>("*=", a, b); });
}
Tensor& Tensor::operator/=(const Tensor& y) & {
  return update("/=", *this, y, div,
                [](const Tensor& a, const Tensor& b) { float_into<kernels::Div>("/=", a, b); });
}
Tensor& Tensor::operator+=(double y) & { return *this += scalar_like(*this, y); }
Tensor& Tensor::operator-=(double y) & { return *this -= scalar_like(*this, y); }
Tensor& Tensor::operator*=(double y) & { return *this *= scalar_like(*this, y); }
Tensor& Tensor::operator/=(double y) & { return *this /= scalar_like(*this, y); }

void Tensor::backward(bool retain_graph) const { duel::backward(*this, retain_graph); }

Tensor Tensor::operator[](int64_t i) const {
  DUEL_CHECK(rank() >= 1, "[]", "expected at least one axis, got {}", to_text(*this));
  DUEL_CHECK(i >= -size(0) && i < size(0), "[]", "expected an index in [{}, {}) of {}, got {}", -size(0),
             size(0), shape(), i);
  const int64_t at = i < 0 ? i + size(0) : i;
  return rows(*this, at, at + 1).reshape(shape().without(0));
}

Tensor Tensor::sum() const { return duel::sum(*this); }
Tensor Tensor::sum(const Axes& axes, bool keep_axes) const { return duel::sum(*this, axes, keep_axes); }
Tensor Tensor::mean() const { return duel::mean(*this); }
Tensor Tensor::mean(const Axes& axes, bool keep_axes) const { return duel::mean(*this, axes, keep_axes); }
Tensor Tensor::max() const { return duel::max(*this); }
Tensor Tensor::max(const Axes& axes, bool keep_axes) const { return duel::max(*this, axes, keep_axes); }
Tensor Tensor::min() const { return duel::min(*this); }
Tensor Tensor::min(const Axes& axes, bool keep_axes) const { return duel::min(*this, axes, keep_axes); }
Tensor Tensor::var() const { return duel::var(*this); }
Tensor Tensor::var(const Axes& axes, bool unbiased, bool keep_axes) const {
  return duel::var(*this, axes, unbiased, keep_axes);
}
Tensor Tensor::std() const { return duel::std(*this); }
Tensor Tensor::std(const Axes& axes, bool unbiased, bool keep_axes) const {
  return duel::std(*this, axes, unbiased, keep_axes);
}
Tensor Tensor::norm(double p) const { return duel::norm(*this, p); }
Tensor Tensor::norm(double p, const Axes& axes, bool keep_axes) const {
  return duel::norm(*this, p, axes, keep_axes);
}
Tensor Tensor::prod() const { return duel::prod(*this); }
Tensor Tensor::prod(int axis, bool keep_axis) const { return duel::prod(*this, axis, keep_axis); }
Tensor Tensor::logsumexp(const Axes& axes, bool keep_axes) const {
  return duel::logsumexp(*this, axes, keep_axes);
}
Tensor Tensor::argmax(int axis, bool keep_axis) const { return duel::argmax(*this, axis, keep_axis); }
Tensor Tensor::argmin(int axis, bool keep_axis) const { return duel::argmin(*this, axis, keep_axis); }
Tensor Tensor::all() const { return duel::all(*this); }
Tensor Tensor::any() const { return duel::any(*this); }
Tensor Tensor::cumsum(int axis) const { return duel::cumsum(*this, axis); }
Tensor Tensor::softmax(int axis) const { return duel::softmax(*this, axis); }
Tensor Tensor::log_softmax(int axis) const { return duel::log_softmax(*this, axis); }
Tensor Tensor::neg() const { return duel::neg(*this); }
Tensor Tensor::abs() const { return duel::abs(*this); }
Tensor Tensor::sign() const { return duel::sign(*this); }
Tensor Tensor::exp() const { return duel::exp(*this); }
Tensor Tensor::log() const { return duel::log(*this); }
Tensor Tensor::sqrt() const { return duel::sqrt(*this); }
Tensor Tensor::rsqrt() const { return duel::rsqrt(*this); }
Tensor Tensor::square() const { return duel::square(*this); }
Tensor Tensor::reciprocal() const { return duel::reciprocal(*this); }
Tensor Tensor::pow(const Tensor& exponent) const { return duel::pow(*this, exponent); }
Tensor Tensor::sin() const { return duel::sin(*this); }
Tensor Tensor::cos() const { return duel::cos(*this); }
Tensor Tensor::tanh() const { return duel::tanh(*this); }
Tensor Tensor::sigmoid() const { return duel::sigmoid(*this); }
Tensor Tensor::relu() const { return duel::relu(*this); }
Tensor Tensor::floor() const { return duel::floor(*this); }
Tensor Tensor::ceil() const { return duel::ceil(*this); }
Tensor Tensor::round() const { return duel::round(*this); }
Tensor Tensor::clamp(double low, double high) const { return duel::clamp(*this, low, high); }
Tensor Tensor::clamp_min(double low) const { return duel::clamp_min(*this, low); }
Tensor Tensor::clamp_max(double high) const { return duel::clamp_max(*this, high); }
Tensor Tensor::isnan() const { return duel::isnan(*this); }
Tensor Tensor::isfinite() const { return duel::isfinite(*this); }
Tensor Tensor::logical_not() const { return duel::logical_not(*this); }
Tensor Tensor::matmul(const Tensor& other) const { return duel::matmul(*this, other); }
Tensor Tensor::t() const { return duel::t(*this); }
Tensor Tensor::transpose(int axis_a, int axis_b) const { return duel::transpose(*this, axis_a, axis_b); }
Tensor Tensor::permute(const std::vector<int>& order) const { return duel::permute(*this, order); }
Tensor Tensor::squeeze() const { return duel::squeeze(*this); }
Tensor Tensor::squeeze(int axis) const { return duel::squeeze(*this, axis); }
Tensor Tensor::unsqueeze(int axis) const { return duel::unsqueeze(*this, axis); }
Tensor Tensor::flip(const Axes& axes) const { return duel::flip(*this, axes); }
Tensor Tensor::gather(int axis, const Tensor& index) const { return duel::gather(*this, axis, index); }
Tensor Tensor::index_select(int axis, const Tensor& index) const {
  return duel::index_select(*this, axis, index);
}
Tensor Tensor::masked_fill(const Tensor& mask, double value) const {
  return duel::masked_fill(*this, mask, value);
}
Tensor Tensor::pow(double exponent) const { return pow_scalar(*this, exponent); }
Tensor Tensor::argmax() const { return duel::argmax(reshape({-1}), 0); }
Tensor Tensor::argmin() const { return duel::argmin(reshape({-1}), 0); }
Tensor Tensor::expand(const Shape& shape) const { return broadcast_to(*this, shape); }
std::vector<Tensor> Tensor::chunk(int64_t chunks, int axis) const { return duel::chunk(*this, chunks, axis); }
std::vector<Tensor> Tensor::split(int64_t size, int axis) const { return duel::split(*this, size, axis); }

}  // namespace duel
