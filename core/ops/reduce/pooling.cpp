// Sums over windows and their adjoint, each with a divisor: the two sides of average pooling and nearest
// up-sampling.
#include "duel/core/ops/reduce/pooling.h"

#include "duel/core/tensor/autograd.h"
#include "duel/kernels/map/movement.h"

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

}  // namespace duel
