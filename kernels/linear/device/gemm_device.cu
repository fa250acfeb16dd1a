// Matrix products on the device in own kernels, from tiles (gemm_tile.cuh, tensor_tile.cuh).
#include "duel/kernels/linear/device/gemm_device.h"

#include <type_traits>

#include "duel/kernels/base/divisor.h"
#include "duel/kernels/linear/device/tensor_tile.cuh"

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

/// `first`: row or column of the tile; `begin`: the first step.
template <class T, class Tile>
struct OperandTile {
  const T* base;
  const T* from[Tile::kLoads];  // in the steps that come next
  int outside[Tile::kLoads];    // of the four of a load, along rows or columns: so many exist
  int64_t advance;
  bool along_k, aligned;

  __device__ __forceinline__ OperandTile(const Operand<T>& x, int64_t first, int64_t begin)
      : base(x.p), advance(kDepth * x.step_k), along_k(x.along_k), aligned(x.aligned) {
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      const int64_t o = first + (along_k ? AlongDepth<Tile>::outer(i) : AlongOuter<Tile>::outer());
      from[i] = x.p + o * x.step_o + (begin + depth(i)) * x.step_k;
      const int64_t left = x.outer - o;
      outside[i] = left < 0 ? 0 : left < 4 ? static_cast<int>(left) : 4;
    }
  }

  __device__ __forceinline__ bool along_depth() const { return along_k; }
  __device__ __forceinline__ int depth(int i) const {
    return along_k ? AlongDepth<Tile>::depth(i) : AlongOuter<Tile>::depth(i);
  }

  template <class Take>
  __device__ __forceinline__ void visit(int64_t k, int64_t end, Take&& take) {
    const int steps = steps_from(k, end);
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      const int ahead = steps - depth(i);
      const int count = along_k ? (outside[i] > 0 ? ahead : 0) : (ahead > 0 ? outside[i] : 0);
      if (aligned && (count >= 4 || count <= 0)) {
        take.four(i, from[i], count > 0);
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j) take.one(i, j, j < count ? from[i] + j : base, j < count);
      }
      from[i] += advance;
    }
  }
};

/// A product as its blocks see it. `parts` is null where there is one part; where there are more and `tickets` is null, a
/// second kernel adds them. The parts of left_sums, [part][row], are at left_parts.
template <class T>
struct Problem {
  Operand<T> left, right;
  int64_t k, depth, splits;
  T alpha, beta;
  const T* bias;
  T *c, *parts, *left_parts;
  unsigned* tickets;
  bool aligned, parts_aligned;
  Finish<T> finish;
  T* left_sums;
};

/// One tile of one part. kLeftSums: left_sums may be wanted.
template <class T, class Tile, bool kLeftSums>
__device__ __forceinline__ void product_block(const Problem<T>& p, int64_t tile, int64_t part) {
  const int64_t m = p.left.outer, n = p.right.outer;
  const int64_t across = ceil_div(n, Tile::kSide);
  const int64_t row0 = tile / across * Tile::kSide, column0 = tile % across * Tile::kSide;
  const int64_t begin = part * p.depth, end = begin + p.depth < p.k ? begin + p.depth : p.k;
  typename Tile::Sums sums;
  std::conditional_t<kLeftSums, LeftSums<T, Tile>, NoLeftSums> rows;
  OperandTile<T, Tile> left(p.left, row0, begin), right(p.right, column0, begin);
  multiply_tile<T, Tile>(left, right, begin, end, sums, rows);
  const bool sums_rows = kLeftSums && column0 == 0 && p.left_sums != nullptr;
  if (p.parts) {
    for_results<T, Tile>(sums, [&](int row, int column, const Four<T>& sum) {
      const int64_t i = row0 + row, j = column0 + column;
      if (i < m && j < n) store_some(p.parts + (part * m + i) * n + j, sum, n - j, p.parts_aligned);
    });
    if constexpr (kLeftSums) {
      if (sums_rows) {
        for_left_sums<T, Tile>(rows, [&](int row, T sum) {
          if (row0 + row < m) p.left_parts[part * m + row0 + row] = sum;
        });
      }
    }
    if (p.tickets == nullptr || !last_block(static_cast<unsigned>(p.splits), p.tickets + tile)) return;
  }
  for_results<T, Tile>(sums, [&](int row, int column, Four<T> sum) {
    const int64_t i = row0 + row, j = column0 + column;
    if (i >= m || j >= n) return;
    const int64_t at = i * n + j, count = n - j;
    if (p.parts) sum = add_four(p.parts + at, p.splits, m * n, count, p.parts_aligned);
    Four<T> result;
#pragma unroll
    for (int l = 0; l < 4; ++l) {
      T value = p.alpha * sum.v[l];
      if (l < count) {
        if (p.bias) value += p.bias[j + l];
        if (p.beta != T(0)) value += p.beta * p.c[at + l];
      }
      result.v[l] = value;
    }
    store_finished<true>(p.c, p.finish, at, result, count, p.aligned);
  });
  if constexpr (kLeftSums) {
    if (!sums_rows) return;
    for_left_sums<T, Tile>(rows, [&](int row, T sum) {
      const int64_t i = row0 + row;
      if (i >= m) return;
      if (p.parts) {
        sum = 0;
        for (int64_t each = 0; each < p.splits; ++each) sum += p.left_parts[each * m + i];
      }
      p.left_sums[i] = sum;
    });
  }
}

