// What the tests of nn/ share: deterministic inputs, comparison, and what PyTorch computed from the same
// inputs.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/nn/layers.h"
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
  const auto found = kPyTorch.find(key);
  ASSERT_NE(found, kPyTorch.end()) << key;
  expect_close(got, found->second, key, tolerance);
}

inline void expect_same_bits(const Tensor& a, const Tensor& b, const std::string& what = "") {
  ASSERT_EQ(a.shape(), b.shape()) << what;
  ASSERT_EQ(a.dtype(), b.dtype()) << what;
  EXPECT_EQ(a.to_vector<double>(), b.to_vector<double>()) << what;
}

using testing::error_of;

inline void expect_mentions(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
}

}  // namespace duel::nn
