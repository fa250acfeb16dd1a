// Divisions on the CPU: see tests/divisions.h. Fails where anything is multiplied by a reciprocal.
#include "tests/divisions.h"

namespace duel {
namespace {

TEST(Division, IsRoundedOnceInF32) { testing_ops::expect_divisions(DType::f32, Device::cpu()); }
TEST(Division, IsRoundedOnceInF64) { testing_ops::expect_divisions(DType::f64, Device::cpu()); }

// The axes of one mean may lie apart: it is divided once, at the end.
TEST(Division, OfAMeanOverAxesThatLieApart) {
  const Tensor x = Tensor::full({13, 2, 7}, 91.0, {DType::f32});
  EXPECT_EQ(mean(x, {0, 2}).to_vector<double>(), (std::vector<double>{91, 91}));
}

}  // namespace
}  // namespace duel
