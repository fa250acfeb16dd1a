// What the tests of the kernels' PTX share: the PTX, or a skip that says why there is none.
#pragma once

#include "tests/devices/device.h"
#include "tests/ptx/executor.h"

namespace duel::testing_devices {

class OnPtx : public OnDevice {
 protected:
  void SetUp() override {
    OnDevice::SetUp();
    if (ptx::kernels().executor != nullptr) return;
    if (ptx::kernels().demanded) FAIL() << ptx::kernels().why_none;
    GTEST_SKIP() << ptx::kernels().why_none;
  }
  static ptx::Executor& executor() { return *ptx::kernels().executor; }
};

}  // namespace duel::testing_devices
