// Sums over windows and their adjoint, each with a divisor: the two sides of average pooling and nearest up-sampling.
#include "duel/core/ops/pooling.h"

#include "duel/core/autograd.h"
#include "duel/core/op_registry.h"
#include "duel/kernels/movement.h"

namespace duel {
namespace {

using Grads = std::vector<Tensor>;

void check(const char* op, const Tensor& x, int64_t k) {
  DUEL_CHECK(x.rank() == 4 && k >= 1, op, "expected [N, C, H, W] and k >= 1, got {} and {}", x.shape(), k);
}

Tensor spread(const char* op, const Tensor& x, int64_t k, double divisor);

/// (The sum of every window) / divisor. d<y, g>/dx = g repeated, / divisor.
Tensor pooled(const char* op, const Tensor& x, int64_t k, double divisor) {
  const int64_t height = x.dim(2), width = x.dim(3);
  Tensor y = Tensor::empty({x.dim(0), x.dim(1), height / k, width / k}, x.options());
  DUEL_DISPATCH(x.dtype(), op,
                kernels::sum_pool2d<T>(stream_of(x.device()), x.dim(0) * x.dim(1), height, width, k,
                                       x.data<T>(), y.mutable_data<T>(), divisor));
  return record(op, y, {x}, {}, [k, divisor](const RuleContext&, const Tensor& g) -> Grads {
    return {spread("upsample_nearest2d", g, k, divisor)};
  });
}

/// Every pixel repeated, / divisor. d<y, g>/dx = (window sums of g) / divisor.
Tensor spread(const char* op, const Tensor& x, int64_t k, double divisor) {
  const int64_t height = x.dim(2), width = x.dim(3);
  Tensor y = Tensor::empty({x.dim(0), x.dim(1), height * k, width * k}, x.options());
  DUEL_DISPATCH(x.dtype(), op,
                kernels::upsample_nearest2d<T>(stream_of(x.device()), x.dim(0) * x.dim(1), height, width, k,
                                               x.data<T>(), y.mutable_data<T>(), divisor));
  return record(op, y, {x}, {}, [k, divisor](const RuleContext&, const Tensor& g) -> Grads {
    return {pooled("avg_pool2d", g, k, divisor)};
  });
}

}  // namespace

Tensor avg_pool2d(const Tensor& x, int64_t k) {
  check("avg_pool2d", x, k);
  DUEL_CHECK(x.dim(2) % k == 0 && x.dim(3) % k == 0, "avg_pool2d",
             "expected height and width that are multiples of {}, got {}", k, x.shape());
  return pooled("avg_pool2d", x, k, static_cast<double>(k * k));
}

Tensor upsample_nearest2d(const Tensor& x, int64_t k) {
  check("upsample_nearest2d", x, k);
  return spread("upsample_nearest2d", x, k, 1.0);
}

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
