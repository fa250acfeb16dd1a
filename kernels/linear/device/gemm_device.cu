// Matrix products on the device in own kernels, from tiles (gemm_tile.cuh).
#include "duel/kernels/linear/device/gemm_device.h"

#include "duel/kernels/linear/device/gemm_tile.cuh"

namespace duel::kernels::device {
namespace {

#if DUEL_DEVICE_CODE

/// Element (o, k) of an operand, o a row of op(a) or a column of op(b): at o * step_o + k * step_k, one of
/// them 1.
template <class T>
struct Operand {
  const T* p;
  int64_t outer;  // rows or columns
  int64_t step_o, step_k;
  bool along_k;  // step_k == 1
  bool aligned;  // 16-byte loads
};

template <class T, class Tile>
struct OperandTile {
  Operand<T> x;
  int64_t first;  // row or column of the tile

  __device__ __forceinline__ void fetch(int64_t k, int64_t end, Four<T> (&loads)[Tile::kLoads]) const {
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      Four<T> f{};
      if (x.along_k) {
        const int64_t o = first + AlongDepth<Tile>::outer(i), d = k + AlongDepth<Tile>::depth(i);
        const T* from = x.p + o * x.step_o + d;
        if (o < x.outer) f = some(from, end - d);
      } else {
        const int64_t o = first + AlongOuter<Tile>::outer(), d = k + AlongOuter<Tile>::depth(i);
        const T* from = x.p + o + d * x.step_k;
        if (d < end) f = some(from, x.outer - o);
      }
      loads[i] = f;
    }
  }

  __device__ __forceinline__ void place(T* shared, const Four<T> (&loads)[Tile::kLoads]) const {
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      if (x.along_k) {
        AlongDepth<Tile>::place(shared, i, loads[i]);
      } else {
        AlongOuter<Tile>::place(shared, i, loads[i]);
      }
    }
  }

 private:
  __device__ __forceinline__ Four<T> some(const T* from, int64_t count) const {
    if (x.aligned && count >= 4) return load_four(from);
    Four<T> f{};
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (j < count) f.v[j] = from[j];
    }
    return f;
  }
};

/// One block per tile and part. `parts` is null where there is one part; where there are more and `tickets` is null, a
/// second kernel adds them.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kResident)
    gemm_kernel(Operand<T> left, Operand<T> right, int64_t k, int64_t depth, T alpha, T beta, const T* bias,
                T* c, T* parts, unsigned* tickets, bool aligned, bool parts_aligned) {
  const int64_t m = left.outer, n = right.outer;
  const int64_t across = ceil_div(n, Tile::kSide);
  const int64_t row0 = blockIdx.x / across * Tile::kSide, column0 = blockIdx.x % across * Tile::kSide;
  const int64_t begin = blockIdx.y * depth, end = begin + depth < k ? begin + depth : k;
  Four<T> sums[4 * Tile::kGroups][Tile::kGroups];
  multiply_tile<T, Tile>(OperandTile<T, Tile>{left, row0}, OperandTile<T, Tile>{right, column0}, begin, end,
                         sums);
  if (parts) {
    for_results<T, Tile>(sums, [&](int row, int column, const Four<T>& sum) {
      const int64_t i = row0 + row, j = column0 + column;
      if (i < m && j < n) store_some(parts + (blockIdx.y * m + i) * n + j, sum, n - j, parts_aligned);
    });
    if (tickets == nullptr || !last_block(gridDim.y, tickets + blockIdx.x)) return;
  }
  for_results<T, Tile>(sums, [&](int row, int column, Four<T> sum) {
    const int64_t i = row0 + row, j = column0 + column;
    if (i >= m || j >= n) return;
    const int64_t at = i * n + j, count = n - j;
    if (parts) sum = add_four(parts + at, gridDim.y, m * n, count, parts_aligned);
    Four<T> result;
#pragma unroll
    for (int l = 0; l < 4; ++l) {
      T value = alpha * sum.v[l];
      if (l < count) {
        if (bias) value += bias[j + l];
        if (beta != T(0)) value += beta * c[at + l];
      }
      result.v[l] = value;
    }
    store_some(c + at, result, count, aligned);
  });
}

