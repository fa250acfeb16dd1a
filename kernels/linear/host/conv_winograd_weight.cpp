// Weight gradient by kernels/linear/host/conv_winograd.h. The lanes of a vector are channels.
//
// The identity read sideways: with S0 = (d0 - d1) y0, S1 = d1 (y0 + y1), S2 = (d2 - d1) y1, summed over all
// pairs of outputs, the taps' gradients are S0 + S1 and S1 + S2. So for each of the 9 kinds: one matrix
// product of the sums of dy with the differences of x, the reduction running over samples and products; then
// few additions per tap. For some samples at a time x and dy are turned into [sample][position][channel].
#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/conv_winograd.h"
#include "duel/kernels/linear/host/tile.h"
#include "duel/kernels/linear/host/turn.h"

namespace duel::kernels::host {
namespace {

using namespace winograd;

constexpr int kLanes = simd::kLanes<float>;
using Vec = simd::Vec<float>;

constexpr int64_t kUnit = 2;          // panels that share one pass over the sums of dy
constexpr int64_t kMostSteps = 2048;  // of the reduction at a time: kUnit panels of them fit the scratch
static_assert(kUnit * kMostSteps * kPanel<float> * sizeof(float) <= kScratchBytes);

struct Plan {
  explicit Plan(const ConvShape& shape) : s(shape) {
    phases = s.stride_h * s.stride_w;
    c_in = ceil_div(s.c_in, kLanes) * kLanes;
    c_out = ceil_div(s.c_out, kLanes) * kLanes;
    panels = ceil_div(c_in, kPanel<float>);
    tiles = row_tiles(s.c_out);
    const Grid any = grid(0);
    products = any.total();
    samples = std::min(s.n, std::clamp<int64_t>(kMostSteps / any.count(0), 1, 16));
    x_elements = samples * s.h_in * s.w_in * c_in;
    dy_elements = samples * s.h_out * s.w_out * c_out;
    left_elements = products * samples * s.c_out;
    sum_elements = 9 * phases * panels * tiles * kTileRows * kPanel<float>;
  }
  Grid grid(int64_t phase) const {
    return {forward_axis(s.h_in, s.h_out, s.stride_h, s.pad_h, phase / s.stride_w),
            forward_axis(s.w_in, s.w_out, s.stride_w, s.pad_w, phase % s.stride_w)};
  }
  // Sums [kind][phase][panel][tile][row][kPanel].
  int64_t sum_at(int kind, int64_t phase, int64_t panel, int64_t tile) const {
    return (((kind * phases + phase) * panels + panel) * tiles + tile) * kTileRows * kPanel<float>;
  }

