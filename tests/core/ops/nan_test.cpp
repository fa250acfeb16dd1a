// A broken number is seen, not hidden: NaN passes through every op. Fails on a select that answers for NaN,
// as elu(NaN) = 0.
#include "tests/nan_cases.h"

#include <set>

#include "duel/core/ops.h"

namespace duel {
namespace {

using testing_ops::OpCases;

class NotANumber : public ::testing::TestWithParam<OpCases> {};

TEST_P(NotANumber, Passes) {
  testing_ops::each_case(GetParam(), [](const testing_ops::Case& test) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      SCOPED_TRACE(to_text(dtype));
      testing_ops::expect_nan_passes(test, dtype, Device::cpu(), 64);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Ops, NotANumber, ::testing::ValuesIn(testing_ops::ops(0)), testing_ops::name_of);

// An exception for an op that does not exist, or one that is not needed any more, would be forgotten.
TEST(NotANumberTest, ExceptionsAreOps) {
  std::set<std::string> names;
  for (const OpInfo& op : registered_ops()) names.insert(op.name);
  for (const auto& [name, exception] : testing_ops::nan_exceptions()) {
    EXPECT_TRUE(names.contains(name)) << name;
    EXPECT_FALSE(exception.reason.empty()) << name;
  }
}

// Longer than a vector: the wide loop, its remainder and the last element alike.
TEST(NotANumberTest, PassesAtEveryPlaceOfALongArray) {
  using Op = Tensor (*)(const Tensor&);
  const std::vector<std::pair<const char*, Op>> ops{
      {"relu", [](const Tensor& x) { return relu(x); }},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); }},
      {"elu", [](const Tensor& x) { return elu(x, 1.5); }},
      {"tanh", [](const Tensor& x) { return tanh(x); }},
      {"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
      {"softplus", [](const Tensor& x) { return softplus(x); }},
      {"gelu", [](const Tensor& x) { return gelu(x); }},
      {"clamp_min", [](const Tensor& x) { return clamp_min(x, -0.5); }},
      {"clamp_max", [](const Tensor& x) { return clamp_max(x, 0.5); }},
      {"sign", [](const Tensor& x) { return sign(x); }},
      {"pow_scalar", [](const Tensor& x) { return pow_scalar(x, 3.0); }}};
  for (const auto& [name, op] : ops) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (int64_t at = 0; at < 37; ++at) {
        std::vector<double> values(37);
        for (int64_t i = 0; i < 37; ++i)
          values[static_cast<size_t>(i)] = 0.4 * static_cast<double>(i % 5) - 0.7;
        values[static_cast<size_t>(at)] = std::numeric_limits<double>::quiet_NaN();
        const auto y = op(Tensor::from(values, {37}).to(dtype)).to_vector<double>();
        for (int64_t i = 0; i < 37; ++i)
          EXPECT_EQ(std::isnan(y[static_cast<size_t>(i)]), i == at) << name << " at " << i;
      }
    }
  }
}

}  // namespace
}  // namespace duel
