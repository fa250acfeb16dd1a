// The operands of a convolution as a matrix product without the matrices: how the elements that a thread fetches are found.
// Internal: conv_device.cu, which says what rows, columns and k of each pass are.
//
// Left operands lie along k, right ones are gathered from an image by columns and steps of k. Each has a way that walks, for any
// shape, and one for products whose taps come back every kDepth steps.
#pragma once

#include "duel/kernels/linear/device/tensor_tile.cuh"

namespace duel::kernels::device {

/// Index -> digits (a, b, c), c the fastest -> an offset and a place (row, column) of the image.
struct Walk {
  unsigned count_b = 1, count_c = 1;
  int64_t base = 0, step_a = 0, step_b = 0, step_c = 0;
  int row = 0, row_b = 0, column = 0, column_c = 0;
};

struct Place {
  int64_t offset;
  int row, column;
};

DUEL_HD Place at(const Walk& w, int64_t index) {
  const unsigned i = static_cast<unsigned>(index), t = i / w.count_c, c = i - t * w.count_c;
  const unsigned a = t / w.count_b, b = t - a * w.count_b;
  return {w.base + a * w.step_a + b * w.step_b + c * w.step_c, w.row + static_cast<int>(b) * w.row_b,
          w.column + static_cast<int>(c) * w.column_c};
}

/// An index that moves on: divided once, then its digits carry.
struct Walker {
  unsigned b = 0, c = 0;
  Place place{};

  Walker() = default;
  DUEL_HD Walker(const Walk& w, int64_t index) : place(at(w, index)) {
    const unsigned i = static_cast<unsigned>(index), t = i / w.count_c;
    c = i - t * w.count_c;
    b = t % w.count_b;
  }
  /// By a number whose digits and way from index 0 are those of `stride`, at(w, 0) taken off.
  DUEL_HD void advance(const Walk& w, const Walker& stride) {
    b += stride.b, c += stride.c;
    place.offset += stride.place.offset;
    place.row += stride.place.row, place.column += stride.place.column;
    if (c >= w.count_c) {
      c -= w.count_c, ++b;
      place.offset += w.step_b - w.count_c * w.step_c;
      place.row += w.row_b;
      place.column -= static_cast<int>(w.count_c) * w.column_c;
    }
    if (b >= w.count_b) {
      b -= w.count_b;
      place.offset += w.step_a - w.count_b * w.step_b;
      place.row -= static_cast<int>(w.count_b) * w.row_b;
    }
  }
};

/// A step for Walker::advance().
DUEL_HD Walker stride_of(const Walk& w, int64_t steps) {
  Walker stride(w, steps);
  stride.place.offset -= w.base;
  stride.place.row -= w.row, stride.place.column -= w.column;
  return stride;
}

template <class T>
struct Product {
  int64_t rows = 0, columns = 0, k = 0;
  const T* left = nullptr;  // [row * left_step + left_k]
  int64_t left_step = 0;
  Walk left_k;
  bool left_aligned = false;  // four steps of k from a multiple of 4 are one 16-byte access
  const T* right = nullptr;
  Walk right_k, right_column;
  int height = 0, width = 0;  // of the image that right gathers from
  T* out = nullptr;           // [row * out_step + out_column]
  int64_t out_step = 0;
  Walk out_column;
  bool out_aligned = false;
  const T* bias = nullptr;                                 // per row
  int64_t left_group = 0, right_group = 0, out_group = 0;  // from one group to the next
  int64_t all_rows = 0;                                    // of every group
  int64_t tap_h = 1, tap_w = 1;                            // from one tap of a phase to the next
};

#if DUEL_DEVICE_CODE

/// Which of a thread's loads along k are of rows that exist.
template <class Tile>
struct LoadedRows {
  int exist = 0;  // a bit for each load

  __device__ __forceinline__ void add(int i, bool exists) { exist |= exists ? 1 << i : 0; }
  /// Of the four of a load so many, and more, where `steps` of k are left.
  __device__ __forceinline__ int count(int i, int steps) const {
    return (exist >> i & 1) != 0 ? steps - AlongDepth<Tile>::depth(i) : 0;
  }
};

/// The left operand where k has one digit above its neighbours in memory: of every pass but an input gradient.
template <class T, class Tile>
struct LineLeft {
  unsigned length;  // of a line of k
  int64_t jump;     // from its end to the next one's begin
  unsigned step;    // what the place in a line moves by in kDepth steps …
  int64_t advance;  // … and the address, without jumps
  const T* from[Tile::kLoads];
  unsigned place[Tile::kLoads];
  LoadedRows<Tile> rows;
  bool aligned;

