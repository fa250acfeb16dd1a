// Moving data: one strided copy serves permute, boxes and broadcast; gather, scatter, pooling and one-hot beside it.
#include "duel/kernels/movement.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "duel/kernels/map.cuh"

namespace duel::kernels {
namespace {

constexpr int kRank = 5;

/// A copy between two walks over the same shape. Axes that both sides walk in one stride are merged; extents of 1 are gone.
struct StridedCopy {
  int rank = 0;
  int64_t shape[kRank] = {};
  int64_t from[kRank] = {};
  int64_t to[kRank] = {};

  void push(int64_t extent, int64_t from_stride, int64_t to_stride) {
    if (extent == 1) return;
    if (rank > 0 && from[rank - 1] == extent * from_stride && to[rank - 1] == extent * to_stride) {
      shape[rank - 1] *= extent;
      from[rank - 1] = from_stride;
      to[rank - 1] = to_stride;
      return;
    }
    shape[rank] = extent;
    from[rank] = from_stride;
    to[rank] = to_stride;
    ++rank;
  }

  int64_t size() const {
    int64_t n = 1;
    for (int d = 0; d < rank; ++d) n *= shape[d];
    return n;
  }
};

struct Places {
  int64_t from, to;
};

/// Where element i of axes [0, axes) stands.
DUEL_HD Places locate(const StridedCopy& copy, int axes, int64_t i) {
  Places at{0, 0};
  for (int d = axes - 1; d >= 0; --d) {
    const int64_t rest = i / copy.shape[d], k = i - rest * copy.shape[d];
    at.from += k * copy.from[d];
    at.to += k * copy.to[d];
    i = rest;
  }
  return at;
}

#if DUEL_DEVICE_CODE
template <class T>
__global__ void strided_copy_kernel(int64_t n, StridedCopy copy, const T* x, T* y) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const Places at = locate(copy, copy.rank, i);
    y[at.to] = x[at.from];
  }
}
#endif

/// One stretch of the innermost axis.
template <class T>
void copy_line(int64_t count, const T* x, int64_t from, T* y, int64_t to) {
  if (from == 1 && to == 1) {
    std::memcpy(y, x, static_cast<size_t>(count) * sizeof(T));
  } else if (from == 0 && to == 1) {
    const T value = *x;
    for (int64_t i = 0; i < count; ++i) y[i] = value;
  } else if (to == 1) {
    for (int64_t i = 0; i < count; ++i) y[i] = x[i * from];
  } else {
    for (int64_t i = 0; i < count; ++i) y[i * to] = x[i * from];
  }
}

template <class T>
void run_copy(Stream stream, const StridedCopy& copy, const T* x, T* y) {
  const int64_t n = copy.size();
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(strided_copy_kernel<T>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, copy, x, y);
    return;
  }
#endif
  (void)stream;
  if (copy.rank == 0) {
    *y = *x;
    return;
  }
  const int last = copy.rank - 1;
  const int64_t length = copy.shape[last], lines = n / length;
  if (lines == 1) {
    parallel_for(length, kMapGrain, [&](int64_t begin, int64_t end) {
      copy_line(end - begin, x + begin * copy.from[last], copy.from[last], y + begin * copy.to[last],
                copy.to[last]);
    });
    return;
  }
  parallel_for(lines, length < kMapGrain ? kMapGrain / length : 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Places at = locate(copy, last, i);
      copy_line(length, x + at.from, copy.from[last], y + at.to, copy.to[last]);
    }
  });
}

void row_major(int rank, const int64_t* shape, int64_t* strides) {
  int64_t step = 1;
  for (int d = rank - 1; d >= 0; --d) {
    strides[d] = step;
    step *= shape[d];
  }
}

void check_rank(const char* op, int rank) {
  DUEL_CHECK(rank >= 0 && rank <= kRank, op, "expected a rank of 0 to {}, got {}", kRank, rank);
}

/// Also says whether there is anything to do.
bool check_shape(const char* op, int rank, const int64_t* shape) {
  bool any = true;
  for (int d = 0; d < rank; ++d) {
    DUEL_CHECK(shape[d] >= 0, op, "expected extents of at least 0, got {}", shape[d]);
    any = any && shape[d] > 0;
  }
  return any;
}

