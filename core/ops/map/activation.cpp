// Activations: three kernels each (value, first, second derivative), and the third derivative in plain ops.
#include "duel/core/ops/map/activation.h"

#include <cmath>
#include <numbers>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/comparison.h"
#include "duel/core/ops/map/internal/slopes.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/node.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/kernels/map/activations.h"

namespace duel {
namespace {

using Grads = std::vector<Tensor>;

// f'''(x) in plain ops. It is reached from order 3 on, and differentiates itself to any order.
Tensor third(const kernels::Elu& f, const Tensor& x) {
  const Tensor zero = Tensor::zeros({}, x.options());
  return where(x > 0.0, zero, mul_scalar(exp(minimum(x, zero)), f.alpha));
}
Tensor third(const kernels::Tanh&, const Tensor& x) {
  const Tensor t2 = square(tanh(x));
  return (1.0 - t2) * (t2 * 6.0 - 2.0);
}
Tensor third(const kernels::Sigmoid&, const Tensor& x) {
  const Tensor s = sigmoid(x), slope = s * (1.0 - s);
  return slope * (1.0 - slope * 6.0);
}
Tensor third(const kernels::Softplus&, const Tensor& x) {
  const Tensor s = sigmoid(x);
  return s * (1.0 - s) * (1.0 - s * 2.0);
}
Tensor third(const kernels::Gelu&, const Tensor& x) {
  const Tensor density = exp(square(x) * -0.5) * (1.0 / std::sqrt(2.0 * std::numbers::pi));
  return x * (square(x) - 4.0) * density;
}

/// g f''(x)
template <class A>
Tensor second_order(const char* op, A f, const Tensor& x, const Tensor& g) {
  Tensor y = Tensor::empty(x.shape(), x.options());
  DUEL_DISPATCH(x.dtype(), op,
                kernels::activation_d2<A, T>(stream_of(x.device()), x.numel(), x.data<T>(), g.data<T>(),
                                             y.mutable_data<T>(), f));
  return record(op, y, {x, g}, {x, g}, [op, f](const RuleContext& ctx, const Tensor& h) -> Grads {
    return {ctx.needs(0) ? h * ctx.saved(1) * third(f, ctx.saved(0)) : Tensor(),
            ctx.needs(1) ? second_order(op, f, ctx.saved(0), h) : Tensor()};
  });
}

/// g f'(x)
template <class A>
Tensor first_order(const char* op, A f, const Tensor& x, const Tensor& g) {
  Tensor y = Tensor::empty(x.shape(), x.options());
  DUEL_DISPATCH(x.dtype(), op,
                kernels::activation_d1<A, T>(stream_of(x.device()), x.numel(), x.data<T>(), g.data<T>(),
                                             y.mutable_data<T>(), f));
  const Tensor recorded =
      record(op, y, {x, g}, {x, g}, [op, f](const RuleContext& ctx, const Tensor& h) -> Grads {
        Tensor dx;
        if constexpr (!A::second_is_zero) {
          if (ctx.needs(0)) dx = second_order(op, f, ctx.saved(0), h * ctx.saved(1));
        }
        return {dx, ctx.needs(1) ? ctx.has_slope() ? h : first_order(op, f, ctx.saved(0), h) : Tensor()};
      });
  // Where the second derivative is zero, multiplying is all that this node does to what comes.
  if constexpr (A::second_is_zero) return detail::with_slope(recorded, f, 0);
  return recorded;
}

/// The names of an activation and of its backward, as errors show them.
struct Names {
  const char *value, *backward;
};
Names names_of(kernels::Relu) { return {"relu", "relu_backward"}; }
Names names_of(kernels::LeakyRelu) { return {"leaky_relu", "leaky_relu_backward"}; }
Names names_of(kernels::Elu) { return {"elu", "elu_backward"}; }
Names names_of(kernels::Tanh) { return {"tanh", "tanh_backward"}; }
Names names_of(kernels::Sigmoid) { return {"sigmoid", "sigmoid_backward"}; }
Names names_of(kernels::Softplus) { return {"softplus", "softplus_backward"}; }
Names names_of(kernels::Gelu) { return {"gelu", "gelu_backward"}; }

/// y = f(x), which is computed, in the graph.
template <class A>
Tensor recorded(A f, const Tensor& x, const Tensor& y) {
  if constexpr (std::is_same_v<A, kernels::LeakyRelu>) DUEL_OP_SAYS({"negative_slope", f.slope});
  if constexpr (std::is_same_v<A, kernels::Elu>) DUEL_OP_SAYS({"alpha", f.alpha});
  record(names_of(f).value, y, {x}, {x}, [f](const RuleContext& ctx, const Tensor& g) -> Grads {
    return {ctx.has_slope() ? g : first_order(names_of(f).backward, f, ctx.saved(0), g)};
  });
  if constexpr (std::is_constructible_v<Activation, A>) return detail::with_slope(y, f, 0);
  return y;
}

template <class A>
Tensor activation(A f, const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), x.options());
  DUEL_DISPATCH(
      x.dtype(), names_of(f).value,
      kernels::activation<A, T>(stream_of(x.device()), x.numel(), x.data<T>(), y.mutable_data<T>(), f));
  return recorded(f, x, y);
}

}  // namespace

namespace detail {

Tensor record_activation(const Activation& activation, const Tensor& x, const Tensor& y) {
  activation.visit([&](const auto& f) { recorded(f, x, y); });
  return y;
}

Tensor times_slope(const Activation& activation, const Tensor& x, const Tensor& g) {
  Tensor product;
  activation.visit([&](const auto& f) { product = first_order(names_of(f).backward, f, x, g); });
  return product;
}

}  // namespace detail

Tensor activate(const Tensor& x, const Activation& chosen) {
  Tensor y = x;
  chosen.visit([&](const auto& f) { y = activation(f, x); });
  return y;
}

Tensor relu(const Tensor& x) { return activation(kernels::Relu{}, x); }
Tensor leaky_relu(const Tensor& x, double slope) { return activation(kernels::LeakyRelu{slope}, x); }
Tensor elu(const Tensor& x, double alpha) { return activation(kernels::Elu{alpha}, x); }
Tensor tanh(const Tensor& x) { return activation(kernels::Tanh{}, x); }
Tensor sigmoid(const Tensor& x) { return activation(kernels::Sigmoid{}, x); }
Tensor softplus(const Tensor& x) { return activation(kernels::Softplus{}, x); }
Tensor gelu(const Tensor& x) { return activation(kernels::Gelu{}, x); }

}  // namespace duel
