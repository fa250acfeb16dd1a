// The convolution triple: the gradient of each member is one of the others.
#include "duel/core/ops/linear/conv.h"

#include "duel/core/device/workspace.h"
#include "duel/core/ops/linear/flop_count.h"
#include "duel/core/ops/linear/internal/layer_maps.h"
#include "duel/core/ops/map/internal/ending.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/node.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/kernels/linear/conv.h"

namespace duel {
namespace {

using kernels::ConvPass;
using kernels::ConvShape;

void check(const char* op, const Tensor& x, const Tensor& other, const Tensor& bias, int64_t bias_channels,
           const ConvOptions& options) {
  DUEL_CHECK(x.rank() == 4 && other.rank() == 4, op,
             "expected [N, C, H, W] and four axes of weights, got {} and {}", x.shape(), other.shape());
  DUEL_CHECK(x.dtype() == other.dtype(), op, "expected one dtype, got {} and {}", to_text(x.dtype()),
             to_text(other.dtype()));
  detail::check_same_device(op, x, other);
  detail::check_same_device(op, x, bias);
  const auto& [stride, padding, output_padding, dilation, groups] = options;
  const auto fits = [](int64_t extra, int64_t step) { return extra >= 0 && (extra == 0 || extra < step); };
  DUEL_CHECK(stride.h >= 1 && stride.w >= 1 && padding.h >= 0 && padding.w >= 0 &&
                 fits(output_padding.h, stride.h) && fits(output_padding.w, stride.w),
             op, "expected stride >= 1, padding >= 0, 0 <= output_padding < stride, got {}, {}, {}", stride,
             padding, output_padding);
  DUEL_CHECK(dilation.h >= 1 && dilation.w >= 1, op, "expected a dilation of at least 1, got {}", dilation);
  DUEL_CHECK(groups >= 1 && x.dim(1) % groups == 0, op,
             "expected groups that divide the {} channels of {}, got {}", x.dim(1), x.shape(), groups);
  DUEL_CHECK(!bias.defined() || (bias.shape() == Shape{bias_channels} && bias.dtype() == x.dtype()), op,
             "expected a bias of {} [{}], got {}", to_text(x.dtype()), bias_channels, to_text(bias));
}

Size2d kernel_of(const Tensor& weight) { return {weight.dim(2), weight.dim(3)}; }

/// Height and width of conv2d's result for an image of x's.
Size2d out_size(const Tensor& x, Size2d kernel, const ConvOptions& o) {
  return {kernels::conv_out_size(x.dim(2), kernel.h, o.stride.h, o.padding.h, o.dilation.h),
          kernels::conv_out_size(x.dim(3), kernel.w, o.stride.w, o.padding.w, o.dilation.w)};
}

ConvShape shape_of(const Shape& in, const Shape& out, Size2d kernel, const ConvOptions& options) {
  return {.n = in[0],
          .c_in = in[1],
          .h_in = in[2],
          .w_in = in[3],
          .c_out = out[1],
          .h_out = out[2],
          .w_out = out[3],
          .kh = kernel.h,
          .kw = kernel.w,
          .stride_h = options.stride.h,
          .stride_w = options.stride.w,
          .pad_h = options.padding.h,
          .pad_w = options.padding.w,
          .groups = options.groups,
          .dilation_h = options.dilation.h,
          .dilation_w = options.dilation.w};
}

/// Runs one pass; `bias` belongs to the result's channels and may be undefined.
template <class T>
void run(const ConvShape& s, ConvPass pass, const Tensor& first, const Tensor& second, const Tensor& bias,
         T* out, const kernels::Finish<T>& finish = {}, T* dy_sums = nullptr) {
  FlopCount::add(2.0 * static_cast<double>(s.n * s.h_out * s.w_out) * static_cast<double>(s.weights()));
  detail::Workspace workspace(
      first.device(), kernels::conv2d_workspace<T>(s, pass, stream_of(first.device()), dy_sums != nullptr));
  kernels::conv2d<T>(stream_of(first.device()), s, pass, first.data<T>(), second.data<T>(),
                     bias.defined() ? bias.data<T>() : nullptr, out, workspace.get(), finish, dy_sums);
}

/// The options by PyTorch's names, for an OpTrace. A transposed convolution says how much larger its result is than it must be.
void say_options(const ConvShape& s, ConvPass pass) {
  auto* trace = detail::OpTrace::active();
  if (!trace) return;
  detail::Attributes says = {{"stride", std::vector{s.stride_h, s.stride_w}},
                             {"padding", std::vector{s.pad_h, s.pad_w}},
                             {"dilation", std::vector{s.dilation_h, s.dilation_w}},
                             {"groups", s.groups}};
  if (pass == ConvPass::kInputGrad) {
    const auto more = [](int64_t in, int64_t out, int64_t stride, int64_t pad, int64_t dilation, int64_t k) {
      return in - ((out - 1) * stride - 2 * pad + dilation * (k - 1) + 1);
    };
    says.emplace_back("output_padding",
                      std::vector{more(s.h_in, s.h_out, s.stride_h, s.pad_h, s.dilation_h, s.kh),
                                  more(s.w_in, s.w_out, s.stride_w, s.pad_w, s.dilation_w, s.kw)});
  }
  trace->note(std::move(says));
}

/// A recorded pass over x [first operand], weight and bias. It ends in `then`, or multiplied by `slope` (of a rule's
/// gradient: Note [Slopes on the way]); `rule` sees the gradient of what it was before.
template <class Gradients>
Tensor ended(const char* op, const ConvShape& s, ConvPass pass, const Tensor& x, const Tensor& weight,
             const Tensor& bias, const Shape& result, const Activation& then, const detail::Slope* slope,
             Gradients rule) {
  const detail::Ending ending(then, result, x, {x, weight, bias});
  DUEL_DISPATCH(x.dtype(), op, {
    run<T>(s, pass, x, weight, bias, ending.results<T>(),
           slope ? detail::finish_by<T>(slope) : ending.finish<T>());
  });
  const Activation f = slope ? slope->f : Activation();
  say_options(s, pass);
  const Tensor recorded =
      record(op, ending.recorded(), {x, weight, bias}, {x, weight, slope ? slope->x : Tensor()},
             [f, rule](const RuleContext& ctx, const Tensor& incoming) {
               return rule(ctx, detail::through_slope(ctx, f, 2, incoming));
             });
  detail::with_slope(recorded, f, 2);
  if (recorded.impl()->node) recorded.impl()->node->pairs_from = pass == ConvPass::kForward ? 1 : -1;
  return ending.activated();
}

/// As in conv_transpose2d, whose result size is given, and conv2d's input gradient.
Tensor transposed(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t height,
                  int64_t width, const ConvOptions& options, const Activation& then,
                  const detail::Slope* slope);

/// conv2d of checked tensors. At most one of `then` and `slope` is given.
Tensor forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvOptions& options,
               const Activation& then, const detail::Slope* slope) {
  const Size2d kernel = kernel_of(weight), size = out_size(x, kernel, options);
  const Shape result{x.dim(0), weight.dim(0), size.h, size.w};
  const ConvShape s = shape_of(x.shape(), result, kernel, options);
  return ended("conv2d", s, ConvPass::kForward, x, weight, bias, result, then, slope,
               [options](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                 Tensor dx;
                 const Tensor in = ctx.saved(0), w = ctx.saved(1);
                 if (ctx.needs(0))
                   dx = transposed("conv2d_input_grad", g, w, {}, in.dim(2), in.dim(3), options, {},
                                   ctx.take_slope(0));
                 const auto [dw, db] =
                     detail::conv2d_gradients(in, g, kernel_of(w), options, ctx.needs(1), ctx.needs(2));
                 return {dx, dw, db};
               });
}

Tensor transposed(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t height,
                  int64_t width, const ConvOptions& options, const Activation& then,
                  const detail::Slope* slope) {
  const Shape result{x.dim(0), weight.dim(1) * options.groups, height, width};
  const ConvShape s = shape_of(result, x.shape(), kernel_of(weight), options);
  return ended(op, s, ConvPass::kInputGrad, x, weight, bias, result, then, slope,
               [options](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                 Tensor dx, dw, db;
                 const Tensor in = ctx.saved(0), w = ctx.saved(1);
                 if (ctx.needs(0)) dx = forward(g, w, {}, options, {}, ctx.take_slope(0));
                 if (ctx.needs(1)) dw = conv2d_weight_grad(g, in, kernel_of(w), options);
                 if (ctx.needs(2)) db = sum(g, {0, 2, 3});
                 return {dx, dw, db};
               });
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvOptions options,
              const Activation& then) {
  check("conv2d", x, weight, bias, weight.rank() == 4 ? weight.dim(0) : 0, options);
  DUEL_CHECK(options.output_padding == 0, "conv2d", "output_padding is for conv_transpose2d only");
  DUEL_CHECK(
      weight.dim(1) * options.groups == x.dim(1) && weight.dim(0) % options.groups == 0, "conv2d",
      "expected weights [Cout, {}, KH, KW] with groups that divide Cout for an input of {} in {} groups, got {}",
      x.dim(1) / options.groups, x.shape(), options.groups, weight.shape());
  const Size2d kernel = kernel_of(weight), size = out_size(x, kernel, options);
  DUEL_CHECK(size.h > 0 && size.w > 0, "conv2d",
             "a kernel of {} with dilation {} does not fit into {} with padding {}", kernel, options.dilation,
             x.shape(), options.padding);
  return forward(x, weight, bias, options, then, nullptr);
}

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvOptions options,
                        const Activation& then) {
  check("conv_transpose2d", x, weight, bias, weight.rank() == 4 ? weight.dim(1) * options.groups : 0,
        options);
  DUEL_CHECK(weight.dim(0) == x.dim(1), "conv_transpose2d",
             "expected weights [{}, Cout / groups, KH, KW] for an input of {}, got {}", x.dim(1), x.shape(),
             weight.shape());
  const Size2d kernel = kernel_of(weight);
  const auto& [stride, padding, output_padding, dilation, groups] = options;
  const int64_t height =
      kernels::conv_transpose_out_size(x.dim(2), kernel.h, stride.h, padding.h, output_padding.h, dilation.h);
  const int64_t width =
      kernels::conv_transpose_out_size(x.dim(3), kernel.w, stride.w, padding.w, output_padding.w, dilation.w);
  DUEL_CHECK(height > 0 && width > 0, "conv_transpose2d",
             "nothing is left of {} with kernel {} and padding {}", x.shape(), kernel, padding);
  options.output_padding = 0;
  return transposed("conv_transpose2d", x, weight, bias, height, width, options, then, nullptr);
}

