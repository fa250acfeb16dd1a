// Moving data: one strided copy serves permute, boxes and broadcast; gather, scatter, pooling and one-hot
// beside it.
#include "duel/kernels/map/movement.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "duel/kernels/base/divisor.h"
#include "duel/kernels/base/generate.cuh"

namespace duel::kernels {
namespace {

constexpr int kRank = 5;

/// A copy between two walks over the same shape. Axes that both sides walk in one stride are merged; extents
/// of 1 are gone.
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

/// Where element i of axes [0, axes) stands; their extents are int64_t or Divisor. The loop's length is fixed: unrolled, a
/// kernel reads the plan from its arguments; indexed by a variable it would copy the plan to every thread's stack first.
template <class Extent>
DUEL_HD Places locate(const StridedCopy& copy, const Extent* extents, int axes, int64_t i) {
  Places at{0, 0};
  for (int d = kRank - 1; d >= 0; --d) {
    if (d >= axes) continue;
    const int64_t rest = i / extents[d], k = i - rest * copy.shape[d];
    at.from += k * copy.from[d];
    at.to += k * copy.to[d];
    i = rest;
  }
  return at;
}

#if DUEL_DEVICE_CODE
struct Extents {
  Divisor of[kRank];
};

template <class T>
__global__ void strided_copy_kernel(int64_t n, StridedCopy copy, Extents extents, const T* x, T* y) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride) {
    const Places at = locate(copy, extents.of, copy.rank, i);
    y[at.to] = x[at.from];
  }
}
#endif

/// One stretch of the innermost axis.
template <class T>
void copy_line(int64_t count, const T* x, int64_t from, T* y, int64_t to) {
  if (from == 1 && to == 1) {
    if (count < 32) {
      for (int64_t i = 0; i < count; ++i) y[i] = x[i];
    } else {
      std::memcpy(y, x, static_cast<size_t>(count) * sizeof(T));
    }
  } else if (from == 0 && to == 1) {
    const T value = *x;
    for (int64_t i = 0; i < count; ++i) y[i] = value;
  } else {
    for (int64_t i = 0; i < count; ++i) y[i * to] = x[i * from];
  }
}

/// line(from, to, k) for every index of the given axes, in parallel; k is the index on the last of them,
/// `work` the number of elements per line.
template <class Line>
void for_lines(const StridedCopy& outer, int64_t work, Line line) {
  parallel_for(outer.size(), work < kMapGrain ? kMapGrain / work : 1, [&](int64_t begin, int64_t end) {
    int64_t position[kRank] = {};
    int64_t rest = begin;
    for (int d = outer.rank - 1; d >= 0; --d) {
      position[d] = rest % outer.shape[d];
      rest /= outer.shape[d];
    }
    Places at = locate(outer, outer.shape, outer.rank, begin);
    for (int64_t i = begin; i < end; ++i) {
      line(at.from, at.to, outer.rank > 0 ? position[outer.rank - 1] : 0);
      for (int d = outer.rank - 1; d >= 0; --d) {
        at.from += outer.from[d];
        at.to += outer.to[d];
        if (++position[d] < outer.shape[d]) break;
        at.from -= outer.from[d] * outer.shape[d];
        at.to -= outer.to[d] * outer.shape[d];
        position[d] = 0;
      }
    }
  });
}

/// Side of the squares that are transposed in registers.
constexpr int64_t kSquare = 8;

