// The regularisers' terms by hand, what D's inputs go through image by image, and what cannot be mixed.
#include "duel/gan/objective/regularisers/regularisers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/regularisers/augmentation.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"
#include "tests/files.h"
#include "tests/tensors.h"
#include "tests/training.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::kF64;
using duel::testing::logits;
using duel::testing::same_bits;

Round round_with(const Term& term) {
  Round round;
  for (const Tensor& each : term.memory) round.memory.push_back(each.clone());
  return round;
}

// m starts at the first batch's means; at the second one it is half way, at the hundredth it moves by a hundredth.
TEST(Lecam, PullsEachSideTowardsTheOthersRunningMean) {
  const Term term = lecam(1.0);
  Round round = round_with(term);
  const auto value = [&](const Tensor& r, const Tensor& f) {
    round.real.judgement.logits = r;
    round.fake.judgement.logits = f;
    return term.value(round);
  };
  EXPECT_DOUBLE_EQ(value(logits({1, 3}), logits({-1, 1})).item(), 5 + 5);
  EXPECT_DOUBLE_EQ(value(logits({3, 5}), logits({0, 0})).item(), 17 + 9);
  const Tensor r = logits({2, 4}).set_requires_grad(true);
  const Tensor g = grad({value(r, logits({0, 0}))}, {r})[0];  // means are constants: 2 (r - m_f) / N
  EXPECT_DOUBLE_EQ(g.to_vector<double>()[0], 2);
  EXPECT_DOUBLE_EQ(g.to_vector<double>()[1], 4);
  for (int i = 0; i < 200; ++i) value(logits({3, 3}), logits({0, 0}));
  EXPECT_NEAR(round.memory[0].item(), 3, 0.1);
  value(logits({103, 103}), logits({0, 0}));
  EXPECT_NEAR(round.memory[0].item(), 4, 0.1);
}

/// D(x) = <w, x>.
struct LinearD : nn::Module {
  explicit LinearD(Tensor w) : weight(register_parameter("weight", std::move(w))) {}
  Tensor forward(const Tensor& x) override { return matmul(x.flatten(1), weight.reshape({-1, 1})); }
  Tensor weight;
};

Round judged(nn::Module& d, const Tensor& real, const Tensor& fake) {
  Round round{.real = {real, {}, {}}, .fake = {fake, {}, {}}};
  round.discriminator = &d;
  round.real.judgement.logits = d(real);
  round.fake.judgement.logits = d(fake);
  return round;
}

// A sum of pixels does not see an image move whose border is empty; a D that looks at places does, and learns from it.
TEST(Consistency, IsWhatAMoveChanges) {
  Generator random(1);
  Tensor inner = pad(random.normal({3, 1, 4, 4}, 0, 1, kF64), {2, 2, 2, 2});
  LinearD blind(Tensor::ones({64}, kF64)), seeing(random.normal({64}, 0, 1, kF64));
  const Tensor other = pad(random.normal({3, 1, 4, 4}, 0, 1, kF64), {2, 2, 2, 2});
  EXPECT_NEAR(consistency(Consistency::balanced, 1).value(judged(blind, inner, other)).item(), 0, 1e-20);
  const auto of = [&](Consistency kind, const Tensor& real, const Tensor& fake) {
    Generator drawn(4);
    const LendDefaultGenerator lent(drawn);
    return consistency(kind, 1).value(judged(seeing, real, fake));
  };
  const Tensor cr = of(Consistency::real, inner, other);
  EXPECT_GT(cr.item(), 0);
  EXPECT_GT(sum(abs(grad({cr}, {seeing.weight})[0])).item(), 0);
  // Balanced: the real part and then a part of the fakes.
  EXPECT_GT(of(Consistency::balanced, inner, other).item(), of(Consistency::real, inner, other).item());
}

struct LinearG : nn::Module {
  explicit LinearG(Tensor w) : weight(register_parameter("weight", std::move(w))) {}
  Tensor forward(const Tensor& z) override { return matmul(z, weight).reshape({z.dim(0), 1, 2, -1}); }
  Tensor weight;
};

