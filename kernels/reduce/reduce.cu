// Reductions: a plan that depends on the shape alone, one host loop and one kernel for all of them.
//
// The host adds floats in double precision, sixteen or more sums side by side; the kernels add floats in
// lanes and combine the lanes in a tree. Both keep the bound of Note [Reductions].
#include "duel/kernels/reduce/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "duel/kernels/base/lanes.cuh"
#include "duel/kernels/base/map.cuh"

namespace duel::kernels {
namespace {

/// Elements that one partial result covers at least.
constexpr int64_t kChunk = 8192;
/// Columns that one host work item handles side by side.
constexpr int64_t kTile = 64;

struct Plan {
  int64_t chunk_rows;  // length of a chunk along R
  int64_t chunks;      // partial results per output
};

Plan make_plan(int64_t R, int64_t B) {
  const int64_t width = B < kTile ? (B < 1 ? 1 : B) : kTile;
  const int64_t chunk_rows = (kChunk + width - 1) / width;
  const int64_t chunks = R > 2 * chunk_rows ? (R + chunk_rows - 1) / chunk_rows : 1;
  return {chunks == 1 ? (R < 1 ? 1 : R) : chunk_rows, chunks};
}

struct SumOp {
  template <class T>
  static constexpr T identity = T(0);
  template <class T>
  DUEL_HD static T apply(T a, T b) {
    return a + b;
  }
};

struct MaxOp {
  template <class T>
  static constexpr T identity = std::is_integral_v<T> ? std::numeric_limits<T>::lowest()
                                                      : -std::numeric_limits<T>::infinity();
  template <class T>
  DUEL_HD static T apply(T a, T b) {
    const T larger = b > a ? b : a;
    return b != b ? b : larger;
  }
};

struct MinOp {
  template <class T>
  static constexpr T identity = std::is_integral_v<T> ? std::numeric_limits<T>::max()
                                                      : std::numeric_limits<T>::infinity();
  template <class T>
  DUEL_HD static T apply(T a, T b) {
    const T smaller = b < a ? b : a;
    return b != b ? b : smaller;
  }
};

/// What the host accumulates in: sums of floats in double.
template <class Op, class T>
using Accumulator = std::conditional_t<std::is_same_v<Op, SumOp> && !std::is_integral_v<T>, double, T>;

template <class Op, class T>
T finish(Accumulator<Op, T> value, double divisor) {
  if constexpr (std::is_same_v<Op, SumOp>) {
    return static_cast<T>(value / static_cast<Accumulator<Op, T>>(divisor));
  } else {
    return value;
  }
}

/// acc[j] = op(acc[j], row[j]) for width columns.
template <class Op, class Acc, class T>
DUEL_HD void add_row(Acc* DUEL_RESTRICT acc, const T* DUEL_RESTRICT row, int64_t width) {
  DUEL_SIMD
  for (int64_t j = 0; j < width; ++j) acc[j] = Op::apply(acc[j], static_cast<Acc>(row[j]));
}

/// Reduces rows [begin, end) of the columns [column, column + width) of x[R, B] into acc; width <= kTile,
/// begin < end. Narrow matrices are walked as if several rows were one: there are always many sums side by
/// side.
template <class Op, class Acc, class T>
void reduce_tile(const T* x, int64_t begin, int64_t end, int64_t B, int64_t column, int64_t width, Acc* acc) {
  const T* row = x + begin * B + column;
  int64_t rows = end - begin;
  const int64_t group = width == B ? (kTile / B < rows ? kTile / B : rows) : 1, lanes = group * width;
  for (int64_t j = 0; j < lanes; ++j) acc[j] = static_cast<Acc>(row[j]);
  row += group * B;
  rows -= group;
  if (lanes == kTile) {
    Acc lane[kTile];  // of its own, so that it stays in registers
    for (int64_t j = 0; j < kTile; ++j) lane[j] = acc[j];
    for (; rows >= group; row += group * B, rows -= group) {
      DUEL_SIMD
      for (int64_t j = 0; j < kTile; ++j) lane[j] = Op::apply(lane[j], static_cast<Acc>(row[j]));
    }
    for (int64_t j = 0; j < kTile; ++j) acc[j] = lane[j];
  } else {
    for (; rows >= group && rows > 0; row += group * B, rows -= group) add_row<Op>(acc, row, lanes);
  }
  if (rows > 0) add_row<Op>(acc, row, rows * B);  // less than a group, so width == B
  if (group == kTile) {
    for (int half = kTile / 2; half > 0; half /= 2) {
      for (int j = 0; j < half; ++j) acc[j] = Op::apply(acc[j], acc[half + j]);
    }
    return;
  }
  // Fold the rows of the group, upper half onto lower half; an odd one in the middle waits.
  for (int64_t left = group; left > 1;) {
    const int64_t half = (left + 1) / 2;
    for (int64_t j = 0; j < (left - half) * width; ++j) acc[j] = Op::apply(acc[j], acc[half * width + j]);
    left = half;
  }
}

/// One stage on the host: x[A, R, B] -> out[A, chunks, B].
template <class Op, class T>
void host_stage(int64_t A, int64_t R, int64_t B, Plan plan, const T* x, T* out, double divisor) {
  const int64_t tiles = (B + kTile - 1) / kTile, items = A * plan.chunks * tiles;
  const int64_t item_size = plan.chunk_rows * (B < kTile ? B : kTile);
  const int64_t grain = item_size >= kChunk ? 1 : kChunk / (item_size < 1 ? 1 : item_size);
  parallel_for(items, grain, [&](int64_t first, int64_t last) {
    for (int64_t item = first; item < last; ++item) {
      const int64_t tile = item % tiles, chunk = item / tiles % plan.chunks, a = item / tiles / plan.chunks;
      const int64_t begin = chunk * plan.chunk_rows, column = tile * kTile;
      const int64_t end = begin + plan.chunk_rows < R ? begin + plan.chunk_rows : R;
      const int64_t width = B - column < kTile ? B - column : kTile;
      Accumulator<Op, T> acc[kTile];
      reduce_tile<Op>(x + a * R * B, begin, end, B, column, width, acc);
      T* to = out + (a * plan.chunks + chunk) * B + column;
      for (int64_t j = 0; j < width; ++j) to[j] = finish<Op, T>(acc[j], divisor);
    }
  });
}

#if DUEL_DEVICE_CODE
constexpr int kLanes = 256;

/// One block per (a, chunk, tile of `columns` columns): kLanes threads are kLanes / columns row lanes by
/// columns.
template <class Op, class T>
__global__ void reduce_kernel(int64_t R, int64_t B, int64_t chunk_rows, int64_t chunks, int columns,
                              const T* x, T* out, T divisor) {
  begin_kernel();
  __shared__ T lanes[kLanes];
  const int64_t tiles = (B + columns - 1) / columns;
  const int64_t item = blockIdx.x;
  const int64_t tile = item % tiles, chunk = item / tiles % chunks, a = item / tiles / chunks;
  const int row_lanes = kLanes / columns;
  const int lane = static_cast<int>(threadIdx.x) / columns;
  const int64_t column = tile * columns + static_cast<int>(threadIdx.x) % columns;
  const int64_t begin = chunk * chunk_rows;
  const int64_t end = begin + chunk_rows < R ? begin + chunk_rows : R;

  // Four sums per thread: independent loads in flight, and a quarter of the rounding steps.
  T acc[4];
  for (int k = 0; k < 4; ++k) acc[k] = Op::template identity<T>;
  if (column < B) {
    const T* base = x + a * R * B + column;
    int64_t r = begin + lane;
    for (; r + 3 * row_lanes < end; r += 4 * row_lanes) {
      for (int k = 0; k < 4; ++k) acc[k] = Op::apply(acc[k], base[(r + k * row_lanes) * B]);
    }
    for (int k = 0; k < 3; ++k, r += row_lanes) {  // a fixed length, so that acc stays in registers
      if (r < end) acc[k] = Op::apply(acc[k], base[r * B]);
    }
  }
  lanes[threadIdx.x] = Op::apply(Op::apply(acc[0], acc[1]), Op::apply(acc[2], acc[3]));
  for (int half = row_lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if (lane < half) lanes[threadIdx.x] = Op::apply(lanes[threadIdx.x], lanes[threadIdx.x + half * columns]);
  }
  if (lane == 0 && column < B) out[(a * chunks + chunk) * B + column] = lanes[threadIdx.x] / divisor;
}

template <class Op, class T>
void device_stage(Stream stream, int64_t A, int64_t R, int64_t B, Plan plan, const T* x, T* out,
                  double divisor) {
  int columns = 1;
  while (columns < 32 && columns < B) columns *= 2;
  const int64_t blocks = A * plan.chunks * ((B + columns - 1) / columns);
  DUEL_CHECK(blocks <= std::numeric_limits<int32_t>::max(), "reduce",
             "too many results for one launch: {} blocks", blocks);
  launch(reduce_kernel<Op, T>, dim3(static_cast<unsigned>(blocks)), dim3(kLanes), 0, stream, R, B,
         plan.chunk_rows, plan.chunks, columns, x, out, static_cast<T>(divisor));
}
#endif

template <class Op, class T>
void stage(Stream stream, int64_t A, int64_t R, int64_t B, Plan plan, const T* x, T* out, double divisor) {
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    device_stage<Op>(stream, A, R, B, plan, x, out, divisor);
    return;
  }
#endif
  (void)stream;
  host_stage<Op>(A, R, B, plan, x, out, divisor);
}

/// The sum of nothing.
template <class T>
struct Zero {
  DUEL_HD T operator()() const { return T(0); }
};

template <class Op, class T>
void reduce(const char* op, Stream stream, int64_t A, int64_t R, int64_t B, const T* x, T* y, T* workspace,
            double divisor) {
  DUEL_CHECK(A >= 0 && R >= 0 && B >= 0, op, "expected extents of at least 0, got [{}, {}, {}]", A, R, B);
  if (A * B == 0) return;
  DUEL_CHECK(y && (x || R == 0), op, "expected arrays, got a null pointer");
  if (R == 0) {
    map(stream, A * B, Zero<T>{}, y);
    return;
  }
  const Plan plan = make_plan(R, B);
  if (plan.chunks == 1) {
    stage<Op>(stream, A, R, B, plan, x, y, divisor);
    return;
  }
  DUEL_CHECK(workspace, op, "expected a workspace of {} elements, got a null pointer", A * plan.chunks * B);
  stage<Op>(stream, A, R, B, plan, x, workspace, 1.0);
  const Plan whole{plan.chunks, 1};
  stage<Op>(stream, A, plan.chunks, B, whole, workspace, y, divisor);
}

/// How sum_around cuts A on a device: parts of `rows` each, so many that all channels' blocks fill the chip.
struct Slabs {
  int64_t count, rows;
};
Slabs slabs_of(int64_t A, int64_t C, int64_t B) {
  constexpr int64_t kBlocks = 264, kLeast = 2048;  // blocks in all, elements of one
  int64_t count = std::min({std::max<int64_t>(1, kBlocks / std::max<int64_t>(1, C)), A, A * B / kLeast});
  count = std::max<int64_t>(1, count);
  const int64_t rows = std::max<int64_t>(1, (A + count - 1) / count);
  return {std::max<int64_t>(1, (A + rows - 1) / rows), rows};
}

#if DUEL_DEVICE_CODE
/// One block per channel and slab; with several slabs their sums go to parts[slab][c], and the last block of a channel adds
/// them, or, without tickets, a second launch does.
template <class T>
__global__ void __launch_bounds__(kSumBlock)
    sum_around_kernel(int64_t A, int64_t B, int64_t slab_rows, const T* x, T* parts, unsigned* tickets, T* y,
                      T divisor) {
  begin_kernel();
  const int64_t c = blockIdx.x, C = gridDim.x, begin = blockIdx.y * slab_rows;
  const int64_t rows = A - begin < slab_rows ? A - begin : slab_rows;
  const uint32_t count = static_cast<uint32_t>(rows * B), across = static_cast<uint32_t>(B);
  const T* from = x + (begin * C + c) * B;
  T sums[4] = {};
  uint32_t i = threadIdx.x;
  const auto at = [&](uint32_t k) { return from[k / across * (C * B) + k % across]; };
  for (; i + 3 * kSumBlock < count; i += 4 * kSumBlock) {
    for (int k = 0; k < 4; ++k) sums[k] += at(i + static_cast<uint32_t>(k) * kSumBlock);
  }
  for (int k = 0; k < 3; ++k, i += kSumBlock) {
    if (i < count) sums[k] += at(i);
  }
  const T total = block_sum(Terms<1, T>{{(sums[0] + sums[1]) + (sums[2] + sums[3])}}).v[0];
  if (gridDim.y == 1) {
    if (threadIdx.x == 0) y[c] = total / divisor;
    return;
  }
  if (threadIdx.x == 0) parts[blockIdx.y * C + c] = total;
  if (tickets == nullptr || !last_block(gridDim.y, tickets + c) || threadIdx.x != 0) return;
  T sum = 0;
  for (unsigned slab = 0; slab < gridDim.y; ++slab) sum += parts[slab * C + c];
  y[c] = sum / divisor;
}
#endif

template <class T>
int64_t argmax_row(const T* row, int64_t cols) {
  int64_t best = 0;
  for (int64_t j = 1; j < cols && row[best] == row[best]; ++j) {
    if (row[j] > row[best] || row[j] != row[j]) best = j;
  }
  return best;
}

/// x - x is 0 for finite numbers and not-a-number for all others.
template <class T>
DUEL_HD bool is_finite(T x) {
  return x - x == T(0);
}

#if DUEL_DEVICE_CODE
template <class T>
__global__ void argmax_kernel(int64_t rows, int64_t cols, const T* x, int64_t* index) {
  begin_kernel();
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const T* at = x + row * cols;
  int64_t best = 0;
  for (int64_t j = 1; j < cols && at[best] == at[best]; ++j) {
    if (at[j] > at[best] || at[j] != at[j]) best = j;
  }
  index[row] = best;
}
#endif

}  // namespace

