// Inside of the normalisation family: the formulas, and the host's way through memory.
//
// Note [Tiles]
// The host works on tiles: one row, or neighbouring channels of a batch whose pixels are few. A tile is read
// in pieces of contiguous memory; column j of every piece belongs to the same row, so all passes are plain
// vector loops over columns: sums go into an array of columns that is folded at the end, and what a row needs
// is spread over the columns first. A tile's data stays in cache from the first pass to the last, so the
// whole operation costs one trip to memory. Tiles and pieces depend on the shape alone: same bits for any
// number of threads.
#pragma once

#include <cmath>
#include <type_traits>

#include "duel/kernels/base/lanes.cuh"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/reduce/normalize.h"

namespace duel::kernels::norm {

template <class T>
DUEL_HD T normalized(T x, T mean, T rstd) {
  return (x - mean) * rstd;
}

template <class T>
DUEL_HD T rstd_of(T var, T eps) {
  return T(1) / std::sqrt(var + eps);
}

/// Elements per row as a divisor; 1 for empty rows, whose sums are 0.
template <class T>
DUEL_HD T divisor(int64_t count) {
  return count > 0 ? static_cast<T>(count) : T(1);
}

template <class T>
DUEL_HD void update_running(const RunningStats<T>& running, int64_t channel, int64_t count, T mean, T var) {
  const T unbiased = count > 1 ? var * (static_cast<T>(count) / static_cast<T>(count - 1)) : var;
  running.mean[channel] = (T(1) - running.momentum) * running.mean[channel] + running.momentum * mean;
  running.var[channel] = (T(1) - running.momentum) * running.var[channel] + running.momentum * unbiased;
  if (channel == 0 && running.batches != nullptr) ++*running.batches;
}

/// dx of one element; qa, qb: the row's means of q and of q xhat.
template <class T>
struct Backward {
  T mean, rstd, qa, qb;
  DUEL_HD T operator()(T dy, T x, T gamma) const {
    return rstd * (gamma * dy - qa - normalized(x, mean, rstd) * qb);
  }
};

/// rstd P(v) of one element; va, vb: the row's means of v and of v xhat.
template <class T>
struct Projected {
  T mean, rstd, va, vb;
  DUEL_HD T operator()(T v, T x) const { return rstd * (v - va - normalized(x, mean, rstd) * vb); }
};

/// d_x of the double backward for one element, with the x-independent factors gathered once per row.
template <class T>
struct SecondInput {
  T mean, rstd, va, qa, ra, of_q, of_v, of_xhat;
  DUEL_HD T operator()(T dy, T x, T v, T gamma, T h) const {
    return rstd * (h * dy - ra) + of_q * (qa - gamma * dy) + of_v * (va - v) +
           of_xhat * normalized(x, mean, rstd);
  }
};

/// Row means of the double backward: q = gamma dy, v, q v, r = h dy, each b-term times xhat.
template <class T>
struct SecondMeans {
  T qa, qb, va, vb, qv, ra, rb;
  DUEL_HD SecondInput<T> input(T mean, T rstd) const {
    const T square = rstd * rstd;
    return {mean, rstd,        va,          qa,
            ra,   square * vb, square * qb, square * (va * qa - qv + T(3) * qb * vb) - rstd * rb};
  }
};

/// Index in x of a row's first element.
DUEL_HD int64_t row_begin(const NormShape& s, int64_t row) {
  if (s.parts == 1) return row * s.inner;
  const int64_t part = row / s.part_rows();
  return (part * s.outer * s.part_rows() + row % s.part_rows()) * s.inner;
}

/// A null affine parameter means `otherwise`.
template <class T>
DUEL_HD T at_or(const T* p, int64_t i, T otherwise) {
  return p != nullptr ? p[i] : otherwise;
}

inline void check(const char* op, const NormShape& s) {
  DUEL_CHECK(s.outer >= 0 && s.rows >= 0 && s.inner >= 0, op,
             "expected sizes of at least 0, got [{}, {}, {}]", s.outer, s.rows, s.inner);
  DUEL_CHECK(s.count() < (int64_t{1} << 32) && s.rows < (int64_t{1} << 31), op,
             "expected rows of fewer than 2^32 elements, got {} rows of {}", s.rows, s.count());
  DUEL_CHECK(s.parts == 1 || (s.parts > 1 && s.rows % s.parts == 0 && !s.affine_inner), op,
             "expected parts of equally many rows, got {} rows in {} parts", s.rows, s.parts);
  DUEL_CHECK(s.affine_inner ? s.outer == 1 && s.affine == s.inner : s.affine > 0 || s.rows == 0, op,
             "expected gamma per row or, with outer size 1, per inner position; got {} elements", s.affine);
}

/// A number per row as seen from a column: the same for all columns of a tile of one row …
template <class T>
struct Constant {
  T value;
  T operator[](int64_t) const { return value; }
};
/// … or spread over the columns.
template <class T>
struct Spread {
  const T* columns;
  T operator[](int64_t j) const { return columns[j]; }
};

inline constexpr int64_t kColumns = 512;

// Everything called inside is inlined: a column loop with one call left in it does not vectorise.
#define DUEL_FLATTEN __attribute__((flatten))

/// Sum of many columns. Not inlined: inside other loops g++ leaves the reduction scalar.
template <class T>
__attribute__((noinline)) T fold_many(const T* column, int64_t n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; ++j) sum += column[j];
  return sum;
}

