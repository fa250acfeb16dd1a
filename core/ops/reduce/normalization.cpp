// Batch, layer and instance norm: one op over the three shapes of kernels/reduce/normalize.h.
//
// Note [Orders of a norm]
//   value             kernels::norm_forward
//   gradient          kernels::norm_backward when nothing records it; else norm_input_grad for x, plain ops for the rest
//   norm_input_grad   kernels::norm_backward; its own gradient is kernels::norm_double_backward when nothing records it,
//                     else the same formulas in plain ops, which differentiate to any order
// Samples: normalization_samples.cpp. The tests compare every order with a norm composed of plain ops.
#include "duel/core/ops/reduce/normalization.h"

#include "duel/core/device/workspace.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/internal/ending.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/node.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/kernels/reduce/normalize.h"

namespace duel {
namespace {

using Grads = std::vector<Tensor>;

/// What the rules need to know of one norm.
struct Norm {
  const char* op;
  kernels::NormShape shape;
  std::vector<int> axes;         // that share a mean
  std::vector<int> affine_axes;  // that share a weight
  Shape affine;                  // shape of weight and bias
  Shape affine_view;             // the same, broadcasting to x
  double eps;
  int64_t parts = 1;

  /// With an axis for the parts, where there are some: what axes and views are of.
  Tensor apart(const Tensor& x) const {
    return parts == 1 ? x : x.reshape(x.shape().with(0, x.dim(0) / parts).inserted(0, parts));
  }
};

Norm batch_like(const char* op, const Tensor& x, bool per_sample, double eps) {
  const int64_t n = x.dim(0), c = x.dim(1), pixels = x.shape().numel_from(2);
  std::vector<int> spatial, all = {0};
  Shape view = x.shape().with(0, 1);
  for (int axis = 2; axis < x.rank(); ++axis) {
    spatial.push_back(axis);
    all.push_back(axis);
    view = view.with(axis, 1);
  }
  return {op,
          per_sample ? kernels::instance_norm_shape(n, c, pixels) : kernels::batch_norm_shape(n, c, pixels),
          per_sample ? spatial : all,
          all,
          Shape{c},
          view,
          eps};
}

/// A batch norm's, of several batches one behind the other.
Norm in_parts(Norm norm, const Tensor& x, int64_t parts) {
  if (parts == 1) return norm;
  norm.parts = parts;
  norm.shape = kernels::batch_norm_shape(x.dim(0), x.dim(1), x.shape().numel_from(2), parts);
  for (std::vector<int>* axes : {&norm.axes, &norm.affine_axes})
    for (int& axis : *axes) ++axis;
  norm.affine_axes.insert(norm.affine_axes.begin(), 0);
  norm.affine_view = norm.affine_view.inserted(0, 1);
  return norm;
}

void check_affine(const char* op, const Tensor& x, const Tensor& affine, const Shape& shape,
                  const char* what) {
  DUEL_CHECK(!affine.defined() || (affine.shape() == shape && affine.dtype() == x.dtype()), op,
             "expected a {} of {} {}, got {}", what, to_text(x.dtype()), shape, to_text(affine));
  detail::check_same_device(op, x, affine);
}

template <class T>
const T* pointer(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}
template <class T>
T* mutable_pointer(const Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data<T>() : nullptr;
}

// The pieces of the formulas in plain ops.

Tensor scaled(const Norm& norm, const Tensor& x, const Tensor& weight) {
  return weight.defined() ? mul(x, weight.reshape(norm.affine_view)) : x;
}

Tensor mean_of(const Norm& norm, const Tensor& x) { return mean(x, norm.axes, true); }

/// 1 / sqrt(var + eps), one per row.
Tensor rstd_of(const Norm& norm, const Tensor& x) {
  return reciprocal(sqrt(add_scalar(variance(x, norm.axes, true), norm.eps)));
}

Tensor normalized(const Norm& norm, const Tensor& x, const Tensor& rstd) {
  return mul(sub(x, mean_of(norm, x)), rstd);
}

/// P(y) = y - mean(y) - xhat mean(y xhat): symmetric, and its own transpose.
Tensor project(const Norm& norm, const Tensor& y, const Tensor& xhat) {
  return sub(sub(y, mean_of(norm, y)), mul(xhat, mean_of(norm, mul(y, xhat))));
}

Tensor sum_affine(const Norm& norm, const Tensor& x) { return sum(x, norm.affine_axes); }

/// Gradients of norm_input_grad for a cotangent v, in plain ops: the formulas of
/// kernels::norm_double_backward with means in place of sums.
Grads input_grad_gradients(const Norm& norm, const RuleContext& ctx, const Tensor& cotangent) {
  const Tensor dy = norm.apart(ctx.saved(0)), x = norm.apart(ctx.saved(1)), weight = ctx.saved(2);
  const Tensor v = norm.apart(cotangent);
  const Tensor rstd = rstd_of(norm, x), xhat = normalized(norm, x, rstd);
  const Tensor d_q = mul(rstd, project(norm, v, xhat));
  Grads grads(3);
  if (ctx.needs(0)) grads[0] = scaled(norm, d_q, weight).reshape(cotangent.shape());
  if (ctx.needs(2)) grads[2] = sum_affine(norm, mul(dy, d_q));
  if (ctx.needs(1)) {
    const Tensor q = scaled(norm, dy, weight);
    const Tensor mean_v = mean_of(norm, v), mean_q = mean_of(norm, q), mean_qv = mean_of(norm, mul(q, v));
    const Tensor along_q = mean_of(norm, mul(q, xhat)), along_v = mean_of(norm, mul(v, xhat));
    const Tensor factor = mean_v * mean_q - mean_qv + along_q * along_v * 3.0;
    grads[1] = (square(rstd) * (xhat * factor + along_v * (mean_q - q) + along_q * (mean_v - v)))
                   .reshape(cotangent.shape());
  }
  return grads;
}

/// kernels::norm_backward into those of {dx, dweight, dbias} that are defined.
void backward(const Norm& norm, const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
              const Tensor& rstd, const Grads& into) {
  DUEL_DISPATCH(x.dtype(), norm.op, {
    detail::Workspace workspace(x.device(),
                                static_cast<size_t>(kernels::norm_workspace(norm.shape)) * sizeof(T));
    kernels::norm_backward(stream_of(x.device()), norm.shape, dy.data<T>(), x.data<T>(), mean.data<T>(),
                           rstd.data<T>(), pointer<T>(weight), mutable_pointer<T>(into[0]),
                           mutable_pointer<T>(into[1]), mutable_pointer<T>(into[2]),
                           workspace.template as<T>());
  });
}

/// Gradients of norm_input_grad for a cotangent v, by the kernel.
Grads double_backward(const Norm& norm, const RuleContext& ctx, const Tensor& v) {
  const Tensor dy = ctx.saved(0), x = ctx.saved(1), weight = ctx.saved(2), mean = ctx.saved(3),
               rstd = ctx.saved(4);
  Grads grads(3);
  for (const int i : {0, 1}) {
    if (ctx.needs(i)) grads[static_cast<size_t>(i)] = Tensor::empty(x.shape(), x.options());
  }
  if (ctx.needs(2)) grads[2] = Tensor::empty(norm.affine, x.options());
  DUEL_DISPATCH(x.dtype(), norm.op, {
    detail::Workspace workspace(x.device(),
                                static_cast<size_t>(kernels::norm_workspace(norm.shape)) * sizeof(T));
    kernels::NormCotangents<T> cotangents;
    cotangents.dx = v.data<T>();
    kernels::norm_double_backward(stream_of(x.device()), norm.shape, dy.data<T>(), x.data<T>(),
                                  mean.data<T>(), rstd.data<T>(), pointer<T>(weight), cotangents,
                                  mutable_pointer<T>(grads[0]), mutable_pointer<T>(grads[1]),
                                  mutable_pointer<T>(grads[2]), workspace.template as<T>());
  });
  return grads;
}

/// One launch makes the gradients of x, weight and bias.
Tensor in_one_pass(Tensor recorded) {
  if (recorded.impl()->node) recorded.impl()->node->one_pass = true;
  return recorded;
}

/// dx of the norm as an op of dy, x and weight.
Tensor norm_input_grad(const Norm& norm, const Tensor& dy, const Tensor& x, const Tensor& weight,
                       const Tensor& mean, const Tensor& rstd) {
  Tensor dx = Tensor::empty(x.shape(), x.options());
  backward(norm, dy, x, weight, mean, rstd, {dx, {}, {}});
  return in_one_pass(record("norm_input_grad", dx, {dy, x, weight}, {dy, x, weight, mean, rstd},
                            [norm](const RuleContext& ctx, const Tensor& v) {
                              return grad_enabled() ? input_grad_gradients(norm, ctx, v)
                                                    : double_backward(norm, ctx, v);
                            }));
}

/// All three gradients of the norm.
Grads gradients(const Norm& norm, const RuleContext& ctx, const Tensor& dy) {
  const Tensor x = ctx.saved(0), weight = ctx.saved(1), mean = ctx.saved(2), rstd = ctx.saved(3);
  Grads grads(3);
  if (grad_enabled()) {
    if (ctx.needs(0)) grads[0] = norm_input_grad(norm, dy, x, weight, mean, rstd);
    const Tensor in = norm.apart(x), out = norm.apart(dy);
    if (ctx.needs(1)) grads[1] = sum_affine(norm, mul(out, normalized(norm, in, rstd_of(norm, in))));
    if (ctx.needs(2)) grads[2] = sum_affine(norm, out);
    return grads;
  }
  if (ctx.needs(0)) grads[0] = Tensor::empty(x.shape(), x.options());
  for (const int i : {1, 2}) {
    if (ctx.needs(i)) grads[static_cast<size_t>(i)] = Tensor::empty(norm.affine, x.options());
  }
  backward(norm, dy, x, weight, mean, rstd, grads);
  return grads;
}

/// Normalises by the rows' own statistics.
Tensor normalize(const Norm& norm, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 const BatchNormState* state, const Activation& then) {
  const detail::Ending ending(then, x.shape(), x, {x, weight, bias});
  const Tensor mean = Tensor::empty({norm.shape.rows}, x.options()),
               rstd = Tensor::empty({norm.shape.rows}, x.options());
  DUEL_DISPATCH(x.dtype(), norm.op, {
    kernels::RunningStats<T> running;
    if (state && state->running_mean.defined()) {
      running = {state->running_mean.mutable_data<T>(), state->running_var.mutable_data<T>(),
                 static_cast<T>(state->momentum),
                 state->num_batches_tracked.defined() ? state->num_batches_tracked.mutable_data<int64_t>()
                                                      : nullptr};
    }
    kernels::norm_forward(stream_of(x.device()), norm.shape, x.data<T>(), pointer<T>(weight),
                          pointer<T>(bias), static_cast<T>(norm.eps), ending.results<T>(),
                          mean.mutable_data<T>(), rstd.mutable_data<T>(), running, ending.finish<T>());
  });
  in_one_pass(record(norm.op, ending.recorded(), {x, weight, bias}, {x, weight, mean, rstd},
                     [norm](const RuleContext& ctx, const Tensor& g) { return gradients(norm, ctx, g); }));
  return ending.activated();
}

/// Normalises by given statistics, which are constants: an affine map of x.
Tensor normalize_by(const Norm& norm, const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& mean, const Tensor& var, const Activation& then) {
  if (tracked(x) || tracked(weight) || tracked(bias)) {
    const Tensor rstd = reciprocal(sqrt(add_scalar(var.detach(), norm.eps)));
    const Tensor factor = weight.defined() ? mul(weight, rstd) : rstd;
    const Tensor y = mul(sub(x, mean.detach().reshape(norm.affine_view)), factor.reshape(norm.affine_view));
    return activate(bias.defined() ? add(y, bias.reshape(norm.affine_view)) : y, then);
  }
  const detail::Ending ending(then, x.shape(), x, {});
  DUEL_DISPATCH(x.dtype(), norm.op,
                kernels::norm_inference(stream_of(x.device()), norm.shape, x.data<T>(), mean.data<T>(),
                                        var.data<T>(), pointer<T>(weight), pointer<T>(bias),
                                        static_cast<T>(norm.eps), ending.results<T>(), ending.finish<T>()));
  return record(norm.op, ending.recorded(), {}, {}, {});
}

thread_local int64_t parts_now = 1;

}  // namespace

BatchParts::BatchParts(int64_t parts) : outer_(parts_now) {
  DUEL_CHECK(parts >= 1, "BatchParts", "expected at least 1 part, got {}", parts);
  parts_now = parts;
}
BatchParts::~BatchParts() { parts_now = outer_; }
int64_t BatchParts::now() { return parts_now; }

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const BatchNormState& state,
                  const Activation& then) {
  DUEL_CHECK(x.rank() >= 2, "batch_norm", "expected [N, C] or [N, C, H, W], got {}", to_text(x));
  const Norm norm = batch_like("batch_norm", x, false, state.eps);
  DUEL_CHECK(state.parts >= 1 && x.dim(0) % state.parts == 0, "batch_norm",
             "expected samples in {} parts of equal size, got {}", state.parts, to_text(x));
  check_affine("batch_norm", x, weight, norm.affine, "weight");
  check_affine("batch_norm", x, bias, norm.affine, "bias");
  check_affine("batch_norm", x, state.running_mean, norm.affine, "running mean");
  check_affine("batch_norm", x, state.running_var, norm.affine, "running variance");
  DUEL_CHECK(state.running_mean.defined() == state.running_var.defined(), "batch_norm",
             "expected both running statistics or none, got one");
  DUEL_CHECK(!state.num_batches_tracked.defined() ||
                 (state.num_batches_tracked.numel() == 1 && state.num_batches_tracked.device() == x.device()),
             "batch_norm", "expected a counter of one element on {}, got {} on {}", x.device(),
             to_text(state.num_batches_tracked), state.num_batches_tracked.device());
  if (!state.training && state.running_mean.defined()) {
    return normalize_by(norm, x, weight, bias, state.running_mean, state.running_var, then);
  }
  const Norm apart = in_parts(norm, x, state.parts);
  DUEL_CHECK(apart.shape.count() > 1, "batch_norm",
             "expected more than one value per channel in training, got {}{}", x.shape(),
             state.parts > 1 ? message(" in {} parts", state.parts) : "");
  return normalize(apart, x, weight, bias, state.training ? &state : nullptr, then);
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                  const Activation& then) {
  DUEL_CHECK(x.rank() >= 2, "layer_norm", "expected [N, ...] with at least two axes, got {}", to_text(x));
  const int64_t size = x.shape().numel_from(1);
  DUEL_CHECK(size > 0, "layer_norm", "expected at least one value per sample, got {}", x.shape());
  Norm norm{"layer_norm",
            kernels::layer_norm_shape(x.dim(0), size),
            {},
            {0},
            x.shape().without(0),
            x.shape().with(0, 1),
            eps};
  for (int axis = 1; axis < x.rank(); ++axis) norm.axes.push_back(axis);
  check_affine("layer_norm", x, weight, norm.affine, "weight");
  check_affine("layer_norm", x, bias, norm.affine, "bias");
  return normalize(norm, x, weight, bias, nullptr, then);
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                     const Activation& then) {
  DUEL_CHECK(x.rank() == 4, "instance_norm", "expected [N, C, H, W], got {}", to_text(x));
  const Norm norm = batch_like("instance_norm", x, true, eps);
  DUEL_CHECK(norm.shape.count() > 1, "instance_norm", "expected more than one pixel per channel, got {}",
             x.shape());
  check_affine("instance_norm", x, weight, norm.affine, "weight");
  check_affine("instance_norm", x, bias, norm.affine, "bias");
  return normalize(norm, x, weight, bias, nullptr, then);
}

}  // namespace duel
