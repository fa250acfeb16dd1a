// Forward pass and input gradient by kernels/linear/host/conv_three.h. The lanes of a vector are samples.
//
// For some packs of kLanes samples at a time: turn the input into [position][channel][lane]; for every few neighbouring
// tiles of a row make the panels of all 16 kinds, multiply them by the kinds' weights, a few output channels at a time, and
// add the products up while they are in the cache; turn the result back.
#include "duel/kernels/linear/host/conv_three.h"

#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/tile.h"
#include "duel/kernels/linear/host/turn.h"

namespace duel::kernels::host {
namespace {

constexpr int kLanes = simd::kLanes<float>;
using Vec = simd::Vec<float>;
static_assert(kTileRows <= kLanes);  // a vector holds one tap of all rows of a tile

constexpr int64_t kTaps = 9, kKinds = 16;
constexpr int64_t kPacks = 2;                            // of kLanes samples at a time
constexpr int64_t kUnit = 4;                             // most tiles that share one pass over the weights
constexpr int64_t kPanelTiles = kPanel<float> / kLanes;  // 2

// Both passes, seen as one map of images to images.
struct Map {
  Map(const ConvShape& shape, bool is_forward) : s(shape), forward(is_forward) {
    c_in = s.group_in();
    c_out = s.group_out();
    c_from = forward ? c_in : c_out;
    c_to = forward ? c_out : c_in;
    h_from = forward ? s.h_in : s.h_out;
    w_from = forward ? s.w_in : s.w_out;
    h_to = forward ? s.h_out : s.h_in;
    w_to = forward ? s.w_out : s.w_in;
    pad_h = forward ? s.pad_h : 2 - s.pad_h;
    pad_w = forward ? s.pad_w : 2 - s.pad_w;
    down = ceil_div(h_to, 2);
    across = ceil_div(w_to, 2);
    unit = fits(kUnit) ? kUnit : kPanelTiles;
    units = ceil_div(across, unit);
    packs = std::min(kPacks, ceil_div(s.n, kLanes));
    image_elements = (h_from * w_from + 1) * c_from * kLanes;
    result_elements = c_to * h_to * w_to * kLanes;
    weight_elements = kKinds * c_to * c_from;
  }
  // Of one unit: its panels, and behind them its products for a tile of output channels.
  int64_t panel_elements() const { return kKinds * c_from * unit * kLanes; }
  bool fits(int64_t tiles) const {
    const int64_t elements = kKinds * (c_from + kTileRows) * tiles * kLanes;
    return elements <= static_cast<int64_t>(kScratchBytes / sizeof(float));
  }
  int64_t elements() const { return weight_elements + packs * (image_elements + result_elements); }

  ConvShape s;
  bool forward;
  int64_t c_in, c_out;  // of one group of channels
  int64_t c_from, c_to, h_from, w_from, h_to, w_to, pad_h, pad_w;
  int64_t down, across;  // rows of tiles, tiles in a row
  int64_t unit, units;   // tiles at a time, units in a row
  int64_t packs;         // per pass over the workspace
  int64_t image_elements, result_elements, weight_elements;
};

// The four factors that three taps give.
template <class V>
void tap_sums(V g0, V g1, V g2, V* to) {
  const V half = simd::broadcast(0.5f), outer = g0 + g2;
  to[0] = g0;
  to[1] = half * (outer + g1);
  to[2] = half * (outer - g1);
  to[3] = g2;
}

// weights[kind][tile][channel][row of the tile].
void make_weights(const Map& map, const float* w, float* weights) {
  const int64_t tiles = row_tiles(map.c_to);
  const int64_t row_step = map.forward ? map.c_in * kTaps : kTaps;   // between output channels of the map
  const int64_t from_step = map.forward ? kTaps : map.c_in * kTaps;  // between its input channels
  parallel_for(tiles * map.c_from, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t t = i / map.c_from, channel = i % map.c_from;
      const int64_t row = row_cut(map.c_to, t, tiles), rows = row_cut(map.c_to, t + 1, tiles) - row;
      const simd::Mask mask = simd::lanes_between(0, rows);
      Vec taps[ceil_div(kTaps, kLanes) * kLanes];  // a vector of rows each
      turn_taps(w + row * row_step + channel * from_step, rows, row_step, kTaps, taps);
      if (!map.forward) std::reverse(taps, taps + kTaps);  // dy meets the taps turned round
      Vec by_row[3][4];
      for (int j = 0; j < 3; ++j) tap_sums(taps[j], taps[3 + j], taps[6 + j], by_row[j]);
      for (int down = 0; down < 4; ++down) {
        Vec factors[4];
        tap_sums(by_row[0][down], by_row[1][down], by_row[2][down], factors);
        for (int across = 0; across < 4; ++across) {
          float* to = weights + ((4 * down + across) * map.c_to + row) * map.c_from + channel * rows;
          simd::store_masked(to, factors[across], mask);
        }
      }
    }
  });
}

