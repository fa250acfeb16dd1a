// Convolutions with groups, dilation and rectangles against PyTorch: results, gradients, text, shapes, first values. Fails on
// height and width exchanged, on weights of another order, on a fan-in that counts the channels of other groups.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "duel/nn/layers/conv2d.h"
#include "duel/nn/layers/conv_transpose2d.h"
#include "tests/nn/helpers.h"
#include "tests/nn/pytorch_conv_values.h"

namespace duel::nn {
namespace {

void check(const std::string& name, Module&& module, const Shape& shape) {
  module.to(DType::f64);
  set_parameters(module);
  const Tensor x = wave(shape, 0).set_requires_grad(true), y = module(x);
  expect_close(y, kPyTorchConv.at(name + ".y"), name);
  std::vector<Tensor> wanted{x};
  std::vector<std::string> labels{"x"};
  for (const auto& [label, parameter] : module.named_parameters()) {
    wanted.push_back(parameter);
    labels.push_back(label);
  }
  const auto grads = grad({y}, wanted, {wave(y.shape(), 5)});
  for (size_t i = 0; i < grads.size(); ++i) {
    expect_close(grads[i], kPyTorchConv.at(name + ".d_" + labels[i]), name + ", " + labels[i]);
  }
}

TEST(ConvLayers, GroupsDilationRectangles) {
  check("conv2d",
        Conv2d(4, 6, {3, 2}, {.stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}, .groups = 2}),
        {2, 4, 5, 6});
  check("depthwise", Conv2d(3, 6, 3, {.padding = 1, .groups = 3, .bias = false}), {2, 3, 4, 4});
  check("conv_transpose2d",
        ConvTranspose2d(
            4, 6, {2, 3},
            {.stride = {1, 2}, .padding = {0, 1}, .output_padding = {0, 1}, .groups = 2, .dilation = {2, 1}}),
        {2, 4, 3, 3});
}

// As PyTorch prints them.
TEST(ConvLayers, Describe) {
  EXPECT_EQ(
      Conv2d(4, 6, {3, 2}, {.stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}, .groups = 2}).describe(),
      "Conv2d(4, 6, kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2)");
  EXPECT_EQ(
      ConvTranspose2d(4, 6, {2, 3}, {.stride = 2, .output_padding = {0, 1}, .groups = 2, .dilation = 3})
          .describe(),
      "ConvTranspose2d(4, 6, kernel_size=(2, 3), stride=(2, 2), dilation=(3, 3), output_padding=(0, 1), groups=2)");
}

void expect_first_values(const Tensor& tensor, double bound) {
  const auto values = tensor.to_vector<double>();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*low, -bound);
  EXPECT_LE(*high, bound);
  EXPECT_LT(*low, -0.9 * bound);
  EXPECT_GT(*high, 0.9 * bound);
}

TEST(ConvLayers, ShapesAndFirstValues) {
  const Conv2d conv(32, 64, {3, 5}, {.groups = 8});
  EXPECT_EQ(conv.weight.shape(), (Shape{64, 4, 3, 5}));
  EXPECT_EQ(conv.bias.shape(), (Shape{64}));
  expect_first_values(conv.weight, 1 / std::sqrt(4 * 15));
  const ConvTranspose2d up(32, 64, {3, 5}, {.groups = 8});
  EXPECT_EQ(up.weight.shape(), (Shape{32, 8, 3, 5}));
  EXPECT_EQ(up.bias.shape(), (Shape{64}));
  expect_first_values(up.weight, 1 / std::sqrt(8 * 15));
}

TEST(ConvLayers, RefuseWhatDoesNotFit) {
  EXPECT_THROW(Conv2d(4, 6, 3, {.groups = 4}), Error);
  EXPECT_THROW(Conv2d(4, 6, 3, {.groups = 0}), Error);
  EXPECT_THROW(Conv2d(4, 6, {3, 0}), Error);
  EXPECT_THROW(Conv2d(4, 6, 3, {.dilation = {1, 0}}), Error);
  EXPECT_THROW(ConvTranspose2d(4, 6, 3, {.groups = 3}), Error);
  EXPECT_THROW(ConvTranspose2d(4, 6, 3, {.stride = {2, 1}, .output_padding = 1}), Error);
}

}  // namespace
}  // namespace duel::nn
