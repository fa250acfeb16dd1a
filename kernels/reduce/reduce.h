// Reductions along one axis of a tensor seen as [A, R, B]: y[a, b] = sum (max, min) over r of x[a, r, b].
//
// Full sums are A = B = 1; sums of rows, [N, D] -> [N], B = 1; of columns, [N, D] -> [D], A = 1. Reducing several axes that
// lie together is one call with their product; sums per channel, [N, C, H, W] -> [C], have a call of their own. T: float, double and int64_t, whose sums wrap and whose divisor is cut to an
// integer.
//
// Note [Reductions]
// The order of additions depends on A, R and B alone: same bits for any number of threads, and for any two
// runs on one device. Long axes are cut into chunks whose partial results lie in the workspace and are
// combined in order. The error of a float sum is at most 2 sqrt(R) 2^-24 sum |x|: the host adds in double,
// the device in lanes.
//
// Example: bias gradient [64, 512] -> [512]
//   float* work = ...;  // reduce_workspace(1, 64, 512) floats; null when that is 0
//   sum_axes(stream, 1, 64, 512, dy, db, work);
#pragma once

#include <cstdint>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// Workspace of the three reductions below, in elements of T. May be 0.
int64_t reduce_workspace(int64_t A, int64_t R, int64_t B);

/// y[A, B] = (sum over R of x[A, R, B]) / divisor. R = 0 gives zeros. Mean: divisor = R.
template <class T>
void sum_axes(Stream stream, int64_t A, int64_t R, int64_t B, const T* x, T* y, T* workspace,
              double divisor = 1);

/// Workspace of sum_around, in elements of T.
int64_t sum_around_workspace(int64_t A, int64_t C, int64_t B);

/// y[C] = (sum over A and B of x[A, C, B]) / divisor: on a device in one launch, where the stream has tickets (lanes.cuh).
template <class T>
void sum_around(Stream stream, int64_t A, int64_t C, int64_t B, const T* x, T* y, T* workspace,
                double divisor = 1);

/// y[A, B] = largest over R of x[A, R, B]. Not-a-number wins. R must be at least 1.
template <class T>
void max_axes(Stream stream, int64_t A, int64_t R, int64_t B, const T* x, T* y, T* workspace);

/// y[A, B] = smallest over R of x[A, R, B]. Not-a-number wins. R must be at least 1.
template <class T>
void min_axes(Stream stream, int64_t A, int64_t R, int64_t B, const T* x, T* y, T* workspace);

/// index[i] = position of the largest element of row i of x[rows, cols]; the first of equals; the first
/// not-a-number if there is one. cols must be at least 1.
template <class T>
void argmax_rows(Stream stream, int64_t rows, int64_t cols, const T* x, int64_t* index);

/// Index of the first element that is infinite or not-a-number, or -1. Host arrays only, for error messages.
template <class T>
int64_t first_nonfinite(int64_t n, const T* x);

}  // namespace duel::kernels
