// What the device tests share: the device, or a skip that says why there is none; comparison of bits.
#pragma once

#include <gtest/gtest.h>

#include "duel/core/device/allocator.h"
#include "duel/core/tensor/tensor.h"
#include "duel/kernels/linear/device_library.h"

#include "tests/files.h"
#include "tests/tensors.h"

namespace duel::testing_devices {

inline constexpr Device kDevice = Device::cuda();

/// Fresh memory is NaN on both devices; products of floats are not rounded to TF32.
class OnDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!is_available(kDevice)) GTEST_SKIP() << "no CUDA device: " << why_unavailable(kDevice);
    set_allocator_poison(true);
    kernels::set_tf32(false);
  }
  void TearDown() override { set_allocator_poison(false); }
};

using testing::same_bits;

}  // namespace duel::testing_devices
