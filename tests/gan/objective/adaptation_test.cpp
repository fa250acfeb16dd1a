// The probability that adapts, by hand; what ADA and APA do with it; LOGAN's step of the latents.
#include "duel/gan/objective/regularisers/adaptation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/regularisers/augmentation.h"
#include "duel/gan/train/trainer.h"
#include "tests/files.h"
#include "tests/tensors.h"
#include "tests/training.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::kF64;
using duel::testing::logits;
using duel::testing::same_bits;

double p_of(const Tensor& state) { return probability_of(state).item(); }

// Four updates of 10 images against 100 images from 0 to 1: a step of 0.4, up where the mean sign is above the target, down
// where it is below, none where it is the target itself.
TEST(Adaptation, MovesByTheMeanSignOfFourUpdates) {
  const Adaptation a{.augmentation = true, .target = 0.5, .images = 100};
  const Tensor state = first_adaptation(kF64);
  const auto after = [&](const std::vector<std::vector<double>>& updates, const Loss& loss) {
    for (const auto& update : updates) adapt(a, loss, logits(update), 10, state);
    return p_of(state);
  };
  const std::vector<double> sure = {2, 1, 3, 1}, torn = {1, -1, 2, -3}, half = {1, 1, 1, -5};
  const Loss loss = non_saturating_loss();
  EXPECT_EQ(after({sure, sure, sure}, loss), 0);
  EXPECT_DOUBLE_EQ(after({torn}, loss), 0.4) << "3/4 is above 1/2";
  EXPECT_DOUBLE_EQ(after({half, half, half, half}, loss), 0.4) << "as it should be: it stays";
  EXPECT_DOUBLE_EQ(after({sure, sure, sure, half}, loss), 0.8);
  EXPECT_DOUBLE_EQ(after({sure, sure, sure, sure}, loss), 0.99) << "below 1";
  EXPECT_DOUBLE_EQ(after({torn, torn, torn, torn}, loss), 0.59);
  EXPECT_DOUBLE_EQ(after({torn, torn, torn, torn, torn, torn, torn, torn}, loss), 0) << "not below 0";
  // Least squares is undecided at 1/2; of energies the low ones are real.
  EXPECT_DOUBLE_EQ(after({{1, 0.9}, {1, 1}, {0.7, 0.6}, {3, 3}}, least_squares_loss()), 0.4);
  EXPECT_DOUBLE_EQ(after({{0.4, 0.3}, {0.2, 0}, {0.1, 0}, {0, 0}}, least_squares_loss()), 0);
  Loss energy = loss;
  energy.energy = true;
  EXPECT_DOUBLE_EQ(after({{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}}, energy), 0.4);
  EXPECT_NE(error_of([&] { adapt(a, wasserstein_loss(), logits({1}), 1, state); }).find("undecided"),
            std::string::npos);
}

Tensor always(double p) { return Tensor::full({1}, p, kF64); }

// At 0 images stay as they are, at 1 each is changed as by the augmentation, between them that share of them, and each policy
// has draws of its own.
TEST(Adaptation, EachChangeIsMadeWithTheProbability) {
  const Tensor x = Tensor::ones({2000, 1, 4, 4}, kF64);
  const Augmentation both = augmentation("color,cutout");
  Generator random(3);
  EXPECT_TRUE(same_bits(augmented(both, x, random, always(0)), x));
  const auto count = [&](double p) {  // images with another brightness, with a square cut out, with both
    const auto y = augmented(both, x, random, always(p)).to_vector<double>();
    std::vector<double> shares(3);
    for (size_t i = 0; i < 2000; ++i) {
      const auto begin = y.begin() + static_cast<std::ptrdiff_t>(i) * 16;
      const bool cut = std::find(begin, begin + 16, 0.0) != begin + 16;
      const bool colored = std::any_of(begin, begin + 16, [](double v) { return v != 0 && v != 1; });
      shares[0] += colored / 2000.0;
      shares[1] += cut / 2000.0;
      shares[2] += (cut && colored) / 2000.0;
    }
    return shares;
  };
  const auto some = count(0.3), all = count(1);
  EXPECT_NEAR(some[0], 0.3, 0.04);
  EXPECT_NEAR(some[1], 0.3, 0.04);
  EXPECT_NEAR(some[2], 0.09, 0.03);
  EXPECT_NEAR(all[1], 1, 1e-9);
  EXPECT_NEAR(all[2], 1, 1e-9);
  // An augmentation of one's own is one change; and its gradient passes where it is made.
  const Augmentation twice = [](const Tensor& images, Generator&) { return images * 2.0; };
  const Tensor z = Tensor::ones({1000, 3}, kF64).set_requires_grad(true);
  const Tensor y = augmented(twice, z, random, always(0.5));
  const auto values = y.to_vector<double>(), slopes = grad({sum(y)}, {z})[0].to_vector<double>();
  EXPECT_EQ(values, slopes);
  EXPECT_NEAR(mean(y).item(), 1.5, 0.06);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], values[i / 3 * 3]) << "an image whole";
}