void check_index(const char* op, int64_t count, int64_t rows, const int64_t* index) {
  for (int64_t i = 0; i < count; ++i) {
    DUEL_CHECK(index[i] >= 0 && index[i] < rows, op, "expected an index in [0, {}), got {} at position {}",
               rows, index[i], i);
  }
}

template <class T>
struct GatherRow {
  int64_t rows, cols;
  const T* x;
  const int64_t* index;
  T missing;
  DUEL_HD T at(int64_t i) const {
    const int64_t k = i / cols, row = index[k];
    return row < 0 || row >= rows ? missing : x[row * cols + (i - k * cols)];
  }
};

template <class T>
struct SumPool {
  int64_t out_height, out_width, k;
  const T* x;
  T scale;
  DUEL_HD T at(int64_t i) const {
    const int64_t line = i / out_width, column = i - line * out_width;
    const int64_t plane = line / out_height, row = line - plane * out_height;
    const T* patch = x + ((plane * out_height + row) * k * out_width + column) * k;
    T sum = T(0);
    for (int64_t a = 0; a < k; ++a) {
      T part = T(0);
      for (int64_t b = 0; b < k; ++b) part += patch[a * out_width * k + b];
      sum += part;
    }
    return sum * scale;
  }
};

template <class T>
struct Upsample {
  int64_t height, width, k;  // of the input
  const T* x;
  T scale;
  DUEL_HD T at(int64_t i) const {
    const int64_t line = i / (width * k), column = i - line * width * k;
    const int64_t plane = line / (height * k), row = line - plane * height * k;
    return scale * x[(plane * height + row / k) * width + column / k];
  }
};

template <class T>
struct OneHot {
  int64_t classes;
  const int64_t* label;
  DUEL_HD T at(int64_t i) const {
    const int64_t row = i / classes;
    return label[row] == i - row * classes ? T(1) : T(0);
  }
};

#if DUEL_DEVICE_CODE
template <class F, class T>
__global__ void index_kernel(int64_t n, F f, T* y) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    y[i] = f.at(i);
}

/// One thread per element of y walks all indices in order: no two threads add to one element.
template <class T>
__global__ void scatter_add_kernel(int64_t count, int64_t rows, int64_t cols, const T* g,
                                   const int64_t* index, T* y) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < rows * cols;
       i += stride) {
    const int64_t row = i / cols, column = i - row * cols;
    T sum = y[i];
    for (int64_t k = 0; k < count; ++k) {
      if (index[k] == row) sum += g[k * cols + column];
    }
    y[i] = sum;
  }
}
#endif

/// y[i] = f.at(i).
template <class F, class T>
void generate(Stream stream, int64_t n, F f, T* y) {
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(index_kernel<F, T>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, f, y);
    return;
  }
#endif
  (void)stream;
  parallel_for(n, kMapGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = f.at(i);
  });
}

}  // namespace

template <class T>
void permute(Stream stream, int rank, const int64_t* shape, const int* axes, const T* x, T* y) {
  check_rank("permute", rank);
  const bool any = check_shape("permute", rank, shape);
  int64_t strides[kRank];
  row_major(rank, shape, strides);
  int64_t out_shape[kRank], out_strides[kRank];
  bool seen[kRank] = {};
  for (int d = 0; d < rank; ++d) {
    DUEL_CHECK(axes[d] >= 0 && axes[d] < rank && !seen[axes[d]], "permute",
               "expected each of the {} axes once, got axis {} at position {}", rank, axes[d], d);
    seen[axes[d]] = true;
    out_shape[d] = shape[axes[d]];
  }
  row_major(rank, out_shape, out_strides);
  if (!any) return;
  DUEL_CHECK(x && y, "permute", "expected arrays, got a null pointer");
  StridedCopy copy;
  for (int d = 0; d < rank; ++d) copy.push(out_shape[d], strides[axes[d]], out_strides[d]);
  run_copy(stream, copy, x, y);
}

