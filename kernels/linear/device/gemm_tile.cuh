// The register-blocked matrix product of the device kernels: out[row, column] = sum over k of left(row, k)
// right(k, column), for any two operands that can be read in groups of four. Internal: gemm_device.cu and
// conv_device.cu. The same by tensor cores: tensor_tile.cuh.
//
// An operand has visit(k, end, take), which names the elements that this thread fetches of the steps from k on, each group of
// four by take.four(i, from, exist) (16 bytes from an aligned address, or none of them) or four take.one(i, j, from, exists), or all of them by
// take.gathered<Mine>(i, j, from, exists) for the steps and columns of a Mine like FourColumns; it is called for every kDepth steps in turn, from the first on, so that addresses move on and are not computed anew. along_depth(): are the four
// neighbours along k?
//
// A block computes kSide x kSide results, kDepth steps at a time. The next step is on its way from memory
// into registers while this one is multiplied from shared memory; two shared buffers need one barrier per
// step. A thread holds groups of 4 x 4 results. Sums run in ascending k, by fused multiply-adds: the same
// bits on every run.
#pragma once

#include <cmath>

#include "duel/kernels/base/lanes.cuh"
#include "duel/kernels/linear/device/gemm_device.h"

namespace duel::kernels::device {

/// Can groups of four elements be read by 16-byte loads, when every offset is a multiple of `step` elements?
template <class T>
bool wide(const T* p, int64_t step) {
  constexpr int64_t kVector = 16 / sizeof(T);
  return reinterpret_cast<uintptr_t>(p) % 16 == 0 && step % kVector == 0;
}

#if DUEL_DEVICE_CODE

template <class T>
struct alignas(16) Four {
  T v[4];
};

/// Four elements from an address that is a multiple of 16 bytes.
template <class T>
__device__ __forceinline__ Four<T> load_four(const T* p) {
  if constexpr (sizeof(T) == 4) {
    const float4 x = *reinterpret_cast<const float4*>(p);
    return {{x.x, x.y, x.z, x.w}};
  } else {
    const double2 x = *reinterpret_cast<const double2*>(p), y = *reinterpret_cast<const double2*>(p + 2);
    return {{x.x, x.y, y.x, y.y}};
  }
}

template <class T>
__device__ __forceinline__ void store_four(T* p, const Four<T>& f) {
  if constexpr (sizeof(T) == 4) {
    *reinterpret_cast<float4*>(p) = make_float4(f.v[0], f.v[1], f.v[2], f.v[3]);
  } else {
    *reinterpret_cast<double2*>(p) = make_double2(f.v[0], f.v[1]);
    *reinterpret_cast<double2*>(p + 2) = make_double2(f.v[2], f.v[3]);
  }
}

/// How many of the kDepth steps from k on there are; less than 1 at the end.
__device__ __forceinline__ int steps_from(int64_t k, int64_t end) {
  return end - k < kDepth ? static_cast<int>(end - k) : kDepth;
}

/// A tile of kSide x kSide results by kSide * kSide / (16 * kGroups^2) threads, kGroups x kGroups groups of 4
/// x 4 each.
template <class T, int kSide_, int kGroups_>
struct Tile {
  static constexpr bool kTensor = false;
  static constexpr int kSide = kSide_, kGroups = kGroups_;
  static constexpr int kLine = kSide / (4 * kGroups);  // threads along a side
  static constexpr int kThreads = kLine * kLine;
  static constexpr int kResident = sizeof(T) == 8 || kSide == 128 ? 1
                                   : kSide == 64                  ? 3
                                                                  : 8;  // blocks, for ptxas
  static constexpr int kLoads =
      kSide * kDepth / 4 / kThreads;        // groups of four that a thread fetches, of each operand
  static constexpr int kPitch = kSide + 4;  // a multiple of 16 bytes
  static_assert(kLoads * kThreads * 4 == kSide * kDepth);
  struct Sums {
    Four<T> of[4 * kGroups][kGroups] = {};
  };
};
template <class T>
using Small = Tile<T, 32, 1>;
template <class T>
using Medium = Tile<T, 64, 1>;
template <class T>
using Large = Tile<T, 128, 2>;  // floats alone: too many registers

/// Which four elements a thread moves in its i-th load, for an operand whose neighbours in memory are
/// neighbours along k …
template <class Tile>
struct AlongDepth {
  static __device__ __forceinline__ int outer(int i) {
    return (static_cast<int>(threadIdx.x) + i * Tile::kThreads) / (kDepth / 4);
  }
  static __device__ __forceinline__ int depth(int i) {
    return (static_cast<int>(threadIdx.x) + i * Tile::kThreads) % (kDepth / 4) * 4;
  }
  template <class T>
  static __device__ __forceinline__ void place(T* shared, int i, const Four<T>& f) {
    for (int j = 0; j < 4; ++j) shared[(depth(i) + j) * Tile::kPitch + outer(i)] = f.v[j];
  }
};

/// … or along rows or columns. The outer index does not depend on i.
template <class Tile>
struct AlongOuter {
  static constexpr int kLine = Tile::kSide / 4;
  static_assert(Tile::kThreads % kLine == 0);
  static __device__ __forceinline__ int outer() { return static_cast<int>(threadIdx.x) % kLine * 4; }
  static __device__ __forceinline__ int depth(int i) {
    return static_cast<int>(threadIdx.x) / kLine + i * (Tile::kThreads / kLine);
  }
  template <class T>
  static __device__ __forceinline__ void place(T* shared, int i, const Four<T>& f) {
    store_four(shared + depth(i) * Tile::kPitch + outer(), f);
  }
};

/// Which elements a thread gathers one by one, for an operand whose neighbours lie along columns but are not read four at once:
/// kColumns of them in each of kSteps steps. Here those of AlongOuter.
template <class Tile>
struct FourColumns {
  static constexpr int kColumns = 4, kSteps = Tile::kLoads;
  static __device__ __forceinline__ int column(int j) { return AlongOuter<Tile>::outer() + j; }
  static __device__ __forceinline__ int step(int i) { return AlongOuter<Tile>::depth(i); }
};

/// Takes what an operand's visit() names into registers.
template <class T, class Tile>
struct Loads {
  Four<T> of[Tile::kLoads];
  __device__ __forceinline__ void four(int i, const T* from, bool exist) {
    of[i] = exist ? load_four(from) : Four<T>{};
  }
  __device__ __forceinline__ void one(int i, int j, const T* from, bool exists) {
    of[i].v[j] = exists ? *from : T(0);
  }
  template <class Mine>
  __device__ __forceinline__ void gathered(int i, int j, const T* from, bool exists) {
    one(i, j, from, exists);
  }
  __device__ __forceinline__ void place(T* shared, bool along_depth) const {
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      if (along_depth) {
        AlongDepth<Tile>::place(shared, i, of[i]);
      } else {
        AlongOuter<Tile>::place(shared, i, of[i]);
      }
    }
  }
};

