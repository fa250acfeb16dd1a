// Input gradient of a convolution on the host, which is also the forward of a transposed convolution.
//
// Two steps on pieces that stay in the core's cache: columns[channel, i, j][position] = w^T dy from tiles
// (kernels/linear/host/tile.h; w is the transposed left operand, dy the right one), then every element of dx
// gathers its columns. A slab is the set of positions of one such piece: some whole samples, so that little
// of the last vector is lost, or some output rows of one sample where a sample's columns would not fit.
#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/tile.h"

namespace duel::kernels::host {
namespace {

using simd::kLanes;
using simd::Mask;

// The thread's scratch holds the columns.
template <class T>
constexpr int64_t kColumnElements = kScratchBytes / sizeof(T);

template <class T>
struct Plan {
  int64_t channels;  // of dx per range
  int64_t rows;      // of the columns: channels * kh * kw, for a full block
  int64_t samples;   // per slab
  int64_t bands;     // output rows per slab; h_out where the slab holds whole samples
  int64_t slabs, bands_per_slab;
  bool pack_w;   // into the workspace: [block of channels][tile][c_out][rows of the tile]
  bool pack_dy;  // into the workspace: [slab][band][panel][c_out][columns of the panel]
  int64_t slab_elements;
};

template <class T>
Plan<T> plan(const ConvShape& s) {
  Plan<T> p;
  const int64_t window = s.kh * s.kw, plane = s.h_out * s.w_out;
  const int64_t most_rows = std::min<int64_t>(64, kColumnElements<T> / (s.w_out + kLanes<T>));
  p.channels = std::clamp<int64_t>(most_rows / window, 1, s.c_in);
  (void)most_rows;
  p.rows = p.channels * window;
  p.pack_w = p.channels < s.c_in;
  const int64_t room = kColumnElements<T> / p.rows - kLanes<T>;
  p.bands = std::clamp<int64_t>(room / s.w_out, 1, s.h_out);
  p.samples = 1;
  // Few rows do not pay for a copy of dy.
  p.pack_dy = s.c_in * window > 2 * kTileRows || p.bands < s.h_out || plane < kPanel<T>;
  if (p.pack_dy && p.bands == s.h_out) {
    double best = 0;
    const int64_t most = std::min<int64_t>(room, 640) / plane;
    for (int64_t samples = 1; samples <= std::clamp<int64_t>(most, 1, s.n); ++samples) {
      const int64_t used = samples * plane;
      const double fill = static_cast<double>(used) / (ceil_div(used, kLanes<T>) * kLanes<T>);
      if (fill > best + 0.005) {
        best = fill;
        p.samples = samples;
      }
    }
  }
  p.slabs = ceil_div(s.n, p.samples);
  p.bands_per_slab = ceil_div(s.h_out, p.bands);
  // A vector more, because packing writes whole vectors.
  p.slab_elements = ceil_div(p.samples * p.bands * s.w_out, kLanes<T>) * kLanes<T> * s.c_out + kLanes<T>;
  return p;
}

// Output rows [p0, p1) of some samples.
struct Slab {
  int64_t sample, samples, p0, p1;
  int64_t positions(const ConvShape& s) const { return samples * (p1 - p0) * s.w_out; }
};

template <class T>
Slab slab_of(const ConvShape& s, const Plan<T>& p, int64_t slab, int64_t band) {
  const int64_t sample = slab * p.samples, row = band * p.bands;
  return {sample, std::min(p.samples, s.n - sample), row, std::min(row + p.bands, s.h_out)};
}

// The slab's panels [c_out][columns] one after the other, zeros behind the last column; writes a vector more.
template <class T>
void pack(const ConvShape& s, const Slab& slab, const T* dy, T* to) {
  struct Piece {
    int64_t from, at;
    Mask mask;
  };
  const int64_t plane = s.h_out * s.w_out, per_sample = (slab.p1 - slab.p0) * s.w_out;
  const int64_t positions = slab.positions(s);
  for (int64_t column = 0; column < positions; column += kPanel<T>) {
    const int64_t columns = std::min(kPanel<T>, positions - column);
    const int64_t width = ceil_div(columns, kLanes<T>) * kLanes<T>;
    Piece pieces[kPanel<T>];
    int count = 0;
    for (int64_t at = 0; at < columns;) {
      const int64_t sample = (column + at) / per_sample, position = (column + at) % per_sample;
      const int64_t length = std::min({columns - at, per_sample - position, int64_t{kLanes<T>}});
      pieces[count++] = {(slab.sample + sample) * s.c_out * plane + slab.p0 * s.w_out + position, at,
                         simd::lanes_between(0, length)};
      at += length;
    }
    // A vector may run over the end of its piece, or of its row: what follows is written later.
    for (int64_t channel = 0; channel < s.c_out; ++channel, to += width) {
      for (int i = 0; i < count; ++i) {
        simd::store(to + pieces[i].at,
                    simd::load_masked(dy + channel * plane + pieces[i].from, pieces[i].mask));
      }
      for (int64_t at = columns; at < width; ++at) to[at] = T(0);
    }
  }
}

// columns[row][ld] for `rows` rows of w, packed or as it lies, and a slab of dy, packed or as it lies.
template <class T>
void make_columns(const ConvShape& s, const Slab& slab, const T* dy, const T* packed_dy, const T* w,
                  const T* packed_w, int64_t rows, T* columns, int64_t ld) {
  const int64_t positions = slab.positions(s), plane = s.h_out * s.w_out, w_ld = s.c_in * s.kh * s.kw;
  const int64_t tiles = row_tiles(rows);
  for (int64_t column = 0; column < positions; column += kPanel<T>) {
    const int64_t vectors = std::min<int64_t>(kTileVectors, ceil_div(positions - column, kLanes<T>));
    const int64_t width = vectors * kLanes<T>;
    int64_t start = column;
    TileArgs<T> args;
    args.steps = s.c_out;
    args.init = zeros<T>();
    args.out_ld = ld;
    if (packed_dy) {
      args.b = packed_dy + column * s.c_out;
      args.b_ld = width;
    } else {
      // The last panel is shifted back to end with dy's row; the columns that it repeats come out the same.
      start = std::min(column, positions - width);
      args.b = dy + slab.sample * s.c_out * plane + slab.p0 * s.w_out + start;
      args.b_ld = plane;
    }
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t row = row_cut(rows, t, tiles), height = row_cut(rows, t + 1, tiles) - row;
      args.a = packed_w ? packed_w + row * s.c_out : w + row;
      args.a_ld = packed_w ? height : w_ld;
      args.out = columns + row * ld + start;
      tile_kernel<T>(height, vectors, true)(args);
    }
  }
}

// One tap column j feeds the elements w = stride * t + phase of dx from the positions q = t + shift.
struct Tap {
  int64_t from;  // of the vector that starts at t, in the columns of row (i, 0)
  Mask mask;
};

// The taps of two phases (of the only one, with stride 1), for the vector of dx's columns that starts at t.
template <class T>
struct Phases {
  static constexpr int kTaps = 16;

