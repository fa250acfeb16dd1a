// Weight gradient by kernels/linear/host/conv_three.h. The lanes of a vector are channels.
//
// For some samples at a time x and dy are turned into [sample][position][channel]; the reduction of the 16 matrix products
// runs over samples and tiles. A kind has a row's and a column's part; the four kinds of one row's part share what they read.
#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/conv_three.h"
#include "duel/kernels/linear/host/tile.h"
#include "duel/kernels/linear/host/turn.h"

namespace duel::kernels::host {
namespace {

constexpr int kLanes = simd::kLanes<float>;
using Vec = simd::Vec<float>;

constexpr int64_t kTaps = 9, kKinds = 16;
// Of the reduction at a time: the panels of four kinds fit the scratch.
constexpr int64_t kMostSteps = 512 * 16 / kLanes;
static_assert(4 * kMostSteps * kPanel<float> * sizeof(float) <= kScratchBytes);

struct Plan {
  explicit Plan(const ConvShape& shape) : s(shape) {
    group_in = s.group_in();
    group_out = s.group_out();
    c_in = ceil_div(group_in, kLanes) * kLanes;
    c_out = ceil_div(group_out, kLanes) * kLanes;
    panels = ceil_div(c_in, kPanel<float>);
    tiles = row_tiles(group_out);
    down = ceil_div(s.h_out, 2);
    across = ceil_div(s.w_out, 2);
    samples = std::min(s.n, std::clamp<int64_t>(kMostSteps / (down * across), 1, 16));
    x_elements = samples * (s.h_in * s.w_in + 1) * c_in;
    dy_elements = samples * (s.h_out * s.w_out + 1) * c_out;
    left_elements = kKinds * samples * down * across * group_out;
    sum_elements = kKinds * panels * tiles * kTileRows * kPanel<float>;
  }
  // Sums [kind][panel][tile][row][kPanel].
  int64_t sum_at(int64_t kind, int64_t panel, int64_t tile) const {
    return ((kind * panels + panel) * tiles + tile) * kTileRows * kPanel<float>;
  }
  int64_t steps(int64_t of_samples) const { return of_samples * down * across; }
  int64_t x_sample() const { return (s.h_in * s.w_in + 1) * c_in; }
  int64_t dy_sample() const { return (s.h_out * s.w_out + 1) * c_out; }

