// Sums, means, extremes. Samples: reduction_samples.cpp.
#include "duel/core/ops/reduce/reduction.h"

#include <algorithm>

#include "duel/core/device/workspace.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/internal/elementwise_detail.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/kernels/map/movement.h"
#include "duel/kernels/reduce/reduce.h"

namespace duel {
namespace {

using Grads = std::vector<Tensor>;

/// One call of a reduction kernel over the axes [first, last), which lie together. The result keeps them with
/// size 1.
template <class Kernel>
Tensor reduce_run(const char* op, const Tensor& x, int first, int last, Kernel kernel) {
  const int64_t a = x.shape().numel() == 0
                        ? Shape(std::span(x.shape().begin(), static_cast<size_t>(first))).numel()
                        : x.numel() / x.shape().numel_from(first);
  const int64_t b = x.shape().numel_from(last);
  int64_t r = 1;
  Shape result = x.shape();
  for (int axis = first; axis < last; ++axis) {
    r *= x.dim(axis);
    result = result.with(axis, 1);
  }
  Tensor y = Tensor::empty(result, x.options());
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    detail::Workspace workspace(x.device(),
                                static_cast<size_t>(kernels::reduce_workspace(a, r, b)) * sizeof(T));
    kernel(stream_of(x.device()), a, r, b, x.data<T>(), y.mutable_data<T>(), workspace.template as<T>());
  };
  if (x.dtype() == DType::i64) {
    run(int64_t{});
  } else {
    DUEL_DISPATCH(x.dtype(), op, run(T{}));
  }
  return y;
}

/// Sum over the first `before` axes and those from `after` on, which keep size 1: per channel, that is. Unrecorded.
Tensor sum_around(const char* op, const Tensor& x, int before, int after, double divisor) {
  Shape result = x.shape();
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis < before || axis >= after) result = result.with(axis, 1);
  }
  Tensor y = Tensor::empty(result, x.options());
  const int64_t c = y.numel(), b = x.shape().numel_from(after), a = x.numel() / (c * b);
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    detail::Workspace workspace(x.device(),
                                static_cast<size_t>(kernels::sum_around_workspace(a, c, b)) * sizeof(T));
    kernels::sum_around(stream_of(x.device()), a, c, b, x.data<T>(), y.mutable_data<T>(),
                        workspace.template as<T>(), divisor);
  };
  if (x.dtype() == DType::i64) {
    run(int64_t{});
  } else {
    DUEL_DISPATCH(x.dtype(), op, run(T{}));
  }
  return y;
}

/// Sum over the marked axes, divided at the end; the result keeps them with size 1. Unrecorded.
Tensor sum_marked(const char* op, const Tensor& x, const std::vector<char>& marked, double divisor) {
  Tensor y = x;
  const int rank = x.rank();
  const auto first_kept = std::find(marked.begin(), marked.end(), 0);
  const auto behind_kept = std::find(marked.rbegin(), marked.rend(), 0).base();
  if (x.numel() > 0 && first_kept != marked.begin() && behind_kept != marked.end() &&
      first_kept < behind_kept && std::count(first_kept, behind_kept, 0) == behind_kept - first_kept) {
    return sum_around(op, x, static_cast<int>(first_kept - marked.begin()),
                      static_cast<int>(behind_kept - marked.begin()), divisor);
  }
  bool any = false;
  for (int last = rank; last > 0;) {
    if (!marked[static_cast<size_t>(last - 1)]) {
      --last;
      continue;
    }
    int first = last - 1;
    while (first > 0 && marked[static_cast<size_t>(first - 1)]) --first;
    const double now =
        std::none_of(marked.begin(), marked.begin() + first, [](char m) { return m != 0; }) ? divisor : 1.0;
    y = reduce_run(op, y, first, last,
                   [now](auto stream, int64_t a, int64_t r, int64_t b, auto* in, auto* out, auto* work) {
                     kernels::sum_axes(stream, a, r, b, in, out, work, now);
                   });
    any = true;
    last = first;
  }
  return any ? y : (divisor == 1.0 ? x.detach().clone() : div_scalar(x.detach(), divisor));
}

Shape without_marked(const Shape& shape, const std::vector<char>& marked) {
  std::vector<int64_t> sizes;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (!marked[static_cast<size_t>(axis)]) sizes.push_back(shape[axis]);
  }
  return Shape(sizes);
}

std::vector<char> mark(const char* op, const Shape& shape, const Axes& axes) {
  std::vector<char> marked(static_cast<size_t>(shape.rank()));
  for (int axis : axes) {
    char& entry = marked[static_cast<size_t>(normalize_axis(op, axis, shape.rank()))];
    DUEL_CHECK(!entry, op, "axis {} is given twice", axis);
    entry = 1;
  }
  return marked;
}

