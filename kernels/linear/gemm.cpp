// Matrix products: checks, the choice of who computes, and the host's products from tiles
// (kernels/linear/host/tile.h).
//
// c is computed either as rows of c (left operand a, right operand b) or as rows of c^T (left operand
// op(b)^T, right operand op(a)^T): whichever needs less packing and padding. The right operand is packed into
// panels of kPanel columns: by each range for itself where its columns lie side by side, else (it has to be
// transposed) once, into the workspace. The ranges are panels x blocks of rows, cut by the shape alone.
#include "duel/kernels/linear/gemm.h"

#include <algorithm>
#include <type_traits>

#include "duel/kernels/base/ceil_div.h"
#include "duel/kernels/base/launch_cost.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/device/gemm_device.h"
#include "duel/kernels/linear/device_library.h"
#include "duel/kernels/linear/host/tile.h"
#include "duel/kernels/linear/vendor/cublas.h"
#include "duel/kernels/linear/vendor/onednn.h"
#include "duel/kernels/reduce/reduce.h"

namespace duel::kernels {
namespace {

using simd::kLanes;

// Steps of the reduction between two visits of c; one panel of that many fits the thread's scratch.
template <class T>
constexpr int64_t kDepth = static_cast<int64_t>(kScratchBytes / sizeof(T)) / kPanel<T>;

template <class T>
struct Product {
  bool flipped = false;  // the tiles are of c^T
  const T* left = nullptr;
  bool left_transposed = false;  // stored [k][rows]
  int64_t rows = 0;
  const T* right = nullptr;
  bool right_transposed = false;  // stored [columns][k]
  int64_t columns = 0;
  int64_t k = 0;
  T alpha = 1, beta = 0;
  const T* bias = nullptr;  // along n: the columns, or the rows where flipped
  T* c = nullptr;
  int64_t c_ld = 0;  // n
};

// Is it cheaper to compute c^T? In vector operations: the products on padded vectors, packing, and the
// transposition of results; measured on Zen 4, the choice only matters where it is clear.
template <class T>
bool flip(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k) {
  const auto cost = [k](int64_t rows, int64_t columns, bool transposed) {
    const double products =
        static_cast<double>(std::max<int64_t>(rows, 4)) * ceil_div(columns, kLanes<T>) * k;
    return products + (transposed ? 0.5 : 0.1) * columns * k;
  };
  return cost(n, m, !trans_a) + 0.5 * m * n < cost(m, n, trans_b);
}

template <class T>
int64_t packed_elements(int64_t columns, int64_t k) {
  return ceil_div(columns, kLanes<T>) * kLanes<T> * k;
}

// One vector of columns from [column][k] order into a panel; missing columns become 0.
template <class T>
void pack_transposed(const T* from, int64_t ld, int64_t columns, int64_t steps, T* to, int64_t width) {
  for (int64_t s = 0; s < steps; s += kLanes<T>) {
    const int64_t count = std::min<int64_t>(steps - s, kLanes<T>);
    const simd::Mask mask = simd::lanes_between(0, count);
    simd::Vec<T> square[kLanes<T>];
    for (int i = 0; i < kLanes<T>; ++i) {
      square[i] = i < columns ? simd::load_masked(from + i * ld + s, mask) : simd::Vec<T>{};
    }
    simd::transpose<T>(square);
    for (int64_t i = 0; i < count; ++i) simd::store(to + (s + i) * width, square[i]);
  }
}

// A panel of columns that lie side by side.
template <class T>
void pack_straight(const T* from, int64_t ld, int64_t columns, int64_t steps, T* to, int64_t width) {
  const simd::Mask last = simd::lanes_between(0, columns - (width - kLanes<T>));
  for (int64_t s = 0; s < steps; ++s, from += ld, to += width) {
    for (int64_t v = 0; v + kLanes<T> < width; v += kLanes<T>) simd::store(to + v, simd::load(from + v));
    simd::store(to + width - kLanes<T>, simd::load_masked(from + width - kLanes<T>, last));
  }
}

// c = alpha * tile (+ bias + beta * c in the first block of the reduction, + c later).
template <class T>
void write_back(const Product<T>& p, bool first, const T* tile, int64_t row, int64_t rows, int64_t column,
                int64_t columns) {
  if (p.flipped) {
    // Tile rows run along n: transpose squares of kLanes.
    for (int64_t j = 0; j < columns; j += kLanes<T>) {
      for (int64_t i = 0; i < rows; i += kLanes<T>) {
        const int64_t count = std::min<int64_t>(rows - i, kLanes<T>);
        const simd::Mask mask = simd::lanes_between(0, count);
        simd::Vec<T> square[kLanes<T>];
        for (int r = 0; r < kLanes<T>; ++r) {
          square[r] = r < count ? simd::load(tile + (i + r) * kPanel<T> + j) : simd::Vec<T>{};
        }
        simd::transpose<T>(square);
        simd::Vec<T> bias{};
        if (first && p.bias) bias = simd::load_masked(p.bias + row + i, mask);
        const int64_t lines = std::min<int64_t>(columns - j, kLanes<T>);
        for (int64_t r = 0; r < lines; ++r) {
          T* c = p.c + (column + j + r) * p.c_ld + row + i;
          simd::Vec<T> value = simd::broadcast(p.alpha) * square[r] + bias;
          if (!first) {
            value += simd::load_masked(c, mask);
          } else if (p.beta != T(0)) {
            value += simd::broadcast(p.beta) * simd::load_masked(c, mask);
          }
          simd::store_masked(c, value, mask);
        }
      }
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    T* c = p.c + (row + r) * p.c_ld + column;
    const T* from = tile + r * kPanel<T>;
    for (int64_t j = 0; j < columns; ++j) {
      T value = p.alpha * from[j];
      if (first && p.bias) value += p.bias[column + j];
      if (!first) {
        value += c[j];
      } else if (p.beta != T(0)) {
        value += p.beta * c[j];
      }
      c[j] = value;
    }
  }
}

// Rows [row_begin, row_end) of one panel of columns.
template <class T>
void panel_of_rows(const Product<T>& p, int64_t row_begin, int64_t row_end, int64_t column, const T* packed) {
  const int64_t columns = std::min(kPanel<T>, p.columns - column);
  const int64_t vectors = ceil_div(columns, kLanes<T>), width = vectors * kLanes<T>;
  const int64_t tiles = row_tiles(row_end - row_begin);
  // Few rows do not pay for a copy of the panel; a panel with missing columns needs one.
  const bool in_place = !packed && columns == width && tiles <= 2;
  const bool straight =
      !p.flipped && columns == width && p.alpha == T(1) && (p.beta == T(0) || p.beta == T(1));
  alignas(64) T buffer[kTileRows * kPanel<T>];
  T* scratch = static_cast<T*>(thread_scratch());

  for (int64_t begin = 0; begin < p.k; begin += kDepth<T>) {
    const bool first = begin == 0;
    TileArgs<T> args;
    args.steps = std::min(kDepth<T>, p.k - begin);
    args.a_ld = p.left_transposed ? p.rows : p.k;
    args.b_ld = width;
    if (packed) {
      args.b = packed + begin * width;
    } else if (in_place) {
      args.b = p.right + begin * p.columns + column;
      args.b_ld = p.columns;
    } else {
      pack_straight(p.right + begin * p.columns + column, p.columns, columns, args.steps, scratch, width);
      args.b = scratch;
    }
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t row = row_begin + row_cut(row_end - row_begin, t, tiles);
      const int64_t rows = row_begin + row_cut(row_end - row_begin, t + 1, tiles) - row;
      args.a = p.left + (p.left_transposed ? begin * p.rows + row : row * p.k + begin);
      args.init = zeros<T>();
      args.init_ld = 0;
      args.out = buffer;
      args.out_ld = kPanel<T>;
      if (straight) {
        args.out = p.c + row * p.c_ld + column;
        args.out_ld = p.c_ld;
        if (first && p.bias) {
          args.init = p.bias + column;
        } else if (!first || p.beta == T(1)) {
          args.init = args.out;
          args.init_ld = p.c_ld;
        }
      }
      tile_kernel<T>(rows, vectors, p.left_transposed)(args);
      if (!straight) write_back(p, first, buffer, row, rows, column, columns);
    }
  }
}

template <class T>
void run(const Product<T>& p, T* workspace) {
  const int64_t panels = ceil_div(p.columns, kPanel<T>);
  T* packed = nullptr;
  if (p.right_transposed) {
    packed = workspace;
    const int64_t vectors = ceil_div(p.columns, kLanes<T>);
    const int64_t grain = std::max<int64_t>(1, 32768 / (kLanes<T> * p.k));
    parallel_for(vectors, grain, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) {
        const int64_t column = v * kLanes<T>;
        const int64_t start = column / kPanel<T> * kPanel<T>;  // of the panel
        const int64_t width = ceil_div(std::min(kPanel<T>, p.columns - start), kLanes<T>) * kLanes<T>;
        pack_transposed(p.right + column * p.k, p.k, std::min<int64_t>(kLanes<T>, p.columns - column), p.k,
                        packed + start * p.k + (column - start), width);
      }
    });
  }
  // Blocks of rows: enough ranges for a handful of threads, each worth its start (some microseconds).
  const int64_t tiles = row_tiles(p.rows);
  const int64_t wanted = std::max<int64_t>(1, ceil_div(32, panels));
  const int64_t worth = std::max<int64_t>(1, 400'000 / (kTileRows * kPanel<T> * p.k));
  const int64_t per_block = std::max(worth, ceil_div(tiles, wanted));
  const int64_t blocks = ceil_div(tiles, per_block);
  const int64_t grain = std::max<int64_t>(1, worth / per_block);
  parallel_for(panels * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t panel = i / blocks, block = i % blocks;
      const int64_t row = row_cut(p.rows, std::min(tiles, block * per_block), tiles);
      const int64_t row_end = row_cut(p.rows, std::min(tiles, (block + 1) * per_block), tiles);
      const int64_t column = panel * kPanel<T>;
      panel_of_rows(p, row, row_end, column, packed ? packed + column * p.k : nullptr);
    }
  });
}

