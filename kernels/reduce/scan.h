// What goes along an axis in order: running sums, and the order of a row's elements.
#pragma once

#include <cstdint>

#include "duel/kernels/base/platform.h"

namespace duel::kernels {

/// y[a, r, b] = sum of x[a, s, b] over s <= r, or over s >= r where `reverse` is set (its adjoint). x and y
/// [A, R, B]; floats are added in double, in order: the same bits everywhere. T: float, double, int64_t.
template <class T>
void cumsum(Stream stream, int64_t A, int64_t R, int64_t B, bool reverse, const T* x, T* y);

/// index[i, :] = the positions of row i of x[rows, cols], the smallest element first (the largest where
/// `descending` is set), equals in their order. Not-a-number counts as larger than all others. A device compares
/// each element with its whole row. T: float, double, int64_t.
template <class T>
void sort_rows(Stream stream, int64_t rows, int64_t cols, bool descending, const T* x, int64_t* index);

}  // namespace duel::kernels