// G(z) = z W: E |G(z) - G(z + e)|^2 over P pixels is 0.05^2 |W|^2 / P, of the rows that noise reaches alone.
TEST(LatentConsistency, DisturbsNoiseAndNothingElse) {
  Generator random(2);
  Tensor w = random.normal({5, 6}, 0, 1, kF64);
  LinearG g(w);
  Round round;
  round.generator = &g;
  round.latents = random.normal({20000, 5}, 0, 1, kF64);
  round.noise_columns = 3;
  const double squares = sum(square(slice(w, 0, 0, 3))).item();
  EXPECT_NEAR(latent_consistency_g(1).value(round).item(), -0.05 * 0.05 * squares / 6,
              0.02 * 0.05 * 0.05 * squares);
  LinearD d(Tensor::ones({6}, kF64));
  round.discriminator = &d;
  round.fake.judgement.logits = d(g(round.latents).detach());
  const Tensor by_d = latent_consistency_d(1).value(round);
  const double expected = 0.05 * 0.05 * sum(square(sum(slice(w, 0, 0, 3), {1}))).item();
  EXPECT_NEAR(by_d.item(), expected, 0.05 * expected);
  EXPECT_FALSE(grad({by_d}, {g.weight}, {}, {.allow_unused = true})[0].defined())
      << "D's step leaves G alone";
}

TEST(Orthogonal, IsTheSumOfProductsOfDifferentRows) {
  LinearG g(Tensor::from({1., 2., 3., 4.}, {2, 2}));
  Round round;
  round.generator = &g;
  const Tensor value = orthogonal(1).value(round);
  EXPECT_DOUBLE_EQ(value.item(), 2 * 121);
  const auto d = grad({value}, {g.weight})[0].to_vector<double>();  // 4 W W^T off the diagonal, times W
  EXPECT_DOUBLE_EQ(d[0], 4 * 11 * 3);
  EXPECT_DOUBLE_EQ(d[3], 4 * 11 * 2);
}

// Of G(z) = z W the lengths are |W y|: the value by hand, its derivative in W, and a mean that starts at the
// first batch's and is a constant of the loss.
TEST(PathLength, IsTheSpreadOfLengthsAroundTheirRunningMean) {
  Generator random(2);
  LinearG g(random.normal({4, 6}, 0, 1, kF64));
  const Term term = path_length(1);
  const auto value = [&](Round& round) {
    Generator drawn(3);
    const LendDefaultGenerator lent(drawn);
    return term.value(round);
  };
  Round round = round_with(term);
  round.generator = &g;
  round.latents = random.normal({5, 4}, 0, 1, kF64);
  const double got = value(round).item();
  const Tensor y = Generator(3).normal({5, 1, 2, 3}, 0, 1 / std::sqrt(6.0), kF64);
  const Tensor lengths = sqrt(sum(square(matmul(y.flatten(1), g.weight, false, true)), {1}));
  EXPECT_NEAR(got, mean(square(lengths - mean(lengths))).item(), 1e-6);  // the mean is kept in f32
  EXPECT_NEAR(round.memory[0].item(), mean(lengths).item(), 1e-6);
  // The derivative in W, to second order within, beside that of the lengths written out with the mean as a constant.
  const Tensor before = round.memory[0].clone(), seen = round.memory[1].clone();
  const Tensor of_term = grad({value(round)}, {g.weight})[0];
  const double share = std::max(0.01, 1 / (seen.item() + 1));
  const double now = before.item() + (mean(lengths).item() - before.item()) * share;
  const Tensor by_hand = grad({mean(square(lengths - now))}, {g.weight})[0];
  EXPECT_LT(max(abs(of_term - by_hand)).item(), 1e-6 * max(abs(by_hand)).item());
}

