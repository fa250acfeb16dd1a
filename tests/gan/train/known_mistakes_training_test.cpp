// Mistakes of well-known public code in training loops and checkpoints: see known_mistakes_test.cpp.
#include <gtest/gtest.h>

#include <cstring>

#include "duel/gan/train/checkpoint.h"
#include "duel/gan/train/trainer.h"
#include "tests/files.h"
#include "tests/gan/objective/mistakes.h"

namespace duel::gan {
namespace {

using duel::testing::is_gradient_of;
using duel::testing::kF64;

/// A trainer whose D is w x + b on one number (or w x alone), in f64.
Trainer one_number_trainer(const Objective& objective, bool bias, double w) {
  Networks networks;
  auto generator = std::make_shared<nn::Sequential>(nn::Linear(1, 1));
  auto critic = std::make_shared<nn::Sequential>(nn::Linear(1, 1, {.bias = bias}));
  for (const auto& net : {generator, critic}) net->to(DType::f64);
  {
    NoGrad writing;
    critic->parameters()[0].fill_(w);
    if (bias) critic->parameters()[1].fill_(0);
  }
  networks.generator = generator;
  networks.discriminator = critic;
  return Trainer(networks, objective, nullptr, {.batch = 1, .dtype = DType::f64});
}

// torchgan (losses/wasserstein.py) takes an optimizer step for the loss and another one for the penalty. Adam
// divides each by its own size, so the two nearly cancel however unequal they are: lambda has no say. One
// step on the sum moves w by the learning rate, towards the smaller sum.
TEST(KnownMistakes, SeparateStepForThePenalty_torchgan) {
  constexpr double lr = 1e-3, start = 1.5;
  Objective objective = named_objective("wgan-gp");
  objective.schedule.d = {.kind = OptimizerKind::adam, .lr = lr, .beta1 = 0.5, .beta2 = 0.9};
  const Tensor real = Tensor::ones({1, 1}, kF64), fake = Tensor::full({1, 1}, -1, kF64);
  // loss -2 w, penalty 10 (w - 1)^2: slopes -2 and 10 at 1.5, so the sum falls to the left.
  const auto follows_the_sum = [&](double w) { return std::abs(w - (start - lr)) < 0.01 * lr; };

  Trainer trainer = one_number_trainer(objective, false, start);
  trainer.critic_step(real, fake);
  EXPECT_TRUE(follows_the_sum(trainer.networks().discriminator->parameters()[0].item()));

  nn::Sequential critic(nn::Linear(1, 1, {.bias = false}));
  critic.to(DType::f64);
  const Tensor w = critic.parameters()[0];
  {
    NoGrad writing;
    w.fill_(start);
  }
  nn::Adam adam(critic, {.lr = lr, .betas = {0.5, 0.9}});
  const Tensor on_real = critic(real), on_fake = critic(fake);
  adam.step(grad({discriminator_loss(objective.loss, Relativism::none, on_real, on_fake)}, {w}));
  adam.step(grad({gradient_penalty(critic, real, one_centered(1.0), 10.0).value}, {w}));
  EXPECT_FALSE(follows_the_sum(w.item()));
}

// hwalsuklee (WGAN_GP.py) gives the critic one step to G's one. G moves by the slope of the best critic for
// its samples (Arjovsky 2017, algorithm 1; Gulrajani 2017, algorithm 1: five steps), and near the data that
// slope turns quickly: here a sample circles the data at distance 1/2, as fast as a G with the critic's own
// rate can drive it. Two weights that Adam moves by the rate at most cannot turn as fast in one step; in five
// they can.
TEST(KnownMistakes, OneCriticStep_hwalsuklee) {
  const auto follows_g = [](Objective objective) {
    constexpr double distance = 0.5;
    // a tenth of the iterations
    for (OptimizerChoice* choice : {&objective.schedule.d, &objective.schedule.g}) choice->lr *= 10;
    const double turn = std::sqrt(2.0) * objective.schedule.g.lr / distance;
    Networks networks;
    networks.generator = std::make_shared<nn::Sequential>(nn::Linear(1, 2));
    networks.discriminator = std::make_shared<nn::Sequential>(nn::Linear(2, 1, {.bias = false}));
    for (const auto& net : {networks.generator, networks.discriminator}) net->to(DType::f64);
    // The best one: towards the data, of slope 1 + distance / (2 lambda).
    const double slope = 1 + distance / (2 * objective.penalties[0].weight);
    networks.discriminator->load_state_dict({{"0.weight", Tensor::from({-slope, 0.0}, {1, 2})}});
    Trainer trainer(networks, objective, nullptr, {.batch = 1, .dtype = DType::f64});
    const Tensor real = Tensor::zeros({1, 2}, kF64);
    double worst = 1;
    for (int i = 0; i < 300; ++i) {
      const double angle = turn * i;
      const Tensor fake = Tensor::from({distance * std::cos(angle), distance * std::sin(angle)}, {1, 2});
      for (int64_t s = 0; s < objective.schedule.critic_steps; ++s) trainer.critic_step(real, fake);
      const auto w = networks.discriminator->parameters()[0].to_vector<double>();
      worst = std::min(worst, -(w[0] * std::cos(angle) + w[1] * std::sin(angle)) / std::hypot(w[0], w[1]));
    }
    return worst > 0.95;  // the cosine between D's slope and the way to the data
  };
  EXPECT_TRUE(follows_g(named_objective("wgan-gp")));
  EXPECT_FALSE(follows_g(named_objective("wgan-gp", {{"critic-steps", 1}})));
}

// PyTorch-GAN (dragan.py) computes D's loss and then calls backward on the penalty alone: D is never told
// real from fake.
TEST(KnownMistakes, LossNeverBackPropagated_PyTorchGAN) {
  const Objective objective = named_objective("dragan");
  // All real samples are equal: their deviation is 0, so the penalty's points are the samples themselves.
  const Tensor real = Tensor::full({3, 1}, 0.7, kF64), fake = Tensor::from({-0.5, 0.1, 0.3}, {3, 1});
  Trainer trainer = one_number_trainer(objective, true, 1.5);
  nn::Sequential critic(nn::Linear(1, 1));
  critic.to(DType::f64);
  critic.load_state_dict(trainer.networks().discriminator->state_dict());
  const auto penalty = [&] { return gradient_penalty(critic, real, one_centered(1.0), 10.0).value; };
  const auto value = [&] {
    const Tensor on_real = critic(real), on_fake = critic(fake);
    return discriminator_loss(objective.loss, Relativism::none, on_real, on_fake) + penalty();
  };
  trainer.critic_step(real, fake);
  EXPECT_TRUE(is_gradient_of(value, critic.parameters(), trainer.last_gradients()));
  EXPECT_FALSE(is_gradient_of(value, critic.parameters(),
                              grad({penalty()}, critic.parameters(), {}, {.allow_unused = true})));
}

// hwalsuklee (LSGAN.py) clips D's weights to ±0.01, left over from WGAN: D = w x + b cannot answer 1 at the
// data and 0 at the fakes any more.
TEST(KnownMistakes, WeightsClippedUnderLeastSquares_hwalsuklee) {
  const auto learns_the_labels = [](Objective objective) {
    objective.schedule.d = {.kind = OptimizerKind::sgd, .lr = 0.2};
    Trainer trainer = one_number_trainer(objective, true, 0.0);
    const Tensor real = Tensor::ones({1, 1}, kF64), fake = Tensor::full({1, 1}, -1, kF64);
    for (int i = 0; i < 200; ++i) trainer.critic_step(real, fake);
    return trainer.metrics().loss_d < 1e-6;
  };
  Objective clipped = named_objective("lsgan");
  clipped.constraint.weight_clip = 0.01;
  EXPECT_TRUE(learns_the_labels(named_objective("lsgan")));
  EXPECT_FALSE(learns_the_labels(clipped));
}

std::shared_ptr<const ResidentData> few_images() {
  ImageSet set;
  set.count = 20;
  set.height = set.width = 8;
  for (int64_t i = 0; i < set.count * 64; ++i) set.images.push_back(static_cast<uint8_t>((i * 7919) >> 3));
  return std::make_shared<ResidentData>(set);
}
Trainer image_trainer() {
  Generator weights(1, 1);
  return Trainer(
      make_networks({.arch = "mlp", .height = 8, .width = 8, .latent = 3, .channels_g = 4, .channels_d = 4},
                    false, weights),
      named_objective("wgan-gp"), few_images(), {.batch = 4, .seed = 5});
}
bool same_tensors(const TensorFile& a, const TensorFile& b) {
  for (const auto& [name, tensor] : a.tensors) {
    const Tensor* other = b.find(name);
    if (other == nullptr || std::memcmp(other->raw(), tensor.raw(), tensor.bytes()) != 0) return false;
  }
  return a.tensors.size() == b.tensors.size();
}

// LynnHo (train.py of the DCGAN-LSGAN-WGAN-GP-DRAGAN collections) catches every error around loading a
// checkpoint: a damaged one silently starts the run anew. Here it is an error that names the file.
TEST(KnownMistakes, DamagedCheckpointIgnored_LynnHo) {
  const duel::testing::Scratch scratch;
  const auto path = scratch / checkpoint_name(2);
  Trainer trainer = image_trainer();
  trainer.step();
  trainer.step();
  write_checkpoint(path, trainer.state(), "{}");
  const duel::testing::Bytes whole = duel::testing::get(path);

  const auto tells = [&](const std::function<void(Trainer&)>& resume) {
    for (const bool truncated : {true, false}) {
      duel::testing::Bytes damaged = whole;
      if (truncated)
        damaged.resize(damaged.size() / 2);
      else
        damaged[damaged.size() - 5] ^= 1;
      duel::testing::put(path, damaged);
      Trainer fresh = image_trainer();
      try {
        resume(fresh);
        return false;
      } catch (const Error& error) {
        if (!duel::testing::has(error.what(), path.filename().string())) return false;
      }
    }
    return true;
  };
  const auto load = [&](Trainer& fresh) { fresh.restore(read_checkpoint(path).state); };
  EXPECT_TRUE(tells(load));
  EXPECT_FALSE(tells([&](Trainer& fresh) {
    try {
      load(fresh);
    } catch (...) {
      fresh = image_trainer();
    }
  }));
}

// StudioGAN (utils/ckpt.py) seeds its generators from the stored seed when it resumes and stores no state of
// theirs: the resumed run sees the noise of the first iterations again.
TEST(KnownMistakes, NoiseRepeatsAfterResuming_StudioGAN) {
  Trainer whole = image_trainer(), first = image_trainer();
  for (int i = 0; i < 6; ++i) whole.step();
  for (int i = 0; i < 3; ++i) first.step();
  const auto continues = [&](const TensorFile& saved) {
    Trainer resumed = image_trainer();
    resumed.restore(saved);
    for (int i = 0; i < 3; ++i) resumed.step();
    return same_tensors(resumed.state(), whole.state());
  };
  const TensorFile saved = first.state();
  TensorFile seed_only = saved;
  const TensorFile at_start = image_trainer().state();
  for (auto& [name, tensor] : seed_only.tensors) {
    if (name.starts_with("random.")) tensor = *at_start.find(name);
  }
  EXPECT_TRUE(continues(saved));
  EXPECT_FALSE(continues(seed_only));
}

}  // namespace
}  // namespace duel::gan
