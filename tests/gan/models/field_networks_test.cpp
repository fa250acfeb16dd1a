// What every network of the table promises, whatever its parts: penalties through its D to order 2 in the weights, samples
// that are a function of latents and weights, and that training makes them better.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/judge/frechet.h"
#include "duel/gan/judge/judge.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/penalty.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/module/scoped_parameters.h"
#include "tests/files.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::same_bits;

std::vector<std::string> architectures() {
  std::vector<std::string> names;
  for (const std::string& name : architecture_names()) {
    if (!name.starts_with("test-")) names.push_back(name);  // of other tests of this process
  }
  return names;
}

class EveryNetwork : public ::testing::TestWithParam<std::string> {};

Networks tiny(const std::string& arch, uint64_t seed) {
  Generator random(seed);
  return make_networks({.arch = arch, .height = 8, .width = 8, .latent = 4, .channels_g = 2, .channels_d = 2},
                       false, random);
}

// The gradient of a penalty in D's weights is of order 2 through D's layers, its derivative of order 3: a rule that stops
// early, or a layer that forgets the weights of the first pass, fails. Weights that begin at 0 or 1 are moved, so that every
// path counts.
TEST_P(EveryNetwork, PenaltiesAreDifferentiableTwiceInTheWeights) {
  const Networks n = tiny(GetParam(), 1);
  nn::Module& d = *n.discriminator;
  d.to(DType::f64);
  Generator random(5);
  {
    NoGrad off;
    for (const Tensor& p : d.parameters())
      add_in_place(const_cast<Tensor&>(p), random.normal(p.shape(), 0, 0.3, p.options()));
  }
  d.eval();  // power iterations rest
  const Tensor x = random.normal({2, 1, 8, 8}, 0, 1, {DType::f64, {}});
  const auto penalty = [&](const std::vector<Tensor>& weights) {
    const nn::ScopedParameters moved(d.parameters(), weights);
    return gradient_penalty(d, x, one_centered(), 10).value;
  };
  if (d.parameter_count() < 5000) {  // infogan's vectors of 1,024 are dcgan's layers otherwise
    const auto first = gradcheck(penalty, d.parameters());
    EXPECT_TRUE(first) << first.message;
  }
  // Of a layer at the beginning, in the middle and at the end: every element of all would take minutes.
  std::vector<Tensor> small, some;
  for (const Tensor& p : d.parameters()) {
    if (p.rank() >= 2 && p.numel() <= 200) small.push_back(p);
  }
  for (size_t i = 0; i < 3; ++i) {
    const Tensor& p = small[i * (small.size() - 1) / 2];
    if (some.empty() || !some.back().same_storage(p)) some.push_back(p);
  }
  const auto of_some = [&](const std::vector<Tensor>& weights) {
    const nn::ScopedParameters moved(some, weights);
    return gradient_penalty(d, x, one_centered(), 10).value;
  };
  const auto second = gradgradcheck(of_some, some, {.atol = 1e-4});
  EXPECT_TRUE(second) << second.message;
}

// Whatever a layer draws while it trains, samples do not: twice the same, one by one the same.
TEST_P(EveryNetwork, SamplesAreAFunctionOfTheLatents) {
  const Networks n = tiny(GetParam(), 2);
  Generator random(3);
  const Tensor z = random.normal({4, n.latent.width()});
  for (int i = 0; i < 3; ++i) (*n.generator)(z);  // statistics move
  n.generator->eval();
  NoGrad off;
  const Tensor images = (*n.generator)(z);
  EXPECT_TRUE(same_bits(images, (*n.generator)(z)));
  const auto all = images.to_vector<float>(), alone = (*n.generator)(slice(z, 0, 2, 3)).to_vector<float>();
  for (size_t i = 0; i < alone.size(); ++i) EXPECT_NEAR(alone[i], all[2 * alone.size() + i], 1e-5);
}

// Images of every size from 16 to 64 that a row takes, square or not.
TEST_P(EveryNetwork, TakesTheSizesOfItsRow) {
  for (const auto& [height, width] :
       std::vector<std::pair<int64_t, int64_t>>{{16, 16}, {32, 32}, {64, 64}, {48, 20}}) {
    Generator random(1);
    const Networks n = make_networks(
        {.arch = GetParam(), .height = height, .width = width, .latent = 6, .channels_g = 2, .channels_d = 2},
        false, random);
    NoGrad off;
    const Tensor images = (*n.generator)(random.normal({2, 6}));
    EXPECT_EQ(images.shape(), (Shape{2, 1, height, width}));
    EXPECT_EQ(judge(*n.discriminator, images).logits.shape(), (Shape{2, 1}));
  }
}

