// What the Trainer promises about networks of one's own: layers that draw are part of the run, frozen layers
// rest, a refused call changes nothing, the average is a network of its own, and what is not finite is named.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/penalty.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/gan/train/state.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"
#include "tests/files.h"
#include "tests/tensors.h"
#include "tests/training.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::run_steps;
using testing::first_difference;

constexpr int64_t kSide = 4, kPixels = kSide * kSide;

std::shared_ptr<const ResidentData> data() {
  return std::make_shared<ResidentData>(testing::noise_images(40, kSide, 4));
}

/// Perceptrons with dropout in both and batch statistics in G.
Networks own_networks(uint64_t seed = 1) {
  manual_seed(seed);
  return {
      .generator = std::make_shared<nn::Sequential>(nn::Linear(5, 12), nn::BatchNorm1d(12), nn::ReLU(),
                                                    nn::Dropout(0.3), nn::Linear(12, kPixels), nn::Tanh(),
                                                    nn::Unflatten({1, kSide, kSide})),
      .discriminator = std::make_shared<nn::Sequential>(
          nn::Flatten(), nn::Linear(kPixels, 12), nn::LeakyReLU(0.2), nn::Dropout(0.3), nn::Linear(12, 1)),
      .latent = {.noise = 5}};
}

Trainer make(const std::string& objective, Networks networks = own_networks(),
             ObjectiveOverrides overrides = {}, uint64_t seed = 1) {
  return Trainer(std::move(networks), named_objective(objective, overrides), data(),
                 {.batch = 8, .seed = seed});
}

// ---- Layers that draw ----

TEST(LayersThatDraw, AreResumedWithTheRun) {
  for (const char* objective : {"ns-gan", "wgan-gp", "dragan", "consensus", "unrolled"}) {
    Trainer whole = make(objective), first = make(objective), second = make(objective, own_networks(7));
    run_steps(whole, 8);
    run_steps(first, 4);
    manual_seed(123);  // what else the program draws is its own affair
    second.restore(first.state());
    run_steps(second, 4);
    EXPECT_EQ(first_difference(whole.state(), second.state()), "") << objective;
  }
}

TEST(LayersThatDraw, AreNotMovedByLooking) {
  Trainer plain = make("ns-gan"), watched = make("ns-gan");
  const Tensor z = Generator(4).normal({3, 5});
  for (int i = 0; i < 6; ++i) {
    plain.step();
    StepRecord record;
    watched.step(true, &record);
    diagnose(watched, record, nullptr);
    watched.sample(z);
    watched.state();
  }
  EXPECT_EQ(first_difference(plain.state(), watched.state()), "");
}

// ---- Networks of one's own ----

struct Empty : nn::Module {
  nn::Linear hidden{kPixels, 1};  // never registered
  Tensor forward(const Tensor& x) override { return hidden(x.flatten(1)); }
};

TEST(OwnNetworks, AreCheckedBeforeAnythingElse) {
  Networks networks = own_networks();
  networks.generator = nullptr;
  EXPECT_EQ(error_of([&] { make("ns-gan", networks); }),
            "[trainer] expected a generator, got a null pointer");
  networks = own_networks();
  networks.discriminator = nullptr;
  EXPECT_EQ(error_of([&] { make("ns-gan", networks); }),
            "[trainer] expected a discriminator, got a null pointer");
  networks.discriminator = std::make_shared<Empty>();
  EXPECT_NE(error_of([&] { make("ns-gan", networks); }).find("the discriminator has no parameters to train"),
            std::string::npos);
  networks = own_networks();
  networks.generator =
      std::make_shared<nn::Sequential>(nn::Linear(5, 25), nn::Tanh(), nn::Unflatten({1, 5, 5}));
  Trainer wrong = make("ns-gan", networks);
  EXPECT_EQ(
      error_of([&] { wrong.step(); }),
      "[trainer] G's samples are f32 [8, 1, 5, 5], expected samples like the real ones, f32 [8, 1, 4, 4]");
}