// The four sums that four inputs give.
template <class V>
void input_sums(V d0, V d1, V d2, V d3, V* to) {
  to[0] = d0 - d2;
  to[1] = d1 + d2;
  to[2] = d2 - d1;
  to[3] = d3 - d1;
}

// panels[kind][panel][channel][tile of the panel, lane] of `count` tiles from tile (p, q) on.
template <int kCount>
void make_panels(const Map& map, int64_t p, int64_t q, const float* images, float* panels) {
  constexpr int kColumns = 2 * kCount + 2;
  const int64_t zeros = map.h_from * map.w_from, channels = map.c_from * kLanes;
  const float* at[4][kColumns];
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < kColumns; ++j) {
      const int64_t y = 2 * p + i - map.pad_h, x = 2 * q + j - map.pad_w;
      const bool inside = y >= 0 && y < map.h_from && x >= 0 && x < map.w_from;
      at[i][j] = images + (inside ? y * map.w_from + x : zeros) * channels;
    }
  }
  constexpr int kPairs[4][2] = {{0, 2}, {1, 2}, {2, 1}, {3, 1}};  // of rows, as in input_sums()
  for (int64_t c = 0; c < map.c_from; ++c) {
    const int64_t offset = c * kLanes;
    for (int down = 0; down < 4; ++down) {
      const float* const* a = at[kPairs[down][0]];
      const float* const* b = at[kPairs[down][1]];
      Vec d[kColumns];
#pragma GCC unroll 10
      for (int j = 0; j < kColumns; ++j) {
        const Vec first = simd::load(a[j] + offset), second = simd::load(b[j] + offset);
        d[j] = down == 1 ? first + second : first - second;
      }
      float* of_row = panels + 4 * down * map.c_from * kCount * kLanes;
#pragma GCC unroll 4
      for (int tile = 0; tile < kCount; ++tile) {
        const int64_t panel = tile / kPanelTiles,
                      width = std::min<int64_t>(kPanelTiles, kCount - panel * kPanelTiles);
        float* to =
            of_row + panel * map.c_from * kPanelTiles * kLanes + (c * width + tile % kPanelTiles) * kLanes;
        Vec sums[4];
        input_sums(d[2 * tile], d[2 * tile + 1], d[2 * tile + 2], d[2 * tile + 3], sums);
#pragma GCC unroll 4
        for (int across = 0; across < 4; ++across)
          simd::store(to + across * map.c_from * kCount * kLanes, sums[across]);
      }
    }
  }
}

// One output channel of a tile: its products, `step` apart, to up to 2x2 positions of image[position][lane].
void finish_tile(const Map& map, const float* products, int64_t step, float bias, int64_t p, int64_t q,
                 float* image) {
  Vec by_row[2][4];
  for (int across = 0; across < 4; ++across) {
    const Vec m0 = simd::load(products + across * step), m1 = simd::load(products + (4 + across) * step),
              m2 = simd::load(products + (8 + across) * step),
              m3 = simd::load(products + (12 + across) * step);
    by_row[0][across] = m0 + m1 + m2;
    by_row[1][across] = m1 - m2 + m3;
  }
  const Vec start = simd::broadcast(bias);
  for (int r = 0; r < 2 && 2 * p + r < map.h_to; ++r) {
    float* to = image + ((2 * p + r) * map.w_to + 2 * q) * kLanes;
    const Vec* m = by_row[r];
    simd::store(to, start + (m[0] + m[1] + m[2]));
    if (2 * q + 1 < map.w_to) simd::store(to + kLanes, start + (m[1] - m[2] + m[3]));
  }
}

// results[channel][position][lane] of `count` tiles of one group, from tile (p, q) on.
template <int kCount>
void multiply(const Map& map, int64_t p, int64_t q, const float* images, const float* weights,
              const float* bias, float* results) {
  float* panels = static_cast<float*>(thread_scratch());
  float* products = panels + map.panel_elements();  // [kind][row of the tile][tile][lane]
  make_panels<kCount>(map, p, q, images, panels);
  const int64_t tiles = row_tiles(map.c_to);
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row = row_cut(map.c_to, t, tiles), rows = row_cut(map.c_to, t + 1, tiles) - row;
    const int64_t step = rows * kCount * kLanes;  // between kinds
    for (int64_t kind = 0; kind < kKinds; ++kind) {
      for (int64_t panel = 0; panel * kPanelTiles < kCount; ++panel) {
        const int64_t vectors = std::min<int64_t>(kPanelTiles, kCount - panel * kPanelTiles);
        TileArgs<float> args;
        args.steps = map.c_from;
        args.a = weights + (kind * map.c_to + row) * map.c_from;
        args.a_ld = rows;
        args.b = panels + (kind * kCount + panel * kPanelTiles) * map.c_from * kLanes;
        args.b_ld = vectors * kLanes;
        args.init = zeros<float>();
        args.out = products + kind * step + panel * kPanelTiles * kLanes;
        args.out_ld = kCount * kLanes;
        tile_kernel<float>(rows, vectors, true)(args);
      }
    }
    for (int64_t r = 0; r < rows; ++r) {
      float* image = results + (row + r) * map.h_to * map.w_to * kLanes;
      for (int64_t i = 0; i < kCount; ++i)
        finish_tile(map, products + (r * kCount + i) * kLanes, step, bias ? bias[row + r] : 0.0f, p, q + i,
                    image);
    }
  }
}

