#include "duel/kernels/linear/host/conv_point.h"

#include <algorithm>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/linear/host/conv_host.h"
#include "duel/kernels/linear/host/tile.h"

namespace duel::kernels::host {
namespace {

constexpr int64_t kLanes = simd::kLanes<float>;
using Vec = simd::Vec<float>;

int64_t places(const ConvShape& s) { return s.h_in * s.w_in; }

/// Two vectors of columns, then one, then the last one again with what is left.
struct Columns {
  int64_t at, vectors;
};
Columns columns(int64_t index, int64_t count) {
  const int64_t pairs = count / kPanel<float>, left = count - pairs * kPanel<float>;
  if (index < pairs) return {index * kPanel<float>, kTileVectors};
  if (index == pairs && left >= kLanes) return {pairs * kPanel<float>, 1};
  return {count - kLanes, 1};
}
int64_t column_parts(int64_t count) {
  const int64_t pairs = count / kPanel<float>, left = count - pairs * kPanel<float>;
  return pairs + (left >= kLanes ? 1 : 0) + (left % kLanes != 0 ? 1 : 0);
}

/// to[n] [rows, places] = left [rows, steps] from[n] [steps, places] + bias; left as pack_left() reads it.
void apply(int64_t n, int64_t rows, int64_t steps, int64_t count, const float* left, int64_t left_ld,
           bool transposed, const float* bias, const float* from, float* to, float* workspace) {
  float* const packed = workspace;  // [tile][step][row of the tile]
  float* const first = packed + rows * steps;
  const int64_t tiles = row_tiles(rows);
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t row = row_cut(rows, t, tiles);
    pack_left(left + (transposed ? row : row * left_ld), left_ld, transposed,
              row_cut(rows, t + 1, tiles) - row, steps, packed + row * steps);
  }
  for (int64_t r = 0; bias && r < rows; ++r) std::fill_n(first + r * kPanel<float>, kPanel<float>, bias[r]);
  const int64_t parts = column_parts(count);
  parallel_for(n * parts, 2048 / (rows * steps / kLanes + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Columns c = columns(i % parts, count);
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t row = row_cut(rows, t, tiles), height = row_cut(rows, t + 1, tiles) - row;
        TileArgs<float> args;
        args.steps = steps;
        args.a = packed + row * steps;
        args.a_ld = height;
        args.b = from + i / parts * steps * count + c.at;
        args.b_ld = count;
        args.init = bias ? first + row * kPanel<float> : zeros<float>();
        args.init_ld = bias ? kPanel<float> : 0;
        args.out = to + (i / parts * rows + row) * count + c.at;
        args.out_ld = count;
        tile_kernel<float>(height, c.vectors, true)(args);
      }
    }
  });
}

constexpr int64_t kBlock = 4;  // rows of dy and of x at a time: their products stay in registers

/// sums[o][i] of up to kBlock rows each, vectors of partial sums over the places of one sample.
template <int kRows, int kColumns>
void add_products(int64_t count, const float* dy, const float* x, int64_t row_step, float* sums) {
  Vec acc[kRows][kColumns];
  for (int o = 0; o < kRows; ++o)
    for (int i = 0; i < kColumns; ++i) acc[o][i] = simd::load(sums + o * row_step + i * kLanes);
  const auto add = [&](const auto& load) {
    Vec right[kColumns];
#pragma GCC unroll 4
    for (int i = 0; i < kColumns; ++i) right[i] = load(x + i * count);
#pragma GCC unroll 4
    for (int o = 0; o < kRows; ++o) {
      const Vec left = load(dy + o * count);
#pragma GCC unroll 4
      for (int i = 0; i < kColumns; ++i) acc[o][i] = simd::fma(left, right[i], acc[o][i]);
    }
  };
  int64_t p = 0;
  for (; p + kLanes <= count; p += kLanes) add([p](const float* from) { return simd::load(from + p); });
  if (p < count) {
    const simd::Mask some = simd::lanes_between(0, count - p);
    add([p, some](const float* from) { return simd::load_masked(from + p, some); });
  }
  for (int o = 0; o < kRows; ++o)
    for (int i = 0; i < kColumns; ++i) simd::store(sums + o * row_step + i * kLanes, acc[o][i]);
}

using AddProducts = void (*)(int64_t, const float*, const float*, int64_t, float*);
template <int kRows>
AddProducts of_columns(int64_t columns) {
  static constexpr AddProducts all[] = {add_products<kRows, 1>, add_products<kRows, 2>,
                                        add_products<kRows, 3>, add_products<kRows, 4>};
  return all[columns - 1];
}
AddProducts adding(int64_t rows, int64_t columns) {
  return rows == 1   ? of_columns<1>(columns)
         : rows == 2 ? of_columns<2>(columns)
         : rows == 3 ? of_columns<3>(columns)
                     : of_columns<4>(columns);
}

}  // namespace

void point_forward(const ConvShape& s, const float* x, const float* w, const float* bias, float* y,
                   float* workspace) {
  apply(s.n, s.c_out, s.c_in, places(s), w, s.c_in, false, bias, x, y, workspace);
}

void point_input_grad(const ConvShape& s, const float* dy, const float* w, const float* bias, float* dx,
                      float* workspace) {
  apply(s.n, s.c_in, s.c_out, places(s), w, s.c_in, true, bias, dy, dx, workspace);
}

void point_weight_grad(const ConvShape& s, const float* x, const float* dy, float* dw, float* workspace) {
  const int64_t count = places(s);
  parallel_for(ceil_div(s.c_out, kBlock), 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t o = block * kBlock, rows = std::min(kBlock, s.c_out - o), row_step = s.c_in * kLanes;
      float* const sums = workspace + o * row_step;
      std::fill_n(sums, rows * row_step, 0.0f);
      for (int64_t n = 0; n < s.n; ++n) {
        for (int64_t i = 0; i < s.c_in; i += kBlock) {
          adding(rows, std::min(kBlock, s.c_in - i))(count, dy + (n * s.c_out + o) * count,
                                                     x + (n * s.c_in + i) * count, row_step,
                                                     sums + i * kLanes);
        }
      }
      for (int64_t k = 0; k < rows * s.c_in; ++k)
        dw[o * s.c_in + k] = simd::sum<float>(simd::load(sums + k * kLanes));
    }
  });
}

bool point_suits(const ConvShape& s) {
  return s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 && s.pad_w == 0 &&
         places(s) >= kLanes;
}

int64_t point_elements(const ConvShape& s, ConvPass pass) {
  if (pass == ConvPass::kWeightGrad) return s.c_out * s.c_in * kLanes;
  return s.c_out * s.c_in + (pass == ConvPass::kForward ? s.c_out : s.c_in) * kPanel<float>;
}

}  // namespace duel::kernels::host
