#include "duel/nn/blocks/modulated_conv2d.h"

#include <cmath>

#include "duel/core/ops/linear/conv.h"
#include "duel/core/ops/linear/matmul.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/reduce/reduction.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/module/init.h"

namespace duel::nn {

ModulatedConv2d::ModulatedConv2d(int64_t in, int64_t out, int64_t kernel, int64_t styles,
                                 ModulatedConv2dOptions o)
    : in_channels(in), out_channels(out), kernel_size(kernel), style_dim(styles), options(o) {
  DUEL_CHECK(in >= 1 && out >= 1 && styles >= 1, "ModulatedConv2d",
             "expected at least 1 channel in, channel out and value of style, got {}, {} and {}", in, out,
             styles);
  DUEL_CHECK(kernel >= 1 && kernel % 2 == 1, "ModulatedConv2d", "expected an odd kernel, got {}", kernel);
  weight = register_parameter("weight", Tensor::empty({out, in, kernel, kernel}));
  init::normal_(weight);
  style = register_module("style", Equalized(Linear(styles, in), {.bias = 1.0}));
}

Tensor ModulatedConv2d::forward(const Tensor& x, const Tensor& w) {
  DUEL_CHECK(x.rank() == 4 && x.dim(1) == in_channels && w.shape() == Shape({x.dim(0), style_dim}),
             "ModulatedConv2d", "expected an input [N, {}, H, W] and styles [N, {}], got {} and {}",
             in_channels, style_dim, x.shape(), w.shape());
  const auto planes = [](const Tensor& t) { return t.reshape({t.dim(0), t.dim(1), 1, 1}); };
  const Tensor s = (*style)(w);
  const Tensor scaled =
      weight * (1.0 / std::sqrt(static_cast<double>(in_channels * kernel_size * kernel_size)));
  // Note [Scaling instead of a kernel for each sample]
  const Tensor y = conv2d(x * planes(s), scaled, {}, {.padding = kernel_size / 2});
  if (!options.demodulate) return y;
  return y * planes(rsqrt(linear(square(s), sum(square(scaled), {2, 3})) + options.eps));
}

std::string ModulatedConv2d::describe() const {
  return message("ModulatedConv2d({}, {}, kernel_size={}, style_dim={}, demodulate={})", in_channels,
                 out_channels, kernel_size, style_dim, detail::truth(options.demodulate));
}

}  // namespace duel::nn
