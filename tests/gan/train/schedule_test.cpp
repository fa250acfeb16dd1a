// Entries of the schedule: what each changes, by numbers worked out beside it.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"

namespace duel::gan {
namespace {

std::shared_ptr<const ResidentData> points() {
  return std::make_shared<ResidentData>(Generator(1).normal({40, 2}));
}

Networks small_networks() {
  manual_seed(5);
  return {std::make_shared<nn::Sequential>(nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 2)),
          std::make_shared<nn::Sequential>(nn::Linear(2, 4), nn::ReLU(), nn::Linear(4, 1)),
          {.noise = 3},
          {}};
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

// Chavdarova et al. 2021, algorithm 1, by hand beside a run without it: between two times the run is the same bit for bit, and at
// one both players' weights become s + alpha (f - s). Moments and the average of G's weights go on.
TEST(Schedule, LookaheadTakesBothPlayersBack) {
  const auto change = [](Objective& o) { o.schedule.ema = 0.5; };
  Trainer plain = trainer_with(change, DType::f64);
  Trainer ahead = trainer_with(
      [&](Objective& o) {
        change(o);
        o.schedule.lookahead = 3;
        o.schedule.lookahead_alpha = 0.25;
      },
      DType::f64);
  const auto values = [](const Trainer& trainer) {
    std::vector<Tensor> all;
    for (nn::Module* net : {trainer.networks().discriminator.get(), trainer.networks().generator.get()}) {
      for (const Tensor& p : net->parameters()) all.push_back(p.detach());
    }
    return all;
  };
  const auto copied = [&](const Trainer& trainer) {
    std::vector<Tensor> all = values(trainer);
    for (Tensor& each : all) each = each.clone();
    return all;
  };
  std::vector<Tensor> slow = copied(plain);
  for (int64_t i = 1; i <= 7; ++i) {
    plain.step();
    ahead.step();
    const std::vector<Tensor> fast = values(plain);
    if (i % 3 == 0) {
      double went = 0;
      for (size_t k = 0; k < fast.size(); ++k) {
        went += sum(abs(fast[k] - slow[k])).item();
        slow[k] = slow[k] + (fast[k] - slow[k]) * 0.25;
        Tensor(fast[k]).copy_(slow[k]);
      }
      EXPECT_GT(went, 1e-4);
    }
    const std::vector<Tensor> got = values(ahead);
    for (size_t k = 0; k < fast.size(); ++k)
      EXPECT_EQ(got[k].to_vector<double>(), fast[k].to_vector<double>()) << "iteration " << i << ", " << k;
    EXPECT_EQ(ahead.optimizer_g().ema().to_vector<double>(), plain.optimizer_g().ema().to_vector<double>());
  }
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

// Every label wrong is the loss with real and fake exchanged; none wrong is the loss itself; and with p the
// loss is, over many draws, the mixture of both.
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

/// D's loss with a penalty of weight 0.7 around the slope 1 at the reals, times `scale`, written out here.
Tensor penalised_by_hand(nn::Module& critic, const Tensor& real, const Tensor& fake, double scale) {
  const Tensor x = real.detach().set_requires_grad(true);
  const Tensor slope = grad({sum(critic(x))}, {x}, {}, {.create_graph = true})[0];
  const Tensor away = sqrt(sum(square(slope), {1})) - 1.0;
  return mean(critic(fake)) - mean(critic(real)) + mul_scalar(mean(square(away)), 0.7 * scale);
}

// Karras 2020 (arXiv:1912.04958, section 3.1): the penalty only every k steps of D, k times as heavy. Its
// steps are counted over the whole run: with 2 in an iteration and k = 3 they are the first of iteration 0,
// the second of iteration 1, and so on.
TEST(LazyPenalty, CountsEveryThirdStepOfDThreeTimes) {
  constexpr double rate = 0.05;
  for (const int64_t critic_steps : {1, 2}) {
    Objective objective{
        .name = "lazy", .loss = wasserstein_loss(), .penalties = {{one_centered(1.0), at_real(), 0.7}}};
    objective.schedule.critic_steps = critic_steps;
    objective.schedule.lazy_interval = 3;
    for (OptimizerChoice* choice : {&objective.schedule.d, &objective.schedule.g})
      *choice = {.kind = OptimizerKind::sgd, .lr = rate};
    const auto critic = [] {
      return std::make_shared<nn::Sequential>(nn::Linear(2, 4), nn::Tanh(), nn::Linear(4, 1));
    };
    Networks networks = small_networks();
    networks.discriminator = critic();
    const auto by_hand = critic();
    for (nn::Module* module :
         {networks.generator.get(), networks.discriminator.get(), static_cast<nn::Module*>(by_hand.get())}) {
      module->to(DType::f64);
    }
    Trainer trainer(networks, objective, nullptr, {.batch = 8, .dtype = DType::f64});
    Generator random(7);
    int64_t step = 0, heavy = 0;
    for (int iteration = 0; iteration < 6; ++iteration) {
      for (int64_t s = 0; s < critic_steps; ++s, ++step) {
        const TensorOptions f64{DType::f64, {}};
        const Tensor real = random.normal({8, 2}, 1, 1, f64),
                     fake = trainer.generate(random.normal({8, 3}, 0, 1, f64));
        by_hand->load_state_dict(networks.discriminator->state_dict());
        const double scale = step % 3 == 0 ? 3 : 0;
        heavy += scale > 0;
        const double alone = penalised_by_hand(*by_hand, real, fake, 1).item() -
                             penalised_by_hand(*by_hand, real, fake, 0).item();
        ASSERT_GT(alone, 1e-2) << "a penalty that is not felt would prove nothing";
        const Tensor loss = penalised_by_hand(*by_hand, real, fake, scale);
        const auto gradients = grad({loss}, by_hand->parameters(), {}, {.allow_unused = true});
        trainer.critic_step(real, fake);
        EXPECT_NEAR(trainer.metrics().loss_d, loss.item(), 1e-12) << "step " << step;
        EXPECT_NEAR(trainer.metrics().penalty, scale * alone, 1e-12) << "step " << step;
        for (size_t p = 0; p < gradients.size(); ++p) {
          const auto got = networks.discriminator->parameters()[p].to_vector<double>(),
                     was = by_hand->parameters()[p].to_vector<double>();
          for (size_t i = 0; i < was.size(); ++i) {
            const double slope = gradients[p].defined() ? gradients[p].to_vector<double>()[i] : 0.0;
            EXPECT_NEAR(got[i], was[i] - rate * slope, 1e-12) << "step " << step << ", parameter " << p;
          }
        }
      }
      trainer.generator_step(random.normal({8, 3}, 0, 1, {DType::f64, {}}), Tensor());
    }
    EXPECT_EQ(heavy, critic_steps * 2);
  }
}

TEST(LazyPenalty, StepsOfDAreCountedAcrossIterationsAndCheckpoints) {
  std::vector<int64_t> due;  // steps of D that asked for points
  const nn::Optimizer* optimizer = nullptr;
  const auto change = [&](Objective& o) {
    o.loss = wasserstein_loss();
    o.penalties = {{one_centered(1.0),
                    {"counted",
                     [&](const Tensor& real, const Tensor&, Generator&) {
                       due.push_back(optimizer->steps());
                       return real;
                     }},
                    1.0}};
    o.schedule.critic_steps = 2;
    o.schedule.lazy_interval = 3;
  };
  Trainer trainer = trainer_with(change);
  optimizer = &trainer.optimizer_d();
  for (int i = 0; i < 4; ++i) trainer.step();
  Trainer resumed = trainer_with(change);
  optimizer = &resumed.optimizer_d();
  resumed.restore(trainer.state());
  for (int i = 0; i < 4; ++i) resumed.step();
  EXPECT_EQ(due, (std::vector<int64_t>{0, 3, 6, 9, 12, 15}));
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
  // mean (0, 1)
  round.fake.judgement.features = Tensor::from({0., 1., 0., 1.}, {2, 2}).set_requires_grad(true);
  const Tensor distance = feature_matching().value(round);
  EXPECT_DOUBLE_EQ(distance.item(), 4 + 9);
  EXPECT_EQ(grad({distance}, {round.fake.judgement.features})[0].to_vector<double>(),
            (std::vector<double>{-2, -3, -2, -3}));
  round.real.judgement.features = {};
  EXPECT_THROW(feature_matching().value(round), Error);
  Objective with_it = named_objective("ns-gan", {{"feature-matching", 0.5}});
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
      const Objective objective = named_objective(name, {{"spectral-norm", true}});
      NetworkOptions labelled = small;
      labelled.classes = 3;
      EXPECT_NO_THROW(
          check_compatible(objective, *make_networks(labelled, objective, random).discriminator, 8))
          << name << ", " << arch;
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