/// Sums over k of the tile's rows of the left operand, each thread those of its rows: what a bias gets.
template <class T, class Tile>
struct LeftSums {
  Four<T> of[Tile::kGroups] = {};
  __device__ __forceinline__ void add(const Four<T> (&a)[Tile::kGroups]) {
#pragma unroll
    for (int i = 0; i < 4 * Tile::kGroups; ++i) of[i / 4].v[i % 4] += a[i / 4].v[i % 4];
  }
};
struct NoLeftSums {
  template <class... Any>
  __device__ __forceinline__ void add(const Any&...) {}
};

/// Sums over [begin, end) of k for the tile. `rows`: LeftSums or NoLeftSums.
template <class T, class Tile, class Left, class Right, class Rows>
requires(!Tile::kTensor) __device__ __forceinline__
    void multiply_tile(Left& left, Right& right, int64_t begin, int64_t end, typename Tile::Sums& sums,
                       Rows& rows) {
  constexpr int kGroups = Tile::kGroups, kSpan = Tile::kSide / kGroups, kPitch = Tile::kPitch;
  alignas(16) __shared__ T lefts[2][kDepth * kPitch];
  alignas(16) __shared__ T rights[2][kDepth * kPitch];
  const int row = static_cast<int>(threadIdx.x) / Tile::kLine * 4,
            column = static_cast<int>(threadIdx.x) % Tile::kLine * 4;
  sums = {};
  Loads<T, Tile> l, r;
  left.visit(begin, end, l);
  right.visit(begin, end, r);
  int now = 0;
  for (int64_t k = begin; k < end; k += kDepth, now ^= 1) {
    l.place(lefts[now], left.along_depth());
    r.place(rights[now], right.along_depth());
    __syncthreads();  // also: everyone is done with the other buffer, which the next step overwrites
    if (k + kDepth < end) {
      left.visit(k + kDepth, end, l);
      right.visit(k + kDepth, end, r);
    }
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      Four<T> a[kGroups], b[kGroups];
#pragma unroll
      for (int g = 0; g < kGroups; ++g) {
        a[g] = load_four(lefts[now] + d * kPitch + g * kSpan + row);
        b[g] = load_four(rights[now] + d * kPitch + g * kSpan + column);
      }
      rows.add(a);
#pragma unroll
      for (int i = 0; i < 4 * kGroups; ++i) {
#pragma unroll
        for (int j = 0; j < 4 * kGroups; ++j) {
          T& sum = sums.of[i][j / 4].v[j % 4];
          sum = std::fma(a[i / 4].v[i % 4], b[j / 4].v[j % 4], sum);
        }
      }
    }
  }
}