Tensor conv2d_weight_grad(const Tensor& x, const Tensor& dy, Size2d kernel, ConvOptions options) {
  check("conv2d_weight_grad", x, dy, {}, 0, options);
  DUEL_CHECK(x.dim(0) == dy.dim(0) && dy.dim(1) % options.groups == 0 &&
                 out_size(x, kernel, options) == Size2d(dy.dim(2), dy.dim(3)),
             "conv2d_weight_grad",
             "a conv2d of {} with kernel {}, stride {}, padding {}, dilation {}, groups {} does not give {}",
             x.shape(), kernel, options.stride, options.padding, options.dilation, options.groups,
             dy.shape());
  const Shape result{dy.dim(1), x.dim(1) / options.groups, kernel.h, kernel.w};
  const ConvShape s = shape_of(x.shape(), dy.shape(), kernel, options);
  Tensor dw = Tensor::empty(result, x.options());
  DUEL_DISPATCH(x.dtype(), "conv2d_weight_grad",
                run<T>(s, ConvPass::kWeightGrad, x, dy, {}, dw.mutable_data<T>()));
  // Bilinear in x and dy: <dw, G> = <conv2d(x, G), dy>.
  return record("conv2d_weight_grad", dw, {x, dy}, {x, dy},
                [options](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                  Tensor dx, ddy;
                  const Tensor in = ctx.saved(0), out = ctx.saved(1);
                  if (ctx.needs(0)) {
                    dx = transposed("conv2d_input_grad", out, g, {}, in.dim(2), in.dim(3), options, {},
                                    ctx.take_slope(0));
                  }
                  if (ctx.needs(1)) ddy = forward(in, g, {}, options, {}, ctx.take_slope(1));
                  return {dx, ddy};
                });
}

