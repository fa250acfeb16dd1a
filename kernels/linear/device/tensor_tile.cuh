// The matrix product of gemm_tile.cuh by tensor cores, for float factors that may be rounded to TF32. Internal: gemm_device.cu
// and conv_device.cu.
//
// A warp has groups of 8 kPer x 8 kPer results, and of 16 steps of k one access of 16 bytes per row or column. Sums stay
// float, 16 steps at a time in ascending k; in which order the unit adds those is its own. The same bits on every run of a GPU.
//
// Note [Lanes and rows]
// Which row of an instruction's factor stands for which row of the tile is free, as long as results are put where they belong;
// so is the order of the steps, where both factors agree. Lane 4 g + t has the rows kPer g, kPer g + 1, … of a group, the
// columns kPer g, …, and the steps 4 t to 4 t + 3 of 16: neighbours in memory, whichever way the operand lies. Its results lie
// in the rows kPer g, … and the columns 2 kPer t, …: groups of four, as other tiles have.
//
// Note [Shared memory without conflicts]
// An operand that lies along k is a row of 16 words per row of the tile, where the rows g of a group lie side by side; one that
// lies along rows or columns is a row of kSide words per step, whose groups of four are exchanged by the step. In both, the lanes
// that are served at once meet all 32 banks when 16 bytes arrive, when a convolution's right factor is gathered, either way, or
// an input gradient's left one where taps come back, and when factors are read. Other copies of 4 bytes, from unaligned operands
// and of input gradients whose taps do not come back, meet each bank four times.
#pragma once

#include "duel/kernels/linear/device/gemm_tile.cuh"

namespace duel::kernels::device {

#if DUEL_DEVICE_CODE

/// kPer: rows and columns of a lane in a group, 2 or 4; kGroups: groups that a warp has, one below the other; kStages: steps
/// that are on their way or in use.
template <int kSide_, int kPer_, int kGroups_, int kStages_>
struct TensorTile {
  static constexpr bool kTensor = true;
  static constexpr int kSide = kSide_, kPer = kPer_, kGroups = kGroups_, kStages = kStages_;
  static constexpr int kGroup = 8 * kPer;
  static constexpr int kAcross = kSide / kGroup, kDown = kAcross / kGroups;  // warps
  static constexpr int kThreads = 32 * kAcross * kDown;
  static constexpr int kResident = kSide == 128 ? 1 : kSide == 64 ? 3 : 6;  // blocks, for ptxas
  static constexpr int kLoads = kSide * kDepth / 4 / kThreads;
  static constexpr int kWords = kSide * kDepth;  // of shared memory, of an operand and step
  static_assert(kLoads * kThreads * 4 == kWords);
  static_assert(kPer == 2 || kPer == 4);
  static_assert(2 * kStages * kWords * sizeof(float) <= 48 * 1024 - 64);  // beside what last_block() keeps

  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
  static __device__ __forceinline__ int warp() { return static_cast<int>(threadIdx.x) / 32; }
  /// Where the warp's results begin.
  static __device__ __forceinline__ int row() { return warp() / kAcross * kGroups * kGroup; }
  static __device__ __forceinline__ int column() { return warp() % kAcross * kGroup; }

