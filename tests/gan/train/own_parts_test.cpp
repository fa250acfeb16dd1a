// Parts that a user adds to a Trainer's run: terms that ask G and remember, losses of features, augmentation of
// D's inputs. They train, resume bit for bit, and pass gradients where they must.
#include "tests/own_parts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"
#include "tests/files.h"
#include "tests/tensors.h"
#include "tests/training.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using testing::differentiable_augmentation;
using testing::first_difference;
using testing::mmd_loss;
using testing::path_length;
using testing::squared_mmd;

constexpr int64_t kPartsSide = 4, kPartsPixels = kPartsSide * kPartsSide, kPartsBatch = 8;

/// The largest absolute difference.
double parts_apart(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (const double v : sub(a, b).to_vector<double>()) most = std::max(most, std::abs(v));
  return most;
}

Networks networks_for_parts(uint64_t seed = 1) {
  manual_seed(seed);
  return {.generator = std::make_shared<nn::Sequential>(
              nn::Linear(5, 12), nn::BatchNorm1d(12), nn::ReLU(), nn::Dropout(0.2),
              nn::Linear(12, kPartsPixels), nn::Tanh(), nn::Unflatten({1, kPartsSide, kPartsSide})),
          .discriminator = std::make_shared<SequentialCritic>(nn::Sequential(
              nn::Flatten(), nn::Linear(kPartsPixels, 12), nn::LeakyReLU(0.2), nn::Linear(12, 1))),
          .latent = {.noise = 5}};
}

Trainer trainer_of(const Objective& objective, uint64_t seed = 1, DType dtype = DType::f32) {
  return Trainer(networks_for_parts(seed), objective,
                 std::make_shared<ResidentData>(testing::noise_images(40, kPartsSide, 4)),
                 {.batch = kPartsBatch, .dtype = dtype});
}

void run_with_last_measured(Trainer& trainer, int steps) {
  for (int i = 0; i < steps; ++i) trainer.step(i + 1 == steps);
}

/// Each alone, and with other parts of the schedule.
std::vector<Objective> own_objectives() {
  Objective path{.name = "path length"}, mmd{.name = "mmd"}, augmented{.name = "augmented"};
  path.g_terms = {path_length(0.5)};
  mmd.loss = mmd_loss();
  augmented.augmentation = differentiable_augmentation;
  augmented.penalties = {{zero_centered(), at_real(), 1.0}};
  Objective all = testing::own_objective();
  all.schedule.critic_steps = 2;
  all.schedule.label_flip = 0.2;
  all.schedule.instance_noise = 0.1;
  all.d_terms = {path_length(0.1)};  // of one name with G's: each remembers for itself
  Objective mutual = testing::own_objective();
  mutual.schedule.update = Update::extragradient;
  return {path, mmd, augmented, all, mutual};
}

TEST(OwnParts, TrainAndResumeBitForBit) {
  for (const Objective& objective : own_objectives()) {
    Trainer whole = trainer_of(objective), first = trainer_of(objective), second = trainer_of(objective, 7);
    run_with_last_measured(whole, 8);
    run_with_last_measured(first, 4);
    manual_seed(123);  // what else the program draws is its own affair
    second.restore(first.state());
    run_with_last_measured(second, 4);
    EXPECT_EQ(first_difference(whole.state(), second.state()), "") << objective.name;
    const Metrics m = whole.metrics();
    EXPECT_TRUE(std::isfinite(m.loss_d) && std::isfinite(m.loss_g)) << objective.name;
    EXPECT_GT(m.grad_norm_d, 0) << objective.name;
    EXPECT_GT(m.grad_norm_g, 0) << objective.name;
  }
}

TEST(OwnParts, ACheckpointHoldsTheirStateAndNothingMore) {
  Trainer plain = trainer_of({.name = "plain"}), own = trainer_of(own_objectives()[3]);
  std::vector<std::string> added;
  for (const auto& [name, tensor] : own.state().tensors) {
    if (!plain.state().find(name)) added.push_back(name);
  }
  EXPECT_EQ(added, (std::vector<std::string>{"random.augmentation", "terms_d.path_length.0",
                                             "terms_g.path_length.0"}));
  run_with_last_measured(own, 2);
  EXPECT_GT(own.state().find("terms_g.path_length.0")->item(), 0);
}