namespace detail {

Tensor conv2d_pullback(const Tensor& dy, const Tensor& weight, int64_t height, int64_t width,
                       const ConvOptions& options, const Slope* slope) {
  return transposed("conv2d_input_grad", dy, weight, {}, height, width, options, {}, slope);
}

Tensor conv2d_pushforward(const Tensor& x, const Tensor& weight, const ConvOptions& options,
                          const Slope* slope) {
  return forward(x, weight, {}, options, {}, slope);
}

WeightAndBias conv2d_gradients(const Tensor& x, const Tensor& dy, Size2d kernel, const ConvOptions& options,
                               bool weight, bool bias) {
  if (!weight || !bias || grad_enabled())
    return {weight ? conv2d_weight_grad(x, dy, kernel, options) : Tensor(),
            bias ? sum(dy, {0, 2, 3}) : Tensor()};
  const WeightAndBias both{
      Tensor::empty({dy.dim(1), x.dim(1) / options.groups, kernel.h, kernel.w}, x.options()),
      Tensor::empty({dy.dim(1)}, x.options())};
  DUEL_DISPATCH(x.dtype(), "conv2d",
                run<T>(shape_of(x.shape(), dy.shape(), kernel, options), ConvPass::kWeightGrad, x, dy, {},
                       both.weight.mutable_data<T>(), {}, both.bias.mutable_data<T>()));
  for (const Tensor& each : {both.weight, both.bias}) record("conv2d", each, {x, dy}, {}, {});
  return both;
}

}  // namespace detail

}  // namespace duel