using Multiply = void (*)(const Map&, int64_t, int64_t, const float*, const float*, const float*, float*);
constexpr Multiply kMultiply[kUnit] = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};

// One group of channels: `from`, w, bias and `to` begin with it.
void apply(const Map& map, const float* from, const float* w, const float* bias, float* to,
           float* workspace) {
  float* const weights = workspace;
  float* const images = weights + map.weight_elements;
  float* const results = images + map.packs * map.image_elements;
  make_weights(map, w, weights);
  const int64_t plane_from = map.h_from * map.w_from, plane_to = map.h_to * map.w_to;
  const int64_t sample_from = map.s.groups * map.c_from * plane_from,
                sample_to = map.s.groups * map.c_to * plane_to;
  for (int64_t start = 0; start < map.s.n; start += map.packs * kLanes) {
    const int64_t packs = std::min(map.packs, ceil_div(map.s.n - start, kLanes));
    const auto lanes = [&](int64_t pack) {
      return std::min<int64_t>(kLanes, map.s.n - start - pack * kLanes);
    };
    const auto at = [&](int64_t pack) { return start + pack * kLanes; };  // first sample
    constexpr int64_t kChannels = 8;
    const int64_t chunks = ceil_div(map.c_from, kChannels);
    parallel_for(packs * chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t pack = i / chunks, channel = i % chunks * kChannels;
        turn_samples(from + at(pack) * sample_from, lanes(pack), sample_from, map.c_from, plane_from, channel,
                     std::min(channel + kChannels, map.c_from), images + pack * map.image_elements);
      }
    });
    const int64_t units = map.down * map.units;
    parallel_for(packs * units, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t pack = i / units, p = i % units / map.units, q = i % map.units * map.unit;
        kMultiply[std::min(map.unit, map.across - q) - 1](map, p, q, images + pack * map.image_elements,
                                                          weights, bias,
                                                          results + pack * map.result_elements);
      }
    });
    parallel_for(packs * map.c_to, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t pack = i / map.c_to, channel = i % map.c_to;
        turn_samples_back(results + pack * map.result_elements + channel * plane_to * kLanes, lanes(pack),
                          plane_to, sample_to, to + at(pack) * sample_to + channel * plane_to);
      }
    });
  }
}

void each_group(const Map& map, const float* from, const float* w, const float* bias, float* to,
                float* workspace) {
  for (int64_t g = 0; g < map.s.groups; ++g) {
    apply(map, from + g * map.c_from * map.h_from * map.w_from, w + g * map.c_out * map.c_in * kTaps,
          bias ? bias + g * map.c_to : nullptr, to + g * map.c_to * map.h_to * map.w_to, workspace);
  }
}

}  // namespace

void three_forward(const ConvShape& s, const float* x, const float* w, const float* bias, float* y,
                   float* workspace) {
  each_group(Map(s, true), x, w, bias, y, workspace);
}

void three_input_grad(const ConvShape& s, const float* dy, const float* w, const float* bias, float* dx,
                      float* workspace) {
  each_group(Map(s, false), dy, w, bias, dx, workspace);
}

bool three_suits(const ConvShape& s, ConvPass pass) {
  constexpr int64_t kFewest = 12;  // channels of a group
  if (s.kh != 3 || s.kw != 3 || s.stride_h != 1 || s.stride_w != 1 || s.pad_h > 2 || s.pad_w > 2 ||
      s.dilation_h != 1 || s.dilation_w != 1 || s.group_in() < kFewest || s.group_out() < kFewest) {
    return false;
  }
  if (pass == ConvPass::kWeightGrad) return three_weight_suits(s);
  if (!fills_lanes(s.n)) return false;
  return Map(s, pass == ConvPass::kForward).fits(kPanelTiles);
}

int64_t three_elements(const ConvShape& s, ConvPass pass) {
  if (pass == ConvPass::kWeightGrad) return three_weight_elements(s);
  return Map(s, pass == ConvPass::kForward).elements();
}

}  // namespace duel::kernels::host
