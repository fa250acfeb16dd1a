// Sums whose order depends on the length alone, for the .cu files of families that reduce.
//
// Note [Fixed lanes]
// On the host a sum runs in a fixed number of lanes (element i goes to lane i modulo the width) which are
// folded as a binary tree: it vectorises without -ffast-math, is more exact than one running sum, and has
// the same bits for any number of threads. On the device a block of fixed size sums with strides and folds
// by shuffles: the same bits on every run.
//
// Example (sum of squares and sum of one row):
//   LaneSums<2, float> sums;
//   sums.add(m, [&](int64_t i) { return Terms<2, float>{{x[i] * x[i], x[i]}}; });
//   const Terms<2, float> total = sums.fold();
#pragma once

#include "duel/kernels/base/platform.h"

// As DUEL_SIMD, for loops whose body has a struct: g++ makes such a struct an array over the iterations of an
// omp simd loop and then cannot take it apart.
#define DUEL_INDEPENDENT _Pragma("GCC ivdep")

namespace duel::kernels {

/// K numbers that are summed together.
template <int K, class T>
struct Terms {
  T v[K];
};

template <int K, class T>
class LaneSums {
 public:
  static constexpr int64_t kWidth = 256 / sizeof(T);

  /// Adds terms(0) … terms(n - 1); term i goes to lane i % kWidth.
  template <class F>
  void add(int64_t n, F terms) {
    int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) add_block(i, kWidth, terms);
    if (i < n) add_block(i, n - i, terms);
  }

  Terms<K, T> fold() const {
    Terms<K, T> out;
    for (int k = 0; k < K; ++k) {
      T folded[kWidth];
      for (int64_t l = 0; l < kWidth; ++l) folded[l] = lane_[k][l];
      for (int64_t width = kWidth / 2; width > 0; width /= 2) {
        for (int64_t l = 0; l < width; ++l) folded[l] += folded[l + width];
      }
      out.v[k] = folded[0];
    }
    return out;
  }

 private:
  template <class F>
  void add_block(int64_t at, int64_t width, F terms) {
    DUEL_INDEPENDENT
    for (int64_t l = 0; l < width; ++l) {
      const Terms<K, T> t = terms(at + l);
      for (int k = 0; k < K; ++k) lane_[k][l] += t.v[k];
    }
  }

  alignas(64) T lane_[K][kWidth] = {};
};

#if DUEL_DEVICE_CODE
inline constexpr int kSumBlock = 256;

/// Sums each of K values over a block of kBlock threads; every thread gets the totals. Every thread of the
/// block must come here.
template <int K, class T, int kBlock = kSumBlock>
__device__ Terms<K, T> block_sum(Terms<K, T> t) {
  constexpr int kWarps = kBlock / 32;
  __shared__ T partial[K][kWarps];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  for (int k = 0; k < K; ++k) {
    for (int offset = 16; offset > 0; offset /= 2) t.v[k] += __shfl_xor_sync(0xffffffffu, t.v[k], offset);
  }
  __syncthreads();  // the totals of an earlier call have been read
  if (lane == 0) {
    for (int k = 0; k < K; ++k) partial[k][warp] = t.v[k];
  }
  __syncthreads();
  for (int k = 0; k < K; ++k) {
    T total = 0;
    for (int w = 0; w < kWarps; ++w) total += partial[k][w];
    t.v[k] = total;
  }
  return t;
}

// Note [Tickets]
// Where a sum is cut into parts, each by a block of its own, the block that is through last adds the parts, in their
// order: one launch where a second one would only add, and the same bits whichever block is last. Who is last a counter
// says, one of the stream's kTickets. Kernels of a stream follow each other, and each leaves its counters at 0; other
// streams have others. (A captured graph uses those of the streams that it was captured on: core/device/graph.cpp
// replays none while others work on side streams.) A stream without (one that the caller made) gets the second launch.

/// Is this block the last of `blocks` that come here with this ticket? Then what the others wrote before is seen. Every
/// thread of the block must come here.
__device__ __forceinline__ bool last_block(unsigned blocks, unsigned* ticket) {
  __shared__ int last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(ticket, 1u) + 1 == blocks ? 1 : 0;
    if (last != 0) *ticket = 0;
  }
  __syncthreads();
  __threadfence();
  return last != 0;
}

/// For `sums` sums that are cut into parts; null where the stream has not as many tickets.
inline unsigned* tickets_for(Stream stream, int64_t sums) {
  return sums <= kTickets ? stream.tickets() : nullptr;
}

/// Adds terms(first), terms(first + stride), … below n for this thread.
template <int K, class T, class F>
__device__ Terms<K, T> strided_terms(int64_t first, int64_t n, int64_t stride, F terms) {
  Terms<K, T> sum{};
  for (int64_t i = first; i < n; i += stride) {
    const Terms<K, T> t = terms(i);
    for (int k = 0; k < K; ++k) sum.v[k] += t.v[k];
  }
  return sum;
}
#endif

}  // namespace duel::kernels
