#include "duel/core/ops/linear/spectral.h"

#include "duel/core/ops/linear/matmul.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/reduce/spectral.h"

namespace duel {
namespace {

void check(const char* op, const Tensor& w, int axis, const Tensor& u, const Tensor& v, double eps) {
  DUEL_CHECK(axis >= 0 && axis < w.rank() && w.numel() > 0, op,
             "expected a weight with entries and an axis of it, got {} and {}", w.shape(), axis);
  DUEL_CHECK(u.shape() == Shape({w.dim(axis)}) && v.shape() == Shape({w.numel() / w.dim(axis)}), op,
             "expected u [{}] and v [{}] for a weight {} by axis {}, got {} and {}", w.dim(axis),
             w.numel() / w.dim(axis), w.shape(), axis, u.shape(), v.shape());
  DUEL_CHECK(eps > 0, op, "expected eps > 0, got {}", eps);
}

Tensor matrix_of(const Tensor& w, int axis) { return (axis == 0 ? w : transpose(w, 0, axis)).flatten(1); }

/// The kernels read the other axes in their order where none but the first one stands before `axis`.
bool fused(const Tensor& w, int axis) { return axis <= 1 && w.numel() <= kernels::kFusedSpectral; }

kernels::WeightMatrix layout(const Tensor& w, int axis) {
  const int64_t outer = axis == 0 ? 1 : w.dim(0);
  return {outer, w.dim(axis), w.numel() / outer / w.dim(axis)};
}

SpectralEstimate empty_estimate(const Tensor& u, const Tensor& v) {
  return {Tensor::empty(u.shape(), u.options()), Tensor::empty(v.shape(), v.options()),
          Tensor::empty({}, u.options()), Tensor::empty({}, u.options())};
}

template <class T>
kernels::SpectralResults<T> results_in(const SpectralEstimate& e) {
  return {e.u.mutable_data<T>(), e.v.mutable_data<T>(), e.value.mutable_data<T>(), e.slope.mutable_data<T>()};
}

/// x / |x|; where |x| is below eps x has no direction that could be trusted, and `otherwise` is taken.
Tensor normalized(const Tensor& x, double eps, const Tensor& otherwise) {
  const Tensor norm = sqrt(sum(square(x)));
  return where(greater_equal(norm, Tensor::full({}, eps, x.options())), x / clamp_min(norm, eps), otherwise);
}

/// Of a weight that is too large for one block.
SpectralEstimate composed_estimate(const Tensor& matrix, const Tensor& u, const Tensor& v, double eps) {
  const Tensor raw = sum(u.reshape({-1, 1}) * matmul(matrix, v.reshape({-1, 1})));
  const Tensor size = abs(raw), least = Tensor::full({}, eps, raw.options());
  return {u.clone(), v.clone(), where(greater(least, size), least, size),
          where(greater(least, size), Tensor::zeros({}, raw.options()), sign(raw))};
}

}  // namespace

SpectralEstimate power_iteration(const Tensor& w, int axis, Tensor& u, Tensor& v, int64_t iterations,
                                 double eps) {
  check("power_iteration", w, axis, u, v, eps);
  DUEL_CHECK(iterations >= 1, "power_iteration", "expected at least 1 iteration, got {}", iterations);
  NoGrad no_grad;
  if (!fused(w, axis)) {
    const Tensor matrix = matrix_of(w, axis);
    Tensor a = u.reshape({-1, 1}), b = v.reshape({-1, 1});
    for (int64_t i = 0; i < iterations; ++i) {
      b = normalized(matmul(matrix, a, true), eps, b);
      a = normalized(matmul(matrix, b), eps, a);
    }
    u.copy_(a.reshape(u.shape()));
    v.copy_(b.reshape(v.shape()));
    return composed_estimate(matrix, u, v, eps);
  }
  const SpectralEstimate e = empty_estimate(u, v);
  DUEL_DISPATCH(w.dtype(), "power_iteration",
                kernels::power_iteration(stream_of(w.device()), layout(w, axis), w.data<T>(), iterations,
                                         static_cast<T>(eps), u.mutable_data<T>(), v.mutable_data<T>(),
                                         results_in<T>(e)));
  return e;
}

SpectralEstimate spectral_estimate(const Tensor& w, int axis, const Tensor& u, const Tensor& v, double eps) {
  check("spectral_estimate", w, axis, u, v, eps);
  NoGrad no_grad;
  if (!fused(w, axis)) return composed_estimate(matrix_of(w, axis), u, v, eps);
  const SpectralEstimate e = empty_estimate(u, v);
  DUEL_DISPATCH(w.dtype(), "spectral_estimate",
                kernels::spectral_value(stream_of(w.device()), layout(w, axis), w.data<T>(),
                                        static_cast<T>(eps), u.data<T>(), v.data<T>(), results_in<T>(e)));
  return e;
}

Tensor spectral_sigma(const Tensor& w, int axis, const SpectralEstimate& e) {
  check("spectral_sigma", w, axis, e.u, e.v, 1);
  return record("spectral_sigma", e.value.detach(), {w}, {e.u, e.v, e.slope},
                [axis, shape = w.shape()](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                  const Tensor left = (ctx.saved(0) * (g * ctx.saved(2))).reshape({-1, 1});
                  const Tensor outer = left * ctx.saved(1).reshape({1, -1});
                  if (axis == 0) return {outer.reshape(shape)};
                  const Shape turned = shape.with(0, shape[axis]).with(axis, shape[0]);
                  return {transpose(outer.reshape(turned), 0, axis)};
                });
}

}  // namespace duel
