// The CUDA runtime's door, in a build without CUDA, on a machine without a GPU, and with one.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "duel/kernels/base/runtime.h"

namespace duel::kernels {
namespace {

TEST(Runtime, SaysWhyThereIsNoDevice) {
  const runtime::Availability& found = runtime::availability();
  EXPECT_EQ(found.reason.empty(), found.devices > 0);
  EXPECT_EQ(found.reason.find('\n'), std::string::npos);
  if (runtime::compiled_architectures().empty() && found.devices == 0) {
    EXPECT_EQ(found.reason, "built without CUDA");
  }
}

TEST(Runtime, CallsWithoutADeviceAreErrorsWithAdvice) {
  if (runtime::availability().devices > 0) GTEST_SKIP() << "there is a GPU";
  try {
    runtime::allocate_device(64);
    FAIL() << "no memory to be had";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(text.rfind("[cuda] ", 0), 0u) << text;
    EXPECT_TRUE(text.find("built without CUDA: configure with") != std::string::npos ||
                text.find("--device cpu") != std::string::npos)
        << text;
  }
}

TEST(Runtime, CopiesThereAndBack) {
  if (runtime::availability().devices == 0) GTEST_SKIP() << runtime::availability().reason;
  const Stream stream = runtime::create_stream();
  const std::vector<float> values = {1, 2, 3, 4, 5};
  const size_t bytes = values.size() * sizeof(float);
  void* a = runtime::allocate_device(bytes);
  void* b = runtime::allocate_device(bytes);
  std::vector<float> back(values.size(), -1);
  runtime::copy_to_device(stream, a, values.data(), bytes);
  runtime::fill_bytes(stream, b, 0, bytes);
  runtime::copy_on_device(stream, b, static_cast<float*>(a) + 1, 2 * sizeof(float));
  runtime::copy_to_host(stream, back.data(), b, bytes);
  runtime::synchronize(stream);
  EXPECT_EQ(back, (std::vector<float>{2, 3, 0, 0, 0}));
  runtime::free_device(a);
  runtime::free_device(b);
  runtime::destroy_stream(stream);
}

}  // namespace
}  // namespace duel::kernels
