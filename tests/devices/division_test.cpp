// Divisions on the device: see tests/divisions.h.
#include "tests/divisions.h"

#include "device.h"

namespace duel {
namespace {

class DeviceDivision : public testing_devices::OnDevice {};

TEST_F(DeviceDivision, IsRoundedOnceInF32) {
  testing_ops::expect_divisions(DType::f32, testing_devices::kDevice);
}
TEST_F(DeviceDivision, IsRoundedOnceInF64) {
  testing_ops::expect_divisions(DType::f64, testing_devices::kDevice);
}

}  // namespace
}  // namespace duel
