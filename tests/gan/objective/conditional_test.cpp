// Classes and codes: critics and terms against numbers worked by hand and differences, and the grids that
// show them.
#include "duel/gan/objective/conditional.h"
#include "duel/gan/models/network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"
#include "mistakes.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;

using duel::testing::kF64;

std::shared_ptr<nn::Sequential> trunk(int64_t inputs, int64_t features) {
  return std::make_shared<nn::Sequential>(nn::Flatten(), nn::Linear(inputs, features), nn::Tanh());
}

std::vector<double> row_of(const Tensor& t, int64_t i) { return slice(t, 0, i, i + 1).to_vector<double>(); }

// ---- Critics ----

TEST(ProjectionCritic, IsThePapersFormula) {
  auto identity = std::make_shared<nn::Sequential>(nn::Flatten());
  ProjectionCritic critic(identity, 2, 3);
  critic.to(DType::f64);
  critic.load_state_dict({{"logit.weight", Tensor::from({0.5, -1.0}, {1, 2})},
                          {"logit.bias", Tensor::from({0.25}, {1})},
                          {"embed.weight", Tensor::from({1.0, 10.0, 2.0, 20.0, 3.0, 30.0}, {3, 2})}});
  const Tensor x = Tensor::from({1.0, 2.0, 3.0, 4.0}, {2, 1, 1, 2});
  const auto logits = critic.judge(x, Tensor::from({int64_t{2}, int64_t{0}}, {2})).logits.to_vector<double>();
  EXPECT_NEAR(logits[0], 0.5 - 2 + 0.25 + (3 * 1 + 30 * 2), 1e-15);
  EXPECT_NEAR(logits[1], 1.5 - 4 + 0.25 + (1 * 3 + 10 * 4), 1e-15);
  EXPECT_NE(error_of([&] { judge(critic, x); }).find("labels"), std::string::npos);
}

TEST(LabelCritic, ToldAnotherLabelItSaysSomethingElseAboutThatSampleOnly) {
  Generator random(1);
  for (const std::string& arch : architecture_names()) {
    for (const char* name : {"cgan", "projection"}) {
      const Objective o = named_objective(name);
      const Networks n = make_networks(networks_for(o,
                                                    {.arch = arch,
                                                     .height = 8,
                                                     .width = 8,
                                                     .channels_g = 4,
                                                     .channels_d = 4,
                                                     .discriminator_norm = Norm::none},
                                                    3),
                                       true, random);
      n.discriminator->eval();  // spectral norm rests
      const Tensor x = random.normal({3, 1, 8, 8});
      const Tensor a =
          judge(*n.discriminator, x, Tensor::from({int64_t{0}, int64_t{1}, int64_t{2}}, {3})).logits;
      const Tensor b =
          judge(*n.discriminator, x, Tensor::from({int64_t{0}, int64_t{2}, int64_t{2}}, {3})).logits;
      EXPECT_EQ(a.shape(), (Shape{3, 1}));
      const auto va = a.to_vector<float>(), vb = b.to_vector<float>();
      EXPECT_EQ(va[0], vb[0]) << arch << " " << name;
      EXPECT_NE(va[1], vb[1]) << arch << " " << name;
      EXPECT_EQ(va[2], vb[2]) << arch << " " << name;
    }
  }
}

