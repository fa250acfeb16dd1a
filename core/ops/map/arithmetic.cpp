// Element-wise arithmetic: kernels and rules. Samples: arithmetic_samples.cpp.
#include "duel/core/ops/map/arithmetic.h"

#include <algorithm>
#include <numbers>

#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/internal/elementwise_detail.h"
#include "duel/core/tensor/internal/op_trace.h"

namespace duel {

using detail::binary;
using detail::number_binary;
using detail::unary;
using Grads = std::vector<Tensor>;

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", number_binary<kernels::Add>("add", a, b), {a, b}, {},
                [](const RuleContext&, const Tensor& g) -> Grads {
                  return {g, g};
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return record("sub", number_binary<kernels::Sub>("sub", a, b), {a, b}, {},
                [](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {g, ctx.needs(1) ? neg(g) : Tensor()};
                });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return record("mul", number_binary<kernels::Mul>("mul", a, b), {a, b}, {a, b},
                [](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {ctx.needs(0) ? mul(g, ctx.saved(1)) : Tensor(),
                          ctx.needs(1) ? mul(g, ctx.saved(0)) : Tensor()};
                });
}

Tensor div(const Tensor& a, const Tensor& b) {
  return record("div", binary<kernels::Div>("div", a, b), {a, b}, {a, b},
                [](const RuleContext& ctx, const Tensor& g) -> Grads {
                  const Tensor x = ctx.saved(0), y = ctx.saved(1);
                  return {ctx.needs(0) ? div(g, y) : Tensor(),
                          ctx.needs(1) ? neg(mul(g, div(div(x, y), y))) : Tensor()};
                });
}

namespace {
template <class F>
Tensor integer_division(const char* op, const Tensor& a, const Tensor& b) {
  DUEL_CHECK(a.dtype() == DType::i64 && b.dtype() == DType::i64, op,
             "expected two tensors of i64, got {} and {}", to_text(a), to_text(b));
  if (!b.device().is_cuda()) {
    const int64_t* first = b.data<int64_t>();
    DUEL_CHECK(std::count(first, first + b.numel(), 0) == 0, op, "division by zero: a divisor of {} is 0",
               to_text(b));
  }
  detail::check_same_device(op, a, b);
  Tensor y = Tensor::empty(broadcast_shapes(op, a.shape(), b.shape()), a.options());
  detail::binary_into<F, int64_t>(a, b, y);
  return y;
}
}  // namespace

Tensor floor_divide(const Tensor& a, const Tensor& b) {
  return integer_division<kernels::FloorDivide>("floor_divide", a, b);
}
Tensor remainder(const Tensor& a, const Tensor& b) {
  return integer_division<kernels::Remainder>("remainder", a, b);
}
Tensor operator%(const Tensor& a, double b) { return remainder(a, scalar_like(a, b)); }

Tensor pow(const Tensor& a, const Tensor& b) {
  return record("pow", binary<kernels::Pow>("pow", a, b), {a, b}, {a, b},
                [](const RuleContext& ctx, const Tensor& g) -> Grads {
                  const Tensor x = ctx.saved(0), y = ctx.saved(1);
                  Tensor dx, dy;
                  if (ctx.needs(0)) dx = mul(g, mul(y, pow(x, add_scalar(y, -1.0))));
                  if (ctx.needs(1)) dy = mul(g, mul(pow(x, y), log(x)));
                  return {dx, dy};
                });
}

namespace {
/// 1 where a wins, 1/2 at a tie, else 0: constant almost everywhere.
Tensor winner(const Tensor& a, const Tensor& b) {
  NoGrad no_grad;
  return add(binary<kernels::Greater>("greater", a, b),
             mul_scalar(binary<kernels::Equal>("equal", a, b), 0.5));
}

template <class F>
Tensor extreme(const char* op, const Tensor& a, const Tensor& b, bool largest) {
  return record(op, number_binary<F>(op, a, b), {a, b}, {a, b},
                [largest](const RuleContext& ctx, const Tensor& g) -> Grads {
                  const Tensor first =
                      largest ? winner(ctx.saved(0), ctx.saved(1)) : winner(ctx.saved(1), ctx.saved(0));
                  return {mul(g, first), ctx.needs(1) ? mul(g, add_scalar(neg(first), 1.0)) : Tensor()};
                });
}
}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b) { return extreme<kernels::Maximum>("maximum", a, b, true); }
Tensor minimum(const Tensor& a, const Tensor& b) { return extreme<kernels::Minimum>("minimum", a, b, false); }

Tensor add_scalar(const Tensor& a, double value) {
  if (a.dtype() == DType::i64) return add(a, scalar_like(a, value));
  DUEL_OP_SAYS({"other", value});
  return record("add_scalar", unary("add_scalar", a, kernels::AddScalar{value}), {a}, {},
                [](const RuleContext&, const Tensor& g) -> Grads { return {g}; });
}