template <class T>
void copy_box(Stream stream, int rank, const int64_t* extent, const T* src, const int64_t* src_shape,
              const int64_t* src_at, T* dst, const int64_t* dst_shape, const int64_t* dst_at) {
  check_rank("copy_box", rank);
  const bool any = check_shape("copy_box", rank, extent);
  for (int d = 0; d < rank; ++d) {
    DUEL_CHECK(src_at[d] >= 0 && src_at[d] + extent[d] <= src_shape[d], "copy_box",
               "axis {}: expected a box inside the source's {}, got [{}, {})", d, src_shape[d], src_at[d],
               src_at[d] + extent[d]);
    DUEL_CHECK(dst_at[d] >= 0 && dst_at[d] + extent[d] <= dst_shape[d], "copy_box",
               "axis {}: expected a box inside the destination's {}, got [{}, {})", d, dst_shape[d],
               dst_at[d], dst_at[d] + extent[d]);
  }
  if (!any) return;
  DUEL_CHECK(src && dst, "copy_box", "expected arrays, got a null pointer");
  int64_t from[kRank], to[kRank];
  row_major(rank, src_shape, from);
  row_major(rank, dst_shape, to);
  StridedCopy copy;
  int64_t from_offset = 0, to_offset = 0;
  for (int d = 0; d < rank; ++d) {
    from_offset += src_at[d] * from[d];
    to_offset += dst_at[d] * to[d];
    copy.push(extent[d], from[d], to[d]);
  }
  run_copy(stream, copy, src + from_offset, dst + to_offset);
}

template <class T>
void broadcast_to(Stream stream, int out_rank, const int64_t* out_shape, int in_rank, const int64_t* in_shape,
                  const T* x, T* y) {
  check_rank("broadcast_to", out_rank);
  DUEL_CHECK(in_rank >= 0 && in_rank <= out_rank, "broadcast_to", "expected a rank of at most {}, got {}",
             out_rank, in_rank);
  const bool any = check_shape("broadcast_to", out_rank, out_shape);
  int64_t from[kRank] = {}, to[kRank];
  row_major(in_rank, in_shape, from + (out_rank - in_rank));
  row_major(out_rank, out_shape, to);
  for (int d = 0; d < out_rank; ++d) {
    const int64_t extent = d < out_rank - in_rank ? 1 : in_shape[d - (out_rank - in_rank)];
    DUEL_CHECK(extent == out_shape[d] || extent == 1, "broadcast_to", "axis {}: expected {} or 1, got {}", d,
               out_shape[d], extent);
    if (extent == 1) from[d] = 0;
  }
  if (!any) return;
  DUEL_CHECK(x && y, "broadcast_to", "expected arrays, got a null pointer");
  StridedCopy copy;
  for (int d = 0; d < out_rank; ++d) copy.push(out_shape[d], from[d], to[d]);
  run_copy(stream, copy, x, y);
}

template <class T>
void gather_rows(Stream stream, int64_t count, int64_t rows, int64_t cols, const T* x, const int64_t* index,
                 T* y) {
  DUEL_CHECK(count >= 0 && rows >= 0 && cols >= 0, "gather_rows",
             "expected extents of at least 0, got {}, [{}, {}]", count, rows, cols);
  if (count * cols == 0) return;
  DUEL_CHECK((x || rows == 0) && index && y, "gather_rows", "expected arrays, got a null pointer");
  if (stream.on_device()) {
    generate(stream, count * cols, GatherRow<T>{rows, cols, x, index, std::numeric_limits<T>::quiet_NaN()},
             y);
    return;
  }
  check_index("gather_rows", count, rows, index);
  parallel_for(count, cols < kMapGrain ? kMapGrain / cols : 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::memcpy(y + i * cols, x + index[i] * cols, static_cast<size_t>(cols) * sizeof(T));
    }
  });
}

template <class T>
void scatter_add_rows(Stream stream, int64_t count, int64_t rows, int64_t cols, const T* g,
                      const int64_t* index, T* y) {
  DUEL_CHECK(count >= 0 && rows >= 0 && cols >= 0, "scatter_add_rows",
             "expected extents of at least 0, got {}, [{}, {}]", count, rows, cols);
  if (count * cols == 0) return;
  DUEL_CHECK(g && index && (y || rows == 0), "scatter_add_rows", "expected arrays, got a null pointer");
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    if (rows == 0) return;
    launch(scatter_add_kernel<T>, dim3(map_blocks(rows * cols)), dim3(kMapBlock), 0, stream, count, rows,
           cols, g, index, y);
    return;
  }