TEST(OwnNetworks, AreConvertedToTheTrainersType) {
  Trainer trainer(own_networks(), named_objective("r1"), data(), {.batch = 8, .dtype = DType::f64});
  for (const auto& network : {trainer.networks().generator, trainer.networks().discriminator}) {
    for (const Tensor& parameter : network->parameters()) EXPECT_EQ(parameter.dtype(), DType::f64);
  }
  run_steps(trainer, 2);
  EXPECT_EQ(trainer.sample(Tensor::zeros({2, 5}, {DType::f64, {}})).dtype(), DType::f64);
}

// ---- Frozen layers (FreezeD) ----

TEST(FrozenTrunk, RestsTrainsTheRestAndResumes) {
  for (const char* objective : {"ns-gan", "r1", "wgan-gp", "consensus", "unrolled"}) {
    const auto frozen = [&](uint64_t seed) {
      Networks networks = own_networks(seed);
      dynamic_cast<nn::Sequential&>(*networks.discriminator)[1].set_requires_grad(false);
      return networks;
    };
    Trainer whole = make(objective, frozen(1)), first = make(objective, frozen(1)),
            second = make(objective, frozen(2));
    const auto parameters = whole.networks().discriminator->parameters();
    const auto trunk = parameters[0].to_vector<float>(), head = parameters[2].to_vector<float>();
    run_steps(whole, 6, true);
    EXPECT_EQ(parameters[0].to_vector<float>(), trunk) << objective;
    EXPECT_NE(parameters[2].to_vector<float>(), head) << objective;
    run_steps(first, 3);
    second.restore(first.state());
    run_steps(second, 3);
    EXPECT_EQ(first_difference(whole.state(), second.state()), "") << objective;
  }
}

TEST(FrozenTrunk, AWhollyFrozenDIsAJudgeThatStays) {
  for (const Update update :
       {Update::alternating, Update::simultaneous, Update::extragradient, Update::consensus}) {
    for (const char* name : {"ns-gan", "unrolled"}) {
      if (name == std::string("unrolled") && update != Update::alternating) continue;
      Networks networks = own_networks();
      networks.discriminator->set_requires_grad(false);
      Objective objective = named_objective(name);
      objective.schedule.update = update;
      Trainer trainer(networks, objective, data(), {.batch = 8});
      const auto before = trainer.networks().discriminator->parameters()[0].to_vector<float>();
      const auto g = trainer.networks().generator->parameters()[0].to_vector<float>();
      run_steps(trainer, 2);
      EXPECT_EQ(trainer.networks().discriminator->parameters()[0].to_vector<float>(), before);
      EXPECT_NE(trainer.networks().generator->parameters()[0].to_vector<float>(), g);
    }
  }
}

// ---- Refused calls ----

void expect_unchanged(Trainer& trainer, const std::string& what, const std::function<void()>& refused) {
  const TensorFile before = trainer.state();
  const bool training = trainer.networks().generator->is_training();
  EXPECT_NE(error_of(refused), "") << what;
  EXPECT_EQ(first_difference(before, trainer.state()), "") << what;
  EXPECT_EQ(trainer.networks().generator->is_training(), training) << what;
}

TEST(RefusedCalls, ChangeNothing) {
  for (const char* objective : {"ns-gan", "dragan", "consensus"}) {
    Trainer trainer = make(objective, own_networks(), {{"ema", 0.9}});
    for (int round = 0; round < 2; ++round) {
      const Tensor real = trainer.data()->batch(trainer.data()->first(8), DType::f32);
      const Tensor z = Tensor::ones({8, 5});
      expect_unchanged(trainer, "sample", [&] { trainer.sample(Tensor::zeros({2, 9})); });
      expect_unchanged(trainer, "critic_step", [&] {
        trainer.critic_step(real, Tensor::zeros({8, 1, 5, 5}));
      });
      expect_unchanged(trainer, "generator_step", [&] {
        trainer.generator_step(Tensor::zeros({8, 6}), real);
      });
      expect_unchanged(trainer, "joint_step", [&] {
        trainer.joint_step({.real = real, .latents = {.input = Tensor::zeros({8, 6})}});
      });
      expect_unchanged(trainer, "restore", [&] { trainer.restore({}); });
      TensorFile other = trainer.state();
      for (auto& [name, tensor] : other.tensors) {
        if (name == "d.1.weight")
          tensor = Tensor::full(tensor.shape(), std::numeric_limits<double>::quiet_NaN());
      }
      expect_unchanged(trainer, "restore of NaN", [&] { trainer.restore(other); });
      run_steps(trainer, 2);  // the second round: with moments and an average that have moved
    }
  }
}

