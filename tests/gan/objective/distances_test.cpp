// Fisher GAN's constraint by hand and in a game whose solution is known; distances of sorted projections.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/distances/fisher.h"
#include "duel/gan/objective/distances/sliced.h"
#include "duel/gan/objective/objective.h"
#include "tests/files.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using duel::testing::kF64;

/// A round of these logits; a term's memory holds `multiplier`.
Round round_of(const Tensor& real, const Tensor& fake, double multiplier) {
  Round round;
  round.real.judgement.logits = real;
  round.fake.judgement.logits = fake;
  round.memory = {Tensor::full({}, multiplier, kF64)};
  return round;
}

// r = 1, 3 and f = -1, 1: O = (5 + 1) / 2 = 3.
TEST(SecondMoment, IsTheAugmentedLagrangianAndItsMultiplierClimbs) {
  const Term term = second_moment(0.5);
  Round round = round_of(Tensor::from({1.0, 3.0}, {2, 1}), Tensor::from({-1.0, 1.0}, {2, 1}), 0.25);
  EXPECT_DOUBLE_EQ(term.value(round).item(), 0.25 * 2 + 0.25 * 4);
  EXPECT_DOUBLE_EQ(round.memory[0].item(), 0.25 + 0.5 * 2);
  EXPECT_DOUBLE_EQ(term.value(round).item(), 1.25 * 2 + 0.25 * 4);
  round.real.judgement.logits = round.fake.judgement.logits = Tensor::zeros({2, 1}, kF64);
  EXPECT_DOUBLE_EQ(term.value(round).item(), -2.25 + 0.25);
  EXPECT_DOUBLE_EQ(round.memory[0].item(), 1.75) << "it falls where the moment is too small";
  EXPECT_TRUE(has(error_of([] { second_moment(0); }), "above 0"));
}

TEST(SecondMoment, GradientByDifferences) {
  Generator random(3);
  const Term term = second_moment(0.3);
  const auto f = [&](const std::vector<Tensor>& in) { return term.value(round_of(in[0], in[1], 0.7)); };
  const Tensor real = random.normal({5, 1}, 0.5, 1, kF64).set_requires_grad(true),
               fake = random.normal({4, 1}, 0, 1, kF64).set_requires_grad(true);
  const auto first = gradcheck(f, {real, fake}), second = gradgradcheck(f, {real, fake});
  EXPECT_TRUE(first) << first.message;
  EXPECT_TRUE(second) << second.message;
}

// Data at 1, G at -1, D(x) = w x: L_D = -2 w + l (w^2 - 1) + rho / 2 (w^2 - 1)^2 has its saddle at w = 1, l = 1. A
// multiplier of the other sign runs away.
TEST(SecondMoment, HoldsDWhereItsMomentIsOne) {
  const Term term = second_moment(0.05);
  Tensor w = Tensor::full({1, 1}, 0.1, kF64).set_requires_grad(true);
  Round round = round_of({}, {}, 0);
  for (int i = 0; i < 2000; ++i) {
    round.real.judgement.logits = w * 1.0;
    round.fake.judgement.logits = w * -1.0;
    const Tensor loss =
        discriminator_loss(wasserstein_loss(), Relativism::none, round.real.judgement, round.fake.judgement) +
        term.value(round);
    const Tensor slope = grad({loss}, {w})[0];
    const NoGrad off;
    w.copy_(w - 0.05 * slope);
  }
  EXPECT_NEAR(w.item(), 1, 1e-6);
  EXPECT_NEAR(round.memory[0].item(), 1, 1e-6);
}

TEST(FisherGan, HoldsItsMultiplierInDsTerm) {
  const Objective o = named_objective("fisher-gan", {{"rho", 1e-3}});
  ASSERT_EQ(o.d_terms.size(), 1u);
  EXPECT_TRUE(has_multiplier(o.d_terms[0]));
  EXPECT_FALSE(has_multiplier(feature_matching()));
  EXPECT_TRUE(has(error_of([] { named_objective("wgan", {{"rho", 1.0}}); }), "fisher-gan"));
}

