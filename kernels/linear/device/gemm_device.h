// The device side of kernels/linear/gemm.h in own kernels; internal. What cuBLAS does not do, or where it is
// not installed. Sizes arrive checked and not 0; only k may be 0.
//
// Note [Fixed splits]
// A product with few results and a long sum is cut along k into `splits` parts, whose number depends on the
// shape alone. Every part writes its sums to the workspace, [part][row][column], and the block that is through last
// (Note [Tickets]), or a second kernel, adds them in the order of the parts: the same bits on every run, and without tensor
// cores (whose sums are each GPU's own) on every device.
#pragma once

#include "duel/kernels/linear/device_library.h"
#include "duel/kernels/linear/gemm.h"
#include "duel/kernels/map/finish.h"

namespace duel::kernels::device {

inline constexpr int kDepth = 16;  // steps of k between two barriers

DUEL_HD constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// How a product is cut, by its shape alone, and by what it is computed.
struct Cut {
  int tile = 32;        // rows and columns of a block: 32, 64 or 128
  int64_t splits = 1;   // parts along k
  int64_t depth = 0;    // steps of one part, a multiple of kDepth
  bool tensor = false;  // by tensor cores, factors rounded to TF32; float alone
  int64_t tiles(int64_t rows, int64_t columns) const {
    return ceil_div(rows, tile) * ceil_div(columns, tile);
  }
};

/// The largest tile that still gives nearly every multiprocessor of a large GPU a block; where not even the smallest does,
/// parts along k, each of 128 steps or more. `may_split`: the caller has a workspace for the parts. `batch`: products of the
/// shape in one launch.
template <class T>
Cut cut_product(int64_t rows, int64_t columns, int64_t k, bool may_split, int64_t batch = 1) {
  constexpr int64_t kBlocks = 132, kEnough = 112, kShortest = 128, kMostSplits = 64;
  Cut cut;
  for (int tile : {64, 128}) {
    if (tile == 128 && sizeof(T) == 8) break;  // too many registers
    const bool filled = rows > tile / 2 && columns > tile / 2;
    if (filled && batch * ceil_div(rows, tile) * ceil_div(columns, tile) >= kEnough) cut.tile = tile;
  }
  if (may_split) {
    const int64_t wanted = 2 * kBlocks / (batch * cut.tiles(rows, columns));
    const int64_t most = wanted < kMostSplits ? wanted : kMostSplits;
    const int64_t worth = k / kShortest < most ? k / kShortest : most;
    cut.splits = worth > 1 ? worth : 1;
  }
  cut.tensor = sizeof(T) == 4 && tf32() && tensor_cores();
  cut.depth = ceil_div(ceil_div(k, cut.splits), kDepth) * kDepth;
  cut.splits = cut.depth > 0 ? ceil_div(k, cut.depth) : 1;
  return cut;
}

/// Bytes for the parts of a product that is cut along k; 0 for most shapes.
template <class T>
size_t gemm_workspace(int64_t m, int64_t n, int64_t k, bool left_sums);

/// c = alpha * op(a) op(b) + bias + beta * c; bias[n] may be null. Was `finish` done as well? False where several launches
/// were needed, and the caller's finish_results() has to follow (results are in finish.value where c is null).
template <class T>
[[nodiscard]] bool gemm(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha,
                        const T* a, const T* b, T beta, const T* bias, T* c, void* workspace,
                        const Finish<T>& finish, T* left_sums = nullptr);

/// The same by a given cut: the tests run every tile on small shapes. The workspace holds splits * m * n
/// elements, with left_sums splits * m more.
template <class T>
[[nodiscard]] bool gemm_by(const Cut& cut, Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n,
                           int64_t k, T alpha, const T* a, const T* b, T beta, const T* bias, T* c,
                           void* workspace, const Finish<T>& finish, T* left_sums = nullptr);

/// kernels::gemm_pairs() and gemm_pair() of shapes that it is true of.
template <class T>
bool gemm_pairs(Stream stream, const PairedShape& one, const PairedShape& other);
template <class T>
void gemm_pair(Stream stream, const PairedProduct<T>& one, const PairedProduct<T>& other);

/// c[i] = op(a[i]) op(b[i]) for i < batch, operands stride_a and stride_b elements apart, results side by side.
template <class T>
void gemm_batched(Stream stream, bool trans_a, bool trans_b, int64_t batch, int64_t m, int64_t n, int64_t k,
                  const T* a, int64_t stride_a, const T* b, int64_t stride_b, T* c);

/// The same by the tile of a cut.
template <class T>
void gemm_batched_by(const Cut& cut, Stream stream, bool trans_a, bool trans_b, int64_t batch, int64_t m,
                     int64_t n, int64_t k, const T* a, int64_t stride_a, const T* b, int64_t stride_b, T* c);

/// c[rows, columns] = alpha * (parts[0] + parts[1] + …) + bias[column] + beta * c, each part [rows, columns];
/// without parts the sum is 0. bias may be null; c is not read where beta is 0. See Note [Fixed splits].
template <class T>
void add_parts(Stream stream, int64_t rows, int64_t columns, int64_t parts, const T* values, T alpha,
               const T* bias, T beta, T* c);

}  // namespace duel::kernels::device