// Two hundred iterations from the first weights: the Frechet distance to held-out digits falls by more than both intervals.
TEST_P(EveryNetwork, TwoHundredIterationsBeatItsOwnStart) {
  const auto data = std::make_shared<ResidentData>(draw_digits(2000, 1));
  const Judge judge = load_judge("digits-v1");
  const Tensor real = judge.read(ResidentData(draw_digits(500, 2))).features;
  const Objective objective = named_objective("hinge", {{"lr-g", 1e-3}, {"lr-d", 1e-3}});
  Generator random(1);
  const NetworkOptions small{
      .arch = GetParam(), .channels_g = 8, .channels_d = 8, .discriminator_norm = Norm::none};
  Trainer trainer(make_networks(small, objective, random), objective, data, {.batch = 16});
  const Tensor z = random.normal({500, trainer.networks().latent.width()});
  const auto distance = [&] { return estimate_frechet(judge.features(trainer.sample(z)), real).plain; };
  const Estimate before = distance();
  for (int i = 0; i < 200; ++i) trainer.step();
  const Estimate after = distance();
  std::printf("%s: FD %.1f (%.1f to %.1f), after 200 iterations %.1f (%.1f to %.1f)\n", GetParam().c_str(),
              before.value, before.interval.low, before.interval.high, after.value, after.interval.low,
              after.interval.high);
  EXPECT_LT(after.interval.high, before.interval.low);
}

INSTANTIATE_TEST_SUITE_P(Rows, EveryNetwork, ::testing::ValuesIn(architectures()),
                         [](const auto& row) { return row.param; });

// ---- What a network's paper promises ----

Networks of(const std::string& arch, const NetworkOptions& more = {}) {
  Generator random(1);
  NetworkOptions o = more;
  o.arch = arch;
  return make_networks(o, true, random);
}

int64_t count(nn::Module& net, const std::string& type) {
  int64_t n = 0;
  for (nn::Module* module : net.modules()) n += module->describe().starts_with(type) ? 1 : 0;
  return n;
}

TEST(FieldNetworks, SaganAndBigganNormaliseBothNetworks) {
  for (const char* arch : {"sagan", "biggan"}) {
    const Networks n = of(arch);
    EXPECT_TRUE(n.options.spectral_norm && n.options.spectral_norm_g) << arch;
    for (nn::Module* net : {n.generator.get(), n.discriminator.get()}) {
      EXPECT_EQ(count(*net, "SelfAttention2d"), 1) << arch;
      for (const auto& [name, parameter] : net->named_parameters()) {  // no weight without its singular value
        EXPECT_TRUE(parameter.rank() < 2 || name.ends_with("weight_orig")) << arch << " " << name;
      }
    }
    EXPECT_FALSE(of(arch, {.critic = CriticKind::squared_error}).options.spectral_norm_g) << arch;
  }
}

// Each block sees its own part of the noise: moving one part leaves what came before it, and the label reaches all.
TEST(FieldNetworks, BigganConditionsEveryBlock) {
  Generator random(1);
  const Networks n = make_networks({.arch = "biggan",
                                    .latent = 9,
                                    .channels_g = 4,
                                    .channels_d = 4,
                                    .critic = CriticKind::projection,
                                    .classes = 3},
                                   true, random);
  n.generator->eval();
  NoGrad off;
  const Tensor z = random.normal({1, 12});
  const auto moved = [&](int64_t from, int64_t to) {
    const Tensor other = z.clone();
    Tensor part = slice(other, 1, from, to) + 1.0;
    return concat({slice(z, 1, 0, from), part, slice(z, 1, to, 12)}, 1);
  };
  const Tensor base = (*n.generator)(z);
  for (const auto& [from, to] : std::vector<std::pair<int64_t, int64_t>>{{0, 3}, {3, 6}, {6, 9}, {9, 12}}) {
    EXPECT_GT(max(abs((*n.generator)(moved(from, to)) - base)).item(), 1e-4) << from;
  }
  EXPECT_NE(testing::error_of([] { of("biggan", {.latent = 2}); }).find("at least 3 values"),
            std::string::npos);
}

