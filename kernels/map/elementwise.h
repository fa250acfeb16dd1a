// Element-wise maps: unary, binary and comparisons with NumPy broadcasting, where, fill, cast.
//
// The formulas are the functors of functors.h (include that file to call these templates); every pair of a
// registered functor and float or double is compiled once, in elementwise.cu. All arrays are contiguous,
// row-major. y may be the same array as an input of the same shape; no other overlap.
//
// Example: y[N, C] = x[N, C] + bias[C]
//   const int64_t shape[] = {n, c}, row[] = {c};
//   binary<Add>(stream, make_broadcast(shape, shape, row), x, bias, y);
//   unary(stream, n * c, y, y, MulScalar{0.5});
#pragma once

#include <cstdint>
#include <span>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

inline constexpr int kMaxRank = 5;

/// How up to three inputs are read to fill one output: the output's shape and, per input and axis, how many
/// elements one step moves (0 along a broadcast axis). Axes that can be walked as one are merged, so the
/// same shapes give rank 1 and stride 1; rank is 1 to 5, and the innermost strides are 0 or 1.
struct Broadcast {
  int rank = 1;
  int64_t shape[kMaxRank] = {0};
  int64_t stride_a[kMaxRank] = {1};
  int64_t stride_b[kMaxRank] = {1};
  int64_t stride_c[kMaxRank] = {1};

  /// Elements of the output.
  int64_t size() const {
    int64_t n = 1;
    for (int d = 0; d < rank; ++d) n *= shape[d];
    return n;
  }
};

/// The plan for two inputs (c as a, when there are three). Shapes are aligned at the right, as in NumPy; each
/// axis of an input must equal the output's or be 1. Error otherwise, or above rank 5.
Broadcast make_broadcast(std::span<const int64_t> out, std::span<const int64_t> a,
                         std::span<const int64_t> b);
Broadcast make_broadcast(std::span<const int64_t> out, std::span<const int64_t> a, std::span<const int64_t> b,
                         std::span<const int64_t> c);

/// y[i] = f(x[i]), i < n. The scalar parameters of a formula are members of f.
template <class F, class T>
void unary(Stream stream, int64_t n, const T* x, T* y, F f = {});

/// y = f(a, b) over the output shape of the plan.
template <class F, class T>
void binary(Stream stream, const Broadcast& plan, const T* a, const T* b, T* y, F f = {});

/// Arrays that are added to others.
template <class T>
struct Additions {
  static constexpr int kMost = 16;
  int count = 0;
  T* to[kMost] = {};
  const T* from[kMost] = {};
  int64_t size[kMost] = {};
};
/// to[k][i] += from[k][i] for i < size[k], of all k in one launch.
template <class T>
void add_each(Stream stream, const Additions<T>& all);

/// y = f(a, b), 1 or 0, over the output shape of the plan.
template <class F, class T>
void compare(Stream stream, const Broadcast& plan, const T* a, const T* b, uint8_t* y, F f = {});

/// y = condition != 0 ? a : b. The plan was made with (out, condition, a, b). T: float, double, uint8_t,
/// int64_t.
template <class T>
void where(Stream stream, const Broadcast& plan, const uint8_t* condition, const T* a, const T* b, T* y);

/// y[i] = value. T: float, double, uint8_t, int64_t.
template <class T>
void fill(Stream stream, int64_t n, T value, T* y);

/// y[i] = x[i] as another type. Each of float, double, uint8_t, int64_t to each. From floating point to an
/// integer type: towards zero, values outside its range to its nearest value, not-a-number to 0. Integers to
/// a smaller integer type likewise clamp.
template <class From, class To>
void cast(Stream stream, int64_t n, const From* x, To* y);

/// y[i] += x[i].
template <class T>
void add_inplace(Stream stream, int64_t n, const T* x, T* y);

}  // namespace duel::kernels