/// y[i to + j] = x[i + j from] for i, j < kSquare: three rounds of interleaving the upper with the lower four
/// rows.
template <class T>
void transpose_square(const T* x, int64_t from, T* y, int64_t to) {
  typedef T Row __attribute__((vector_size(kSquare * sizeof(T))));
  Row row[kSquare], mixed[kSquare] = {};
  for (int k = 0; k < kSquare; ++k) std::memcpy(&row[k], x + k * from, sizeof(Row));
  for (int round = 0; round < 3; ++round) {
    for (int k = 0; k < kSquare / 2; ++k) {
#if defined(__CUDACC_VER_MAJOR__) && __CUDACC_VER_MAJOR__ < 13  // whose front end knows no shuffles
      for (int j = 0; j < kSquare; ++j) {
        mixed[2 * k][j] = row[j % 2 == 0 ? k : k + 4][j / 2];
        mixed[2 * k + 1][j] = row[j % 2 == 0 ? k : k + 4][4 + j / 2];
      }
#else
      mixed[2 * k] = __builtin_shufflevector(row[k], row[k + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      mixed[2 * k + 1] = __builtin_shufflevector(row[k], row[k + 4], 4, 12, 5, 13, 6, 14, 7, 15);
#endif
    }
    for (int k = 0; k < kSquare; ++k) row[k] = mixed[k];
  }
  for (int k = 0; k < kSquare; ++k) std::memcpy(y + k * to, &row[k], sizeof(Row));
}

template <class T>
void host_copy(const StridedCopy& copy, const T* x, T* y) {
  if (copy.rank == 0) {
    *y = *x;
    return;
  }
  const int last = copy.rank - 1;
  const int64_t length = copy.shape[last], from = copy.from[last], to = copy.to[last];
  if (copy.rank == 1) {
    parallel_for(length, kMapGrain, [&](int64_t begin, int64_t end) {
      copy_line(end - begin, x + begin * from, from, y + begin * to, to);
    });
    return;
  }
  // The axis along which the source is contiguous, if it is another than the destination's.
  int other = -1;
  for (int d = 0; d < last && from > 1 && to == 1; ++d) {
    if (copy.from[d] == 1) other = d;
  }
  StridedCopy outer;
  for (int d = 0; d < last; ++d) {
    if (d == other) continue;
    outer.shape[outer.rank] = copy.shape[d];
    outer.from[outer.rank] = copy.from[d];
    outer.to[outer.rank++] = copy.to[d];
  }
  if (other < 0) {
    for_lines(outer, length,
              [&](int64_t a, int64_t b, int64_t) { copy_line(length, x + a, from, y + b, to); });
    return;
  }
  const int64_t height = copy.shape[other], strips = (height + kSquare - 1) / kSquare;
  outer.shape[outer.rank] = strips;
  outer.from[outer.rank] = kSquare;
  outer.to[outer.rank] = kSquare * copy.to[other];
  ++outer.rank;
  for_lines(outer, length * kSquare, [&](int64_t a, int64_t b, int64_t strip) {
    const int64_t rows = height - strip * kSquare < kSquare ? height - strip * kSquare : kSquare;
    int64_t j = 0;
    for (; rows == kSquare && j + kSquare <= length; j += kSquare) {
      transpose_square(x + a + j * from, from, y + b + j, copy.to[other]);
    }
    for (; j < length; ++j) {
      for (int64_t i = 0; i < rows; ++i) y[b + i * copy.to[other] + j] = x[a + j * from + i];
    }
  });
}

template <class T>
void run_copy(Stream stream, const StridedCopy& copy, const T* x, T* y) {
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    const int64_t n = copy.size();
    Extents extents;
    for (int d = 0; d < copy.rank; ++d) extents.of[d] = Divisor(copy.shape[d]);
    launch(strided_copy_kernel<T>, dim3(map_blocks(n)), dim3(kMapBlock), 0, stream, n, copy, extents, x, y);
    return;
  }
#endif
  (void)stream;
  host_copy(copy, x, y);
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
  int64_t rows;
  Divisor cols;
  const T* x;
  const int64_t* index;
  T missing;
  DUEL_HD T at(int64_t i) const {
    const int64_t k = i / cols, row = index[k];
    return row < 0 || row >= rows ? missing : x[row * cols.value() + i % cols];
  }
};

/// One output of a pool over k x k patches; line is plane * out_height + row.
template <class T>
struct SumPool {
  int64_t out_width, k;
  const T* x;
  T divisor;
  Divisor columns = Divisor(out_width);
  DUEL_HD T value(int64_t line, int64_t column) const {
    const T* patch = x + (line * out_width * k + column) * k;
    T sum = T(0);
    for (int64_t a = 0; a < k; ++a) {
      T part = T(0);
      for (int64_t b = 0; b < k; ++b) part += patch[a * out_width * k + b];
      sum += part;
    }
    return sum / divisor;
  }
  DUEL_HD T at(int64_t i) const { return value(i / columns, i % columns); }
};

template <class T>
struct Upsample {
  int64_t width, k;  // of the input
  const T* x;
  T divisor;
  Divisor factor = Divisor(k), columns = Divisor(width * k);
  DUEL_HD T value(int64_t line, int64_t column) const {
    const T pixel = x[line * width + column];
    return divisor == T(1) ? pixel : pixel / divisor;
  }
  DUEL_HD T at(int64_t i) const { return value(i / columns / factor, i % columns / factor); }
};

template <class T>
struct OneHot {
  Divisor classes;
  const int64_t* label;
  DUEL_HD T at(int64_t i) const { return label[i / classes] == i % classes ? T(1) : T(0); }
};

#if DUEL_DEVICE_CODE
/// One thread per element of y walks all indices in order: no two threads add to one element.
template <class T>
__global__ void scatter_add_kernel(int64_t count, int64_t rows, Divisor cols, const T* g,
                                   const int64_t* index, T* y) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < rows * cols.value();
       i += stride) {
    const int64_t row = i / cols, column = i % cols;
    T sum = y[i];
    for (int64_t k = 0; k < count; ++k) {
      if (index[k] == row) sum += g[k * cols.value() + column];
    }
    y[i] = sum;
  }
}
#endif

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

