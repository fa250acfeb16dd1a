// softmax, log_softmax and cross-entropy. Rows are shifted by their maximum first, so nothing overflows; the
// rules are closed formulas in differentiable ops, so every order works and the shift is no part of any
// gradient.
#include "duel/core/ops/reduce/softmax.h"

#include <algorithm>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/kernels/map/movement.h"

namespace duel {
namespace {

using Grads = std::vector<Tensor>;

int check(const char* op, const Tensor& x, int axis) {
  const int at = normalize_axis(op, axis, x.rank());
  DUEL_CHECK(x.dim(at) > 0, op, "expected at least one element on axis {}, got {}", axis, to_text(x));
  return at;
}

Tensor shifted(const Tensor& x, int axis) { return sub(x, max(x, axis, true)); }

/// x - max - log(sum exp(x - max)), unrecorded.
Tensor log_softmax_value(const Tensor& x, int axis) {
  NoGrad no_grad;
  const Tensor z = shifted(x, axis);
  return sub(z, log(sum(exp(z), axis, true)));
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) {
  const int at = check("softmax", x, axis);
  Tensor y;
  {
    NoGrad no_grad;
    const Tensor e = exp(shifted(x, at));
    y = div(e, sum(e, at, true));
  }
  // dx = y (g - sum g y)
  DUEL_OP_SAYS({"dim", at});
  return record("softmax", y, {x}, {y}, [at](const RuleContext& ctx, const Tensor& g) -> Grads {
    const Tensor p = ctx.saved(0), weighted = mul(g, p);
    return {sub(weighted, mul(p, sum(weighted, at, true)))};
  });
}

Tensor log_softmax(const Tensor& x, int axis) {
  const int at = check("log_softmax", x, axis);
  const Tensor y = log_softmax_value(x, at);
  // dx = g - softmax(x) sum g
  DUEL_OP_SAYS({"dim", at});
  return record("log_softmax", y, {x}, {y}, [at](const RuleContext& ctx, const Tensor& g) -> Grads {
    return {sub(g, mul(exp(ctx.saved(0)), sum(g, at, true)))};
  });
}

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
  DUEL_CHECK(logits.rank() == 2 && logits.numel() > 0 && labels.dtype() == DType::i64 &&
                 labels.shape() == Shape{logits.dim(0)},
             "cross_entropy", "expected logits [N, C] with N > 0 and labels i64 [N], got {} and {}",
             to_text(logits), to_text(labels));
  detail::check_same_device("cross_entropy", logits, labels);
  const int64_t count = logits.dim(0), classes = logits.dim(1);
  const int64_t* first = labels.data<int64_t>();
  for (int64_t i = 0; i < count && !labels.device().is_cuda(); ++i) {
    DUEL_CHECK(first[i] >= 0 && first[i] < classes, "cross_entropy",
               "expected labels in [0, {}), got {} at position {}", classes, first[i], i);
  }
  Tensor target = Tensor::empty(logits.shape(), logits.options());
  DUEL_DISPATCH(
      logits.dtype(), "cross_entropy",
      kernels::one_hot<T>(stream_of(logits.device()), count, classes, first, target.mutable_data<T>()));
  Tensor value;
  {
    NoGrad no_grad;
    value = div_scalar(neg(sum(mul(target, log_softmax_value(logits, -1)))), static_cast<double>(count));
  }
  return record(
      "cross_entropy", value, {logits}, {logits, target},
      [count](const RuleContext& ctx, const Tensor& g) -> Grads {
        return {mul(sub(softmax(ctx.saved(0)), ctx.saved(1)), div_scalar(g, static_cast<double>(count)))};
      });
}

}  // namespace duel