  Phases(const ConvShape& s, int64_t t, int64_t j0, int64_t first_phase, int64_t ld) : first(first_phase) {
    for (int64_t j = j0; j < std::min(j0 + kTaps, s.kw); ++j) {
      const int64_t phase = ((j - s.pad_w) % s.stride_w + s.stride_w) % s.stride_w - first;
      if (phase < 0 || phase > 1) continue;
      const int64_t q = (first + phase + s.pad_w - j) / s.stride_w + t;
      taps[phase][count[phase]++] = {j * ld + q, lanes(-q, s.w_out - q)};
    }
    column = t * s.stride_w;
    left = s.w_in - column;
    for (int v = 0; v < 2; ++v) mask[v] = lanes(0, left - v * kLanes<T>);
  }
  static Mask lanes(int64_t begin, int64_t end) {
    return simd::lanes_between(std::clamp<int64_t>(begin, 0, kLanes<T>),
                               std::clamp<int64_t>(end, 0, kLanes<T>));
  }

  int64_t first, column, left;  // left: elements of dx's row from `column` on
  Mask mask[2];                 // of dx, two vectors from `column` on
  int count[2] = {0, 0};
  Tap taps[2][kTaps];
};

// Writes the two phases (with stride 1: the only one) of one vector to a row of dx.
template <class T>
DUEL_INLINE void put(const ConvShape& s, const Phases<T>& phases, const simd::Vec<T>* sums, bool add,
                     T* row) {
  if (s.stride_w > 2) {
    for (int64_t f = 0; f < 2 && phases.first + f < s.stride_w; ++f) {
      for (int64_t lane = 0; lane < kLanes<T> && lane * s.stride_w + phases.first + f < phases.left; ++lane) {
        T& at = row[lane * s.stride_w + phases.first + f];
        at = add ? at + sums[f][lane] : sums[f][lane];
      }
    }
    return;
  }
  simd::Vec<T> values[2] = {sums[0], sums[1]};
  if (s.stride_w == 2) {
    values[0] = simd::interleave<T, 0>(sums[0], sums[1]);
    values[1] = simd::interleave<T, 1>(sums[0], sums[1]);
  }
  for (int v = 0; v < s.stride_w && phases.mask[v] != 0; ++v) {
    T* at = row + v * kLanes<T>;
    if (add) values[v] += simd::load_masked(at, phases.mask[v]);
    simd::store_masked(at, values[v], phases.mask[v]);
  }
}

// Rows [h0, h1) of dx for one vector of columns; kCount: taps in each of the two phases, 0 for any number.
template <class T, int kCount>
void gather_rows(const ConvShape& s, const Slab& slab, const Phases<T>& phases, int64_t h0, int64_t h1,
                 const T* columns, int64_t ld, T bias, bool add, T* dx) {
  // Row h takes tap rows i = first_i, first_i + stride, … from output rows last_p, last_p - 1, …
  int64_t first_i = (h0 + s.pad_h) % s.stride_h, last_p = (h0 + s.pad_h) / s.stride_h;
  const simd::Vec<T> start = simd::broadcast(add ? T(0) : bias);
  const Phases<T> local = phases;  // in registers where kCount is known
  for (int64_t h = h0; h < h1; ++h) {
    simd::Vec<T> sums[2] = {start, start};
    for (int64_t i = first_i, p = last_p; i < s.kh && p >= slab.p0; i += s.stride_h, --p) {
      if (p >= slab.p1) continue;
      const T* line = columns + i * s.kw * ld + (p - slab.p0) * s.w_out;
#pragma GCC unroll 2
      for (int f = 0; f < 2; ++f) {
        const int count = kCount > 0 ? kCount : local.count[f];
#pragma GCC unroll 2
        for (int n = 0; n < count; ++n) {
          sums[f] += simd::load_masked(line + local.taps[f][n].from, local.taps[f][n].mask);
        }
      }
    }
    put(s, local, sums, add, dx + h * s.w_in + local.column);
    if (++first_i == s.stride_h) {
      first_i = 0;
      ++last_p;
    }
  }
}

// The rows of dx that the slab's output rows of one sample reach, for one channel; columns point at that
// sample. With `add` dx has a value already, else it starts from the bias.
template <class T>
void gather(const ConvShape& s, const Slab& slab, const T* columns, int64_t ld, T bias, bool add, T* dx) {
  const bool whole = slab.p0 == 0 && slab.p1 == s.h_out;
  const int64_t h0 = whole ? 0 : std::max<int64_t>(0, slab.p0 * s.stride_h - s.pad_h);
  const int64_t h1 = whole ? s.h_in : std::min(s.h_in, (slab.p1 - 1) * s.stride_h - s.pad_h + s.kh);
  for (int64_t t = 0; t * s.stride_w < s.w_in; t += kLanes<T>) {
    for (int64_t j0 = 0; j0 < s.kw; j0 += Phases<T>::kTaps) {
      for (int64_t phase = 0; phase < s.stride_w; phase += 2) {
        const Phases<T> phases(s, t, j0, phase, ld);
        const auto rows =
            phases.count[0] == 2 && phases.count[1] == 2 ? gather_rows<T, 2> : gather_rows<T, 0>;
        rows(s, slab, phases, h0, h1, columns, ld, bias, add || j0 > 0, dx);
      }
    }
  }
}

}  // namespace

