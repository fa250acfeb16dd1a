#include "duel/nn/layers/conv_transpose2d.h"

#include "duel/core/ops/linear/conv.h"

namespace duel::nn {

ConvTranspose2d::ConvTranspose2d(int64_t in, int64_t out, Size2d kernel, ConvTranspose2dOptions o)
    : in_channels(in), out_channels(out), kernel_size(kernel), options(o) {
  DUEL_CHECK(in >= 1 && out >= 1 && kernel.h >= 1 && kernel.w >= 1, "ConvTranspose2d",
             "expected at least 1 channel in and out and a kernel of at least 1, got {}, {} and {}", in, out,
             kernel);
  const auto fits = [](int64_t extra, int64_t step) { return step >= 1 && extra >= 0 && extra < step; };
  DUEL_CHECK(
      fits(o.output_padding.h, o.stride.h) && fits(o.output_padding.w, o.stride.w) && o.padding.h >= 0 &&
          o.padding.w >= 0 && o.dilation.h >= 1 && o.dilation.w >= 1,
      "ConvTranspose2d",
      "expected stride >= 1, padding >= 0, 0 <= output_padding < stride and dilation >= 1, got {}, {}, {} and {}",
      o.stride, o.padding, o.output_padding, o.dilation);
  DUEL_CHECK(o.groups >= 1 && in % o.groups == 0 && out % o.groups == 0, "ConvTranspose2d",
             "expected groups that divide the channels {} and {}, got {}", in, out, o.groups);
  initialize({in, out / o.groups, kernel.h, kernel.w}, o.bias ? out : 0);
}

Tensor ConvTranspose2d::forward_with(const Tensor& x, const Tensor& w, const Activation& then) const {
  return conv_transpose2d(x, w, bias,
                          {.stride = options.stride,
                           .padding = options.padding,
                           .output_padding = options.output_padding,
                           .dilation = options.dilation,
                           .groups = options.groups},
                          then);
}

std::string ConvTranspose2d::describe() const {
  std::string text = message("ConvTranspose2d({}, {}, kernel_size={}, stride={}", in_channels, out_channels,
                             kernel_size, options.stride);
  if (options.padding != 0) text += message(", padding={}", options.padding);
  if (options.dilation != 1) text += message(", dilation={}", options.dilation);
  if (options.output_padding != 0) text += message(", output_padding={}", options.output_padding);
  if (options.groups != 1) text += message(", groups={}", options.groups);
  if (!bias.defined()) text += ", bias=False";
  return text + ")";
}

}  // namespace duel::nn
