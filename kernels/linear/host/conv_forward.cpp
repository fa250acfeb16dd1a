// Convolution on the host: y = w * windows of x, from tiles (kernels/linear/host/tile.h).
//
// The columns of the right operand are all output positions of the whole batch, (sample, p, q); its rows are
// the taps (channel, i, j). A panel of columns is packed straight from x: for one tap, the positions of one
// output row are neighbours in x (with stride 2, every second element), so a masked load brings up to a
// vector of them. The left operand is w, packed once per call.
#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/tile.h"

namespace duel::kernels::host {
namespace {

using simd::kLanes;
using simd::Mask;

// Neighbouring positions of one output row, packed with one load.
struct Run {
  int64_t sample;    // offset of the sample in x
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
  Panel(const ConvShape& s, int64_t first) {
    const int64_t plane = s.h_out * s.w_out;
    columns = std::min(kPanel<T>, s.n * plane - first);
    width = ceil_div(columns, kLanes<T>) * kLanes<T>;
    const int64_t longest = s.stride_w == 1 ? kLanes<T> : s.stride_w == 2 ? kLanes<T> / 2 : kPanel<T>;
    for (int64_t at = 0; at < columns;) {
      const int64_t sample = (first + at) / plane, position = (first + at) % plane;
      const int64_t p = position / s.w_out, q = position % s.w_out;
      const int64_t count = std::min({s.w_out - q, columns - at, longest});
      runs[run_count++] = {sample * s.c_in * s.h_in * s.w_in, p * s.stride_h - s.pad_h,
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
  Run runs[kPanel<T>];
  Piece pieces[kPanel<T>];
};

// One run of one tap (i, j), the same for every channel.
struct Move {
  int64_t from;  // offset in x, for channel 0
  int32_t to;    // offset in the packed taps of one channel
  Mask mask;     // lanes inside of the image
};
constexpr int64_t kMoves = 512;

// The moves of taps [first, last) of one channel.
template <class T>
int plan_moves(const ConvShape& s, const Panel<T>& panel, int64_t first, int64_t last, Move* moves) {
  int count = 0;
  for (int64_t tap = first; tap < last; ++tap) {
    const int64_t i = tap / s.kw, j = tap % s.kw;
    for (int r = 0; r < panel.run_count; ++r) {
      const Run& run = panel.runs[r];
      const int64_t row = run.row + i, col = run.col + j, span = (run.count - 1) * s.stride_w + 1;
      Mask mask = 0;
      if (row >= 0 && row < s.h_in && s.stride_w <= 2) {
        mask = simd::lanes_between(std::max<int64_t>(0, -col), std::clamp<int64_t>(s.w_in - col, 0, span));
      }
      moves[count++] = {run.sample + row * s.w_in + col,
                        static_cast<int32_t>((tap - first) * panel.width + run.at), mask};
    }
  }
  return count;
}

// A vector may run over the end of its run, or of its row: the next run, or the next row, is written later.
// So `to` needs a vector more than its rows.
template <class T, int kStride>
void pack_channel(const Move* moves, int count, const T* x, T* to) {
  for (const Move* move = moves; move < moves + count; ++move) {
    const simd::Vec<T> value = simd::load_masked(x + move->from, move->mask);
    if constexpr (kStride == 2) {
      simd::store_half(to + move->to, simd::even_lanes<T>(value));
    } else {
      simd::store(to + move->to, value);
    }
  }
}

// The same for any stride, element by element.
template <class T>
void pack_elements(const ConvShape& s, const Panel<T>& panel, int64_t first, int64_t last, const T* x,
                   T* to) {
  for (int64_t tap = first; tap < last; ++tap, to += panel.width) {
    for (int r = 0; r < panel.run_count; ++r) {
      const Run& run = panel.runs[r];
      const int64_t row = run.row + tap / s.kw;
      for (int64_t q = 0; q < run.count; ++q) {
        const int64_t col = run.col + tap % s.kw + q * s.stride_w;
        const bool inside = row >= 0 && row < s.h_in && col >= 0 && col < s.w_in;
        to[run.at + q] = inside ? x[run.sample + row * s.w_in + col] : T(0);
      }
    }
  }
}

// Taps [first, last) of all channels' taps.
template <class T>
void pack(const ConvShape& s, const Panel<T>& panel, int64_t first, int64_t last, const T* x, T* to) {
  const int64_t window = s.kh * s.kw, image = s.h_in * s.w_in;
  T* const packed = to;
  Move moves[kMoves];
  int count = 0;
  const bool one_plan = window * panel.run_count <= kMoves;
  if (one_plan) count = plan_moves(s, panel, 0, window, moves);
  const int64_t taps_per_plan = kMoves / panel.run_count;
  for (int64_t at = first; at < last;) {
    const int64_t tap = at % window;
    const T* channel = x + at / window * image;
    int64_t end = std::min(window, tap + last - at);
    if (!one_plan) end = std::min(end, tap + taps_per_plan);
    for (int i = 0; i < panel.piece_count; ++i) {
      simd::prefetch(channel + panel.pieces[i].sample * s.c_in * image + 2 * image, image);
    }
    if (s.stride_w > 2) {
      pack_elements(s, panel, tap, end, channel, to);
    } else {
      const bool whole = one_plan && tap == 0 && end == window;
      Move part[kMoves];
      const int part_count = whole ? count : plan_moves(s, panel, tap, end, part);
      (s.stride_w == 1 ? pack_channel<T, 1> : pack_channel<T, 2>)(whole ? moves : part, part_count, channel,
                                                                  to);
    }
    to += (end - tap) * panel.width;
    at += end - tap;
  }
  for (T* row = packed; panel.columns < panel.width && row < to; row += panel.width) {
    std::fill(row + panel.columns, row + panel.width, T(0));
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
size_t conv_forward_workspace(const ConvShape& s) {
  return static_cast<size_t>(s.c_out * s.c_in * s.kh * s.kw) * sizeof(T);
}

template <class T>
void conv_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y, T* workspace) {
  const int64_t taps = s.c_in * s.kh * s.kw, plane = s.h_out * s.w_out;
  constexpr int64_t kDepth = static_cast<int64_t>(kScratchBytes / sizeof(T)) / kPanel<T> - 1;
  const int64_t tiles = row_tiles(s.c_out);
  const int64_t panels = ceil_div(s.n * plane, kPanel<T>);
  parallel_for(tiles, std::max<int64_t>(1, 32768 / (taps * kTileRows)), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t row = row_cut(s.c_out, t, tiles), rows = row_cut(s.c_out, t + 1, tiles) - row;
      pack_left(w + row * taps, taps, false, rows, taps, workspace + row * taps);
    }
  });
  const int64_t grain = std::max<int64_t>(1, 400'000 / (taps * s.c_out * kPanel<T>));
  parallel_for(panels, grain, [&](int64_t begin, int64_t end) {
    T* packed = static_cast<T*>(thread_scratch());
    alignas(64) T buffer[kTileRows * kPanel<T>];
    for (int64_t index = begin; index < end; ++index) {
      const Panel<T> panel(s, index * kPanel<T>);
      const bool straight = panel.piece_count == 1 && panel.columns == panel.width;
      for (int64_t first = 0; first < taps; first += kDepth) {
        TileArgs<T> args;
        args.steps = std::min(kDepth, taps - first);
        pack(s, panel, first, first + args.steps, x, packed);
        args.b = packed;
        args.b_ld = panel.width;
        for (int64_t t = 0; t < tiles; ++t) {
          const int64_t row = row_cut(s.c_out, t, tiles), rows = row_cut(s.c_out, t + 1, tiles) - row;
          args.a = workspace + row * taps + first * rows;
          args.a_ld = rows;
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
          tile_kernel<T>(rows, panel.width / kLanes<T>, true)(args);
          if (!straight) exchange<T, false>(s, panel, row, rows, buffer, y);
        }
      }
    }
  });
}
template size_t conv_forward_workspace<float>(const ConvShape&);
template size_t conv_forward_workspace<double>(const ConvShape&);
template void conv_forward<float>(const ConvShape&, const float*, const float*, const float*, float*, float*);
template void conv_forward<double>(const ConvShape&, const double*, const double*, const double*, double*,
                                   double*);

}  // namespace duel::kernels::host
