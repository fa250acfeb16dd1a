#include "duel/nn/layers/conv_transpose2d.h"

#include "duel/core/ops/linear/conv.h"

namespace duel::nn {

ConvTranspose2d::ConvTranspose2d(int64_t in, int64_t out, int64_t kernel, ConvTranspose2dOptions o)
    : in_channels(in), out_channels(out), kernel_size(kernel), options(o) {
  DUEL_CHECK(in >= 1 && out >= 1 && kernel >= 1, "ConvTranspose2d",
             "expected at least 1 channel in and out and a kernel of at least 1, got {}, {} and {}", in, out,
             kernel);
  DUEL_CHECK(o.stride >= 1 && o.padding >= 0 && o.output_padding >= 0 && o.output_padding < o.stride,
             "ConvTranspose2d",
             "expected stride >= 1, padding >= 0 and 0 <= output_padding < stride, got {}, {} and {}",
             o.stride, o.padding, o.output_padding);
  initialize({in, out, kernel, kernel}, o.bias ? out : 0);
}

Tensor ConvTranspose2d::forward_with(const Tensor& x, const Tensor& w) const {
  return conv_transpose2d(
      x, w, bias,
      {.stride = options.stride, .padding = options.padding, .output_padding = options.output_padding});
}

std::string ConvTranspose2d::describe() const {
  std::string text = message("ConvTranspose2d({}, {}, kernel_size=({}, {}), stride=({}, {})", in_channels,
                             out_channels, kernel_size, kernel_size, options.stride, options.stride);
  if (options.padding != 0) text += message(", padding=({}, {})", options.padding, options.padding);
  if (options.output_padding != 0) {
    text += message(", output_padding=({}, {})", options.output_padding, options.output_padding);
  }
  if (!bias.defined()) text += ", bias=False";
  return text + ")";
}

}  // namespace duel::nn