// D(x, y) = (1 + y) x_0: the gradient's norm tells which label a penalty's points were judged with. Real
// samples are of class 0, fakes of class 2; every sampling says whose labels it takes, and mixing them up
// gives another number.
TEST(Critics, PenaltiesJudgeFakesWithTheLabelsTheyWereMadeFor) {
  struct Expected {
    PenaltySampling sampling;
    double norm;
  };
  Generator random(3);
  const Tensor real = random.uniform({5, 2}, -1, 1, kF64), fake = random.uniform({5, 2}, -1, 1, kF64);
  for (const auto& [sampling, norm] :
       {Expected{at_real(), 1}, Expected{at_fake(), 3}, Expected{on_lines(), 1}, Expected{around_real(), 1},
        Expected{around_real_two_sided(), 1}}) {
    const auto critic =
        std::make_shared<ProjectionCritic>(std::make_shared<nn::Sequential>(nn::Flatten()), 2, 3);
    critic->to(DType::f64);
    critic->load_state_dict({{"logit.weight", Tensor::zeros({1, 2}, kF64)},
                             {"logit.bias", Tensor::zeros({1}, kF64)},
                             {"embed.weight", Tensor::from({1.0, 0.0, 2.0, 0.0, 3.0, 0.0}, {3, 2})}});
    auto generator = std::make_shared<nn::Sequential>(nn::Linear(5, 2));
    generator->to(DType::f64);
    for (const PenaltyShape& shape : {zero_centered(), power(4), one_centered(0)}) {
      const Objective objective{
          .name = "mine", .penalties = {{shape, sampling, 0.5}}, .critic = CriticKind::projection};
      Trainer trainer({generator, critic, {.noise = 2, .classes = 3}, {}}, objective, nullptr,
                      {.batch = 5, .dtype = DType::f64});
      nn::StateDict before = critic->state_dict();
      for (auto& [name, tensor] : before) tensor = tensor.clone();
      trainer.critic_step({.real = real,
                           .real_labels = Tensor::zeros({5}, {DType::i64, {}}),
                           .fake = fake,
                           .latents = {.labels = Tensor::full({5}, 2, {DType::i64, {}})}},
                          true);
      EXPECT_NEAR(trainer.metrics().penalty, 0.5 * std::pow(norm, shape.name == "power(4)" ? 4 : 2), 1e-12)
          << shape.name << " at " << sampling.name;
      EXPECT_NEAR(trainer.metrics().input_gradient_norm, norm, 1e-12);
      critic->load_state_dict(before);
    }
  }
}

TEST(Critics, GradientsByDifferences) {
  Generator random(4);
  const Tensor labels = Tensor::from({int64_t{1}, int64_t{0}, int64_t{2}}, {3});
  const auto check = [&](Critic& critic, const std::function<Tensor(const Judgement&)>& of) {
    critic.to(DType::f64);
    const Tensor x = random.normal({3, 1, 2, 2}, 0, 1, kF64).set_requires_grad(true);
    const auto f = [&](const std::vector<Tensor>& in) { return of(critic.judge(in[0], labels)); };
    const auto first = gradcheck(f, {x}), second = gradgradcheck(f, {x});
    EXPECT_TRUE(first) << first.message;
    EXPECT_TRUE(second) << second.message;
  };
  const auto logits = [](const Judgement& j) { return j.logits; };
  LabelCritic columns(trunk(4 + 3, 5), 5, 3, LabelCritic::Input::columns);
  LabelCritic planes(std::make_shared<nn::Sequential>(nn::Conv2d(4, 2, 2), nn::Flatten(), nn::Tanh()), 2, 3,
                     LabelCritic::Input::planes);
  ProjectionCritic projection(trunk(4, 5), 5, 3);
  ClassCritic classes(trunk(4, 5), 5, 3);
  check(columns, logits);
  check(planes, logits);
  check(projection, logits);
  check(classes, logits);
  check(classes, [&](const Judgement& j) { return cross_entropy(j.classes, labels); });
}

// ---- Terms ----

TEST(ClassTerm, IsTheCrossEntropyOfBothSides) {
  const Tensor classes = Tensor::from({0.0, std::log(3.0), 0.0, 0.0}, {2, 2});  // 1/4 3/4; 1/2 1/2
  const Tensor labels = Tensor::from({int64_t{1}, int64_t{0}}, {2}),
               others = Tensor::from({int64_t{0}, int64_t{0}}, {2});
  const Round round{.real = {{}, labels, {.classes = classes}}, .fake = {{}, others, {.classes = classes}}};
  const double real = 0.5 * (-std::log(0.75) - std::log(0.5)), fake = 0.5 * (-std::log(0.25) - std::log(0.5));
  EXPECT_NEAR(class_term_d().value(round).item(), real + fake, 1e-15);
  EXPECT_NEAR(class_term_g().value(round).item(), fake, 1e-15);
  EXPECT_NE(error_of([] { class_term_g().value({}); }).find("class head"), std::string::npos);
}

TEST(CodeLoss, IsCrossEntropyAndAGaussianOfVarianceOne) {
  const Codes plan{.categorical = {2, 3}, .continuous = 2};
  const Tensor codes = Tensor::from({1.0, 0.0, 0.0, 0.0, 1.0, 0.5, -1.0}, {1, 7});
  const Tensor said = Tensor::from({std::log(3.0), 0.0, 0.0, 0.0, std::log(2.0), 0.1, 0.2}, {1, 7});
  EXPECT_NEAR(code_loss(plan, said, codes).item(),
              -std::log(0.75) - std::log(0.5) + 0.5 * (0.4 * 0.4 + 1.2 * 1.2), 1e-15);
  EXPECT_NEAR(code_loss(plan, concat({said, said}), concat({codes, codes})).item(),
              code_loss(plan, said, codes).item(), 1e-15);
  Generator random(8);
  const Tensor x = random.normal({3, 7}, 0, 1, kF64).set_requires_grad(true);
  const Tensor truth =
      concat({one_hot(random.integers({3}, 2), 2, DType::f64),
              one_hot(random.integers({3}, 3), 3, DType::f64), random.uniform({3, 2}, -1, 1, kF64)},
             1);
  const auto result =
      gradgradcheck([&](const std::vector<Tensor>& in) { return code_loss(plan, in[0], truth); }, {x});
  EXPECT_TRUE(result) << result.message;
  EXPECT_NE(error_of([&] { code_loss({.categorical = {2}, .continuous = 0}, said, codes); }).find("columns"),
            std::string::npos);
}

