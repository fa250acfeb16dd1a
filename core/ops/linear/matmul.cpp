// matmul and linear: gradients are matrix products again.
#include "duel/core/ops/linear/matmul.h"

#include "duel/core/device/workspace.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/kernels/linear/gemm.h"

namespace duel {
namespace {

/// Rows and columns of op(x).
struct Sides {
  int64_t rows, columns;
};
Sides sides(const Tensor& x, bool transposed) {
  return transposed ? Sides{x.dim(1), x.dim(0)} : Sides{x.dim(0), x.dim(1)};
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

Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  check_matrices("matmul", a, b, transpose_a, transpose_b);
  const auto [m, k] = sides(a, transpose_a);
  const int64_t n = sides(b, transpose_b).columns;
  Tensor y = Tensor::empty({m, n}, a.options());
  DUEL_DISPATCH(a.dtype(), "matmul", {
    detail::Workspace workspace(
        a.device(), kernels::gemm_workspace<T>(transpose_a, transpose_b, m, n, k, stream_of(a.device())));
    kernels::gemm<T>(stream_of(a.device()), transpose_a, transpose_b, m, n, k, T{1}, a.data<T>(), b.data<T>(),
                     T{0}, y.mutable_data<T>(), workspace.get());
  });
  // Y = op(A) op(B):  d op(A) = G op(B)^T,  d op(B) = op(A)^T G; a transposed operand gets the transposed product.
  return record(
      "matmul", y, {a, b}, {a, b},
      [ta = transpose_a, tb = transpose_b](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
        Tensor da, db;
        if (ctx.needs(0)) da = ta ? matmul(ctx.saved(1), g, tb, true) : matmul(g, ctx.saved(1), false, !tb);
        if (ctx.needs(1)) db = tb ? matmul(g, ctx.saved(0), true, ta) : matmul(ctx.saved(0), g, !ta, false);
        return {da, db};
      });
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_matrices("linear", x, weight, false, true);
  const int64_t m = x.dim(0), k = x.dim(1), n = weight.dim(0);
  DUEL_CHECK(!bias.defined() || (bias.shape() == Shape{n} && bias.dtype() == x.dtype()), "linear",
             "expected a bias of {} [{}], got {}", to_text(x.dtype()), n, to_text(bias));
  detail::check_same_device("linear", x, bias);
  Tensor y = Tensor::empty({m, n}, x.options());
  DUEL_DISPATCH(x.dtype(), "linear", {
    detail::Workspace workspace(x.device(),
                                kernels::gemm_workspace<T>(false, true, m, n, k, stream_of(x.device())));
    kernels::gemm_bias<T>(stream_of(x.device()), false, true, m, n, k, x.data<T>(), weight.data<T>(),
                          bias.defined() ? bias.data<T>() : nullptr, y.mutable_data<T>(), workspace.get());
  });
  return record("linear", y, {x, weight, bias}, {x, weight},
                [](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                  Tensor dx, dw, db;
                  if (ctx.needs(0)) dx = matmul(g, ctx.saved(1));
                  if (ctx.needs(1)) dw = matmul(g, ctx.saved(0), true, false);
                  if (ctx.needs(2)) db = sum(g, {0});
                  return {dx, dw, db};
                });
}

}  // namespace duel
