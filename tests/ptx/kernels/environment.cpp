// duel_test_ptx_devices: the tests of tests/devices, with every kernel as nvcc's PTX.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/ptx/executor.h"

namespace duel::ptx {
namespace {

class KernelsAsPtx : public ::testing::Environment {
 public:
  void SetUp() override {
    if (kernels().executor != nullptr) {
      interpreted_ = std::make_unique<Interpreted>(*kernels().executor);
    } else if (kernels().demanded) {
      FAIL() << kernels().why_none;
    } else {
      GTEST_SKIP() << kernels().why_none;
    }
  }
  void TearDown() override {
    interpreted_ = nullptr;
    if (kernels().executor == nullptr) return;
    const auto counts = kernels().executor->counts();
    uint64_t instructions = 0;
    for (const auto& [kernel, each] : counts) instructions += each.instructions();
    std::printf("%zu kernels ran as PTX: %llu instructions of warps\n", counts.size(),
                static_cast<unsigned long long>(instructions));
  }

 private:
  std::unique_ptr<Interpreted> interpreted_;
};

[[maybe_unused]] const ::testing::Environment* const registered =
    ::testing::AddGlobalTestEnvironment(new KernelsAsPtx);

}  // namespace
}  // namespace duel::ptx