/// The whole way from G's weights to the mutual-information term.
struct Information {
  Codes plan{.categorical = {3}, .continuous = 1};
  Latents latents;
  CodeCritic critic{trunk(4, 5), 5,
                    std::make_shared<nn::Sequential>(nn::Linear(5, 6), nn::LeakyReLU(0.2), nn::Linear(6, 4))};
  Tensor weights;

  Information() {
    critic.to(DType::f64);
    LatentGenerators random = sampling_generators(3);
    latents = draw_latents({.noise = 2, .categorical = {3}, .continuous = 1}, 5, random, kF64);
    weights = Generator(6).normal({4, 6}, 0, 1, kF64).set_requires_grad(true);
  }
  Tensor value(const Tensor& w) {
    const Tensor fake = tanh(linear(latents.input, w)).reshape({5, 1, 2, 2});
    const Round round{.fake = {fake, {}, judge(critic, fake)}, .codes = latents.codes};
    return information_term(plan, 2.0).value(round);
  }
};

TEST(InformationTerm, ReachesTheGenerator) {
  Information info;
  const auto result =
      gradcheck([&](const std::vector<Tensor>& in) { return info.value(in[0]); }, {info.weights});
  EXPECT_TRUE(result) << result.message;
}

// torchgan (losses/functional.py, mutual_information_penalty) makes a new tensor of the values: the right
// number, and no gradient reaches G or Q.
TEST(KnownMistakes, MutualInformationWithItsGraphCut_torchgan) {
  Information info;
  std::vector<Tensor> learners{info.weights};
  for (const auto& [name, parameter] : info.critic.named_parameters()) {
    if (!name.starts_with("logit.")) learners.push_back(parameter);  // all but the logit's layer
  }
  const auto value = [&] { return info.value(info.weights); };
  const auto teaches = [&](const std::function<Tensor()>& penalty) {
    std::vector<Tensor> gradients(learners.size());
    const Tensor loss = penalty();
    if (loss.requires_grad()) gradients = grad({loss}, learners, {}, {.allow_unused = true});
    return duel::testing::is_gradient_of(value, learners, gradients);
  };
  EXPECT_TRUE(teaches(value));
  EXPECT_FALSE(teaches([&] { return Tensor::full({}, value().item(), kF64); }));
}

// In the trainer, D's optimizer moves Q, and G's step leaves it alone though its gradient passes through.
TEST(InformationTerm, QIsTrainedWithD) {
  Generator random(2);
  const Objective o = named_objective("infogan");
  const Networks n = make_networks(
      networks_for(o,
                   {.arch = "mlp", .height = 4, .width = 4, .latent = 3, .channels_g = 4, .channels_d = 4}),
      true, random);
  Trainer trainer(n, o, nullptr, {.batch = 4});
  LatentGenerators latent = sampling_generators(1);
  const auto q = [&] {
    std::vector<float> all;
    for (const auto& [name, p] : n.discriminator->named_parameters()) {
      if (!name.starts_with("q.")) continue;
      for (const float v : p.to_vector<float>()) all.push_back(v);
    }
    return all;
  };
  const auto before = q();
  ASSERT_FALSE(before.empty());
  Trainer::Batch batch{.real = random.normal({4, 1, 4, 4}), .latents = draw_latents(n.latent, 4, latent)};
  trainer.generator_step(batch, true);
  EXPECT_EQ(q(), before);
  batch.fake = trainer.generate(batch.latents.input);
  trainer.critic_step(batch, true);
  EXPECT_NE(q(), before);
  const Metrics m = trainer.metrics();
  for (const auto* terms : {&m.terms_d, &m.terms_g}) {
    ASSERT_EQ(terms->size(), 1u);
    EXPECT_EQ(terms->front().first, "info");
  }
}