/// One block per tile and part.
template <class T, class Tile, bool kLeftSums>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kResident) gemm_kernel(Problem<T> problem) {
  begin_kernel();
  product_block<T, Tile, kLeftSums>(problem, blockIdx.x, blockIdx.y);
}

template <class T>
struct Pair {
  Problem<T> problem[2];
  int64_t tiles[2];
  int64_t blocks_of_first;
};

/// The blocks of one product behind those of another.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kResident)
    gemm_pair_kernel(const __grid_constant__ Pair<T> pair) {
  begin_kernel();
  const int which = blockIdx.x < pair.blocks_of_first ? 0 : 1;
  const int64_t block = blockIdx.x - which * pair.blocks_of_first;
  product_block<T, Tile, true>(pair.problem[which], block % pair.tiles[which], block / pair.tiles[which]);
}

/// One block per tile and product of the batch.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads, Tile::kResident)
    gemm_batched_kernel(Operand<T> left, Operand<T> right, int64_t stride_left, int64_t stride_right,
                        int64_t k, T* c, bool aligned) {
  begin_kernel();
  const int64_t m = left.outer, n = right.outer, across = ceil_div(n, Tile::kSide);
  const int64_t row0 = blockIdx.x / across * Tile::kSide, column0 = blockIdx.x % across * Tile::kSide;
  left.p += blockIdx.y * stride_left;
  right.p += blockIdx.y * stride_right;
  c += blockIdx.y * m * n;
  typename Tile::Sums sums;
  NoLeftSums rows;
  OperandTile<T, Tile> lefts(left, row0, 0), rights(right, column0, 0);
  multiply_tile<T, Tile>(lefts, rights, 0, k, sums, rows);
  for_results<T, Tile>(sums, [&](int row, int column, const Four<T>& sum) {
    const int64_t i = row0 + row, j = column0 + column;
    if (i < m && j < n) store_some(c + i * n + j, sum, n - j, aligned);
  });
}

constexpr int kBlock = 256;

template <class T>
__global__ void __launch_bounds__(kBlock)
    add_parts_kernel(int64_t count, Divisor columns, int64_t parts, const T* values, T alpha, const T* bias,
                     T beta, T* c) {
  begin_kernel();
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

template <class T>
Operand<T> operand(const T* p, bool along_k, int64_t outer, int64_t k) {
  return {p, outer, along_k ? k : 1, along_k ? 1 : outer, along_k, wide(p, along_k ? k : outer)};
}

/// The workspace and tickets are those of a product that is cut along k.
template <class T>
Problem<T> problem_of(const Cut& cut, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha,
                      const T* a, const T* b, T beta, const T* bias, T* c, void* workspace, unsigned* tickets,
                      const Finish<T>& finish, T* left_sums) {
  const bool parted = cut.splits > 1;
  DUEL_CHECK(!parted || workspace != nullptr, "gemm", "expected a workspace of {} bytes, got a null pointer",
             cut.splits * m * n * static_cast<int64_t>(sizeof(T)));
  T* const parts = parted ? static_cast<T*>(workspace) : nullptr;
  return {operand(a, !trans_a, m, k),
          operand(b, trans_b, n, k),
          k,
          cut.depth,
          cut.splits,
          alpha,
          beta,
          bias,
          c,
          parts,
          parted ? parts + cut.splits * m * n : nullptr,
          parted ? tickets : nullptr,
          wide<T>(c, n) && wide<T>(finish.slope_at, n) && wide<T>(finish.value, n),
          wide<T>(parts, n),
          finish,
          left_sums};
}

template <class T, class Tile>
void start(Stream stream, const Problem<T>& problem) {
  const int64_t tiles =
      ceil_div(problem.left.outer, Tile::kSide) * ceil_div(problem.right.outer, Tile::kSide);
  launch(problem.left_sums ? gemm_kernel<T, Tile, true> : gemm_kernel<T, Tile, false>,
         dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(problem.splits)), dim3(Tile::kThreads), 0,
         stream, problem);
}

