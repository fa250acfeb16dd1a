// gradient_penalty as a function: under NoGrad and in gradcheck.
#include "duel/gan/penalty.h"

#include <gtest/gtest.h>

#include "../files.h"
#include "duel/core/autograd.h"
#include "duel/core/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/nn/layers.h"
#include "duel/nn/scoped_parameters.h"

namespace duel::gan {
namespace {

using duel::testing::has;

constexpr TensorOptions kF64{DType::f64, {}};

struct Setting {
  nn::Sequential d{nn::Linear(3, 5), nn::Tanh(), nn::Linear(5, 1)};
  Tensor points = Generator(4, 0).normal({6, 3}, 0.0, 1.0, kF64);
  Setting() {
    d.to(DType::f64);
    Generator random(9, 0);
    NoGrad no_grad;
    for (const Tensor& weight : d.parameters()) weight.copy_(random.normal(weight.shape(), 0.0, 1.0, kF64));
  }
};

TEST(GradientPenalty, WithoutAGraphTheValueIsTheSame) {
  Setting s;
  for (const PenaltyShape& shape : {one_centered(), zero_centered()}) {
    const PenaltyResult recorded = gradient_penalty(s.d, s.points, shape, 2.0);
    EXPECT_TRUE(recorded.value.requires_grad());
    NoGrad no_grad;
    const PenaltyResult plain = gradient_penalty(s.d, s.points, shape, 2.0);
    EXPECT_FALSE(plain.value.requires_grad());
    EXPECT_EQ(plain.value.item(), recorded.value.item()) << shape.name;
    EXPECT_EQ(plain.mean_norm.item(), recorded.mean_norm.item()) << shape.name;
    EXPECT_EQ(mean_gradient_norm(s.d, s.points), recorded.mean_norm.item());
  }
}

// The recipe of penalty.h and core/gradcheck.h.
TEST(GradientPenalty, GradcheckInTheWeights) {
  Setting s;
  for (const PenaltyShape& shape : {one_centered(), zero_centered(), power(6), worst_of(zero_centered())}) {
    const auto penalty = [&](const std::vector<Tensor>& in) {
      const nn::ScopedParameters moved(s.d.parameters(), in);
      return gradient_penalty(s.d, s.points, shape, 1.0).value;
    };
    const auto result = gradcheck(penalty, s.d.parameters());
    EXPECT_TRUE(result) << shape.name << ": " << result.message;
  }
  // Without them D's own weights are read, and nothing would be checked.
  const auto ignores = [&](const std::vector<Tensor>&) { return gradient_penalty(s.d, s.points, one_centered(), 1.0).value; };
  EXPECT_TRUE(has(gradcheck(ignores, s.d.parameters()).message, "ScopedParameters"));
}

}  // namespace
}  // namespace duel::gan
