// permute, slice and pad, concat and stack, gather and scatter_add. Samples: movement_samples.cpp.
#include "duel/core/ops/map/movement.h"

#include <algorithm>
#include <numeric>

#include "duel/core/ops/map/internal/elementwise_detail.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/kernels/map/axis.h"
#include "duel/kernels/map/movement.h"

namespace duel {
using detail::with_type;
namespace {

using Grads = std::vector<Tensor>;

/// Copies a box of `extent` along `axis` (whole along the others) from `from_at` of x to `to_at` of y.
void copy_along(const Tensor& x, int64_t from_at, Tensor& y, int64_t to_at, int axis, int64_t extent) {
  int64_t box[Shape::kMaxRank], from[Shape::kMaxRank] = {}, to[Shape::kMaxRank] = {};
  std::copy(x.shape().begin(), x.shape().end(), box);
  box[axis] = extent;
  from[axis] = from_at;
  to[axis] = to_at;
  with_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::copy_box<T>(stream_of(x.device()), x.rank(), box, x.data<T>(), x.shape().begin(), from,
                         y.mutable_data<T>(), y.shape().begin(), to);
  });
}

void check_index(const char* op, const Tensor& x, const Tensor& index) {
  DUEL_CHECK(index.dtype() == DType::i64 && index.rank() == 1, op, "expected an index of i64 [N], got {}",
             to_text(index));
  DUEL_CHECK(x.rank() >= 1, op, "expected rows [R, ...], got {}", to_text(x));
  detail::check_same_device(op, x, index);
}

}  // namespace

Tensor permute(const Tensor& x, const std::vector<int>& order) {
  const int rank = x.rank();
  DUEL_CHECK(static_cast<int>(order.size()) == rank, "permute", "expected {} axes for {}, got {}", rank,
             x.shape(), order.size());
  std::vector<int> axes, inverse(order.size(), -1);
  std::vector<int64_t> sizes;
  for (int i = 0; i < rank; ++i) {
    const int axis = normalize_axis("permute", order[static_cast<size_t>(i)], rank);
    int& entry = inverse[static_cast<size_t>(axis)];
    DUEL_CHECK(entry < 0, "permute", "axis {} is given twice", axis);
    entry = i;
    axes.push_back(axis);
    sizes.push_back(x.dim(axis));
  }
  Tensor y = Tensor::empty(Shape(sizes), x.options());
  with_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::permute<T>(stream_of(x.device()), rank, x.shape().begin(), axes.data(), x.data<T>(),
                        y.mutable_data<T>());
  });
  DUEL_OP_SAYS({"dims", std::vector<int64_t>(axes.begin(), axes.end())});
  return record("permute", y, {x}, {},
                [inverse](const RuleContext&, const Tensor& g) -> Grads { return {permute(g, inverse)}; });
}

Tensor transpose(const Tensor& x, int axis_a, int axis_b) {
  std::vector<int> order(static_cast<size_t>(x.rank()));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<size_t>(normalize_axis("transpose", axis_a, x.rank()))],
            order[static_cast<size_t>(normalize_axis("transpose", axis_b, x.rank()))]);
  return permute(x, order);
}

namespace {

void check_part(const char* op, const Tensor& x, int axis, int64_t begin, int64_t end) {
  DUEL_CHECK(0 <= begin && begin <= end && end <= x.dim(axis), op,
             "expected 0 <= begin <= end <= {} on axis {} of {}, got [{}, {})", x.dim(axis), axis, x.shape(),
             begin, end);
}

/// y is the part [begin, end) of x along one axis.
Tensor record_part(const char* op, Tensor y, const Tensor& x, int axis, int64_t begin, int64_t end) {
  DUEL_OP_SAYS({"dim", axis}, {"start", begin}, {"length", end - begin});
  return record(op, std::move(y), {x}, {},
                [axis, begin, after = x.dim(axis) - end](const RuleContext&, const Tensor& g) -> Grads {
                  return {pad(g, axis, begin, after)};
                });
}

}  // namespace

Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end) {
  const int at = normalize_axis("slice", axis, x.rank());
  check_part("slice", x, at, begin, end);
  Tensor y = Tensor::empty(x.shape().with(at, end - begin), x.options());
  copy_along(x, begin, y, 0, at, end - begin);
  return record_part("slice", y, x, at, begin, end);
}

