// Entries of the schedule: what each changes, by numbers worked out beside it.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/autograd.h"
#include "duel/core/ops.h"
#include "duel/gan/trainer.h"
#include "duel/nn/layers.h"

namespace duel::gan {
namespace {

std::shared_ptr<const ResidentData> points() {
  return std::make_shared<ResidentData>(Generator(1).normal({40, 2}));
}

Networks small_networks() {
  manual_seed(5);
  return {std::make_shared<nn::Sequential>(nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 2)),
          std::make_shared<nn::Sequential>(nn::Linear(2, 4), nn::ReLU(), nn::Linear(4, 1)), {.noise = 3}, {}};
}

Trainer trainer_with(const std::function<void(Objective&)>& change, DType dtype = DType::f32) {
  Objective objective{.name = "mine"};
  change(objective);
  Networks networks = small_networks();
  networks.generator->to(dtype);
  networks.discriminator->to(dtype);
  return Trainer(networks, objective, points(), {.batch = 8, .dtype = dtype});
}

TEST(Schedule, RatesFallLinearlyToZeroAndSurviveAResume) {
  const auto change = [](Objective& o) {
    o.schedule.d.lr = 0.01;
    o.schedule.g.lr = 0.02;
    o.schedule.lr_decay_steps = 10;
  };
  Trainer trainer = trainer_with(change);
  for (int i = 0; i < 4; ++i) trainer.step();
  EXPECT_DOUBLE_EQ(trainer.optimizer_d().lr(), 0.01 * 0.7) << "of the iteration with number 3";
  EXPECT_DOUBLE_EQ(trainer.optimizer_g().lr(), 0.02 * 0.7);
  Trainer resumed = trainer_with(change);
  resumed.restore(trainer.state());
  resumed.step();
  EXPECT_DOUBLE_EQ(resumed.optimizer_d().lr(), 0.01 * 0.6);
  for (int i = 0; i < 5; ++i) resumed.step();
  const auto before = resumed.networks().generator->parameters()[0].to_vector<float>();
  resumed.step();  // number 10: the rate is zero
  EXPECT_EQ(resumed.networks().generator->parameters()[0].to_vector<float>(), before);
}

TEST(Schedule, TheCriticWarmsUpInTheFirstIterationsAndNowAndThen) {
  Trainer trainer = trainer_with([](Objective& o) {
    o.schedule.critic_steps = 2;
    o.schedule.warmup = {.critic_steps = 7, .first = 3, .every = 5};
  });
  const int64_t expected[] = {7, 7, 7, 2, 2, 7, 2, 2, 2, 2, 7, 2};
  int64_t done = 0;
  for (const int64_t steps : expected) {
    EXPECT_EQ(trainer.critic_steps_now(), steps);
    trainer.step();
    done += steps;
    EXPECT_EQ(trainer.optimizer_d().steps(), done) << "iteration " << trainer.iteration();
  }
  EXPECT_EQ(trainer.optimizer_g().steps(), 12);
}

TEST(Schedule, GeneratorStepsAndItsBatch) {
  Trainer trainer = trainer_with([](Objective& o) {
    o.schedule.generator_steps = 3;
    o.schedule.generator_batch = 2;
    o.loss.g_fake = [](const Tensor& f) {
      EXPECT_EQ(f.dim(0), 16);
      return neg(mean(f));
    };
  });
  for (int i = 0; i < 2; ++i) trainer.step();
  EXPECT_EQ(trainer.optimizer_g().steps(), 6);
  EXPECT_EQ(trainer.optimizer_d().steps(), 2);
}

// Every label wrong is the loss with real and fake exchanged; none wrong is the loss itself; and with p the loss is, over many
// draws, the mixture of both.
TEST(Schedule, FlippedLabelsAreTheOtherSidesTerms) {
  Generator random(3);
  const Tensor real = random.normal({8, 2}), fake = random.normal({8, 2});
  const auto loss = [](double p, const Tensor& as_real, const Tensor& as_fake) {
    Trainer trainer = trainer_with([p](Objective& o) { o.schedule.label_flip = p; });
    trainer.critic_step(as_real, as_fake);
    return trainer.metrics().loss_d;
  };
  const double straight = loss(0, real, fake), wrong = loss(0, fake, real);
  ASSERT_GT(std::abs(straight - wrong), 1e-3);
  EXPECT_NEAR(loss(1, real, fake), wrong, 1e-6);

  Trainer sometimes = trainer_with([](Objective& o) {
    o.schedule.label_flip = 0.25;
    o.schedule.d = {.kind = OptimizerKind::sgd, .lr = 1e-12};  // D stays where it is
  });
  double total = 0;
  constexpr int kDraws = 2000;
  for (int i = 0; i < kDraws; ++i) {
    sometimes.critic_step(real, fake);
    total += sometimes.metrics().loss_d;
  }
  EXPECT_NEAR(total / kDraws, 0.75 * straight + 0.25 * wrong, 0.02 * std::abs(straight - wrong) + 1e-3);
}

TEST(Schedule, InstanceNoiseFadesFromDeviceMemory) {
  // D(x) = mean of x over two columns; its logits' deviation is that of the noise over sqrt 2.
  Objective objective{.name = "noise", .loss = wasserstein_loss()};
  objective.schedule.instance_noise = 0.5;
  objective.schedule.instance_noise_steps = 4;
  double seen = 0;
  objective.loss.d_real = [&seen](const Tensor& r) {
    NoGrad no_grad;
    seen = std::sqrt(variance(r.detach(), {0, 1}).item());
    return neg(mean(r));
  };
  Networks networks = small_networks();
  nn::Linear average(2, 1, {.bias = false});
  {
    NoGrad writing;
    average.weight.fill_(0.5);
  }
  networks.discriminator = std::make_shared<nn::Sequential>(std::move(average));
  Trainer trainer(networks, objective, nullptr, {.batch = 8});
  const Tensor zeros = Tensor::zeros({20000, 2});
  for (const auto& [iteration, left] : {std::pair{0, 1.0}, {1, 0.75}, {3, 0.25}, {4, 0.0}, {9, 0.0}}) {
    {
      NoGrad writing;  // D has moved
      networks.discriminator->parameters()[0].fill_(0.5);
    }
    trainer.begin_iteration(iteration);
    trainer.critic_step(zeros, zeros);
    EXPECT_NEAR(seen, left * 0.5 / std::sqrt(2.0), 0.01) << iteration;
  }
}

TEST(SequentialCritic, FeaturesAreWhatTheLastLayerIsGiven) {
  const auto layers = nn::Sequential(nn::Linear(2, 3), nn::ReLU(), nn::Linear(3, 1));
  SequentialCritic critic(layers);
  const Tensor x = Generator(2).normal({5, 2});
  const Judgement j = judge(critic, x);
  EXPECT_EQ(j.features.to_vector<float>(), nn::ReLU()(layers[0](x)).to_vector<float>());
  EXPECT_EQ(j.logits.to_vector<float>(), layers[2](j.features).to_vector<float>());
  EXPECT_EQ(critic(x).to_vector<float>(), j.logits.to_vector<float>());
  EXPECT_EQ(critic.named_parameters()[0].first, "0.weight") << "as in the Sequential, so files exchange";
  EXPECT_TRUE(critic.second_derivative_zero());
}

TEST(FeatureMatching, IsTheDistanceOfMeanFeatures) {
  Round round;
  round.real.judgement.features = Tensor::from({1., 2., 3., 6.}, {2, 2});  // mean (2, 4)
  round.fake.judgement.features = Tensor::from({0., 1., 0., 1.}, {2, 2}).set_requires_grad(true);  // mean (0, 1)
  const Tensor distance = feature_matching().value(round);
  EXPECT_DOUBLE_EQ(distance.item(), 4 + 9);
  EXPECT_EQ(grad({distance}, {round.fake.judgement.features})[0].to_vector<double>(), (std::vector<double>{-2, -3, -2, -3}));
  round.real.judgement.features = {};
  EXPECT_THROW(feature_matching().value(round), Error);
  Objective with_it = named_objective("ns-gan", {.feature_matching = 0.5});
  ASSERT_EQ(with_it.g_terms.size(), 1u);
  EXPECT_EQ(with_it.g_terms[0].weight, 0.5);
}

// One number, the mean over features of the deviation over the batch: 1 and 3 here.
TEST(MinibatchStddev, IsTheMeanDeviationInOneMoreChannel) {
  const Tensor x = Tensor::from({-1., 0., 1., 6.}, {2, 2});
  const Tensor y = nn::MinibatchStddev()(x);
  ASSERT_EQ(y.shape(), (Shape{2, 3}));
  const auto v = y.to_vector<double>();
  EXPECT_NEAR(v[2], 2.0, 1e-8);
  EXPECT_NEAR(v[5], 2.0, 1e-8);
  EXPECT_EQ(nn::MinibatchStddev()(Tensor::zeros({3, 4, 2, 2})).shape(), (Shape{3, 5, 2, 2}));
}

TEST(Models, SpectralNormAndMinibatchStddevAreBuiltIn) {
  Generator random(1);
  for (const std::string& arch : architecture_names()) {
    const NetworkOptions small{.arch = arch, .height = 8, .width = 8, .channels_g = 4, .channels_d = 4};
    const Objective sngan = named_objective("sngan");
    const Networks spectral = make_networks(small, sngan, random);
    EXPECT_NO_THROW(check_compatible(sngan, *spectral.discriminator, 8)) << arch;
    EXPECT_FALSE(spectral.discriminator->mixes_samples()) << arch << ": no batch norm under spectral norm";
    for (const char* name : {"cgan", "projection", "acgan", "infogan"}) {
      const Objective objective = named_objective(name, {.spectral_norm = true});
      NetworkOptions labelled = small;
      labelled.classes = 3;
      EXPECT_NO_THROW(check_compatible(objective, *make_networks(labelled, objective, random).discriminator, 8)) << name << ", " << arch;
    }
    NetworkOptions aware = small;
    aware.minibatch_stddev = true;
    const Networks networks = make_networks(aware, named_objective("hinge"), random);
    EXPECT_TRUE(networks.discriminator->mixes_samples());
    NoGrad no_grad;
    EXPECT_EQ((*networks.discriminator)(random.normal({6, 1, 8, 8})).shape(), (Shape{6, 1})) << arch;
    const Networks penalised = make_networks(aware, named_objective("wgan-gp"), random);
    EXPECT_THROW(check_compatible(named_objective("wgan-gp"), *penalised.discriminator, 8), Error);
  }
}

}  // namespace
}  // namespace duel::gan
