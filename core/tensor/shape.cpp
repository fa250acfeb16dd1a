#include "duel/core/tensor/shape.h"

#include <algorithm>
#include <ostream>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/text.h"

namespace duel {

Shape::Shape(std::span<const int64_t> sizes) {
  DUEL_CHECK(sizes.size() <= kMaxRank, "shape", "expected at most 5 axes, got {}", sizes.size());
  rank_ = static_cast<int>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
  for (int64_t size : sizes) {
    DUEL_CHECK(size >= 0, "shape", "expected sizes of at least 0, got {}", size);
    DUEL_CHECK(!__builtin_mul_overflow(numel_, size, &numel_), "shape",
               "the number of elements does not fit in 63 bits");
  }
}

int64_t Shape::operator[](int axis) const { return sizes_[normalize_axis("shape", axis, rank_)]; }

Shape Shape::with(int axis, int64_t size) const {
  std::vector<int64_t> sizes(begin(), end());
  sizes[normalize_axis("shape", axis, rank_)] = size;
  return Shape(sizes);
}

Shape Shape::without(int axis) const {
  std::vector<int64_t> sizes(begin(), end());
  sizes.erase(sizes.begin() + normalize_axis("shape", axis, rank_));
  return Shape(sizes);
}

Shape Shape::inserted(int axis, int64_t size) const {
  std::vector<int64_t> sizes(begin(), end());
  sizes.insert(sizes.begin() + normalize_axis("shape", axis, rank_ + 1), size);
  return Shape(sizes);
}

int64_t Shape::numel_from(int axis) const {
  int64_t product = 1;
  for (int i = axis; i < rank_; ++i) product *= sizes_[i];
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return rank_ == other.rank_ && std::equal(begin(), end(), other.begin());
}

std::string to_text(const Shape& shape) { return "[" + joined(shape) + "]"; }
std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_text(shape); }

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int64_t> sizes(rank);
  for (int i = 1; i <= rank; ++i) {
    const int64_t from_a = i <= a.rank() ? a[-i] : 1;
    const int64_t from_b = i <= b.rank() ? b[-i] : 1;
    DUEL_CHECK(from_a == from_b || from_a == 1 || from_b == 1, op,
               "expected shapes that broadcast, got {} and {}", a, b);
    sizes[rank - i] = from_a == 1 ? from_b : from_a;
  }
  return Shape(sizes);
}

int normalize_axis(const char* op, int axis, int rank) {
  DUEL_CHECK(axis >= -rank && axis < rank, op, "expected an axis in [{}, {}), got {}", -rank, rank, axis);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace duel
