// The convolution triple: the gradient of each member is one of the others.
#include "duel/core/ops/conv.h"

#include "duel/core/autograd.h"
#include "duel/core/op_registry.h"
#include "duel/core/ops/reduction.h"
#include "duel/core/tensor_impl.h"
#include "duel/core/workspace.h"
#include "duel/kernels/conv.h"

namespace duel {
namespace {

using kernels::ConvPass;
using kernels::ConvShape;

void check(const char* op, const Tensor& x, const Tensor& other, const Tensor& bias, int64_t bias_channels,
           const ConvOptions& options) {
  DUEL_CHECK(x.rank() == 4 && other.rank() == 4, op, "expected [N, C, H, W] and four axes of weights, got {} and {}",
             x.shape(), other.shape());
  DUEL_CHECK(x.dtype() == other.dtype(), op, "expected one dtype, got {} and {}", to_text(x.dtype()), to_text(other.dtype()));
  detail::check_same_device(op, x, other);
  detail::check_same_device(op, x, bias);
  DUEL_CHECK(options.stride >= 1 && options.padding >= 0 && options.output_padding >= 0 &&
                 (options.output_padding == 0 || options.output_padding < options.stride),
             op, "expected stride >= 1, padding >= 0, 0 <= output_padding < stride, got {}, {}, {}", options.stride,
             options.padding, options.output_padding);
  DUEL_CHECK(!bias.defined() || (bias.shape() == Shape{bias_channels} && bias.dtype() == x.dtype()), op,
             "expected a bias of {} [{}], got {}", to_text(x.dtype()), bias_channels, to_text(bias));
}

ConvShape shape_of(const Shape& in, const Shape& out, int64_t kernel, const ConvOptions& options) {
  return {.n = in[0], .c_in = in[1], .h_in = in[2], .w_in = in[3], .c_out = out[1], .h_out = out[2], .w_out = out[3],
          .kh = kernel, .kw = kernel, .stride_h = options.stride, .stride_w = options.stride,
          .pad_h = options.padding, .pad_w = options.padding};
}

/// Runs one pass into a fresh tensor; `bias` belongs to the result's channels and may be undefined.
Tensor run(const ConvShape& s, ConvPass pass, const Tensor& first, const Tensor& second, const Tensor& bias, const Shape& result) {
  Tensor y = Tensor::empty(result, first.options());
  DUEL_DISPATCH(first.dtype(), "conv2d", {
    detail::Workspace workspace(first.device(), kernels::conv2d_workspace<T>(s, pass, stream_of(first.device())));
    const auto stream = stream_of(first.device());
    const T* b = bias.defined() ? bias.data<T>() : nullptr;
    if (pass == ConvPass::kForward) {
      kernels::conv2d_forward<T>(stream, s, first.data<T>(), second.data<T>(), b, y.mutable_data<T>(), workspace.get());
    } else if (pass == ConvPass::kInputGrad) {
      kernels::conv2d_input_grad<T>(stream, s, first.data<T>(), second.data<T>(), b, y.mutable_data<T>(), workspace.get());
    } else {
      kernels::conv2d_weight_grad<T>(stream, s, first.data<T>(), second.data<T>(), y.mutable_data<T>(), workspace.get());
    }
  });
  return y;
}

/// The adjoint of conv2d in x, for any input size that conv2d maps to dy's: a stride may leave a rest.
Tensor conv2d_input_grad(const Tensor& dy, const Tensor& weight, int64_t height, int64_t width, const ConvOptions& options);

std::vector<Tensor> conv2d_gradients(const RuleContext& ctx, const Tensor& g, const ConvOptions& options) {
  Tensor dx, dw, db;
  const Tensor x = ctx.saved(0), w = ctx.saved(1);
  if (ctx.needs(0)) dx = conv2d_input_grad(g, w, x.dim(2), x.dim(3), options);
  if (ctx.needs(1)) dw = conv2d_weight_grad(x, g, w.dim(2), options);
  if (ctx.needs(2)) db = sum(g, {0, 2, 3});
  return {dx, dw, db};
}

/// The transposed convolution with an explicit result size.
Tensor transposed(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t height, int64_t width,
                  const ConvOptions& options) {
  const Shape result{x.dim(0), weight.dim(1), height, width};
  const ConvShape s = shape_of(result, x.shape(), weight.dim(2), options);
  return record(op, run(s, ConvPass::kInputGrad, x, weight, bias, result), {x, weight, bias}, {x, weight},
                [options](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                  Tensor dx, dw, db;
                  const Tensor in = ctx.saved(0), w = ctx.saved(1);
                  if (ctx.needs(0)) dx = conv2d(g, w, {}, options);
                  if (ctx.needs(1)) dw = conv2d_weight_grad(g, in, w.dim(2), options);
                  if (ctx.needs(2)) db = sum(g, {0, 2, 3});
                  return {dx, dw, db};
                });
}

Tensor conv2d_input_grad(const Tensor& dy, const Tensor& weight, int64_t height, int64_t width, const ConvOptions& options) {
  return transposed("conv2d_input_grad", dy, weight, {}, height, width, options);
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvOptions options) {
  check("conv2d", x, weight, bias, weight.rank() == 4 ? weight.dim(0) : 0, options);
  DUEL_CHECK(options.output_padding == 0, "conv2d", "output_padding is for conv_transpose2d only");
  DUEL_CHECK(weight.dim(1) == x.dim(1) && weight.dim(2) == weight.dim(3), "conv2d",
             "expected weights [Cout, {}, K, K] for an input of {}, got {}", x.dim(1), x.shape(), weight.shape());
  const int64_t kernel = weight.dim(2);
  const Shape result{x.dim(0), weight.dim(0), kernels::conv_out_size(x.dim(2), kernel, options.stride, options.padding),
                     kernels::conv_out_size(x.dim(3), kernel, options.stride, options.padding)};
  DUEL_CHECK(result[2] > 0 && result[3] > 0, "conv2d", "a kernel of {} does not fit into {} with padding {}", kernel, x.shape(),
             options.padding);
  const ConvShape s = shape_of(x.shape(), result, kernel, options);
  return record("conv2d", run(s, ConvPass::kForward, x, weight, bias, result), {x, weight, bias}, {x, weight},
                [options](const RuleContext& ctx, const Tensor& g) { return conv2d_gradients(ctx, g, options); });
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvOptions options) {
  check("conv_transpose2d", x, weight, bias, weight.rank() == 4 ? weight.dim(1) : 0, options);
  DUEL_CHECK(weight.dim(0) == x.dim(1) && weight.dim(2) == weight.dim(3), "conv_transpose2d",
             "expected weights [{}, Cout, K, K] for an input of {}, got {}", x.dim(1), x.shape(), weight.shape());
  const int64_t kernel = weight.dim(2);
  const auto size = [&](int64_t in) {
    return kernels::conv_transpose_out_size(in, kernel, options.stride, options.padding, options.output_padding);
  };
  DUEL_CHECK(size(x.dim(2)) > 0 && size(x.dim(3)) > 0, "conv_transpose2d", "nothing is left of {} with kernel {} and padding {}",
             x.shape(), kernel, options.padding);
  const int64_t height = size(x.dim(2)), width = size(x.dim(3));
  options.output_padding = 0;
  return transposed("conv_transpose2d", x, weight, bias, height, width, options);
}

Tensor conv2d_weight_grad(const Tensor& x, const Tensor& dy, int64_t kernel, ConvOptions options) {
  check("conv2d_weight_grad", x, dy, {}, 0, options);
  const auto fits = [&](int axis) {
    return kernels::conv_out_size(x.dim(axis), kernel, options.stride, options.padding) == dy.dim(axis);
  };
  DUEL_CHECK(x.dim(0) == dy.dim(0) && fits(2) && fits(3), "conv2d_weight_grad",
             "a conv2d of {} with kernel {}, stride {}, padding {} does not give {}", x.shape(), kernel, options.stride,
             options.padding, dy.shape());
  const Shape result{dy.dim(1), x.dim(1), kernel, kernel};
  const ConvShape s = shape_of(x.shape(), dy.shape(), kernel, options);
  // Bilinear in x and dy: <dw, G> = <conv2d(x, G), dy>.
  return record("conv2d_weight_grad", run(s, ConvPass::kWeightGrad, x, dy, {}, result), {x, dy}, {x, dy},
                [options](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                  Tensor dx, ddy;
                  const Tensor in = ctx.saved(0), out = ctx.saved(1);
                  if (ctx.needs(0)) dx = conv2d_input_grad(out, g, in.dim(2), in.dim(3), options);
                  if (ctx.needs(1)) ddy = conv2d(in, g, {}, options);
                  return {dx, ddy};
                });
}

namespace {

struct Case {
  int64_t n, ci, co, size, kernel, stride, padding, output_padding;
};
// Odd sizes, strides that leave a rest, kernels from 1 to 5, single channels, batch 1.
constexpr Case kCases[] = {{2, 1, 3, 6, 4, 2, 1, 0}, {1, 3, 1, 5, 3, 1, 1, 0}, {2, 2, 2, 7, 3, 2, 0, 1}, {3, 1, 1, 4, 1, 1, 0, 0},
                           {1, 2, 3, 5, 2, 2, 0, 1}, {2, 3, 2, 8, 5, 3, 2, 2}, {1, 1, 2, 7, 4, 2, 1, 1}};

ConvOptions options_of(const Case& c) { return {.stride = c.stride, .padding = c.padding}; }
std::string label_of(const Case& c) {
  return message("n{} c{}-{} {}px k{} s{} p{} op{}", c.n, c.ci, c.co, c.size, c.kernel, c.stride, c.padding, c.output_padding);
}

/// Calls f(x index, w index, y index) for every product of the definition of a convolution.
template <class F>
void each_term(const Shape& x, const Shape& w, const Shape& y, const ConvOptions& o, F f) {
  for (int64_t n = 0; n < y[0]; ++n)
    for (int64_t co = 0; co < y[1]; ++co)
      for (int64_t p = 0; p < y[2]; ++p)
        for (int64_t q = 0; q < y[3]; ++q)
          for (int64_t ci = 0; ci < x[1]; ++ci)
            for (int64_t i = 0; i < w[2]; ++i)
              for (int64_t j = 0; j < w[3]; ++j) {
                const int64_t r = p * o.stride - o.padding + i, c = q * o.stride - o.padding + j;
                if (r < 0 || c < 0 || r >= x[2] || c >= x[3]) continue;
                f(static_cast<size_t>(((n * x[1] + ci) * x[2] + r) * x[3] + c),
                  static_cast<size_t>(((co * x[1] + ci) * w[2] + i) * w[3] + j),
                  static_cast<size_t>(((n * y[1] + co) * y[2] + p) * y[3] + q));
              }
}

Array zeros(const Shape& shape) { return {shape, std::vector<double>(static_cast<size_t>(shape.numel()))}; }

void add_bias(Array& y, const Arrays& x) {
  if (x.size() < 3) return;
  for (int64_t i = 0; i < y.shape.numel(); ++i) {
    y.values[static_cast<size_t>(i)] += x[2].values[static_cast<size_t>(i / (y.shape[2] * y.shape[3]) % y.shape[1])];
  }
}

std::vector<OpSample> conv2d_samples() {
  std::vector<OpSample> samples;
  for (const Case& c : kCases) {
    const ConvOptions o = options_of(c);
    const int64_t out = kernels::conv_out_size(c.size, c.kernel, c.stride, c.padding);
    samples.push_back({.label = label_of(c),
                       .inputs = {{.shape = {c.n, c.ci, c.size, c.size}}, {.shape = {c.co, c.ci, c.kernel, c.kernel}}, {.shape = {c.co}}},
                       .apply = [o](const Tensors& x) { return conv2d(x[0], x[1], x[2], o); },
                       .reference = [o, c, out](const Arrays& x) {
                         Array y = zeros({c.n, c.co, out, out});
                         each_term(x[0].shape, x[1].shape, y.shape, o, [&](size_t xi, size_t wi, size_t yi) {
                           y.values[yi] += x[0].values[xi] * x[1].values[wi];
                         });
                         add_bias(y, x);
                         return y;
                       }});
  }
  return samples;
}

std::vector<OpSample> conv_transpose2d_samples() {
  std::vector<OpSample> samples;
  for (const Case& c : kCases) {
    ConvOptions o = options_of(c);
    o.output_padding = c.output_padding;
    const int64_t out = kernels::conv_transpose_out_size(c.size, c.kernel, c.stride, c.padding, c.output_padding);
    samples.push_back({.label = label_of(c),
                       .inputs = {{.shape = {c.n, c.ci, c.size, c.size}}, {.shape = {c.ci, c.co, c.kernel, c.kernel}}, {.shape = {c.co}}},
                       .apply = [o](const Tensors& x) { return conv_transpose2d(x[0], x[1], x[2], o); },
                       .reference = [o, c, out](const Arrays& x) {
                         Array y = zeros({c.n, c.co, out, out});
                         each_term(y.shape, x[1].shape, x[0].shape, o, [&](size_t yi, size_t wi, size_t xi) {
                           y.values[yi] += x[0].values[xi] * x[1].values[wi];
                         });
                         add_bias(y, x);
                         return y;
                       }});
  }
  return samples;
}

std::vector<OpSample> weight_grad_samples() {
  std::vector<OpSample> samples;
  for (const Case& c : kCases) {
    const ConvOptions o = options_of(c);
    const int64_t out = kernels::conv_out_size(c.size, c.kernel, c.stride, c.padding);
    samples.push_back({.label = label_of(c),
                       .inputs = {{.shape = {c.n, c.ci, c.size, c.size}}, {.shape = {c.n, c.co, out, out}}},
                       .apply = [o, c](const Tensors& x) { return conv2d_weight_grad(x[0], x[1], c.kernel, o); },
                       .reference = [o, c](const Arrays& x) {
                         Array w = zeros({c.co, c.ci, c.kernel, c.kernel});
                         each_term(x[0].shape, w.shape, x[1].shape, o, [&](size_t xi, size_t wi, size_t yi) {
                           w.values[wi] += x[0].values[xi] * x[1].values[yi];
                         });
                         return w;
                       }});
  }
  return samples;
}

const RegisterOp conv2d_registered("conv2d", conv2d_samples);
const RegisterOp conv_transpose2d_registered("conv_transpose2d", conv_transpose2d_samples);
const RegisterOp weight_grad_registered("conv2d_weight_grad", weight_grad_samples);

}  // namespace
}  // namespace duel
