// Samples of core/ops/reduce/pooling.h.
#include "duel/core/ops/reduce/pooling.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

struct Case {
  Shape small;  // the pooled side
  int64_t k;
};
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {{2, 3, 2, 3}, 2}, {{1, 1, 1, 1}, 3}, {{2, 1, 3, 1}, 1}, {{1, 2, 2, 1}, 5}, {{0, 2, 2, 2}, 2}};
  return all;
}
Shape large(const Case& c) { return {c.small[0], c.small[1], c.small[2] * c.k, c.small[3] * c.k}; }

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
  for (const Case& c : cases()) {
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
  for (const Case& c : cases()) {
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

const RegisterOp avg_pool2d_registered("avg_pool2d", avg_pool2d_samples);
const RegisterOp upsample_registered("upsample_nearest2d", upsample_samples);

}  // namespace
}  // namespace duel