template <class T>
T fold(const T* column, int64_t n) {
  if (n >= 16) return fold_many(column, n);
  T sum = 0;
  for (int64_t j = 0; j < n; ++j) sum += column[j];
  return sum;
}

/// kSingle: one row. Otherwise several neighbouring rows with gamma per row.
template <class T, bool kSingle>
class Tile {
 public:
  static constexpr bool single = kSingle;

  Tile(const NormShape& s, int64_t row, int64_t rows) : s_(s), row_(row), rows_(rows) {
    const int64_t run = rows * s.inner, most = kSingle && s.outer == 1 ? kRowColumns : kColumns;
    step_ = run < most ? run : most;
  }

  int64_t row() const { return row_; }
  int64_t step() const { return step_; }

  /// value(row) for use in a column loop; storage holds it where it must be spread.
  template <class F>
  auto per_row(F value, T* storage) const {
    if constexpr (kSingle) {
      return Constant<T>{value(row_)};
    } else {
      spread(value, storage);
      return Spread<T>{storage};
    }
  }

  /// columns[j] = value(row of column j).
  template <class F>
  void spread(F value, T* columns) const {
    const int64_t each = kSingle ? step_ : s_.inner;
    for (int64_t r = 0; r < rows_; ++r) {
      const T v = value(row_ + r);
      for (int64_t j = 0; j < each; ++j) columns[r * each + j] = v;
    }
  }

