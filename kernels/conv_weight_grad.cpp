// Weight gradient of a convolution on the host: dw = dy * windows of x, summed over batch and positions, from tiles.
//
// The columns of the right operand are taps (channel, i, j), its rows the output positions (sample, p, q): each row
// of a window is a run of neighbours in x. The left operand is dy as it lies. A range owns one panel of taps for all
// samples; where there are few panels (one input channel has one), the batch is cut into fixed chunks whose partial
// sums are added in order.
#include <algorithm>

#include "duel/kernels/conv_host.h"
#include "duel/kernels/parallel.h"
#include "duel/kernels/tile.h"

namespace duel::kernels::host {
namespace {

using simd::kLanes;
using simd::Mask;

struct Cut {
  int64_t panels, chunks;
  int64_t chunk_samples;
  int64_t block_samples;  // packed at a time
};

template <class T>
Cut cut(const ConvShape& s) {
  Cut c;
  c.panels = ceil_div(s.c_in * s.kh * s.kw, kPanel<T>);
  const int64_t plane = s.h_out * s.w_out;
  // A chunk is worth its partial sums when each of them adds up some hundred products.
  const int64_t least = std::max<int64_t>(1, ceil_div(512, plane));
  c.chunk_samples = std::max(least, ceil_div(s.n, std::max<int64_t>(1, 16 / c.panels)));
  c.chunks = ceil_div(s.n, c.chunk_samples);
  c.block_samples = std::max<int64_t>(1, 1024 / plane);
  return c;
}

// Taps of one window row in a panel: channel, i, j .. j + count.
struct Run {
  int64_t channel, i, j, count, at;
};

template <class T>
struct Panel {
  Panel(const ConvShape& s, int64_t panel) {
    first = panel * kPanel<T>;
    columns = std::min(kPanel<T>, s.c_in * s.kh * s.kw - first);
    width = ceil_div(columns, kLanes<T>) * kLanes<T>;
    for (int64_t at = 0; at < columns;) {
      const int64_t tap = first + at, j = tap % s.kw;
      const int64_t count = std::min(s.kw - j, columns - at);
      runs[run_count++] = {tap / (s.kh * s.kw), tap / s.kw % s.kh, j, count, at};
      at += count;
    }
  }
  int64_t first, columns, width;
  int run_count = 0;
  Run runs[kPanel<T>];
};

// Output columns q in [0, w_out) whose whole run lies inside the image's columns.
void inner_columns(const ConvShape& s, const Run& run, int64_t* begin, int64_t* end) {
  const int64_t shift = run.j - s.pad_w;
  *begin = std::clamp<int64_t>(ceil_div(std::max<int64_t>(0, -shift), s.stride_w), 0, s.w_out);
  const int64_t last = s.w_in - run.count - shift;  // of q * stride_w
  *end = last < 0 ? *begin : std::clamp<int64_t>(last / s.stride_w + 1, *begin, s.w_out);
}

template <class T, int kCount>
void copy_runs(const T* from, int64_t step, int64_t count, T* to, int64_t width) {
  for (int64_t q = 0; q < count; ++q) std::memcpy(to + q * width, from + q * step, kCount * sizeof(T));
}

// Output columns [q0, q1) of one output row p of one run: pieces of run.count elements, `width` apart.
template <class T>
void pack_row(const ConvShape& s, const Run& run, int64_t p, int64_t q0, int64_t q1, const T* plane, T* to,
              int64_t width) {
  const int64_t row = p * s.stride_h - s.pad_h + run.i;
  to -= q0 * width;
  if (row < 0 || row >= s.h_in) {
    for (int64_t q = q0; q < q1; ++q) std::fill(to + q * width, to + q * width + run.count, T(0));
    return;
  }
  int64_t begin, end;
  inner_columns(s, run, &begin, &end);
  begin = std::clamp(begin, q0, q1);
  end = std::clamp(end, begin, q1);
  const T* from = plane + row * s.w_in + run.j - s.pad_w;
  const auto edge = [&](int64_t q) {
    const int64_t col = q * s.stride_w + run.j - s.pad_w;
    for (int64_t c = 0; c < run.count; ++c) {
      to[q * width + c] = col + c >= 0 && col + c < s.w_in ? from[q * s.stride_w + c] : T(0);
    }
  };
  for (int64_t q = q0; q < begin; ++q) edge(q);
  for (int64_t q = end; q < q1; ++q) edge(q);
  const T* inner = from + begin * s.stride_w;
  T* out = to + begin * width;
  switch (run.count) {
    case 3:
      return copy_runs<T, 3>(inner, s.stride_w, end - begin, out, width);
    case 4:
      return copy_runs<T, 4>(inner, s.stride_w, end - begin, out, width);
    case 5:
      return copy_runs<T, 5>(inner, s.stride_w, end - begin, out, width);
    default:
      for (int64_t q = 0; q < end - begin; ++q) {
        for (int64_t c = 0; c < run.count; ++c) out[q * width + c] = inner[q * s.stride_w + c];
      }
  }
}

// Output positions packed at a time: some samples, or some rows of one sample, or a part of one row.
struct Block {
  int64_t sample, samples, p0, p1, q0, q1;
};

template <class T>
void pack(const ConvShape& s, const Panel<T>& panel, const Block& block, const T* x, T* to) {
  for (int64_t n = block.sample; n < block.sample + block.samples; ++n) {
    for (int r = 0; r < panel.run_count; ++r) {
      const T* image = x + (n * s.c_in + panel.runs[r].channel) * s.h_in * s.w_in;
      T* at = to + panel.runs[r].at;
      for (int64_t p = block.p0; p < block.p1; ++p, at += (block.q1 - block.q0) * panel.width) {
        pack_row(s, panel.runs[r], p, block.q0, block.q1, image, at, panel.width);
      }
    }
    T* const end = to + (block.p1 - block.p0) * (block.q1 - block.q0) * panel.width;
    for (; to < end; to += panel.width) std::fill(to + panel.columns, to + panel.width, T(0));
  }
}

// Adds the products of one packed block to out[c_out][out_ld]; the first block sets it.
template <class T>
void add_block(const ConvShape& s, const Panel<T>& panel, const Block& block, const T* packed, const T* dy,
               bool first, T* out, int64_t out_ld) {
  const int64_t plane = s.h_out * s.w_out, tiles = row_tiles(s.c_out);
  const bool straight = panel.columns == panel.width;
  alignas(64) T buffer[kTileRows * kPanel<T>];
  TileArgs<T> args;
  args.steps = (block.p1 - block.p0) * (block.q1 - block.q0);
  args.segments = block.samples;
  args.a_ld = plane;
  args.a_segment = s.c_out * plane;
  args.b = packed;
  args.b_ld = panel.width;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row = row_cut(s.c_out, t, tiles), rows = row_cut(s.c_out, t + 1, tiles) - row;
    T* to = out + row * out_ld;
    args.a = dy + (block.sample * s.c_out + row) * plane + block.p0 * s.w_out + block.q0;
    args.out = straight ? to : buffer;
    args.out_ld = straight ? out_ld : kPanel<T>;
    args.init = first ? zeros<T>() : args.out;
    args.init_ld = first ? 0 : args.out_ld;
    if (!straight && !first) {
      for (int64_t r = 0; r < rows; ++r) std::copy_n(to + r * out_ld, panel.columns, buffer + r * kPanel<T>);
    }
    tile_kernel<T>(rows, panel.width / kLanes<T>, false)(args);
    if (!straight) {
      for (int64_t r = 0; r < rows; ++r) std::copy_n(buffer + r * kPanel<T>, panel.columns, to + r * out_ld);
    }
  }
}

// Samples [begin, end) of one panel into out[c_out][out_ld].
template <class T>
void sum_samples(const ConvShape& s, const Panel<T>& panel, int64_t block_samples, const T* x, const T* dy,
                 int64_t begin, int64_t end, T* out, int64_t out_ld) {
  constexpr int64_t kDepth = static_cast<int64_t>(kScratchBytes / sizeof(T)) / kPanel<T>;
  const int64_t columns = std::min(s.w_out, kDepth), rows = std::clamp<int64_t>(kDepth / s.w_out, 1, s.h_out);
  if (rows < s.h_out) block_samples = 1;
  T* packed = static_cast<T*>(thread_scratch());
  bool first = true;
  for (int64_t sample = begin; sample < end; sample += block_samples) {
    for (int64_t p = 0; p < s.h_out; p += rows) {
      for (int64_t q = 0; q < s.w_out; q += columns) {
        const Block block{sample, std::min(block_samples, end - sample), p, std::min(p + rows, s.h_out),
                          q,      std::min(q + columns, s.w_out)};
        pack(s, panel, block, x, packed);
        add_block(s, panel, block, packed, dy, first, out, out_ld);
        first = false;
      }
    }
  }
}

}  // namespace