// ---- Networks and refusals ----

TEST(Networks, AreMadeForEveryObjectiveAndArchitecture) {
  Generator random(1);
  for (const char* name : {"cgan", "acgan", "projection", "infogan", "ebgan", "began"}) {
    for (const std::string& arch : architecture_names()) {
      const Objective o = named_objective(name);
      const Networks n = make_networks(networks_for(o, {.arch = arch, .channels_g = 4, .channels_d = 4}, 10),
                                       o.batch_norm_in_d, random);
      NoGrad no_grad;
      LatentGenerators latent = sampling_generators(1);
      const Latents l = draw_latents(n.latent, 4, latent);
      const Tensor images = (*n.generator)(l.input);
      EXPECT_EQ(images.shape(), (Shape{4, 1, 28, 28})) << name << " " << arch;
      const Judgement j = judge(*n.discriminator, images, l.labels);
      EXPECT_EQ(j.logits.shape(), (Shape{4, 1}));
      EXPECT_TRUE(j.features.defined());
      EXPECT_EQ(l.labels.defined(), is_conditional(o.critic));
      EXPECT_EQ(j.classes.defined(), std::string(name) == "acgan");
      EXPECT_EQ(j.codes.defined() ? j.codes.dim(1) : 0, std::string(name) == "infogan" ? 12 : 0);
      const bool batch_norm = network_row(arch).norm_d == Norm::batch && std::string(name) != "began" &&
                              std::string(name) != "projection";
      EXPECT_EQ(n.discriminator->mixes_samples(), batch_norm) << name << ": as in the papers";
    }
  }
}

