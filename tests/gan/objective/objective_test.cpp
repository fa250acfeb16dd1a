// Closed forms: what theory says the losses and penalties are, and what is refused.
#include "duel/gan/objective/objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/models/models.h"
#include "duel/nn/layers.h"
#include "mistakes.h"
#include "tests/files.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::kF64;

using duel::testing::error_of;
using duel::testing::linear_critic;

// D(x) = w x has the input gradient w everywhere, so each penalty and its gradient in w are known in closed
// form. A norm over the whole batch, over one axis, or without the gradient's graph gives other numbers.
TEST(Penalty, OfALinearCriticIsClosedForm) {
  const std::vector<double> w{3, 0, -4};  // norm 5
  nn::Sequential critic = linear_critic(w);
  Generator random(1);
  const Tensor points = random.normal({7, 3}, 0, 1, kF64);
  struct Expected {
    PenaltyShape shape;
    double value, slope;  // shape(5) and its derivative
  };
  const Expected expected[] = {{one_centered(1.0), 16, 8},
                               {one_centered(2.0), 9, 6},
                               {zero_centered(), 25, 10},
                               {one_sided(1.0), 16, 8},
                               {one_sided(6.0), 0, 0},
                               {power(6), 15625, 18750},
                               {worst_of(zero_centered()), 25, 10}};
  for (const auto& [shape, value, slope] : expected) {
    const auto result = gradient_penalty(critic, points, shape, 10.0);
    EXPECT_NEAR(result.value.item(), 10 * value, 1e-14 * (100 + 10 * value)) << shape.name;
    EXPECT_NEAR(result.mean_norm.item(), 5, 1e-12);
    const auto dw = grad({result.value}, critic.parameters(), {}, {.allow_unused = true});
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(dw[0].to_vector<double>()[i], 10 * slope * w[i] / 5, 1e-14 * (100 + 10 * slope))
          << shape.name;
    }
    EXPECT_TRUE(!dw[1].defined() || dw[1].item() == 0) << "the bias does not enter the penalty";
  }
  EXPECT_NEAR(mean_gradient_norm(critic, points), 5, 1e-12);
}

TEST(Penalty, IsZeroAndSafeWhereTheGradientIsZero) {
  nn::Sequential critic = linear_critic({0, 0});
  for (const PenaltyShape& shape :
       {one_centered(1.0), one_sided(1.0), zero_centered(), power(6), worst_of(zero_centered())}) {
    const auto result = gradient_penalty(critic, Tensor::ones({3, 2}, kF64), shape, 1.0);
    EXPECT_TRUE(std::isfinite(result.value.item()));
    for (double v : grad({result.value}, {critic.parameters()[0]})[0].to_vector<double>()) EXPECT_EQ(v, 0);
  }
}

// Norms 3 |x| per sample: the mean of n^p, and the one sample that the worst-case penalty follows.
TEST(Penalty, PowersAndTheWorstSample) {
  struct Cone : nn::Module {  // D(x) = w x^2 / 2, |D'(x)| = w |x|
    Tensor w = register_parameter("w", Tensor::from({3.0}, {1}));
    Tensor forward(const Tensor& x) override { return square(x) * 0.5 * w; }
  } cone;
  const Tensor points = Tensor::from({0.5, -1.0, 0.25}, {3, 1});
  const auto value = [&](const PenaltyShape& shape) { return gradient_penalty(cone, points, shape, 2.0); };
  const double n[] = {1.5, 3, 0.75};
  EXPECT_NEAR(value(power(6)).value.item(),
              2 * (std::pow(n[0], 6) + std::pow(n[1], 6) + std::pow(n[2], 6)) / 3, 1e-11);
  const PenaltyResult worst = value(worst_of(zero_centered()));
  EXPECT_NEAR(worst.value.item(), 2 * 9, 1e-13);
  EXPECT_NEAR(worst.mean_norm.item(), (n[0] + n[1] + n[2]) / 3, 1e-14)
      << "a diagnostic: the mean, as elsewhere";
  EXPECT_NEAR(grad({worst.value}, {cone.w})[0].item(), 2 * 2 * 3 * 1.0, 1e-12)
      << "d(2 w^2)/dw, of that sample alone";
}

