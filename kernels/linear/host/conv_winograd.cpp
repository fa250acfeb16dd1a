// Forward pass and input gradient by kernels/linear/host/conv_winograd.h. The lanes of a vector are samples.
//
// For some groups of kLanes samples at a time: turn the input into [position][channel][lane]; for every few
// products of one kind make their panel of sums and differences and multiply it by that kind's weights; add
// the products up per output and turn the result back.
#include "duel/kernels/linear/host/conv_winograd.h"

#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/tile.h"
#include "duel/kernels/linear/host/turn.h"

namespace duel::kernels::host {
namespace {

using namespace winograd;

constexpr int kLanes = simd::kLanes<float>;
using Vec = simd::Vec<float>;
static_assert(kTileRows <= kLanes);  // a vector holds one tap of all rows of a tile

constexpr int64_t kGroups = 2;  // of samples at a time
constexpr int64_t kUnit = 4;    // products of a kind that share one pass over its weights
constexpr int64_t kMostTaps = 64;
constexpr int64_t kPanelPoints = 2;  // kPanel<float> / kLanes

// Both passes, seen as one map of images to images.
struct Map {
  Map(const ConvShape& shape, bool is_forward) : s(shape), forward(is_forward) {
    phases = s.stride_h * s.stride_w;
    c_from = forward ? s.c_in : s.c_out;
    c_to = forward ? s.c_out : s.c_in;
    plane_from = forward ? s.h_in * s.w_in : s.h_out * s.w_out;
    plane_to = forward ? s.h_out * s.w_out : s.h_in * s.w_in;
    sets = forward ? 1 : phases;
    depth = forward ? phases * c_from : c_from;
    for (int64_t set = 0; set < sets; ++set) products += grid(set).total();
    groups = std::min(kGroups, ceil_div(s.n, kLanes));
    image_elements = (plane_from + 1) * c_from * kLanes;
    product_elements = c_to * products * kLanes;
    weight_elements = sets * 9 * c_to * depth;
  }

  // The forward pass adds up its phases in one product; the input gradient has separate products (a set) for
  // each.
  Grid grid(int64_t phase) const {
    const int64_t a = phase / s.stride_w, b = phase % s.stride_w;
    return forward ? Grid{forward_axis(s.h_in, s.h_out, s.stride_h, s.pad_h, a),
                          forward_axis(s.w_in, s.w_out, s.stride_w, s.pad_w, b)}
                   : Grid{backward_axis(s.h_in, s.h_out, s.stride_h, s.pad_h, a),
                          backward_axis(s.w_in, s.w_out, s.stride_w, s.pad_w, b)};
  }
  int64_t elements() const { return weight_elements + groups * (image_elements + product_elements); }