Tensor rows(const Tensor& x, int64_t begin, int64_t end) {
  DUEL_CHECK(x.rank() >= 1, "rows", "expected at least one axis, got {}", to_text(x));
  check_part("rows", x, 0, begin, end);
  const size_t offset = static_cast<size_t>(begin * x.shape().numel_from(1)) * size_of(x.dtype());
  return record_part("rows", detail::view(x, x.shape().with(0, end - begin), offset), x, 0, begin, end);
}

Tensor pad(const Tensor& x, int axis, int64_t before, int64_t after, double value) {
  const int at = normalize_axis("pad", axis, x.rank());
  DUEL_CHECK(before >= 0 && after >= 0, "pad", "expected at least 0 elements before and after, got {} and {}",
             before, after);
  const int64_t size = x.dim(at);
  Tensor y = Tensor::full(x.shape().with(at, before + size + after), value, x.options());
  copy_along(x, 0, y, before, at, size);
  DUEL_OP_SAYS({"dim", at}, {"before", before}, {"after", after}, {"value", value});
  return record("pad", y, {x}, {}, [at, before, size](const RuleContext&, const Tensor& g) -> Grads {
    return {slice(g, at, before, before + size)};
  });
}

Tensor pad(const Tensor& x, const std::vector<int64_t>& pads, double value) {
  DUEL_CHECK(pads.size() % 2 == 0 && pads.size() <= 2 * static_cast<size_t>(x.rank()), "pad",
             "expected two sizes for each of up to {} axes, got {}", x.rank(), pads.size());
  Tensor y = x;
  for (size_t i = 0; i < pads.size(); i += 2) {
    if (pads[i] != 0 || pads[i + 1] != 0)
      y = pad(y, x.rank() - 1 - static_cast<int>(i / 2), pads[i], pads[i + 1], value);
  }
  return y;
}

Tensor flip(const Tensor& x, const Axes& axes) {
  bool turned[Shape::kMaxRank] = {};
  for (int axis : axes) {
    bool& entry = turned[normalize_axis("flip", axis, x.rank())];
    DUEL_CHECK(!entry, "flip", "axis {} is given twice", axis);
    entry = true;
  }
  Tensor y = Tensor::empty(x.shape(), x.options());
  with_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::flip<T>(stream_of(x.device()), x.rank(), x.shape().begin(), turned, x.data<T>(),
                     y.mutable_data<T>());
  });
  return record("flip", y, {x}, {},
                [axes](const RuleContext&, const Tensor& g) -> Grads { return {flip(g, axes)}; });
}

std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int axis) {
  const int at = normalize_axis("split", axis, x.rank());
  DUEL_CHECK(std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) == x.dim(at), "split",
             "expected sizes that fill axis {} of {}, got a sum of {}", axis, x.shape(),
             std::accumulate(sizes.begin(), sizes.end(), int64_t{0}));
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (int64_t size : sizes) {
    parts.push_back(slice(x, at, begin, begin + size));
    begin += size;
  }
  return parts;
}

std::vector<Tensor> split(const Tensor& x, int64_t size, int axis) {
  DUEL_CHECK(size > 0, "split", "expected parts of at least 1 index, got {}", size);
  const int64_t whole = x.dim(normalize_axis("split", axis, x.rank()));
  std::vector<int64_t> sizes(static_cast<size_t>(whole / size), size);
  if (whole % size != 0 || whole == 0) sizes.push_back(whole % size);
  return split(x, sizes, axis);
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int axis) {
  DUEL_CHECK(chunks > 0, "chunk", "expected at least 1 part, got {}", chunks);
  const int64_t whole = x.dim(normalize_axis("chunk", axis, x.rank()));
  return split(x, std::max<int64_t>(1, (whole + chunks - 1) / chunks), axis);
}