  /// Of a lane: [group][fragment of 16 rows][fragment of 8 columns][as the instruction has them].
  struct Sums {
    float of[kGroups][kPer / 2][kPer][4] = {};
  };
};
using SmallTensor = TensorTile<32, 2, 1, 4>;
using MediumTensor = TensorTile<64, 4, 1, 4>;
using LargeTensor = TensorTile<128, 4, 2, 2>;

/// Which four elements a thread copies in its i-th load, of an operand along k: Note [Shared memory without conflicts]. Along
/// rows or columns they are those of other tiles.
template <class Tile>
requires(Tile::kTensor) struct AlongDepth<Tile> {
  static __device__ __forceinline__ int slot(int i) {
    return (static_cast<int>(threadIdx.x) + i * Tile::kThreads) / (kDepth / 4);
  }
  static __device__ __forceinline__ int outer(int i) {
    const int within = slot(i) % Tile::kGroup;
    return slot(i) - within + within % 8 * Tile::kPer + within / 8;
  }
  static __device__ __forceinline__ int depth(int i) {
    return (static_cast<int>(threadIdx.x) + i * Tile::kThreads) % (kDepth / 4) * 4;
  }
};

/// Ways to gather: Note [Shared memory without conflicts]. The lanes of the first eight take their four columns in order, the next
/// eight begin with the second, …
template <class Tile>
requires(Tile::kTensor) struct FourColumns<Tile> {
  static constexpr int kColumns = 4, kSteps = Tile::kLoads;
  static __device__ __forceinline__ int column(int j) {
    return AlongOuter<Tile>::outer() + (j + Tile::lane() / 8) % 4;
  }
  static __device__ __forceinline__ int step(int i) { return AlongOuter<Tile>::depth(i); }
};
/// A warp takes 32 neighbours of one step: fewer lines of memory, and more steps to a thread.
template <class Tile>
struct Neighbours {
  static constexpr int kColumns = Tile::kSide / 32, kSteps = kDepth * 32 / Tile::kThreads;
  static __device__ __forceinline__ int column(int j) { return Tile::lane() + 32 * j; }
  static __device__ __forceinline__ int step(int i) { return Tile::warp() + i * (Tile::kThreads / 32); }
};

/// By what groups of four are exchanged in the row of a step.
__device__ __forceinline__ int exchange(int step) { return step / 4 % 4 * 2; }

/// Takes what an operand's visit() names and copies it to a stage.
template <class Tile>
struct Copies {
  float* stage;
  bool along_depth;
  __device__ __forceinline__ float* place(int i) const {
    using Depth = AlongDepth<Tile>;
    using Outer = AlongOuter<Tile>;
    return along_depth ? stage + Depth::slot(i) * kDepth + Depth::depth(i)
                       : of_step(Outer::depth(i), Outer::outer());
  }
  __device__ __forceinline__ float* of_step(int step, int column) const {
    return stage + step * Tile::kSide + ((column / 4) ^ exchange(step)) * 4 + column % 4;
  }
  __device__ __forceinline__ void four(int i, const float* from, bool exist) {
    copy_async<16>(place(i), from, exist);
  }
  __device__ __forceinline__ void one(int i, int j, const float* from, bool exists) {
    copy_async<4>(place(i) + j, from, exists);
  }
  template <class Mine>
  __device__ __forceinline__ void gathered(int i, int j, const float* from, bool exists) {
    copy_async<4>(of_step(Mine::step(i), Mine::column(j)), from, exists);
  }
};

/// v[c][r]: row (or column) `first` + kPer g + r of the tile in step 4 t + c.
template <class Tile>
__device__ __forceinline__ void read_lane(const float* stage, bool along_depth, int first,
                                          float (&v)[4][Tile::kPer]) {
  constexpr int kPer = Tile::kPer;
  const int g = Tile::lane() / 4, t = Tile::lane() % 4;
  if (along_depth) {
#pragma unroll
    for (int r = 0; r < kPer; ++r) {
      const Four<float> steps = load_four(stage + (first + 8 * r + g) * kDepth + 4 * t);
#pragma unroll
      for (int c = 0; c < 4; ++c) v[c][r] = steps.v[c];
    }
  } else {
    const int column = first + kPer * g;
    const float* from = stage + 4 * t * Tile::kSide + ((column / 4) ^ exchange(4 * t)) * 4 + column % 4;
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      if constexpr (kPer == 4) {
        const Four<float> rows = load_four(from + c * Tile::kSide);
#pragma unroll
        for (int r = 0; r < 4; ++r) v[c][r] = rows.v[r];
      } else {
        const float2 rows = *reinterpret_cast<const float2*>(from + c * Tile::kSide);
        v[c][0] = rows.x, v[c][1] = rows.y;
      }
    }
  }
}

template <class Tile>
__device__ __forceinline__ void round_lane(const float (&v)[4][Tile::kPer],
                                           unsigned (&rounded)[4][Tile::kPer]) {
#pragma unroll
  for (int c = 0; c < 4; ++c) {
#pragma unroll
    for (int r = 0; r < Tile::kPer; ++r) rounded[c][r] = to_tf32(v[c][r]);
  }
}