/// Calls write(row, sum) in the threads that hold the sums of the tile's rows.
template <class T, class Tile, class Write>
requires(!Tile::kTensor) __device__ __forceinline__
    void for_left_sums(const LeftSums<T, Tile>& rows, Write write) {
  constexpr int kSpan = Tile::kSide / Tile::kGroups;
  if (static_cast<int>(threadIdx.x) % Tile::kLine != 0) return;
#pragma unroll
  for (int i = 0; i < 4 * Tile::kGroups; ++i) {
    write(i / 4 * kSpan + static_cast<int>(threadIdx.x) / Tile::kLine * 4 + i % 4, rows.of[i / 4].v[i % 4]);
  }
}

/// Calls write(row, column, sums) for every group of four results of this thread; row and column count from
/// the tile's.
template <class T, class Tile, class Write>
requires(!Tile::kTensor) __device__ __forceinline__
    void for_results(const typename Tile::Sums& sums, Write write) {
  constexpr int kSpan = Tile::kSide / Tile::kGroups;
  const int row = static_cast<int>(threadIdx.x) / Tile::kLine * 4,
            column = static_cast<int>(threadIdx.x) % Tile::kLine * 4;
#pragma unroll
  for (int i = 0; i < 4 * Tile::kGroups; ++i) {
#pragma unroll
    for (int g = 0; g < Tile::kGroups; ++g)
      write(i / 4 * kSpan + row + i % 4, g * kSpan + column, sums.of[i][g]);
  }
}

/// Up to four elements side by side: `count` of them exist, the others are 0.
template <class T>
__device__ __forceinline__ Four<T> load_some(const T* from, int64_t count, bool aligned) {
  if (aligned && count >= 4) return load_four(from);
  Four<T> f{};
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (j < count) f.v[j] = from[j];
  }
  return f;
}

/// The sum of `parts` groups of four that lie `step` apart, in their order; `count` of each exist. They may have been
/// written by other blocks.
template <class T>
__device__ __forceinline__ Four<T> add_four(const T* from, int64_t parts, int64_t step, int64_t count,
                                            bool aligned) {
  Four<T> total{};
  for (int64_t p = 0; p < parts; ++p, from += step) {
    const Four<T> f = load_some(from, count, aligned);
#pragma unroll
    for (int j = 0; j < 4; ++j) total.v[j] += f.v[j];
  }
  return total;
}

/// f(r), or r f'(x), of four elements; kSmooth: as in Activation::visit.
template <bool kSmooth, class T>
__device__ __forceinline__ Four<T> values_of(const Activation& activation, Four<T> r) {
  activation.visit<kSmooth>([&](const auto& f) {
#pragma unroll
    for (int j = 0; j < 4; ++j) r.v[j] = f.value(r.v[j]);
  });
  return r;
}
template <bool kSmooth, class T>
__device__ __forceinline__ Four<T> times_slope(const Activation& activation, Four<T> r, const Four<T>& x) {
  activation.visit<kSmooth>([&](const auto& f) {
#pragma unroll
    for (int j = 0; j < 4; ++j) r.v[j] = r.v[j] * f.first(x.v[j]);
  });
  return r;
}

/// Up to four results side by side: `count` of them exist.
template <class T>
__device__ __forceinline__ void store_some(T* to, const Four<T>& f, int64_t count, bool aligned) {
  if (aligned && count >= 4) return store_four(to, f);
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (j < count) to[j] = f.v[j];
  }
}

/// Up to four results at offset `at` through `finish` into c and what else it names; `aligned`: all of those are.
template <bool kSmooth, class T>
__device__ __forceinline__ void store_finished(T* c, const Finish<T>& finish, int64_t at, Four<T> r,
                                               int64_t count, bool aligned) {
  if (finish.slope_at) r = times_slope<kSmooth>(finish.f, r, load_some(finish.slope_at + at, count, aligned));
  if (c) store_some(c + at, r, count, aligned);
  if (finish.value) store_some(finish.value + at, values_of<kSmooth>(finish.f, r), count, aligned);
}

#endif

}  // namespace duel::kernels::device
