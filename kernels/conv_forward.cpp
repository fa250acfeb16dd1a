// Convolution on the host: y = w * windows of x, from tiles (kernels/tile.h).
//
// The columns of the right operand are all output positions of the whole batch, (sample, p, q); its rows are the
// taps (channel, i, j). A panel of columns is packed straight from x: for one tap, the positions of one output row
// are neighbours in x (with stride 2, every second element), so a masked load brings up to a vector of them. The
// left operand is w as it lies.
#include <algorithm>

#include "duel/kernels/conv_host.h"
#include "duel/kernels/parallel.h"
#include "duel/kernels/tile.h"

namespace duel::kernels::host {
namespace {

using simd::kLanes;
using simd::Mask;

// Neighbouring positions of one output row, packed with one load.
template <class T>
struct Run {
  const T* x;        // first channel of the sample
  int64_t row, col;  // of tap (0, 0) of the first position; may lie outside of the image
  int64_t count;     // positions
  int64_t at;        // column of the panel
};

// Positions of one sample in a panel.
struct Piece {
  int64_t sample, position, count, at;
};

template <class T>
struct Panel {
  Panel(const ConvShape& s, const T* x, int64_t first) {
    const int64_t plane = s.h_out * s.w_out;
    columns = std::min(kPanel<T>, s.n * plane - first);
    width = ceil_div(columns, kLanes<T>) * kLanes<T>;
    const int64_t longest = s.stride_w == 1 ? kLanes<T> : s.stride_w == 2 ? kLanes<T> / 2 : kPanel<T>;
    for (int64_t at = 0; at < columns;) {
      const int64_t sample = (first + at) / plane, position = (first + at) % plane;
      const int64_t p = position / s.w_out, q = position % s.w_out;
      const int64_t count = std::min({s.w_out - q, columns - at, longest});
      runs[run_count++] = {x + sample * s.c_in * s.h_in * s.w_in, p * s.stride_h - s.pad_h,
                           q * s.stride_w - s.pad_w, count, at};
      if (piece_count > 0 && pieces[piece_count - 1].sample == sample) {
        pieces[piece_count - 1].count += count;
      } else {
        pieces[piece_count++] = {sample, position, count, at};
      }
      at += count;
    }
  }