#if DUEL_DEVICE_CODE
namespace {
template <class T>
__global__ void join_kernel(int64_t count, Divisor length, JoinParts<T> parts, T* y) {
  begin_kernel();
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    const int64_t row = i / length, column = i % length;
    const T* from = nullptr;
    int64_t at = 0;
#pragma unroll
    for (int p = 0; p < JoinParts<T>::kMost; ++p) {  // a constant index each: parts stays among the arguments
      if (p < parts.count && column >= parts.begin[p] && column < parts.begin[p + 1]) {
        from = parts.from[p];
        at = row * (parts.begin[p + 1] - parts.begin[p]) + column - parts.begin[p];
      }
    }
    y[i] = from[at];
  }
}
}  // namespace
#endif

template <class T>
void join(Stream stream, int64_t rows, const JoinParts<T>& parts, T* y) {
  DUEL_CHECK(rows >= 0 && parts.count >= 0 && parts.count <= JoinParts<T>::kMost, "join",
             "expected rows and parts, got {} and {}", rows, parts.count);
  const int64_t length = parts.begin[parts.count], count = rows * length;
  if (count == 0) return;
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    constexpr int kBlock = 256;
    const int64_t blocks = (count + kBlock - 1) / kBlock;
    launch(join_kernel<T>, dim3(static_cast<unsigned>(blocks < 4096 ? blocks : 4096)), dim3(kBlock), 0,
           stream, count, Divisor(length), parts, y);
    return;
  }
#endif
  (void)stream;
  for (int p = 0; p < parts.count; ++p) {
    const int64_t extent = parts.begin[p + 1] - parts.begin[p];
    StridedCopy copy;
    copy.push(rows, extent, length);
    copy.push(extent, 1, 1);
    if (extent > 0) run_copy(Stream(), copy, parts.from[p], y + parts.begin[p]);
  }
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
    generate(stream, count * cols,
             GatherRow<T>{rows, Divisor(cols), x, index, std::numeric_limits<T>::quiet_NaN()}, y);
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
           Divisor(cols), g, index, y);
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
void flip(Stream stream, int rank, const int64_t* shape, const bool* turned, const T* x, T* y) {
  check_rank("flip", rank);
  if (!check_shape("flip", rank, shape)) return;
  DUEL_CHECK(x && y, "flip", "expected arrays, got a null pointer");
  int64_t strides[kRank];
  row_major(rank, shape, strides);
  StridedCopy copy;
  for (int d = 0; d < rank; ++d) {
    if (turned[d]) x += (shape[d] - 1) * strides[d];
    copy.push(shape[d], turned[d] ? -strides[d] : strides[d], strides[d]);
  }
  run_copy(stream, copy, x, y);
}