// While it trains G draws, from the generator that a run lends and stores; without leave it draws nothing.
TEST(FieldNetworks, Stylegan2DrawsOnlyWhileItTrains) {
  const NetworkOptions small{.height = 8, .width = 8, .latent = 6, .channels_g = 4, .channels_d = 4};
  const Networks n = of("stylegan2", small);
  NoGrad off;
  for (const auto& [name, p] : n.generator->named_parameters()) {
    if (name.ends_with("strength")) const_cast<Tensor&>(p).fill_(0.3);
  }
  const Tensor z = Generator(2).normal({3, 6});
  EXPECT_FALSE(same_bits((*n.generator)(z), (*n.generator)(z)));
  Generator lent(7), again(7);
  Tensor first, second;
  {
    const LendDefaultGenerator to(lent);
    first = (*n.generator)(z);
  }
  {
    const LendDefaultGenerator to(again);
    second = (*n.generator)(z);
  }
  EXPECT_TRUE(same_bits(first, second));
  NetworkOptions still = small;
  still.generator_draws = false;
  const Networks quiet = of("stylegan2", still);
  EXPECT_TRUE(same_bits((*quiet.generator)(z), (*quiet.generator)(z)));
}

// Fixup: at the start every block is the identity, whatever the depth, so the signal's size does not grow.
TEST(FieldNetworks, R3ganBeginsQuiet) {
  const Networks n = of("r3gan");
  EXPECT_EQ(count(*n.generator, "BatchNorm") + count(*n.discriminator, "BatchNorm"), 0);
  NoGrad off;
  for (const auto& [name, child] : n.discriminator->named_children()) {
    if (!child->describe().starts_with("Residual")) continue;
    const Tensor x = Generator(1).normal({1, 32, 5, 5});
    EXPECT_TRUE(same_bits((*child)(x), x)) << name;
  }
  EXPECT_TRUE(n.discriminator->second_derivative_zero());
}

// Schonfeld et al. 2020: a logit for the image and one for each pixel, whatever kind of critic stands on the encoder; each half
// reaches all of the image, and the decoder sees what the encoder saw of the same sides.
TEST(FieldNetworks, UnetJudgesTheImageAndEachPixel) {
  for (const CriticKind kind : {CriticKind::plain, CriticKind::label_input, CriticKind::projection,
                                CriticKind::class_head, CriticKind::code_head}) {
    Generator random(1);
    const Networks n = make_networks({.arch = "unet",
                                      .height = 16,
                                      .width = 32,
                                      .latent = 4,
                                      .channels_g = 4,
                                      .channels_d = 8,
                                      .packing = kind == CriticKind::plain ? 2 : 1,
                                      .critic = kind,
                                      .classes = is_conditional(kind) ? 3 : 0,
                                      .codes = {.continuous = kind == CriticKind::code_head ? 2 : 0}},
                                     true, random);
    const Tensor x = random.normal({2, kind == CriticKind::plain ? 2 : 1, 16, 32}).set_requires_grad(true);
    const Tensor labels = is_conditional(kind) ? Tensor::from<int64_t>({2, 0}, {2}) : Tensor();
    const Judgement j = judge(*n.discriminator, x, labels);
    EXPECT_EQ(j.logits.shape(), (Shape{2, 1}));
    EXPECT_EQ(j.pixels.shape(), (Shape{2, 1, 16, 32}));
    EXPECT_EQ(j.classes.defined(), kind == CriticKind::class_head);
    EXPECT_EQ(j.codes.defined(), kind == CriticKind::code_head);
    const auto reached = [&](const char* what, const Tensor& said) {
      const Tensor gradient = grad({sum(said)}, {x}, {}, {.retain_graph = true})[0];
      for (const double size : sum(abs(gradient).flatten(1), {1}).to_vector<double>())
        EXPECT_GT(size, 0) << what << " of critic " << static_cast<int>(kind);
    };
    reached("the logit", j.logits);
    reached("a row of pixels", slice(j.pixels, 2, 7, 8));  // of a single one every ReLU may be at rest
  }
  const Networks plain = of("unet"), energy = of("unet", {.critic = CriticKind::squared_error});
  EXPECT_TRUE(dynamic_cast<Critic&>(*plain.discriminator).judges_pixels());
  EXPECT_FALSE(dynamic_cast<Critic&>(*energy.discriminator).judges_pixels());
}