// A matrix [rows][k] times a vector: each result is a dot product; the matrix is read once.
template <class T>
void matrix_vector(const T* matrix, const T* vector, int64_t rows, int64_t k, T alpha, T beta, const T* bias,
                   int64_t bias_step, T* c) {
  constexpr int kRows = 4;
  const int64_t grain = std::max<int64_t>(kRows, 65536 / k / kRows * kRows);
  const int64_t whole = k / kLanes<T> * kLanes<T>;
  const simd::Mask rest = simd::lanes_between(0, k - whole);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row += kRows) {
      const T* a[kRows];
      for (int r = 0; r < kRows; ++r) a[r] = matrix + std::min(row + r, end - 1) * k;
      simd::Vec<T> acc[kRows] = {};
      for (int64_t s = 0; s < whole; s += kLanes<T>) {
        const simd::Vec<T> right = simd::load(vector + s);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) acc[r] = simd::fma(simd::load(a[r] + s), right, acc[r]);
      }
      if (rest != 0) {
        const simd::Vec<T> right = simd::load_masked(vector + whole, rest);
        for (int r = 0; r < kRows; ++r)
          acc[r] = simd::fma(simd::load_masked(a[r] + whole, rest), right, acc[r]);
      }
      for (int r = 0; r < kRows && row + r < end; ++r) {
        T value = alpha * simd::sum<T>(acc[r]);
        if (bias) value += bias[(row + r) * bias_step];
        if (beta != T(0)) value += beta * c[row + r];
        c[row + r] = value;
      }
    }
  });
}