  ConvShape s;
  bool forward;
  int64_t phases, c_from, c_to, plane_from, plane_to;
  int64_t sets, depth;   // of the matrix products: rows c_to, reduction `depth`
  int64_t products = 0;  // of all sets, per sample and output channel
  int64_t groups;        // per pass over the workspace
  int64_t image_elements, product_elements, weight_elements;
};

// weights[set][kind][tile][depth][row of the tile]: sums of the taps of a phase.
void make_weights(const Map& map, const float* w, float* weights) {
  const ConvShape& s = map.s;
  const int64_t window = s.kh * s.kw, tiles = row_tiles(map.c_to);
  const int64_t row_step = map.forward ? s.c_in * window : window;   // between output channels of the map
  const int64_t from_step = map.forward ? window : s.c_in * window;  // between its input channels
  parallel_for(tiles * map.c_from, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t t = i / map.c_from, channel = i % map.c_from;
      const int64_t row = row_cut(map.c_to, t, tiles), rows = row_cut(map.c_to, t + 1, tiles) - row;
      const simd::Mask mask = simd::lanes_between(0, rows);
      // The taps, a vector of rows each.
      Vec taps[kMostTaps];
      turn_taps(w + row * row_step + channel * from_step, rows, row_step, window, taps);
      for (int64_t phase = 0; phase < map.phases; ++phase) {
        const int64_t a = phase / s.stride_w, b = phase % s.stride_w;
        Vec g[2][2];
        for (int u = 0; u < 2; ++u) {
          for (int v = 0; v < 2; ++v) {
            // The input gradient meets the taps in reverse.
            const int64_t i_tap = s.stride_h * (map.forward ? u : 1 - u) + a;
            const int64_t j_tap = s.stride_w * (map.forward ? v : 1 - v) + b;
            g[u][v] = taps[i_tap * s.kw + j_tap];
          }
        }
        const Vec by_row[3][2] = {
            {g[0][0], g[0][1]}, {g[0][0] + g[1][0], g[0][1] + g[1][1]}, {g[1][0], g[1][1]}};
        const int64_t set = map.forward ? 0 : phase,
                      step = map.forward ? phase * map.c_from + channel : channel;
        for (int kind = 0; kind < 9; ++kind) {
          const Vec* pair = by_row[kind / 3];
          const Vec value = kind % 3 == 0 ? pair[0] : kind % 3 == 1 ? pair[0] + pair[1] : pair[1];
          float* to = weights + ((set * 9 + kind) * map.c_to + row) * map.depth + step * rows;
          simd::store_masked(to, value, mask);
        }
      }
    }
  });
}

// The inputs of product `index` of a kind, for every channel, into one vector column of a panel.
void make_inputs(const Map& map, const Grid& grid, int kind, int64_t index, const float* images, float* to,
                 int64_t width) {
  const int64_t across = points(grid.columns.outputs, kind % 3), row_size = grid.columns.size;
  const Point row = point(grid.rows.outputs, kind / 3, index / across);
  const Point column = point(grid.columns.outputs, kind % 3, index % across);
  const auto image = [&](int64_t i, int64_t j) {
    const int64_t r = grid.rows.at(i), c = grid.columns.at(j);
    const int64_t position = r < 0 || c < 0 ? map.plane_from : r * row_size + c;
    return images + position * map.c_from * kLanes;
  };
  const float* d00 = image(row.plus, column.plus);
  if (row.minus < 0 && column.minus < 0) {
    for (int64_t c = 0; c < map.c_from; ++c) simd::store(to + c * width, simd::load(d00 + c * kLanes));
    return;
  }
  if (row.minus < 0 || column.minus < 0) {
    const float* other = row.minus < 0 ? image(row.plus, column.minus) : image(row.minus, column.plus);
    for (int64_t c = 0; c < map.c_from; ++c) {
      simd::store(to + c * width, simd::load(d00 + c * kLanes) - simd::load(other + c * kLanes));
    }
    return;
  }
  const float *d01 = image(row.plus, column.minus), *d10 = image(row.minus, column.plus),
              *d11 = image(row.minus, column.minus);
  for (int64_t c = 0; c < map.c_from; ++c) {
    const Vec plus = simd::load(d00 + c * kLanes) - simd::load(d01 + c * kLanes);
    const Vec minus = simd::load(d10 + c * kLanes) - simd::load(d11 + c * kLanes);
    simd::store(to + c * width, plus - minus);
  }
}