/// The marked ones, for an OpTrace.
std::vector<int64_t> axes_of(const std::vector<char>& marked) {
  std::vector<int64_t> axes;
  for (size_t axis = 0; axis < marked.size(); ++axis) {
    if (marked[axis]) axes.push_back(static_cast<int64_t>(axis));
  }
  return axes;
}

/// (Sum over axes) / divisor: one recorded op for sum and mean.
Tensor scaled_sum(const char* op, const Tensor& x, const std::vector<char>& marked, double divisor,
                  bool keep_axes) {
  if (x.dtype() == DType::u8 && divisor == 1.0)
    return scaled_sum(op, x.to(DType::i64), marked, divisor, keep_axes);
  const Tensor kept = sum_marked(op, x, marked, divisor);
  const Shape kept_shape = kept.shape(), from = x.shape();
  const Tensor y = keep_axes ? kept : detail::view(kept, without_marked(from, marked), 0);
  DUEL_OP_SAYS({"dim", axes_of(marked)}, {"keepdim", keep_axes});
  return record(op, y, {x}, {}, [kept_shape, from, divisor](const RuleContext&, const Tensor& g) -> Grads {
    Tensor spread = broadcast_to(
        divisor == 1.0 ? g.reshape(kept_shape) : div_scalar(g.reshape(kept_shape), divisor), from);
    return {spread};
  });
}

std::vector<char> all_axes(const Tensor& x) { return std::vector<char>(static_cast<size_t>(x.rank()), 1); }

double count_of(const Tensor& x, const std::vector<char>& marked) {
  DUEL_CHECK(is_floating(x.dtype()), "mean", "expected a floating dtype, got {}: to() makes it one",
             to_text(x));
  int64_t count = 1;
  for (int axis = 0; axis < x.rank(); ++axis) count *= marked[static_cast<size_t>(axis)] ? x.dim(axis) : 1;
  DUEL_CHECK(count > 0, "mean", "the mean of no elements is undefined, got shape {}", x.shape());
  return static_cast<double>(count);
}

}  // namespace

Tensor sum(const Tensor& x) { return scaled_sum("sum", x, all_axes(x), 1.0, false); }
Tensor mean(const Tensor& x) { return scaled_sum("mean", x, all_axes(x), count_of(x, all_axes(x)), false); }

Tensor sum(const Tensor& x, const Axes& axes, bool keep_axes) {
  return scaled_sum("sum", x, mark("sum", x.shape(), axes), 1.0, keep_axes);
}

Tensor mean(const Tensor& x, const Axes& axes, bool keep_axes) {
  const auto marked = mark("mean", x.shape(), axes);
  return scaled_sum("mean", x, marked, count_of(x, marked), keep_axes);
}

namespace {
/// Over the marked axes, runs of neighbours in one call each; the result keeps them with size 1. Unrecorded.
Tensor extreme_marked(const char* op, const Tensor& x, const std::vector<char>& marked, bool largest) {
  Tensor y = x.detach();
  for (int last = x.rank(); last > 0;) {
    int first = last;
    while (first > 0 && marked[static_cast<size_t>(first - 1)]) --first;
    if (first == last) {
      --last;
      continue;
    }
    for (int axis = first; axis < last; ++axis)
      DUEL_CHECK(x.dim(axis) > 0, op, "axis {} of {} is empty", axis, x.shape());
    y = reduce_run(op, y, first, last,
                   [largest](auto stream, int64_t a, int64_t r, int64_t b, auto* in, auto* out, auto* work) {
                     if (largest) {
                       kernels::max_axes(stream, a, r, b, in, out, work);
                     } else {
                       kernels::min_axes(stream, a, r, b, in, out, work);
                     }
                   });
    last = first;
  }
  return y.same_storage(x) ? y.clone() : y;
}

Tensor extreme(const char* op, const Tensor& x, const std::vector<char>& marked, bool keep_axes,
               bool largest) {
  if (x.dtype() == DType::u8) return extreme(op, x.to(DType::i64), marked, keep_axes, largest).to(DType::u8);
  const Tensor kept = extreme_marked(op, x, marked, largest);
  const Tensor y = keep_axes ? kept : detail::view(kept, without_marked(x.shape(), marked), 0);
  const Shape kept_shape = kept.shape();
  DUEL_OP_SAYS({"dim", axes_of(marked)}, {"keepdim", keep_axes});
  return record(op, y, {x}, {x, kept},
                [kept_shape, marked](const RuleContext& ctx, const Tensor& g) -> Grads {
                  Tensor share;
                  {
                    NoGrad no_grad;  // which elements win is constant almost everywhere
                    const Tensor wins = detail::binary<kernels::Equal>("equal", ctx.saved(0), ctx.saved(1));
                    share = div(wins, sum_marked("sum", wins, marked, 1.0));
                  }
                  return {mul(share, g.reshape(kept_shape))};
                });
}
}  // namespace