  /// Sums over each row: piece(base, at) gives a function of the column that returns the terms; result(row,
  /// totals) takes them. base: index in x of the piece's first element, at: its inner position (single rows).
  template <int K, class Piece, class Result>
  DUEL_FLATTEN void sums(Piece piece, Result result) const {
    alignas(64) T column[K][kColumns];
    for (int k = 0; k < K; ++k) {
      for (int64_t j = 0; j < step_; ++j) column[k][j] = 0;
    }
    // Four pieces at a time, so that the sums are loaded and stored once for four elements.
    const auto four = [&](int64_t base, int64_t at, int64_t stride, int64_t at_stride, int64_t width) {
      const auto p0 = piece(base, at), p1 = piece(base + stride, at + at_stride),
                 p2 = piece(base + 2 * stride, at + 2 * at_stride),
                 p3 = piece(base + 3 * stride, at + 3 * at_stride);
      DUEL_INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        const Terms<K, T> t0 = p0(j), t1 = p1(j), t2 = p2(j), t3 = p3(j);
        for (int k = 0; k < K; ++k) column[k][j] += (t0.v[k] + t1.v[k]) + (t2.v[k] + t3.v[k]);
      }
    };
    const auto one = [&](int64_t base, int64_t at, int64_t width) {
      const auto p = piece(base, at);
      DUEL_INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        const Terms<K, T> t = p(j);
        for (int k = 0; k < K; ++k) column[k][j] += t.v[k];
      }
    };
    walk(four, one);
    const int64_t each = kSingle ? step_ : s_.inner;
    for (int64_t r = 0; r < rows_; ++r) {
      Terms<K, T> total;
      for (int k = 0; k < K; ++k) total.v[k] = fold(column[k] + r * each, each);
      result(row_ + r, total);
    }
  }

  /// out[base + j] = piece(base, at)(j) everywhere in the tile. out may be an input (same element).
  template <class Piece>
  DUEL_FLATTEN void map(T* out, Piece piece) const {
    const auto four = [&](int64_t base, int64_t at, int64_t stride, int64_t at_stride, int64_t width) {
      const auto p0 = piece(base, at), p1 = piece(base + stride, at + at_stride),
                 p2 = piece(base + 2 * stride, at + 2 * at_stride),
                 p3 = piece(base + 3 * stride, at + 3 * at_stride);
      T *to0 = out + base, *to1 = to0 + stride, *to2 = to1 + stride, *to3 = to2 + stride;
      DUEL_INDEPENDENT
      for (int64_t j = 0; j < width; ++j) {
        const T v0 = p0(j), v1 = p1(j), v2 = p2(j), v3 = p3(j);
        to0[j] = v0;
        to1[j] = v1;
        to2[j] = v2;
        to3[j] = v3;
      }
    };
    const auto one = [&](int64_t base, int64_t at, int64_t width) {
      const auto p = piece(base, at);
      T* to = out + base;
      DUEL_INDEPENDENT
      for (int64_t j = 0; j < width; ++j) to[j] = p(j);
    };
    walk(four, one);
  }

 private:
  static constexpr int64_t kRowColumns = 128;

  /// All pieces: four(base, at, stride, at_stride, width) for four of them, one(base, at, width) for one.
  template <class Four, class One>
  void walk(Four four, One one) const {
    const int64_t run = rows_ * s_.inner;
    const auto line = [&](int64_t base, int64_t at, int64_t count, int64_t stride, int64_t at_stride,
                          int64_t width) {
      int64_t i = 0;
      for (; i + 4 <= count; i += 4) four(base + i * stride, at + i * at_stride, stride, at_stride, width);
      for (; i < count; ++i) one(base + i * stride, at + i * at_stride, width);
    };
    const int64_t base = row_begin(s_, row_);
    if (run == 0) return;
    if (s_.outer == 1) {
      const int64_t full = run / step_, rest = run - full * step_;
      line(base, 0, full, step_, step_, step_);
      if (rest > 0) one(base + full * step_, full * step_, rest);
      return;
    }
    for (int64_t at = 0; at < run; at += step_) {
      line(base + at, at, s_.outer, s_.part_rows() * s_.inner, 0, at + step_ <= run ? step_ : run - at);
    }
  }

  NormShape s_;
  int64_t row_, rows_, step_;
};

/// body(tile) for all tiles, in parallel. Several rows form a tile only where their runs are short, and never where affine
/// parameters vary inside of a row: kInner says that this is known, and body is compiled for tiles of a row alone. A
/// channel's parts come one after the other.
template <class T, bool kInner = false, class Body>
void for_tiles(const NormShape& s, Body body) {
  const bool several =
      !kInner && s.inner > 0 && s.inner <= (s.outer > 1 ? kColumns / 2 : kColumns / 4) && !s.affine_inner;
  const int64_t rows = several ? kColumns / s.inner : 1;
  const int64_t size = rows * s.count() * s.parts;
  const int64_t grain = size >= 16384 ? 1 : 16384 / (size < 1 ? 1 : size);
  const int64_t tiles = (s.part_rows() + rows - 1) / rows;
  parallel_for(tiles, grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin * s.parts; t < end * s.parts; ++t) {
      const int64_t channel = t / s.parts * rows, row = t % s.parts * s.part_rows() + channel;
      if constexpr (!kInner) {
        if (several) {
          body(Tile<T, false>(s, row, channel + rows <= s.part_rows() ? rows : s.part_rows() - channel));
          continue;
        }
      }
      body(Tile<T, true>(s, row, 1));
    }
  });
}

/// An affine parameter as a function of the column: spread over the columns where it belongs to rows, read in
/// place where it belongs to inner positions.
template <class T>
class AffineColumns {
 public:
  template <class AnyTile>
  AffineColumns(const NormShape& s, const AnyTile& tile, const T* parameter, T otherwise) {
    in_place_ = s.affine_inner && parameter != nullptr ? parameter : nullptr;
    if (in_place_ == nullptr) {
      tile.spread(
          [&](int64_t row) { return at_or(parameter, row % (s.affine < 1 ? 1 : s.affine), otherwise); },
          columns_);
    }
  }
  const T* at(int64_t inner) const { return in_place_ != nullptr ? in_place_ + inner : columns_; }

 private:
  const T* in_place_;
  alignas(64) T columns_[kColumns];
};

