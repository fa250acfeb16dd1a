// The one inner loop under every host matrix product and convolution.
//
// A tile is `rows` x `vectors * kLanes` results that stay in registers while the loop runs over the
// reduction: one element of the left operand is broadcast against `vectors` vectors of the right operand. The
// left operand is read where it lies (row-major, or transposed); the right one is a panel [steps][width],
// packed by the caller or the matrix itself. So packing is only ever needed on one side, and the caller
// chooses the cheaper one. Measured on Zen 4, one thread: 105-117 GFLOP/s of a peak of 115, for float.
//
// Internal to kernels/*.cpp. Every result is one chain of multiply-adds in the order of the steps.
#pragma once

#include <array>
#include <cstddef>

#include "duel/kernels/base/simd.h"

namespace duel::kernels {

#if defined(__AVX512F__)
inline constexpr int kTileRows = 14;  // 28 accumulators, 2 vectors of the right operand, 1-2 broadcasts
#elif defined(__AVX__)
inline constexpr int kTileRows = 6;
#else
inline constexpr int kTileRows = 4;
#endif
inline constexpr int kTileVectors = 2;

template <class T>
inline constexpr int64_t kPanel = kTileVectors* simd::kLanes<T>;  // columns of a full tile

/// out[r][c] = init[r][c] + sum over segments and steps of left * right[step][c].
template <class T>
struct TileArgs {
  int64_t steps = 0;     // of the reduction, in one segment
  int64_t segments = 1;  // the right panel runs on from segment to segment, the left operand jumps
  const T* a = nullptr;  // left: element (r, s) at a[r * a_ld + s], transposed at a[s * a_ld + r]
  int64_t a_ld = 0, a_segment = 0;
  const T* b = nullptr;  // right: element (s, c) at b[s * b_ld + c]
  int64_t b_ld = 0;
  const T* init = nullptr;  // row r at init + r * init_ld; init_ld == 0 repeats one row
  int64_t init_ld = 0;
  T* out = nullptr;  // may be init
  int64_t out_ld = 0;
};

template <class T, int kRows, int kVectors, bool kTransposed>
void tile(const TileArgs<T>& args) {
  using simd::Vec;
  constexpr int kLanes = simd::kLanes<T>;
  Vec<T> acc[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) acc[r][v] = simd::load(args.init + r * args.init_ld + v * kLanes);
  }
  const int64_t a_ld = args.a_ld, b_ld = args.b_ld;
  const T* b = args.b;
  for (int64_t segment = 0; segment < args.segments; ++segment) {
    const T* a = args.a + segment * args.a_segment;
    for (int64_t s = 0; s < args.steps; ++s) {
      Vec<T> right[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) right[v] = simd::load(b + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Vec<T> left = simd::broadcast(kTransposed ? a[r] : a[r * a_ld]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) acc[r][v] = simd::fma(left, right[v], acc[r][v]);
      }
      a += kTransposed ? a_ld : 1;
      b += b_ld;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) simd::store(args.out + r * args.out_ld + v * kLanes, acc[r][v]);
  }
}

template <class T>
using TileFn = void (*)(const TileArgs<T>&);

namespace detail {
template <class T, int kVectors, bool kTransposed, int... kRow>
constexpr std::array<TileFn<T>, sizeof...(kRow)> tile_table(std::integer_sequence<int, kRow...>) {
  return {&tile<T, kRow + 1, kVectors, kTransposed>...};
}
}  // namespace detail

/// The kernel for 1..kTileRows rows and 1..kTileVectors vectors.
template <class T>
TileFn<T> tile_kernel(int64_t rows, int64_t vectors, bool transposed);

/// Rows are cut into the fewest tiles, of nearly equal heights: tile t of `tiles` starts at row_cut(rows, t,
/// tiles).
constexpr int64_t row_tiles(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }
constexpr int64_t row_cut(int64_t rows, int64_t t, int64_t tiles) { return rows * t / tiles; }
/// The tile that a row is in.
constexpr int64_t row_tile(int64_t rows, int64_t row, int64_t tiles) {
  return ((row + 1) * tiles - 1) / rows;
}

/// Left rows [0, rows) of one tile, rows <= kTileRows, as the transposed left operand [steps][rows] with a_ld
/// = rows. For a left operand whose rows (or, transposed, steps) lie a multiple of some KB apart: they would
/// fall onto a few sets of the first-level cache and evict each other.
template <class T>
void pack_left(const T* a, int64_t a_ld, bool transposed, int64_t rows, int64_t steps, T* to);

/// Working memory of the calling thread for packed panels, aligned to 64.
///
/// Note [Thread scratch]
/// A panel is packed, used and forgotten within one range of parallel_for; giving each thread the same small
/// piece of memory again keeps it in that core's L2 cache, which a slice per range of the caller's workspace
/// would not.
inline constexpr size_t kScratchBytes = 576 * 1024;
void* thread_scratch();

/// As many zeros as the widest tile.
template <class T>
const T* zeros();

}  // namespace duel::kernels
