// Moving data without arithmetic: permute, boxes (slice, pad, concatenate), broadcast, gather and its
// adjoint, average pooling and nearest upsampling, one-hot.
//
// All arrays are contiguous, row-major, rank at most 5; source and destination must not overlap. Adjoint
// pairs:
//   permute(axes)      permute(inverse axes)
//   slice = copy_box   pad = fill zeros, then copy_box with source and destination exchanged
//   broadcast_to       sum over the broadcast axes (reduce.h)
//   gather_rows        scatter_add_rows
//   avg_pool2d(k)      upsample_nearest2d(k) with divisor k^2
//
// Example: y = concat([a[n, 3], b[n, 5]], axis 1)
//   JoinParts<float> parts;
//   parts.add(a, 3), parts.add(b, 5);
//   join(stream, n, parts, y);
#pragma once

#include <cstdint>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

// T of the copies: float, double, uint8_t, int64_t.

/// y = x with axes in another order: axis d of y is axis axes[d] of x (torch.permute). shape: x's.
template <class T>
void permute(Stream stream, int rank, const int64_t* shape, const int* axes, const T* x, T* y);

/// Copies a box of `extent` from position src_at of src to position dst_at of dst. Elements of dst outside
/// the box keep their values. Error when the box leaves either array.
template <class T>
void copy_box(Stream stream, int rank, const int64_t* extent, const T* src, const int64_t* src_shape,
              const int64_t* src_at, T* dst, const int64_t* dst_shape, const int64_t* dst_at);

/// Arrays that are laid side by side: part p has `begin[p + 1] - begin[p]` elements in each row.
template <class T>
struct JoinParts {
  static constexpr int kMost = 8;
  int count = 0;
  const T* from[kMost] = {};
  int64_t begin[kMost + 1] = {};  ///< begin[0] is 0, begin[count] the length of y's rows

  void add(const T* part, int64_t length) {
    DUEL_CHECK(count < kMost && length >= 0, "join", "expected at most {} parts, got one of {} more", kMost,
               length);
    from[count] = part;
    begin[count + 1] = begin[count] + length;
    ++count;
  }
};
/// y [rows, begin[count]] = the parts' rows side by side, in one launch: concatenation along any axis.
template <class T>
void join(Stream stream, int64_t rows, const JoinParts<T>& parts, T* y);

/// y = x with the order of the marked axes turned round.
template <class T>
void flip(Stream stream, int rank, const int64_t* shape, const bool* turned, const T* x, T* y);

/// y of shape out_shape, x repeated along its axes of extent 1 and missing leading axes (NumPy's rule).
template <class T>
void broadcast_to(Stream stream, int out_rank, const int64_t* out_shape, int in_rank, const int64_t* in_shape,
                  const T* x, T* y);

/// y[i, :] = x[index[i], :] for i < count; x[rows, cols]. On the host an index outside [0, rows) is an Error;
/// on the device its row of y becomes not-a-number (0 for integers).
template <class T>
void gather_rows(Stream stream, int64_t count, int64_t rows, int64_t cols, const T* x, const int64_t* index,
                 T* y);

/// y[index[i], :] += g[i, :] for i < count, in the order of i; y[rows, cols]. T: float, double. On the host
/// an index outside [0, rows) is an Error; on the device its row of g is left out.
template <class T>
void scatter_add_rows(Stream stream, int64_t count, int64_t rows, int64_t cols, const T* g,
                      const int64_t* index, T* y);

/// y[p, i, j] = (sum of the k x k patch of x at (i k, j k)) / divisor; x[planes, height, width], y[planes,
/// height/k, width/k]. k divides height and width. The average (divisor = k^2) is avg_pool2d; the adjoint
/// of upsample_nearest2d is divisor = 1.
template <class T>
void sum_pool2d(Stream stream, int64_t planes, int64_t height, int64_t width, int64_t k, const T* x, T* y,
                double divisor);

/// The mean of each k x k patch. Shapes as in sum_pool2d.
template <class T>
void avg_pool2d(Stream stream, int64_t planes, int64_t height, int64_t width, int64_t k, const T* x, T* y) {
  sum_pool2d(stream, planes, height, width, k, x, y, static_cast<double>(k) * static_cast<double>(k));
}

/// y[p, i, j] = x[p, i / k, j / k] / divisor; x[planes, height, width], y[planes, height*k, width*k].
template <class T>
void upsample_nearest2d(Stream stream, int64_t planes, int64_t height, int64_t width, int64_t k, const T* x,
                        T* y, double divisor = 1);

/// y[i, c] = (label[i] == c), y[count, classes]. A label outside [0, classes) gives a row of zeros.
template <class T>
void one_hot(Stream stream, int64_t count, int64_t classes, const int64_t* label, T* y);

}  // namespace duel::kernels