// D judges T(x) and T(G(z)), so L_G's gradient is that of D(T(G(z))): T is not cut off, nor left out.
TEST(OwnParts, AugmentationsStandBetweenBothSidesAndD) {
  Objective objective{.name = "squared", .loss = wasserstein_loss()};
  objective.augmentation = [](const Tensor& samples, Generator&) { return square(samples); };
  Trainer trainer = trainer_of(objective, 1, DType::f64);
  nn::Module &g = *trainer.networks().generator, &d = *trainer.networks().discriminator;
  dynamic_cast<nn::Sequential&>(g)[3].eval();  // no dropout, so that both passes see the same fakes
  const Tensor real = trainer.data()->batch(trainer.data()->first(kPartsBatch), DType::f64);
  const Tensor z = Generator(3).normal({kPartsBatch, 5}, 0, 1, real.options());
  const auto expected = grad({neg(mean(d(square(g(z)))))}, g.parameters());
  trainer.generator_step(z, real);
  ASSERT_EQ(trainer.last_gradients().size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_LT(parts_apart(trainer.last_gradients()[i], expected[i]), 1e-12) << i;
  const Tensor fake = trainer.generate(z);
  const double d_real = mean(d(square(real))).item();
  const double d_fake = mean(d(square(fake))).item();
  trainer.critic_step(real, fake, true);
  EXPECT_NEAR(trainer.metrics().d_real, d_real, 1e-12);
  EXPECT_NEAR(trainer.metrics().d_fake, d_fake, 1e-12);

  objective.augmentation = [](const Tensor& samples, Generator&) { return samples.flatten(1); };
  Trainer wrong = trainer_of(objective);
  EXPECT_EQ(
      error_of([&] { wrong.step(); }),
      "[trainer] the augmentation gave f32 [8, 16], expected samples like those it was given, f32 [8, 1, 4, "
      "4]");
}

// For a linear G the slope term of term.h is the mean of (1^T W)^2 over W's columns: its gradient is known.
TEST(OwnParts, TermsReachG) {
  manual_seed(1);
  const auto linear = std::make_shared<nn::Linear>(3, 4);
  const auto step = [&](double weight) {
    Objective objective{.name = "own"};
    objective.g_terms = {
        {.name = "slope", .weight = weight, .value = [](const Round& round) {
           const Tensor z = round.latents.detach().set_requires_grad(true);
           return mean(square(grad({sum((*round.generator)(z))}, {z}, {}, {.create_graph = true})[0]));
         }}};
    Networks networks{.generator = std::make_shared<nn::Sequential>(nn::Linear(3, 4)),
                      .discriminator = std::make_shared<nn::Sequential>(nn::Linear(4, 1)),
                      .latent = {.noise = 3}};
    networks.generator->load_state_dict({{"0.weight", linear->weight}, {"0.bias", linear->bias}});
    networks.discriminator->load_state_dict(
        {{"0.weight", Tensor::ones({1, 4})}, {"0.bias", Tensor::ones({1})}});
    Trainer trainer(networks, objective, nullptr, {.batch = 2, .dtype = DType::f64});
    trainer.generator_step(Tensor::ones({2, 3}, {DType::f64, {}}), Tensor::ones({2, 4}, {DType::f64, {}}));
    return trainer.last_gradients()[0];
  };
  const Tensor columns = sum(linear->weight.detach().to(DType::f64), {0}, true);  // 1^T W
  const Tensor expected = broadcast_to(columns * (2.0 / 3.0), {4, 3});
  EXPECT_LT(parts_apart(step(0.7) - step(0.0), expected * 0.7), 1e-12);
}

// L_D and L_G of features: each player's gradient is that of the discrepancy of what D's last layer sees.
TEST(OwnParts, LossesReadFeatures) {
  Objective objective{.name = "mmd", .loss = mmd_loss()};
  Trainer trainer = trainer_of(objective, 1, DType::f64);
  nn::Module &g = *trainer.networks().generator, &d = *trainer.networks().discriminator;
  dynamic_cast<nn::Sequential&>(g)[3].eval();
  const Tensor real = trainer.data()->batch(trainer.data()->first(kPartsBatch), DType::f64);
  const Tensor z = Generator(3).normal({kPartsBatch, 5}, 0, 1, real.options());
  const auto discrepancy = [&](const Tensor& fake) {
    const Tensor of_real = judge(d, real).features, of_fake = judge(d, fake).features;
    return squared_mmd(of_real, of_fake);
  };
  const auto expect = [&](const std::vector<Tensor>& expected, double sign) {
    for (size_t i = 0; i < expected.size(); ++i) {
      const Tensor& found = trainer.last_gradients()[i];
      ASSERT_EQ(found.defined(), expected[i].defined()) << i;
      if (found.defined()) {
        EXPECT_LT(parts_apart(found, expected[i] * sign), 1e-12) << i;
      }
    }
  };
  const auto of_g = grad({discrepancy(g(z))}, g.parameters());
  trainer.generator_step(z, real);
  expect(of_g, 1.0);
  const Tensor fake = trainer.generate(z);
  const auto of_d = grad({discrepancy(fake)}, d.parameters(), {}, {.allow_unused = true});
  EXPECT_FALSE(of_d.back().defined()) << "the last layer's bias: features come before it";
  trainer.critic_step(real, fake);
  expect(of_d, -1.0);
}

// With a label that is always wrong the sides of a joint loss are exchanged, features too.
TEST(OwnParts, FlippedLabelsExchangeFeatures) {
  Objective objective{.name = "own"};
  objective.loss.d_joint = [](const Judgement& real, const Judgement& fake) {
    return mean(real.features) - mean(fake.features) * 3.0 + mean(real.logits) * 5.0;
  };
  objective.loss.g_joint = [](const Tensor&, const Tensor& fake) { return mean(fake); };
  const auto loss = [&](bool flipped, bool exchanged) {
    objective.schedule.label_flip = flipped ? 1.0 : 0.0;
    Trainer trainer = trainer_of(objective);
    Tensor real = Tensor::full({kPartsBatch, 1, kPartsSide, kPartsSide}, 0.5), fake = neg(real);
    if (exchanged) std::swap(real, fake);
    trainer.critic_step(real, fake);
    return trainer.metrics().loss_d;
  };
  EXPECT_FLOAT_EQ(static_cast<float>(loss(true, false)), static_cast<float>(loss(false, true)));
  EXPECT_GT(std::abs(loss(true, false) - loss(false, false)), 1e-3);
}

TEST(OwnParts, RatesFollowTheirRules) {
  Objective objective{.name = "own"};
  objective.schedule.d.lr_rule = nn::cosine_rule(10);
  objective.schedule.g.lr_rule = nn::lambda_rule([](int64_t done) { return done < 4 ? 1.0 : 0.25; });
  const double lr = objective.schedule.d.lr;
  Trainer whole = trainer_of(objective), first = trainer_of(objective), second = trainer_of(objective, 7);
  run_with_last_measured(whole, 6);
  EXPECT_DOUBLE_EQ(whole.optimizer_d().lr(), nn::cosine_rule(10)(lr, 5));
  EXPECT_DOUBLE_EQ(whole.optimizer_g().lr(), lr / 4);
  run_with_last_measured(first, 3);
  EXPECT_DOUBLE_EQ(first.optimizer_g().lr(), lr);
  second.restore(first.state());
  run_with_last_measured(second, 3);
  EXPECT_EQ(first_difference(whole.state(), second.state()), "");

  objective.schedule.g.lr_rule = [](double, int64_t) { return -1.0; };
  Trainer wrong = trainer_of(objective);
  EXPECT_NE(error_of([&] { wrong.step(); }).find("the rule of G's rate gave -1 for iteration 0"),
            std::string::npos);
  objective.schedule.lr_decay_steps = 10;
  EXPECT_NE(error_of([&] { trainer_of(objective); }).find("has two rules for its rates"), std::string::npos);
}

TEST(OwnParts, WhatATermRemembersIsPutBackWithARefusedCall) {
  Objective objective = testing::own_objective();
  bool fails = false;
  objective.g_terms.push_back({.name = "mine", .value = [&](const Round& round) -> Tensor {
                                 if (fails) fail("mine", "not today");
                                 return mean(round.fake.samples);
                               }});
  for (const int before : {0, 2}) {  // the first call of its kind, and later ones before D has moved
    Trainer trainer = trainer_of(objective);
    fails = false;
    run_with_last_measured(trainer, before);
    fails = true;
    const TensorFile state = trainer.state();
    EXPECT_NE(error_of([&] {
                before == 0 ? trainer.step()
                            : trainer.generator_step(Tensor::ones({kPartsBatch, 5}),
                                                     Tensor::ones({kPartsBatch, 1, 4, 4}));
              }),
              "");
    EXPECT_EQ(first_difference(state, trainer.state()), "");
  }
  objective.g_terms.push_back(path_length(1.0));
  EXPECT_NE(error_of([&] { trainer_of(objective); }).find("two terms 'path_length' remember something"),
            std::string::npos);
}

}  // namespace
}  // namespace duel::gan
