// Losses of embeddings by hand, by differences, and against what has to hold of any distance; penalties of their witness.
#include "duel/gan/objective/distances/embedding.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/models/models.h"
#include "duel/gan/objective/objective.h"
#include "duel/nn/layers.h"
#include "duel/nn/module/scoped_parameters.h"
#include "tests/files.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using duel::testing::kF64;

Judgement of(const Tensor& embedding) { return {.features = embedding}; }

struct NamedLoss {
  const char* objective;
  Loss loss;
};
std::vector<NamedLoss> all_losses() {
  std::vector<NamedLoss> all;
  for (const char* name : {"mmd-gan", "mmd-gan-rep", "cramer-gan"})
    all.push_back({name, named_objective(name).loss});
  return all;
}
double loss_d(const Loss& loss, const Tensor& real, const Tensor& fake) {
  return discriminator_loss(loss, Relativism::none, of(real), of(fake)).item();
}
double loss_g(const Loss& loss, const Tensor& real, const Tensor& fake) {
  return generator_loss(loss, Relativism::none, of(real), of(fake)).item();
}

// Rows 0, 3 against 0, 4 on a line: |r - r'| = 3, |f - f'| = 4, between 0, 4, 3, 1.
const Tensor kReal = Tensor::from({0.0, 3.0}, {2, 1}), kFake = Tensor::from({0.0, 4.0}, {2, 1});

TEST(Mmd, IsTheUnbiasedEstimate) {
  const auto k = [](double d) {
    double sum = 0;
    for (const double a : {0.2, 0.5, 1.0, 2.0, 5.0}) sum += std::pow(1 + d * d / (2 * a), -a);
    return sum;
  };
  const double m = k(3) + k(4) - 2 * (k(0) + k(4) + k(3) + k(1)) / 4;
  const Loss loss = named_objective("mmd-gan").loss;
  EXPECT_NEAR(loss_g(loss, kReal, kFake), m, 1e-14);
  EXPECT_NEAR(loss_d(loss, kReal, kFake), -m, 1e-14);
  const Tensor at = Tensor::from({1.0}, {1, 1});
  EXPECT_NEAR(loss.witness(of(at), of(kReal), of(kFake)).to_vector<double>()[0],
              (k(1) + k(2)) / 2 - (k(1) + k(3)) / 2, 1e-14);
}

// Over all splits of one pool into two sides its mean is 0; the biased one's, with each sample beside itself, is above.
TEST(Mmd, IsUnbiased) {
  Generator random(4);
  const Tensor pool = random.normal({4, 3}, 0, 1, kF64);
  double total = 0;
  for (const auto& [a, b, c, d] : {std::array{0, 1, 2, 3}, std::array{0, 2, 1, 3}, std::array{0, 3, 1, 2}}) {
    const auto side = [&](int i, int j) { return concat({rows(pool, i, i + 1), rows(pool, j, j + 1)}); };
    total += squared_mmd(gaussian(), side(a, b), side(c, d)).item();
  }
  EXPECT_NEAR(total, 0, 1e-14);
}

TEST(Repulsive, KeepsNoPairBeyondItsBounds) {
  const auto k = [](double square) { return std::exp(-square / 2); };
  const Loss loss = repulsive_loss();
  EXPECT_NEAR(loss_d(loss, kReal, kFake), k(4) - k(16), 1e-15) << "|r - r'|^2 = 9 counts as 4";
  const Tensor near = Tensor::from({0.0, 0.25}, {2, 1});
  EXPECT_NEAR(loss_d(loss, near, near), k(0.0625) - k(0.25), 1e-15) << "|f - f'|^2 = 1 / 16 counts as 1 / 4";
  EXPECT_NEAR(loss_g(loss, kReal, kFake), k(9) + k(16) - (k(0) + k(16) + k(9) + k(1)) / 2, 1e-15);
  // D parts real samples and draws fakes together.
  Tensor r = Tensor::from({0.0, 1.0}, {2, 1}).set_requires_grad(true),
         f = r.clone().detach().set_requires_grad(true);
  const auto g = grad({discriminator_loss(loss, Relativism::none, of(r), of(f))}, {r, f});
  EXPECT_LT(g[0].to_vector<double>()[1], 0);
  EXPECT_GT(g[1].to_vector<double>()[1], 0);
}

TEST(Cramer, IsTheEnergyDistanceAndItsWitness) {
  const Loss loss = cramer_loss();
  // w(x) = (|x| + |x - 4|) / 2 - |x|: 2 at 0, -1 at 3; of fakes E |f - f'| - E |f| = 4 - 2.
  EXPECT_NEAR(loss_d(loss, kReal, kFake), 2 - 0.5, 1e-15);
  EXPECT_NEAR(loss_g(loss, kReal, kFake), 2 * 2 - 4, 1e-15);
  const auto w = loss.witness(of(Tensor::from({0.0, 3.0}, {2, 1})), of(kReal), of(kFake)).to_vector<double>();
  EXPECT_NEAR(w[0], 2, 1e-15);
  EXPECT_NEAR(w[1], -1, 1e-15);
}