TEST(RefusedCalls, AnIterationThatFailsAfterDHasMovedIsTakenBack) {
  Objective objective =
      named_objective("ns-gan", {{"instance-noise", 0.1}, {"ema", 0.9}, {"lr-decay-steps", 10}});
  bool fails = true;
  objective.g_terms.push_back({.name = "mine", .value = [&](const Round& round) -> Tensor {
                                 if (fails) fail("mine", "not today");
                                 return mean(round.fake.samples);
                               }});
  Trainer trainer(own_networks(), objective, data(), {.batch = 8}),
      reference(own_networks(), objective, data(), {.batch = 8});
  expect_unchanged(trainer, "step", [&] { trainer.step(); });
  EXPECT_EQ(trainer.iteration(), 0);
  fails = false;
  run_steps(trainer, 3);
  run_steps(reference, 3);
  EXPECT_EQ(first_difference(reference.state(), trainer.state()), "");
}

// ---- The average ----

TEST(Average, IsANetworkOfItsOwnInTheCheckpoint) {
  Trainer trainer = make("ns-gan", own_networks(), {{"ema", 0.9}});
  run_steps(trainer, 5);
  const TensorFile state = trainer.state();
  nn::StateDict average;
  for (const auto& [name, tensor] : state.tensors) {
    if (name.starts_with("g_ema.")) average.emplace_back(name.substr(6), tensor);
    EXPECT_FALSE(name.ends_with(".ema")) << name;
  }
  Networks other = own_networks(5);
  other.generator->load_state_dict(average);  // strict: every parameter and every buffer
  other.generator->eval();
  const Tensor z = Generator(4).normal({3, 5});
  const NoGrad no_grad;
  EXPECT_EQ((*other.generator)(z).to_vector<float>(), trainer.sample(z).to_vector<float>());
  EXPECT_NE(state.find("g_ema.1.running_mean")->to_vector<float>(),
            state.find("g.1.running_mean")->to_vector<float>());

  // As version 0.1 wrote it: the average beside the moments, no statistics of its own, no generators of
  // layers.
  TensorFile old;
  for (const auto& [name, tensor] : state.tensors) {
    if (name.starts_with("random.layers_") || name.find("g_ema.1.running") == 0 ||
        name == "g_ema.1.num_batches_tracked")
      continue;
    old.tensors.emplace_back(name.starts_with("g_ema.") ? "optimizer_g." + name.substr(6) + ".ema" : name,
                             tensor);
  }
  Trainer resumed = make("ns-gan", own_networks(6), {{"ema", 0.9}});
  resumed.restore(old);
  EXPECT_EQ(resumed.sample(z).to_vector<float>(), trainer.sample(z).to_vector<float>());
}

TEST(Average, IsAWholeNetworkInTheCheckpointWithoutStatisticsToo) {
  const auto networks = [](uint64_t seed) {  // its noise is a buffer and no statistic
    Generator random(seed);
    return make_networks(
        {.arch = "stylegan2", .height = 8, .width = 8, .latent = 5, .channels_g = 4, .channels_d = 4}, true,
        random);
  };
  const auto trainer_of = [&](uint64_t seed) {
    const Networks nets = networks(seed);
    auto images = std::make_shared<ResidentData>(Generator(2).uniform({32, 1, 8, 8}, -1, 1), Tensor());
    return Trainer(nets, named_objective("ns-gan", {{"ema", 0.9}}), images, {.batch = 8, .seed = 3});
  };
  Trainer trainer = trainer_of(1);
  run_steps(trainer, 2);
  const TensorFile state = trainer.state();
  const Networks other = networks(5);
  other.generator->load_state_dict(strip_prefix(kAveragePrefix, state));  // strict
  other.generator->eval();
  const Tensor z = Generator(4).normal({3, 5});
  const NoGrad no_grad;
  EXPECT_EQ((*other.generator)(z).to_vector<float>(), trainer.sample(z).to_vector<float>());
  // Files that were written without these buffers are read as those with them.
  TensorFile without = state;
  const auto entries = without.tensors.size();
  std::erase_if(without.tensors, [](const auto& entry) {
    return entry.first.starts_with("g_ema.") && entry.first.ends_with(".noise");
  });
  EXPECT_LT(without.tensors.size(), entries);
  for (const TensorFile& file : {state, without}) {
    Trainer resumed = trainer_of(6);
    resumed.restore(file);
    EXPECT_EQ(first_difference(resumed.state(), state), "");
    EXPECT_EQ(resumed.sample(z).to_vector<float>(), trainer.sample(z).to_vector<float>());
  }
}

