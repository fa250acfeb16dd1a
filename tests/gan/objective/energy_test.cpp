// Energy-based objectives: the pull-away term, autoencoder critics and BEGAN's controller against numbers
// worked by hand, with the variants of public code that would give others.
#include "duel/gan/objective/energy.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"
#include "duel/nn/module/init.h"
#include "mistakes.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::is_gradient_of;
using duel::testing::kF64;
using duel::testing::near;

TEST(PullAway, IsZeroOfOrthogonalRowsAndOneOfParallelOnes) {
  EXPECT_NEAR(pull_away(Tensor::from({3.0, 0.0, 0.0, 0.0, -0.5, 0.0, 0.0, 0.0, 7.0}, {3, 3})).item(), 0,
              1e-15);
  // lengths and sign: no matter
  EXPECT_NEAR(pull_away(Tensor::from({1.0, 2.0, 3.0, 6.0, -0.5, -1.0}, {3, 2})).item(), 1, 1e-15);
  // Pairs (1,0) (1,1): cos^2 1/2; (1,0) (0,1): 0; (1,1) (0,1): 1/2.
  EXPECT_NEAR(pull_away(Tensor::from({2.0, 0.0, 1.0, 1.0, 0.0, 5.0}, {3, 2})).item(), 1.0 / 3, 1e-15);
  EXPECT_NE(error_of([] {
              pull_away(Tensor::ones({1, 4}, kF64));
            }).find("at least 2 samples"),
            std::string::npos);
}

TEST(PullAway, GradientByDifferences) {
  Generator random(3);
  const auto f = [](const std::vector<Tensor>& in) { return pull_away(in[0]); };
  const Tensor codes = random.normal({5, 3}, 0, 1, kF64).set_requires_grad(true);
  const auto first = gradcheck(f, {codes}), second = gradgradcheck(f, {codes});
  EXPECT_TRUE(first) << first.message;
  EXPECT_TRUE(second) << second.message;
}

TEST(PullAway, ARowOfZerosIsSafe) {
  const Tensor codes = Tensor::from({0.0, 0.0, 1.0, 2.0, 1.0, 2.0}, {3, 2}).set_requires_grad(true);
  const Tensor value = pull_away(codes);
  EXPECT_NEAR(value.item(), 1.0 / 3, 1e-15);
  for (const double g : grad({value}, {codes})[0].to_vector<double>()) EXPECT_TRUE(std::isfinite(g));
}

/// 0 of orthogonal rows, 1 of parallel ones whatever their lengths and signs, and pairs count alike (as
/// worked out above).
bool is_the_pull_away_term(const std::function<Tensor(const Tensor& codes)>& term) {
  const std::pair<Tensor, double> known[] = {{Tensor::from({1.0, 1.0, -1.0, 1.0}, {2, 2}), 0},
                                             {Tensor::from({1.0, 2.0, 3.0, 6.0}, {2, 2}), 1},
                                             {Tensor::from({1.0, 0.0, -2.0, 0.0}, {2, 2}), 1},
                                             {Tensor::from({2.0, 0.0, 1.0, 1.0, 0.0, 5.0}, {3, 2}), 1.0 / 3}};
  for (const auto& [codes, value] : known) {
    if (!near(term(codes).item(), value)) return false;
  }
  return true;
}

Tensor unit_rows(const Tensor& codes) { return div(codes, sqrt(sum(square(codes), {1}, true))); }
Tensor cosines(const Tensor& rows) { return matmul(rows, rows, false, true); }
/// The mean over all i != j of products whose diagonal sums to `diagonal`.
Tensor over_pairs(const Tensor& products, double diagonal) {
  const auto n = static_cast<double>(products.dim(0));
  return mul_scalar(sum(products) - diagonal, 1 / (n * (n - 1)));
}

// torchgan (losses/functional.py) normalises along axis 0, which is the batch: each feature to length 1
// instead of each code. It also leaves the diagonal in, each code beside itself. Either is wrong alone.
TEST(KnownMistakes, PullAwayNormalisedOverTheBatch_torchgan) {
  const auto unit_columns = [](const Tensor& codes) {
    return div(codes, sqrt(clamp_min(sum(square(codes), {0}, true), 1e-12)));
  };
  EXPECT_TRUE(is_the_pull_away_term(pull_away));
  EXPECT_FALSE(
      is_the_pull_away_term([&](const Tensor& codes) { return mean(square(cosines(unit_columns(codes)))); }));
  EXPECT_FALSE(is_the_pull_away_term([&](const Tensor& codes) {
    const Tensor rows = unit_columns(codes);
    return over_pairs(square(cosines(rows)), sum(square(sum(square(rows), {1}))).item());
  }));
}
TEST(KnownMistakes, PullAwayWithItsDiagonal_torchgan) {
  EXPECT_FALSE(
      is_the_pull_away_term([](const Tensor& codes) { return mean(square(cosines(unit_rows(codes)))); }));
  EXPECT_TRUE(is_the_pull_away_term([](const Tensor& codes) {
    return over_pairs(square(cosines(unit_rows(codes))), static_cast<double>(codes.dim(0)));
  })) << "the same without its diagonal";
  EXPECT_TRUE(is_the_pull_away_term(pull_away));
}