  __device__ __forceinline__ LineLeft(const Product<T>& p, const T* left, int64_t row0, int64_t begin)
      : length(p.left_k.count_c),
        jump(p.left_k.step_a - length),
        step(kDepth % length),
        advance(kDepth / length * p.left_k.step_a + step),
        aligned(p.left_aligned) {
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      const int64_t row = row0 + AlongDepth<Tile>::outer(i);
      rows.add(i, row < p.rows);
      const auto k = static_cast<unsigned>(begin + AlongDepth<Tile>::depth(i));
      const unsigned line = k / length;
      place[i] = k - line * length;
      from[i] = left + row * p.left_step + line * p.left_k.step_a + place[i];
    }
  }

  __device__ __forceinline__ bool along_depth() const { return true; }

  template <class Take>
  __device__ __forceinline__ void visit(int64_t k, int64_t end, Take&& take) {
    const int steps = steps_from(k, end);
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      const int count = rows.count(i, steps);
      if (aligned && (count >= 4 || count <= 0)) {
        take.four(i, from[i], count > 0);
      } else {
        const T* each = from[i];
        unsigned at_j = place[i];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          take.one(i, j, each++, j < count);
          if (++at_j == length) at_j = 0, each += jump;
        }
      }
      from[i] += advance;
      place[i] += step;
      if (place[i] >= length) place[i] -= length, from[i] += jump;
    }
  }
};

/// The left operand of an input gradient.
template <class T, class Tile>
struct TapsLeft {
  const Product<T>& p;
  const T* left;
  Walker
      ks[Tile::kLoads];  // the first step of each load's four, in the steps that come next, from the row on
  LoadedRows<Tile> rows;
  Walker depth, one;

  __device__ __forceinline__ TapsLeft(const Product<T>& product, const T* from, int64_t row0, int64_t begin)
      : p(product), left(from), depth(stride_of(p.left_k, kDepth)), one(stride_of(p.left_k, 1)) {
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      const int64_t row = row0 + AlongDepth<Tile>::outer(i);
      rows.add(i, row < p.rows);
      ks[i] = Walker(p.left_k, begin + AlongDepth<Tile>::depth(i));
      ks[i].place.offset += row * p.left_step;
    }
  }

  __device__ __forceinline__ bool along_depth() const { return true; }

  template <class Take>
  __device__ __forceinline__ void visit(int64_t k, int64_t end, Take&& take) {
    const int steps = steps_from(k, end);
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      const int count = rows.count(i, steps);
      Walker at_j = ks[i];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        take.one(i, j, left + at_j.place.offset, j < count);
        at_j.advance(p.left_k, one);
      }
      ks[i].advance(p.left_k, depth);
    }
  }
};

/// Is the element of a column and a step inside the image?
template <class T>
__device__ __forceinline__ bool is_inside(const Product<T>& p, const Place& column, const Place& step) {
  return static_cast<unsigned>(column.row + step.row) < static_cast<unsigned>(p.height) &&
         static_cast<unsigned>(column.column + step.column) < static_cast<unsigned>(p.width);
}

/// Where a column of the right operand begins; one that there is not lies outside of every image.
template <class T>
__device__ __forceinline__ Place place_of_column(const Product<T>& p, int64_t column) {
  Place place = at(p.right_column, column < p.columns ? column : 0);
  if (column >= p.columns) place.row = -(1 << 30);
  return place;
}

template <class T, class Tile>
struct WalkingRight {
  using Mine = FourColumns<Tile>;
  const Product<T>& p;
  const T* right;                 // of the group
  Place columns[Mine::kColumns];  // of this thread, in every step
  Walker ks[Mine::kSteps];        // of the steps that come next
  Walker depth;

  __device__ __forceinline__ WalkingRight(const Product<T>& product, const T* from, int64_t column0,
                                          int64_t begin)
      : p(product), right(from), depth(stride_of(p.right_k, kDepth)) {
#pragma unroll
    for (int j = 0; j < Mine::kColumns; ++j) columns[j] = place_of_column(p, column0 + Mine::column(j));
#pragma unroll
    for (int i = 0; i < Mine::kSteps; ++i) ks[i] = Walker(p.right_k, begin + Mine::step(i));
  }