// StyleGAN2's is by w: its mapping takes part.
TEST(PathLength, IsByWWhereGHasOne) {
  Generator random(1);
  const Networks n = make_networks(
      {.arch = "stylegan2", .height = 8, .width = 8, .latent = 6, .channels_g = 4, .channels_d = 4}, true,
      random);
  const Term term = path_length(1);
  Round round = round_with(term);
  round.generator = n.generator.get();
  round.latents = random.normal({3, 6});
  const Tensor value = term.value(round);
  const auto names = n.generator->named_parameters();
  const auto g = grad({value}, n.generator->parameters(), {}, {.allow_unused = true});
  double mapping = 0, convolutions = 0;
  for (size_t i = 0; i < g.size(); ++i) {
    if (!g[i].defined()) continue;
    (names[i].first.find("mapping") != std::string::npos ? mapping : convolutions) += sum(abs(g[i])).item();
  }
  EXPECT_GT(mapping, 0);
  EXPECT_GT(convolutions, 0);
}

/// A term's value with the memory that a Trainer would make for it.
Round round_of_networks(const Term& term, nn::Module& generator, nn::Module& discriminator) {
  Round round;
  round.generator = &generator;
  round.discriminator = &discriminator;
  round.memory = term.memory_of(generator, discriminator);
  return round;
}

// Weights 1, 2, 4 one after the other: the means with themselves 1, 3/2, 7/3; the derivative 2 (w - m), m a constant.
TEST(HistoricalAveraging, IsTheSquaredDistanceToTheMeanSoFar) {
  LinearD d(Tensor::full({2}, 1, kF64));
  LinearG g(Tensor::full({2, 2}, 3, kF64));
  for (const Whose of : {Whose::discriminator, Whose::generator}) {
    const Term term = historical_averaging(of, 1);
    Round round = round_of_networks(term, g, d);
    Tensor weight = of == Whose::discriminator ? d.weight : g.weight;
    const auto n = static_cast<double>(weight.numel());
    double sum_so_far = 0;
    int seen = 0;
    for (const double w : {1.0, 2.0, 4.0}) {
      {
        const NoGrad off;
        weight.fill_(w);
      }
      sum_so_far += w;
      const double m = sum_so_far / ++seen;
      const Tensor value = term.value(round);
      EXPECT_NEAR(value.item(), n * (w - m) * (w - m), 1e-5);
      for (const double slope : grad({value}, {weight})[0].to_vector<double>())
        EXPECT_NEAR(slope, 2 * (w - m), 1e-5);
    }
  }
}

// diag(3, 1) and its derivative sigma u v^T; a bias is no matrix; of a convolution's weight the matrix is [out, rest].
TEST(SpectralRegularisation, IsHalfTheSquareOfTheLargestSingularValue) {
  struct Two : nn::Module {
    Tensor w = register_parameter("w", Tensor::from({3.0, 0.0, 0.0, 1.0}, {2, 2}));
    Tensor bias = register_parameter("bias", Tensor::from({5.0, 5.0}, {2}));
    Tensor conv = register_parameter("conv", Tensor::from({1.0, 2.0, 2.0, 4.0}, {1, 1, 2, 2}));
    Tensor none = register_parameter("none", Tensor::zeros({2, 3}, kF64));
  } d;
  LinearG g(Tensor::ones({2, 2}, kF64));
  const Term term = spectral_regularisation(1);
  Round round = round_of_networks(term, g, d);
  ASSERT_EQ(round.memory.size(), 3u);
  Tensor value;
  for (int i = 0; i < 30; ++i) value = term.value(round);
  EXPECT_NEAR(value.item(), (9 + 25) / 2.0, 1e-5);
  const auto slopes = grad({value}, {d.w, d.conv});
  const auto of_w = slopes[0].to_vector<double>(), of_conv = slopes[1].to_vector<double>();
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(of_w[i], i == 0 ? 3 : 0, 1e-5);
    EXPECT_NEAR(of_conv[i], d.conv.to_vector<double>()[i], 1e-5);
  }
  // Weights of zeros have no direction: the kept one waits until they have.
  {
    const NoGrad off;
    d.none.fill_(2);
  }
  for (int i = 0; i < 30; ++i) value = term.value(round);
  EXPECT_NEAR(value.item(), (9 + 25 + 24) / 2.0, 1e-5);
}

