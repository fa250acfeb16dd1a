// Generators give the same numbers on every device, wherever their offset lives.
#include "device.h"

#include "duel/core/tensor/random.h"

namespace duel {
namespace {

using testing_devices::kDevice;
using testing_devices::same_bits;

class DeviceRandom : public testing_devices::OnDevice {};

TEST_F(DeviceRandom, TheSameBitsAsOnTheCpu) {
  Generator a(7, 3), b(7, 3);
  for (const int64_t n : {1, 5, 64, 1000}) {
    const TensorOptions f32{DType::f32, kDevice}, f64{DType::f64, kDevice};
    EXPECT_TRUE(same_bits(a.uniform({n}, -1, 2), b.uniform({n}, -1, 2, f32)));
    EXPECT_TRUE(same_bits(a.normal({n}, 0.5, 2), b.normal({n}, 0.5, 2, f32)));
    EXPECT_TRUE(same_bits(a.uniform({n}, 0, 1, {DType::f64, {}}), b.uniform({n}, 0, 1, f64)));
    EXPECT_TRUE(same_bits(a.integers({n}, 10), b.integers({n}, 10, kDevice)));
  }
  EXPECT_EQ(a.state(), b.state());
  EXPECT_GT(a.state().offset, 4 * (1000u + 64 + 5 + 1) / 4);
}

TEST_F(DeviceRandom, TheSequenceGoesOnAcrossDevices) {
  Generator a(1), b(1);
  for (int i = 0; i < 6; ++i) {
    const Device where = i % 3 == 1 ? Device::cpu() : kDevice;
    EXPECT_TRUE(same_bits(a.uniform({9}), b.uniform({9}, 0, 1, {DType::f32, where}))) << i;
  }
  EXPECT_EQ(a.state(), b.state());
}

TEST_F(DeviceRandom, StateIsReadAndWritten) {
  Generator a(1, 2);
  (void)a.normal({100}, 0, 1, {DType::f32, kDevice});
  const Generator::State kept = a.state();
  EXPECT_EQ(kept, (Generator::State{1, 2, 25}));
  const Tensor first = a.normal({10}, 0, 1, {DType::f32, kDevice});
  Generator copy = a;
  EXPECT_EQ(copy.state(), a.state());
  (void)copy.normal({10}, 0, 1, {DType::f32, kDevice});
  EXPECT_NE(copy.state(), a.state());  // a sequence of its own
  a.set_state(kept);
  EXPECT_TRUE(same_bits(a.normal({10}, 0, 1, {DType::f32, kDevice}), first));
}

}  // namespace
}  // namespace duel
