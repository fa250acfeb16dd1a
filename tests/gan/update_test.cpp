// Update orders against formulas on a game whose steps can be written by hand, samples that are no images, and G's inputs.
#include "duel/gan/update.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/autograd.h"
#include "duel/core/ops.h"
#include "duel/gan/trainer.h"
#include "duel/nn/linear.h"
#include "duel/nn/sequential.h"

namespace duel::gan {
namespace {

/// One weight without a bias: f(x) = w x.
std::shared_ptr<nn::Sequential> scale(double w) {
  nn::Linear linear(1, 1, {.bias = false});
  NoGrad no_grad;
  linear.parameters()[0].fill_(w);
  return std::make_shared<nn::Sequential>(std::move(linear));
}

double value(const nn::Module& module) { return module.parameters()[0].item(); }

// D(x) = psi x, G(z) = theta z with z = 1, real 0, L_D = f - r = psi theta, L_G = -psi theta: the bilinear game.
Trainer bilinear(double psi, double theta, Update update, double lr) {
  Objective objective{.name = "bilinear", .loss = wasserstein_loss()};
  objective.schedule.update = update;
  objective.schedule.d = objective.schedule.g = {.kind = OptimizerKind::sgd, .lr = lr};
  return Trainer({scale(theta), scale(psi), {.noise = 1}, {}}, objective, nullptr, {.batch = 1});
}

Trainer::Batch batch() { return {.real = Tensor::zeros({1, 1}), .latents = {.input = Tensor::ones({1, 1})}}; }

TEST(Update, SimultaneousStepsStartFromTheSamePoint) {
  const double psi = 0.5, theta = 2.0, h = 0.1;
  Trainer trainer = bilinear(psi, theta, Update::simultaneous, h);
  trainer.joint_step(batch());
  EXPECT_NEAR(value(*trainer.networks().discriminator), psi - h * theta, 1e-6);
  EXPECT_NEAR(value(*trainer.networks().generator), theta + h * psi, 1e-6);  // alternating would give theta + h (psi - h theta)
}

TEST(Update, ExtragradientUsesTheGradientsOfTheLookAhead) {
  const double psi = 0.5, theta = 2.0, h = 0.1;
  Trainer trainer = bilinear(psi, theta, Update::extragradient, h);
  trainer.joint_step(batch());
  EXPECT_NEAR(value(*trainer.networks().discriminator), psi - h * (theta + h * psi), 1e-6);
  EXPECT_NEAR(value(*trainer.networks().generator), theta + h * (psi - h * theta), 1e-6);
}

// Simultaneous steps leave the equilibrium of the bilinear game by sqrt(1 + h^2) each, extragradient steps approach it by
// sqrt(1 - h^2 + h^4) (Gidel 2018, section 3).
TEST(Update, OnTheBilinearGameSimultaneousDivergesAndExtragradientConverges) {
  const double h = 0.2;
  for (const auto& [update, factor] : {std::pair{Update::simultaneous, std::sqrt(1 + h * h)},
                                       {Update::extragradient, std::sqrt(1 - h * h + h * h * h * h)}}) {
    Trainer trainer = bilinear(1.0, 0.0, update, h);
    for (int i = 0; i < 50; ++i) trainer.joint_step(batch());
    const double radius = std::hypot(value(*trainer.networks().discriminator), value(*trainer.networks().generator));
    EXPECT_NEAR(radius, std::pow(factor, 50), 1e-4 * std::pow(factor, 50));
  }
}

TEST(ResidentData, SamplesThatAreNoImagesAndTheirLabels) {
  const ResidentData data(Tensor::from({1., 2., 3., 4., 5., 6.}, {3, 2}), Tensor::from<int64_t>({7, 8, 9}, {3}));
  const Tensor index = Tensor::from<int64_t>({2, 0}, {2});
  EXPECT_EQ(data.batch(index, DType::f32).to_vector<float>(), (std::vector<float>{5, 6, 1, 2}));
  EXPECT_EQ(data.labels(index).to_vector<int64_t>(), (std::vector<int64_t>{9, 7}));
  EXPECT_EQ(data.sample_shape(), (Shape{2}));
  EXPECT_THROW(ResidentData(Tensor::from<int64_t>({1}, {1, 1})), Error);
  EXPECT_THROW(ResidentData(Tensor::zeros({3, 2}), Tensor::from<int64_t>({7}, {1})), Error);
}

TEST(Latents, ColumnsAreNoiseLabelCodes) {
  const LatentPlan plan{.noise = 3, .classes = 4, .categorical = {2, 3}, .continuous = 2};
  ASSERT_EQ(plan.width(), 3 + 4 + 2 + 3 + 2);
  LatentGenerators random{Generator(1, 1), Generator(1, 2), Generator(1, 3)};
  const Latents latents = draw_latents(plan, 200, random);
  const auto rows = latents.input.to_vector<double>();
  const auto labels = latents.labels.to_vector<int64_t>();
  std::vector<int> seen(4);
  for (size_t n = 0; n < 200; ++n) {
    const double* row = rows.data() + n * 14;
    for (int64_t k = 0; k < 4; ++k) EXPECT_EQ(row[3 + k], k == labels[n] ? 1.0 : 0.0);
    EXPECT_EQ(row[7] + row[8], 1.0);
    EXPECT_EQ(row[9] + row[10] + row[11], 1.0);
    EXPECT_TRUE(row[12] >= -1 && row[12] < 1 && row[12] != row[13]);
    ++seen[static_cast<size_t>(labels[n])];
  }
  for (const int count : seen) EXPECT_GT(count, 20);
  EXPECT_EQ(latents.codes.to_vector<double>(), slice(latents.input, 1, 7, 14).to_vector<double>());
}

TEST(Latents, LabelsAndCodesLeaveTheNoiseAlone) {
  LatentGenerators a{Generator(1, 1), Generator(1, 2), Generator(1, 3)}, b = a;
  const Tensor plain = draw_latents({.noise = 3}, 5, a).input;
  const Tensor rich = draw_latents({.noise = 3, .classes = 2, .continuous = 1}, 5, b).input;
  EXPECT_EQ(plain.to_vector<float>(), slice(rich, 1, 0, 3).to_vector<float>());
}

}  // namespace
}  // namespace duel::gan