#endif
  (void)stream;
  check_index("scatter_add_rows", count, rows, index);
  // Threads share the columns, so each element of y gets its terms in the order of i.
  const int64_t block = kMapGrain / count > 64 ? kMapGrain / count : 64;
  parallel_for(cols, block, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < count; ++i) {
      T* DUEL_RESTRICT to = y + index[i] * cols;
      const T* DUEL_RESTRICT from = g + i * cols;
      DUEL_SIMD
      for (int64_t j = begin; j < end; ++j) to[j] += from[j];
    }
  });
}

template <class T>
void sum_pool2d(Stream stream, int64_t planes, int64_t height, int64_t width, int64_t k, const T* x, T* y,
                double scale) {
  DUEL_CHECK(planes >= 0 && height >= 0 && width >= 0, "sum_pool2d",
             "expected extents of at least 0, got [{}, {}, {}]", planes, height, width);
  DUEL_CHECK(k >= 1 && height % k == 0 && width % k == 0, "sum_pool2d",
             "expected a kernel that divides {} x {}, got {}", height, width, k);
  const int64_t n = planes * (height / k) * (width / k);
  if (n == 0) return;
  DUEL_CHECK(x && y, "sum_pool2d", "expected arrays, got a null pointer");
  generate(stream, n, SumPool<T>{height / k, width / k, k, x, static_cast<T>(scale)}, y);
}

template <class T>
void upsample_nearest2d(Stream stream, int64_t planes, int64_t height, int64_t width, int64_t k, const T* x,
                        T* y, double scale) {
  DUEL_CHECK(planes >= 0 && height >= 0 && width >= 0, "upsample_nearest2d",
             "expected extents of at least 0, got [{}, {}, {}]", planes, height, width);
  DUEL_CHECK(k >= 1, "upsample_nearest2d", "expected a factor of at least 1, got {}", k);
  const int64_t n = planes * height * k * width * k;
  if (n == 0) return;
  DUEL_CHECK(x && y, "upsample_nearest2d", "expected arrays, got a null pointer");
  generate(stream, n, Upsample<T>{height, width, k, x, static_cast<T>(scale)}, y);
}

template <class T>
void one_hot(Stream stream, int64_t count, int64_t classes, const int64_t* label, T* y) {
  DUEL_CHECK(count >= 0 && classes >= 0, "one_hot", "expected extents of at least 0, got [{}, {}]", count,
             classes);
  if (count * classes == 0) return;
  DUEL_CHECK(label && y, "one_hot", "expected arrays, got a null pointer");
  generate(stream, count * classes, OneHot<T>{classes, label}, y);
}

#define DUEL_EVERY(T)                                                                                  \
  template void permute<T>(Stream, int, const int64_t*, const int*, const T*, T*);                     \
  template void copy_box<T>(Stream, int, const int64_t*, const T*, const int64_t*, const int64_t*, T*, \
                            const int64_t*, const int64_t*);                                           \
  template void broadcast_to<T>(Stream, int, const int64_t*, int, const int64_t*, const T*, T*);       \
  template void gather_rows<T>(Stream, int64_t, int64_t, int64_t, const T*, const int64_t*, T*);
DUEL_EVERY(float)
DUEL_EVERY(double)
DUEL_EVERY(uint8_t)
DUEL_EVERY(int64_t)

#define DUEL_FLOATING(T)                                                                                 \
  template void scatter_add_rows<T>(Stream, int64_t, int64_t, int64_t, const T*, const int64_t*, T*);    \
  template void sum_pool2d<T>(Stream, int64_t, int64_t, int64_t, int64_t, const T*, T*, double);         \
  template void upsample_nearest2d<T>(Stream, int64_t, int64_t, int64_t, int64_t, const T*, T*, double); \
  template void one_hot<T>(Stream, int64_t, int64_t, const int64_t*, T*);
DUEL_FLOATING(float)
DUEL_FLOATING(double)

}  // namespace duel::kernels