/// multiply_tile() of gemm_tile.cuh.
template <class T, class Tile, class Left, class Right, class Rows>
requires(Tile::kTensor) __device__ __forceinline__
    void multiply_tile(Left& left, Right& right, int64_t begin, int64_t end, typename Tile::Sums& sums,
                       Rows& rows) {
  constexpr int kPer = Tile::kPer, kStages = Tile::kStages, kWords = Tile::kWords;
  alignas(16) __shared__ float lefts[kStages][kWords];
  alignas(16) __shared__ float rights[kStages][kWords];
  const int row = Tile::row(), column = Tile::column();
  sums = {};
  const auto start = [&](int64_t k, int stage) {
    if (k < end) {
      left.visit(k, end, Copies<Tile>{lefts[stage], left.along_depth()});
      right.visit(k, end, Copies<Tile>{rights[stage], right.along_depth()});
    }
    end_group_of_copies();  // also without copies: their number says which are done
  };
#pragma unroll
  for (int stage = 0; stage < kStages - 1; ++stage) start(begin + stage * kDepth, stage);
  int now = 0;
  for (int64_t k = begin; k < end; k += kDepth) {
    wait_for_copies<kStages - 2>();
    __syncthreads();  // all have arrived; also: everyone is done with the stage that is filled next
    start(k + (kStages - 1) * kDepth, now == 0 ? kStages - 1 : now - 1);
    float b[4][kPer];
    read_lane<Tile>(rights[now], right.along_depth(), column, b);
    unsigned right_factors[4][kPer];
    round_lane<Tile>(b, right_factors);
#pragma unroll
    for (int group = 0; group < Tile::kGroups; ++group) {
      float a[4][kPer];
      read_lane<Tile>(lefts[now], left.along_depth(), row + group * Tile::kGroup, a);
      rows.add(group, a);
      unsigned left_factors[4][kPer];
      round_lane<Tile>(a, left_factors);
#pragma unroll
      for (int half = 0; half < 4; half += 2) {
#pragma unroll
        for (int m = 0; m < kPer / 2; ++m) {
          const unsigned l[4] = {left_factors[half][2 * m], left_factors[half][2 * m + 1],
                                 left_factors[half + 1][2 * m], left_factors[half + 1][2 * m + 1]};
#pragma unroll
          for (int n = 0; n < kPer; ++n) {
            const unsigned r[2] = {right_factors[half][n], right_factors[half + 1][n]};
            multiply_add_tf32(sums.of[group][m][n], l, r);
          }
        }
      }
    }
    now = now == kStages - 1 ? 0 : now + 1;
  }
}

/// LeftSums of gemm_tile.cuh, by lanes.
template <class T, class Tile>
requires(Tile::kTensor) struct LeftSums<T, Tile> {
  float of[Tile::kGroups][Tile::kPer] = {};
  __device__ __forceinline__ void add(int group, const float (&a)[4][Tile::kPer]) {
#pragma unroll
    for (int c = 0; c < 4; ++c) {
#pragma unroll
      for (int r = 0; r < Tile::kPer; ++r) of[group][r] += a[c][r];
    }
  }
};

template <class T, class Tile, class Write>
requires(Tile::kTensor) __device__ __forceinline__
    void for_left_sums(const LeftSums<T, Tile>& rows, Write write) {
  const int row = Tile::row() + Tile::lane() / 4 * Tile::kPer;
#pragma unroll
  for (int group = 0; group < Tile::kGroups; ++group) {
#pragma unroll
    for (int r = 0; r < Tile::kPer; ++r) {
      float sum = rows.of[group][r];
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
      sum += __shfl_xor_sync(0xffffffffu, sum, 2);
      if (Tile::lane() % 4 == 0 && Tile::column() == 0) write(row + group * Tile::kGroup + r, sum);
    }
  }
}

template <class T, class Tile, class Write>
requires(Tile::kTensor) __device__ __forceinline__
    void for_results(const typename Tile::Sums& sums, Write write) {
  constexpr int kPer = Tile::kPer;
  const int row = Tile::row() + Tile::lane() / 4 * kPer,
            column = Tile::column() + Tile::lane() % 4 * 2 * kPer;
#pragma unroll
  for (int group = 0; group < Tile::kGroups; ++group) {
#pragma unroll
    for (int r = 0; r < kPer; ++r) {
#pragma unroll
      for (int q = 0; q < 2 * kPer; q += 4) {
        Four<float> result;
#pragma unroll
        for (int j = 0; j < 4; ++j)
          result.v[j] = sums.of[group][r / 2][(q + j) % kPer][r % 2 * 2 + (q + j) / kPer];
        write(row + group * Tile::kGroup + r, column + q, result);
      }
    }
  }
}

/// Calls start(tile type) for the tile of a cut.
template <class T, class F>
void with_tile(const Cut& cut, F start) {
  if constexpr (sizeof(T) == 4) {
    if (cut.tensor) {
      if (cut.tile == 32) return start(SmallTensor());
      if (cut.tile == 64) return start(MediumTensor());
      return start(LargeTensor());
    }
    if (cut.tile == 128) return start(Large<T>());
  }
  if (cut.tile == 32) return start(Small<T>());
  start(Medium<T>());
}

#endif

}  // namespace duel::kernels::device