TEST(Average, ForgetsHowItBegan) {
  // With 0.999 from the start 60 % of the average would still be the initial weights after 500 updates.
  Trainer trainer = make("r1", own_networks(), {{"ema", 0.999}});
  const auto start = trainer.networks().generator->parameters()[0].to_vector<float>();
  run_steps(trainer, 60);
  const auto now = trainer.networks().generator->parameters()[0].to_vector<float>();
  const auto average = trainer.state().find("g_ema.0.weight")->to_vector<float>();
  double from_start = 0, from_now = 0;
  for (size_t i = 0; i < now.size(); ++i) {
    from_start += std::abs(average[i] - start[i]);
    from_now += std::abs(average[i] - now[i]);
  }
  EXPECT_LT(from_now, from_start);
}

// ---- What is not finite ----

TEST(NonFinite, IsNamedWithTheUpdateThatMadeIt) {
  Objective objective = named_objective("ns-gan", {{"ema", 0.9}});
  int calls = 0;
  objective.d_terms.push_back({.name = "mine", .value = [&](const Round& round) {
                                 const double factor =
                                     ++calls == 3 ? std::numeric_limits<double>::infinity() : 0.0;
                                 return mean(round.fake.judgement.logits) * factor;
                               }});
  Trainer trainer(own_networks(), objective, data(), {.batch = 8});
  run_steps(trainer, 2);
  EXPECT_EQ(trainer.first_nonfinite(), std::nullopt);
  trainer.step();
  ASSERT_TRUE(trainer.first_nonfinite());
  EXPECT_NE(trainer.first_nonfinite()->find("since update 3 of D"), std::string::npos)
      << *trainer.first_nonfinite();
  const std::string refused = error_of([&] {
    make("ns-gan", own_networks(), {{"ema", 0.9}}).restore(trainer.state());
  });
  EXPECT_NE(refused.find("holds a NaN or an infinity"), std::string::npos) << refused;
}

TEST(NonFinite, BuffersAreLookedAtToo) {
  Trainer trainer = make("ns-gan");
  run_steps(trainer, 1);
  const auto& g = dynamic_cast<nn::Sequential&>(*trainer.networks().generator);
  g.at<nn::BatchNorm1d>(1).running_var.fill_(std::numeric_limits<double>::infinity());
  EXPECT_EQ(trainer.first_nonfinite(), "g.1.running_var is not finite at flat index 0");
}

// ---- Points of penalties ----

TEST(Points, OnLinesAreDifferentiableAndAroundRealSaySo) {
  const Tensor real = Generator(1).normal({2, 3}, 0, 1, {DType::f64, {}}).set_requires_grad(true);
  const Tensor fake = Generator(2).normal({2, 3}, 0, 1, {DType::f64, {}}).set_requires_grad(true);
  const Tensor eps = Tensor::from({0.25, 0.75}, {2}).set_requires_grad(true);
  const auto g = grad({sum(line_points(real, fake, eps))}, {real, fake, eps});
  EXPECT_EQ(g[0].to_vector<double>(), (std::vector<double>{0.25, 0.25, 0.25, 0.75, 0.75, 0.75}));
  EXPECT_EQ(g[1].to_vector<double>(), (std::vector<double>{0.75, 0.75, 0.75, 0.25, 0.25, 0.25}));
  const Tensor difference = sum(real.detach() - fake.detach(), {1});
  for (int i = 0; i < 2; ++i)
    EXPECT_NEAR(g[2].to_vector<double>()[i], difference.to_vector<double>()[i], 1e-12);
  const Tensor around = dragan_points(real, Tensor::full({2}, 0.5, real.options()), fake.detach());
  EXPECT_NE(
      error_of([&] { grad({sum(around)}, {real}); }).find("derivative of dragan_points is not implemented"),
      std::string::npos);
}

}  // namespace
}  // namespace duel::gan