Tensor mul_scalar(const Tensor& a, double value) {
  if (a.dtype() == DType::i64) return mul(a, scalar_like(a, value));
  DUEL_OP_SAYS({"other", value});
  return record("mul_scalar", unary("mul_scalar", a, kernels::MulScalar{value}), {a}, {},
                [value](const RuleContext&, const Tensor& g) -> Grads { return {mul_scalar(g, value)}; });
}

Tensor div_scalar(const Tensor& a, double value) {
  DUEL_OP_SAYS({"other", value});
  return record("div_scalar", unary("div_scalar", a, kernels::DivScalar{value}), {a}, {},
                [value](const RuleContext&, const Tensor& g) -> Grads { return {div_scalar(g, value)}; });
}

Tensor scalar_div(double value, const Tensor& a) {
  DUEL_OP_SAYS({"other", value});
  return record("scalar_div", unary("scalar_div", a, kernels::ScalarDiv{value}), {a}, {a},
                [value](const RuleContext& ctx, const Tensor& g) -> Grads {
                  const Tensor x = ctx.saved(0);
                  return {neg(mul(g, div(scalar_div(value, x), x)))};
                });
}

Tensor pow_scalar(const Tensor& a, double exponent) {
  DUEL_OP_SAYS({"other", exponent});
  return record("pow_scalar", unary("pow_scalar", a, kernels::PowScalar{exponent}), {a}, {a},
                [exponent](const RuleContext& ctx, const Tensor& g) -> Grads {
                  if (exponent == 0.0) return {Tensor()};
                  return {mul(g, mul_scalar(pow_scalar(ctx.saved(0), exponent - 1.0), exponent))};
                });
}

namespace {
template <class F>
Tensor clamped(const char* op, const Tensor& a, double bound, F f, bool from_below) {
  DUEL_OP_SAYS({from_below ? "min" : "max", bound});
  return record(op, unary(op, a, f), {a}, {a},
                [bound, from_below](const RuleContext& ctx, const Tensor& g) -> Grads {
                  const Tensor x = ctx.saved(0).detach();
                  const Tensor limit = Tensor::full({}, bound, x.options());
                  return {mul(g, from_below ? binary<kernels::GreaterEqual>("clamp", x, limit)
                                            : binary<kernels::GreaterEqual>("clamp", limit, x))};
                });
}
}  // namespace

Tensor clamp_min(const Tensor& a, double low) {
  return clamped("clamp_min", a, low, kernels::MaxScalar{low}, true);
}
Tensor clamp_max(const Tensor& a, double high) {
  return clamped("clamp_max", a, high, kernels::ClampMax{high}, false);
}

Tensor clamp(const Tensor& a, double low, double high) {
  DUEL_CHECK(low <= high, "clamp", "expected low <= high, got {} and {}", low, high);
  if (a.dtype() == DType::i64) return minimum(maximum(a, scalar_like(a, low)), scalar_like(a, high));
  DUEL_OP_SAYS({"min", low}, {"max", high});
  return record("clamp", unary("clamp", a, kernels::Clamp{low, high}), {a}, {a},
                [low, high](const RuleContext& ctx, const Tensor& g) -> Grads {
                  const Tensor x = ctx.saved(0).detach();
                  const Tensor inside = logical_and(x >= low, x <= high);
                  return {where(inside, g, Tensor::zeros({}, g.options()))};
                });
}

Tensor neg(const Tensor& a) {
  if (a.dtype() == DType::i64) return mul_scalar(a, -1.0);
  return record("neg", unary("neg", a, kernels::Neg{}), {a}, {},
                [](const RuleContext&, const Tensor& g) -> Grads { return {neg(g)}; });
}

Tensor exp(const Tensor& a) {
  const Tensor y = unary("exp", a, kernels::Exp{});
  return record("exp", y, {a}, {y},
                [](const RuleContext& ctx, const Tensor& g) -> Grads { return {mul(g, ctx.saved(0))}; });
}

Tensor log(const Tensor& a) {
  return record("log", unary("log", a, kernels::Log{}), {a}, {a},
                [](const RuleContext& ctx, const Tensor& g) -> Grads { return {div(g, ctx.saved(0))}; });
}

Tensor sqrt(const Tensor& a) {
  const Tensor y = unary("sqrt", a, kernels::Sqrt{});
  return record("sqrt", y, {a}, {y}, [](const RuleContext& ctx, const Tensor& g) -> Grads {
    return {mul_scalar(div(g, ctx.saved(0)), 0.5)};
  });
}