// A column times a row, k == 1: all memory, row by row.
template <class T>
void outer_product(const T* a, const T* b, int64_t m, int64_t n, T alpha, T beta, const T* bias, T* c) {
  parallel_for(m, std::max<int64_t>(1, 32768 / n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T left = alpha * a[i];
      T* row = c + i * n;
      if (beta != T(0)) {
        DUEL_SIMD for (int64_t j = 0; j < n; ++j) row[j] = left * b[j] + beta * row[j];
      } else if (bias) {
        DUEL_SIMD for (int64_t j = 0; j < n; ++j) row[j] = left * b[j] + bias[j];
      } else {
        DUEL_SIMD for (int64_t j = 0; j < n; ++j) row[j] = left * b[j];
      }
    }
  });
}

template <class T>
void on_host(const char* op, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
             const T* b, T beta, const T* bias, T* c, void* workspace) {
  if (k == 0) {
    for (int64_t i = 0; i < m * n; ++i) c[i] = bias ? bias[i % n] : beta == T(0) ? T(0) : beta * c[i];
    return;
  }
  if constexpr (std::is_same_v<T, float>) {
    if (host_library() == HostLibrary::onednn &&
        onednn::gemm(trans_a, trans_b, m, n, k, alpha, a, b, beta, bias, c)) {
      return;
    }
  }
  if (k == 1) return outer_product(a, b, m, n, alpha, beta, bias, c);
  // One row or column against rows of k elements (a vector looks the same transposed or not).
  if (n == 1 && (!trans_a || m == 1)) {
    return matrix_vector(a, b, m, k, alpha, beta, bias, 0, c);
  }
  if (m == 1 && trans_b) {
    return matrix_vector(b, a, n, k, alpha, beta, bias, 1, c);
  }
  Product<T> p;
  p.flipped = flip<T>(trans_a, trans_b, m, n, k);
  p.left = p.flipped ? b : a;
  p.left_transposed = p.flipped ? !trans_b : trans_a;
  p.rows = p.flipped ? n : m;
  p.right = p.flipped ? a : b;
  p.right_transposed = p.flipped ? !trans_a : trans_b;
  p.columns = p.flipped ? m : n;
  p.k = k;
  p.alpha = alpha;
  p.beta = beta;
  p.bias = bias;
  p.c = c;
  p.c_ld = n;
  DUEL_CHECK(!p.right_transposed || workspace != nullptr, op,
             "expected a workspace of {} bytes, got a null pointer",
             gemm_workspace<T>(trans_a, trans_b, m, n, k));
  run(p, static_cast<T*>(workspace));
}