int64_t sum_around_workspace(int64_t A, int64_t C, int64_t B) {
  const int64_t host = A * C + std::max(reduce_workspace(A * C, B, 1), reduce_workspace(1, A, C));
  return std::max(host, C * slabs_of(A, C, B).count);
}

template <class T>
void sum_around(Stream stream, int64_t A, int64_t C, int64_t B, const T* x, T* y, T* workspace,
                double divisor) {
  DUEL_CHECK(A >= 0 && C >= 0 && B >= 0, "sum_around", "expected extents of at least 0, got [{}, {}, {}]", A,
             C, B);
#if DUEL_DEVICE_CODE
  if (stream.on_device() && A * B >= kSumBlock && C > 0 && A * B < (int64_t{1} << 32) &&
      C < (int64_t{1} << 31)) {
    DUEL_CHECK(x && y && workspace, "sum_around", "expected arrays, got a null pointer");
    const Slabs slabs = slabs_of(A, C, B);
    unsigned* const tickets = slabs.count > 1 ? tickets_for(stream, C) : nullptr;
    launch(sum_around_kernel<T>, dim3(static_cast<unsigned>(C), static_cast<unsigned>(slabs.count)),
           dim3(kSumBlock), 0, stream, A, B, slabs.rows, x, workspace, tickets, y, static_cast<T>(divisor));
    if (slabs.count > 1 && tickets == nullptr) {
      stage<SumOp>(stream, 1, slabs.count, C, Plan{slabs.count, 1}, workspace, y, divisor);
    }
    return;
  }
#endif
  T* const sums = workspace;
  sum_axes(stream, A * C, B, 1, x, sums, workspace + A * C);
  sum_axes(stream, 1, A, C, sums, y, workspace + A * C, divisor);
}

