// Along an axis: one output element or one line at a time.
#include "duel/kernels/map/axis.h"

#include <cmath>
#include <limits>

#include "duel/kernels/base/divisor.h"
#include "duel/kernels/base/generate.cuh"
#include "duel/kernels/base/map.cuh"

namespace duel::kernels {
namespace {

template <class T>
struct GatherAxis {
  int64_t R;
  Divisor B, slab;  // slab: K B
  const T* x;
  const int64_t* index;
  T missing;
  DUEL_HD T at(int64_t i) const {
    const int64_t row = index[i];
    return row < 0 || row >= R ? missing : x[(i / slab * R + row) * B.value() + i % B];
  }
};

/// All of one line of y along the axis: nobody else writes it.
template <class T>
struct ScatterAxis {
  int64_t R, K;
  Divisor width;
  const T* g;
  const int64_t* index;
  T* y;
  DUEL_HD void line(int64_t i) const {
    const int64_t B = width.value(), a = i / width, b = i % width;
    for (int64_t k = 0; k < K; ++k) {
      const int64_t from = (a * K + k) * B + b, row = index[from];
      if (row >= 0 && row < R) y[(a * R + row) * B + b] += g[from];
    }
  }
};

template <class T>
struct Sequence {
  int64_t n;
  double first, step, last;
  DUEL_HD T at(int64_t i) const {
    const double below = std::fma(static_cast<double>(i), step, first);
    const double above = std::fma(-static_cast<double>(n - 1 - i), step, last);
    return static_cast<T>(2 * i < n ? below : above);
  }
};

#if DUEL_DEVICE_CODE
template <class T>
__global__ void scatter_axis_kernel(int64_t lines, ScatterAxis<T> scatter) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < lines; i += stride)
    scatter.line(i);
}
#endif

void check_index(const char* op, int64_t count, int64_t rows, const int64_t* index) {
  for (int64_t i = 0; i < count; ++i) {
    DUEL_CHECK(index[i] >= 0 && index[i] < rows, op, "expected an index in [0, {}), got {} at position {}",
               rows, index[i], i);
  }
}

/// Also says whether there is anything to do.
bool check_axis(const char* op, int64_t A, int64_t R, int64_t B, int64_t K, const void* from,
                const int64_t* index, const void* to) {
  DUEL_CHECK(A >= 0 && R >= 0 && B >= 0 && K >= 0, op, "expected extents of at least 0, got [{}, {}, {}], {}",
             A, R, B, K);
  if (A * B * K == 0) return false;
  DUEL_CHECK((from || R == 0) && index && (to || R == 0), op, "expected arrays, got a null pointer");
  return true;
}

}  // namespace

template <class T>
void gather_axis(Stream stream, int64_t A, int64_t R, int64_t B, int64_t K, const T* x, const int64_t* index,
                 T* y) {
  if (!check_axis("gather_axis", A, R, B, K, x, index, y)) return;
  if (!stream.on_device()) check_index("gather_axis", A * K * B, R, index);
  generate(stream, A * K * B,
           GatherAxis<T>{R, Divisor(B), Divisor(K * B), x, index, std::numeric_limits<T>::quiet_NaN()}, y);
}

template <class T>
void scatter_add_axis(Stream stream, int64_t A, int64_t R, int64_t B, int64_t K, const T* g,
                      const int64_t* index, T* y) {
  if (!check_axis("scatter_add_axis", A, R, B, K, g, index, y)) return;
  const ScatterAxis<T> scatter{R, K, Divisor(B), g, index, y};
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(scatter_axis_kernel<T>, dim3(map_blocks(A * B)), dim3(kMapBlock), 0, stream, A * B, scatter);
    return;
  }
#endif
  (void)stream;
  check_index("scatter_add_axis", A * K * B, R, index);
  parallel_for(A * B, kMapGrain / K + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) scatter.line(i);
  });
}

template <class T>
void sequence(Stream stream, int64_t n, double first, double step, double last, T* y) {
  DUEL_CHECK(n >= 0 && (y || n == 0), "sequence", "expected an array, got a null pointer");
  if (n > 0) generate(stream, n, Sequence<T>{n, first, step, last}, y);
}

#define DUEL_AXIS(T) \
  template void gather_axis<T>(Stream, int64_t, int64_t, int64_t, int64_t, const T*, const int64_t*, T*);
DUEL_AXIS(float)
DUEL_AXIS(double)
DUEL_AXIS(uint8_t)
DUEL_AXIS(int64_t)

#define DUEL_NUMBER(T)                                                    \
  template void sequence<T>(Stream, int64_t, double, double, double, T*); \
  template void scatter_add_axis<T>(Stream, int64_t, int64_t, int64_t, int64_t, const T*, const int64_t*, T*);
DUEL_NUMBER(float)
DUEL_NUMBER(double)
DUEL_NUMBER(int64_t)

}  // namespace duel::kernels
