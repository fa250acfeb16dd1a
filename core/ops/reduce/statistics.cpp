#include "duel/core/ops/reduce/statistics.h"

#include <cmath>
#include <numeric>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/reduce/scan.h"

namespace duel {
namespace {

Axes every_axis(const Tensor& x) {
  std::vector<int> axes(static_cast<size_t>(x.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

/// The root of s >= 0, with gradient 0 at 0.
Tensor safe_root(const Tensor& s, double exponent = 0.5) {
  const Tensor zero = s.detach() == 0.0;
  const Tensor inside = where(zero, Tensor::ones({}, s.options()), s);
  const Tensor root = exponent == 0.5 ? sqrt(inside) : pow_scalar(inside, exponent);
  return where(zero, Tensor::zeros({}, s.options()), root);
}

/// Calls f with a number's type: f32, f64 or i64.
template <class F>
void with_number(const char* op, DType dtype, F f) {
  if (dtype == DType::i64) return f(int64_t{});
  DUEL_DISPATCH(dtype, op, f(T{}));
}

}  // namespace

Tensor var(const Tensor& x) { return var(x, every_axis(x)); }
Tensor var(const Tensor& x, const Axes& axes, bool unbiased, bool keep_axes) {
  int64_t count = 1;
  for (int axis : axes) count *= x.dim(normalize_axis("var", axis, x.rank()));
  DUEL_CHECK(count > (unbiased ? 1 : 0), "var", "expected at least {} elements, got {} of {}",
             unbiased ? 2 : 1, count, x.shape());
  const Tensor squares = square(sub(x, mean(x, axes, true)));
  return unbiased ? div_scalar(sum(squares, axes, keep_axes), static_cast<double>(count - 1))
                  : mean(squares, axes, keep_axes);
}
Tensor std(const Tensor& x) { return safe_root(var(x)); }
Tensor std(const Tensor& x, const Axes& axes, bool unbiased, bool keep_axes) {
  return safe_root(var(x, axes, unbiased, keep_axes));
}

Tensor norm(const Tensor& x, double p) { return norm(x, p, every_axis(x)); }
Tensor norm(const Tensor& x, double p, const Axes& axes, bool keep_axes) {
  DUEL_CHECK(p > 0, "norm", "expected p > 0, got {}", p);
  if (std::isinf(p)) return max(abs(x), axes, keep_axes);
  if (p == 1.0) return sum(abs(x), axes, keep_axes);
  if (p == 2.0) return safe_root(sum(square(x), axes, keep_axes));
  return safe_root(sum(pow_scalar(abs(x), p), axes, keep_axes), 1.0 / p);
}

Tensor prod(const Tensor& x) { return prod(x.reshape({-1}), 0); }
Tensor prod(const Tensor& x, int axis, bool keep_axis) {
  const int at = normalize_axis("prod", axis, x.rank());
  Tensor y = x;
  if (x.dim(at) == 0) y = Tensor::ones(x.shape().with(at, 1), x.options());
  for (int64_t n = y.dim(at); n > 1; n = y.dim(at)) {
    const Tensor halves = mul(slice(y, at, 0, n / 2), slice(y, at, n / 2, n / 2 * 2));
    y = n % 2 == 0 ? halves : concat({halves, slice(y, at, n - 1, n)}, at);
  }
  if (y.impl() == x.impl()) y = x.clone();
  return keep_axis ? y : y.reshape(y.shape().without(at));
}

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keep_axes) {
  Tensor top;
  {
    NoGrad no_grad;  // the shift is no part of the gradient
    top = max(x.detach(), axes, true);
    top = where(isinf(top), Tensor::zeros({}, top.options()), top);
  }
  const Tensor shifted = log(sum(exp(sub(x, top)), axes, keep_axes));
  return add(shifted, top.reshape(shifted.shape()));
}

Tensor cdist(const Tensor& x, const Tensor& y) {
  DUEL_CHECK(x.rank() >= 2 && y.rank() >= 2 && x.dim(-1) == y.dim(-1), "cdist",
             "expected [..., M, D] and [..., N, D], got {} and {}", to_text(x), to_text(y));
  return norm(sub(unsqueeze(x, -2), unsqueeze(y, -3)), 2.0, -1);
}

namespace {

Tensor cumsum(const Tensor& x, int at, bool reverse) {
  int64_t a = 1;
  for (int i = 0; i < at; ++i) a *= x.dim(i);
  Tensor y = Tensor::empty(x.shape(), x.options());
  with_number("cumsum", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::cumsum<T>(stream_of(x.device()), a, x.dim(at), x.shape().numel_from(at + 1), reverse,
                       x.data<T>(), y.mutable_data<T>());
  });
  return record("cumsum", y, {x}, {},
                [at, reverse](const RuleContext&, const Tensor& g) -> std::vector<Tensor> {
                  return {cumsum(g, at, !reverse)};
                });
}

}  // namespace

Tensor cumsum(const Tensor& x, int axis) {
  return cumsum(x, normalize_axis("cumsum", axis, x.rank()), false);
}

Tensor argsort(const Tensor& x, int axis, bool descending) {
  if (x.dtype() == DType::u8) return argsort(x.to(DType::i64), axis, descending);
  const int at = normalize_axis("sort", axis, x.rank());
  NoGrad no_grad;
  const Tensor rows = at == x.rank() - 1 ? x.detach() : transpose(x, at, -1);
  Tensor index = Tensor::empty(rows.shape(), {DType::i64, x.device()});
  const int64_t length = x.dim(at);
  with_number("sort", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::sort_rows<T>(stream_of(x.device()), length == 0 ? 0 : x.numel() / length, length, descending,
                          rows.data<T>(), index.mutable_data<int64_t>());
  });
  return at == x.rank() - 1 ? index : transpose(index, at, -1);
}

Sorted sort(const Tensor& x, int axis, bool descending) {
  const Tensor index = argsort(x, axis, descending);
  return {gather(x, axis, index), index};
}

Sorted topk(const Tensor& x, int64_t k, int axis, bool largest) {
  const int at = normalize_axis("topk", axis, x.rank());
  DUEL_CHECK(k >= 0 && k <= x.dim(at), "topk", "expected k of at most {}, got {}", x.dim(at), k);
  const Tensor index = slice(argsort(x, at, largest), at, 0, k);
  return {gather(x, at, index), index};
}

}  // namespace duel
