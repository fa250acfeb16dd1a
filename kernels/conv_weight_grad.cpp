// Weight gradient of a convolution on the host: dw = dy * windows of x, summed over batch and positions, from tiles.
//
// The columns of the right operand are taps (channel, i, j), its rows the output positions (sample, p, q): each row
// of a window is a run of neighbours in x. The left operand is dy as it lies. A range owns a group of panels for
// all samples; where there are few groups (one input channel has one), the batch is cut into fixed chunks whose partial
// sums are added in order.
#include <algorithm>

#include "duel/kernels/conv_host.h"
#include "duel/kernels/parallel.h"
#include "duel/kernels/tile.h"

namespace duel::kernels::host {
namespace {

using simd::kLanes;
using simd::Mask;

// Panels that a range computes side by side: what it reads of dy serves all of them.
constexpr int64_t kGroup = 4;

struct Cut {
  int64_t groups, chunks;
  int64_t chunk_samples;
  int64_t block_samples;  // packed at a time
};

template <class T>
Cut cut(const ConvShape& s) {
  Cut c;
  const int64_t plane = s.h_out * s.w_out, panels = ceil_div(s.c_in * s.kh * s.kw, kPanel<T>);
  c.groups = ceil_div(panels, kGroup);
  // A chunk is worth its partial sums when each of them adds up some hundred products.
  const int64_t least = std::max<int64_t>(1, ceil_div(512, plane));
  c.chunk_samples = std::max(least, ceil_div(s.n, std::max<int64_t>(1, 8 / c.groups)));
  c.chunks = ceil_div(s.n, c.chunk_samples);
  c.block_samples = std::max<int64_t>(1, 1200 / std::min(panels, kGroup) / plane);
  return c;
}

// Taps of one window row in one panel: channel, i, j .. j + count.
struct Run {
  int64_t channel, i, j, count;
  int64_t panel, at;
};

template <class T>
struct Group {
  Group(const ConvShape& s, int64_t group) {
    first = group * kGroup * kPanel<T>;
    columns = std::min(kGroup * kPanel<T>, s.c_in * s.kh * s.kw - first);
    panels = ceil_div(columns, kPanel<T>);
    for (int64_t at = 0; at < columns;) {
      const int64_t tap = first + at, j = tap % s.kw;
      const int64_t count = std::min({s.kw - j, columns - at, kPanel<T> - at % kPanel<T>});
      runs[run_count++] = {tap / (s.kh * s.kw), tap / s.kw % s.kh, j, count, at / kPanel<T>, at % kPanel<T>};
      at += count;
    }
  }
  int64_t panel_columns(int64_t panel) const { return std::min(kPanel<T>, columns - panel * kPanel<T>); }
  int64_t panel_width(int64_t panel) const { return ceil_div(panel_columns(panel), kLanes<T>) * kLanes<T>; }

