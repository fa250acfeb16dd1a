// Every registered op, every sample of it, in three modes:
//   Reference  the value against the sample's naive f64 computation, in f64 and in f32
//   Grad       its gradient against central differences
//   GradGrad   the gradient of that gradient against central differences
// A wrong value, sign, factor, broadcast sum or missing term of any rule fails here. Fresh memory is NaN, so
// an element that an op forgets to write fails too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "duel/core/device/allocator.h"
#include "duel/core/engine/gradcheck.h"
#include "duel/kernels/base/error.h"
#include "tests/core/samples/op_registry.h"
#include "tests/op_cases.h"

namespace duel {
namespace {

class PoisonedMemory : public ::testing::Environment {
  void SetUp() override { set_allocator_poison(true); }
};
[[maybe_unused]] const auto* const poisoned = ::testing::AddGlobalTestEnvironment(new PoisonedMemory);

using testing_ops::Case;
using testing_ops::cases;
using testing_ops::draw;
using testing_ops::each_case;
using testing_ops::OpCases;
using testing_ops::ops;
using testing_ops::tensors_of;

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

class Reference : public ::testing::TestWithParam<OpCases> {};

TEST_P(Reference, Values) {
  each_case(GetParam(), [](const Case& test) {
    const Arrays inputs = draw(test);
    const Array expected = test.sample.reference(inputs);
    double terms = 1;  // no sum of an op is longer than its largest input
    for (const Array& input : inputs) terms = std::max(terms, static_cast<double>(input.values.size()));
    {
      SCOPED_TRACE("f64");
      expect_values(test.sample.apply(tensors_of(test, inputs, DType::f64, false)), expected, 1e-12);
    }
    SCOPED_TRACE("f32");
    expect_values(test.sample.apply(tensors_of(test, inputs, DType::f32, false)), expected,
                  test.sample.ulps * 0x1p-24 * std::sqrt(terms));
  });
}

class Grad : public ::testing::TestWithParam<OpCases> {};

TEST_P(Grad, MatchesDifferences) {
  each_case(GetParam(), [](const Case& test) {
    const auto result = gradcheck(test.sample.apply, tensors_of(test, draw(test), DType::f64, true));
    EXPECT_TRUE(result) << result.message;
  });
}

class GradGrad : public ::testing::TestWithParam<OpCases> {};

TEST_P(GradGrad, MatchesDifferences) {
  each_case(GetParam(), [](const Case& test) {
    const auto result = gradgradcheck(test.sample.apply, tensors_of(test, draw(test), DType::f64, true));
    EXPECT_TRUE(result) << result.message;
  });
}

INSTANTIATE_TEST_SUITE_P(Ops, Reference, ::testing::ValuesIn(ops(0)), testing_ops::name_of);
INSTANTIATE_TEST_SUITE_P(Ops, Grad, ::testing::ValuesIn(ops(1)), testing_ops::name_of);
INSTANTIATE_TEST_SUITE_P(Ops, GradGrad, ::testing::ValuesIn(ops(2)), testing_ops::name_of);

TEST(OpRegistry, HasAtLeast300GradientCases) {
  const size_t first = cases(1).size(), second = cases(2).size();
  RecordProperty("gradient_cases", static_cast<int>(first + second));
  EXPECT_GE(first + second, 300u);
  // A sample of no elements proves little: they do not carry the count.
  size_t filled = 0;
  for (int order : {1, 2}) {
    for (const Case* test : cases(order)) {
      filled += std::all_of(test->sample.inputs.begin(), test->sample.inputs.end(),
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