// L_G of a lazy term: 3 times its weight in every third step of G, nothing in the others; its value is measured where it is due.
TEST(Trainer, AsksALazyTermInTheLastOfSoManySteps) {
  Objective o = named_objective("wgan", {{"lr", 1e-12}, {"critic-steps", 1}});
  o.g_terms = {{.name = "five", .weight = 2, .value = [](const Round& round) {
                  return sum(round.latents.detach()) * 0.0 + 5.0;
                }}};
  o.g_terms[0].every = 3;
  Generator random(1);
  const Networks n = make_networks(
      {.arch = "mlp", .height = 4, .width = 4, .latent = 3, .channels_g = 4, .channels_d = 4}, o, random);
  Trainer trainer(n, o, std::make_shared<ResidentData>(duel::testing::noise_images(8, 4, 2)), {.batch = 4});
  for (int i = 1; i <= 7; ++i) {
    trainer.step(true);
    const Metrics m = trainer.metrics();
    const double rest = m.loss_g + m.d_fake;  // -mean D(G(z)) of another batch, near 0
    EXPECT_NEAR(rest, i % 3 == 0 ? 30 : 0, 1) << i;
    EXPECT_EQ(m.terms_g.size(), i % 3 == 0 ? 1u : 0u) << i;
  }
  const Objective lazy = named_objective("hinge", {{"path-length", 2.0}, {"path-length-every", 4}});
  EXPECT_EQ(lazy.g_terms[0].every, 4);
  EXPECT_EQ(resolved_overrides("hinge", {{"path-length", 2.0}}).integer("path-length-every"), 1);
  EXPECT_NE(error_of([] {
              named_objective("hinge", {{"path-length-every", 4}});
            }).find("add path-length"),
            std::string::npos);
}

// What they remember is as large as the networks, is made by the Trainer, and stands in checkpoints by the terms' names.
TEST(Trainer, MakesTheMemoryOfTermsAsLargeAsTheNetworks) {
  const Objective o =
      named_objective("ns-gan", {{"historical-averaging", 0.1}, {"spectral-regularisation", 0.01}});
  Generator random(1);
  const Networks n = make_networks(
      {.arch = "mlp", .height = 4, .width = 4, .latent = 3, .channels_g = 4, .channels_d = 4}, o, random);
  Trainer trainer(n, o, std::make_shared<ResidentData>(duel::testing::noise_images(8, 4, 2)), {.batch = 4});
  trainer.step(true);
  trainer.step(true);
  const TensorFile state = trainer.state();
  const auto weights = n.discriminator->parameters();
  const std::string last = "terms_d.historical_averaging." + std::to_string(weights.size());
  ASSERT_NE(state.find(last), nullptr);
  EXPECT_EQ(state.find(last)->item(), 2) << "steps";
  EXPECT_EQ(state.find("terms_d.historical_averaging.0")->shape(), weights[0].shape());
  EXPECT_NE(state.find("terms_g.historical_averaging.0"), nullptr);
  EXPECT_NE(state.find("terms_d.spectral_regularisation.0"), nullptr);
  std::vector<std::string> names;
  for (const auto& [name, value] : trainer.metrics().terms_d) {
    names.push_back(name);
    EXPECT_GT(value, 0) << name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"historical_averaging", "spectral_regularisation"}));
}

// ---- What D's inputs go through ----

/// Logits of pixels: of each alone, or the image's mean everywhere.
struct OfPixels : Critic {
  bool alone = true;
  Judgement judge(const Tensor& x, const Tensor&) override {
    const Tensor whole = mean(x, {1, 2, 3}, true);
    return {.logits = whole.reshape({x.dim(0), 1}),
            .pixels = alone ? square(x) : broadcast_to(square(whole), x.shape())};
  }
  bool judges_pixels() const override { return true; }
};