  int64_t first, columns, panels;
  int run_count = 0;
  Run runs[kGroup * kPanel<T>];
};

// Output positions packed at a time: some samples, or some rows of one sample, or a part of one row.
struct Block {
  int64_t sample, samples, p0, p1, q0, q1;
  int64_t rows() const { return p1 - p0; }
  int64_t columns() const { return q1 - q0; }
  int64_t positions() const { return samples * rows() * columns(); }
};

// Elements of one input channel under the windows of that many output rows and columns, padding included.
int64_t field_height(const ConvShape& s, int64_t rows) { return (rows - 1) * s.stride_h + s.kh; }
int64_t field_width(const ConvShape& s, int64_t columns) { return (columns - 1) * s.stride_w + s.kw; }

// Copies those elements, with zeros for the padding; may write a vector more.
template <class T>
void copy_field(const ConvShape& s, const Block& block, const T* plane, T* to) {
  const int64_t height = field_height(s, block.rows()), width = field_width(s, block.columns());
  const int64_t left = block.q0 * s.stride_w - s.pad_w;
  for (int64_t i = 0; i < height; ++i, to += width) {
    const int64_t row = block.p0 * s.stride_h - s.pad_h + i;
    const bool inside = row >= 0 && row < s.h_in;
    for (int64_t at = 0; at < width; at += kLanes<T>) {
      const int64_t col = left + at;
      const Mask mask = inside ? simd::lanes_between(std::clamp<int64_t>(-col, 0, kLanes<T>),
                                                     std::clamp<int64_t>(s.w_in - col, 0, kLanes<T>))
                               : Mask(0);
      simd::store(to + at, simd::load_masked(plane + row * s.w_in + col, mask));
    }
  }
}

// The run's part of every window: kCount elements (0: count of them) for each position, `width` apart.
template <class T, int kCount>
void copy_runs(const ConvShape& s, const Block& block, int64_t count, const T* field, T* to, int64_t width) {
  const int64_t pitch = s.stride_h * field_width(s, block.columns()), step = s.stride_w;
  for (int64_t p = 0; p < block.rows(); ++p, field += pitch) {
    const T* from = field;
    for (int64_t q = 0; q < block.columns(); ++q, from += step, to += width) {
      if constexpr (kCount > 0) {
        std::memcpy(to, from, kCount * sizeof(T));
      } else {
        for (int64_t c = 0; c < count; ++c) to[c] = from[c];
      }
    }
  }
}

// Panel v of the group starts at to + v * positions * kPanel.
template <class T>
void pack(const ConvShape& s, const Group<T>& group, const Block& block, const T* x, T* fields, T* to) {
  const int64_t width = field_width(s, block.columns()), field = field_height(s, block.rows()) * width;
  const int64_t first = group.runs[0].channel, last = group.runs[group.run_count - 1].channel;
  for (int64_t sample = 0; sample < block.samples; ++sample) {
    for (int64_t channel = first; channel <= last; ++channel) {
      copy_field(s, block, x + ((block.sample + sample) * s.c_in + channel) * s.h_in * s.w_in,
                 fields + (channel - first) * field);
    }
    for (int r = 0; r < group.run_count; ++r) {
      const Run& run = group.runs[r];
      const auto copy = run.count == 3   ? copy_runs<T, 3>
                        : run.count == 4 ? copy_runs<T, 4>
                        : run.count == 5 ? copy_runs<T, 5>
                                         : copy_runs<T, 0>;
      const int64_t panel_width = group.panel_width(run.panel);
      copy(s, block, run.count, fields + (run.channel - first) * field + run.i * width + run.j,
           to + run.panel * block.positions() * kPanel<T> +
               sample * block.rows() * block.columns() * panel_width + run.at,
           panel_width);
    }
  }
  const int64_t end = group.panel_columns(group.panels - 1), end_width = group.panel_width(group.panels - 1);
  T* row = to + (group.panels - 1) * block.positions() * kPanel<T>;
  for (int64_t i = 0; end < end_width && i < block.positions(); ++i, row += end_width) {
    std::fill(row + end, row + end_width, T(0));
  }
}

// Adds the products of one packed block to out[c_out][out_ld]; the first block sets it.
template <class T>
void add_block(const ConvShape& s, const Group<T>& group, const Block& block, const T* packed, const T* dy,
               bool first, T* out, int64_t out_ld) {
  const int64_t plane = s.h_out * s.w_out, tiles = row_tiles(s.c_out);
  alignas(64) T buffer[kTileRows * kPanel<T>];
  TileArgs<T> args;
  args.steps = block.rows() * block.columns();
  args.segments = block.samples;
  args.a_ld = plane;
  args.a_segment = s.c_out * plane;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row = row_cut(s.c_out, t, tiles), rows = row_cut(s.c_out, t + 1, tiles) - row;
    args.a = dy + (block.sample * s.c_out + row) * plane + block.p0 * s.w_out + block.q0;
    for (int64_t panel = 0; panel < group.panels; ++panel) {
      const int64_t columns = group.panel_columns(panel), width = group.panel_width(panel);
      const bool straight = columns == width;
      T* to = out + row * out_ld + panel * kPanel<T>;
      args.b = packed + panel * block.positions() * kPanel<T>;
      args.b_ld = width;
      args.out = straight ? to : buffer;
      args.out_ld = straight ? out_ld : kPanel<T>;
      args.init = first ? zeros<T>() : args.out;
      args.init_ld = first ? 0 : args.out_ld;
      if (!straight && !first) {
        for (int64_t r = 0; r < rows; ++r) std::copy_n(to + r * out_ld, columns, buffer + r * kPanel<T>);
      }
      tile_kernel<T>(rows, width / kLanes<T>, false)(args);
      if (!straight) {
        for (int64_t r = 0; r < rows; ++r) std::copy_n(buffer + r * kPanel<T>, columns, to + r * out_ld);
      }
    }
  }
}

// Samples [begin, end) of one group into out[c_out][out_ld].
template <class T>
void sum_samples(const ConvShape& s, const Group<T>& group, int64_t block_samples, const T* x, const T* dy,
                 int64_t begin, int64_t end, T* out, int64_t out_ld) {
  // Half of the scratch for the panels, half for the fields.
  constexpr int64_t kHalf = static_cast<int64_t>(kScratchBytes / sizeof(T)) / 2;
  const int64_t channels = group.runs[group.run_count - 1].channel - group.runs[0].channel + 1;
  int64_t rows = s.h_out, columns = s.w_out;
  const auto too_much = [&] {
    return block_samples * rows * columns * group.panels * kPanel<T> > kHalf ||
           channels * field_height(s, rows) * field_width(s, columns) > kHalf;
  };
  while (too_much()) {
    int64_t& most = block_samples > 1 ? block_samples : rows > 1 ? rows : columns;
    DUEL_CHECK(most > 1, "conv2d_weight_grad", "expected a smaller kernel, got {}x{}", s.kh, s.kw);
    most = ceil_div(most, 2);
  }
  T* packed = static_cast<T*>(thread_scratch());
  T* fields = packed + kHalf;
  bool first = true;
  for (int64_t sample = begin; sample < end; sample += block_samples) {
    for (int64_t p = 0; p < s.h_out; p += rows) {
      for (int64_t q = 0; q < s.w_out; q += columns) {
        const Block block{sample, std::min(block_samples, end - sample), p, std::min(p + rows, s.h_out),
                          q,      std::min(q + columns, s.w_out)};
        pack(s, group, block, x, fields, packed);
        add_block(s, group, block, packed, dy, first, out, out_ld);
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
  parallel_for(c.groups * c.chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t chunk = i / c.groups;
      const Group<T> group(s, i % c.groups);
      T* out = c.chunks == 1 ? dw : workspace + chunk * elements;
      sum_samples(s, group, c.block_samples, x, dy, chunk * c.chunk_samples,
                  std::min(s.n, (chunk + 1) * c.chunk_samples), out + group.first, taps);
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