  ConvShape s;
  int64_t phases, c_in, c_out;  // channels rounded up to whole vectors
  int64_t panels, tiles;        // of one phase's input channels; of output channels
  int64_t products;             // per sample and phase
  int64_t samples;              // at a time
  int64_t x_elements, dy_elements, left_elements, sum_elements;
};

// Calls visit(row point, column point) for the products of a kind.
template <class Visit>
void for_products(const Grid& grid, int kind, Visit visit) {
  const int64_t down = points(grid.rows.outputs, kind / 3), across = points(grid.columns.outputs, kind % 3);
  for (int64_t i = 0; i < down; ++i) {
    const Point row = point(grid.rows.outputs, kind / 3, i);
    for (int64_t j = 0; j < across; ++j) visit(row, point(grid.columns.outputs, kind % 3, j));
  }
}

// The sums of dy of one kind for one tile of output channels: to[sample, product][row of the tile].
void make_left(const Plan& plan, int kind, int64_t tile, int64_t samples, const float* dy, float* to) {
  const int64_t row = row_cut(plan.s.c_out, tile, plan.tiles),
                rows = row_cut(plan.s.c_out, tile + 1, plan.tiles) - row;
  const simd::Mask mask = simd::lanes_between(0, rows);
  const int64_t width = plan.s.w_out;
  const Grid grid = plan.grid(0);
  for (int64_t n = 0; n < samples; ++n) {
    const float* image = dy + n * plan.s.h_out * width * plan.c_out + row;
    for_products(grid, kind, [&](const Point& r, const Point& c) {
      const auto at = [&](int64_t p, int64_t q) {
        return simd::load_masked(image + (p * width + q) * plan.c_out, mask);
      };
      Vec value = at(r.out0, c.out0);
      if (c.out1 >= 0) value += at(r.out0, c.out1);
      if (r.out1 >= 0) {
        Vec below = at(r.out1, c.out0);
        if (c.out1 >= 0) below += at(r.out1, c.out1);
        value += below;
      }
      simd::store_masked(to, value, mask);
      to += rows;
    });
  }
}

// The differences of x of one kind for input channels [first, last) of a phase: to[panel][sample,
// product][width], panels kMostSteps * kPanel apart.
void make_right(const Plan& plan, int kind, int64_t phase, int64_t first, int64_t last, int64_t samples,
                const float* x, float* to) {
  struct Inputs {
    int64_t d[4];  // offsets of what is added, subtracted, subtracted, added; -1 for zeros
  };
  Inputs inputs[kMostSteps];
  const Grid grid = plan.grid(phase);
  int64_t count = 0;
  for_products(grid, kind, [&](const Point& r, const Point& c) {
    const auto at = [&](int64_t i, int64_t j) {
      const int64_t y = grid.rows.at(i), z = grid.columns.at(j);
      return y < 0 || z < 0 ? -1 : (y * plan.s.w_in + z) * plan.c_in;
    };
    inputs[count++] = {{at(r.plus, c.plus), at(r.plus, c.minus), at(r.minus, c.plus), at(r.minus, c.minus)}};
  });
  for (int64_t n = 0; n < samples; ++n) {
    const float* image = x + n * plan.s.h_in * plan.s.w_in * plan.c_in;
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t panel = first; panel < last; panel += kPanel<float>) {
        const int64_t width = std::min(kPanel<float>, last - panel);
        const float* d[4];
        for (int k = 0; k < 4; ++k) {
          d[k] = inputs[i].d[k] < 0 ? zeros<float>() : image + inputs[i].d[k] + panel;
        }
        float* out = to + (panel - first) * kMostSteps + (n * count + i) * width;
        for (int64_t v = 0; v < width; v += kLanes) {
          const Vec plus = simd::load(d[0] + v) - simd::load(d[1] + v);
          const Vec minus = simd::load(d[2] + v) - simd::load(d[3] + v);
          simd::store(out + v, plus - minus);
        }
      }
    }
  }
}

// kUnit panels of one kind and phase, from `panel` on, added to their sums.
void multiply(const Plan& plan, int kind, int64_t phase, int64_t panel, int64_t samples, const float* x,
              const float* left, bool first, float* sums) {
  const int64_t count = std::min(kUnit, plan.panels - panel);
  const int64_t steps = samples * plan.grid(0).count(kind);
  float* packed = static_cast<float*>(thread_scratch());
  const auto width = [&](int64_t i) {
    return std::min(kPanel<float>, plan.c_in - (panel + i) * kPanel<float>);
  };
  make_right(plan, kind, phase, panel * kPanel<float>, std::min(plan.c_in, (panel + count) * kPanel<float>),
             samples, x, packed);
  for (int64_t t = 0; t < plan.tiles; ++t) {
    const int64_t row = row_cut(plan.s.c_out, t, plan.tiles),
                  rows = row_cut(plan.s.c_out, t + 1, plan.tiles) - row;
    for (int64_t i = 0; i < count; ++i) {
      TileArgs<float> args;
      args.steps = steps;
      args.a = left + row * steps;
      args.a_ld = rows;
      args.b = packed + i * kMostSteps * kPanel<float>;
      args.b_ld = width(i);
      args.out = sums + plan.sum_at(kind, phase, panel + i, t);
      args.out_ld = kPanel<float>;
      args.init = first ? zeros<float>() : args.out;
      args.init_ld = first ? 0 : kPanel<float>;
      tile_kernel<float>(rows, width(i) / kLanes, true)(args);
    }
  }
}

