// Picking and adding by index along one axis of [A, R, B], and sequences of numbers.
#pragma once

#include <cstdint>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// y[a, k, b] = x[a, index[a, k, b], b]; x[A, R, B], index and y [A, K, B]. Indices outside as in gather_rows.
template <class T>
void gather_axis(Stream stream, int64_t A, int64_t R, int64_t B, int64_t K, const T* x, const int64_t* index,
                 T* y);

/// y[a, index[a, k, b], b] += g[a, k, b], in the order of k: the adjoint. T: float, double, int64_t. Indices
/// outside as in scatter_add_rows.
template <class T>
void scatter_add_axis(Stream stream, int64_t A, int64_t R, int64_t B, int64_t K, const T* g,
                      const int64_t* index, T* y);

/// y[i] = first + i step in the first half, last - (n - 1 - i) step in the second, in double, rounded once
/// (cut for integers): both ends are exact. T: float, double, int64_t.
template <class T>
void sequence(Stream stream, int64_t n, double first, double step, double last, T* y);

}  // namespace duel::kernels