/// One block per tile and product of the batch.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kResident)
    gemm_batched_kernel(Operand<T> left, Operand<T> right, int64_t stride_left, int64_t stride_right,
                        int64_t k, T* c, bool aligned) {
  const int64_t m = left.outer, n = right.outer, across = ceil_div(n, Tile::kSide);
  const int64_t row0 = blockIdx.x / across * Tile::kSide, column0 = blockIdx.x % across * Tile::kSide;
  left.p += blockIdx.y * stride_left;
  right.p += blockIdx.y * stride_right;
  c += blockIdx.y * m * n;
  Four<T> sums[4 * Tile::kGroups][Tile::kGroups];
  multiply_tile<T, Tile>(OperandTile<T, Tile>{left, row0}, OperandTile<T, Tile>{right, column0}, 0, k, sums);
  for_results<T, Tile>(sums, [&](int row, int column, const Four<T>& sum) {
    const int64_t i = row0 + row, j = column0 + column;
    if (i < m && j < n) store_some(c + i * n + j, sum, n - j, aligned);
  });
}

constexpr int kBlock = 256;

template <class T>
__global__ void __launch_bounds__(kBlock)
    add_parts_kernel(int64_t count, int64_t columns, int64_t parts, const T* values, T alpha, const T* bias,
                     T beta, T* c) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < count; i += stride) {
    T sum = 0;
    for (int64_t p = 0; p < parts; ++p) sum += values[p * count + i];
    T value = alpha * sum;
    if (bias) value += bias[i % columns];
    if (beta != T(0)) value += beta * c[i];
    c[i] = value;
  }
}

template <class T, class Tile>
void start(Stream stream, const Cut& cut, const Operand<T>& left, const Operand<T>& right, int64_t k, T alpha,
           T beta, const T* bias, T* c, T* parts, unsigned* tickets) {
  const dim3 grid(static_cast<unsigned>(cut.tiles(left.outer, right.outer)),
                  static_cast<unsigned>(cut.splits));
  launch(gemm_kernel<T, Tile>, grid, dim3(Tile::kThreads), 0, stream, left, right, k, cut.depth, alpha, beta,
         bias, c, parts, tickets, wide<T>(c, right.outer), wide<T>(parts, right.outer));
}

template <class T>
Operand<T> operand(const T* p, bool along_k, int64_t outer, int64_t k) {
  return {p, outer, along_k ? k : 1, along_k ? 1 : outer, along_k, wide(p, along_k ? k : outer)};
}

#endif

}  // namespace

template <class T>
void add_parts(Stream stream, int64_t rows, int64_t columns, int64_t parts, const T* values, T alpha,
               const T* bias, T beta, T* c) {
#if DUEL_DEVICE_CODE
  const int64_t count = rows * columns, blocks = ceil_div(count, kBlock);
  launch(add_parts_kernel<T>, dim3(static_cast<unsigned>(blocks < 4096 ? blocks : 4096)), dim3(kBlock), 0,
         stream, count, columns, parts, values, alpha, bias, beta, c);
#else
  (void)stream, (void)rows, (void)columns, (void)parts, (void)values, (void)alpha, (void)bias, (void)beta,
      (void)c;
  fail("gemm", "expected a host stream: no CUDA kernel in this build");
#endif
}

template <class T>
size_t gemm_workspace(int64_t m, int64_t n, int64_t k) {
  const Cut cut = cut_product<T>(m, n, k, true);
  return cut.splits > 1 ? static_cast<size_t>(cut.splits * m * n) * sizeof(T) : 0;
}

template <class T>
void gemm(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          const T* b, T beta, const T* bias, T* c, void* workspace) {
  gemm_by(cut_product<T>(m, n, k, true), stream, trans_a, trans_b, m, n, k, alpha, a, b, beta, bias, c,
          workspace);
}

template <class T>
void gemm_by(const Cut& cut, Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
             T alpha, const T* a, const T* b, T beta, const T* bias, T* c, void* workspace) {
#if DUEL_DEVICE_CODE
  if (k == 0) return add_parts<T>(stream, m, n, 0, nullptr, alpha, bias, beta, c);
  DUEL_CHECK(cut.tiles(m, n) < (int64_t{1} << 31), "gemm",
             "expected fewer results for one launch, got {} x {}", m, n);
  const bool parted = cut.splits > 1;
  DUEL_CHECK(!parted || workspace != nullptr, "gemm", "expected a workspace of {} bytes, got a null pointer",
             cut.splits * m * n * static_cast<int64_t>(sizeof(T)));
  T* const parts = parted ? static_cast<T*>(workspace) : nullptr;
  const Operand<T> left = operand(a, !trans_a, m, k), right = operand(b, trans_b, n, k);
  unsigned* const tickets = parted ? tickets_for(stream, cut.tiles(m, n)) : nullptr;
  if (cut.tile == 32) {
    start<T, Small<T>>(stream, cut, left, right, k, alpha, beta, bias, c, parts, tickets);
  } else if (cut.tile == 64) {
    start<T, Medium<T>>(stream, cut, left, right, k, alpha, beta, bias, c, parts, tickets);
  } else if constexpr (sizeof(T) == 4) {
    start<T, Large<T>>(stream, cut, left, right, k, alpha, beta, bias, c, parts, tickets);
  }
  if (parted && tickets == nullptr) add_parts<T>(stream, m, n, cut.splits, parts, alpha, bias, beta, c);
#else
  (void)cut, (void)stream, (void)trans_a, (void)trans_b, (void)m, (void)n, (void)k, (void)alpha, (void)a,
      (void)b, (void)beta;
  (void)bias, (void)c, (void)workspace;
  fail("gemm", "expected a host stream: no CUDA kernel in this build");
#endif
}