TEST(Penalty, LinesUseOneEpsPerSample) {
  const Tensor real = Tensor::full({2, 3}, 1.0, kF64), fake = Tensor::full({2, 3}, -1.0, kF64);
  const Tensor points = line_points(real, fake, Tensor::from({0.25, 1.0}, {2}));
  EXPECT_EQ(points.to_vector<double>(), (std::vector<double>{-0.5, -0.5, -0.5, 1, 1, 1}));
}

TEST(Penalty, DraganPointsUseTheDeviationOfTheWholeBatch) {
  const Tensor real = Tensor::from({-1.0, 1.0, -1.0, 1.0}, {2, 2});  // deviation 1
  const Tensor points = dragan_points(real, Tensor::from({0.5, 0.0}, {2}), Tensor::full({2, 2}, 0.8, kF64));
  const auto got = points.to_vector<double>();
  const double expected[] = {-0.8, 1.2, -1, 1};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[i], expected[i], 1e-15);
  Generator random(1);
  for (double v : around_real_two_sided().points(real, real, random).to_vector<double>())
    EXPECT_LE(std::abs(v), 1.0);
}

// d(penalty)/d(weights), which training follows, by central differences.
TEST(Penalty, WeightGradientsByDifferences) {
  using namespace nn;  // NOLINT: layers
  Generator random(2);
  const auto check = [&](Sequential net, const Shape& input, const std::string& what) {
    net.to(DType::f64);
    const Tensor points = random.normal(input, 0, 1, kF64);
    for (const PenaltyShape& shape :
         {one_centered(1.0), one_sided(0.1), zero_centered(), power(6), worst_of(zero_centered())}) {
      const auto f = [&](const std::vector<Tensor>& weights) {
        const auto parameters = net.parameters();
        NoGrad writing;
        for (size_t i = 0; i < parameters.size(); ++i) parameters[i].copy_(weights[i]);
        EnableGrad recording;
        return gradient_penalty(net, points, shape, 1.0).value;
      };
      const auto parameters = net.parameters();
      const auto gradients =
          grad({gradient_penalty(net, points, shape, 1.0).value}, parameters, {}, {.allow_unused = true});
      for (size_t k = 0; k < parameters.size(); ++k) {
        std::vector<Tensor> weights;
        for (const Tensor& p : parameters) weights.push_back(p.detach().clone());
        for (int64_t i = 0; i < weights[k].numel(); i += 3) {
          double* w = weights[k].mutable_data<double>() + i;
          const double kept = *w, h = 1e-6;
          *w = kept + h;
          const double up = f(weights).item();
          *w = kept - h;
          const double down = f(weights).item();
          *w = kept;
          f(weights);
          const double numeric = (up - down) / (2 * h);
          const double computed =
              gradients[k].defined() ? gradients[k].to_vector<double>()[static_cast<size_t>(i)] : 0.0;
          EXPECT_NEAR(computed, numeric, 1e-6 * (1 + std::abs(numeric)))
              << what << " " << shape.name << " parameter " << k;
        }
      }
    }
  };
  check(Sequential(Linear(4, 6), LeakyReLU(0.2), Linear(6, 5), nn::Tanh(), Linear(5, 1)), {3, 4}, "mlp");
  check(Sequential(Conv2d(1, 2, 4, {.stride = 2, .padding = 1}), Softplus(), Flatten(), Linear(8, 1)),
        {2, 1, 4, 4}, "conv");
  check(Sequential(Linear(4, 6), LayerNorm(Shape{6}), ELU(), Linear(6, 1)), {3, 4}, "layer norm");
}

TEST(Loss, MinimaxAtTheOptimalDiscriminatorIsJensenShannon) {
  // p = (0.2, 0.3, 0.5), q = (0.6, 0.3, 0.1): D* = log p / q as a logit; L_D(D*) = 2 log 2 - 2 JS(p, q).
  const double p[] = {0.2, 0.3, 0.5}, q[] = {0.6, 0.3, 0.1};
  double loss = 0, js = 0;
  for (int i = 0; i < 3; ++i) {
    const Tensor logit = Tensor::from({std::log(p[i] / q[i])}, {1});
    loss += p[i] * bce_with_logits(logit, 1.0).item() + q[i] * bce_with_logits(logit, 0.0).item();
    const double m = 0.5 * (p[i] + q[i]);
    js += 0.5 * (p[i] * std::log(p[i] / m) + q[i] * std::log(q[i] / m));
  }
  EXPECT_NEAR(loss, 2 * std::log(2.0) - 2 * js, 1e-12);
}