// A D that judges each pixel by itself says of a mixed image what it says of its parts; of one that sees the whole the term is the
// squared gap, by hand with the boxes of the same draws.
TEST(CutMix, IsWhatMixingChanges) {
  Generator random(3);
  OfPixels critic;
  Round round;
  round.discriminator = &critic;
  round.real.samples = random.normal({6, 1, 5, 7}, 0, 1, kF64);
  round.fake.samples = random.normal({6, 1, 5, 7}, 0, 1, kF64);
  const auto value = [&](bool alone) {
    critic.alone = alone;
    round.real.judgement = judge(critic, round.real.samples);
    round.fake.judgement = judge(critic, round.fake.samples);
    Generator draws(9);
    const LendDefaultGenerator lent(draws);
    return cutmix_consistency(1.0).value(round).item();
  };
  EXPECT_NEAR(value(true), 0, 1e-28);
  Generator draws(9);
  const auto mask = cutmix_mask(round.real.samples, draws).to_vector<double>();
  const auto real = round.real.samples.to_vector<double>(), fake = round.fake.samples.to_vector<double>();
  double expected = 0;
  for (size_t n = 0; n < 6; ++n) {
    double of_real = 0, of_fake = 0, of_both = 0;
    for (size_t i = n * 35; i < n * 35 + 35; ++i) {
      of_real += real[i] / 35;
      of_fake += fake[i] / 35;
      of_both += (mask[i] > 0 ? real[i] : fake[i]) / 35;
    }
    for (size_t i = n * 35; i < n * 35 + 35; ++i) {
      const double parts = mask[i] > 0 ? of_real * of_real : of_fake * of_fake;
      expected += (of_both * of_both - parts) * (of_both * of_both - parts) / 210;
    }
  }
  EXPECT_GT(expected, 1e-4);
  EXPECT_NEAR(value(false), expected, 1e-12);
}

// Boxes are whole rectangles of 0 in 1; half the images' area without the borders, which cut a box in the corner to a quarter: in the
// mean over places and sizes the share in the box is E (s (1 - s / 4))^2 of sides s, s^2 uniform.
TEST(CutMix, BoxesAreRectanglesOfEverySize) {
  Generator random(5);
  constexpr int64_t kImages = 4000, kHeight = 16, kWidth = 24;
  const auto mask =
      cutmix_mask(Tensor::zeros({kImages, 1, kHeight, kWidth}, kF64), random).to_vector<double>();
  double inside = 0;
  for (int64_t n = 0; n < kImages; ++n) {
    int64_t top = kHeight, bottom = -1, left = kWidth, right = -1, area = 0;
    for (int64_t y = 0; y < kHeight; ++y) {
      for (int64_t x = 0; x < kWidth; ++x) {
        const double at = mask[static_cast<size_t>((n * kHeight + y) * kWidth + x)];
        ASSERT_TRUE(at == 0 || at == 1);
        if (at == 1) continue;
        ++area;
        top = std::min(top, y), bottom = std::max(bottom, y), left = std::min(left, x),
        right = std::max(right, x);
      }
    }
    if (area > 0) {
      ASSERT_EQ(area, (bottom - top + 1) * (right - left + 1));
    }
    inside += static_cast<double>(area) / static_cast<double>(kHeight * kWidth * kImages);
  }
  // E s^2 (1 - s/4)^2 = E [s^2 - s^3/2 + s^4/16] = 1/2 - 1/5 + 1/48
  EXPECT_NEAR(inside, 0.5 - 0.2 + 1.0 / 48, 0.02);
}