  __device__ __forceinline__ bool along_depth() const { return false; }

  template <class Take>
  __device__ __forceinline__ void visit(int64_t k, int64_t end, Take&& take) {
    const int steps = steps_from(k, end);
#pragma unroll
    for (int i = 0; i < Mine::kSteps; ++i) {
      const bool inside = Mine::step(i) < steps;
      const T* from = right + ks[i].place.offset;
#pragma unroll
      for (int j = 0; j < Mine::kColumns; ++j) {
        const bool exists = inside && is_inside(p, columns[j], ks[i].place);
        take.template gathered<Mine>(i, j, from + columns[j].offset, exists);
      }
      ks[i].advance(p.right_k, depth);
    }
  }
};

/// Both operands of a product whose taps come back every kDepth steps, so that only the channel moves on (repeats()):
/// where an element lies from a moving address, and whether that is inside the image, is known before the first step.
/// kFours: four steps may be one 16-byte access; where they never are, lanes take their four in an order of their own: Note
/// [Shared memory without conflicts].
template <class T, class Tile, bool kFours>
struct RepeatingLeft {
  const T* from;  // in the steps that come next
  int64_t advance;
  int offset[Tile::kLoads][4];
  LoadedRows<Tile> rows;
  bool aligned;

  __device__ __forceinline__ RepeatingLeft(const Product<T>& p, const T* left, int64_t row0, int64_t begin)
      : from(left), advance(at(p.left_k, kDepth).offset - p.left_k.base), aligned(p.left_aligned) {
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      const int64_t row = row0 + AlongDepth<Tile>::outer(i);
      rows.add(i, row < p.rows);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int64_t k = begin + AlongDepth<Tile>::depth(i) + turned(j);
        offset[i][j] = static_cast<int>(row * p.left_step + at(p.left_k, k).offset);
      }
    }
  }

  static __device__ __forceinline__ int turned(int j) {
    return kFours ? j : (j + static_cast<int>(threadIdx.x) / 8) % 4;
  }
  __device__ __forceinline__ bool along_depth() const { return true; }

  template <class Take>
  __device__ __forceinline__ void visit(int64_t k, int64_t end, Take&& take) {
    const int steps = steps_from(k, end);
#pragma unroll
    for (int i = 0; i < Tile::kLoads; ++i) {
      const int count = rows.count(i, steps);
      if (kFours && aligned && (count >= 4 || count <= 0)) {
        take.four(i, from + offset[i][0], count > 0);
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j) take.one(i, turned(j), from + offset[i][j], turned(j) < count);
      }
    }
    from += advance;
  }
};

template <class T, class Tile>
struct RepeatingRight {
  using Mine = Neighbours<Tile>;
  const T* from;
  int64_t advance;
  int offset[Mine::kSteps][Mine::kColumns];
  unsigned inside;  // a bit for each of them

  __device__ __forceinline__ RepeatingRight(const Product<T>& p, const T* right, int64_t column0,
                                            int64_t begin)
      : from(right), advance(at(p.right_k, kDepth).offset - p.right_k.base), inside(0) {
    Place columns[Mine::kColumns];
#pragma unroll
    for (int j = 0; j < Mine::kColumns; ++j) columns[j] = place_of_column(p, column0 + Mine::column(j));
#pragma unroll
    for (int i = 0; i < Mine::kSteps; ++i) {
      const Place k = at(p.right_k, begin + Mine::step(i));
#pragma unroll
      for (int j = 0; j < Mine::kColumns; ++j) {
        offset[i][j] = static_cast<int>(k.offset + columns[j].offset);
        if (is_inside(p, columns[j], k)) inside |= 1u << (i * Mine::kColumns + j);
      }
    }
  }

  __device__ __forceinline__ bool along_depth() const { return false; }

  template <class Take>
  __device__ __forceinline__ void visit(int64_t k, int64_t end, Take&& take) {
    const int steps = steps_from(k, end);
#pragma unroll
    for (int i = 0; i < Mine::kSteps; ++i) {
#pragma unroll
      for (int j = 0; j < Mine::kColumns; ++j) {
        const bool exists = Mine::step(i) < steps && (inside >> (i * Mine::kColumns + j) & 1) != 0;
        take.template gathered<Mine>(i, j, from + offset[i][j], exists);
      }
    }
    from += advance;
  }
};

#endif

}  // namespace duel::kernels::device