int64_t reduce_workspace(int64_t A, int64_t R, int64_t B) {
  const Plan plan = make_plan(R, B);
  return plan.chunks == 1 ? 0 : A * plan.chunks * B;
}

template <class T>
void sum_axes(Stream stream, int64_t A, int64_t R, int64_t B, const T* x, T* y, T* workspace,
              double divisor) {
  reduce<SumOp>("sum_axes", stream, A, R, B, x, y, workspace, divisor);
}

template <class T>
void max_axes(Stream stream, int64_t A, int64_t R, int64_t B, const T* x, T* y, T* workspace) {
  DUEL_CHECK(R > 0 || A * B == 0, "max_axes", "expected at least one element to reduce, got none");
  reduce<MaxOp>("max_axes", stream, A, R, B, x, y, workspace, 1.0);
}

template <class T>
void min_axes(Stream stream, int64_t A, int64_t R, int64_t B, const T* x, T* y, T* workspace) {
  DUEL_CHECK(R > 0 || A * B == 0, "min_axes", "expected at least one element to reduce, got none");
  reduce<MinOp>("min_axes", stream, A, R, B, x, y, workspace, 1.0);
}

template <class T>
void argmax_rows(Stream stream, int64_t rows, int64_t cols, const T* x, int64_t* index) {
  DUEL_CHECK(rows >= 0 && cols > 0, "argmax_rows", "expected rows of at least one element, got [{}, {}]",
             rows, cols);
  if (rows == 0) return;
  DUEL_CHECK(x && index, "argmax_rows", "expected arrays, got a null pointer");
#if DUEL_DEVICE_CODE
  if (stream.on_device()) {
    launch(argmax_kernel<T>, dim3(static_cast<unsigned>((rows + 63) / 64)), dim3(64), 0, stream, rows, cols,
           x, index);
    return;
  }
#endif
  (void)stream;
  parallel_for(rows, cols < kChunk ? kChunk / cols : 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) index[i] = argmax_row(x + i * cols, cols);
  });
}