TEST(Augment, TranslationMovesEachImageByItself) {
  Tensor x = Tensor::zeros({200, 2, 8, 16}, kF64);
  for (int64_t i = 0; i < 200; ++i) x.mutable_data<double>()[(i * 2 + 1) * 128 + 4 * 16 + 8] = 1;
  Generator random(1);
  const auto y = translated(x, random).to_vector<double>();
  std::vector<int> seen(15);
  for (size_t i = 0; i < 200; ++i) {
    int ones = 0;
    for (size_t p = 0; p < 256; ++p) {
      if (y[i * 256 + p] == 0) continue;
      ++ones;
      const int row = static_cast<int>((p - 128) / 16) - 4, column = static_cast<int>((p - 128) % 16) - 8;
      ASSERT_LE(std::abs(row), 1);
      ASSERT_LE(std::abs(column), 2);
      ++seen[static_cast<size_t>((row + 1) * 5 + column + 2)];
    }
    ASSERT_EQ(ones, 1);
  }
  for (const int times : seen) EXPECT_GT(times, 0) << "every move occurs";
}

TEST(Augment, CutoutTakesASquareOfHalfTheSides) {
  Generator random(1);
  const Tensor y = augmentation("cutout")(Tensor::ones({300, 1, 8, 8}, kF64), random);
  const auto kept = sum(y, {1, 2, 3}).to_vector<double>();
  EXPECT_EQ(*std::min_element(kept.begin(), kept.end()), 64 - 16);
  EXPECT_GT(*std::max_element(kept.begin(), kept.end()), 64 - 16);  // a square at the border
  for (const double v : y.to_vector<double>()) ASSERT_TRUE(v == 0 || v == 1);
}

TEST(Augment, ColorIsAnAffineMapOfEachImage) {
  Generator random(1);
  const Tensor x = random.normal({2, 1, 4, 4}, 0, 1, kF64), y = augmentation("color")(x, random);
  const auto a = x.to_vector<double>(), b = y.to_vector<double>();
  for (size_t i = 0; i < 2; ++i) {
    const double slope = (b[i * 16 + 1] - b[i * 16]) / (a[i * 16 + 1] - a[i * 16]);
    EXPECT_GE(slope, 0.5);
    EXPECT_LT(slope, 1.5);
    for (size_t p = 0; p < 16; ++p)
      EXPECT_NEAR(b[i * 16 + p] - b[i * 16], slope * (a[i * 16 + p] - a[i * 16]), 1e-12);
  }
  const Tensor gray = augmentation("color")(Tensor::ones({1, 3, 2, 2}), random);
  EXPECT_EQ(gray.shape(), (Shape{1, 3, 2, 2}));
}

TEST(Augment, IsDifferentiableTwice) {
  const auto f = [](const std::vector<Tensor>& in) {
    Generator random(5);
    return square(augmentation("color,translation,cutout")(in[0], random));
  };
  const Tensor x = Generator(1).normal({2, 2, 4, 4}, 0, 1, kF64).set_requires_grad(true);
  const auto first = gradcheck(f, {x}), second = gradgradcheck(f, {x});
  EXPECT_TRUE(first) << first.message;
  EXPECT_TRUE(second) << second.message;
}

TEST(Augment, TextsAreReadInOneWay) {
  EXPECT_EQ(canonical_policy("t", "cutout,color"), "color,cutout");
  EXPECT_EQ(policy_of(augmentation("translation")), "translation");
  EXPECT_EQ(policy_of(nullptr), "none");
  EXPECT_EQ(policy_of([](const Tensor& x, Generator&) { return x; }), "");
  EXPECT_NE(error_of([] { canonical_policy("t", "color,cutuot"); }).find("did you mean 'cutout'"),
            std::string::npos);
  EXPECT_NE(error_of([] { canonical_policy("t", ""); }).find("color, translation, cutout"),
            std::string::npos);
}

// ---- As settings ----

