// softmax, log_softmax and cross-entropy. Rows are shifted by their maximum first, so nothing overflows; the rules are
// closed formulas in differentiable ops, so every order works and the shift is no part of any gradient.
#include "duel/core/ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "duel/core/autograd.h"
#include "duel/core/op_registry.h"
#include "duel/core/ops/arithmetic.h"
#include "duel/core/ops/reduction.h"
#include "duel/core/tensor_impl.h"
#include "duel/kernels/movement.h"

namespace duel {
namespace {

using Grads = std::vector<Tensor>;

void check(const char* op, const Tensor& x) {
  DUEL_CHECK(x.rank() >= 1 && x.dim(-1) > 0, op, "expected [..., C] with C > 0, got {}", to_text(x));
}

Tensor shifted(const Tensor& x) { return sub(x, max(x, -1, true)); }

/// x - max - log(sum exp(x - max)), unrecorded.
Tensor log_softmax_value(const Tensor& x) {
  NoGrad no_grad;
  const Tensor z = shifted(x);
  return sub(z, log(sum(exp(z), {-1}, true)));
}

}  // namespace

Tensor softmax(const Tensor& x) {
  check("softmax", x);
  Tensor y;
  {
    NoGrad no_grad;
    const Tensor e = exp(shifted(x));
    y = div(e, sum(e, {-1}, true));
  }
  // dx = y (g - sum g y)
  return record("softmax", y, {x}, {y}, [](const RuleContext& ctx, const Tensor& g) -> Grads {
    const Tensor p = ctx.saved(0), weighted = mul(g, p);
    return {sub(weighted, mul(p, sum(weighted, {-1}, true)))};
  });
}

Tensor log_softmax(const Tensor& x) {
  check("log_softmax", x);
  const Tensor y = log_softmax_value(x);
  // dx = g - softmax(x) sum g
  return record("log_softmax", y, {x}, {y}, [](const RuleContext& ctx, const Tensor& g) -> Grads {
    return {sub(g, mul(exp(ctx.saved(0)), sum(g, {-1}, true)))};
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
    value = div_scalar(neg(sum(mul(target, log_softmax_value(logits)))), static_cast<double>(count));
  }
  return record("cross_entropy", value, {logits}, {logits, target},
                [count](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {mul(sub(softmax(ctx.saved(0)), ctx.saved(1)), div_scalar(g, static_cast<double>(count)))};
                });
}

namespace {

/// log softmax of every row, by its definition.
Array reference_log_softmax(const Array& x) {
  Array y = x;
  const int64_t columns = x.shape[-1];
  for (int64_t row = 0; row < x.shape.numel() / columns; ++row) {
    double* values = y.values.data() + row * columns;
    double total = 0;
    for (int64_t j = 0; j < columns; ++j) total += std::exp(values[j]);
    for (int64_t j = 0; j < columns; ++j) values[j] -= std::log(total);
  }
  return y;
}

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{5}, {1, 1}, {3, 4}, {7, 1}, {2, 3, 5}, {1, 33}, {0, 4}};
  return all;
}

std::vector<OpSample> softmax_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape : shapes()) {
    samples.push_back({.label = to_text(shape),
                       .inputs = {{.shape = shape, .low = -3, .high = 3}},
                       .apply = [](const Tensors& x) { return softmax(x[0]); },
                       .reference =
                           [](const Arrays& x) {
                             return reference::map(reference_log_softmax(x[0]),
                                                   [](double v) { return std::exp(v); });
                           }});
  }
  return samples;
}

std::vector<OpSample> log_softmax_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape : shapes()) {
    samples.push_back({.label = to_text(shape),
                       .inputs = {{.shape = shape, .low = -3, .high = 3}},
                       .apply = [](const Tensors& x) { return log_softmax(x[0]); },
                       .reference = [](const Arrays& x) { return reference_log_softmax(x[0]); }});
  }
  return samples;
}

std::vector<OpSample> cross_entropy_samples() {
  std::vector<OpSample> samples;
  for (const Shape& shape : {Shape{1, 2}, Shape{4, 3}, Shape{7, 10}, Shape{3, 1}}) {
    samples.push_back(
        {.label = to_text(shape),
         .inputs = {{.shape = shape, .low = -3, .high = 3},
                    {.shape = {shape[0]}, .low = 0, .high = static_cast<double>(shape[1]), .index = true}},
         .apply = [](const Tensors& x) { return cross_entropy(x[0], x[1]); },
         .reference =
             [](const Arrays& x) {
               const Array logs = reference_log_softmax(x[0]);
               double total = 0;
               for (int64_t i = 0; i < x[0].shape[0]; ++i) {
                 total -= logs.values[static_cast<size_t>(
                     i * x[0].shape[1] + static_cast<int64_t>(x[1].values[static_cast<size_t>(i)]))];
               }
               return Array{{}, {total / static_cast<double>(x[0].shape[0])}};
             }});
  }
  return samples;
}

const RegisterOp softmax_registered("softmax", softmax_samples);
const RegisterOp log_softmax_registered("log_softmax", log_softmax_samples);
const RegisterOp cross_entropy_registered("cross_entropy", cross_entropy_samples);

}  // namespace
}  // namespace duel