// kUnit products of one kind, from `index` on: results[row][products][lane].
void multiply(const Map& map, int64_t set, int kind, int64_t index, const float* images, const float* weights,
              float* results) {
  const Grid first = map.grid(set);
  const int64_t count = std::min(kUnit, first.count(kind) - index), tiles = row_tiles(map.c_to);
  float* panels = static_cast<float*>(thread_scratch());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t panel = i / kPanelPoints;
    const int64_t width = std::min(kPanelPoints, count - panel * kPanelPoints) * kLanes;
    float* to = panels + panel * map.depth * kPanel<float> + i % kPanelPoints * kLanes;
    for (int64_t part = 0; part < (map.forward ? map.phases : 1); ++part) {
      make_inputs(map, map.forward ? map.grid(part) : first, kind, index + i, images,
                  to + part * map.c_from * width, width);
    }
  }
  const int64_t ld = map.products * kLanes;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row = row_cut(map.c_to, t, tiles), rows = row_cut(map.c_to, t + 1, tiles) - row;
    for (int64_t panel = 0; panel * kPanelPoints < count; ++panel) {
      const int64_t vectors = std::min(kPanelPoints, count - panel * kPanelPoints);
      TileArgs<float> args;
      args.steps = map.depth;
      args.a = weights + ((set * 9 + kind) * map.c_to + row) * map.depth;
      args.a_ld = rows;
      args.b = panels + panel * map.depth * kPanel<float>;
      args.b_ld = vectors * kLanes;
      args.init = zeros<float>();
      args.out = results + row * ld + (first.offset(kind) + index + panel * kPanelPoints) * kLanes;
      args.out_ld = ld;
      tile_kernel<float>(rows, vectors, true)(args);
    }
  }
}

// One or two neighbouring outputs along an axis: the kinds of products that make them up, and their index.
// Two outputs are m0 + m1 and m1 + m2, a last single one m0 + m2.
struct Outputs {
  Outputs(int64_t outputs, int64_t index_in) : index(index_in), count(2 * index + 1 < outputs ? 2 : 1) {
    kinds[0][0] = 0;
    kinds[0][1] = count == 2 ? 1 : 2;
    kinds[1][0] = 1;
    kinds[1][1] = 2;
  }
  int64_t index;
  int count;
  int kinds[2][2];
};

// One output channel of one group: adds up its products and turns the lanes back into samples.
void finish(const Map& map, const float* products, float bias, int64_t lanes, float* to) {
  float* image = static_cast<float*>(thread_scratch());  // [position][lane]
  float* sums = image + map.plane_to * kLanes;           // [row of a pair][column kind][index][lane]
  const int64_t row_size = map.forward ? map.s.w_out : map.s.w_in;
  const Vec start = simd::broadcast(bias);
  for (int64_t set = 0; set < map.sets; ++set) {
    const Grid grid = map.grid(set);
    const Axis &rows = grid.rows, &columns = grid.columns;
    const int64_t across[3] = {points(columns.outputs, 0), points(columns.outputs, 1),
                               points(columns.outputs, 2)};
    for (int64_t p = 0; 2 * p < rows.outputs; ++p) {
      const Outputs down(rows.outputs, p);
      // Along the rows first.
      float* sum = sums;
      for (int r = 0; r < down.count; ++r) {
        for (int kind = 0; kind < 3; ++kind) {
          const float* a = products + (grid.offset(3 * down.kinds[r][0] + kind) + p * across[kind]) * kLanes;
          const float* b = products + (grid.offset(3 * down.kinds[r][1] + kind) + p * across[kind]) * kLanes;
          for (int64_t i = 0; i < across[kind] * kLanes; i += kLanes) {
            simd::store(sum + i, simd::load(a + i) + simd::load(b + i));
          }
          sum += across[kind] * kLanes;
        }
      }
      const float* kinds = sums;
      for (int r = 0; r < down.count; ++r, kinds += (across[0] + across[1] + across[2]) * kLanes) {
        float* out = image + (rows.out_begin + (2 * p + r) * rows.out_step) * row_size * kLanes;
        const float* of_kind[3] = {kinds, kinds + across[0] * kLanes,
                                   kinds + (across[0] + across[1]) * kLanes};
        for (int64_t q = 0; 2 * q < columns.outputs; ++q) {
          const Outputs side(columns.outputs, q);
          for (int c = 0; c < side.count; ++c) {
            const Vec value = simd::load(of_kind[side.kinds[c][0]] + q * kLanes) +
                              simd::load(of_kind[side.kinds[c][1]] + q * kLanes);
            simd::store(out + (columns.out_begin + (2 * q + c) * columns.out_step) * kLanes, value + start);
          }
        }
      }
    }
    products += grid.total() * kLanes;
  }
  turn_samples_back(image, lanes, map.plane_to, map.c_to * map.plane_to, to);
}

