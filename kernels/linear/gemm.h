// Matrix products.
//
// Row-major, contiguous: op(a) is [m, k], op(b) is [k, n], c is [m, n]; a transposed operand is stored the
// other way round, [k, m] or [n, k]. float and double, on the host and on a device; in a build without CUDA a
// device stream is an Error. On a GPU floats are multiplied as TF32 unless that is switched off:
// kernels/linear/device_library.h, which also says which library computes. The bits do not depend on the
// number of threads. m, n and k may be 0 or 1 (k == 0 gives beta * c, or the bias). c must not overlap a or
// b.
//
// The workspace is the caller's: gemm_workspace() bytes, aligned to 64; may be null where that is 0. What else may be done
// with results before they are stored: finish.h.
//
// Example: y[64, 256] = x[64, 784] w[256, 784]^T + bias[256]
//   gemm_bias<float>(stream, false, true, 64, 256, 784, x, w, bias, y, workspace);
#pragma once

#include "duel/kernels/base/platform.h"
#include "duel/kernels/map/finish.h"

namespace duel::kernels {

/// Bytes of workspace for gemm() and gemm_bias() of this shape on this stream; the same for any number of
/// threads. `left_sums`: those are wanted too.
template <class T>
size_t gemm_workspace(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, Stream stream = {},
                      bool left_sums = false);

/// c = alpha * op(a) op(b) + beta * c. With beta == 0 the old c is not read (it may be NaN). With left_sums also
/// left_sums[row] = the sum over k of row `row` of op(a): where c is the gradient of a weight, that of its bias
/// (own device kernels add in the order of k).
template <class T>
void gemm(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          const T* b, T beta, T* c, void* workspace, const Finish<T>& finish = {}, T* left_sums = nullptr);

/// c = op(a) op(b) + bias, bias[n] added to every row; a null bias adds nothing.
template <class T>
void gemm_bias(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const T* a,
               const T* b, const T* bias, T* c, void* workspace, const Finish<T>& finish = {});

struct PairedShape {
  int64_t m = 0, n = 0, k = 0;
};
/// One of the two of gemm_pair(): gemm() with alpha 1 and beta 0. `workspace` is its own.
template <class T>
struct PairedProduct : PairedShape {
  bool trans_a = false, trans_b = false;
  const T* a = nullptr;
  const T* b = nullptr;
  T* c = nullptr;
  void* workspace = nullptr;
  Finish<T> finish = {};
  T* left_sums = nullptr;
};

/// Whether gemm_pair() of such shapes is one launch on this stream: where own device kernels compute both, by tiles of one
/// size.
template <class T>
bool gemm_pairs(Stream stream, const PairedShape& one, const PairedShape& other);

/// Two products of which neither needs the other's, in one launch or one after the other: the bits of gemm().
template <class T>
void gemm_pair(Stream stream, const PairedProduct<T>& one, const PairedProduct<T>& other);

/// Bytes of workspace for gemm_batched().
template <class T>
size_t gemm_batched_workspace(bool trans_a, bool trans_b, int64_t batch, int64_t m, int64_t n, int64_t k,
                              Stream stream = {});

/// c[i] = op(a[i]) op(b[i]) for i < batch: products that lie side by side in c, their operands stride_a and stride_b
/// elements apart (0: one for all). On a device one launch of own kernels.
template <class T>
void gemm_batched(Stream stream, bool trans_a, bool trans_b, int64_t batch, int64_t m, int64_t n, int64_t k,
                  const T* a, int64_t stride_a, const T* b, int64_t stride_b, T* c, void* workspace);

}  // namespace duel::kernels