Tensor max(const Tensor& x) { return extreme("max", x, all_axes(x), false, true); }
Tensor min(const Tensor& x) { return extreme("min", x, all_axes(x), false, false); }
Tensor max(const Tensor& x, const Axes& axes, bool keep_axes) {
  return extreme("max", x, mark("max", x.shape(), axes), keep_axes, true);
}
Tensor min(const Tensor& x, const Axes& axes, bool keep_axes) {
  return extreme("min", x, mark("min", x.shape(), axes), keep_axes, false);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  DUEL_CHECK(broadcast_shapes("sum_to", x.shape(), shape) == x.shape(), "sum_to",
             "{} does not broadcast to {}", shape, x.shape());
  std::vector<char> marked(static_cast<size_t>(x.rank()));
  const int extra = x.rank() - shape.rank();
  for (int axis = 0; axis < x.rank(); ++axis) {
    marked[static_cast<size_t>(axis)] = axis < extra || (shape[axis - extra] == 1 && x.dim(axis) != 1);
  }
  const Shape from = x.shape();
  return record("sum_to", detail::view(sum_marked("sum_to", x, marked, 1.0), shape, 0), {x}, {},
                [from](const RuleContext&, const Tensor& g) -> Grads { return {broadcast_to(g, from)}; });
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  DUEL_CHECK(broadcast_shapes("broadcast_to", x.shape(), shape) == shape, "broadcast_to",
             "{} does not broadcast to {}", x.shape(), shape);
  Tensor y = Tensor::empty(shape, x.options());
  detail::with_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::broadcast_to<T>(stream_of(x.device()), shape.rank(), shape.begin(), x.rank(), x.shape().begin(),
                             x.data<T>(), y.mutable_data<T>());
  });
  const Shape from = x.shape();
  return record("broadcast_to", y, {x}, {},
                [from](const RuleContext&, const Tensor& g) -> Grads { return {sum_to(g, from)}; });
}

Tensor variance(const Tensor& x, const Axes& axes, bool keep_axes) {
  return mean(square(sub(x, mean(x, axes, true))), axes, keep_axes);
}

std::optional<int64_t> first_nonfinite(const Tensor& x) {
  const Tensor here = detail::on_cpu(x);
  int64_t index = -1;
  DUEL_DISPATCH(here.dtype(), "first_nonfinite",
                index = kernels::first_nonfinite<T>(here.numel(), here.data<T>()));
  return index < 0 ? std::nullopt : std::optional(index);
}

namespace {
Tensor arg_extreme(const char* op, const Tensor& x, int axis, bool keep_axis, bool largest) {
  if (x.dtype() == DType::u8) return arg_extreme(op, x.to(DType::i64), axis, keep_axis, largest);
  const int at = normalize_axis(op, axis, x.rank());
  DUEL_CHECK(x.dim(at) > 0, op, "axis {} of {} is empty", axis, x.shape());
  NoGrad no_grad;
  Tensor rows = at == x.rank() - 1 ? x.detach() : transpose(x, at, -1);
  if (!largest) rows = neg(rows);
  Tensor index = Tensor::empty(rows.shape().with(-1, 1), {DType::i64, x.device()});
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    kernels::argmax_rows<T>(stream_of(x.device()), index.numel(), x.dim(at), rows.data<T>(),
                            index.mutable_data<int64_t>());
  };
  if (x.dtype() == DType::i64) {
    run(int64_t{});
  } else {
    DUEL_DISPATCH(x.dtype(), op, run(T{}));
  }
  if (at != x.rank() - 1) index = transpose(index, at, -1);
  return keep_axis ? index : index.reshape(index.shape().without(at));
}
}  // namespace

Tensor argmax(const Tensor& x, int axis, bool keep_axis) {
  return arg_extreme("argmax", x, axis, keep_axis, true);
}
Tensor argmin(const Tensor& x, int axis, bool keep_axis) {
  return arg_extreme("argmin", x, axis, keep_axis, false);
}

Tensor any(const Tensor& x) {
  DUEL_CHECK(x.dtype() == DType::u8, "any", "expected a tensor of u8, got {}", to_text(x));
  return sum(x) > 0.0;
}
Tensor all(const Tensor& x) {
  DUEL_CHECK(x.dtype() == DType::u8, "all", "expected a tensor of u8, got {}", to_text(x));
  return sum(x == 0.0) == 0.0;
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  NoGrad no_grad;
  Tensor close = a == b;
  if (is_floating(a.dtype())) {
    close = close || (isfinite(a) && isfinite(b) && abs(a - b) <= abs(b) * rtol + atol);
    if (equal_nan) close = close || (isnan(a) && isnan(b));
  }
  return all(close).item() != 0.0;
}

}  // namespace duel
