// NaN passes through every op on the device too: see tests/nan_cases.h.
#include "tests/nan_cases.h"

#include "device.h"

namespace duel {
namespace {

class DeviceNotANumber : public testing_devices::OnDevice,
                         public ::testing::WithParamInterface<testing_ops::OpCases> {};

TEST_P(DeviceNotANumber, Passes) {
  testing_ops::each_case(GetParam(), [](const testing_ops::Case& test) {
    testing_ops::expect_nan_passes(test, DType::f32, testing_devices::kDevice, 2);
  });
}

/// One sample of every op: a shape more would run the same kernel.
std::vector<testing_ops::OpCases> one_of_each() {
  std::vector<testing_ops::OpCases> chosen;
  for (testing_ops::OpCases& op : testing_ops::ops(0)) {
    const auto large = std::find_if(op.cases.begin(), op.cases.end(), [](const testing_ops::Case* test) {
      return std::none_of(test->sample.inputs.begin(), test->sample.inputs.end(),
                          [](const OpInput& in) { return in.shape.numel() < 2; });
    });
    if (large != op.cases.end()) chosen.push_back({op.op, {*large}});
  }
  return chosen;
}

INSTANTIATE_TEST_SUITE_P(Ops, DeviceNotANumber, ::testing::ValuesIn(one_of_each()), testing_ops::name_of);

}  // namespace
}  // namespace duel
