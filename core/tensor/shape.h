// Shape: the sizes of a tensor's axes, rank 0 to 5, kept inline. Row-major: the last axis is contiguous.
//
// Example: Shape s{64, 1, 28, 28};  s.numel() == 50176;  s[-1] == 28;
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace duel {

class Shape {
 public:
  static constexpr int kMaxRank = 5;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  /// Throws Error for more than 5 axes, a negative size, or a product that does not fit in 63 bits.
  explicit Shape(std::span<const int64_t> sizes);

  int rank() const { return rank_; }
  int64_t numel() const { return numel_; }
  /// Size of an axis; negative counts from the end.
  int64_t operator[](int axis) const;
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }
  /// This shape with one axis resized / removed / of size 1 inserted before `axis`.
  Shape with(int axis, int64_t size) const;
  Shape without(int axis) const;
  Shape inserted(int axis, int64_t size = 1) const;
  /// Elements in one index of `axis` … last: product of the sizes from `axis` on.
  int64_t numel_from(int axis) const;
  bool operator==(const Shape& other) const;

 private:
  std::array<int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
  int64_t numel_ = 1;
};

/// Which axes: one, or several in braces; negative counts from the end.
/// Example: sum(x, 0), sum(x, {0, 2}), x.mean({-2, -1})
class Axes {
 public:
  Axes(int axis) : axes_{axis} {}
  Axes(std::initializer_list<int> axes) : axes_(axes) {}
  Axes(std::vector<int> axes) : axes_(std::move(axes)) {}
  auto begin() const { return axes_.begin(); }
  auto end() const { return axes_.end(); }

 private:
  std::vector<int> axes_;
};

/// "[64, 1, 28, 28]"
std::string to_text(const Shape& shape);
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// The NumPy broadcast of two shapes; throws Error naming `op` if there is none.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

/// axis in [-rank, rank) to [0, rank); throws Error naming `op` otherwise.
int normalize_axis(const char* op, int axis, int rank);

}  // namespace duel