TEST(Conditional, WhatCannotWorkIsRefusedWithTheReason) {
  const auto refused = [](const std::function<void()>& act, const char* part) {
    const std::string error = error_of(act);
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  refused([] { named_objective("ns-gan", {{"margin", 2.0}}); }, "no energy margin: margin does not apply");
  refused([] { named_objective("began", {{"pull-away", 0.1}}); }, "pull-away does not apply");
  refused([] { named_objective("ebgan", {{"gamma", 0.1}}); }, "gamma does not apply");
  refused([] { named_objective("cgan", {{"class-weight", 0.1}}); }, "class-weight does not apply");
  refused([] { named_objective("acgan", {{"info-weight", 0.1}}); }, "info-weight does not apply");
  refused([] { named_objective("acgan", {{"code-classes", 3}}); }, "code-classes does not apply");
  refused([] { named_objective("began", {{"gamma", 1.5}}); }, "gamma: expected a number in [0, 1]");
  refused(
      [] {
        named_objective("infogan", {{"code-classes", 1}});
      },
      "code-classes: expected 0 or an integer from 2");
  Generator random(1);
  const NetworkOptions small{.arch = "mlp", .height = 8, .width = 8, .channels_g = 4, .channels_d = 4};
  refused(
      [&] {
        make_networks(networks_for(named_objective("cgan", {{"packing", 2}}), small), true, random);
      },
      "packing 2");
  refused(
      [&] {
        make_networks(
            networks_for(named_objective("infogan", {{"code-classes", 0}, {"code-values", 0}}), small), true,
            random);
      },
      "codes");
  const Networks plain = make_networks(small, true, random);
  for (const char* name : {"cgan", "acgan", "projection", "infogan", "ebgan", "began"}) {
    refused([&] { check_compatible(named_objective(name), *plain.discriminator, 8); },
            "more of D than a logit");
  }
  const Objective cgan = named_objective("cgan");
  const Networks conditional = make_networks(networks_for(cgan, small, 10), true, random);
  refused(
      [&] {
        check_compatible(named_objective("cgan", {{"packing", 2}}), *conditional.discriminator, 8);
      },
      "packing");
  Objective relativistic = named_objective("began");
  relativistic.relativism = Relativism::paired;
  const Networks energies = make_networks(networks_for(relativistic, small), false, random);
  refused([&] { check_compatible(relativistic, *energies.discriminator, 8); }, "relativistic");
  const auto unlabelled = std::make_shared<ResidentData>(Tensor::ones({9, 1, 8, 8}));
  refused([&] { Trainer(conditional, cgan, unlabelled, {.batch = 8}); }, "no labels");
}

// ---- Grids ----

const LatentPlan kClasses{.noise = 2, .classes = 3};
const LatentPlan kCodes{.noise = 2, .categorical = {2, 3}, .continuous = 2};  // columns: 2 | 2 3 | 2

TEST(SampleGrid, OneClassPerColumn) {
  LatentGenerators random = sampling_generators(7);
  const SampleGrid grid = sample_grid(kClasses, 7, random);
  EXPECT_EQ(grid.columns, 3);
  ASSERT_EQ(grid.input.shape(), (Shape{9, 5}));  // full rows
  const Tensor input = grid.input.to(DType::f64);
  for (int64_t i = 0; i < 9; ++i) {
    for (int64_t c = 0; c < 3; ++c)
      EXPECT_EQ(row_of(input, i)[static_cast<size_t>(2 + c)], c == i % 3 ? 1 : 0);
    EXPECT_NE(row_of(input, i)[0], row_of(input, (i + 1) % 9)[0]);
  }
  const SampleGrid one = class_grid(kClasses, 7, 2, random);
  EXPECT_EQ(one.columns, 8);
  EXPECT_EQ(sum(slice(one.input, 1, 4, 5)).item(), 7);
  EXPECT_NE(error_of([&] { class_grid(kClasses, 7, 3, random); }).find("from 0 to 2, got 3"),
            std::string::npos);
  EXPECT_NE(error_of([&] { class_grid(kCodes, 7, 0, random); }).find("not given classes"), std::string::npos);
}

TEST(SampleGrid, OfPlainGeneratorsIsTheNoiseOfTheSeed) {
  LatentGenerators random = sampling_generators(7);
  const SampleGrid grid = sample_grid({.noise = 4}, 5, random);
  EXPECT_EQ(grid.columns, 8);
  EXPECT_EQ(grid.input.to_vector<float>(), Generator(7).normal({5, 4}).to_vector<float>());
}

TEST(SweepGrid, MovesOneCodeAndKeepsTheRest) {
  struct Swept {
    int64_t code, begin, width, columns;
  };
  for (const auto& [code, begin, width, columns] :
       {Swept{0, 2, 2, 2}, {1, 4, 3, 3}, {2, 7, 1, 10}, {3, 8, 1, 10}}) {
    LatentGenerators random = sampling_generators(7);
    const SampleGrid grid = sweep_grid(kCodes, 2 * columns, code, random);
    EXPECT_EQ(grid.columns, columns);
    ASSERT_EQ(grid.input.shape(), (Shape{2 * columns, 9}));
    const Tensor input = grid.input.to(DType::f64);
    for (int64_t i = 0; i < 2 * columns; ++i) {
      const auto here = row_of(input, i), first = row_of(input, i / columns * columns);
      for (int64_t c = 0; c < 9; ++c) {
        const auto k = static_cast<size_t>(c);
        if (c < begin || c >= begin + width) {
          EXPECT_EQ(here[k], first[k]) << "code " << code << " image " << i << " column " << c;
        } else if (width > 1) {
          EXPECT_EQ(here[k], c - begin == i % columns ? 1 : 0);
        } else {
          EXPECT_NEAR(here[k], -2 + 4.0 * static_cast<double>(i % 10) / 9, 1e-6);
        }
      }
    }
    EXPECT_NE(row_of(input, 0)[0], row_of(input, columns)[0]) << "rows differ";
  }
  LatentGenerators random = sampling_generators(7);
  EXPECT_NE(error_of([&] { sweep_grid(kCodes, 8, 4, random); }).find("from 0 to 3, got 4"),
            std::string::npos);
  EXPECT_NE(error_of([&] { sweep_grid(kClasses, 8, 0, random); }).find("not given codes"), std::string::npos);
}

TEST(WalkGrid, KeepsClassAndCodesOfARow) {
  LatentGenerators random = sampling_generators(7);
  const Tensor classes = walk_grid(kClasses, 16, {}, random).input.to(DType::f64);
  ASSERT_EQ(classes.shape(), (Shape{16, 5}));
  for (int64_t i = 0; i < 16; ++i) EXPECT_EQ(row_of(classes, i)[static_cast<size_t>(2 + i / 8)], 1);
  EXPECT_EQ(sum(slice(walk_grid(kClasses, 16, 2, random).input, 1, 4, 5)).item(), 16);
  const Tensor codes = walk_grid(kCodes, 16, {}, random).input.to(DType::f64);
  for (int64_t i = 0; i < 16; ++i) {
    for (size_t c = 2; c < 9; ++c) EXPECT_EQ(row_of(codes, i)[c], row_of(codes, i / 8 * 8)[c]);
    EXPECT_EQ(row_of(codes, i)[0] == row_of(codes, i / 8 * 8)[0], i % 8 == 0);
  }
}

}  // namespace
}  // namespace duel::gan
