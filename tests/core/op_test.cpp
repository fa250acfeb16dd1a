// Every registered op, every sample of it, in three modes:
//   Reference  the value against the sample's naive f64 computation, in f64 and in f32
//   Grad       its gradient against central differences
//   GradGrad   the gradient of that gradient against central differences
// A wrong value, sign, factor, broadcast sum or missing term of any rule fails here. Fresh memory is NaN, so an element
// that an op forgets to write fails too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "duel/core/allocator.h"
#include "duel/core/gradcheck.h"
#include "duel/core/op_registry.h"
#include "duel/kernels/error.h"

namespace duel {
namespace {

class PoisonedMemory : public ::testing::Environment {
  void SetUp() override { set_allocator_poison(true); }
};
[[maybe_unused]] const auto* const poisoned = ::testing::AddGlobalTestEnvironment(new PoisonedMemory);

struct Case {
  std::string name;  // letters, digits and underscores
  OpSample sample;
};

/// Printed by GoogleTest next to the name.
void PrintTo(const Case& test, std::ostream* out) { *out << test.sample.label; }

std::string plain(const std::string& text) {
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

std::vector<Case> cases(int min_order) {
  std::vector<Case> all;
  for (const OpInfo& op : registered_ops()) {
    int number = 0;
    for (OpSample& sample : op.samples()) {
      const std::string name = message("{}_{}_{}", op.name, number++, plain(sample.label));
      if (sample.max_order >= min_order) all.push_back({name, std::move(sample)});
    }
  }
  std::sort(all.begin(), all.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
  return all;
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

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

Arrays draw(const Case& test) {
  Draw source(test.name);
  Arrays arrays;
  for (const OpInput& input : test.sample.inputs) {
    Array& array = arrays.emplace_back(Array{input.shape, {}});
    for (int64_t i = 0; i < input.shape.numel(); ++i) array.values.push_back(source.value(input));
  }
  return arrays;
}

Tensors tensors_of(const Case& test, const Arrays& arrays, DType dtype, bool with_grad) {
  Tensors tensors;
  for (size_t i = 0; i < arrays.size(); ++i) {
    const OpInput& input = test.sample.inputs[i];
    Tensor tensor = Tensor::from(arrays[i].values, arrays[i].shape).to(input.index ? DType::i64 : dtype);
    if (with_grad && input.differentiable && !input.index) tensor.set_requires_grad(true);
    tensors.push_back(tensor);
  }
  return tensors;
}

void expect_values(const Tensor& y, const Array& expected, double relative) {
  ASSERT_EQ(to_text(y.shape()), to_text(expected.shape));
  const auto values = y.to_vector<double>();
  ASSERT_EQ(values.size(), expected.values.size());
  // Sums of numbers around 1 may cancel: nothing is asked to be more exact than its terms.
  double largest = 1.0;
  for (double v : expected.values) largest = std::max(largest, std::abs(v));
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_LE(std::abs(values[i] - expected.values[i]), relative * largest)
        << "element " << i << ": expected " << expected.values[i] << ", got " << values[i];
  }
}

class Reference : public ::testing::TestWithParam<Case> {};

TEST_P(Reference, Values) {
  const auto& [name, sample] = GetParam();
  const Arrays inputs = draw(GetParam());
  const Array expected = sample.reference(inputs);
  double terms = 1;  // no sum of an op is longer than its largest input
  for (const Array& input : inputs) terms = std::max(terms, static_cast<double>(input.values.size()));
  {
    SCOPED_TRACE("f64");
    expect_values(sample.apply(tensors_of(GetParam(), inputs, DType::f64, false)), expected, 1e-12);
  }
  SCOPED_TRACE("f32");
  expect_values(sample.apply(tensors_of(GetParam(), inputs, DType::f32, false)), expected,
                sample.ulps * 0x1p-24 * std::sqrt(terms));
}

class Grad : public ::testing::TestWithParam<Case> {};

TEST_P(Grad, MatchesDifferences) {
  const auto result =
      gradcheck(GetParam().sample.apply, tensors_of(GetParam(), draw(GetParam()), DType::f64, true));
  EXPECT_TRUE(result) << result.message;
}

class GradGrad : public ::testing::TestWithParam<Case> {};

TEST_P(GradGrad, MatchesDifferences) {
  const auto result =
      gradgradcheck(GetParam().sample.apply, tensors_of(GetParam(), draw(GetParam()), DType::f64, true));
  EXPECT_TRUE(result) << result.message;
}

INSTANTIATE_TEST_SUITE_P(Ops, Reference, ::testing::ValuesIn(cases(0)), name_of);
INSTANTIATE_TEST_SUITE_P(Ops, Grad, ::testing::ValuesIn(cases(1)), name_of);
INSTANTIATE_TEST_SUITE_P(Ops, GradGrad, ::testing::ValuesIn(cases(2)), name_of);

TEST(OpRegistry, HasAtLeast300GradientCases) {
  const size_t first = cases(1).size(), second = cases(2).size();
  RecordProperty("gradient_cases", static_cast<int>(first + second));
  EXPECT_GE(first + second, 300u);
  // A sample of no elements proves little: they do not carry the count.
  size_t filled = 0;
  for (int order : {1, 2}) {
    for (const Case& test : cases(order)) {
      filled += std::all_of(test.sample.inputs.begin(), test.sample.inputs.end(),
                            [](const OpInput& in) { return in.shape.numel() > 0; });
    }
  }
  EXPECT_GE(filled, 300u);
}

TEST(OpRegistry, EveryOpHasSamplesUnderOneName) {
  std::set<std::string> names;
  for (const OpInfo& op : registered_ops()) {
    EXPECT_TRUE(names.insert(op.name).second) << op.name << " is registered twice";
    EXPECT_GE(op.samples().size(), 4u) << op.name;
  }
  EXPECT_GE(names.size(), 50u);
}

}  // namespace
}  // namespace duel