TEST(Regularisers, AreSetOnAnyObjective) {
  const Objective o = named_objective("hinge", {{"lecam", 0.3},
                                                {"cr", 10.0},
                                                {"bcr", 5.0},
                                                {"zcr-d", 6.0},
                                                {"zcr-g", 0.5},
                                                {"orthogonal", 1e-4},
                                                {"path-length", 2.0},
                                                {"augment", "cutout,color"},
                                                {"top-k", 0.5},
                                                {"historical-averaging", 0.1},
                                                {"spectral-regularisation", 0.01}});
  std::vector<std::pair<std::string, double>> d, g;
  for (const Term& term : o.d_terms) d.emplace_back(term.name, term.weight);
  for (const Term& term : o.g_terms) g.emplace_back(term.name, term.weight);
  for (const auto* terms : {&d, &g}) {
    for (const auto& [name, weight] : *terms) EXPECT_TRUE(is_regulariser(name)) << name;
  }
  EXPECT_EQ(d, (std::vector<std::pair<std::string, double>>{{"lecam", 0.3},
                                                            {"consistency", 10},
                                                            {"balanced_consistency", 5},
                                                            {"latent_consistency_d", 6},
                                                            {"historical_averaging", 0.1},
                                                            {"spectral_regularisation", 0.01}}));
  EXPECT_EQ(g, (std::vector<std::pair<std::string, double>>{{"latent_consistency_g", 0.5},
                                                            {"orthogonal", 1e-4},
                                                            {"path_length", 2},
                                                            {"historical_averaging", 0.1}}));
  EXPECT_EQ(policy_of(o.augmentation), "color,cutout");
  EXPECT_EQ(o.schedule.top_k, 0.5);
  EXPECT_EQ(resolved_overrides("hinge", {{"lecam", 0.3}}).number("lecam"), 0.3);
  EXPECT_TRUE(named_objective("hinge", {{"lecam", 0.0}}).d_terms.empty());
}

TEST(Regularisers, WhatCannotWorkIsRefusedWithTheReason) {
  Generator random(1);
  const auto refused = [&](const char* name, const ObjectiveOverrides& set, const char* part) {
    const std::string error = error_of([&] {
      const Objective o = named_objective(name, set);
      const Networks n = make_networks({.arch = "mlp", .channels_g = 4, .channels_d = 4}, o, random);
      check_compatible(o, *n.discriminator, 8);
    });
    EXPECT_NE(error.find(part), std::string::npos) << name << ": " << error;
  };
  refused("rsgan", {{"top-k", 0.5}}, "top-k");
  refused("softmax-gan", {{"top-k", 0.5}}, "top-k");
  refused("ebgan", {{"top-k", 0.5}}, "top-k");
  refused("pacgan", {{"cr", 1.0}}, "use packing 1");
  refused("sngan", {{"spectral-regularisation", 0.01}}, "changes nothing that D does");
  EXPECT_NE(error_of([] { named_objective("hinge", {{"top-k", 0.0}}); }).find("(0, 1]"), std::string::npos);
  EXPECT_NE(error_of([] {
              named_objective("hinge", {{"augment", "mirror"}});
            }).find("color, translation, cutout"),
            std::string::npos);
}

// L_G is the mean over the half of the fakes that D finds best.
TEST(TopK, LeavesTheWorstOut) {
  const Objective o = named_objective("ns-gan", {{"top-k", 0.5}});
  Generator random(1);
  const Networks n = make_networks(
      {.arch = "mlp", .height = 4, .width = 4, .latent = 3, .channels_g = 4, .channels_d = 4}, o, random);
  Trainer trainer(n, o, std::make_shared<ResidentData>(duel::testing::noise_images(8, 4, 2)), {.batch = 6});
  const Tensor z = random.normal({6, 3});
  auto f = judge(*n.discriminator, (*n.generator)(z)).logits.to_vector<float>();
  std::sort(f.begin(), f.end(), std::greater<>());
  double expected = 0;
  for (size_t i = 0; i < 3; ++i) expected += std::log1p(std::exp(-static_cast<double>(f[i]))) / 3;
  trainer.generator_step(z, Tensor());
  EXPECT_NEAR(trainer.metrics().loss_g, expected, 1e-6);
}

}  // namespace
}  // namespace duel::gan