Tensor squeeze(const Tensor& x) {
  std::vector<int64_t> sizes;
  std::copy_if(x.shape().begin(), x.shape().end(), std::back_inserter(sizes),
               [](int64_t size) { return size != 1; });
  return x.reshape(Shape(sizes));
}
Tensor squeeze(const Tensor& x, int axis) {
  const int at = normalize_axis("squeeze", axis, x.rank());
  return x.reshape(x.dim(at) == 1 ? x.shape().without(at) : x.shape());
}
Tensor unsqueeze(const Tensor& x, int axis) {
  return x.reshape(x.shape().inserted(normalize_axis("unsqueeze", axis, x.rank() + 1)));
}
Tensor t(const Tensor& x) {
  DUEL_CHECK(x.rank() <= 2, "t", "expected at most 2 axes, got {}: transpose() takes which", to_text(x));
  return x.rank() == 2 ? transpose(x, 0, 1) : x;
}

Tensor concat(const std::vector<Tensor>& tensors, int axis) {
  DUEL_CHECK(!tensors.empty(), "concat", "expected at least one tensor");
  const Tensor& first = tensors.front();
  const int at = normalize_axis("concat", axis, first.rank());
  int64_t total = 0;
  std::vector<int64_t> starts;
  for (const Tensor& tensor : tensors) {
    detail::check_same_device("concat", first, tensor);
    DUEL_CHECK(tensor.dtype() == first.dtype() && tensor.rank() == first.rank() &&
                   tensor.shape().with(at, 0) == first.shape().with(at, 0),
               "concat", "expected tensors that differ along axis {} only, got {} and {}", at, to_text(first),
               to_text(tensor));
    starts.push_back(total);
    total += tensor.dim(at);
  }
  starts.push_back(total);
  Tensor y = Tensor::empty(first.shape().with(at, total), first.options());
  int64_t outer = 1;
  for (int d = 0; d < at; ++d) outer *= first.dim(d);
  const int64_t trailing = first.shape().numel_from(at + 1);
  with_type(first.dtype(), [&](auto zero) {
    using T = decltype(zero);
    constexpr size_t kMost = kernels::JoinParts<T>::kMost;
    if (tensors.size() > kMost) {
      for (size_t i = 0; i < tensors.size(); ++i)
        copy_along(tensors[i], 0, y, starts[i], at, tensors[i].dim(at));
      return;
    }
    kernels::JoinParts<T> parts;
    for (const Tensor& tensor : tensors) parts.add(tensor.data<T>(), tensor.dim(at) * trailing);
    kernels::join<T>(stream_of(y.device()), outer, parts, y.mutable_data<T>());
  });
  DUEL_OP_SAYS({"dim", at});
  return record("concat", y, tensors, {}, [at, starts](const RuleContext& ctx, const Tensor& g) -> Grads {
    Grads parts(starts.size() - 1);
    for (size_t i = 0; i < parts.size(); ++i) {
      if (ctx.needs(static_cast<int>(i))) parts[i] = slice(g, at, starts[i], starts[i + 1]);
    }
    return parts;
  });
}

Tensor stack(const std::vector<Tensor>& tensors, int axis) {
  DUEL_CHECK(!tensors.empty(), "stack", "expected at least one tensor");
  const int at = normalize_axis("stack", axis, tensors.front().rank() + 1);
  std::vector<Tensor> slices;
  for (const Tensor& tensor : tensors) {
    DUEL_CHECK(tensor.shape() == tensors.front().shape(), "stack",
               "expected tensors of one shape, got {} and {}", tensors.front().shape(), tensor.shape());
    slices.push_back(tensor.reshape(tensor.shape().inserted(at)));
  }
  return concat(slices, at);
}

Tensor gather(const Tensor& x, const Tensor& index) {
  check_index("gather", x, index);
  const int64_t rows = x.dim(0), columns = x.shape().numel_from(1);
  Tensor y = Tensor::empty(x.shape().with(0, index.dim(0)), x.options());
  with_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::gather_rows<T>(stream_of(x.device()), index.dim(0), rows, columns, x.data<T>(),
                            index.data<int64_t>(), y.mutable_data<T>());
  });
  return record("gather", y, {x}, {index}, [rows](const RuleContext& ctx, const Tensor& g) -> Grads {
    return {scatter_add(g, ctx.saved(0), rows)};
  });
}