TEST(Loss, TrainedDiscriminatorReachesTheOptimalOne) {
  // Two known densities on three points, D a free logit per point: gradient descent must end at log p / q.
  const double p[] = {0.2, 0.3, 0.5}, q[] = {0.6, 0.3, 0.1};
  Tensor logits = Tensor::zeros({3}, kF64).set_requires_grad(true);
  const Tensor real = Tensor::from({p[0], p[1], p[2]}, {3}), fake = Tensor::from({q[0], q[1], q[2]}, {3});
  for (int i = 0; i < 4000; ++i) {
    const Tensor loss = sum(real * softplus(-logits)) + sum(fake * softplus(logits));
    const Tensor g = grad({loss}, {logits})[0];
    NoGrad writing;
    logits.copy_(logits - g * 2.0);
  }
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(logits.to_vector<double>()[i], std::log(p[i] / q[i]), 1e-6);
}

TEST(Loss, LeastSquaresOptimumAndLabels) {
  // The optimal D of least squares is (b p + a q) / (p + q): its gradient in D vanishes there.
  const double p = 0.7, q = 0.2, a = -1, b = 1;
  const Tensor d = Tensor::from({(b * p + a * q) / (p + q)}, {1}).set_requires_grad(true);
  const Tensor loss = squared_difference(d, b, 0.5) * p + squared_difference(d, a, 0.5) * q;
  EXPECT_NEAR(grad({loss}, {d})[0].item(), 0, 1e-15);
  const Tensor r = Tensor::from({2.0, 0.0}, {2}), f = Tensor::from({1.0, 3.0}, {2});
  const Loss pearson = least_squares_loss(-1, 1, 0);
  EXPECT_DOUBLE_EQ(discriminator_loss(pearson, Relativism::none, r, f).item(),
                   0.5 * (1 + 1) / 2 + 0.5 * (4 + 16) / 2);
  EXPECT_DOUBLE_EQ(generator_loss(pearson, Relativism::none, r, f).item(), 0.5 * (1 + 9) / 2);
}

// The paper's eq. 9 has 1/2 before every square, the authors' code has none.
TEST(Loss, LeastSquaresWithAnotherFactor) {
  const Tensor r = Tensor::from({0.5, 2.0}, {2, 1}), f = Tensor::from({-1.0, 0.25}, {2, 1});
  for (const char* name : {"lsgan", "lsgan-pearson"}) {
    const Loss half = named_objective(name).loss,
               whole = named_objective(name, {{"square-weight", 1.0}}).loss;
    EXPECT_DOUBLE_EQ(discriminator_loss(whole, Relativism::none, r, f).item(),
                     2 * discriminator_loss(half, Relativism::none, r, f).item());
    EXPECT_DOUBLE_EQ(generator_loss(whole, Relativism::none, r, f).item(),
                     2 * generator_loss(half, Relativism::none, r, f).item());
    EXPECT_EQ(resolved_overrides(name).number("square-weight"), 0.5);
  }
  EXPECT_THROW(named_objective("lsgan", {{"square-weight", 0.0}}), Error);
  EXPECT_THROW(named_objective("ns-gan", {{"square-weight", 0.5}}), Error);
}

TEST(Loss, ExtremeLogitsStayFinite) {
  for (const double x : {-100.0, 100.0, -1000.0, 1000.0}) {
    Tensor logit = Tensor::from({static_cast<float>(x)}, {1}).set_requires_grad(true);
    for (const Loss& loss : {minimax_loss(), non_saturating_loss(), hinge_loss_pair(), least_squares_loss(),
                             wasserstein_loss()}) {
      const Tensor l = discriminator_loss(loss, Relativism::none, logit, logit) +
                       generator_loss(loss, Relativism::none, logit, logit);
      EXPECT_TRUE(std::isfinite(l.item())) << loss.name << " at " << x;
      EXPECT_TRUE(std::isfinite(grad({l}, {logit})[0].item())) << loss.name << " at " << x;
    }
  }
  const Tensor far = Tensor::from({100.0}, {1}).set_requires_grad(true);
  EXPECT_DOUBLE_EQ(bce_with_logits(far, 1.0).item(), std::exp(-100.0));  // softplus(-100), not 0
  EXPECT_NEAR(grad({bce_with_logits(far, 1.0)}, {far})[0].item() / -std::exp(-100.0), 1, 1e-12);
  EXPECT_DOUBLE_EQ(softplus(far).item(), 100.0);
}