void apply(const Map& map, const float* from, const float* w, const float* bias, float* to,
           float* workspace) {
  float* const weights = workspace;
  float* const images = weights + map.weight_elements;
  float* const products = images + map.groups * map.image_elements;
  make_weights(map, w, weights);
  // Units of one group: all kinds of all sets.
  int64_t units = 0;
  for (int64_t set = 0; set < map.sets; ++set) {
    for (int kind = 0; kind < 9; ++kind) units += ceil_div(map.grid(set).count(kind), kUnit);
  }
  for (int64_t start = 0; start < map.s.n; start += map.groups * kLanes) {
    const int64_t groups = std::min(map.groups, ceil_div(map.s.n - start, kLanes));
    const auto lanes = [&](int64_t group) {
      return std::min<int64_t>(kLanes, map.s.n - start - group * kLanes);
    };
    const auto at = [&](int64_t group) { return start + group * kLanes; };  // first sample
    constexpr int64_t kChannels = 8;
    const int64_t chunks = ceil_div(map.c_from, kChannels);
    parallel_for(groups * chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t group = i / chunks, channel = i % chunks * kChannels;
        turn_samples(from + at(group) * map.c_from * map.plane_from, lanes(group),
                     map.c_from * map.plane_from, map.c_from, map.plane_from, channel,
                     std::min(channel + kChannels, map.c_from), images + group * map.image_elements);
      }
    });
    parallel_for(groups * units, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t group = i / units;
        int64_t index = i % units;
        float* result = products + group * map.product_elements;
        for (int64_t set = 0; set < map.sets; ++set) {
          const Grid grid = map.grid(set);
          for (int kind = 0; kind < 9; ++kind) {
            const int64_t here = ceil_div(grid.count(kind), kUnit);
            if (index >= 0 && index < here) {
              multiply(map, set, kind, index * kUnit, images + group * map.image_elements, weights, result);
            }
            index -= here;
          }
          result += grid.total() * kLanes;
        }
      }
    });
    parallel_for(groups * map.c_to, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t group = i / map.c_to, channel = i % map.c_to;
        finish(map, products + group * map.product_elements + channel * map.products * kLanes,
               bias ? bias[channel] : 0.0f, lanes(group),
               to + (at(group) * map.c_to + channel) * map.plane_to);
      }
    });
  }
}

}  // namespace

void winograd_forward(const ConvShape& s, const float* x, const float* w, const float* bias, float* y,
                      float* workspace) {
  apply(Map(s, true), x, w, bias, y, workspace);
}

void winograd_input_grad(const ConvShape& s, const float* dy, const float* w, const float* bias, float* dx,
                         float* workspace) {
  apply(Map(s, false), dy, w, bias, dx, workspace);
}

bool winograd_suits(const ConvShape& s, ConvPass pass) {
  if (s.kh != 2 * s.stride_h || s.kw != 2 * s.stride_w || s.c_in < 24 || s.c_out < 24 ||
      s.kh * s.kw > kMostTaps) {
    return false;
  }
  if (pass == ConvPass::kWeightGrad) return winograd_weight_suits(s);
  if (!fills_lanes(s.n)) return false;
  const Map map(s, pass == ConvPass::kForward);
  const auto fits = [](int64_t elements) {
    return elements <= static_cast<int64_t>(kScratchBytes / sizeof(float));
  };
  return fits(kUnit * map.depth * kLanes) && fits((map.plane_to + 6 * std::max(s.w_in, s.w_out)) * kLanes);
}

int64_t winograd_elements(const ConvShape& s, ConvPass pass) {
  if (pass == ConvPass::kWeightGrad) return winograd_weight_elements(s);
  return Map(s, pass == ConvPass::kForward).elements();
}

}  // namespace duel::kernels::host