Tensor scatter_add(const Tensor& x, const Tensor& index, int64_t rows) {
  check_index("scatter_add", x, index);
  DUEL_CHECK(x.dim(0) == index.dim(0) && rows >= 0, "scatter_add",
             "expected one index per row of {} and rows >= 0, got {} and {}", x.shape(), index.shape(), rows);
  Tensor y = Tensor::zeros(x.shape().with(0, rows), x.options());
  DUEL_DISPATCH(x.dtype(), "scatter_add",
                kernels::scatter_add_rows<T>(stream_of(x.device()), x.dim(0), rows, x.shape().numel_from(1),
                                             x.data<T>(), index.data<int64_t>(), y.mutable_data<T>()));
  return record("scatter_add", y, {x}, {index},
                [](const RuleContext& ctx, const Tensor& g) -> Grads { return {gather(g, ctx.saved(0))}; });
}

namespace {

/// x as [A, R, B] around an axis.
struct Around {
  int64_t a, r, b;
};
Around around(const Shape& shape, int axis) {
  int64_t a = 1;
  for (int i = 0; i < axis; ++i) a *= shape[i];
  return {a, shape[axis], shape.numel_from(axis + 1)};
}

/// The part of x that an index of the other axes' sizes reaches.
Tensor reached(const char* op, const Tensor& x, int axis, const Tensor& index) {
  DUEL_CHECK(index.dtype() == DType::i64 && index.rank() == x.rank(), op,
             "expected an index of i64 and {} axes, got {}", x.rank(), to_text(index));
  detail::check_same_device(op, x, index);
  Tensor part = x;
  for (int i = 0; i < x.rank(); ++i) {
    DUEL_CHECK(i == axis || index.dim(i) <= x.dim(i), op,
               "expected an index of at most {} on axis {}, got {}", x.dim(i), i, index.shape());
    if (i != axis && index.dim(i) < x.dim(i)) part = slice(part, i, 0, index.dim(i));
  }
  return part;
}

}  // namespace

Tensor gather(const Tensor& whole, int axis, const Tensor& index) {
  const int at = normalize_axis("gather", axis, whole.rank());
  const Tensor x = reached("gather", whole, at, index);
  const auto [a, r, b] = around(x.shape(), at);
  Tensor y = Tensor::empty(index.shape(), x.options());
  with_type(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::gather_axis<T>(stream_of(x.device()), a, r, b, index.dim(at), x.data<T>(), index.data<int64_t>(),
                            y.mutable_data<T>());
  });
  return record("gather_axis", y, {x}, {index},
                [at, from = x.shape()](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {scatter_add(Tensor::zeros(from, g.options()), at, ctx.saved(0), g)};
                });
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& values) {
  const int at = normalize_axis("scatter_add", axis, x.rank());
  detail::check_same_kind("scatter_add", x, values);
  DUEL_CHECK(
      index.dtype() == DType::i64 && index.shape() == values.shape() && index.rank() == x.rank() &&
          index.shape().with(at, 0) == x.shape().with(at, 0),
      "scatter_add",
      "expected an index of i64 and values of one shape that differs from {} on axis {} alone, got {} and {}",
      x.shape(), axis, to_text(index), to_text(values));
  detail::check_same_device("scatter_add", x, index);
  const auto [a, r, b] = around(x.shape(), at);
  Tensor y = x.detach().clone();
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    kernels::scatter_add_axis<T>(stream_of(x.device()), a, r, b, index.dim(at), values.data<T>(),
                                 index.data<int64_t>(), y.mutable_data<T>());
  };
  if (x.dtype() == DType::i64) {
    run(int64_t{});
  } else {
    DUEL_DISPATCH(x.dtype(), "scatter_add", run(T{}));
  }
  return record("scatter_add_axis", y, {x, values}, {index},
                [at](const RuleContext& ctx, const Tensor& g) -> Grads {
                  return {g, ctx.needs(1) ? gather(g, at, ctx.saved(0)) : Tensor()};
                });
}

Tensor index_select(const Tensor& x, int axis, const Tensor& index) {
  const int at = normalize_axis("index_select", axis, x.rank());
  if (at == 0) return gather(x, index);
  return transpose(gather(transpose(x, 0, at), index), 0, at);
}

}  // namespace duel