TEST(Loss, RelativisticFormsByHand) {
  const Tensor r = Tensor::from({2.0, -1.0}, {2}), f = Tensor::from({0.5, 1.0}, {2});
  const auto sp = [](double v) { return std::log1p(std::exp(v)); };
  EXPECT_NEAR(discriminator_loss(non_saturating_loss(), Relativism::paired, r, f).item(),
              (sp(-1.5) + sp(2)) / 2, 1e-12);
  EXPECT_NEAR(generator_loss(non_saturating_loss(), Relativism::paired, r, f).item(), (sp(1.5) + sp(-2)) / 2,
              1e-12);
  const double mr = 0.5, mf = 0.75;
  EXPECT_NEAR(discriminator_loss(non_saturating_loss(), Relativism::average, r, f).item(),
              0.5 * ((sp(-(2 - mf)) + sp(-(-1 - mf))) / 2 + (sp(0.5 - mr) + sp(1 - mr)) / 2), 1e-12);
  EXPECT_NEAR(generator_loss(non_saturating_loss(), Relativism::average, r, f).item(),
              0.5 * ((sp(-(0.5 - mr)) + sp(-(1 - mr))) / 2 + (sp(2 - mf) + sp(-1 - mf)) / 2), 1e-12);
  EXPECT_NE(error_of([&] {
              discriminator_loss(non_saturating_loss(), Relativism::paired, r, Tensor::ones({3}, kF64));
            }).find("equal batches"),
            std::string::npos);
}

TEST(Objective, NamesDefaultsAndOverrides) {
  std::set<std::string> names;
  for (const std::string& name : objective_names()) {
    const Objective objective = named_objective(name);
    EXPECT_EQ(objective.name, name);
    EXPECT_FALSE(objective.formula.empty() || objective.paper.empty()) << name;
    EXPECT_TRUE(names.insert(name).second) << name << " stands twice in the table";
  }
  const Objective gp =
      named_objective("wgan-gp", {{"lambda", 1.0}, {"k", 0.5}, {"lr-d", 3e-4}, {"critic-steps", 2}});
  EXPECT_EQ(gp.penalties[0].weight, 1.0);
  EXPECT_EQ(gp.penalties[0].shape.name, "one_centered(0.5)");
  EXPECT_EQ(gp.schedule.critic_steps, 2);
  EXPECT_EQ(gp.schedule.d.lr, 3e-4);
  EXPECT_EQ(gp.schedule.g.lr, 1e-4);
  EXPECT_EQ(named_objective("wgan").constraint.weight_clip, 0.01);
}