// The taps of one output channel from the sums.
void finish(const Plan& plan, int64_t row, const float* sums, float* dw) {
  const ConvShape& s = plan.s;
  const int64_t tile = row_tile(s.c_out, row, plan.tiles);
  const int64_t in_tile = row - row_cut(s.c_out, tile, plan.tiles);
  for (int64_t phase = 0; phase < plan.phases; ++phase) {
    const int64_t a = phase / s.stride_w, b = phase % s.stride_w;
    for (int64_t channel = 0; channel < s.c_in; channel += kLanes) {
      Vec sum[9];
      for (int kind = 0; kind < 9; ++kind) {
        sum[kind] = simd::load(sums + plan.sum_at(kind, phase, channel / kPanel<float>, tile) +
                               in_tile * kPanel<float> + channel % kPanel<float>);
      }
      for (int u = 0; u < 2; ++u) {
        for (int v = 0; v < 2; ++v) {
          const Vec* corner = sum + 3 * u + v;
          const Vec value = (corner[0] + corner[1]) + (corner[3] + corner[4]);
          float* to =
              dw + (row * s.c_in + channel) * s.kh * s.kw + (s.stride_h * u + a) * s.kw + s.stride_w * v + b;
          const int64_t count = std::min<int64_t>(s.c_in - channel, kLanes);
          for (int64_t lane = 0; lane < count; ++lane) to[lane * s.kh * s.kw] = value[lane];
        }
      }
    }
  }
}

}  // namespace

void winograd_weight_grad(const ConvShape& s, const float* x, const float* dy, float* dw, float* workspace) {
  const Plan plan(s);
  float* const turned_x = workspace;
  float* const turned_dy = turned_x + plan.x_elements;
  float* const left = turned_dy + plan.dy_elements;
  float* const sums = left + plan.left_elements;
  const int64_t plane_in = s.h_in * s.w_in, plane_out = s.h_out * s.w_out;
  const Grid grid = plan.grid(0);
  for (int64_t start = 0; start < s.n; start += plan.samples) {
    const int64_t samples = std::min(plan.samples, s.n - start);
    parallel_for(samples, 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        turn_positions(x + (start + n) * s.c_in * plane_in, s.c_in, plane_in, plan.c_in,
                       turned_x + n * plane_in * plan.c_in);
        turn_positions(dy + (start + n) * s.c_out * plane_out, s.c_out, plane_out, plan.c_out,
                       turned_dy + n * plane_out * plan.c_out);
      }
    });
    // left[kind][tile][sample, product][row of the tile]
    const auto left_of = [&](int kind) { return left + grid.offset(kind) * samples * s.c_out; };
    parallel_for(9 * plan.tiles, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int kind = static_cast<int>(i / plan.tiles);
        const int64_t row = row_cut(s.c_out, i % plan.tiles, plan.tiles);
        make_left(plan, kind, i % plan.tiles, samples, turned_dy,
                  left_of(kind) + row * samples * grid.count(kind));
      }
    });
    const int64_t units = ceil_div(plan.panels, kUnit);
    parallel_for(9 * plan.phases * units, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int kind = static_cast<int>(i / units / plan.phases);
        multiply(plan, kind, i / units % plan.phases, i % units * kUnit, samples, turned_x, left_of(kind),
                 start == 0, sums);
      }
    });
  }
  parallel_for(s.c_out, 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) finish(plan, row, sums, dw);
  });
}

bool winograd_weight_suits(const ConvShape& s) {
  // A kind with at least one product everywhere, and a reduction worth the sums.
  return s.h_out >= 2 && s.w_out >= 2 && s.n * s.h_out * s.w_out >= 512 &&
         ceil_div(s.h_out, 2) * ceil_div(s.w_out, 2) <= kMostSteps;
}

int64_t winograd_weight_elements(const ConvShape& s) {
  const Plan plan(s);
  return plan.x_elements + plan.dy_elements + plan.left_elements + plan.sum_elements;
}

}  // namespace duel::kernels::host
