// Update orders against formulas on a game whose steps can be written by hand, samples that are no images,
// and G's inputs.
#include "duel/gan/train/update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/conditional.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"
#include "tests/tensors.h"

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

// D(x) = psi x, G(z) = theta z with z = 1, real 0, L_D = f - r = psi theta, L_G = -psi theta: the bilinear
// game.
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
  // alternating would give theta + h (psi - h theta)
  EXPECT_NEAR(value(*trainer.networks().generator), theta + h * psi, 1e-6);
}

TEST(Update, ExtragradientUsesTheGradientsOfTheLookAhead) {
  const double psi = 0.5, theta = 2.0, h = 0.1;
  Trainer trainer = bilinear(psi, theta, Update::extragradient, h);
  trainer.joint_step(batch());
  EXPECT_NEAR(value(*trainer.networks().discriminator), psi - h * (theta + h * psi), 1e-6);
  EXPECT_NEAR(value(*trainer.networks().generator), theta + h * (psi - h * theta), 1e-6);
}

// The moving average of G, written by hand beside the players, moves once per update and knows nothing of the
// look-ahead. An average that decays in both steps, or that takes in the look-ahead point, gives other
// numbers.
TEST(Update, TheAverageMovesOncePerUpdateWhateverTheOrder) {
  const double h = 0.1, gamma = 0.7;
  for (const Update update : {Update::simultaneous, Update::extragradient, Update::consensus}) {
    Objective objective{.name = "bilinear", .loss = non_saturating_loss()};
    objective.schedule.update = update;
    objective.schedule.consensus = gamma;
    objective.schedule.ema = 0.5;
    objective.schedule.d = objective.schedule.g = {.kind = OptimizerKind::sgd, .lr = h};
    const auto g_net = scale(2.0), d_net = scale(0.5);
    g_net->to(DType::f64);
    d_net->to(DType::f64);
    Trainer trainer({g_net, d_net, {.noise = 1}, {}}, objective, nullptr, {.batch = 1, .dtype = DType::f64});
    double psi = 0.5, theta = 2.0, average = theta;
    // L_D = softplus(f) + log 2, L_G = softplus(-f), f = psi theta, s = sigmoid(f).
    const auto gradients = [](double p, double t) {
      const double s = 1 / (1 + std::exp(-p * t));
      return std::pair(s * t, -(1 - s) * p);
    };
    for (int i = 1; i <= 3; ++i) {
      auto [d, g] = gradients(psi, theta);
      if (update == Update::extragradient) std::tie(d, g) = gradients(psi - h * d, theta - h * g);
      if (update == Update::consensus) {  // of R = (d^2 + g^2) / 2
        const double s = 1 / (1 + std::exp(-psi * theta)), slope = s * (1 - s);
        const double d_psi = slope * theta * theta, d_theta = slope * psi * theta + s;
        const double g_psi = slope * theta * psi - (1 - s), g_theta = slope * psi * psi;
        const double pull_d = d * d_psi + g * g_psi, pull_g = d * d_theta + g * g_theta;
        d += gamma * pull_d;
        g += gamma * pull_g;
      }
      psi -= h * d;
      theta -= h * g;
      // steps of the optimizer: both of ExtraAdam's count
      const double n = update == Update::extragradient ? 2 * i : i;
      const double decay = std::min(0.5, (1 + n) / (10 + n));
      average = decay * average + (1 - decay) * theta;
      trainer.joint_step({.real = Tensor::zeros({1, 1}, {DType::f64, {}}),
                          .latents = {.input = Tensor::ones({1, 1}, {DType::f64, {}})}});
      if (i == 2) continue;
      EXPECT_NEAR(value(*trainer.networks().generator), theta, 1e-14) << i;
      EXPECT_NEAR(trainer.optimizer_g().ema().to_vector<double>()[0], average, 1e-14) << i;
    }
  }
}

// The steps ahead of D are no steps: G's average moves once with G, and what D's optimizer keeps of D stays
// as it is.
TEST(Update, UnrollingLeavesAveragesAndMomentsAlone) {
  Objective objective{.name = "unrolled", .loss = saddle_loss(minimax_loss())};
  objective.schedule.unroll = 3;
  objective.schedule.ema = 0.5;
  objective.schedule.d = objective.schedule.g = {.kind = OptimizerKind::adam, .lr = 0.1};
  Trainer trainer({scale(2.0), scale(0.5), {.noise = 1}, {}}, objective, nullptr, {.batch = 1});
  trainer.optimizer_d().set_ema(0.5);
  trainer.critic_step(Tensor::ones({1, 1}), Tensor::zeros({1, 1}));
  const auto kept = [&] {
    std::vector<double> all;
    for (const auto& [name, tensor] : trainer.optimizer_d().state_dict()) all.push_back(tensor.item());
    return all;
  };
  const std::vector<double> before = kept();
  trainer.generator_step(Tensor::ones({1, 1}), Tensor::zeros({1, 1}));
  EXPECT_EQ(kept(), before);
  EXPECT_NEAR(trainer.optimizer_g().ema().to_vector<double>()[0],
              2.0 / 11 * 2.0 + 9.0 / 11 * value(*trainer.networks().generator),
              1e-6);  // the first of a warm-up
}