template <class T>
int64_t first_nonfinite(int64_t n, const T* x) {
  constexpr int64_t kStep = 1024;
  for (int64_t begin = 0; begin < n; begin += kStep) {
    const int64_t end = begin + kStep < n ? begin + kStep : n;
    int bad = 0;
#pragma omp simd reduction(+ : bad)
    for (int64_t i = begin; i < end; ++i) bad += is_finite(x[i]) ? 0 : 1;
    if (bad == 0) continue;
    for (int64_t i = begin; i < end; ++i) {
      if (!is_finite(x[i])) return i;
    }
  }
  return -1;
}

#define DUEL_NUMBER(T)                                                                      \
  template void sum_axes<T>(Stream, int64_t, int64_t, int64_t, const T*, T*, T*, double);   \
  template void sum_around<T>(Stream, int64_t, int64_t, int64_t, const T*, T*, T*, double); \
  template void max_axes<T>(Stream, int64_t, int64_t, int64_t, const T*, T*, T*);           \
  template void min_axes<T>(Stream, int64_t, int64_t, int64_t, const T*, T*, T*);           \
  template void argmax_rows<T>(Stream, int64_t, int64_t, const T*, int64_t*);
DUEL_NUMBER(float)
DUEL_NUMBER(double)
DUEL_NUMBER(int64_t)

#define DUEL_REDUCE(T) template int64_t first_nonfinite<T>(int64_t, const T*);
DUEL_REDUCE(float)
DUEL_REDUCE(double)

}  // namespace duel::kernels