TEST(Objective, WhatCannotWorkIsRefusedWithTheReason) {
  for (const char* slip : {"wgan-pg", "WGAN-GP", "Wgan_gp", "wgangp", "wgan-gpp"}) {
    EXPECT_NE(error_of([&] {
                named_objective(slip);
              }).find(message("'{}': did you mean 'wgan-gp'? 'duel objectives' lists", slip)),
              std::string::npos)
        << slip;
  }
  for (const char* other : {"nonsense", "diffusion", "x", ""}) {
    EXPECT_NE(error_of([&] { named_objective(other); }).find(message("'{}'; 'duel objectives' lists", other)),
              std::string::npos)
        << other;
  }
  EXPECT_NE(error_of([] {
              named_objective("ns-gan", {{"lambda", 1.0}});
            }).find("no gradient penalty"),
            std::string::npos);
  // Only what was given is named, with where it has a place.
  const std::string lambda = error_of([] { named_objective("ns-gan", {{"lambda", 1.0}}); });
  EXPECT_NE(lambda.find("lambda does not apply"), std::string::npos) << lambda;
  EXPECT_NE(lambda.find("wgan-gp"), std::string::npos) << lambda;
  EXPECT_EQ(lambda.find("lazy-interval"), std::string::npos) << lambda;
  EXPECT_NE(error_of([] {
              named_objective("ns-gan", {{"clip", 0.1}});
            }).find("an objective that does: wgan"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("ns-gan", {{"margin", 0.1}});
            }).find("a setting of ebgan"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("ns-gan", {{"code-values", 1}});
            }).find("a setting of infogan"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("r1", {{"k", 1.0}});
            }).find("k does not apply"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("wgan-gp", {{"clip", 0.1}});
            }).find("clip does not apply"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("wgan", {{"clip", -0.1}});
            }).find("clip: expected a positive"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("wgan", {{"lr-d", -1}});
            }).find("lr-d: expected a positive"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("hinge", {{"label-smoothing", 0.1}});
            }).find("label-smoothing"),
            std::string::npos);
  EXPECT_NE(error_of([] { named_objective("gan", {{"label-a", 0.1}}); }).find("label-a"), std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("wgan", {{"beta1", 0.9}});
            }).find("leave them out, or add optimizer adam"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("wgan-gp", {{"beta2", 0.9}, {"optimizer", "sgd"}});
            }).find("beta1 and beta2"),
            std::string::npos);
  EXPECT_EQ(named_objective("wgan", {{"beta1", 0.9}, {"optimizer", "adam"}}).schedule.g.beta1, 0.9);
  EXPECT_NE(error_of([] {
              named_objective("ns-gan", {{"instance-noise-steps", 5}});
            }).find("add instance-noise"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("ns-gan", {{"instance-noise", 0.0}, {"instance-noise-steps", 5}});
            }).find("there is none"),
            std::string::npos);
  EXPECT_NO_THROW(named_objective(
      "ns-gan", {{"instance-noise-steps", 0}}));  // off, as config.json of earlier runs says it
  EXPECT_EQ(named_objective("ns-gan", {{"instance-noise", 0.1}, {"instance-noise-steps", 5}})
                .schedule.instance_noise_steps,
            5);
  Generator random(1);
  const Networks with_bn = make_networks({.arch = "dcgan", .discriminator_norm = Norm::batch}, true, random);
  EXPECT_NE(error_of([&] {
              check_compatible(named_objective("wgan-gp"), *with_bn.discriminator, 64);
            }).find("batch norm"),
            std::string::npos);
  EXPECT_NO_THROW(check_compatible(named_objective("wgan"), *with_bn.discriminator, 64));
  const Networks plain = make_networks({.arch = "dcgan"}, false, random);
  EXPECT_NO_THROW(check_compatible(named_objective("wgan-gp"), *plain.discriminator, 64));
  EXPECT_NE(error_of([&] {
              check_compatible(named_objective("gan", {{"packing", 3}}), *plain.discriminator, 64);
            }).find("packing 3"),
            std::string::npos);
}

TEST(Models, SizesAndParameterCounts) {
  Generator random(1);
  struct Expected {
    const char* arch;
    int64_t g, d;
  };
  // Counted from the layer sizes: 100-256-512-784 and 784-512-256-1; the DCGAN of performance peers, with its
  // norms.
  for (const auto& [arch, g, d] : {Expected{"mlp", 559632, 533505}, Expected{"dcgan", 1794177, 138561}}) {
    const Networks n = make_networks({.arch = arch}, false, random);
    EXPECT_EQ(n.generator->parameter_count(), g) << arch;
    EXPECT_EQ(n.discriminator->parameter_count(), d) << arch;
  }
  for (const std::string& arch : architecture_names()) {
    const Networks n = make_networks({.arch = arch, .packing = 2}, true, random);
    NoGrad no_grad;
    const Tensor images = (*n.generator)(random.normal({4, n.latent.width()}));
    EXPECT_EQ(images.shape(), (Shape{4, 1, 28, 28})) << arch;
    EXPECT_EQ((*n.discriminator)(images.reshape({2, 2, 28, 28})).shape(), (Shape{2, 1})) << arch;
  }
}

}  // namespace
}  // namespace duel::gan
