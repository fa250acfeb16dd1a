// Tests whose results are compared with the host's multiply floats as floats. Those of TF32 say so themselves.
#include <gtest/gtest.h>

#include "duel/kernels/linear/device_library.h"

namespace duel::simt {
namespace {

class FloatProducts : public ::testing::Environment {
 public:
  void SetUp() override { kernels::set_tf32(false); }
};
[[maybe_unused]] const ::testing::Environment* const registered =
    ::testing::AddGlobalTestEnvironment(new FloatProducts);

}  // namespace
}  // namespace duel::simt