template <class T>
size_t conv_weight_grad_workspace(const ConvShape& s) {
  const Cut c = cut<T>(s);
  return c.chunks == 1 ? 0 : static_cast<size_t>(c.chunks * s.c_out * s.c_in * s.kh * s.kw) * sizeof(T);
}

template <class T>
void conv_weight_grad(const ConvShape& s, const T* x, const T* dy, T* dw, T* workspace) {
  const Cut c = cut<T>(s);
  const int64_t taps = s.c_in * s.kh * s.kw, elements = s.c_out * taps;
  parallel_for(c.panels * c.chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t chunk = i / c.panels;
      const Panel<T> panel(s, i % c.panels);
      T* out = c.chunks == 1 ? dw : workspace + chunk * elements;
      sum_samples(s, panel, c.block_samples, x, dy, chunk * c.chunk_samples,
                  std::min(s.n, (chunk + 1) * c.chunk_samples), out + panel.first, taps);
    }
  });
  if (c.chunks == 1) return;
  parallel_for(elements, 16384, [&](int64_t begin, int64_t end) {
    std::copy(workspace + begin, workspace + end, dw + begin);
    for (int64_t chunk = 1; chunk < c.chunks; ++chunk) {
      const T* part = workspace + chunk * elements;
      for (int64_t i = begin; i < end; ++i) dw[i] += part[i];
    }
  });
}

template size_t conv_weight_grad_workspace<float>(const ConvShape&);
template size_t conv_weight_grad_workspace<double>(const ConvShape&);
template void conv_weight_grad<float>(const ConvShape&, const float*, const float*, float*, float*);
template void conv_weight_grad<double>(const ConvShape&, const double*, const double*, double*, double*);

}  // namespace duel::kernels::host
