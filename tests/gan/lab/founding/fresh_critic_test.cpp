// A fresh D and the gradients it gives: closed forms of linear players.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/lab/founding/fresh_critic.h"
#include "duel/kernels/base/error.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/optim/grad_norm.h"

namespace duel::gan::lab {
namespace {

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

// G(z) = A z, D(x) = w x + b: the gradient in A of log(1 - D) is the mean of -sigmoid(f) w z^T, of -log D the mean of
// -sigmoid(-f) w z^T.
TEST(FreshCritic, GradientsOfLinearPlayersAreTheClosedForm) {
  nn::Linear g(2, 2, {.bias = false}), d(2, 1);
  g.to(DType::f64);
  d.to(DType::f64);
  g.weight.detach().copy_(Tensor::from({0.5, -1.0, 2.0, 0.25}, {2, 2}));
  d.weight.detach().copy_(Tensor::from({1.5, -0.75}, {1, 2}));
  d.bias.detach().copy_(Tensor::from({0.3}, {1}));
  const std::vector<double> z = {1.0, 2.0, -0.5, 0.75, 3.0, -1.0};
  const GeneratorGradients found = generator_gradients(g, d, Tensor::from(z, {3, 2}));
  ASSERT_EQ(found.saturating.size(), 1U);
  ASSERT_EQ(found.non_saturating.size(), 1U);
  double saturating[4] = {}, non_saturating[4] = {};
  for (int n = 0; n < 3; ++n) {
    const double a = z[2 * n], b = z[2 * n + 1];
    const double f = 1.5 * (0.5 * a - b) - 0.75 * (2.0 * a + 0.25 * b) + 0.3;
    const double w[2] = {1.5, -0.75};
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 2; ++j) {
        saturating[2 * i + j] -= sigmoid_of(f) * w[i] * z[2 * n + j] / 3;
        non_saturating[2 * i + j] -= sigmoid_of(-f) * w[i] * z[2 * n + j] / 3;
      }
    }
  }
  const auto s = found.saturating[0].to_vector<double>(), u = found.non_saturating[0].to_vector<double>();
  double norm = 0;
  for (size_t k = 0; k < 4; ++k) {
    EXPECT_NEAR(s[k], saturating[k], 1e-12) << k;
    EXPECT_NEAR(u[k], non_saturating[k], 1e-12) << k;
    norm += saturating[k] * saturating[k];
  }
  EXPECT_NEAR(nn::gradient_norms(found.saturating).total.item(), std::sqrt(norm), 1e-10);
}

TEST(FreshCritic, JudgesByTheSignOfTheLogit) {
  nn::Linear d(1, 1);
  d.weight.detach().fill_(2.0);
  d.bias.detach().fill_(0.0);
  const FreshCriticPoint point =
      judge_fresh_critic(d, Tensor::from({1.F, 1.F, 1.F, -1.F}, {4, 1}), Tensor::from({-1.F, 1.F}, {2, 1}));
  EXPECT_DOUBLE_EQ(point.accuracy, (0.75 + 0.5) / 2);
  const double right = std::log1p(std::exp(-2.0)), wrong = std::log1p(std::exp(2.0));
  EXPECT_NEAR(point.cross_entropy, (3 * right + wrong) / 4 + (right + wrong) / 2, 1e-6);
}

TEST(FreshCritic, SeparatesTwoPointsAndLooksAtEveryStepAskedFor) {
  Generator weights(1);
  const LendDefaultGenerator lent(weights);
  nn::Linear d(1, 1), g(1, 1, {.bias = false});
  g.weight.detach().fill_(-1.0);  // z = 1 becomes the fake -1
  const auto at = [](float x) { return [x](int64_t n) { return Tensor::full({n, 1}, x); }; };
  const FreshFight fight{.d = d, .real = at(1), .held_out = at(1), .fake = at(-1), .gradients = [&] {
                           return generator_gradients(g, d, Tensor::ones({4, 1}));
                         }};
  const FreshCriticOptions options{.steps = 205, .batch = 4, .judged = 4, .every = 10, .adam = {.lr = 0.1}};
  const auto points = train_fresh_critic(fight, options);
  ASSERT_EQ(points.size(), 22U);
  EXPECT_EQ(points.front().step, 0);
  EXPECT_EQ(points[1].step, 10);
  EXPECT_EQ(points.back().step, 205);
  EXPECT_EQ(points.back().accuracy, 1);
  EXPECT_LT(points.back().cross_entropy, 0.01);
  // One slope for both losses: -sigmoid(f) w and -sigmoid(-f) w.
  const double w = std::abs(d.weight.item()), f = (d.bias.item() - d.weight.item());
  EXPECT_NEAR(points.back().saturating, sigmoid_of(f) * w, 1e-5 * w);
  EXPECT_NEAR(points.back().non_saturating, sigmoid_of(-f) * w, 1e-5 * w);
  EXPECT_GT(points.back().non_saturating, points.front().non_saturating);

  int asked = 0;
  EXPECT_TRUE(train_fresh_critic(fight, options, [&] { return ++asked < 3; }).empty());
  EXPECT_EQ(asked, 3);
  EXPECT_THROW(train_fresh_critic(fight, {.steps = 0}), Error);
}

}  // namespace
}  // namespace duel::gan::lab
