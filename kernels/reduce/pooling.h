// Windows that may overlap and may reach over the edge: their maxima with indices, their sums, and the adjoints.
//
//   max_pool2d(x) gives y and the index of every maximum; then  take_from_planes(x, index) = y,
//   and its adjoint                                              return_to_planes(g, index) = dx
//   window_sums(x)                                               window_sums_adjoint(g) = dx
//
// Arrays are planes [planes, h_in, w_in] and [planes, h_out, w_out], contiguous, float and double; padding is -inf
// for maxima and 0 for sums. Windows side by side without padding have quicker sums: sum_pool2d in
// kernels/map/movement.h. Nothing is added by two threads: an adjoint walks the windows over each of its elements,
// in their order.
//
// Example: 3 x 3, stride 2, padding 1
//   PoolShape s{.planes = n * c, .h_in = 32, .w_in = 32, .kh = 3, .kw = 3, .stride_h = 2, .stride_w = 2,
//               .pad_h = 1, .pad_w = 1, .h_out = 16, .w_out = 16};
//   max_pool2d(stream, s, x, y, index);
#pragma once

#include <cstdint>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

struct PoolShape {
  int64_t planes = 0, h_in = 0, w_in = 0;
  int64_t kh = 1, kw = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_h = 0, pad_w = 0;  // at most half the window, so that no window lies in the padding alone
  int64_t h_out = 0, w_out = 0;  // (h_in + 2 pad_h - kh) / stride_h + 1, rounded down; w_out alike
};

/// y = the largest element of every window, index = its place row * w_in + column in its plane: the first one at a
/// tie. A window that holds NaN gives NaN, and the index of the last one.
template <class T>
void max_pool2d(Stream stream, const PoolShape& shape, const T* x, T* y, int64_t* index);

/// y[p, o] = x[p, index[p, o]], x and y of the sides "in" and "out".
template <class T>
void take_from_planes(Stream stream, const PoolShape& shape, const T* x, const int64_t* index, T* y);

/// dx[p, i] = the sum of g[p, o] over the windows o with index[p, o] = i. index as max_pool2d wrote it.
template <class T>
void return_to_planes(Stream stream, const PoolShape& shape, const T* g, const int64_t* index, T* dx);

/// y[p, o] = (the sum of window o of x) / divisor.
template <class T>
void window_sums(Stream stream, const PoolShape& shape, const T* x, T* y, double divisor);

/// dx[p, i] = (the sum of g[p, o] over the windows o that hold i) / divisor.
template <class T>
void window_sums_adjoint(Stream stream, const PoolShape& shape, const T* g, T* dx, double divisor);

}  // namespace duel::kernels
