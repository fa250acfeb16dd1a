// What the tests of nn/ share: deterministic inputs, comparison, and what PyTorch computed from the same
// inputs.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/nn/layers.h"
#include "pytorch_block_values.h"
#include "pytorch_values.h"
#include "tests/files.h"

namespace duel::nn {

/// sin(0.7 i + phase), as in make_pytorch_values.py.
inline Tensor wave(const Shape& shape, double phase, DType dtype = DType::f64) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.7 * static_cast<double>(i) + phase);
  return Tensor::from(values, shape).to(dtype);
}

/// Parameter k becomes the wave of phase 1 + k.
inline void set_parameters(Module& module) {
  NoGrad no_grad;
  double phase = 1;
  for (const Tensor& parameter : module.parameters())
    parameter.copy_(wave(parameter.shape(), phase++, parameter.dtype()));
}

inline std::vector<Tensor> wave_grads(const Module& module, double phase) {
  std::vector<Tensor> grads;
  for (const Tensor& p : module.parameters()) {
    grads.push_back(wave(p.shape(), phase, p.dtype()));
    phase += 7;
  }
  return grads;
}

/// What the optimizers step.
inline Linear small_linear() {
  Linear layer(3, 2);
  layer.to(DType::f64);
  set_parameters(layer);
  return layer;
}

inline void expect_close(const Tensor& got, const std::vector<double>& expected, const std::string& what,
                         double tolerance = 1e-12) {
  const auto values = got.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size()) << what;
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i])))
        << what << " [" << i << "]";
  }
}

inline void expect_pytorch(const Tensor& got, const std::string& key, double tolerance = 1e-12) {
  const bool layer = kPyTorch.contains(key);
  const auto found = layer ? kPyTorch.find(key) : kPyTorchBlocks.find(key);
  ASSERT_TRUE(layer || found != kPyTorchBlocks.end()) << key;
  expect_close(got, found->second, key, tolerance);
}

inline void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what = "") {
  ASSERT_EQ(a.shape(), b.shape()) << what;
  ASSERT_EQ(a.dtype(), b.dtype()) << what;
  EXPECT_EQ(a.to_vector<double>(), b.to_vector<double>()) << what;
}

/// Compares y and all gradients of <y, wave 5> with PyTorch's, whose names lack `prefix`.
inline void compare(const std::string& name, Module& module, const Tensor& input,
                    const std::string& prefix = "") {
  const bool differentiable = is_floating(input.dtype());
  Tensor x = input.detach().clone();
  if (differentiable) x.set_requires_grad(true);
  const Tensor y = module(x);
  expect_pytorch(y, name + ".y");
  std::vector<Tensor> wanted;
  std::vector<std::string> labels;
  if (differentiable) {
    wanted.push_back(x);
    labels.push_back("x");
  }
  for (const auto& [label, parameter] : module.named_parameters()) {
    wanted.push_back(parameter);
    labels.push_back(label.substr(label.starts_with(prefix) ? prefix.size() : 0));
  }
  const auto grads = grad({y}, wanted, {wave(y.shape(), 5)});
  for (size_t i = 0; i < grads.size(); ++i) expect_pytorch(grads[i], name + ".d_" + labels[i]);
}

inline void check_layer(const std::string& name, Module&& module, const Shape& shape, double scale = 1.0) {
  module.to(DType::f64);
  set_parameters(module);
  compare(name, module, wave(shape, 0) * scale);
}

/// Order 2 in the input and in the weights.
inline void check_twice(Module&& layer, const Shape& shape) {
  layer.to(DType::f64);
  set_parameters(layer);
  std::vector<Tensor> at = layer.parameters();
  at.insert(at.begin(), (wave(shape, 0.3) * 2.0).set_requires_grad(true));
  const auto f = [&](const std::vector<Tensor>& in) { return tanh(layer(in[0])); };
  const auto result = gradgradcheck(f, at);
  EXPECT_TRUE(result) << layer.describe() << ": " << result.message;
}

using testing::error_of;

inline void expect_mentions(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
}

}  // namespace duel::nn