Trainer trainer_with(const Objective& o, const char* arch = "mlp", int64_t batch = 8) {
  Generator random(1);
  const Networks n = make_networks(
      {.arch = arch, .height = 8, .width = 8, .latent = 4, .channels_g = 4, .channels_d = 4, .classes = 10},
      o, random);
  return Trainer(n, o, std::make_shared<ResidentData>(duel::testing::noise_images(16, 8, 10)),
                 {.batch = batch});
}

double measured_p(const Trainer& trainer) {
  for (const auto& [name, value] : trainer.metrics().more) {
    if (name == kAdaptingProbability) return value;
  }
  return -1;
}

// A D that is sure of its 16 images drives p up, by images * 4 / adaptive-images every fourth update; the state of p is in
// checkpoints, and p is in metrics.
TEST(Adaptation, FollowsARunAndIsResumed) {
  Objective o = named_objective("hinge", {{"augment", "color,translation"},
                                          {"ada", true},
                                          {"adaptive-target", 0.01},
                                          {"adaptive-images", 320},
                                          {"lr-d", 5e-3},
                                          {"lr-g", 1e-6}});
  Trainer trainer = trainer_with(o);
  for (int i = 0; i < 4; ++i) trainer.step();
  const double first = measured_p(trainer);
  EXPECT_TRUE(first == 0 || std::abs(first - 0.1) < 1e-6) << first;
  for (int i = 4; i < 80; ++i) trainer.step();
  EXPECT_GT(measured_p(trainer), 0.3);
  const TensorFile state = trainer.state();
  ASSERT_NE(state.find("adaptation"), nullptr);
  EXPECT_EQ(state.find("adaptation")->shape(), (Shape{3}));
  Trainer other = trainer_with(o);
  other.restore(state);
  EXPECT_EQ(measured_p(other), measured_p(trainer));
  EXPECT_EQ(trainer_with(named_objective("hinge")).state().find("adaptation"), nullptr);
  EXPECT_EQ(measured_p(trainer_with(named_objective("hinge"))), -1);
}

// With p = 0 APA trains as without it: real samples stay. With p near 1 D's loss is of fakes on both sides, which nothing can
// tell apart: its mean logits agree, where those of real samples do not.
TEST(Adaptation, PseudoRealImagesAreFakesOfTheSameLabel) {
  const auto apart = [](double p, const char* name) {
    Objective o = named_objective(name, {{"apa", true}, {"lr", 1e-12}});
    Trainer trainer = trainer_with(o, "mlp", 16);
    TensorFile state = trainer.state();
    for (auto& [key, tensor] : state.tensors) {
      if (key == "adaptation") tensor = Tensor::from({p, 0.0, 0.0}, {3}).to(tensor.dtype());
    }
    trainer.restore(state);
    double gap = 0;
    for (int i = 0; i < 40; ++i) {
      trainer.step(true);
      gap += (trainer.metrics().d_real - trainer.metrics().d_fake) / 40;
    }
    return std::abs(gap);
  };
  for (const char* name : {"hinge", "cgan"}) {
    const double without = apart(0, name), with = apart(0.99, name);
    EXPECT_LT(with, 0.3 * without) << name;
  }
  Trainer plain = trainer_with(named_objective("hinge")),
          at_zero = trainer_with(named_objective("hinge", {{"apa", true}}));
  plain.step();
  at_zero.step();
  EXPECT_EQ(plain.metrics().loss_d, at_zero.metrics().loss_d);
}

// ---- LOGAN ----

// D(G(z)) = <a, z> + <z, z> / 2 on three noise columns, then a label: g = a + z by hand.
TEST(LatentStep, IsTheNaturalGradientsByHand) {
  const Tensor a = Tensor::from({1.0, -2.0, 0.5}, {3});
  const auto answers = [&](const Tensor& input) {
    const Tensor z = slice(input, 1, 0, 3);
    return sum(z * a + square(z) * 0.5, {1}, true);
  };
  const Tensor input = Tensor::from({0.2, 0.1, -0.3, 1.0, 0.9, -0.9, 0.8, 0.0}, {2, 4});
  const LatentPlan normal{.noise = 3, .classes = 1},
      uniform{.noise = 3, .kind = NoiseKind::uniform, .classes = 1};
  const auto z = input.to_vector<double>(), by = a.to_vector<double>();
  for (const double damping : {5.0, 0.0}) {
    const LatentStep step{.rate = 0.9, .damping = damping};
    const auto moved = stepped(step, normal, input, answers).to_vector<double>(),
               held = stepped(step, uniform, input, answers).to_vector<double>();
    for (size_t i = 0; i < 2; ++i) {
      double g[3], squares = 0;
      for (size_t k = 0; k < 3; ++k) {
        g[k] = by[k] + z[i * 4 + k];
        squares += g[k] * g[k];
      }
      for (size_t k = 0; k < 3; ++k) {
        const double expected = z[i * 4 + k] + 0.9 * g[k] / (damping > 0 ? damping + squares : 1);
        EXPECT_NEAR(moved[i * 4 + k], expected, 1e-14);
        EXPECT_NEAR(held[i * 4 + k], std::clamp(expected, -1.0, 1.0), 1e-14);
      }
      EXPECT_EQ(moved[i * 4 + 3], z[i * 4 + 3]) << "labels stay";
    }
  }
}

