#include "duel/nn/layers/conv2d.h"

#include "duel/core/ops/linear/conv.h"

namespace duel::nn {

Conv2d::Conv2d(int64_t in, int64_t out, int64_t kernel, Conv2dOptions o)
    : in_channels(in), out_channels(out), kernel_size(kernel), options(o) {
  DUEL_CHECK(in >= 1 && out >= 1 && kernel >= 1, "Conv2d",
             "expected at least 1 channel in and out and a kernel of at least 1, got {}, {} and {}", in, out,
             kernel);
  DUEL_CHECK(o.stride >= 1 && o.padding >= 0, "Conv2d",
             "expected stride >= 1 and padding >= 0, got {} and {}", o.stride, o.padding);
  initialize({out, in, kernel, kernel}, o.bias ? out : 0);
}

Tensor Conv2d::forward_with(const Tensor& x, const Tensor& w) const {
  return conv2d(x, w, bias, {.stride = options.stride, .padding = options.padding});
}

std::string Conv2d::describe() const {
  std::string text = message("Conv2d({}, {}, kernel_size=({}, {}), stride=({}, {})", in_channels,
                             out_channels, kernel_size, kernel_size, options.stride, options.stride);
  if (options.padding != 0) text += message(", padding=({}, {})", options.padding, options.padding);
  if (!bias.defined()) text += ", bias=False";
  return text + ")";
}

}  // namespace duel::nn
