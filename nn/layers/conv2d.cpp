#include "duel/nn/layers/conv2d.h"

#include "duel/core/ops/linear/conv.h"

namespace duel::nn {

Conv2d::Conv2d(int64_t in, int64_t out, Size2d kernel, Conv2dOptions o)
    : in_channels(in), out_channels(out), kernel_size(kernel), options(o) {
  DUEL_CHECK(in >= 1 && out >= 1 && kernel.h >= 1 && kernel.w >= 1, "Conv2d",
             "expected at least 1 channel in and out and a kernel of at least 1, got {}, {} and {}", in, out,
             kernel);
  DUEL_CHECK(o.stride.h >= 1 && o.stride.w >= 1 && o.padding.h >= 0 && o.padding.w >= 0 &&
                 o.dilation.h >= 1 && o.dilation.w >= 1,
             "Conv2d", "expected stride >= 1, padding >= 0 and dilation >= 1, got {}, {} and {}", o.stride,
             o.padding, o.dilation);
  DUEL_CHECK(o.groups >= 1 && in % o.groups == 0 && out % o.groups == 0, "Conv2d",
             "expected groups that divide the channels {} and {}, got {}", in, out, o.groups);
  initialize({out, in / o.groups, kernel.h, kernel.w}, o.bias ? out : 0);
}

ConvOptions Conv2d::op_options() const {
  return {.stride = options.stride,
          .padding = options.padding,
          .dilation = options.dilation,
          .groups = options.groups};
}

Tensor Conv2d::forward_with(const Tensor& x, const Tensor& w, const Activation& then) const {
  return conv2d(x, w, bias, op_options(), then);
}

std::string Conv2d::describe() const {
  std::string text = message("Conv2d({}, {}, kernel_size={}, stride={}", in_channels, out_channels,
                             kernel_size, options.stride);
  if (options.padding != 0) text += message(", padding={}", options.padding);
  if (options.dilation != 1) text += message(", dilation={}", options.dilation);
  if (options.groups != 1) text += message(", groups={}", options.groups);
  if (!bias.defined()) text += ", bias=False";
  return text + ")";
}

}  // namespace duel::nn