// ExtraAdam counts both gradients: two steps and two moments' updates per update of the players (Gidel 2018,
// algorithm 4).
TEST(Update, ExtragradientsMomentsSeeBothGradients) {
  const double h = 0.1, b1 = 0.5, b2 = 0.9;
  Objective objective{.name = "bilinear", .loss = wasserstein_loss()};
  objective.schedule.update = Update::extragradient;
  objective.schedule.d =
      objective.schedule.g = {.kind = OptimizerKind::adam, .lr = h, .beta1 = b1, .beta2 = b2};
  Trainer trainer({scale(2.0), scale(0.5), {.noise = 1}, {}}, objective, nullptr, {.batch = 1});
  struct Player {
    double start, m = 0, v = 0;
    double moved(double g, int step, double lr, double beta1, double beta2) {
      m = beta1 * m + (1 - beta1) * g;
      v = beta2 * v + (1 - beta2) * g * g;
      const double mean = m / (1 - std::pow(beta1, step)), square = v / (1 - std::pow(beta2, step));
      return start - lr * mean / (std::sqrt(square) + 1e-8);
    }
  };
  Player d{0.5}, g{2.0};
  for (int update = 0; update < 2; ++update) {
    const int step = 2 * update + 1;
    const double ahead_d = d.moved(g.start, step, h, b1, b2), ahead_g = g.moved(-d.start, step, h, b1, b2);
    const double next_d = d.moved(ahead_g, step + 1, h, b1, b2),
                 next_g = g.moved(-ahead_d, step + 1, h, b1, b2);
    d.start = next_d;
    g.start = next_g;
    trainer.joint_step(batch());
  }
  EXPECT_EQ(trainer.optimizer_d().steps(), 4);
  EXPECT_NEAR(value(*trainer.networks().discriminator), d.start, 1e-5);
  EXPECT_NEAR(value(*trainer.networks().generator), g.start, 1e-5);
}

// Simultaneous steps leave the equilibrium of the bilinear game by sqrt(1 + h^2) each, extragradient steps
// approach it by sqrt(1 - h^2 + h^4) (Gidel 2018, section 3).
TEST(Update, OnTheBilinearGameSimultaneousDivergesAndExtragradientConverges) {
  const double h = 0.2;
  for (const auto& [update, factor] : {std::pair{Update::simultaneous, std::sqrt(1 + h * h)},
                                       {Update::extragradient, std::sqrt(1 - h * h + h * h * h * h)}}) {
    Trainer trainer = bilinear(1.0, 0.0, update, h);
    for (int i = 0; i < 50; ++i) trainer.joint_step(batch());
    const double radius =
        std::hypot(value(*trainer.networks().discriminator), value(*trainer.networks().generator));
    EXPECT_NEAR(radius, std::pow(factor, 50), 1e-4 * std::pow(factor, 50));
  }
}

// v = (theta, -psi), R = (theta^2 + psi^2) / 2: the regulariser turns the orbit into a spiral towards 0
// (Mescheder 2017).
TEST(Update, ConsensusOnTheBilinearGame) {
  const double psi = 0.5, theta = 2.0, h = 0.1, gamma = 0.7;
  Objective objective{.name = "bilinear", .loss = wasserstein_loss()};
  objective.schedule.update = Update::consensus;
  objective.schedule.consensus = gamma;
  objective.schedule.d = objective.schedule.g = {.kind = OptimizerKind::sgd, .lr = h};
  Trainer trainer({scale(theta), scale(psi), {.noise = 1}, {}}, objective, nullptr, {.batch = 1});
  trainer.joint_step(batch());
  EXPECT_NEAR(value(*trainer.networks().discriminator), psi - h * (theta + gamma * psi), 1e-6);
  EXPECT_NEAR(value(*trainer.networks().generator), theta - h * (-psi + gamma * theta), 1e-6);
  for (int i = 0; i < 200; ++i) trainer.joint_step(batch());
  EXPECT_LT(std::hypot(value(*trainer.networks().discriminator), value(*trainer.networks().generator)), 1e-3);
}

