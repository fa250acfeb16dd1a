// x.index({…}): integers and slices first, axis by axis, then all index tensors at once as one gather of rows.
#include "duel/core/tensor/indexing.h"

#include <algorithm>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/creation.h"
#include "duel/core/ops/map/movement.h"
#include "duel/kernels/base/error.h"

namespace duel {
namespace {

Tensor sliced(const Tensor& x, int axis, const Slice& at) {
  const int64_t size = x.dim(axis), step = at.step.value_or(1);
  DUEL_CHECK(step >= 1, "index", "expected a step of at least 1, got {}: flip() turns an axis round", step);
  const auto cut = [size](int64_t end) { return std::clamp<int64_t>(end < 0 ? end + size : end, 0, size); };
  const int64_t begin = cut(at.begin.value_or(0)), end = std::max(begin, cut(at.end.value_or(size)));
  if (step > 1) {
    return index_select(x, axis, arange(begin, end, step, {DType::i64, x.device()}));
  }
  return begin == 0 && end == size ? x : slice(x, axis, begin, end);
}

/// The index with negative entries counted from the end.
Tensor from_the_front(const Tensor& index, int64_t size) {
  return where(index < 0.0, index + static_cast<double>(size), index);
}

/// x at index tensors on the axes `axes` (ascending), which broadcast to one shape.
Tensor gathered(const Tensor& x, const std::vector<int>& axes, const std::vector<Tensor>& indices) {
  Shape shape;
  for (const Tensor& index : indices) shape = broadcast_shapes("index", shape, index.shape());
  std::vector<int> order = axes;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) order.push_back(axis);
  }
  const bool together = axes.back() - axes.front() == static_cast<int>(axes.size()) - 1;
  Tensor flat = Tensor::zeros({}, {DType::i64, x.device()});
  int64_t rows = 1;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t size = x.dim(axes[i]);
    const Tensor index = from_the_front(indices[i], size);
    flat = flat * static_cast<double>(size) + index;
    if (!x.device().is_cuda()) {  // an index that is out of its axis must not reach another row
      for (int64_t value : std::span(index.data<int64_t>(), static_cast<size_t>(index.numel())))
        DUEL_CHECK(value >= 0 && value < size, "index",
                   "expected indices in [{}, {}) on axis {} of {}, got {}", -size, size, axes[i], x.shape(),
                   value < 0 ? value - size : value);
    }
    rows *= size;
  }
  const Tensor front = std::is_sorted(order.begin(), order.end()) ? x : permute(x, order);
  std::vector<int64_t> rest(front.shape().begin() + axes.size(), front.shape().end());
  std::vector<int64_t> sizes{rows};
  sizes.insert(sizes.end(), rest.begin(), rest.end());
  const Tensor taken = gather(front.reshape(Shape(sizes)), flat.reshape({-1}));
  sizes.assign(shape.begin(), shape.end());
  sizes.insert(sizes.end(), rest.begin(), rest.end());
  const Tensor y = taken.reshape(Shape(sizes));
  const int moved = together ? axes.front() : 0;  // axes of x that stay before the index's
  if (moved == 0) return y;
  std::vector<int> back;
  for (int axis = 0; axis < moved; ++axis) back.push_back(shape.rank() + axis);
  for (int axis = 0; axis < shape.rank(); ++axis) back.push_back(axis);
  for (int axis = shape.rank() + moved; axis < y.rank(); ++axis) back.push_back(axis);
  return permute(y, back);
}

}  // namespace

Tensor Tensor::index(std::initializer_list<TensorIndex> at) const {
  return index(std::vector<TensorIndex>(at));
}

Tensor Tensor::index(const std::vector<TensorIndex>& at) const {
  using Kind = TensorIndex::Kind;
  const auto count = [&](Kind kind) {
    return static_cast<int>(
        std::count_if(at.begin(), at.end(), [kind](const auto& i) { return i.kind == kind; }));
  };
  const int used = static_cast<int>(at.size()) - count(Kind::none) - count(Kind::ellipsis);
  DUEL_CHECK(used <= rank(), "index", "expected at most {} indices for {}, got {}", rank(), shape(), used);
  DUEL_CHECK(count(Kind::ellipsis) <= 1, "index", "expected Ellipsis once at most, got {} of them",
             count(Kind::ellipsis));
  Tensor y = *this;
  std::vector<int> axes;
  std::vector<Tensor> indices;
  int axis = 0;
  for (const TensorIndex& entry : at) {
    switch (entry.kind) {
      case Kind::integer: {
        const int64_t size = y.dim(axis), i = entry.integer < 0 ? entry.integer + size : entry.integer;
        DUEL_CHECK(i >= 0 && i < size, "index", "expected an index in [{}, {}) of {}, got {}", -size, size,
                   shape(), entry.integer);
        y = slice(y, axis, i, i + 1);
        y = y.reshape(y.shape().without(axis));
        break;
      }
      case Kind::slice:
        y = sliced(y, axis++, entry.slice);
        break;
      case Kind::none:
        y = y.reshape(y.shape().inserted(axis++));
        break;
      case Kind::ellipsis:
        axis += rank() - used;
        break;
      case Kind::tensor:
        DUEL_CHECK(entry.tensor.dtype() == DType::i64, "index",
                   "expected an index of i64, got {}: where() and masked_fill() take masks",
                   to_text(entry.tensor));
        axes.push_back(axis++);
        indices.push_back(entry.tensor.to(y.device()));
        break;
    }
  }
  if (!axes.empty()) return gathered(y, axes, indices);
  return y.impl() == impl() || y.same_storage(*this) ? y.clone() : y;
}

}  // namespace duel
