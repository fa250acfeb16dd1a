// Input gradient of a convolution on the host, which is also the forward of a transposed convolution.
//
// Two steps on pieces that stay in the core's cache: columns[channel, i, j][position] = w^T dy from tiles
// (kernels/tile.h; w as it lies is the transposed left operand, dy the right one), then every element of dx gathers
// its columns. A slab is the set of positions of one such piece: some whole samples, so that little of the last
// vector is lost, or some output rows of one sample where a sample's columns would not fit.
#include <algorithm>

#include "duel/kernels/conv_host.h"
#include "duel/kernels/parallel.h"
#include "duel/kernels/tile.h"

namespace duel::kernels::host {
namespace {

using simd::kLanes;
using simd::Mask;

// The thread's scratch: a packed panel of dy, and the columns.
template <class T>
constexpr int64_t kPanelDepth = 64 * 1024 / sizeof(T) / kPanel<T>;
template <class T>
constexpr int64_t kColumnElements = (kScratchBytes - 64 * 1024) / sizeof(T);

template <class T>
struct Plan {
  int64_t channels;  // of dx per range
  int64_t rows;      // of the columns: channels * kh * kw, for a full block
  int64_t samples;   // per slab
  int64_t bands;     // output rows per slab; h_out where the slab holds whole samples
  bool in_place;     // dy is read where it lies
};

template <class T>
Plan<T> plan(const ConvShape& s) {
  Plan<T> p;
  const int64_t window = s.kh * s.kw, plane = s.h_out * s.w_out;
  const int64_t most_rows = std::min<int64_t>(128, kColumnElements<T> / (s.w_out + kLanes<T>));
  p.channels = std::clamp<int64_t>(most_rows / window, 1, s.c_in);
  p.rows = p.channels * window;
  const int64_t room = kColumnElements<T> / p.rows - kLanes<T>;
  p.bands = std::clamp<int64_t>(room / s.w_out, 1, s.h_out);
  p.samples = 1;
  // Few rows do not pay for a copy of dy.
  p.in_place = row_tiles(p.rows) <= 2 && plane >= kLanes<T>;
  if (p.in_place || p.bands < s.h_out) return p;
  double best = 0;
  for (int64_t samples = 1;
       samples <= s.n && samples * plane <= std::max<int64_t>(plane, std::min<int64_t>(room, 640));
       ++samples) {
    const int64_t used = samples * plane;
    const double fill = static_cast<double>(used) / (ceil_div(used, kLanes<T>) * kLanes<T>);
    if (fill > best + 0.005) {
      best = fill;
      p.samples = samples;
    }
  }
  return p;
}

struct Slab {
  int64_t sample, samples, p0, p1;
  int64_t positions(const ConvShape& s) const { return samples * (p1 - p0) * s.w_out; }
};

// Positions [column, column + width) of the slab for output channels [first, last), 0 behind its end.
template <class T>
void pack(const ConvShape& s, const Slab& slab, const T* dy, int64_t column, int64_t width, int64_t first,
          int64_t last, T* to) {
  const int64_t plane = s.h_out * s.w_out, per_sample = (slab.p1 - slab.p0) * s.w_out;
  const int64_t columns = std::min(width, slab.positions(s) - column);
  // A vector may run over the end of its piece, or of its row: what follows is written later.
  for (int64_t channel = first; channel < last; ++channel, to += width) {
    for (int64_t at = 0; at < columns;) {
      const int64_t sample = (column + at) / per_sample, position = (column + at) % per_sample;
      const int64_t count = std::min({columns - at, per_sample - position, int64_t{kLanes<T>}});
      const T* from =
          dy + ((slab.sample + sample) * s.c_out + channel) * plane + slab.p0 * s.w_out + position;
      simd::store(to + at, simd::load_masked(from, simd::lanes_between(0, count)));
      at += count;
    }
    for (int64_t at = columns; at < width; ++at) to[at] = T(0);
  }
}

// columns[row][ld] for `rows` rows of w from `w` on.
template <class T>
void make_columns(const ConvShape& s, const Slab& slab, bool in_place, const T* dy, const T* w, int64_t rows,
                  T* packed, T* columns, int64_t ld) {
  const int64_t positions = slab.positions(s), plane = s.h_out * s.w_out, w_ld = s.c_in * s.kh * s.kw;
  const int64_t tiles = row_tiles(rows);
  for (int64_t column = 0; column < positions; column += kPanel<T>) {
    const int64_t vectors = std::min<int64_t>(kTileVectors, ceil_div(positions - column, kLanes<T>));
    const int64_t width = vectors * kLanes<T>;
    for (int64_t first = 0; first < s.c_out; first += kPanelDepth<T>) {
      TileArgs<T> args;
      args.steps = std::min(kPanelDepth<T>, s.c_out - first);
      int64_t start = column;
      if (in_place) {
        // The last panel is shifted back to end with dy's row; the columns that it repeats come out the same.
        start = std::min(column, positions - width);
        args.b = dy + (slab.sample * s.c_out + first) * plane + slab.p0 * s.w_out + start;
        args.b_ld = plane;
      } else {
        pack(s, slab, dy, column, width, first, first + args.steps, packed);
        args.b = packed;
        args.b_ld = width;
      }
      args.a_ld = w_ld;
      args.out_ld = ld;
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t row = row_cut(rows, t, tiles);
        args.a = w + first * w_ld + row;
        args.out = columns + row * ld + start;
        args.init = first == 0 ? zeros<T>() : args.out;
        args.init_ld = first == 0 ? 0 : ld;
        tile_kernel<T>(row_cut(rows, t + 1, tiles) - row, vectors, true)(args);
      }
    }
  }
}

// One tap column j: it feeds the elements w = stride * t + phase of dx from the positions q = t + shift.
struct Tap {
  int64_t j, phase, shift;
  Mask mask;
};

// The rows of dx that the slab's output rows of one sample reach, for one channel; columns point at that sample.
template <class T>
void gather(const ConvShape& s, const Slab& slab, const T* columns, int64_t ld, T bias, bool add, T* dx) {
  constexpr int kTaps = 16;
  const int64_t last_t = ceil_div(s.w_in, s.stride_w);
  const bool whole = slab.p0 == 0 && slab.p1 == s.h_out;
  const int64_t h0 = whole ? 0 : std::max<int64_t>(0, slab.p0 * s.stride_h - s.pad_h);
  const int64_t h1 = whole ? s.h_in : std::min(s.h_in, (slab.p1 - 1) * s.stride_h - s.pad_h + s.kh);
  for (int64_t t = 0; t < last_t; t += kLanes<T>) {
    for (int64_t j0 = 0; j0 < s.kw; j0 += kTaps) {
      Tap taps[kTaps];
      const int count = static_cast<int>(std::min<int64_t>(kTaps, s.kw - j0));
      for (int j = 0; j < count; ++j) {
        Tap& tap = taps[j];
        tap.j = j0 + j;
        tap.phase = ((tap.j - s.pad_w) % s.stride_w + s.stride_w) % s.stride_w;
        tap.shift = (tap.phase + s.pad_w - tap.j) / s.stride_w + t;
        tap.mask = simd::lanes_between(std::clamp<int64_t>(-tap.shift, 0, kLanes<T>),
                                       std::clamp<int64_t>(s.w_out - tap.shift, 0, kLanes<T>));
      }
      const bool add_here = add || j0 > 0;
      for (int64_t h = h0; h < h1; ++h) {
        T* row = dx + h * s.w_in + t * s.stride_w;
        const auto phase_sum = [&](int64_t phase) {
          simd::Vec<T> acc = simd::broadcast(add_here ? T(0) : bias);
          for (int64_t i = (h + s.pad_h) % s.stride_h; i < s.kh; i += s.stride_h) {
            const int64_t p = (h + s.pad_h - i) / s.stride_h;
            if (h + s.pad_h < i || p < slab.p0 || p >= slab.p1) continue;
            const T* line = columns + i * s.kw * ld + (p - slab.p0) * s.w_out;
            for (int j = 0; j < count; ++j) {
              if (taps[j].phase != phase) continue;
              acc += simd::load_masked(line + taps[j].j * ld + taps[j].shift, taps[j].mask);
            }
          }
          return acc;
        };
        const int64_t left = s.w_in - t * s.stride_w;
        if (s.stride_w <= 2) {
          simd::Vec<T> values[2] = {phase_sum(0), {}};
          if (s.stride_w == 2) {
            const simd::Vec<T> odd = phase_sum(1);
            values[1] = simd::interleave<T>(values[0], odd, 1);
            values[0] = simd::interleave<T>(values[0], odd, 0);
          }
          for (int64_t v = 0; v < s.stride_w; ++v) {
            const Mask mask = simd::lanes_between(0, std::clamp<int64_t>(left - v * kLanes<T>, 0, kLanes<T>));
            T* at = row + v * kLanes<T>;
            if (add_here) values[v] += simd::load_masked(at, mask);
            simd::store_masked(at, values[v], mask);
          }
        } else {
          for (int64_t phase = 0; phase < s.stride_w; ++phase) {
            const simd::Vec<T> value = phase_sum(phase);
            for (int64_t lane = 0; lane < kLanes<T> && lane * s.stride_w + phase < left; ++lane) {
              T& at = row[lane * s.stride_w + phase];
              at = add_here ? at + value[lane] : value[lane];
            }
          }
        }
      }
    }
  }
}

}  // namespace