// On one axis the sorted values are matched: 0, 1, 5 with 1, 2, 3. The other axis sees twos and threes.
TEST(SlicedWasserstein, MatchesProjectionsInOrder) {
  const Tensor a = Tensor::from({5.0, 2.0, 0.0, 2.0, 1.0, 2.0}, {3, 2}),
               b = Tensor::from({2.0, 3.0, 1.0, 3.0, 3.0, 3.0}, {3, 2});
  const Tensor x = Tensor::from({1.0, 0.0}, {2, 1}), y = Tensor::from({0.0, 1.0}, {2, 1});
  EXPECT_DOUBLE_EQ(sliced_wasserstein(a, b, x).item(), (1 + 1 + 4) / 3.0);
  EXPECT_DOUBLE_EQ(sliced_wasserstein(a, b, y).item(), 1);
  EXPECT_DOUBLE_EQ(sliced_wasserstein(a, b, concat({x, y}, 1)).item(), 1.5) << "the mean over directions";
  EXPECT_DOUBLE_EQ(sliced_wasserstein(a, a, x).item(), 0);
  EXPECT_TRUE(has(error_of([&] { sliced_wasserstein(a, rows(b, 0, 2), x); }), "as many features"));
  EXPECT_TRUE(has(error_of([&] {
                    sliced_wasserstein(a, b, Tensor::ones({3, 1}, kF64));
                  }),
                  "features of 2 numbers"));
  EXPECT_TRUE(has(error_of([] { sliced_wasserstein_loss(0); }), "at least 1 direction"));
}

TEST(SlicedWasserstein, GradientByDifferences) {
  Generator random(3);
  const Tensor directions = drawn_directions()(3, 5, kF64);
  const auto f = [&](const std::vector<Tensor>& in) { return sliced_wasserstein(in[0], in[1], directions); };
  const Tensor a = random.normal({4, 3}, 0, 1, kF64).set_requires_grad(true),
               b = random.normal({4, 3}, 0.5, 1, kF64).set_requires_grad(true);
  const auto first = gradcheck(f, {a, b}), second = gradgradcheck(f, {a, b});
  EXPECT_TRUE(first) << first.message;
  EXPECT_TRUE(second) << second.message;
}

// Of a shift by s every direction u sees <u, s>^2, whose mean over the sphere is |s|^2 / F.
TEST(SlicedWasserstein, DirectionsAreOfLengthOneAndPreferNone) {
  Generator drawn(5);
  const LendDefaultGenerator lent(drawn);
  const Tensor u = drawn_directions()(4, 20000, kF64);
  ASSERT_EQ(u.shape(), (Shape{4, 20000}));
  EXPECT_NEAR(max(abs(sum(square(u), {0}) - 1.0)).item(), 0, 1e-12);
  const Tensor a = drawn.normal({6, 4}, 0, 1, kF64), shift = Tensor::from({2.0, 0.0, -1.0, 0.5}, {4});
  EXPECT_NEAR(sliced_wasserstein(a, a + shift, u).item(), 5.25 / 4, 0.03);
  EXPECT_FALSE(duel::testing::same_bits(u, drawn_directions()(4, 20000, kF64))) << "drawn anew each time";
}

TEST(SlicedWasserstein, IsWhatGLearnsFromAndDDoesNot) {
  Generator drawn(5);
  const LendDefaultGenerator lent(drawn);
  const Loss loss = sliced_wasserstein_loss(8);
  const auto said = [&] {
    return Judgement{.logits = drawn.normal({4, 1}, 0, 1, kF64).set_requires_grad(true),
                     .features = drawn.normal({4, 3}, 0, 1, kF64).set_requires_grad(true)};
  };
  const Judgement real = said(), fake = said();
  const Tensor d = discriminator_loss(loss, Relativism::none, real, fake);
  EXPECT_EQ(d.item(), discriminator_loss(non_saturating_loss(), Relativism::none, real, fake).item());
  EXPECT_FALSE(grad({d}, {fake.features}, {}, {.allow_unused = true})[0].defined());
  const Tensor g = generator_loss(loss, Relativism::none, real, fake);
  EXPECT_FALSE(grad({g}, {fake.logits}, {}, {.allow_unused = true})[0].defined());
  EXPECT_TRUE(grad({g}, {fake.features}, {}, {.allow_unused = true})[0].defined());
}

}  // namespace
}  // namespace duel::gan