#if DUEL_DEVICE_CODE
/// Where a row lies: what a loop over it needs. Rows are below 2^31.
struct RowPlace {
  int64_t begin, step;  // of its first element, and to the next sample's
};
__device__ inline RowPlace place_of(const NormShape& s, int64_t row) {
  if (s.parts == 1) return {row * s.inner, s.rows * s.inner};
  const uint32_t channels = static_cast<uint32_t>(s.rows) / static_cast<uint32_t>(s.parts),
                 part = static_cast<uint32_t>(row) / channels,
                 channel = static_cast<uint32_t>(row) - part * channels;
  return {(part * s.outer * channels + channel) * s.inner, channels * s.inner};
}

/// Position j of a row as an index into x, and its inner position.
struct Position {
  int64_t i, inner;
};
__device__ inline Position position(const NormShape& s, const RowPlace& row, int64_t j) {
  if (s.outer == 1) return {row.begin + j, j};
  const unsigned sample =
      static_cast<unsigned>(j) / static_cast<unsigned>(s.inner);  // rows below 2^32 elements
  const int64_t inner = j - static_cast<int64_t>(sample) * s.inner;
  return {row.begin + sample * row.step + inner, inner};
}

/// Threads for rows of at least kLongRow elements, as many as have enough registers; shorter ones get kSumBlock.
template <class T>
inline constexpr int kLongBlock = sizeof(T) == 4 ? 1024 : 512;
inline constexpr int64_t kLongRow = 2048;
/// Elements of a row that a thread has on their way at once.
template <class T>
inline constexpr int kInFlight = sizeof(T) == 4 ? 4 : 2;

/// Calls start with the block for rows of that length as a constant.
template <class T, class Start>
void with_block(int64_t count, Start start) {
  if (count >= kLongRow) {
    start(std::integral_constant<int, kLongBlock<T>>());
  } else {
    start(std::integral_constant<int, kSumBlock>());
  }
}

/// Sums over a row by this block of kBlock threads: terms(i, inner) with i the index of an element in x. All loads of
/// a step are under way before the first sum waits for one; what lies behind the row adds 0.
template <int kBlock, int K, class T, class F>
__device__ Terms<K, T> row_sums(const NormShape& s, int64_t row, F terms) {
  constexpr int kAtOnce = kInFlight<T>;
  const RowPlace place = place_of(s, row);
  const int64_t n = s.outer * s.inner;
  Terms<K, T> sum{};
  for (int64_t j = threadIdx.x; j < n; j += kAtOnce * kBlock) {
    Terms<K, T> t[kAtOnce] = {};
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      if (j + u * kBlock >= n) continue;
      const Position at = position(s, place, j + u * kBlock);
      t[u] = terms(at.i, at.inner);
    }
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
#pragma unroll
      for (int k = 0; k < K; ++k) sum.v[k] += t[u].v[k];
    }
  }
  return block_sum<K, T, kBlock>(sum);
}

/// store(i, value(i, inner)) for the elements of a row, whose loads are under way together.
template <int kBlock, class T, class Value, class Store>
__device__ void row_map(const NormShape& s, int64_t row, Value value, Store store) {
  constexpr int kAtOnce = kInFlight<T>;
  const RowPlace place = place_of(s, row);
  const int64_t n = s.outer * s.inner;
  for (int64_t j = threadIdx.x; j < n; j += kAtOnce * kBlock) {
    T v[kAtOnce] = {};
    int64_t to[kAtOnce] = {};
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      if (j + u * kBlock >= n) continue;
      const Position at = position(s, place, j + u * kBlock);
      to[u] = at.i;
      v[u] = value(at.i, at.inner);
    }
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) {
      if (j + u * kBlock < n) store(to[u], v[u]);
    }
  }
}

/// f(i, inner) for the elements of a row.
template <class F>
__device__ void row_each(const NormShape& s, int64_t row, F f) {
  const RowPlace place = place_of(s, row);
  for (int64_t j = threadIdx.x; j < s.outer * s.inner; j += blockDim.x) {
    const Position at = position(s, place, j);
    f(at.i, at.inner);
  }
}

/// Index into gamma for a row's element; 32 bits hold the row.
DUEL_HD int64_t affine_index(const NormShape& s, int64_t row, int64_t inner) {
  if (s.affine_inner) return inner;
  return row < s.affine ? row : static_cast<uint32_t>(row) % static_cast<uint32_t>(s.affine);
}
#endif

}  // namespace duel::kernels::norm