// R1 at D = 0: L_D = f - r + c psi^2 with gradient theta + 2 c psi, so R's slope in psi is theta 2 c there:
// the penalty's second derivative, at an input gradient of exactly 0.
TEST(Update, ConsensusSeesTheCurvatureOfR1WhereDIsFlat) {
  const double theta = 2.0, h = 0.1, gamma = 0.7, c = 1.5;
  Objective objective{
      .name = "bilinear", .loss = wasserstein_loss(), .penalties = {{zero_centered(), at_real(), c}}};
  objective.schedule.update = Update::consensus;
  objective.schedule.consensus = gamma;
  objective.schedule.d = objective.schedule.g = {.kind = OptimizerKind::sgd, .lr = h};
  Trainer trainer({scale(theta), scale(0.0), {.noise = 1}, {}}, objective, nullptr, {.batch = 1});
  trainer.joint_step(batch());
  EXPECT_NEAR(value(*trainer.networks().discriminator), -h * (theta + gamma * theta * 2 * c), 1e-6);
}

using duel::testing::kF64;

/// G's loss and gradient through 3 steps of D's optimizer: against the same loss at D after 3 real steps, and
/// its central differences in every second weight of G. `batch`: 6 real samples, and what G starts from.
void expect_unrolled(Networks networks, Objective objective, const Trainer::Batch& batch,
                     const std::string& what) {
  SCOPED_TRACE(what);
  nn::Module &g = *networks.generator, &d = *networks.discriminator;
  g.to(DType::f64);
  d.to(DType::f64);
  objective.schedule.unroll = 3;
  Trainer trainer(networks, objective, nullptr, {.batch = 6, .dtype = DType::f64});
  const auto real_steps = [&](int count) {
    Trainer::Batch now = batch;
    now.fake = trainer.generate(batch.latents.input);
    for (int i = 0; i < count; ++i) trainer.critic_step(now);
  };
  real_steps(2);  // moments that are not zero
  const TensorFile before = trainer.state();
  const auto loss_after_real_steps = [&] {
    nn::StateDict kept_g = g.state_dict();
    for (auto& [name, tensor] : kept_g) tensor = tensor.clone();
    trainer.restore(before);
    g.load_state_dict(kept_g);
    real_steps(3);
    NoGrad no_grad;
    const Tensor fake = trainer.generate(batch.latents.input);
    const Round round{.real = {batch.real, batch.real_labels, judge(d, batch.real, batch.real_labels)},
                      .fake = {fake, batch.latents.labels, judge(d, fake, batch.latents.labels)},
                      .codes = batch.latents.codes};
    double loss = -(bce_with_logits(round.real.judgement.logits, 1.0).item() +
                    bce_with_logits(round.fake.judgement.logits, 0.0).item());
    for (const Term& term : objective.g_terms) loss += term.weight * term.value(round).item();
    trainer.restore(before);
    return loss;
  };
  trainer.generator_step(batch);
  const double loss_g = trainer.metrics().loss_g;
  const std::vector<Tensor> gradients = trainer.last_gradients();
  trainer.restore(before);
  EXPECT_NEAR(loss_g, loss_after_real_steps(), 1e-12);
  const auto parameters = g.parameters();
  double largest = 0;
  for (size_t p = 0; p < parameters.size(); ++p) {
    for (int64_t i = 0; i < parameters[p].numel(); i += 2) {
      const double kept = parameters[p].to_vector<double>()[static_cast<size_t>(i)], h = 1e-5;
      const auto at = [&](double v) {
        parameters[p].mutable_data<double>()[i] = v;
        return loss_after_real_steps();
      };
      const double numeric = (at(kept + h) - at(kept - h)) / (2 * h);
      at(kept);
      trainer.restore(before);
      EXPECT_NEAR(gradients[p].to_vector<double>()[static_cast<size_t>(i)], numeric,
                  1e-6 * (1 + std::abs(numeric)))
          << p << " " << i;
      largest = std::max(largest, std::abs(numeric));
    }
  }
  EXPECT_GT(largest, 1e-3);
}

std::shared_ptr<nn::Sequential> small_generator(int64_t inputs) {
  return std::make_shared<nn::Sequential>(nn::Linear(inputs, 4), nn::Tanh(), nn::Linear(4, 3));
}

Objective unrolled_objective(OptimizerKind kind = OptimizerKind::adam) {
  Objective objective{.name = "unrolled", .loss = saddle_loss(minimax_loss())};
  objective.schedule.d = objective.schedule.g = {.kind = kind, .lr = 0.02, .beta1 = 0.5, .beta2 = 0.9};
  return objective;
}

