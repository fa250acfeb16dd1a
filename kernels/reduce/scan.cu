// Running sums: one thread walks one line. Order: the host sorts positions, a device counts for every element
// how many of its row come before it.
#include "duel/kernels/reduce/scan.h"

#include <algorithm>
#include <numeric>
#include <type_traits>

#include "duel/kernels/base/divisor.h"
#include "duel/kernels/base/map.cuh"

namespace duel::kernels {
namespace {

template <class T>
struct RunningSum {
  int64_t R;
  Divisor width;
  bool reverse;
  const T* x;
  T* y;
  DUEL_HD void line(int64_t i) const {
    const int64_t B = width.value(), a = i / width, b = i % width,
                  first = (a * R + (reverse ? R - 1 : 0)) * B + b;
    const int64_t step = reverse ? -B : B;
    std::conditional_t<std::is_integral_v<T>, T, double> sum = 0;
    for (int64_t r = 0; r < R; ++r) {
      sum += x[first + r * step];
      y[first + r * step] = static_cast<T>(sum);
    }
  }
};

/// Whether element i of a row comes before element j.
template <class T>
struct Before {
  const T* row;
  bool descending;
  DUEL_HD bool operator()(int64_t i, int64_t j) const {
    const T a = descending ? row[j] : row[i], b = descending ? row[i] : row[j];
    const bool less = a < b || (a == a && b != b), greater = b < a || (b == b && a != a);
    return less || (!greater && i < j);
  }
};

#if DUEL_DEVICE_CODE
template <class T>
__global__ void cumsum_kernel(int64_t lines, RunningSum<T> sums) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < lines; i += stride)
    sums.line(i);
}

template <class T>
__global__ void sort_kernel(int64_t n, Divisor width, bool descending, const T* x, int64_t* index) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const int64_t cols = width.value(), row = i / width, j = i % width;
    const Before<T> before{x + row * cols, descending};
    int64_t place = 0;
    for (int64_t k = 0; k < cols; ++k) place += before(k, j) ? 1 : 0;
    index[row * cols + place] = j;
  }
}
#endif

}  // namespace

template <class T>
void cumsum(Stream stream, int64_t A, int64_t R, int64_t B, bool reverse, const T* x, T* y) {
  DUEL_CHECK(A >= 0 && R >= 0 && B >= 0, "cumsum", "expected extents of at least 0, got [{}, {}, {}]", A, R,
             B);
  if (A * R * B == 0) return;
  DUEL_CHECK(x && y, "cumsum", "expected arrays, got a null pointer");
  const RunningSum<T> sums{R, Divisor(B), reverse, x, y};
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(cumsum_kernel<T>, dim3(map_blocks(A * B)), dim3(kMapBlock), 0, stream, A * B, sums);
    return;
  }
#endif
  (void)stream;
  parallel_for(A * B, kMapGrain / R + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sums.line(i);
  });
}

template <class T>
void sort_rows(Stream stream, int64_t rows, int64_t cols, bool descending, const T* x, int64_t* index) {
  DUEL_CHECK(rows >= 0 && cols >= 0, "sort_rows", "expected extents of at least 0, got [{}, {}]", rows, cols);
  if (rows * cols == 0) return;
  DUEL_CHECK(x && index, "sort_rows", "expected arrays, got a null pointer");
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    const int64_t n = rows * cols;
    launch(sort_kernel<T>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, Divisor(cols), descending, x,
           index);
    return;
  }
#endif
  (void)stream;
  parallel_for(rows, kMapGrain / (16 * cols) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t* first = index + i * cols;
      std::iota(first, first + cols, int64_t{0});
      std::sort(first, first + cols, Before<T>{x + i * cols, descending});
    }
  });
}

#define DUEL_SCAN(T)                                                              \
  template void cumsum<T>(Stream, int64_t, int64_t, int64_t, bool, const T*, T*); \
  template void sort_rows<T>(Stream, int64_t, int64_t, bool, const T*, int64_t*);
DUEL_SCAN(float)
DUEL_SCAN(double)
DUEL_SCAN(int64_t)

}  // namespace duel::kernels
