// Not-a-number in, not-a-number out: for every sample of every registered op, on any device, at orders 0 and
// 1.
//
// What an output depends on is found by trying: an element of an input is replaced by other numbers of its
// range, and the outputs (or gradients) that change are those that a NaN in its place must reach.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "duel/core/tensor/autograd.h"
#include "op_cases.h"

namespace duel::testing_ops {

/// What may hide a NaN, and why; by op and, where one is named, its input.
struct NanException {
  std::string reason;
  int order;       // 0: the value, and the gradient too; 1: the gradient alone
  int input = -1;  // any
};

inline const std::map<std::string, NanException>& nan_exceptions() {
  static const std::map<std::string, NanException> all{
      {"greater", {"a comparison with NaN is false, as everywhere", 0}},
      {"greater_equal", {"a comparison with NaN is false, as everywhere", 0}},
      {"equal", {"a comparison with NaN is false, as everywhere", 0}},
      {"less", {"a comparison with NaN is false, as everywhere", 0}},
      {"less_equal", {"a comparison with NaN is false, as everywhere", 0}},
      {"not_equal", {"NaN is unequal to everything, as everywhere", 0}},
      {"logical", {"the samples' operands are comparisons", 0}},
      {"argmax", {"an index: that of the NaN", 0}},
      {"argmin", {"an index: that of the NaN", 0}},
      {"argsort", {"indices: the NaN's is the last", 0}},
      {"sort", {"NaN counts as the largest: it stands at the end", 0}},
      {"topk", {"NaN counts as the largest", 0}},
      {"clamp", {"the value is NaN; whether it is inside is a comparison", 1}},
      {"where", {"the samples' condition is a comparison", 0, 0}},
      {"maximum", {"the value is NaN; the share of the gradient is a comparison", 1}},
      {"minimum", {"the value is NaN; the share of the gradient is a comparison", 1}},
      {"max", {"the value is NaN; the winner's gradient is found by comparisons", 1}},
      {"min", {"the value is NaN; the winner's gradient is found by comparisons", 1}},
      {"max_pool2d", {"the value is NaN; the winner's gradient is found by comparisons", 1}},
      {"clamp_min", {"the value is NaN; whether it is inside is a comparison", 1}},
      {"clamp_max", {"the value is NaN; whether it is inside is a comparison", 1}},
  };
  return all;
}

/// The op's value, or the gradients of all its inputs for a fixed gradient of the value, as one list.
inline std::vector<double> numbers_of(const Case& test, const Arrays& arrays, DType dtype, Device device,
                                      int order) {
  const Tensors inputs = tensors_of(test, arrays, dtype, order > 0, device);
  const Tensor y = test.sample.apply(inputs);
  if (order == 0) return y.to_vector<double>();
  Tensors wanted;
  for (const Tensor& input : inputs) {
    if (input.requires_grad()) wanted.push_back(input);
  }
  std::vector<double> all;
  if (wanted.empty() || !y.requires_grad()) return all;
  const Tensor seed = Tensor::full(y.shape(), 0.75, y.options());
  for (const Tensor& g : grad({y}, wanted, {seed}, {.allow_unused = true})) {
    if (!g.defined()) continue;
    const auto values = g.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// Of every input at most `most` elements, evenly spread, are tried.
inline void expect_nan_passes(const Case& test, DType dtype, Device device, size_t most) {
  const auto exception = nan_exceptions().find(test.op);
  const Arrays arrays = draw(test);
  Draw others(test.name + " others");
  for (int order = 0; order <= (test.sample.max_order > 0 ? 1 : 0); ++order) {
    const std::vector<double> before = numbers_of(test, arrays, dtype, device, order);
    for (size_t k = 0; k < arrays.size(); ++k) {
      if (test.sample.inputs[k].index) continue;  // whole numbers
      if (exception != nan_exceptions().end() && exception->second.order <= order &&
          (exception->second.input < 0 || exception->second.input == static_cast<int>(k)))
        continue;
      const size_t count = arrays[k].values.size(), step = std::max<size_t>(1, (count + most - 1) / most);
      for (size_t i = 0; i < count; i += step) {
        Arrays changed = arrays;
        std::vector<char> depends(before.size());
        for (int trial = 0; trial < 6; ++trial) {
          changed[k].values[i] = others.value(test.sample.inputs[k]);
          const auto now = numbers_of(test, changed, dtype, device, order);
          ASSERT_EQ(now.size(), before.size());
          for (size_t j = 0; j < now.size(); ++j) depends[j] |= now[j] != before[j];
        }
        changed[k].values[i] = std::numeric_limits<double>::quiet_NaN();
        const auto now = numbers_of(test, changed, dtype, device, order);
        for (size_t j = 0; j < now.size(); ++j) {
          ASSERT_TRUE(!depends[j] || std::isnan(now[j]))
              << (order == 0 ? "output " : "gradient ") << j << " depends on element " << i << " of input "
              << k << ", which is NaN, and is " << now[j];
        }
      }
    }
  }
}

}  // namespace duel::testing_ops