// Holding the unrolled D constant, or its moments, gives other numbers.
TEST(Update, UnrolledGradientsByDifferences) {
  using namespace nn;  // NOLINT: layers
  Generator random(4);
  const Tensor z = random.normal({6, 2}, 0, 1, kF64), real = random.normal({6, 3}, 0, 1, kF64);
  const Trainer::Batch batch{.real = real, .latents = {.input = z}};
  for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::rmsprop, OptimizerKind::sgd}) {
    const auto d = std::make_shared<Sequential>(Linear(3, 5), nn::Tanh(), Linear(5, 1));
    expect_unrolled({small_generator(2), d, {.noise = 2}, {}}, unrolled_objective(kind), batch, "a plain D");
  }
  const auto varied = std::make_shared<Sequential>(Linear(3, 5), nn::Tanh(), MinibatchStddev(), Linear(6, 1));
  expect_unrolled({small_generator(2), varied, {.noise = 2}, {}}, unrolled_objective(), batch,
                  "minibatch standard deviation");
}

// The steps ahead are D's steps: with its class or code loss, and its labels flipped by the same draws.
// Without one of these D comes out elsewhere.
TEST(Update, TheStepsAheadFollowAllOfDsLoss) {
  using namespace nn;  // NOLINT: layers
  Generator random(4);
  const auto draw = [&](int64_t columns) { return random.normal({6, columns}, 0, 1, kF64); };
  const Trainer::Batch plain{.real = draw(3), .latents = {.input = draw(2)}};
  Objective flipping = unrolled_objective();
  flipping.schedule.label_flip = 0.4;
  expect_unrolled({small_generator(2),
                   std::make_shared<Sequential>(Linear(3, 5), nn::Tanh(), Linear(5, 1)),
                   {.noise = 2},
                   {}},
                  flipping, plain, "flipped labels");

  const auto trunk = [] { return std::make_shared<Sequential>(Linear(3, 5), nn::Tanh()); };
  const Trainer::Batch labelled{
      .real = draw(3),
      .real_labels = Tensor::from<int64_t>({0, 1, 2, 2, 1, 0}, {6}),
      .latents = {.input = draw(5), .labels = Tensor::from<int64_t>({2, 1, 0, 1, 1, 0}, {6})}};
  Objective classes = unrolled_objective();
  classes.critic = CriticKind::class_head;
  classes.d_terms = {class_term_d(0.7)};
  classes.g_terms = {class_term_g(0.3)};
  expect_unrolled(
      {small_generator(5), std::make_shared<ClassCritic>(trunk(), 5, 3), {.noise = 2, .classes = 3}, {}},
      classes, labelled, "a class head");

  const Codes plan{.categorical = {2}, .continuous = 1};
  const Tensor codes = concat(
      {Tensor::from({1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0}, {6, 2}), draw(1)}, 1);
  const Trainer::Batch coded{.real = draw(3),
                             .latents = {.input = concat({draw(2), codes}, 1), .codes = codes}};
  Objective information = unrolled_objective();
  information.critic = CriticKind::code_head;
  information.codes = plan;
  information.d_terms = information.g_terms = {information_term(plan, 0.5)};
  expect_unrolled({small_generator(5),
                   std::make_shared<CodeCritic>(trunk(), 5, std::make_shared<Sequential>(Linear(5, 3))),
                   {.noise = 2, .categorical = {2}, .continuous = 1},
                   {}},
                  information, coded, "a code head");
}

// Without D's answer, k = 0, G's saddle loss has the gradient of the minimax loss.
TEST(Update, UnrollingChangesTheGradientOfG) {
  const auto gradient = [](int64_t unroll) {
    Objective objective{.name = "unrolled", .loss = saddle_loss(minimax_loss())};
    objective.schedule.unroll = unroll;
    objective.schedule.d = objective.schedule.g = {.kind = OptimizerKind::sgd, .lr = 0.1};
    Trainer trainer({scale(2.0), scale(0.5), {.noise = 1}, {}}, objective, nullptr, {.batch = 1});
    trainer.generator_step(Tensor::ones({1, 1}), Tensor::zeros({1, 1}));
    return trainer.last_gradients()[0].item();
  };
  // f = psi theta = 1: d(-softplus f)/d theta = -sigmoid(1) psi.
  const double s = 1 / (1 + std::exp(-1.0));
  EXPECT_NEAR(gradient(0), -s * 0.5, 1e-6);
  // One step: psi' = psi - h s(psi theta) theta; L = -softplus(psi' theta) - log 2.
  const double slope = s * (1 - s), moved = 0.5 - 0.1 * s * 2, f = moved * 2, sf = 1 / (1 + std::exp(-f));
  const double d_moved = -0.1 * (slope * 0.5 * 2 + s);
  EXPECT_NEAR(gradient(1), -sf * (moved + d_moved * 2), 1e-6);
}

TEST(ResidentData, SamplesThatAreNoImagesAndTheirLabels) {
  const ResidentData data(Tensor::from({1., 2., 3., 4., 5., 6.}, {3, 2}),
                          Tensor::from<int64_t>({7, 8, 9}, {3}));
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