template <class T>
void conv_input_grad(const ConvShape& s, const T* dy, const T* w, const T* bias, T* dx) {
  const Plan<T> p = plan<T>(s);
  DUEL_CHECK(p.rows * (s.w_out + kLanes<T>) <= kColumnElements<T>, "conv2d_input_grad",
             "expected kernel area times output width of at most about {}, got kernel {}x{}, output width {}",
             kColumnElements<T>, s.kh, s.kw, s.w_out);
  const int64_t window = s.kh * s.kw, plane = s.h_in * s.w_in;
  const int64_t slabs = ceil_div(s.n, p.samples), blocks = ceil_div(s.c_in, p.channels);
  const int64_t products = p.samples * s.h_out * s.w_out * s.c_out * p.rows;
  parallel_for(slabs * blocks, std::max<int64_t>(1, 400'000 / products), [&](int64_t begin, int64_t end) {
    T* packed = static_cast<T*>(thread_scratch());
    T* columns = packed + kPanelDepth<T> * kPanel<T> + kLanes<T>;
    for (int64_t index = begin; index < end; ++index) {
      const int64_t channel = index % blocks * p.channels;
      const int64_t channels = std::min(p.channels, s.c_in - channel);
      Slab slab{index / blocks * p.samples, 0, 0, 0};
      slab.samples = std::min(p.samples, s.n - slab.sample);
      const bool banded = p.bands < s.h_out;
      if (banded) {
        T* first = dx + (slab.sample * s.c_in + channel) * plane;
        for (int64_t c = 0; c < channels; ++c) {
          std::fill(first + c * plane, first + (c + 1) * plane, bias ? bias[channel + c] : T(0));
        }
      }
      for (slab.p0 = 0; slab.p0 < s.h_out; slab.p0 = slab.p1) {
        slab.p1 = std::min(slab.p0 + p.bands, s.h_out);
        const int64_t positions = slab.positions(s);
        const int64_t ld = ceil_div(positions, kLanes<T>) * kLanes<T>;
        make_columns(s, slab, p.in_place && positions >= kPanel<T>, dy, w + channel * window,
                     channels * window, packed, columns, ld);
        for (int64_t sample = 0; sample < slab.samples; ++sample) {
          for (int64_t c = 0; c < channels; ++c) {
            gather(s, slab, columns + c * window * ld + sample * (positions / slab.samples), ld,
                   bias ? bias[channel + c] : T(0), banded,
                   dx + ((slab.sample + sample) * s.c_in + channel + c) * plane);
          }
        }
      }
    }
  });
}
template void conv_input_grad<float>(const ConvShape&, const float*, const float*, const float*, float*);
template void conv_input_grad<double>(const ConvShape&, const double*, const double*, const double*, double*);

}  // namespace duel::kernels::host