#if DUEL_DEVICE_CODE
namespace {

template <class T, class Tile>
void start_batch(Stream stream, int64_t batch, Operand<T> left, int64_t stride_left, Operand<T> right,
                 int64_t stride_right, int64_t k, T* c) {
  constexpr int64_t kMost = 65535;  // blocks along y
  const int64_t results = left.outer * right.outer;
  const int64_t tiles = ceil_div(left.outer, Tile::kSide) * ceil_div(right.outer, Tile::kSide);
  DUEL_CHECK(tiles < (int64_t{1} << 31), "gemm_batched", "expected fewer results for one launch, got {} x {}",
             left.outer, right.outer);
  const bool aligned = wide<T>(c, right.outer);
  left.aligned = left.aligned && wide<T>(left.p, stride_left);
  right.aligned = right.aligned && wide<T>(right.p, stride_right);
  for (int64_t first = 0; first < batch; first += kMost) {
    const int64_t count = batch - first < kMost ? batch - first : kMost;
    launch(gemm_batched_kernel<T, Tile>, dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(count)),
           dim3(Tile::kThreads), 0, stream, left, right, stride_left, stride_right, k, c, aligned);
    left.p += count * stride_left;
    right.p += count * stride_right;
    c += count * results;
  }
}

}  // namespace
#endif

template <class T>
void gemm_batched(Stream stream, bool trans_a, bool trans_b, int64_t batch, int64_t m, int64_t n, int64_t k,
                  const T* a, int64_t stride_a, const T* b, int64_t stride_b, T* c) {
  gemm_batched_by(cut_product<T>(m, n, k, false, batch).tile, stream, trans_a, trans_b, batch, m, n, k, a,
                  stride_a, b, stride_b, c);
}

template <class T>
void gemm_batched_by(int tile, Stream stream, bool trans_a, bool trans_b, int64_t batch, int64_t m, int64_t n,
                     int64_t k, const T* a, int64_t stride_a, const T* b, int64_t stride_b, T* c) {
#if DUEL_DEVICE_CODE
  if (k == 0) return add_parts<T>(stream, batch * m, n, 0, nullptr, T(1), nullptr, T(0), c);
  const Operand<T> left = operand(a, !trans_a, m, k), right = operand(b, trans_b, n, k);
  if (tile == 32) {
    start_batch<T, Small<T>>(stream, batch, left, stride_a, right, stride_b, k, c);
  } else if (tile == 64) {
    start_batch<T, Medium<T>>(stream, batch, left, stride_a, right, stride_b, k, c);
  } else if constexpr (sizeof(T) == 4) {
    start_batch<T, Large<T>>(stream, batch, left, stride_a, right, stride_b, k, c);
  }
#else
  (void)tile, (void)stream, (void)trans_a, (void)trans_b, (void)batch, (void)m, (void)n, (void)k, (void)a;
  (void)stride_a, (void)b, (void)stride_b, (void)c;
  fail("gemm_batched", "expected a host stream: no CUDA kernel in this build");
#endif
}

#define DUEL_INSTANTIATE(T)                                                                                  \
  template void add_parts<T>(Stream, int64_t, int64_t, int64_t, const T*, T, const T*, T, T*);               \
  template size_t gemm_workspace<T>(int64_t, int64_t, int64_t);                                              \
  template void gemm<T>(Stream, bool, bool, int64_t, int64_t, int64_t, T, const T*, const T*, T, const T*,   \
                        T*, void*);                                                                          \
  template void gemm_by<T>(const Cut&, Stream, bool, bool, int64_t, int64_t, int64_t, T, const T*, const T*, \
                           T, const T*, T*, void*);                                                          \
  template void gemm_batched<T>(Stream, bool, bool, int64_t, int64_t, int64_t, int64_t, const T*, int64_t,   \
                                const T*, int64_t, T*);                                                      \
  template void gemm_batched_by<T>(int, Stream, bool, bool, int64_t, int64_t, int64_t, int64_t, const T*,    \
                                   int64_t, const T*, int64_t, T*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels::device
