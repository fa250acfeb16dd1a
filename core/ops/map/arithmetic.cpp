// Element-wise arithmetic: kernels and rules. Samples: arithmetic_samples.cpp.
#include "duel/core/ops/map/arithmetic.h"

#include "duel/core/ops/map/internal/elementwise_detail.h"

namespace duel {

using detail::binary;
using detail::unary;
using Grads = std::vector<Tensor>;

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", binary<kernels::Add>("add", a, b), {a, b}, {},
                [](const RuleContext&, const Tensor& g) -> Grads {
                  return {g, g};
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return record("sub", binary<kernels::Sub>("sub", a, b), {a, b}, {},
                [](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {g, ctx.needs(1) ? neg(g) : Tensor()};
                });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return record("mul", binary<kernels::Mul>("mul", a, b), {a, b}, {a, b},
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
  return add(greater(a, b), mul_scalar(equal(a, b), 0.5));
}

template <class F>
Tensor extreme(const char* op, const Tensor& a, const Tensor& b, bool largest) {
  return record(op, binary<F>(op, a, b), {a, b}, {a, b},
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
  return record("add_scalar", unary("add_scalar", a, kernels::AddScalar{value}), {a}, {},
                [](const RuleContext&, const Tensor& g) -> Grads { return {g}; });
}

Tensor mul_scalar(const Tensor& a, double value) {
  return record("mul_scalar", unary("mul_scalar", a, kernels::MulScalar{value}), {a}, {},
                [value](const RuleContext&, const Tensor& g) -> Grads { return {mul_scalar(g, value)}; });
}

Tensor div_scalar(const Tensor& a, double value) {
  return record("div_scalar", unary("div_scalar", a, kernels::DivScalar{value}), {a}, {},
                [value](const RuleContext&, const Tensor& g) -> Grads { return {div_scalar(g, value)}; });
}

Tensor scalar_div(double value, const Tensor& a) {
  return record("scalar_div", unary("scalar_div", a, kernels::ScalarDiv{value}), {a}, {a},
                [value](const RuleContext& ctx, const Tensor& g) -> Grads {
                  const Tensor x = ctx.saved(0);
                  return {neg(mul(g, div(scalar_div(value, x), x)))};
                });
}

Tensor pow_scalar(const Tensor& a, double exponent) {
  return record("pow_scalar", unary("pow_scalar", a, kernels::PowScalar{exponent}), {a}, {a},
                [exponent](const RuleContext& ctx, const Tensor& g) -> Grads {
                  if (exponent == 0.0) return {Tensor()};
                  return {mul(g, mul_scalar(pow_scalar(ctx.saved(0), exponent - 1.0), exponent))};
                });
}

namespace {
template <class F>
Tensor clamped(const char* op, const Tensor& a, double bound, F f, bool from_below) {
  return record(op, unary(op, a, f), {a}, {a},
                [bound, from_below](const RuleContext& ctx, const Tensor& g) -> Grads {
                  const Tensor x = ctx.saved(0).detach();
                  const Tensor limit = Tensor::full({}, bound, x.options());
                  return {mul(g, from_below ? greater_equal(x, limit) : greater_equal(limit, x))};
                });
}
}  // namespace

Tensor clamp_min(const Tensor& a, double low) {
  return clamped("clamp_min", a, low, kernels::MaxScalar{low}, true);
}
Tensor clamp_max(const Tensor& a, double high) {
  return clamped("clamp_max", a, high, kernels::ClampMax{high}, false);
}

Tensor neg(const Tensor& a) {
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
  return record("square", unary("square", a, kernels::Square{}), {a}, {a},
                [](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {mul(g, mul_scalar(ctx.saved(0), 2.0))};
                });
}

Tensor abs(const Tensor& a) {
  return record(
      "abs", unary("abs", a, kernels::Abs{}), {a}, {a},
      [](const RuleContext& ctx, const Tensor& g) -> Grads { return {mul(g, sign(ctx.saved(0).detach()))}; });
}

Tensor sign(const Tensor& a) { return record("sign", unary("sign", a, kernels::Sign{}), {}, {}, {}); }

Tensor reciprocal(const Tensor& a) {
  const Tensor y = unary("reciprocal", a, kernels::Reciprocal{});
  return record("reciprocal", y, {a}, {y}, [](const RuleContext& ctx, const Tensor& g) -> Grads {
    return {neg(mul(g, square(ctx.saved(0))))};
  });
}

// Steps have the gradient zero almost everywhere: their results are constants of the graph.
Tensor greater(const Tensor& a, const Tensor& b) {
  return record("greater", binary<kernels::Greater>("greater", a, b), {}, {}, {});
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return record("greater_equal", binary<kernels::GreaterEqual>("greater_equal", a, b), {}, {}, {});
}
Tensor equal(const Tensor& a, const Tensor& b) {
  return record("equal", binary<kernels::Equal>("equal", a, b), {}, {}, {});
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  detail::check_same_kind("where", a, b);
  detail::check_same_kind("where", condition, a);
  const Shape shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  Tensor y = Tensor::empty(shape, a.options());
  const auto plan =
      kernels::make_broadcast(detail::sizes(y), detail::sizes(condition), detail::sizes(a), detail::sizes(b));
  DUEL_DISPATCH(a.dtype(), "where",
                kernels::where<T>(stream_of(a.device()), plan, condition.data<T>(), a.data<T>(), b.data<T>(),
                                  y.mutable_data<T>()));
  return record("where", y, {a, b}, {condition}, [](const RuleContext& ctx, const Tensor& g) -> Grads {
    const Tensor chosen = ctx.saved(0).detach();
    const Tensor zero = Tensor::zeros({}, g.options());
    return {ctx.needs(0) ? where(chosen, g, zero) : Tensor(),
            ctx.needs(1) ? where(chosen, zero, g) : Tensor()};
  });
}

void add_in_place(Tensor& target, const Tensor& source) {
  detail::check_in_place("add_in_place", target, source);
  detail::check_same_kind("add_in_place", target, source);
  DUEL_CHECK(target.shape() == source.shape(), "add_in_place", "expected a source of shape {}, got {}",
             target.shape(), source.shape());
  DUEL_DISPATCH(target.dtype(), "add_in_place",
                kernels::add_inplace<T>(stream_of(target.device()), target.numel(), source.data<T>(),
                                        target.mutable_data<T>()));
}

}  // namespace duel
