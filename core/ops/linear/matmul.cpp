// matmul and linear: gradients are matrix products again.
#include "duel/core/ops/linear/matmul.h"

#include "duel/core/device/workspace.h"
#include "duel/core/ops/linear/flop_count.h"
#include "duel/core/ops/linear/internal/layer_maps.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/internal/ending.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/node.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/kernels/linear/gemm.h"

namespace duel {
namespace {

/// Rows and columns of op(x).
struct Sides {
  int64_t rows, columns;
};
Sides sides(const Tensor& x, bool transposed) {
  return transposed ? Sides{x.dim(-1), x.dim(-2)} : Sides{x.dim(-2), x.dim(-1)};
}

void check_matrices(const char* op, const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  DUEL_CHECK(a.rank() == 2 && b.rank() == 2, op, "expected two matrices, got shapes {} and {}", a.shape(),
             b.shape());
  DUEL_CHECK(a.dtype() == b.dtype(), op, "expected one dtype, got {} and {}", to_text(a.dtype()),
             to_text(b.dtype()));
  detail::check_same_device(op, a, b);
  DUEL_CHECK(sides(a, transpose_a).columns == sides(b, transpose_b).rows, op,
             "expected inner sizes that agree, got {}{} times {}{}", a.shape(),
             transpose_a ? " transposed" : "", b.shape(), transpose_b ? " transposed" : "");
}

}  // namespace

namespace {

/// The axes before the last two.
Shape batch_of(const Tensor& x) {
  return Shape(std::span(x.shape().begin(), static_cast<size_t>(x.rank() - 2)));
}

Shape joined(const Shape& batch, int64_t rows, int64_t columns) {
  return batch.inserted(batch.rank(), rows).inserted(batch.rank() + 1, columns);
}

/// Products of equal number, [..., M, K] times [..., K, N] with the same leading axes, or with none on one side: that
/// matrix serves all.
Tensor batched(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  const auto [m, k] = sides(a, transpose_a);
  const auto [k_of_b, n] = sides(b, transpose_b);
  DUEL_CHECK(a.dtype() == b.dtype(), "matmul", "expected one dtype, got {} and {}", to_text(a.dtype()),
             to_text(b.dtype()));
  detail::check_same_device("matmul", a, b);
  DUEL_CHECK(k == k_of_b, "matmul", "expected inner sizes that agree, got {}{} times {}{}", a.shape(),
             transpose_a ? " transposed" : "", b.shape(), transpose_b ? " transposed" : "");
  const Shape batch = a.rank() > 2 ? batch_of(a) : batch_of(b);
  Tensor y = Tensor::empty(joined(batch, m, n), a.options());
  const int64_t count = batch.numel(), columns = n, depth = k, rows = m;
  const int64_t stride_a = a.rank() > 2 ? m * k : 0, stride_b = b.rank() > 2 ? k * n : 0;
  FlopCount::add(2.0 * static_cast<double>(count * m * n) * static_cast<double>(k));
  DUEL_DISPATCH(a.dtype(), "matmul", {
    const kernels::Stream stream = stream_of(a.device());
    detail::Workspace workspace(
        a.device(),
        kernels::gemm_batched_workspace<T>(transpose_a, transpose_b, count, rows, columns, depth, stream));
    kernels::gemm_batched<T>(stream, transpose_a, transpose_b, count, rows, columns, depth, a.data<T>(),
                             stride_a, b.data<T>(), stride_b, y.mutable_data<T>(), workspace.get());
  });
  // As in matmul; a matrix that serves all gets a stack of gradients, which the engine adds up.
  DUEL_OP_SAYS({"transpose_a", transpose_a}, {"transpose_b", transpose_b});
  return record(
      "matmul_batched", y, {a, b}, {a, b},
      [ta = transpose_a, tb = transpose_b](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
        Tensor da, db;
        if (ctx.needs(0)) da = ta ? batched(ctx.saved(1), g, tb, true) : batched(g, ctx.saved(1), false, !tb);
        if (ctx.needs(1)) db = tb ? batched(g, ctx.saved(0), true, ta) : batched(ctx.saved(0), g, !ta, false);
        return {da, db};
      });
}

/// Whatever is not two matrices.
Tensor general(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  DUEL_CHECK(
      a.rank() >= 1 && b.rank() >= 1 && (a.rank() > 1 || !transpose_a) && (b.rank() > 1 || !transpose_b),
      "matmul", "expected matrices or stacks of them, or vectors that are not transposed, got {} and {}",
      to_text(a), to_text(b));
  if (a.rank() == 1) {
    const Tensor y = matmul(a.reshape({1, a.dim(0)}), b, false, transpose_b);
    return y.reshape(y.shape().without(y.rank() - (b.rank() == 1 ? 1 : 2)));
  }
  if (b.rank() == 1) {
    const Tensor y = matmul(a, b.reshape({b.dim(0), 1}), transpose_a, false);
    return y.reshape(y.shape().without(-1));
  }
  // One matrix on the right: the rows of all are rows of one product.
  if (b.rank() == 2 && !transpose_a) {
    const int64_t n = sides(b, transpose_b).columns;
    const int64_t rows = Shape(std::span(a.shape().begin(), static_cast<size_t>(a.rank() - 1))).numel();
    return matmul(a.reshape(Shape{rows, a.dim(-1)}), b, false, transpose_b).reshape(a.shape().with(-1, n));
  }
  if (a.rank() == 2 || b.rank() == 2) return batched(a, b, transpose_a, transpose_b);
  const Shape batch = broadcast_shapes("matmul", batch_of(a), batch_of(b));
  return batched(broadcast_to(a, joined(batch, a.dim(-2), a.dim(-1))),
                 broadcast_to(b, joined(batch, b.dim(-2), b.dim(-1))), transpose_a, transpose_b);
}

}  // namespace

Tensor bmm(const Tensor& a, const Tensor& b) {
  DUEL_CHECK(a.rank() == 3 && b.rank() == 3 && a.dim(0) == b.dim(0), "bmm",
             "expected [B, M, K] and [B, K, N], got {} and {}", to_text(a), to_text(b));
  return batched(a, b, false, false);
}

namespace {

/// The product of two matrices, multiplied by a slope if one is given (of a rule's gradient: Note [Slopes on the way]).
Tensor matrices(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b,
                const detail::Slope* slope = nullptr) {
  check_matrices("matmul", a, b, transpose_a, transpose_b);
  const auto [m, k] = sides(a, transpose_a);
  const int64_t n = sides(b, transpose_b).columns;
  Tensor y = Tensor::empty({m, n}, a.options());
  FlopCount::add(2.0 * static_cast<double>(m * n) * static_cast<double>(k));
  DUEL_DISPATCH(a.dtype(), "matmul", {
    detail::Workspace workspace(
        a.device(), kernels::gemm_workspace<T>(transpose_a, transpose_b, m, n, k, stream_of(a.device())));
    kernels::gemm<T>(stream_of(a.device()), transpose_a, transpose_b, m, n, k, T{1}, a.data<T>(), b.data<T>(),
                     T{0}, y.mutable_data<T>(), workspace.get(), detail::finish_by<T>(slope));
  });
  const Activation f = slope ? slope->f : Activation();
  DUEL_OP_SAYS({"transpose_a", transpose_a}, {"transpose_b", transpose_b});
  // Y = op(A) op(B):  d op(A) = G op(B)^T,  d op(B) = op(A)^T G; a transposed operand gets the transposed product.
  const Tensor recorded = record(
      "matmul", y, {a, b}, {a, b, slope ? slope->x : Tensor()},
      [ta = transpose_a, tb = transpose_b, f](const RuleContext& ctx,
                                              const Tensor& incoming) -> std::vector<Tensor> {
        const Tensor g = detail::through_slope(ctx, f, 2, incoming);
        Tensor da, db;
        if (ctx.needs(0)) {
          const detail::Slope* next = ctx.take_slope(0);
          da = ta ? matrices(ctx.saved(1), g, tb, true, next) : matrices(g, ctx.saved(1), false, !tb, next);
        }
        if (ctx.needs(1)) {
          const detail::Slope* next = ctx.take_slope(1);
          db = tb ? matrices(g, ctx.saved(0), true, ta, next) : matrices(ctx.saved(0), g, !ta, false, next);
        }
        return {da, db};
      });
  return detail::with_slope(recorded, f, 2);
}

}  // namespace

namespace detail {

Tensor linear_pullback(const Tensor& dy, const Tensor& weight, const Slope* slope) {
  return matrices(dy, weight, false, false, slope);
}

Tensor linear_pushforward(const Tensor& x, const Tensor& weight, const Slope* slope) {
  return matrices(x, weight, false, true, slope);
}

namespace {
/// Whether what linear's input and its weight [out, in] get are one launch.
bool pairs(const Tensor& x, const Tensor& weight) {
  const int64_t rows = x.dim(0), in = x.dim(1), out = weight.dim(0);
  bool one = false;
  DUEL_DISPATCH(x.dtype(), "linear", {
    one = kernels::gemm_pairs<T>(stream_of(x.device()), {rows, in, out}, {out, in, rows});
  });
  return one;
}

/// dx, multiplied by the slope if one is given, dw and, if `bias`, db, in one launch where it pairs().
std::vector<Tensor> all_gradients(const Tensor& x, const Tensor& weight, const Tensor& dy, bool bias,
                                  const Slope* slope) {
  const int64_t rows = x.dim(0), in = x.dim(1), out = weight.dim(0);
  const Tensor dx = Tensor::empty({rows, in}, x.options()), dw = Tensor::empty({out, in}, x.options()),
               db = bias ? Tensor::empty({out}, x.options()) : Tensor();
  FlopCount::add(4.0 * static_cast<double>(rows * in) * static_cast<double>(out));
  DUEL_DISPATCH(x.dtype(), "linear", {
    const kernels::Stream stream = stream_of(x.device());
    Workspace of_dx(x.device(), kernels::gemm_workspace<T>(false, false, rows, in, out, stream)),
        of_dw(x.device(), kernels::gemm_workspace<T>(true, false, out, in, rows, stream, bias));
    kernels::gemm_pair<T>(stream,
                          {{rows, in, out},
                           false,
                           false,
                           dy.data<T>(),
                           weight.data<T>(),
                           dx.mutable_data<T>(),
                           of_dx.get(),
                           finish_by<T>(slope)},
                          {{out, in, rows},
                           true,
                           false,
                           dy.data<T>(),
                           x.data<T>(),
                           dw.mutable_data<T>(),
                           of_dw.get(),
                           {},
                           bias ? db.mutable_data<T>() : nullptr});
  });
  for (const Tensor& each : {dx, dw, db}) {
    if (each.defined()) record("linear", each, {x, dy}, {}, {});
  }
  return {dx, dw, db};
}

/// dw = dy^T x, or added to it, and db where it is defined.
void weight_gradient(const Tensor& x, const Tensor& dy, bool add, const Tensor& dw, const Tensor& db) {
  const int64_t n = dy.dim(1), k = x.dim(1), rows = x.dim(0);
  FlopCount::add(2.0 * static_cast<double>(n * k) * static_cast<double>(rows));
  DUEL_DISPATCH(x.dtype(), "linear", {
    const kernels::Stream stream = stream_of(x.device());
    Workspace workspace(x.device(),
                        kernels::gemm_workspace<T>(true, false, n, k, rows, stream, db.defined()));
    kernels::gemm<T>(stream, true, false, n, k, rows, T{1}, dy.data<T>(), x.data<T>(), add ? T{1} : T{0},
                     dw.mutable_data<T>(), workspace.get(), {},
                     db.defined() ? db.mutable_data<T>() : nullptr);
  });
}
}  // namespace

WeightAndBias linear_gradients(const Tensor& x, const Tensor& dy, bool weight, bool bias) {
  if (!weight || !bias || grad_enabled())
    return {weight ? matmul(dy, x, true, false) : Tensor(), bias ? sum(dy, {0}) : Tensor()};
  const WeightAndBias both{Tensor::empty({dy.dim(1), x.dim(1)}, x.options()),
                           Tensor::empty({dy.dim(1)}, x.options())};
  weight_gradient(x, dy, false, both.weight, both.bias);
  for (const Tensor& each : {both.weight, both.bias}) record("linear", each, {x, dy}, {}, {});
  return both;
}

// The host adds afterwards: the same bits as of two gradients that the engine adds.
void add_linear_weight_gradient(const Tensor& x, const Tensor& dy, Tensor& dw) {
  if (x.device().is_cuda()) {
    weight_gradient(x, dy, true, dw, {});
  } else {
    add_in_place(dw, matrices(dy, x, true, false));
  }
  record("linear", dw, {x, dy}, {}, {});
}

}  // namespace detail

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  if (a.rank() != 2 || b.rank() != 2) return general(a, b, transpose_a, transpose_b);
  return matrices(a, b, transpose_a, transpose_b);
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Activation& then) {
  check_matrices("linear", x, weight, false, true);
  const int64_t m = x.dim(0), k = x.dim(1), n = weight.dim(0);
  DUEL_CHECK(!bias.defined() || (bias.shape() == Shape{n} && bias.dtype() == x.dtype()), "linear",
             "expected a bias of {} [{}], got {}", to_text(x.dtype()), n, to_text(bias));
  detail::check_same_device("linear", x, bias);
  const detail::Ending ending(then, {m, n}, x, {x, weight, bias});
  FlopCount::add(2.0 * static_cast<double>(m * n) * static_cast<double>(k));
  DUEL_DISPATCH(x.dtype(), "linear", {
    detail::Workspace workspace(x.device(),
                                kernels::gemm_workspace<T>(false, true, m, n, k, stream_of(x.device())));
    kernels::gemm_bias<T>(stream_of(x.device()), false, true, m, n, k, x.data<T>(), weight.data<T>(),
                          bias.defined() ? bias.data<T>() : nullptr, ending.results<T>(), workspace.get(),
                          ending.finish<T>());
  });
  const Tensor recorded =
      record("linear", ending.recorded(), {x, weight, bias}, {x, weight},
             [](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
               const bool both = ctx.needs(0) && ctx.needs(1) && !grad_enabled();
               if (both && detail::pairs(ctx.saved(0), ctx.saved(1)))
                 return detail::all_gradients(ctx.saved(0), ctx.saved(1), g, ctx.needs(2), ctx.take_slope(0));
               Tensor dx;
               if (ctx.needs(0)) dx = matrices(g, ctx.saved(1), false, false, ctx.take_slope(0));
               const auto [dw, db] = detail::linear_gradients(ctx.saved(0), g, ctx.needs(1), ctx.needs(2));
               return {dx, dw, db};
             });
  if (recorded.impl()->node) {
    recorded.impl()->node->pairs_from = 1;
    recorded.impl()->node->one_pass = tracked(x) && tracked(weight) && detail::pairs(x, weight);
  }
  return ending.activated();
}

}  // namespace duel