// op(a)'s rows lie side by side along k, or k's steps do.
template <class T>
void sum_left(Stream stream, bool trans_a, int64_t m, int64_t k, const T* a, T* sums, void* workspace) {
  if (trans_a) return sum_axes(stream, 1, k, m, a, sums, static_cast<T*>(workspace));
  sum_axes(stream, m, k, 1, a, sums, static_cast<T*>(workspace));
}

template <class T>
size_t sum_left_workspace(bool trans_a, int64_t m, int64_t k) {
  return static_cast<size_t>(trans_a ? reduce_workspace(1, k, m) : reduce_workspace(m, k, 1)) * sizeof(T);
}

template <class T>
void product(const char* op, Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k,
             T alpha, const T* a, const T* b, T beta, const T* bias, T* c, void* workspace,
             const Finish<T>& finish = {}, T* left_sums = nullptr) {
  DUEL_CHECK(m >= 0 && n >= 0 && k >= 0, op, "expected sizes >= 0, got m {}, n {}, k {}", m, n, k);
  if (m > 0 && left_sums && (n == 0 || k == 0)) {
    sum_left(stream, trans_a, m, k, a, left_sums, workspace);
  }
  if (m == 0 || n == 0) return;
  check_finish(op, c, finish);
  DUEL_CHECK(k == 0 || (a != nullptr && b != nullptr), op, "expected arrays, got a null pointer");
  T* const results = c ? c : finish.value;
  DUEL_CHECK(c || beta == T(0), op, "expected results that may be added to, got a null pointer");
  bool finished = false;
  if (stream.on_device()) {
    announced_cost.flop = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
    if (k == 0 || !device::libraries_in_charge() ||
        !cublas::gemm(stream, trans_a, trans_b, m, n, k, alpha, a, b, beta, bias, results, workspace)) {
      finished = device::gemm(stream, trans_a, trans_b, m, n, k, alpha, a, b, beta, bias, c, workspace,
                              finish, left_sums);
    }
  } else {
    on_host(op, trans_a, trans_b, m, n, k, alpha, a, b, beta, bias, results, workspace);
  }
  if (finished) return;
  finish_results(stream, m * n, c, finish);
  if (left_sums && k > 0) sum_left(stream, trans_a, m, k, a, left_sums, workspace);
}

}  // namespace

template <class T>
size_t gemm_workspace(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, Stream stream,
                      bool left_sums) {
  const size_t sums = left_sums && m > 0 ? sum_left_workspace<T>(trans_a, m, k) : 0;
  if (m <= 0 || n <= 0 || k <= 0) return sums;
  if (stream.on_device()) {
    const size_t own = std::max(sums, device::gemm_workspace<T>(m, n, k, left_sums));
    return device::libraries_in_charge() ? std::max(own, cublas::workspace<T>(trans_a, trans_b, m, n, k))
                                         : own;
  }
  const bool flipped = flip<T>(trans_a, trans_b, m, n, k);
  if (!(flipped ? !trans_a : trans_b)) return sums;
  return std::max(sums, static_cast<size_t>(packed_elements<T>(flipped ? m : n, k)) * sizeof(T));
}

template <class T>
void gemm(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, T alpha, const T* a,
          const T* b, T beta, T* c, void* workspace, const Finish<T>& finish, T* left_sums) {
  product<T>("gemm", stream, trans_a, trans_b, m, n, k, alpha, a, b, beta, nullptr, c, workspace, finish,
             left_sums);
}

template <class T>
void gemm_bias(Stream stream, bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const T* a,
               const T* b, const T* bias, T* c, void* workspace, const Finish<T>& finish) {
  product<T>("gemm_bias", stream, trans_a, trans_b, m, n, k, T(1), a, b, T(0), bias, c, workspace, finish);
}

template <class T>
bool gemm_pairs(Stream stream, const PairedShape& one, const PairedShape& other) {
  return stream.on_device() && !device::libraries_in_charge() && device::gemm_pairs<T>(stream, one, other);
}