  ConvShape s;
  int64_t group_in, group_out;  // channels of a group
  int64_t c_in, c_out;          // the same rounded up to whole vectors
  int64_t panels, tiles;        // of input channels; of output channels
  int64_t down, across;         // 2x2 tiles of outputs
  int64_t samples;              // at a time
  int64_t x_elements, dy_elements, left_elements, sum_elements;
};

// The sums of dy for the four kinds of row part `part` and one tile of output channels:
// left[kind][tile][step][row of the tile], kinds `kind_step` apart; `to` is that of the part's first kind.
void make_left(const Plan& plan, int64_t part, int64_t tile, int64_t samples, const float* dy, float* to,
               int64_t kind_step) {
  const int64_t row = row_cut(plan.group_out, tile, plan.tiles),
                rows = row_cut(plan.group_out, tile + 1, plan.tiles) - row;
  const simd::Mask mask = simd::lanes_between(0, rows);
  const int64_t h = plan.s.h_out, w = plan.s.w_out;
  for (int64_t n = 0; n < samples; ++n) {
    const float* image = dy + n * plan.dy_sample() + row;
    const auto at = [&](int64_t y, int64_t x) {
      return simd::load_masked(image + (y < h && x < w ? y * w + x : h * w) * plan.c_out, mask);
    };
    for (int64_t p = 0; p < plan.down; ++p) {
      for (int64_t q = 0; q < plan.across; ++q, to += rows) {
        Vec y[2];
        for (int64_t j = 0; j < 2; ++j) {
          const int64_t x = 2 * q + j;
          y[j] = part == 0   ? at(2 * p, x)
                 : part == 1 ? at(2 * p, x) + at(2 * p + 1, x)
                 : part == 2 ? at(2 * p, x) - at(2 * p + 1, x)
                             : at(2 * p + 1, x);
        }
        simd::store_masked(to, y[0], mask);
        simd::store_masked(to + kind_step, y[0] + y[1], mask);
        simd::store_masked(to + 2 * kind_step, y[0] - y[1], mask);
        simd::store_masked(to + 3 * kind_step, y[1], mask);
      }
    }
  }
}

// The sums of x for the four kinds of row part `part` and one panel of input channels: to[column part][step][width].
void make_right(const Plan& plan, int64_t part, int64_t panel, int64_t samples, const float* x, float* to) {
  constexpr int64_t kPairs[4][2] = {{0, 2}, {1, 2}, {2, 1}, {3, 1}};  // of rows that are added or subtracted
  const int64_t width = std::min(kPanel<float>, plan.c_in - panel * kPanel<float>);
  const int64_t h = plan.s.h_in, w = plan.s.w_in, kind_step = plan.steps(samples) * width;
  for (int64_t n = 0; n < samples; ++n) {
    const float* image = x + n * plan.x_sample() + panel * kPanel<float>;
    for (int64_t p = 0; p < plan.down; ++p) {
      for (int64_t q = 0; q < plan.across; ++q, to += width) {
        const float* at[2][4];
        for (int64_t i = 0; i < 2; ++i) {
          const int64_t row = 2 * p + kPairs[part][i] - plan.s.pad_h;
          for (int64_t j = 0; j < 4; ++j) {
            const int64_t column = 2 * q + j - plan.s.pad_w;
            const bool inside = row >= 0 && row < h && column >= 0 && column < w;
            at[i][j] = image + (inside ? row * w + column : h * w) * plan.c_in;
          }
        }
        for (int64_t v = 0; v < width; v += kLanes) {
          Vec d[4];
          for (int64_t j = 0; j < 4; ++j) {
            const Vec first = simd::load(at[0][j] + v), second = simd::load(at[1][j] + v);
            d[j] = part == 1 ? first + second : first - second;
          }
          simd::store(to + v, d[0] - d[2]);
          simd::store(to + kind_step + v, d[1] + d[2]);
          simd::store(to + 2 * kind_step + v, d[2] - d[1]);
          simd::store(to + 3 * kind_step + v, d[3] - d[1]);
        }
      }
    }
  }
}

// The four kinds of a row part for one panel, added to their sums.
void multiply(const Plan& plan, int64_t part, int64_t panel, int64_t samples, const float* x,
              const float* left, bool first, float* sums) {
  const int64_t steps = plan.steps(samples),
                width = std::min(kPanel<float>, plan.c_in - panel * kPanel<float>);
  float* packed = static_cast<float*>(thread_scratch());
  make_right(plan, part, panel, samples, x, packed);
  for (int64_t kind = 4 * part; kind < 4 * part + 4; ++kind) {
    for (int64_t t = 0; t < plan.tiles; ++t) {
      const int64_t row = row_cut(plan.group_out, t, plan.tiles),
                    rows = row_cut(plan.group_out, t + 1, plan.tiles) - row;
      TileArgs<float> args;
      args.steps = steps;
      args.a = left + (kind * plan.group_out + row) * steps;
      args.a_ld = rows;
      args.b = packed + kind % 4 * steps * width;
      args.b_ld = width;
      args.out = sums + plan.sum_at(kind, panel, t);
      args.out_ld = kPanel<float>;
      args.init = first ? zeros<float>() : args.out;
      args.init_ld = first ? 0 : kPanel<float>;
      tile_kernel<float>(rows, width / kLanes, true)(args);
    }
  }
}

// The gradients of three taps from the four sums.
void tap_gradients(const Vec* s, Vec* to) {
  const Vec half = simd::broadcast(0.5f), sum = half * (s[1] + s[2]);
  to[0] = s[0] + sum;
  to[1] = half * (s[1] - s[2]);
  to[2] = sum + s[3];
}

// The taps of one output channel from the sums.
void finish(const Plan& plan, int64_t row, const float* sums, float* dw) {
  const int64_t tile = row_tile(plan.group_out, row, plan.tiles);
  const int64_t in_tile = row - row_cut(plan.group_out, tile, plan.tiles);
  for (int64_t channel = 0; channel < plan.group_in; channel += kLanes) {
    Vec by_column[4][3];  // [row part][tap of a row]
    for (int64_t part = 0; part < 4; ++part) {
      Vec kinds[4];
      for (int64_t k = 0; k < 4; ++k)
        kinds[k] = simd::load(sums + plan.sum_at(4 * part + k, channel / kPanel<float>, tile) +
                              in_tile * kPanel<float> + channel % kPanel<float>);
      tap_gradients(kinds, by_column[part]);
    }
    const int64_t count = std::min<int64_t>(plan.group_in - channel, kLanes);
    for (int64_t j = 0; j < 3; ++j) {
      const Vec parts[4] = {by_column[0][j], by_column[1][j], by_column[2][j], by_column[3][j]};
      Vec taps[3];
      tap_gradients(parts, taps);
      for (int64_t i = 0; i < 3; ++i) {
        float* to = dw + (row * plan.group_in + channel) * kTaps + 3 * i + j;
        for (int64_t lane = 0; lane < count; ++lane) to[lane * kTaps] = taps[i][lane];
      }
    }
  }
}

/// Of one group of channels, with which x, dy and dw begin.
void weight_grad(const Plan& plan, const float* x, const float* dy, float* dw, float* workspace) {
  const ConvShape& s = plan.s;
  float* const turned_x = workspace;
  float* const turned_dy = turned_x + plan.x_elements;
  float* const left = turned_dy + plan.dy_elements;
  float* const sums = left + plan.left_elements;
  const int64_t plane_in = s.h_in * s.w_in, plane_out = s.h_out * s.w_out;
  for (int64_t start = 0; start < s.n; start += plan.samples) {
    const int64_t samples = std::min(plan.samples, s.n - start);
    parallel_for(samples, 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        float *to_x = turned_x + n * plan.x_sample(), *to_dy = turned_dy + n * plan.dy_sample();
        turn_positions(x + (start + n) * s.c_in * plane_in, plan.group_in, plane_in, plan.c_in, to_x);
        turn_positions(dy + (start + n) * s.c_out * plane_out, plan.group_out, plane_out, plan.c_out, to_dy);
        std::fill_n(to_x + plane_in * plan.c_in, plan.c_in, 0.0f);
        std::fill_n(to_dy + plane_out * plan.c_out, plan.c_out, 0.0f);
      }
    });
    const int64_t steps = plan.steps(samples);
    parallel_for(4 * plan.tiles, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t part = i / plan.tiles, tile = i % plan.tiles;
        make_left(plan, part, tile, samples, turned_dy,
                  left + (4 * part * plan.group_out + row_cut(plan.group_out, tile, plan.tiles)) * steps,
                  plan.group_out * steps);
      }
    });
    parallel_for(4 * plan.panels, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        multiply(plan, i / plan.panels, i % plan.panels, samples, turned_x, left, start == 0, sums);
    });
  }
  parallel_for(plan.group_out, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) finish(plan, row, sums, dw);
  });
}

}  // namespace

void three_weight_grad(const ConvShape& s, const float* x, const float* dy, float* dw, float* workspace) {
  const Plan plan(s);
  for (int64_t g = 0; g < s.groups; ++g) {
    weight_grad(plan, x + g * plan.group_in * s.h_in * s.w_in, dy + g * plan.group_out * s.h_out * s.w_out,
                dw + g * plan.group_out * plan.group_in * kTaps, workspace);
  }
}

bool three_weight_suits(const ConvShape& s) {
  // Whole tiles, and a reduction worth the sums.
  return s.h_out >= 2 && s.w_out >= 2 && s.n * s.h_out * s.w_out >= 512 &&
         ceil_div(s.h_out, 2) * ceil_div(s.w_out, 2) <= kMostSteps;
}

int64_t three_weight_elements(const ConvShape& s) {
  const Plan plan(s);
  return plan.x_elements + plan.dy_elements + plan.left_elements + plan.sum_elements;
}

}  // namespace duel::kernels::host