// The step's derivative in the weights that make the answers, against differences.
TEST(LatentStep, IsDifferentiatedThrough) {
  const Tensor input = Generator(2).normal({3, 2}, 0, 1, kF64);
  const auto f = [&](const std::vector<Tensor>& in) {
    const Tensor &w = in[0], &v = in[1];
    const auto answers = [&](const Tensor& z) { return matmul(tanh(matmul(z, w)), v); };
    return square(stepped({.rate = 0.9, .damping = 0.5}, {.noise = 2}, input, answers));
  };
  const Tensor w = Generator(3).normal({2, 4}, 0, 1, kF64).set_requires_grad(true),
               v = Generator(4).normal({4, 1}, 0, 1, kF64).set_requires_grad(true);
  const auto result = gradcheck(f, {w, v});
  EXPECT_TRUE(result) << result.message;
}

// G is shown to D at better latents: D's mean answer for the fakes of the first iteration rises, and L_D, L_G move with it.
TEST(LatentStep, RaisesWhatDSaysOfFakes) {
  const auto first_fake = [](double rate, const char* name) {
    ObjectiveOverrides set;
    if (rate > 0) set = {{"latent-step", rate}, {"latent-damping", 0.0}};
    Trainer trainer = trainer_with(named_objective(name, set));
    trainer.step(true);
    return std::pair(trainer.metrics().d_fake, trainer.metrics().loss_g);
  };
  const auto plain = first_fake(0, "wgan"), led = first_fake(100, "wgan");
  EXPECT_GT(led.first, plain.first);
  EXPECT_LT(led.second, plain.second);
  const auto energy = first_fake(0, "ebgan"), led_down = first_fake(100, "ebgan");
  EXPECT_LT(led_down.first, energy.first) << "of energies the low ones look real";
}

// D's gradient has the part that comes through the latents: it is another one than that of the same fakes as constants.
TEST(LatentStep, DLearnsThroughTheStep) {
  const Objective o = named_objective("ns-gan", {{"latent-step", 50.0}, {"latent-damping", 0.0}});
  Trainer trainer = trainer_with(o);
  StepRecord record;
  const TensorFile before = trainer.state();
  trainer.step(true, &record);
  Trainer apart = trainer_with(o);
  apart.restore(before);
  apart.critic_step({.real = record.batch.real, .fake = record.batch.fake, .latents = record.batch.latents},
                    true);
  EXPECT_NEAR(apart.metrics().loss_d, trainer.metrics().loss_d, 1e-6) << "the same fakes";
  double gap = 0, size = 0;
  for (size_t i = 0; i < record.gradients_d.size(); ++i) {
    if (!record.gradients_d[i].defined()) continue;
    gap += sum(abs(record.gradients_d[i] - apart.last_gradients()[i])).item();
    size += sum(abs(record.gradients_d[i])).item();
  }
  EXPECT_GT(gap, 1e-3 * size);
}

// ---- As settings ----

TEST(Adaptation, IsSetWhereItMeansSomething) {
  const Objective o = named_objective("hinge", {{"augment", "cutout"},
                                                {"ada", true},
                                                {"apa", true},
                                                {"adaptive-target", 0.5},
                                                {"adaptive-images", 20000},
                                                {"latent-step", 0.9}});
  EXPECT_TRUE(o.adaptation.augmentation && o.adaptation.pseudo);
  EXPECT_EQ(o.adaptation.target, 0.5);
  EXPECT_EQ(o.adaptation.images, 20000);
  EXPECT_EQ(o.latent_step.rate, 0.9);
  EXPECT_EQ(o.latent_step.damping, 5.0);
  const auto refused = [](const char* name, const ObjectiveOverrides& set, const char* part) {
    const std::string error = error_of([&] { trainer_with(named_objective(name, set)); });
    EXPECT_NE(error.find(part), std::string::npos) << name << ": " << error;
  };
  refused("hinge", {{"ada", true}}, "add augment");
  refused("hinge", {{"adaptive-target", 0.5}}, "add ada or apa");
  refused("hinge", {{"adaptive-images", 1000}}, "add ada or apa");
  refused("hinge", {{"latent-damping", 1.0}}, "add latent-step");
  for (const char* name : {"wgan-gp", "rsgan", "softmax-gan", "began"})
    refused(name, {{"apa", true}}, "arbitrary");
  refused("consensus", {{"latent-step", 0.9}}, "third derivative");
}

}  // namespace
}  // namespace duel::gan