template <class T>
void gemm_pair(Stream stream, const PairedProduct<T>& one, const PairedProduct<T>& other) {
  if (!gemm_pairs<T>(stream, one, other)) {
    for (const PairedProduct<T>* p : {&one, &other})
      gemm<T>(stream, p->trans_a, p->trans_b, p->m, p->n, p->k, T(1), p->a, p->b, T(0), p->c, p->workspace,
              p->finish, p->left_sums);
    return;
  }
  double flop = 0;
  for (const PairedProduct<T>* p : {&one, &other}) {
    check_finish("gemm_pair", p->c, p->finish);
    DUEL_CHECK(p->a != nullptr && p->b != nullptr, "gemm_pair", "expected arrays, got a null pointer");
    flop += 2.0 * static_cast<double>(p->m) * static_cast<double>(p->n) * static_cast<double>(p->k);
  }
  announced_cost.flop = flop;
  device::gemm_pair(stream, one, other);
}

namespace {
// Bytes of one product's workspace, so that the next one is aligned as well.
template <class T>
size_t aligned_workspace(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k) {
  return (gemm_workspace<T>(trans_a, trans_b, m, n, k) + 63) / 64 * 64;
}
}  // namespace

template <class T>
size_t gemm_batched_workspace(bool trans_a, bool trans_b, int64_t batch, int64_t m, int64_t n, int64_t k,
                              Stream stream) {
  if (batch <= 0 || stream.on_device()) return 0;
  return static_cast<size_t>(batch) * aligned_workspace<T>(trans_a, trans_b, m, n, k);
}

template <class T>
void gemm_batched(Stream stream, bool trans_a, bool trans_b, int64_t batch, int64_t m, int64_t n, int64_t k,
                  const T* a, int64_t stride_a, const T* b, int64_t stride_b, T* c, void* workspace) {
  DUEL_CHECK(batch >= 0 && m >= 0 && n >= 0 && k >= 0, "gemm_batched",
             "expected sizes >= 0, got batch {}, m {}, n {}, k {}", batch, m, n, k);
  if (batch == 0 || m == 0 || n == 0) return;
  DUEL_CHECK(c != nullptr && (k == 0 || (a != nullptr && b != nullptr)), "gemm_batched",
             "expected arrays, got a null pointer");
  if (stream.on_device()) {
    announced_cost.flop = 2.0 * static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n) *
                          static_cast<double>(k);
    return device::gemm_batched(stream, trans_a, trans_b, batch, m, n, k, a, stride_a, b, stride_b, c);
  }
  const size_t bytes = aligned_workspace<T>(trans_a, trans_b, m, n, k);
  DUEL_CHECK(bytes == 0 || workspace != nullptr, "gemm_batched",
             "expected a workspace of {} bytes, got a null pointer", static_cast<size_t>(batch) * bytes);
  // Small products share the threads, large ones use all of them one after the other: the same bits.
  const int64_t grain = std::max<int64_t>(1, 400'000 / std::max<int64_t>(1, m * n * k));
  const auto some = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      product<T>("gemm_batched", stream, trans_a, trans_b, m, n, k, T(1), a + i * stride_a, b + i * stride_b,
                 T(0), nullptr, c + i * m * n,
                 bytes ? static_cast<char*>(workspace) + static_cast<size_t>(i) * bytes : nullptr);
    }
  };
  if (host_library() == HostLibrary::own && batch >= 4) {
    parallel_for(batch, grain, some);
  } else {
    some(0, batch);
  }
}

#define DUEL_INSTANTIATE(T)                                                                                 \
  template size_t gemm_workspace<T>(bool, bool, int64_t, int64_t, int64_t, Stream, bool);                   \
  template void gemm<T>(Stream, bool, bool, int64_t, int64_t, int64_t, T, const T*, const T*, T, T*, void*, \
                        const Finish<T>&, T*);                                                              \
  template void gemm_bias<T>(Stream, bool, bool, int64_t, int64_t, int64_t, const T*, const T*, const T*,   \
                             T*, void*, const Finish<T>&);                                                  \
  template bool gemm_pairs<T>(Stream, const PairedShape&, const PairedShape&);                              \
  template void gemm_pair<T>(Stream, const PairedProduct<T>&, const PairedProduct<T>&);                     \
  template size_t gemm_batched_workspace<T>(bool, bool, int64_t, int64_t, int64_t, int64_t, Stream);        \
  template void gemm_batched<T>(Stream, bool, bool, int64_t, int64_t, int64_t, int64_t, const T*, int64_t,  \
                                const T*, int64_t, T*, void*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels
