// What stands in x.index({…}): NumPy's and libtorch's indexing of several axes.
//
//   an integer      that index, without its axis; negative counts from the end
//   Slice(b, e, s)  indices b, b + s, … below e; None for an end of the axis; ends beyond the axis are cut to it
//   None            a new axis of size 1
//   Ellipsis        all axes that the others leave, at most once; the end of the list means it too
//   an i64 tensor   those indices in its shape; several broadcast to one shape, which stands where the first of
//                   them stands (in front, where others lie between them)
//
// The result is a copy, differentiable; indices are constants.
//
// Example:  x.index({Ellipsis, Slice(None, None, 2)})   is   x[..., ::2];   x.index({labels, None})
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

#include "duel/core/tensor/tensor.h"

namespace duel {

struct NoneType {};
inline constexpr NoneType None;
struct EllipsisType {};
inline constexpr EllipsisType Ellipsis;

/// One end of a Slice: an integer, or None.
class SliceEnd {
 public:
  constexpr SliceEnd(NoneType) {}
  template <std::integral I>
  constexpr SliceEnd(I at) : at_(static_cast<int64_t>(at)) {}
  constexpr int64_t value_or(int64_t missing) const { return at_.value_or(missing); }

 private:
  std::optional<int64_t> at_;
};

struct Slice {
  constexpr Slice(SliceEnd begin_ = None, SliceEnd end_ = None, SliceEnd step_ = None)
      : begin(begin_), end(end_), step(step_) {}
  SliceEnd begin, end, step;  // a step is at least 1
};

class TensorIndex {
 public:
  enum class Kind { integer, slice, none, ellipsis, tensor };
  template <std::integral I>
  TensorIndex(I at) : kind(Kind::integer), integer(static_cast<int64_t>(at)) {}
  TensorIndex(Slice at) : kind(Kind::slice), slice(at) {}
  TensorIndex(NoneType) : kind(Kind::none) {}
  TensorIndex(EllipsisType) : kind(Kind::ellipsis) {}
  TensorIndex(Tensor at) : kind(Kind::tensor), tensor(std::move(at)) {}

  Kind kind;
  int64_t integer = 0;
  Slice slice;
  Tensor tensor;
};

}  // namespace duel