// PyTorch-GAN (ebgan.py) and hwalsuklee (EBGAN.py) do not square the cosines: opposite codes pay for parallel
// ones.
TEST(KnownMistakes, PullAwayNotSquared_PyTorchGAN_hwalsuklee) {
  EXPECT_TRUE(is_the_pull_away_term(pull_away));
  EXPECT_FALSE(is_the_pull_away_term([](const Tensor& codes) {
    return over_pairs(cosines(unit_rows(codes)), static_cast<double>(codes.dim(0)));
  }));
}

// znxlwm squares them, but divides all codes by one L1 norm of the whole batch.
TEST(KnownMistakes, PullAwayByOneNorm_znxlwm) {
  EXPECT_TRUE(is_the_pull_away_term(pull_away));
  EXPECT_FALSE(is_the_pull_away_term([](const Tensor& codes) {
    const Tensor rows = div(codes, sum(abs(codes)));
    return over_pairs(square(cosines(rows)), sum(square(sum(square(rows), {1}))).item());
  }));
}

AutoencoderCritic zero_decoder(AutoencoderCritic::Error error) {
  auto encoder = std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(4, 2));
  auto decoder = std::make_shared<nn::Sequential>(nn::Linear(2, 4), nn::Unflatten({1, 2, 2}));
  for (const Tensor& p : decoder->parameters()) nn::init::constant_(p, 0.0);
  AutoencoderCritic critic(encoder, decoder, error);
  critic.to(DType::f64);
  return critic;
}

// A decoder that says 0 leaves E(x) = mean x^2, of gradient x / 2 for 4 pixels.
TEST(Autoencoder, EnergyOfAZeroDecoderByHand) {
  AutoencoderCritic critic = zero_decoder(AutoencoderCritic::Error::squared);
  const Tensor x = Tensor::from({1.0, -2.0, 0.5, 0.0}, {1, 1, 2, 2}).set_requires_grad(true);
  const Judgement j = critic.judge(x, {});
  EXPECT_EQ(j.logits.shape(), (Shape{1, 1}));
  EXPECT_EQ(j.features.shape(), (Shape{1, 2}));
  EXPECT_NEAR(j.logits.item(), (1 + 4 + 0.25) / 4, 1e-15);
  const auto g = grad({sum(j.logits)}, {x})[0].to_vector<double>();
  const double expected[] = {0.5, -1.0, 0.25, 0.0};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(g[i], expected[i], 1e-15);
  EXPECT_NEAR(zero_decoder(AutoencoderCritic::Error::absolute).judge(x, {}).logits.item(), 3.5 / 4, 1e-15);
}

// PyTorch-GAN (ebgan.py) detaches the reconstruction's target in G's loss: G then hears of its own image only
// by way of D's reconstruction, and what it is given is the gradient of another function.
TEST(KnownMistakes, EnergyWithADetachedTarget_PyTorchGAN) {
  Generator random(9);
  auto encoder = std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(4, 3), nn::Tanh());
  auto decoder = std::make_shared<nn::Sequential>(nn::Linear(3, 4), nn::Unflatten({1, 2, 2}));
  AutoencoderCritic critic(encoder, decoder, AutoencoderCritic::Error::squared);
  critic.to(DType::f64);
  const Tensor z = random.normal({5, 2}, 0, 1, kF64),
               g = random.normal({4, 2}, 0, 1, kF64).set_requires_grad(true);
  const auto image = [&] { return tanh(linear(z, g)).reshape({5, 1, 2, 2}); };
  const auto loss_g = [&] {
    return generator_loss(energy_margin_loss(1.0), Relativism::none, {}, judge(critic, image()).logits);
  };
  const auto detached = [&] {
    const Tensor x = image();
    return mean(square((*decoder)((*encoder)(x)) - x.detach()));
  };
  ASSERT_NEAR(detached().item(), loss_g().item(), 1e-14) << "the values agree";
  EXPECT_TRUE(is_gradient_of(loss_g, {g}, grad({loss_g()}, {g})));
  EXPECT_FALSE(is_gradient_of(loss_g, {g}, grad({detached()}, {g})));
}