template <class T>
size_t conv_input_grad_workspace(const ConvShape& s) {
  const Plan<T> p = plan<T>(s);
  const int64_t packed_w = p.pack_w ? s.c_out * s.c_in * s.kh * s.kw : 0;
  const int64_t packed_dy = p.pack_dy ? p.slabs * p.bands_per_slab * p.slab_elements : 0;
  return static_cast<size_t>(packed_w + packed_dy) * sizeof(T);
}

template <class T>
void conv_input_grad(const ConvShape& s, const T* dy, const T* w, const T* bias, T* dx, T* workspace) {
  const Plan<T> p = plan<T>(s);
  DUEL_CHECK(p.rows * (s.w_out + kLanes<T>) <= kColumnElements<T>, "conv2d_input_grad",
             "expected kernel area times output width of at most about {}, got kernel {}x{}, output width {}",
             kColumnElements<T>, s.kh, s.kw, s.w_out);
  const int64_t window = s.kh * s.kw, plane = s.h_in * s.w_in, w_ld = s.c_in * window;
  const int64_t blocks = ceil_div(s.c_in, p.channels);
  // Packed dy first, its panels aligned like the workspace.
  T* const packed_dy = p.pack_dy ? workspace : nullptr;
  T* const packed_w =
      p.pack_w ? workspace + (p.pack_dy ? p.slabs * p.bands_per_slab * p.slab_elements : 0) : nullptr;
  if (packed_dy) {
    parallel_for(p.slabs * p.bands_per_slab, std::max<int64_t>(1, 32768 / p.slab_elements),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const Slab slab = slab_of(s, p, i / p.bands_per_slab, i % p.bands_per_slab);
                     pack(s, slab, dy, packed_dy + i * p.slab_elements);
                   }
                 });
  }
  if (packed_w) {
    parallel_for(blocks, std::max<int64_t>(1, 32768 / (p.rows * s.c_out)), [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * p.rows, rows = std::min(p.rows, w_ld - first), tiles = row_tiles(rows);
        for (int64_t t = 0; t < tiles; ++t) {
          const int64_t row = first + row_cut(rows, t, tiles),
                        height = first + row_cut(rows, t + 1, tiles) - row;
          pack_left(w + row, w_ld, true, height, s.c_out, packed_w + row * s.c_out);
        }
      }
    });
  }
  const int64_t products = p.samples * s.h_out * s.w_out * s.c_out * p.rows;
  parallel_for(p.slabs * blocks, std::max<int64_t>(1, 400'000 / products), [&](int64_t begin, int64_t end) {
    T* columns = static_cast<T*>(thread_scratch());
    for (int64_t index = begin; index < end; ++index) {
      const int64_t channel = index % blocks * p.channels;
      const int64_t channels = std::min(p.channels, s.c_in - channel);
      for (int64_t band = 0; band < p.bands_per_slab; ++band) {
        const Slab slab = slab_of(s, p, index / blocks, band);
        const int64_t positions = slab.positions(s), ld = ceil_div(positions, kLanes<T>) * kLanes<T>;
        const int64_t at = (index / blocks * p.bands_per_slab + band) * p.slab_elements;
        make_columns(s, slab, dy, packed_dy ? packed_dy + at : nullptr, w + channel * window,
                     packed_w ? packed_w + channel * window * s.c_out : nullptr, channels * window, columns,
                     ld);
        T* first = dx + (slab.sample * s.c_in + channel) * plane;
        if (p.bands_per_slab > 1 && band == 0) {
          for (int64_t c = 0; c < channels; ++c) {
            std::fill(first + c * plane, first + (c + 1) * plane, bias ? bias[channel + c] : T(0));
          }
        }
        for (int64_t sample = 0; sample < slab.samples; ++sample) {
          for (int64_t c = 0; c < channels; ++c) {
            gather(s, slab, columns + c * window * ld + sample * (positions / slab.samples), ld,
                   bias ? bias[channel + c] : T(0), p.bands_per_slab > 1,
                   first + (sample * s.c_in + c) * plane);
          }
        }
      }
    }
  });
}
#define DUEL_INSTANTIATE(T)                                       \
  template size_t conv_input_grad_workspace<T>(const ConvShape&); \
  template void conv_input_grad<T>(const ConvShape&, const T*, const T*, const T*, T*, T*);
DUEL_INSTANTIATE(float)
DUEL_INSTANTIATE(double)
#undef DUEL_INSTANTIATE

}  // namespace duel::kernels::host
