// Weight gradient of a convolution on the host: dw = dy * windows of x, summed over batch and positions, from
// tiles.
//
// The columns of the right operand are taps (channel, i, j), its rows the output positions (sample, p, q):
// each row of a window is a run of neighbours in x. The left operand is dy, packed once per call where many
// panels read it. A range owns a group of panels (and a block of rows) for all samples; where there are few
// groups (one input channel has one), the batch is cut into fixed chunks whose partial sums are added in
// order.
#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/tile.h"

namespace duel::kernels::host {
namespace {

using simd::kLanes;
using simd::Mask;

// Panels that a range computes side by side: what it reads of dy serves all of them.
constexpr int64_t kGroup = 4;

constexpr int64_t kBlockTiles = 20;  // of dw's rows, per range

// The thread's scratch: sums [tile][panel][row][kPanel], packed panels, fields of the input.
template <class T>
constexpr int64_t kSumElements = 144 * 1024 / sizeof(T);
template <class T>
constexpr int64_t kPackedElements = 192 * 1024 / sizeof(T);
template <class T>
constexpr int64_t kFieldElements = kScratchBytes / sizeof(T) - kSumElements<T> - kPackedElements<T>;

// Elements of one input channel under the windows of that many output rows and columns, padding included.
int64_t field_height(const ConvShape& s, int64_t rows) { return (rows - 1) * s.stride_h + s.kh; }
int64_t field_width(const ConvShape& s, int64_t columns) { return (columns - 1) * s.stride_w + s.kw; }

template <class T>
struct Plan {
  explicit Plan(const ConvShape& s) {
    const int64_t plane = s.h_out * s.w_out, taps = s.c_in * s.kh * s.kw, panels = ceil_div(taps, kPanel<T>);
    const int64_t tiles = row_tiles(s.c_out);
    row_blocks = ceil_div(tiles, kBlockTiles);
    const int64_t tile_sums = ceil_div(tiles, row_blocks) * kTileRows * kPanel<T>;
    group = std::clamp<int64_t>(kSumElements<T> / tile_sums, 1, std::min(panels, kGroup));
    groups = ceil_div(panels, group);
    // A chunk is worth its partial sums when each of them adds up some hundred products.
    const int64_t least = std::max<int64_t>(1, ceil_div(512, plane));
    chunk_samples = std::max(least, ceil_div(s.n, std::max<int64_t>(1, 8 / (groups * row_blocks))));
    chunks = ceil_div(s.n, chunk_samples);
    // As many samples at a time as the scratch takes, or some rows of one, or a part of a row.
    samples = std::max<int64_t>(1, 1200 / group / plane);
    rows = s.h_out;
    columns = s.w_out;
    const int64_t channels = std::min(s.c_in, ceil_div(group * kPanel<T>, s.kh * s.kw) + 1);
    while (samples * rows * columns * group * kPanel < T >> kPackedElements<T> ||
           channels * field_height(s, rows) * field_width(s, columns) > kFieldElements<T>) {
      int64_t& most = samples > 1 ? samples : rows > 1 ? rows : columns;
      DUEL_CHECK(most > 1, "conv2d_weight_grad", "expected a smaller kernel, got {}x{}", s.kh, s.kw);
      most = ceil_div(most, 2);
    }
    pack_dy = taps >= 256;
  }
  int64_t group, groups;  // panels per group
  int64_t row_blocks;
  int64_t chunks, chunk_samples;
  int64_t samples, rows, columns;  // of a block: what is packed at a time
  // Into the workspace: [block of samples of a chunk][tile][position][row of the tile].
  bool pack_dy;
};

// Taps of one window row in one panel: channel, i, j .. j + count.
struct Run {
  int64_t channel, i, j, count;
  int64_t panel, at;
};

template <class T>
struct Group {
  Group(const ConvShape& s, const Plan<T>& plan, int64_t index) {
    first = index * plan.group * kPanel<T>;
    columns = std::min(plan.group * kPanel<T>, s.c_in * s.kh * s.kw - first);
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

// Copies one input channel's field, with zeros for the padding.
template <class T>
void copy_field(const ConvShape& s, const Block& block, const T* plane, T* to) {
  const int64_t height = field_height(s, block.rows()), width = field_width(s, block.columns());
  for (int64_t at = 0; at < width; at += kLanes<T>) {
    const int64_t col = block.q0 * s.stride_w - s.pad_w + at;
    const Mask mask = simd::lanes_between(std::clamp<int64_t>(-col, 0, kLanes<T>),
                                          std::clamp<int64_t>(s.w_in - col, 0, kLanes<T>));
    const Mask inner = simd::lanes_between(0, std::min<int64_t>(width - at, kLanes<T>));
    for (int64_t i = 0; i < height; ++i) {
      const int64_t row = block.p0 * s.stride_h - s.pad_h + i;
      const bool inside = row >= 0 && row < s.h_in;
      const simd::Vec<T> value = simd::load_masked(plane + row * s.w_in + col, inside ? mask : Mask(0));
      simd::store_masked(to + i * width + at, value, inner);
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

// Adds the products of one packed block and rows [first, last) of dw to sums; the first block sets them.
// left_dy: dy of the block's first sample, or its packed form.
template <class T>
void add_block(const ConvShape& s, const Plan<T>& plan, const Group<T>& group, const Block& block,
               int64_t tile_begin, int64_t tile_end, const T* packed, const T* left_dy, bool first_block,
               T* sums) {
  const int64_t plane = s.h_out * s.w_out, tiles = row_tiles(s.c_out);
  const int64_t position = block.p0 * s.w_out + block.q0;
  TileArgs<T> args;
  args.steps = block.rows() * block.columns();
  args.segments = block.samples;
  args.out_ld = kPanel<T>;
  args.init = zeros<T>();
  for (int64_t t = tile_begin; t < tile_end; ++t) {
    const int64_t row = row_cut(s.c_out, t, tiles), rows = row_cut(s.c_out, t + 1, tiles) - row;
    if (plan.pack_dy) {
      args.a = left_dy + row * block.samples * plane + position * rows;
      args.a_ld = rows;
      args.a_segment = plane * rows;
    } else {
      args.a = left_dy + row * plane + position;
      args.a_ld = plane;
      args.a_segment = s.c_out * plane;
    }
    for (int64_t panel = 0; panel < group.panels; ++panel) {
      const int64_t width = group.panel_width(panel);
      args.b = packed + panel * block.positions() * kPanel<T>;
      args.b_ld = width;
      args.out = sums + ((t - tile_begin) * group.panels + panel) * kTileRows * kPanel<T>;
      if (!first_block) {
        args.init = args.out;
        args.init_ld = kPanel<T>;
      }
      tile_kernel<T>(rows, width / kLanes<T>, plan.pack_dy)(args);
    }
  }
}

// Calls visit(first sample, samples) for the blocks of samples of a chunk.
template <class T, class Visit>
void for_blocks(const ConvShape& s, const Plan<T>& plan, int64_t chunk, Visit visit) {
  const int64_t end = std::min(s.n, (chunk + 1) * plan.chunk_samples);
  for (int64_t sample = chunk * plan.chunk_samples; sample < end; sample += plan.samples) {
    visit(sample, std::min(plan.samples, end - sample));
  }
}

// One chunk of one group, tiles [tile_begin, tile_end) of dw's rows, into out[c_out][taps].
template <class T>
void sum_chunk(const ConvShape& s, const Plan<T>& plan, const Group<T>& group, int64_t chunk,
               int64_t tile_begin, int64_t tile_end, const T* x, const T* dy, T* out) {
  T* sums = static_cast<T*>(thread_scratch());
  T* packed = sums + kSumElements<T>;
  T* fields = packed + kPackedElements<T>;
  const int64_t sample_elements = s.c_out * s.h_out * s.w_out, taps = s.c_in * s.kh * s.kw;
  bool first = true;
  for_blocks(s, plan, chunk, [&](int64_t sample, int64_t samples) {
    for (int64_t p = 0; p < s.h_out; p += plan.rows) {
      for (int64_t q = 0; q < s.w_out; q += plan.columns) {
        const Block block{
            sample, samples, p, std::min(p + plan.rows, s.h_out), q, std::min(q + plan.columns, s.w_out)};
        pack(s, group, block, x, fields, packed);
        add_block(s, plan, group, block, tile_begin, tile_end, packed, dy + sample * sample_elements, first,
                  sums);
        first = false;
      }
    }
  });
  const int64_t tiles = row_tiles(s.c_out);
  for (int64_t t = tile_begin; t < tile_end; ++t) {
    for (int64_t panel = 0; panel < group.panels; ++panel) {
      const int64_t row = row_cut(s.c_out, t, tiles), rows = row_cut(s.c_out, t + 1, tiles) - row;
      const T* from = sums + ((t - tile_begin) * group.panels + panel) * kTileRows * kPanel<T>;
      for (int64_t r = 0; r < rows; ++r) {
        std::copy_n(from + r * kPanel<T>, group.panel_columns(panel),
                    out + (row + r) * taps + group.first + panel * kPanel<T>);
      }
    }
  }
}

}  // namespace

template <class T>
size_t conv_weight_grad_workspace(const ConvShape& s) {
  const Plan<T> plan(s);
  const int64_t packed_dy = plan.pack_dy ? s.n * s.c_out * s.h_out * s.w_out : 0;
  const int64_t parts = plan.chunks == 1 ? 0 : plan.chunks * s.c_out * s.c_in * s.kh * s.kw;
  return static_cast<size_t>(packed_dy + parts) * sizeof(T);
}

template <class T>
void conv_weight_grad(const ConvShape& s, const T* x, const T* dy, T* dw, T* workspace) {
  const Plan<T> plan(s);
  const int64_t plane = s.h_out * s.w_out, elements = s.c_out * s.c_in * s.kh * s.kw;
  const int64_t tiles = row_tiles(s.c_out);
  T* parts = workspace;
  if (plan.pack_dy) {
    T* const packed = workspace;
    parts += s.n * s.c_out * plane;
    const int64_t blocks = ceil_div(plan.chunk_samples, plan.samples);  // per chunk
    parallel_for(plan.chunks * blocks * tiles, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t chunk = i / tiles / blocks, t = i % tiles;
        const int64_t chunk_end = std::min(s.n, (chunk + 1) * plan.chunk_samples);
        const int64_t sample = chunk * plan.chunk_samples + i / tiles % blocks * plan.samples;
        const int64_t samples = std::min(plan.samples, chunk_end - sample);
        const int64_t row = row_cut(s.c_out, t, tiles), rows = row_cut(s.c_out, t + 1, tiles) - row;
        T* to = packed + (sample * s.c_out + row * samples) * plane;
        for (int64_t n = 0; n < samples; ++n) {
          pack_left(dy + ((sample + n) * s.c_out + row) * plane, plane, false, rows, plane,
                    to + n * plane * rows);
        }
      }
    });
    dy = packed;
  }
  parallel_for(plan.groups * plan.row_blocks * plan.chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t block = i % plan.row_blocks, chunk = i / plan.row_blocks / plan.groups;
      const Group<T> group(s, plan, i / plan.row_blocks % plan.groups);
      sum_chunk(s, plan, group, chunk, row_cut(tiles, block, plan.row_blocks),
                row_cut(tiles, block + 1, plan.row_blocks), x, dy,
                plan.chunks == 1 ? dw : parts + chunk * elements);
    }
  });
  if (plan.chunks == 1) return;
  parallel_for(elements, 16384, [&](int64_t begin, int64_t end) {
    std::copy(parts + begin, parts + end, dw + begin);
    for (int64_t chunk = 1; chunk < plan.chunks; ++chunk) {
      const T* part = parts + chunk * elements;
      for (int64_t i = begin; i < end; ++i) dw[i] += part[i];
    }
  });
}

template size_t conv_weight_grad_workspace<float>(const ConvShape&);
template size_t conv_weight_grad_workspace<double>(const ConvShape&);
template void conv_weight_grad<float>(const ConvShape&, const float*, const float*, float*, float*);
template void conv_weight_grad<double>(const ConvShape&, const double*, const double*, double*, double*);

}  // namespace duel::kernels::host