TEST(Autoencoder, EnergiesByDifferences) {
  Generator random(5);
  for (const auto error : {AutoencoderCritic::Error::squared, AutoencoderCritic::Error::absolute}) {
    auto encoder = std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(4, 3), nn::Tanh());
    auto decoder = std::make_shared<nn::Sequential>(nn::Linear(3, 4), nn::Tanh(), nn::Unflatten({1, 2, 2}));
    AutoencoderCritic critic(encoder, decoder, error);
    critic.to(DType::f64);
    const Tensor x = random.normal({3, 1, 2, 2}, 0, 1, kF64).set_requires_grad(true);
    const auto f = [&](const std::vector<Tensor>& in) {
      const Judgement j = critic.judge(in[0], {});
      return generator_loss(energy_margin_loss(1.0), Relativism::none, {}, j.logits) +
             mul_scalar(pull_away(j.features), 0.1);
    };
    const auto result = gradcheck(f, {x});
    EXPECT_TRUE(result) << result.message;
  }
}

TEST(EnergyLoss, ByHand) {
  const Tensor r = Tensor::from({0.2, 0.4}, {2, 1}), f = Tensor::from({0.5, 1.5}, {2, 1});
  const Loss loss = energy_margin_loss(1.0);
  // 1.5 is beyond the margin
  EXPECT_NEAR(discriminator_loss(loss, Relativism::none, r, f).item(), 0.3 + 0.25, 1e-15);
  EXPECT_NEAR(generator_loss(loss, Relativism::none, r, f).item(), 1.0, 1e-15);
  EXPECT_NEAR(discriminator_loss(energy_loss(), Relativism::none, r, f).item(), 0.3 - 1.0, 1e-15);
  EXPECT_NEAR(generator_loss(energy_loss(), Relativism::none, r, f).item(), 1.0, 1e-15);
}

TEST(Equilibrium, MovesAndStaysWithinItsBounds) {
  const auto scalar = [](double v) { return Tensor::full({}, v, kF64); };
  const Equilibrium e{.gamma = 0.5, .rate = 0.1};
  EXPECT_NEAR(next_balance(e, scalar(0.3), scalar(0.8), scalar(0.1)).item(), 0.3 + 0.1 * (0.4 - 0.1), 1e-15);
  EXPECT_NEAR(next_balance(e, scalar(0.3), scalar(0.2), scalar(0.9)).item(), 0.3 + 0.1 * (0.1 - 0.9), 1e-15);
  EXPECT_EQ(next_balance(e, scalar(0.01), scalar(0.2), scalar(0.9)).item(), 0.0);
  EXPECT_EQ(next_balance(e, scalar(0.999), scalar(1.0), scalar(0.1)).item(), 1.0);
  EXPECT_NEAR(convergence_measure(e, scalar(0.8), scalar(0.1)).item(), 0.8 + 0.3, 1e-15);
  EXPECT_NEAR(convergence_measure(e, scalar(0.2), scalar(0.9)).item(), 0.2 + 0.8, 1e-15);
}

// Three iterations of a trainer: L_D = E(x) - k E(G(z)) with the k before the step, k moved by the energies
// of that step.
TEST(Equilibrium, TheTrainerWeighsFakesByIt) {
  Generator random(2);
  const Objective objective = named_objective("began", {{"gamma", 0.9}, {"lambda-k", 0.5}});
  Networks networks = make_networks(
      networks_for(objective,
                   {.arch = "mlp", .height = 4, .width = 4, .latent = 3, .channels_g = 4, .channels_d = 4}),
      false, random);
  for (nn::Module* module : {networks.generator.get(), networks.discriminator.get()}) module->to(DType::f64);
  Trainer trainer(networks, objective, nullptr, {.batch = 4, .dtype = DType::f64});
  double k = 0;
  for (int t = 0; t < 3; ++t) {
    const Tensor real = tanh(random.normal({4, 1, 4, 4}, 0, 1, kF64)),
                 fake = trainer.generate(random.normal({4, 3}, 0, 1, kF64));
    const double energy_real = mean(judge(*networks.discriminator, real).logits).item();
    const double energy_fake = mean(judge(*networks.discriminator, fake).logits).item();
    trainer.critic_step(real, fake);
    EXPECT_NEAR(trainer.metrics().loss_d, energy_real - k * energy_fake, 1e-14);
    k = std::clamp(k + 0.5 * (0.9 * energy_real - energy_fake), 0.0, 1.0);
    EXPECT_GT(k, 0) << "a case in which the controller rests would prove nothing";
    const auto more = trainer.metrics().more;
    ASSERT_EQ(more.size(), 2u);
    EXPECT_EQ(more[0].first, "k");
    EXPECT_NEAR(more[0].second, k, 1e-14);
    EXPECT_EQ(more[1].first, "convergence");
    EXPECT_NEAR(more[1].second, energy_real + std::abs(0.9 * energy_real - energy_fake), 1e-14);
  }
}

}  // namespace
}  // namespace duel::gan
