// Samples of the registered ops as tests take them: names, drawn inputs, tensors.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "duel/kernels/base/error.h"
#include "tests/core/samples/op_registry.h"

namespace duel::testing_ops {

struct Case {
  std::string op, name;  // letters, digits and underscores
  OpSample sample;
};

inline std::string plain(const std::string& text) {
  std::string name;
  for (char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      name += c;
    } else if (c == '-') {
      name += 'm';
    } else if (c == ',' && !name.empty()) {
      name += 'x';  // a shape
    } else if (c == ' ' && !name.empty() && name.back() != '_' && name.back() != 'x') {
      name += '_';
    }
  }
  return name;
}

/// Every sample of every op, by name. Each test's process makes them, once.
inline const std::vector<Case>& all_cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> made;
    for (const OpInfo& op : registered_ops()) {
      int number = 0;
      for (OpSample& sample : op.samples()) {
        const std::string name = message("{}_{}_{}", op.name, number++, plain(sample.label));
        made.push_back({op.name, name, std::move(sample)});
      }
    }
    std::sort(made.begin(), made.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
    return made;
  }();
  return all;
}

inline std::vector<const Case*> cases(int min_order) {
  std::vector<const Case*> chosen;
  for (const Case& test : all_cases()) {
    if (test.sample.max_order >= min_order) chosen.push_back(&test);
  }
  return chosen;
}

/// The samples of one op that have gradients of this order. A test takes an op, not a sample: a process each would
/// cost more than what it computes.
struct OpCases {
  std::string op;
  std::vector<const Case*> cases;
};

inline void PrintTo(const OpCases& op, std::ostream* out) { *out << op.cases.size() << " samples"; }
inline std::string name_of(const ::testing::TestParamInfo<OpCases>& info) { return info.param.op; }

inline std::vector<OpCases> ops(int min_order) {
  std::vector<OpCases> all;
  std::map<std::string, std::vector<const Case*>> by_op;
  for (const Case* test : cases(min_order)) by_op[test->op].push_back(test);
  for (auto& [op, of_op] : by_op) all.push_back({op, std::move(of_op)});
  return all;
}

/// Calls body(case) for all of them; a failure names its case, and the others are tested all the same.
template <class Body>
void each_case(const OpCases& op, Body body) {
  for (const Case* test : op.cases) {
    SCOPED_TRACE(message("{}: {}", test->name, test->sample.label));
    body(*test);
  }
}

/// SplitMix64 of a text: inputs depend on the name of the case and on nothing else.
class Draw {
 public:
  explicit Draw(const std::string& name) {
    for (char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  }
  double unit() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
  /// Representable in f32, so that both dtypes compute from the same numbers.
  double value(const OpInput& input) {
    for (;;) {
      const double drawn = input.low + (input.high - input.low) * unit();
      if (input.index) return std::floor(drawn);
      const double v = static_cast<float>(drawn);
      const auto near = [&](double kink) { return std::abs(v - kink) < input.away; };
      if (std::none_of(input.kinks.begin(), input.kinks.end(), near)) return v;
    }
  }

 private:
  uint64_t state_ = 0xCBF29CE484222325ull;
};

inline Arrays draw(const Case& test) {
  Draw source(test.name);
  Arrays arrays;
  for (const OpInput& input : test.sample.inputs) {
    Array& array = arrays.emplace_back(Array{input.shape, {}});
    for (int64_t i = 0; i < input.shape.numel(); ++i) array.values.push_back(source.value(input));
  }
  return arrays;
}

inline Tensors tensors_of(const Case& test, const Arrays& arrays, DType dtype, bool with_grad,
                          Device device = {}) {
  Tensors tensors;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const OpInput& input = test.sample.inputs[i];
    Tensor tensor = Tensor::from(arrays[i].values, arrays[i].shape).to(input.index ? DType::i64 : dtype);
    if (device.is_cuda()) tensor = tensor.to(device);
    if (with_grad && input.differentiable && !input.index) tensor.set_requires_grad(true);
    tensors.push_back(tensor);
  }
  return tensors;
}

}  // namespace duel::testing_ops