Tensor square(const Tensor& a) {
  if (a.dtype() == DType::i64) return mul(a, a);
  return record("square", unary("square", a, kernels::Square{}), {a}, {a},
                [](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {mul(g, mul_scalar(ctx.saved(0), 2.0))};
                });
}

Tensor abs(const Tensor& a) {
  if (a.dtype() == DType::i64) return maximum(a, neg(a));
  return record(
      "abs", unary("abs", a, kernels::Abs{}), {a}, {a},
      [](const RuleContext& ctx, const Tensor& g) -> Grads { return {mul(g, sign(ctx.saved(0).detach()))}; });
}

Tensor sign(const Tensor& a) {
  if (a.dtype() == DType::i64) return sub((a > 0.0).to(DType::i64), (a < 0.0).to(DType::i64));
  return record("sign", unary("sign", a, kernels::Sign{}), {}, {}, {});
}

Tensor reciprocal(const Tensor& a) {
  const Tensor y = unary("reciprocal", a, kernels::Reciprocal{});
  return record("reciprocal", y, {a}, {y}, [](const RuleContext& ctx, const Tensor& g) -> Grads {
    return {neg(mul(g, square(ctx.saved(0))))};
  });
}

Tensor rsqrt(const Tensor& a) {
  const Tensor y = unary("rsqrt", a, kernels::Rsqrt{});
  return record("rsqrt", y, {a}, {y}, [](const RuleContext& ctx, const Tensor& g) -> Grads {
    const Tensor r = ctx.saved(0);
    return {mul_scalar(mul(g, mul(r, square(r))), -0.5)};
  });
}

Tensor expm1(const Tensor& a) {
  return record("expm1", unary("expm1", a, kernels::Expm1{}), {a}, {a},
                [](const RuleContext& ctx, const Tensor& g) -> Grads { return {mul(g, exp(ctx.saved(0)))}; });
}

Tensor log1p(const Tensor& a) {
  return record("log1p", unary("log1p", a, kernels::Log1p{}), {a}, {a},
                [](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {div(g, add_scalar(ctx.saved(0), 1.0))};
                });
}

Tensor erf(const Tensor& a) {
  return record("erf", unary("erf", a, kernels::Erf{}), {a}, {a},
                [](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {mul(g, mul_scalar(exp(neg(square(ctx.saved(0)))), 2.0 * std::numbers::inv_sqrtpi))};
                });
}

Tensor sin(const Tensor& a) {
  return record("sin", unary("sin", a, kernels::Sin{}), {a}, {a},
                [](const RuleContext& ctx, const Tensor& g) -> Grads { return {mul(g, cos(ctx.saved(0)))}; });
}

Tensor cos(const Tensor& a) {
  return record(
      "cos", unary("cos", a, kernels::Cos{}), {a}, {a},
      [](const RuleContext& ctx, const Tensor& g) -> Grads { return {neg(mul(g, sin(ctx.saved(0))))}; });
}

Tensor floor(const Tensor& a) { return record("floor", unary("floor", a, kernels::Floor{}), {}, {}, {}); }
Tensor ceil(const Tensor& a) { return record("ceil", unary("ceil", a, kernels::Ceil{}), {}, {}, {}); }
Tensor round(const Tensor& a) { return record("round", unary("round", a, kernels::Round{}), {}, {}, {}); }

namespace {
void check_addable(const char* op, const Tensor& target, const Tensor& source) {
  detail::check_in_place(op, target, source);
  detail::check_same_kind(op, target, source);
  DUEL_CHECK(target.shape() == source.shape(), op, "expected a source of shape {}, got {}", target.shape(),
             source.shape());
}
}  // namespace

void add_each(const std::vector<std::pair<Tensor, Tensor>>& pairs) {
  for (const auto& [target, source] : pairs) check_addable("add_each", target, source);
  const auto add_all = [&]<class T>(T, DType dtype) {
    kernels::Additions<T> together;
    const auto launch = [&] {
      if (together.count > 0) kernels::add_each(stream_of(pairs.front().first.device()), together);
      together.count = 0;
    };
    for (const auto& [target, source] : pairs) {
      if (target.dtype() != dtype) continue;
      if (together.count == kernels::Additions<T>::kMost) launch();
      together.to[together.count] = target.template mutable_data<T>();
      together.from[together.count] = source.template data<T>();
      together.size[together.count++] = target.numel();
    }
    launch();
  };
  add_all(float{}, DType::f32);
  add_all(double{}, DType::f64);
}

void add_in_place(Tensor& target, const Tensor& source) {
  check_addable("add_in_place", target, source);
  DUEL_DISPATCH(target.dtype(), "add_in_place",
                kernels::add_inplace<T>(stream_of(target.device()), target.numel(), source.data<T>(),
                                        target.mutable_data<T>()));
}

}  // namespace duel