#endif

}  // namespace

template <class T>
void add_parts(Stream stream, int64_t rows, int64_t columns, int64_t parts, const T* values, T alpha,
               const T* bias, T beta, T* c) {
#if DUEL_DEVICE_CODE
  const int64_t count = rows * columns, blocks = ceil_div(count, kBlock);
  launch(add_parts_kernel<T>, dim3(static_cast<unsigned>(blocks < 4096 ? blocks : 4096)), dim3(kBlock), 0,
         stream, count, Divisor(columns), parts, values, alpha, bias, beta, c);
#else
  (void)stream, (void)rows, (void)columns, (void)parts, (void)values, (void)alpha, (void)bias, (void)beta,
      (void)c;
  fail("gemm", "expected a host stream: no CUDA kernel in this build");
#endif
}

template <class T>
size_t gemm_workspace(int64_t m, int64_t n, int64_t k, bool left_sums) {
  const Cut cut = cut_product<T>(m, n, k, true);
  return cut.splits > 1 ? static_cast<size_t>(cut.splits * m * (n + (left_sums ? 1 : 0))) * sizeof(T) : 0;
}

template <class T>
bool gemm(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          const T* b, T beta, const T* bias, T* c, void* workspace, const Finish<T>& finish, T* left_sums) {
  return gemm_by(cut_product<T>(m, n, k, true), stream, trans_a, trans_b, m, n, k, alpha, a, b, beta, bias, c,
                 workspace, finish, left_sums);
}

template <class T>
bool gemm_by(const Cut& cut, Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
             T alpha, const T* a, const T* b, T beta, const T* bias, T* c, void* workspace,
             const Finish<T>& finish, T* left_sums) {
#if DUEL_DEVICE_CODE
  T* const results = c ? c : finish.value;
  if (k == 0) {
    add_parts<T>(stream, m, n, 0, nullptr, alpha, bias, beta, results);
    return false;
  }
  DUEL_CHECK(cut.tiles(m, n) < (int64_t{1} << 31), "gemm",
             "expected fewer results for one launch, got {} x {}", m, n);
  Problem<T> problem = problem_of(cut, trans_a, trans_b, m, n, k, alpha, a, b, beta, bias, c, workspace,
                                  tickets_for(stream, cut.tiles(m, n)), finish, left_sums);
  const bool whole = problem.parts == nullptr || problem.tickets != nullptr;
  if (!whole) problem.finish = {}, problem.left_sums = nullptr;
  with_tile<T>(cut, [&](auto tile) { start<T, decltype(tile)>(stream, problem); });
  if (!whole) add_parts<T>(stream, m, n, cut.splits, problem.parts, alpha, bias, beta, results);
  return whole;
#else
  (void)cut, (void)stream, (void)trans_a, (void)trans_b, (void)m, (void)n, (void)k, (void)alpha, (void)a,
      (void)b, (void)beta;
  (void)bias, (void)c, (void)workspace, (void)finish, (void)left_sums;
  fail("gemm", "expected a host stream: no CUDA kernel in this build");
#endif
}

template <class T>
bool gemm_pairs(Stream stream, const PairedShape& one, const PairedShape& other) {
#if DUEL_DEVICE_CODE
  int64_t parted = 0;
  int tile[2] = {};
  for (const PairedShape* shape : {&one, &other}) {
    if (shape->m <= 0 || shape->n <= 0 || shape->k <= 0) return false;
    const Cut cut = cut_product<T>(shape->m, shape->n, shape->k, true);
    tile[shape == &other ? 1 : 0] = cut.tile;
    if (cut.splits > 1) parted += cut.tiles(shape->m, shape->n);
  }
  // Two of the largest tiles do not share a multiprocessor's registers well.
  return tile[0] == tile[1] && tile[0] < 128 && (parted == 0 || tickets_for(stream, parted) != nullptr);
#else
  (void)stream, (void)one, (void)other;
  return false;
#endif
}