template <class T>
void sum_pool2d(Stream stream, int64_t planes, int64_t height, int64_t width, int64_t k, const T* x, T* y,
                double divisor) {
  DUEL_CHECK(planes >= 0 && height >= 0 && width >= 0, "sum_pool2d",
             "expected extents of at least 0, got [{}, {}, {}]", planes, height, width);
  DUEL_CHECK(k >= 1 && height % k == 0 && width % k == 0, "sum_pool2d",
             "expected a kernel that divides {} x {}, got {}", height, width, k);
  const int64_t n = planes * (height / k) * (width / k);
  if (n == 0) return;
  DUEL_CHECK(x && y, "sum_pool2d", "expected arrays, got a null pointer");
  const int64_t out_width = width / k;
  const SumPool<T> pool{out_width, k, x, static_cast<T>(divisor)};
  if (stream.on_device()) {
    generate(stream, n, pool, y);
    return;
  }
  parallel_for(n / out_width, kMapGrain / (width * k) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      if (k == 2) {  // the usual case, with the loops unrolled
        const SumPool<T> halves{out_width, 2, x, pool.divisor};
        for (int64_t j = 0; j < out_width; ++j) y[line * out_width + j] = halves.value(line, j);
      } else {
        for (int64_t j = 0; j < out_width; ++j) y[line * out_width + j] = pool.value(line, j);
      }
    }
  });
}

template <class T>
void upsample_nearest2d(Stream stream, int64_t planes, int64_t height, int64_t width, int64_t k, const T* x,
                        T* y, double divisor) {
  DUEL_CHECK(planes >= 0 && height >= 0 && width >= 0, "upsample_nearest2d",
             "expected extents of at least 0, got [{}, {}, {}]", planes, height, width);
  DUEL_CHECK(k >= 1, "upsample_nearest2d", "expected a factor of at least 1, got {}", k);
  const int64_t n = planes * height * k * width * k;
  if (n == 0) return;
  DUEL_CHECK(x && y, "upsample_nearest2d", "expected arrays, got a null pointer");
  const Upsample<T> wide{width, k, x, static_cast<T>(divisor)};
  if (stream.on_device()) {
    generate(stream, n, wide, y);
    return;
  }
  parallel_for(planes * height, kMapGrain / (width * k * k) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      T* first = y + line * k * width * k;
      for (int64_t j = 0; j < width; ++j) {
        const T value = wide.value(line, j);
        for (int64_t b = 0; b < k; ++b) first[j * k + b] = value;
      }
      for (int64_t a = 1; a < k; ++a)
        std::memcpy(first + a * width * k, first, static_cast<size_t>(width * k) * sizeof(T));
    }
  });
}

template <class T>
void one_hot(Stream stream, int64_t count, int64_t classes, const int64_t* label, T* y) {
  DUEL_CHECK(count >= 0 && classes >= 0, "one_hot", "expected extents of at least 0, got [{}, {}]", count,
             classes);
  if (count * classes == 0) return;
  DUEL_CHECK(label && y, "one_hot", "expected arrays, got a null pointer");
  generate(stream, count * classes, OneHot<T>{Divisor(classes), label}, y);
}

#define DUEL_EVERY(T)                                                                                  \
  template void permute<T>(Stream, int, const int64_t*, const int*, const T*, T*);                     \
  template void copy_box<T>(Stream, int, const int64_t*, const T*, const int64_t*, const int64_t*, T*, \
                            const int64_t*, const int64_t*);                                           \
  template void join<T>(Stream, int64_t, const JoinParts<T>&, T*);                                     \
  template void broadcast_to<T>(Stream, int, const int64_t*, int, const int64_t*, const T*, T*);       \
  template void flip<T>(Stream, int, const int64_t*, const bool*, const T*, T*);                       \
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
