// Samples of core/ops/reduce/pooling.h.
#include "duel/core/ops/reduce/pooling.h"

#include <algorithm>
#include <cmath>

#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

struct BlockCase {
  Shape small;  // the pooled side
  int64_t k;
};
const std::vector<BlockCase>& block_cases() {
  static const std::vector<BlockCase> all = {
      {{2, 3, 2, 3}, 2}, {{1, 1, 1, 1}, 3}, {{2, 1, 3, 1}, 1}, {{1, 2, 2, 1}, 5}, {{0, 2, 2, 2}, 2}};
  return all;
}
Shape large(const BlockCase& c) { return {c.small[0], c.small[1], c.small[2] * c.k, c.small[3] * c.k}; }

/// Calls f(index in the large image, index in the small image) for every large pixel.
template <class F>
void each_pixel(const Shape& big, const Shape& small, int64_t k, F f) {
  for (int64_t i = 0; i < big.numel(); ++i) {
    auto at = reference::unravel(big, i);
    at[2] /= k;
    at[3] /= k;
    f(static_cast<size_t>(i), static_cast<size_t>(reference::ravel(small, at)));
  }
}

std::vector<OpSample> avg_pool2d_samples() {
  std::vector<OpSample> samples;
  for (const BlockCase& c : block_cases()) {
    samples.push_back({.label = message("{} k{}", large(c), c.k),
                       .inputs = {{.shape = large(c)}},
                       .apply = [c](const Tensors& x) { return avg_pool2d(x[0], c.k); },
                       .reference =
                           [c](const Arrays& x) {
                             Array y{c.small, std::vector<double>(static_cast<size_t>(c.small.numel()))};
                             each_pixel(x[0].shape, c.small, c.k, [&](size_t from, size_t to) {
                               y.values[to] += x[0].values[from] / static_cast<double>(c.k * c.k);
                             });
                             return y;
                           }});
  }
  return samples;
}

std::vector<OpSample> upsample_samples() {
  std::vector<OpSample> samples;
  for (const BlockCase& c : block_cases()) {
    samples.push_back({.label = message("{} k{}", c.small, c.k),
                       .inputs = {{.shape = c.small}},
                       .apply = [c](const Tensors& x) { return upsample_nearest2d(x[0], c.k); },
                       .reference =
                           [c](const Arrays& x) {
                             Array y{large(c), std::vector<double>(static_cast<size_t>(large(c).numel()))};
                             each_pixel(y.shape, c.small, c.k,
                                        [&](size_t to, size_t from) { y.values[to] = x[0].values[from]; });
                             return y;
                           }});
  }
  return samples;
}

// Overlapping windows, gaps between them, rests, rectangles, padding, one window, empty batch.
struct WindowCase {
  Shape shape;
  Size2d kernel, stride, padding;
};
const std::vector<WindowCase>& window_cases() {
  static const std::vector<WindowCase> all = {
      {{2, 3, 4, 6}, 2, {}, 0},          {{1, 2, 7, 5}, 3, 2, 1}, {{2, 1, 5, 4}, {3, 2}, {1, 2}, {1, 0}},
      {{1, 2, 5, 7}, 2, 3, 1},           {{1, 1, 3, 4}, 2, 2, 0}, {{2, 2, 3, 3}, 3, 1, 0},
      {{1, 1, 3, 2}, {1, 2}, 1, {0, 1}}, {{0, 2, 4, 4}, 3, 2, 1}};
  return all;
}

/// Calls f(window, element) for every pair, in the elements' order; element is SIZE_MAX in the padding.
template <class F>
Shape each_window(const WindowCase& c, F f) {
  const Size2d stride = c.stride == Size2d{} ? c.kernel : c.stride;
  const int64_t height = c.shape[2], width = c.shape[3];
  const Shape out{c.shape[0], c.shape[1], (height + 2 * c.padding.h - c.kernel.h) / stride.h + 1,
                  (width + 2 * c.padding.w - c.kernel.w) / stride.w + 1};
  for (int64_t o = 0; o < out.numel(); ++o) {
    const auto at = reference::unravel(out, o);
    for (int64_t a = 0; a < c.kernel.h * c.kernel.w; ++a) {
      const int64_t row = at[2] * stride.h - c.padding.h + a / c.kernel.w;
      const int64_t column = at[3] * stride.w - c.padding.w + a % c.kernel.w;
      const bool inside = row >= 0 && row < height && column >= 0 && column < width;
      f(static_cast<size_t>(o),
        inside ? static_cast<size_t>(reference::ravel(c.shape, {at[0], at[1], row, column})) : SIZE_MAX);
    }
  }
  return out;
}

template <class Op, class Combine>
void add_window_samples(std::vector<OpSample>& samples, double first, Op op, Combine combine) {
  for (const WindowCase& c : window_cases()) {
    samples.push_back({.label = message("{} k{} s{} p{}", c.shape, c.kernel, c.stride, c.padding),
                       .inputs = {{.shape = c.shape}},
                       .apply = [c, op](const Tensors& x) { return op(x[0], c.kernel, c.stride, c.padding); },
                       .reference =
                           [c, first, combine](const Arrays& x) {
                             const Shape out = each_window(c, [](size_t, size_t) {});
                             Array y{out, std::vector<double>(static_cast<size_t>(out.numel()), first)};
                             each_window(c, [&](size_t to, size_t from) {
                               if (from != SIZE_MAX)
                                 y.values[to] = combine(c, y.values[to], x[0].values[from]);
                             });
                             return y;
                           }});
  }
}

std::vector<OpSample> avg_pool2d_all_samples() {
  auto samples = avg_pool2d_samples();
  add_window_samples(samples, 0.0, avg_pool2d, [](const WindowCase& c, double sum, double v) {
    return sum + v / static_cast<double>(c.kernel.h * c.kernel.w);
  });
  return samples;
}

std::vector<OpSample> max_pool2d_samples() {
  std::vector<OpSample> samples;
  add_window_samples(samples, -INFINITY, max_pool2d,
                     [](const WindowCase&, double best, double v) { return std::max(best, v); });
  return samples;
}

const RegisterOp max_pool2d_registered("max_pool2d", max_pool2d_samples);
const RegisterOp avg_pool2d_registered("avg_pool2d", avg_pool2d_all_samples);
const RegisterOp upsample_registered("upsample_nearest2d", upsample_samples);

}  // namespace
}  // namespace duel