template <class T>
void gemm_pair(Stream stream, const PairedProduct<T>& one, const PairedProduct<T>& other) {
#if DUEL_DEVICE_CODE
  Pair<T> pair;
  int64_t parted = 0, blocks = 0;
  Cut cut;
  for (const PairedProduct<T>* p : {&one, &other}) {
    const int which = p == &other ? 1 : 0;
    cut = cut_product<T>(p->m, p->n, p->k, true);
    pair.tiles[which] = cut.tiles(p->m, p->n);
    unsigned* const tickets = stream.tickets() ? stream.tickets() + parted : nullptr;
    pair.problem[which] = problem_of<T>(cut, p->trans_a, p->trans_b, p->m, p->n, p->k, T(1), p->a, p->b, T(0),
                                        nullptr, p->c, p->workspace, tickets, p->finish, p->left_sums);
    if (cut.splits > 1) parted += pair.tiles[which];
    if (which == 0) pair.blocks_of_first = pair.tiles[0] * cut.splits;
    blocks += pair.tiles[which] * cut.splits;
  }
  with_tile<T>(cut, [&](auto tile) {
    using Tile = decltype(tile);
    if constexpr (Tile::kSide < 128) {  // gemm_pairs() says no to others
      launch(gemm_pair_kernel<T, Tile>, dim3(static_cast<unsigned>(blocks)), dim3(Tile::kThreads), 0, stream,
             pair);
    }
  });
#else
  (void)stream, (void)one, (void)other;
  fail("gemm_pair", "expected a host stream: no CUDA kernel in this build");
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
  gemm_batched_by(cut_product<T>(m, n, k, false, batch), stream, trans_a, trans_b, batch, m, n, k, a,
                  stride_a, b, stride_b, c);
}

template <class T>
void gemm_batched_by(const Cut& cut, Stream stream, bool trans_a, bool trans_b, int64_t batch, int64_t m,
                     int64_t n, int64_t k, const T* a, int64_t stride_a, const T* b, int64_t stride_b, T* c) {
#if DUEL_DEVICE_CODE
  if (k == 0) return add_parts<T>(stream, batch * m, n, 0, nullptr, T(1), nullptr, T(0), c);
  const Operand<T> left = operand(a, !trans_a, m, k), right = operand(b, trans_b, n, k);
  with_tile<T>(cut, [&](auto tile) {
    start_batch<T, decltype(tile)>(stream, batch, left, stride_a, right, stride_b, k, c);
  });
#else
  (void)cut, (void)stream, (void)trans_a, (void)trans_b, (void)batch, (void)m, (void)n, (void)k, (void)a;
  (void)stride_a, (void)b, (void)stride_b, (void)c;
  fail("gemm_batched", "expected a host stream: no CUDA kernel in this build");
#endif
}

#define DUEL_INSTANTIATE(T)                                                                                  \
  template void add_parts<T>(Stream, int64_t, int64_t, int64_t, const T*, T, const T*, T, T*);               \
  template size_t gemm_workspace<T>(int64_t, int64_t, int64_t, bool);                                        \
  template bool gemm<T>(Stream, bool, bool, int64_t, int64_t, int64_t, T, const T*, const T*, T, const T*,   \
                        T*, void*, const Finish<T>&, T*);                                                    \
  template bool gemm_by<T>(const Cut&, Stream, bool, bool, int64_t, int64_t, int64_t, T, const T*, const T*, \
                           T, const T*, T*, void*, const Finish<T>&, T*);                                    \
  template bool gemm_pairs<T>(Stream, const PairedShape&, const PairedShape&);                               \
  template void gemm_pair<T>(Stream, const PairedProduct<T>&, const PairedProduct<T>&);                      \
  template void gemm_batched<T>(Stream, bool, bool, int64_t, int64_t, int64_t, int64_t, const T*, int64_t,   \
                                const T*, int64_t, T*);                                                      \
  template void gemm_batched_by<T>(const Cut&, Stream, bool, bool, int64_t, int64_t, int64_t, int64_t,       \
                                   const T*, int64_t, const T*, int64_t, T*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels::device