  int64_t columns, width;
  int run_count = 0, piece_count = 0;
  Run<T> runs[kPanel<T>];
  Piece pieces[kPanel<T>];
};

// Taps [first, last) of the panel, one row of `width` each. A vector may run over the end of its run, or of its
// row: the next run, or the next row, is written later. So `to` needs a vector more than its rows.
template <class T>
void pack(const ConvShape& s, const Panel<T>& panel, int64_t first, int64_t last, T* to) {
  const int64_t window = s.kh * s.kw, plane = s.h_in * s.w_in;
  for (int64_t tap = first; tap < last; ++tap, to += panel.width) {
    const int64_t channel = tap / window, i = tap % window / s.kw, j = tap % s.kw;
    for (int r = 0; r < panel.run_count; ++r) {
      const Run<T>& run = panel.runs[r];
      const int64_t row = run.row + i, col = run.col + j;
      T* at = to + run.at;
      const T* from = run.x + channel * plane + row * s.w_in + col;
      const bool inside = row >= 0 && row < s.h_in;
      if (s.stride_w <= 2) {
        const int64_t span = (run.count - 1) * s.stride_w + 1;
        const Mask mask =
            inside ? simd::lanes_between(std::max<int64_t>(0, -col), std::min(span, s.w_in - col)) : Mask(0);
        simd::Vec<T> value = simd::load_masked(from, mask);
        if (s.stride_w == 2) value = simd::even_lanes<T>(value);
        simd::store(at, value);
      } else {
        for (int64_t q = 0; q < run.count; ++q) {
          const int64_t c = col + q * s.stride_w;
          at[q] = inside && c >= 0 && c < s.w_in ? from[q * s.stride_w] : T(0);
        }
      }
    }
    for (int64_t q = panel.columns; q < panel.width; ++q) to[q] = T(0);
  }
}

// Copies between rows of a tile and the places of its columns in y.
template <class T, bool kToTile>
void exchange(const ConvShape& s, const Panel<T>& panel, int64_t row, int64_t rows, T* tile, T* y) {
  const int64_t plane = s.h_out * s.w_out;
  for (int piece = 0; piece < panel.piece_count; ++piece) {
    const Piece& part = panel.pieces[piece];
    T* out = y + (part.sample * s.c_out + row) * plane + part.position;
    for (int64_t r = 0; r < rows; ++r) {
      T* in = tile + r * kPanel<T> + part.at;
      for (int64_t c = 0; c < part.count; c += kLanes<T>) {
        const Mask mask = simd::lanes_between(0, std::min<int64_t>(part.count - c, kLanes<T>));
        if constexpr (kToTile) {
          simd::store_masked(in + c, simd::load_masked(out + r * plane + c, mask), mask);
        } else {
          simd::store_masked(out + r * plane + c, simd::load_masked(in + c, mask), mask);
        }
      }
    }
  }
}

}  // namespace

template <class T>
void conv_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
  const int64_t taps = s.c_in * s.kh * s.kw, plane = s.h_out * s.w_out;
  constexpr int64_t kDepth = static_cast<int64_t>(kScratchBytes / sizeof(T)) / kPanel<T> - 1;
  const int64_t tiles = row_tiles(s.c_out);
  const int64_t panels = ceil_div(s.n * plane, kPanel<T>);
  const int64_t grain = std::max<int64_t>(1, 400'000 / (taps * s.c_out * kPanel<T>));
  parallel_for(panels, grain, [&](int64_t begin, int64_t end) {
    T* packed = static_cast<T*>(thread_scratch());
    alignas(64) T buffer[kTileRows * kPanel<T>];
    for (int64_t index = begin; index < end; ++index) {
      const Panel<T> panel(s, x, index * kPanel<T>);
      const bool straight = panel.piece_count == 1 && panel.columns == panel.width;
      for (int64_t first = 0; first < taps; first += kDepth) {
        TileArgs<T> args;
        args.steps = std::min(kDepth, taps - first);
        pack(s, panel, first, first + args.steps, packed);
        args.a_ld = taps;
        args.b = packed;
        args.b_ld = panel.width;
        for (int64_t t = 0; t < tiles; ++t) {
          const int64_t row = row_cut(s.c_out, t, tiles), rows = row_cut(s.c_out, t + 1, tiles) - row;
          args.a = w + row * taps + first;
          args.out = buffer;
          args.out_ld = kPanel<T>;
          if (straight) {
            args.out = y + (panel.pieces[0].sample * s.c_out + row) * plane + panel.pieces[0].position;
            args.out_ld = plane;
          }
          args.init = zeros<T>();
          args.init_ld = 0;
          if (first > 0) {
            if (!straight) exchange<T, true>(s, panel, row, rows, buffer, y);
            args.init = args.out;
            args.init_ld = args.out_ld;
          } else if (bias) {
            for (int64_t r = 0; r < rows; ++r) {
              for (int64_t c = 0; c < panel.width; c += kLanes<T>) {
                simd::store(buffer + r * kPanel<T> + c, simd::broadcast(bias[row + r]));
              }
            }
            args.init = buffer;
            args.init_ld = kPanel<T>;
          }
          tile_kernel<T>(rows, panel.width / kLanes<T>, false)(args);
          if (!straight) exchange<T, false>(s, panel, row, rows, buffer, y);
        }
      }
    }
  });
}
template void conv_forward<float>(const ConvShape&, const float*, const float*, const float*, float*);
template void conv_forward<double>(const ConvShape&, const double*, const double*, const double*, double*);

}  // namespace duel::kernels::host