// Both halves count alike, as means: the loss of the logits plus that of the pixels', of D, of G, of what a penalty differentiates
// and of D's own report.
TEST(FieldNetworks, LossesAndPenaltiesSeeThePixels) {
  Generator random(3);
  const TensorOptions f64{DType::f64, {}};
  const auto side = [&] {
    const Tensor logits = random.normal({4, 1}, 0, 1, f64);
    return Judgement{.logits = logits, .pixels = random.normal({4, 1, 3, 5}, 0, 1, f64)};
  };
  const Judgement real = side(), fake = side();
  for (const Loss& loss :
       {non_saturating_loss(), hinge_loss_pair(), least_squares_loss(), wasserstein_loss()}) {
    const Tensor real_pixels = real.pixels.reshape({60, 1}), fake_pixels = fake.pixels.reshape({60, 1});
    const auto of_d = [&](const Tensor& r, const Tensor& f) {
      return discriminator_loss(loss, Relativism::none, r, f).item();
    };
    const double images = of_d(real.logits, fake.logits);
    const double pixels = of_d(real_pixels, fake_pixels);
    EXPECT_NEAR(discriminator_loss(loss, Relativism::none, real, fake).item(), images + pixels, 1e-12)
        << loss.name;
    const auto of_g = [&](const Tensor& f) { return generator_loss(loss, Relativism::none, {}, f).item(); };
    const double fake_images = of_g(fake.logits);
    EXPECT_NEAR(generator_loss(loss, Relativism::none, real, fake).item(), fake_images + of_g(fake_pixels),
                1e-12)
        << loss.name;
  }
  const auto refused = [&](const Loss& loss, Relativism relativism) {
    return testing::error_of([&] { discriminator_loss(loss, relativism, real, fake); });
  };
  EXPECT_NE(refused(non_saturating_loss(), Relativism::paired).find("judges pixels"), std::string::npos);
  EXPECT_NE(refused(softmax_loss(), Relativism::none).find("both sides at once"), std::string::npos);
  const auto whole = whole_answer(real).to_vector<double>(), logits = real.logits.to_vector<double>();
  const auto of_pixels = mean(real.pixels.flatten(1), {1}).to_vector<double>();
  for (size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(whole[i], logits[i] + of_pixels[i], 1e-12);

  const Networks n = tiny("unet", 1);
  nn::Module& critic = *n.discriminator;
  critic.to(DType::f64);
  const Tensor x = random.normal({3, 1, 8, 8}, 0, 1, f64).set_requires_grad(true);
  const Tensor gradient = grad({sum(whole_answer(judge(critic, x)))}, {x})[0];
  EXPECT_NEAR(gradient_penalty(critic, x, zero_centered(), 2).value.item(),
              2 * mean(sum(square(gradient).flatten(1), {1})).item(), 1e-12);
}

// A sample of G is the same alone and beside others, in training too; labels are among the reference's inputs; other networks of
// the same seed have the same one. D has no such latents, and biggan's norms by label mix samples.
TEST(FieldNetworks, GWithVirtualBatchNormReadsEachLatentAlone) {
  for (const char* arch : {"mlp", "dcgan", "infogan", "resnet"}) {
    const Objective o = named_objective("cgan");
    Generator random(3), again(3);
    const NetworkOptions options{.arch = arch,
                                 .latent = 5,
                                 .channels_g = 4,
                                 .channels_d = 4,
                                 .generator_norm = Norm::virtual_batch,
                                 .classes = 4};
    const Networks n = make_networks(options, o, random), same = make_networks(options, o, again);
    EXPECT_FALSE(n.generator->mixes_samples());
    const auto buffers = n.generator->named_buffers();
    ASSERT_EQ(buffers.size(), 1u) << arch;
    EXPECT_EQ(buffers[0].second.shape(), (Shape{64, 9}));
    EXPECT_TRUE(same_bits(buffers[0].second, same.generator->named_buffers()[0].second));
    NoGrad off;
    const Tensor z = Generator(4).normal({3, 9});
    const Tensor all = (*n.generator)(z), alone = (*n.generator)(slice(z, 0, 1, 2));
    EXPECT_LT(max(abs(slice(all, 0, 1, 2) - alone)).item(), 1e-6) << arch;
    EXPECT_EQ(all.shape(), (Shape{3, 1, 28, 28}));
  }
  Generator random(1);
  EXPECT_NE(testing::error_of([&] {
              make_networks({.arch = "mlp", .discriminator_norm = Norm::virtual_batch}, true, random);
            }).find("virtual-batch is G's alone"),
            std::string::npos);
}

TEST(FieldNetworks, RefuseNormsThatTheyReplace) {
  for (const char* arch : {"stylegan2", "r3gan"}) {
    const std::string error = testing::error_of([&] { of(arch, {.generator_norm = Norm::batch}); });
    EXPECT_NE(error.find("expected auto or none, got batch"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace duel::gan
