// Convolutions of any shape on the host: groups and dilation too.
//
// A block of output positions of one sample (for the weight gradient: of some samples) and a range of the taps
// (channel, i, j) of one group meet as columns[tap][position], which stay in the core's cache:
//
//   forward          y = w columns                                       tiles (kernels/linear/host/tile.h)
//   input gradient   columns = w^T dy, then added to dx tap by tap       tiles
//   weight gradient  dw = dy columns^T                                   rows times rows
//
// A group is a convolution of its own, so a depthwise one has tiles of a single row: what it costs is the columns.
#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/tile.h"

namespace duel::kernels::host {
namespace {

using simd::kLanes;

constexpr int64_t kPositions = 256;  // of a block, at most
constexpr int64_t kDepth = 96;       // rows of dy that are packed at a time
// The thread's scratch holds the columns of so many taps, and those rows behind them.
template <class T>
constexpr int64_t kTaps = static_cast<int64_t>(kScratchBytes / sizeof(T)) / kPositions - kDepth;

template <class T>
constexpr int64_t padded(int64_t positions) {
  return ceil_div(positions, kLanes<T>) * kLanes<T>;
}

// Output positions that lie together: some rows, or a part of one.
struct Block {
  int64_t p0, p1, q0, q1;
  int64_t positions() const { return (p1 - p0) * (q1 - q0); }
  int64_t start(const ConvShape& s) const { return p0 * s.w_out + q0; }
};

struct Blocks {
  explicit Blocks(const ConvShape& s)
      : rows(std::clamp<int64_t>(kPositions / s.w_out, 1, s.h_out)),
        columns(std::min(kPositions, s.w_out)),
        across(ceil_div(s.w_out, columns)),
        count(ceil_div(s.h_out, rows) * across) {}
  Block at(const ConvShape& s, int64_t i) const {
    const int64_t p = i / across * rows, q = i % across * columns;
    return {p, std::min(p + rows, s.h_out), q, std::min(q + columns, s.w_out)};
  }
  int64_t rows, columns, across, count;
};

// Calls visit(row of the image, its column for q = 0, first q and last q inside of it, position of q = 0) for every row of
// the block that tap (i, j) meets inside of the image; first and last are equal where it meets none of it.
template <class Visit>
void for_lines(const ConvShape& s, const Block& block, int64_t tap, Visit visit) {
  const int64_t i = tap / s.kw % s.kh, j = tap % s.kw, column = j * s.dilation_w - s.pad_w;
  const int64_t first = std::clamp(column < 0 ? ceil_div(-column, s.stride_w) : 0, block.q0, block.q1);
  const int64_t end = column < s.w_in ? ceil_div(s.w_in - column, s.stride_w) : 0;
  const int64_t last = std::clamp(end, first, block.q1);
  for (int64_t p = block.p0; p < block.p1; ++p) {
    const int64_t row = p * s.stride_h - s.pad_h + i * s.dilation_h;
    const bool inside = row >= 0 && row < s.h_in;
    visit(row, column, first, inside ? last : first, (p - block.p0) * (block.q1 - block.q0) - block.q0);
  }
}

// The block's columns of taps [first, last), `ld` apart; image: the group's first channel.
template <class T>
void fill_columns(const ConvShape& s, const Block& block, int64_t first, int64_t last, const T* image, T* to,
                  int64_t ld) {
  const int64_t window = s.kh * s.kw, step = s.stride_w;
  for (int64_t tap = first; tap < last; ++tap, to += ld) {
    const T* plane = image + tap / window * s.h_in * s.w_in;
    for_lines(s, block, tap, [&](int64_t row, int64_t column, int64_t q0, int64_t q1, int64_t at) {
      T* line = to + at;
      for (int64_t q = block.q0; q < q0; ++q) line[q] = T(0);
      const T* from = plane + row * s.w_in + column;
      if (step == 1) {
        for (int64_t q = q0; q < q1; ++q) line[q] = from[q];
      } else {
        for (int64_t q = q0; q < q1; ++q) line[q] = from[q * step];
      }
      for (int64_t q = q1; q < block.q1; ++q) line[q] = T(0);
    });
  }
}

// The adjoint: adds them to the image.
template <class T>
void add_columns(const ConvShape& s, const Block& block, int64_t first, int64_t last, const T* from,
                 int64_t ld, T* image) {
  const int64_t window = s.kh * s.kw, step = s.stride_w;
  for (int64_t tap = first; tap < last; ++tap, from += ld) {
    T* plane = image + tap / window * s.h_in * s.w_in;
    for_lines(s, block, tap, [&](int64_t row, int64_t column, int64_t q0, int64_t q1, int64_t at) {
      const T* DUEL_RESTRICT line = from + at;
      T* DUEL_RESTRICT to = plane + row * s.w_in + column;
      if (step == 1) {
        for (int64_t q = q0; q < q1; ++q) to[q] += line[q];
      } else {
        for (int64_t q = q0; q < q1; ++q) to[q * step] += line[q];
      }
    });
  }
}

template <class T>
void zero_tails(int64_t rows, int64_t positions, T* to, int64_t ld) {
  for (int64_t row = 0; positions < ld && row < rows; ++row)
    std::fill(to + row * ld + positions, to + (row + 1) * ld, T(0));
}

// Items of a range: about 400,000 products.
int64_t grain(int64_t products) { return std::max<int64_t>(1, 400'000 / std::max<int64_t>(products, 1)); }

// One block's rows of y from taps [first, first + steps) of one group; w and y are the group's, bias too (or null).
template <class T>
void multiply(const ConvShape& s, const Block& block, int64_t first, int64_t steps, const T* columns,
              int64_t ld, const T* w, const T* bias, T* y) {
  const int64_t taps = s.group_in() * s.kh * s.kw, plane = s.h_out * s.w_out, positions = block.positions();
  const int64_t tiles = row_tiles(s.group_out());
  alignas(64) T buffer[kTileRows * kPanel<T>];
  TileArgs<T> args;
  args.steps = steps;
  args.a_ld = taps;
  args.b_ld = ld;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row = row_cut(s.group_out(), t, tiles), rows = row_cut(s.group_out(), t + 1, tiles) - row;
    args.a = w + row * taps + first;
    for (int64_t at = 0; at < positions; at += kPanel<T>) {
      const int64_t vectors = std::min<int64_t>(kTileVectors, (ld - at) / kLanes<T>);
      const int64_t count = std::min(positions - at, vectors * kLanes<T>);
      const bool straight = count == vectors * kLanes<T>;
      T* out = y + row * plane + block.start(s) + at;
      args.b = columns + at;
      args.out = straight ? out : buffer;
      args.out_ld = straight ? plane : kPanel<T>;
      args.init = first > 0 ? args.out : bias ? buffer : zeros<T>();
      args.init_ld = first > 0 ? args.out_ld : bias ? kPanel<T> : 0;
      for (int64_t r = 0; r < rows; ++r) {
        if (first == 0 && bias) std::fill_n(buffer + r * kPanel<T>, vectors * kLanes<T>, bias[row + r]);
        if (first > 0 && !straight) std::copy_n(out + r * plane, count, buffer + r * kPanel<T>);
      }
      tile_kernel<T>(rows, vectors, false)(args);
      for (int64_t r = 0; !straight && r < rows; ++r)
        std::copy_n(buffer + r * kPanel<T>, count, out + r * plane);
    }
  }
}

template <class T>
void forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
  const int64_t taps = s.group_in() * s.kh * s.kw, plane = s.h_out * s.w_out, rows = s.group_out();
  const Blocks blocks(s);
  const int64_t products = taps * rows * blocks.rows * blocks.columns;
  parallel_for(s.n * s.groups * blocks.count, grain(products), [&](int64_t begin, int64_t end) {
    T* columns = static_cast<T*>(thread_scratch());
    for (int64_t i = begin; i < end; ++i) {
      const int64_t group = i / blocks.count % s.groups, sample = i / blocks.count / s.groups;
      const Block block = blocks.at(s, i % blocks.count);
      const int64_t ld = padded<T>(block.positions());
      const T* image = x + (sample * s.c_in + group * s.group_in()) * s.h_in * s.w_in;
      for (int64_t first = 0; first < taps; first += kTaps<T>) {
        const int64_t steps = std::min(kTaps<T>, taps - first);
        fill_columns(s, block, first, first + steps, image, columns, ld);
        zero_tails(steps, block.positions(), columns, ld);
        multiply(s, block, first, steps, columns, ld, w + group * rows * taps,
                 bias ? bias + group * rows : nullptr, y + (sample * s.c_out + group * rows) * plane);
      }
    }
  });
}

// Rows [first, last) of the block of dy, of `samples` samples side by side, with zeros up to ld.
template <class T>
void pack_rows(const ConvShape& s, const Block& block, int64_t samples, int64_t first, int64_t last,
               const T* dy, T* to, int64_t ld) {
  const int64_t plane = s.h_out * s.w_out, positions = block.positions();
  for (int64_t row = first; row < last; ++row, to += ld) {
    for (int64_t n = 0; n < samples; ++n) {
      std::copy_n(dy + (n * s.c_out + row) * plane + block.start(s), positions, to + n * positions);
    }
    std::fill(to + samples * positions, to + ld, T(0));
  }
}

template <class T>
void input_grad(const ConvShape& s, const T* dy, const T* w, const T* bias, T* dx) {
  const int64_t window = s.kh * s.kw, taps = s.group_in() * window, plane = s.h_in * s.w_in,
                depth = s.group_out();
  const int64_t channels = std::clamp<int64_t>(kTaps<T> / window, 1, s.group_in());
  const int64_t parts = ceil_div(s.group_in(), channels);
  const Blocks blocks(s);
  const int64_t products = s.h_out * s.w_out * channels * window * depth;
  parallel_for(s.n * s.groups * parts, grain(products), [&](int64_t begin, int64_t end) {
    T* columns = static_cast<T*>(thread_scratch());
    T* packed = columns + kTaps<T> * kPositions;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t channel = i % parts * channels, group = i / parts % s.groups,
                    sample = i / parts / s.groups;
      const int64_t channel_end = std::min(channel + channels, s.group_in());
      const T* from = dy + (sample * s.c_out + group * depth) * s.h_out * s.w_out;
      const T* weights = w + group * depth * taps;
      T* image = dx + (sample * s.c_in + group * s.group_in()) * plane;
      for (int64_t c = channel; c < channel_end; ++c) {
        std::fill_n(image + c * plane, plane, bias ? bias[group * s.group_in() + c] : T(0));
      }
      for (int64_t b = 0; b < blocks.count; ++b) {
        const Block block = blocks.at(s, b);
        const int64_t ld = padded<T>(block.positions());
        for (int64_t first = channel * window; first < channel_end * window; first += kTaps<T>) {
          const int64_t rows = std::min(kTaps<T>, channel_end * window - first), tiles = row_tiles(rows);
          for (int64_t k = 0; k < depth; k += kDepth) {
            TileArgs<T> args;
            args.steps = std::min(kDepth, depth - k);
            args.a_ld = taps;
            args.b_ld = args.out_ld = ld;
            pack_rows(s, block, 1, k, k + args.steps, from, packed, ld);
            for (int64_t t = 0; t < tiles; ++t) {
              const int64_t row = row_cut(rows, t, tiles), height = row_cut(rows, t + 1, tiles) - row;
              args.a = weights + k * taps + first + row;
              for (int64_t at = 0; at < ld; at += kPanel<T>) {
                args.b = packed + at;
                args.out = columns + row * ld + at;
                args.init = k == 0 ? zeros<T>() : args.out;
                args.init_ld = k == 0 ? 0 : ld;
                tile_kernel<T>(height, std::min<int64_t>(kTileVectors, (ld - at) / kLanes<T>), true)(args);
              }
            }
          }
          add_columns(s, block, first, first + rows, columns, ld, image);
        }
      }
    }
  });
}

// sums[r][t] += rows r of dy times columns t, over `length` positions; both `ld` apart.
template <class T, int kRows, int kColumns>
void add_products(int64_t length, const T* dy, const T* columns, int64_t ld, T* sums, int64_t sums_ld) {
  simd::Vec<T> acc[kRows][kColumns] = {};
  for (int64_t at = 0; at < length; at += kLanes<T>) {
    simd::Vec<T> right[kColumns];
#pragma GCC unroll 4
    for (int t = 0; t < kColumns; ++t) right[t] = simd::load(columns + t * ld + at);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const simd::Vec<T> left = simd::load(dy + r * ld + at);
#pragma GCC unroll 4
      for (int t = 0; t < kColumns; ++t) acc[r][t] = simd::fma(left, right[t], acc[r][t]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int t = 0; t < kColumns; ++t) sums[r * sums_ld + t] += simd::sum<T>(acc[r][t]);
  }
}

#if defined(__AVX512F__)
constexpr int kRowsAtOnce = 4;  // times four columns: 16 sums in 32 registers
#else
constexpr int kRowsAtOnce = 2;
#endif

template <class T>
void multiply_rows(int64_t rows, int64_t taps, const T* dy, const T* columns, int64_t ld, T* sums,
                   int64_t sums_ld) {
  for (int64_t r = 0; r < rows;) {
    const bool many = r + kRowsAtOnce <= rows;
    for (int64_t t = 0; t < taps;) {
      const bool wide = t + 4 <= taps;
      const auto add = many ? (wide ? add_products<T, kRowsAtOnce, 4> : add_products<T, kRowsAtOnce, 1>)
                            : (wide ? add_products<T, 1, 4> : add_products<T, 1, 1>);
      add(ld, dy + r * ld, columns + t * ld, ld, sums + r * sums_ld + t, sums_ld);
      t += wide ? 4 : 1;
    }
    r += many ? kRowsAtOnce : 1;
  }
}

// The weight gradient in items of a group, a range of its taps and a chunk of the samples, `together` of them in a block.
template <class T>
struct Cut {
  explicit Cut(const ConvShape& s) {
    const int64_t all = s.group_in() * s.kh * s.kw, plane = s.h_out * s.w_out;
    ranges = ceil_div(all, kTaps<T>);
    taps = ceil_div(all, ranges);
    ranges = ceil_div(all, taps);
    together = std::clamp<int64_t>(kPositions / plane, 1, s.n);
    const int64_t most = std::min(ceil_div(16, s.groups * ranges), ceil_div(s.n, together));
    samples = ceil_div(ceil_div(s.n, most), together) * together;
    chunks = ceil_div(s.n, samples);
  }
  int64_t ranges, taps, together, samples, chunks;
};

template <class T>
void weight_grad(const ConvShape& s, const T* x, const T* dy, T* dw, T* workspace) {
  const Cut<T> cut(s);
  const Blocks blocks(s);
  const int64_t taps = s.group_in() * s.kh * s.kw, in = s.c_in * s.h_in * s.w_in, depth = s.group_out();
  const int64_t plane = s.h_out * s.w_out, elements = s.weights();
  T* const parts = cut.chunks > 1 ? workspace : dw;
  const int64_t products = cut.samples * plane * cut.taps * depth;
  parallel_for(cut.chunks * s.groups * cut.ranges, grain(products), [&](int64_t begin, int64_t end) {
    T* columns = static_cast<T*>(thread_scratch());
    T* packed = columns + kTaps<T> * kPositions;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % cut.ranges * cut.taps, last = std::min(first + cut.taps, taps);
      const int64_t group = i / cut.ranges % s.groups, chunk = i / cut.ranges / s.groups;
      T* sums = parts + chunk * elements + group * depth * taps + first;
      for (int64_t row = 0; row < depth; ++row) std::fill_n(sums + row * taps, last - first, T(0));
      const int64_t sample_end = std::min((chunk + 1) * cut.samples, s.n);
      for (int64_t sample = chunk * cut.samples; sample < sample_end; sample += cut.together) {
        const int64_t together = std::min(cut.together, sample_end - sample);
        for (int64_t b = 0; b < blocks.count; ++b) {
          const Block block = blocks.at(s, b);
          const int64_t positions = block.positions(), ld = padded<T>(together * positions);
          for (int64_t n = 0; n < together; ++n) {
            fill_columns(s, block, first, last,
                         x + (sample + n) * in + group * s.group_in() * s.h_in * s.w_in,
                         columns + n * positions, ld);
          }
          zero_tails(last - first, together * positions, columns, ld);
          for (int64_t k = 0; k < depth; k += kDepth) {
            const int64_t rows = std::min(kDepth, depth - k);
            pack_rows(s, block, together, k, k + rows, dy + (sample * s.c_out + group * depth) * plane,
                      packed, ld);
            multiply_rows(rows, last - first, packed, columns, ld, sums + k * taps, taps);
          }
        }
      }
    }
  });
  if (cut.chunks == 1) return;
  parallel_for(elements, 16384, [&](int64_t begin, int64_t end) {
    std::copy(parts + begin, parts + end, dw + begin);
    for (int64_t chunk = 1; chunk < cut.chunks; ++chunk) {
      const T* part = parts + chunk * elements;
      for (int64_t i = begin; i < end; ++i) dw[i] += part[i];
    }
  });
}

}  // namespace

template <class T>
size_t conv_general_workspace(const ConvShape& s, ConvPass pass) {
  if (pass != ConvPass::kWeightGrad) return 0;
  const Cut<T> cut(s);
  return cut.chunks > 1 ? static_cast<size_t>(cut.chunks * s.weights()) * sizeof(T) : 0;
}

template <class T>
void conv_general(const ConvShape& s, ConvPass pass, const T* first, const T* second, const T* bias, T* out,
                  T* workspace) {
  switch (pass) {
    case ConvPass::kForward:
      return forward(s, first, second, bias, out);
    case ConvPass::kInputGrad:
      return input_grad(s, first, second, bias, out);
    case ConvPass::kWeightGrad:
      return weight_grad(s, first, second, out, workspace);
  }
}

#define DUEL_INSTANTIATE(T)                                              \
  template size_t conv_general_workspace<T>(const ConvShape&, ConvPass); \
  template void conv_general<T>(const ConvShape&, ConvPass, const T*, const T*, const T*, T*, T*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels::host
