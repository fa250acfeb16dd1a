// NaN passes through every op on the device too: see tests/nan_cases.h.
#include "tests/nan_cases.h"

#include "device.h"

namespace duel {
namespace {

class DeviceNotANumber : public testing_devices::OnDevice,
                         public ::testing::WithParamInterface<testing_ops::Case> {};

TEST_P(DeviceNotANumber, Passes) {
  testing_ops::expect_nan_passes(GetParam(), DType::f32, testing_devices::kDevice, 2);
}

/// One sample of every op: a shape more would run the same kernel.
std::vector<testing_ops::Case> one_of_each() {
  std::vector<testing_ops::Case> chosen;
  for (testing_ops::Case& test : testing_ops::cases(0)) {
    const bool empty = std::any_of(test.sample.inputs.begin(), test.sample.inputs.end(),
                                   [](const OpInput& in) { return in.shape.numel() < 2; });
    if (empty) continue;
    if (chosen.empty() || testing_ops::op_of(chosen.back()) != testing_ops::op_of(test))
      chosen.push_back(std::move(test));
  }
  return chosen;
}

INSTANTIATE_TEST_SUITE_P(Ops, DeviceNotANumber, ::testing::ValuesIn(one_of_each()), testing_ops::name_of);

}  // namespace
}  // namespace duel