TEST(Embedding, GradientsByDifferencesToSecondOrder) {
  Generator random(3);
  for (const auto& [name, loss] : all_losses()) {
    SCOPED_TRACE(name);
    // pairs on both sides of the repulsive loss's bounds
    const Tensor real = random.normal({4, 3}, 0, 0.9, kF64).set_requires_grad(true),
                 fake = random.normal({5, 3}, 0.3, 0.5, kF64).set_requires_grad(true),
                 at = random.normal({2, 3}, 0, 1, kF64).set_requires_grad(true);
    const auto d = [&](const std::vector<Tensor>& in) {
      return discriminator_loss(loss, Relativism::none, of(in[0]), of(in[1]));
    };
    const auto g = [&](const std::vector<Tensor>& in) {
      return generator_loss(loss, Relativism::none, of(in[0]), of(in[1]));
    };
    const auto w = [&](const std::vector<Tensor>& in) {
      // a real sample has no part in cramer's
      return sum(loss.witness(of(in[2]), of(in[0]), of(in[1]))) + 0.0 * sum(in[0]);
    };
    for (const auto& result :
         {gradcheck(d, {real, fake}), gradgradcheck(d, {real, fake}), gradcheck(g, {real, fake}),
          gradgradcheck(g, {real, fake}), gradcheck(w, {real, fake, at}), gradgradcheck(w, {real, fake, at})})
      EXPECT_TRUE(result) << result.message;
  }
}

// The whole of D's loss in its weights, the penalty's second derivatives through point and both sides included.
TEST(Embedding, PenaltiesOfTheWitnessByDifferences) {
  Generator random(7);
  const LendDefaultGenerator lent(random);
  for (const auto& [name, loss] : all_losses()) {
    SCOPED_TRACE(name);
    EmbeddingCritic critic(std::make_shared<nn::Sequential>(nn::Linear(3, 4), nn::Tanh()), 4, 2);
    critic.to(DType::f64);
    const Tensor real = random.normal({3, 3}, 0, 1, kF64), fake = random.normal({4, 3}, 0, 1, kF64),
                 points = random.normal({3, 3}, 0, 1, kF64);
    const auto total = [&](const std::vector<Tensor>& weights) {
      nn::ScopedParameters moved(critic.parameters(), weights);
      const Judgement r = critic.judge(real, {});
      const Judgement f = critic.judge(fake, {});
      const auto witness = [&](const Judgement& at) { return loss.witness(at, r, f); };
      return discriminator_loss(loss, Relativism::none, r, f) +
             gradient_penalty(critic, points, one_centered(1.0), 10.0, {}, witness).value;
    };
    const auto result = gradcheck(total, critic.parameters());
    EXPECT_TRUE(result) << result.message;
    const auto logit = gradient_penalty(critic, points, one_centered(1.0), 10.0).value.item();
    const Judgement r = critic.judge(real, {});
    const Judgement f = critic.judge(fake, {});
    EXPECT_NE(gradient_penalty(critic, points, one_centered(1.0), 10.0, {},
                               [&](const Judgement& at) { return loss.witness(at, r, f); })
                  .value.item(),
              logit);
  }
}

// Equal rows are at a distance of 0, where no slope is: nothing is NaN, to second order.
TEST(Embedding, EqualRowsAreSafe) {
  for (const auto& [name, loss] : all_losses()) {
    SCOPED_TRACE(name);
    const Tensor same = Tensor::zeros({3, 2}, kF64).set_requires_grad(true);
    const Tensor value = discriminator_loss(loss, Relativism::none, of(same), of(same)) +
                         generator_loss(loss, Relativism::none, of(same), of(same));
    EXPECT_TRUE(std::isfinite(value.item()));
    const Tensor slope = grad({value}, {same}, {}, {.create_graph = true})[0];
    const Tensor curve = grad({sum(square(slope)) + sum(slope)}, {same}, {}, {.allow_unused = true})[0];
    for (const Tensor& t : {slope, curve}) {
      if (!t.defined()) continue;
      for (const double v : t.to_vector<double>()) EXPECT_TRUE(std::isfinite(v));
    }
  }
}

TEST(Embedding, EveryNetworkGivesOne) {
  for (const std::string& arch : architecture_names()) {
    SCOPED_TRACE(arch);
    const Objective objective = named_objective("mmd-gan", {{"embedding", int64_t{7}}});
    Generator random(3);
    const Networks n = make_networks(
        {.arch = arch, .height = 8, .width = 8, .channels_g = 4, .channels_d = 4}, objective, random);
    const Judgement j = judge(*n.discriminator, random.normal({3, 1, 8, 8}));
    EXPECT_EQ(j.features.shape(), (Shape{3, 7}));
    EXPECT_EQ(j.logits.shape(), (Shape{3, 1}));
    const auto e = j.features.to_vector<double>();
    double squares = 0;
    for (size_t i = 0; i < 7; ++i) squares += e[i] * e[i];
    EXPECT_NEAR(j.logits.to_vector<double>()[0], std::sqrt(squares), 1e-5 * (1 + std::sqrt(squares)));
  }
}

TEST(Embedding, RefusesWhatReadsALogit) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, SettingValue>>{
           {"loss", "hinge"}, {"top-k", 0.5}, {"lecam", 0.3}, {"cr", 1.0}, {"bcr", 1.0}, {"zcr-d", 1.0}}) {
    ObjectiveOverrides overrides;
    overrides.set(name, value);
    EXPECT_TRUE(has(error_of([&] { named_objective("cramer-gan", overrides); }), "an embedding")) << name;
  }
  EXPECT_TRUE(has(error_of([] { named_objective("wgan-gp", {{"embedding", int64_t{4}}}); }), "mmd-gan"));
  EXPECT_TRUE(has(error_of([] { squared_mmd(gaussian(), kReal, rows(kFake, 0, 1)); }), "at least 2 samples"));
  EXPECT_TRUE(has(error_of([] { rational_quadratic({}); }), "at least one alpha"));
  EXPECT_TRUE(has(error_of([] { rational_quadratic({-1}); }), "above 0"));
  EXPECT_TRUE(has(error_of([] {
                    Generator random(1);
                    make_networks({.critic = CriticKind::embedding}, true, random);
                  }),
                  "embedding of at least 1"));
}

}  // namespace
}  // namespace duel::gan
