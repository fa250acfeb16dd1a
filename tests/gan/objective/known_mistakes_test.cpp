// Mistakes of well-known public code in penalties, losses and toy data. Each test writes the mistaken way
// down beside Duel's and has one check of the mathematics that accepts ours and rejects the other. (Training:
// known_mistakes_training_test.cpp; pull-away terms, autoencoder energies and mutual information:
// KnownMistakes in energy_test.cpp and conditional_test.cpp; drawing on the device:
// tests/devices/trainer_test.cpp. Table: gan/objective/proofs.md.)
#include <gtest/gtest.h>

#include <algorithm>
#include <numbers>
#include <set>

#include "duel/gan/lab/dirac.h"
#include "duel/gan/lab/mixture.h"
#include "duel/gan/objective/objective.h"
#include "mistakes.h"
#include "proofs.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::is_gradient_of;
using duel::testing::kF64;
using duel::testing::linear_critic;
using duel::testing::near;

/// Input gradients of a critic, recorded.
Tensor input_gradients(nn::Module& critic, const Tensor& points) {
  const Tensor x = points.detach().set_requires_grad(true);
  return grad({sum(critic(x))}, {x}, {}, {.create_graph = true})[0];
}

/// The closed form of a penalty for the critic D(x) = w . x, at two lengths of w: (‖w‖ - 1)^2.
bool is_the_penalty_of_linear_critics(const std::function<Tensor(nn::Module&, const Tensor&)>& penalty,
                                      const Shape& sample) {
  Generator random(11);
  for (const double length : {0.5, 4.0}) {
    std::vector<double> w = random.normal({sample.numel()}, 0, 1, kF64).to_vector<double>();
    double norm = 0;
    for (double v : w) norm += v * v;
    for (double& v : w) v *= length / std::sqrt(norm);
    nn::Sequential critic = linear_critic(w);
    const Tensor points = random.normal(sample.inserted(0, 3), 0, 1, kF64);
    if (!near(penalty(critic, points).item(), (length - 1) * (length - 1))) return false;
  }
  return true;
}

Tensor duels_penalty(nn::Module& critic, const Tensor& points) {
  return gradient_penalty(critic, points, one_centered(1.0), 1.0).value;
}

// mlpack (methods/ann/gan, wgangp_impl.hpp): the penalty is taken of the gradient in the discriminator's
// parameters. What has to be bounded is the slope in the input; for a linear critic the parameters' gradient
// does not even depend on the weights.
TEST(KnownMistakes, PenaltyOnParameterGradients_mlpack) {
  const auto of_parameters = [](nn::Module& critic, const Tensor& points) {
    Tensor squares = Tensor::zeros({}, kF64);
    for (const Tensor& g : grad({mean(critic(points))}, critic.parameters(), {}, {.create_graph = true}))
      squares = squares + sum(square(g));
    return square(sqrt(squares) - 1.0);
  };
  EXPECT_TRUE(is_the_penalty_of_linear_critics(duels_penalty, {4}));
  EXPECT_FALSE(is_the_penalty_of_linear_critics(of_parameters, {4}));
}

// mlpack, the same file: the penalty is added to the reported loss and never to the gradient that the
// optimizer is given.
TEST(KnownMistakes, PenaltyInTheValueOnly_mlpack) {
  Generator random(2);
  nn::Sequential critic(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 1));
  critic.to(DType::f64);
  const Tensor real = random.normal({5, 3}, 0, 1, kF64), fake = random.normal({5, 3}, 1, 1, kF64);
  const Tensor points = line_points(real, fake, random.uniform({5}, 0, 1, kF64));
  const auto parts = [&] {
    const Tensor on_real = critic(real), on_fake = critic(fake);
    return std::pair(discriminator_loss(wasserstein_loss(), Relativism::none, on_real, on_fake),
                     gradient_penalty(critic, points, one_centered(1.0), 10.0).value);
  };
  const auto value = [&] { return parts().first + parts().second; };
  const auto [loss, penalty] = parts();
  const auto of_all =
      grad({loss + penalty}, critic.parameters(), {}, {.retain_graph = true, .allow_unused = true});
  const auto of_loss = grad({loss + penalty.detach()}, critic.parameters(), {}, {.allow_unused = true});
  EXPECT_TRUE(is_gradient_of(value, critic.parameters(), of_all));
  EXPECT_FALSE(is_gradient_of(value, critic.parameters(), of_loss));
}

/// Each point lies on the line from its fake to its real sample, and their places on the lines differ between
/// samples.
bool on_lines_of_their_own(const Tensor& real, const Tensor& fake, const Tensor& points) {
  const auto r = real.to_vector<double>(), f = fake.to_vector<double>(), p = points.to_vector<double>();
  const auto m = static_cast<size_t>(real.shape().numel_from(1));
  std::set<double> places;
  for (size_t b = 0; b < static_cast<size_t>(real.dim(0)); ++b) {
    double low = 1e300, high = -1e300;
    for (size_t i = b * m; i < (b + 1) * m; ++i) {
      const double place = (p[i] - f[i]) / (r[i] - f[i]);
      low = std::min(low, place);
      high = std::max(high, place);
    }
    if (high - low > 1e-9 || low < 0 || high >= 1) return false;
    places.insert(std::round(low * 1e6));
  }
  return places.size() > 1;
}

/// Duel's points for batches of any shape. real and fake lie well apart, so that places can be read off.
struct Batches {
  Tensor real, fake;
};
Batches batches(const Shape& shape) {
  Generator random(3);
  return {random.uniform(shape, 0.5, 1.0, kF64), random.uniform(shape, -1.0, -0.5, kF64)};
}
Tensor blend(const Batches& b, const Tensor& eps) { return b.fake + (b.real - b.fake) * eps; }

// mlpack (wgangp_impl.hpp) and torchgan (losses/wasserstein.py) draw one eps for a whole batch: the penalty
// then looks at one slice across all lines, where Gulrajani 2017 (algorithm 1) draws one per sample.
TEST(KnownMistakes, OneEpsForTheBatch_mlpack_torchgan) {
  const Batches b = batches({6, 2, 3});
  Generator random(4);
  EXPECT_TRUE(on_lines_of_their_own(b.real, b.fake, on_lines().points(b.real, b.fake, random)));
  EXPECT_FALSE(on_lines_of_their_own(b.real, b.fake, blend(b, random.uniform({1, 1, 1}, 0, 1, kF64))));
}

// hwalsuklee/tensorflow-generative-model-collections (WGAN_GP.py, DRAGAN.py) draws alpha for every pixel: the
// points fill the box between the samples and lie on no line.
TEST(KnownMistakes, OneEpsPerPixel_hwalsuklee) {
  const Batches b = batches({6, 1, 4, 4});
  Generator random(4);
  EXPECT_TRUE(on_lines_of_their_own(b.real, b.fake, on_lines().points(b.real, b.fake, random)));
  EXPECT_FALSE(on_lines_of_their_own(b.real, b.fake, blend(b, random.uniform({6, 1, 4, 4}, 0, 1, kF64))));
}

// hwalsuklee (DRAGAN.py) and torchgan draw DRAGAN's alpha for every pixel too: of many pixels one always goes
// nearly the whole way, so that every sample moves as far as every other. One alpha per sample (Kodali 2017)
// spreads the points over the neighbourhood.
TEST(KnownMistakes, OneAlphaPerPixelAroundReal_hwalsuklee_torchgan) {
  Generator random(12);
  const Tensor real = random.normal({12, 1, 20, 20}, 0, 1, kF64);
  const auto spreads_samples = [&](const Tensor& points) {
    const auto x = real.to_vector<double>(), p = points.to_vector<double>();
    double nearest = 1e300, farthest = 0;
    for (size_t b = 0; b < 12; ++b) {
      double way = 0;
      for (size_t i = b * 400; i < (b + 1) * 400; ++i) way = std::max(way, std::abs(p[i] - x[i]));
      nearest = std::min(nearest, way);
      farthest = std::max(farthest, way);
    }
    return nearest < 0.3 * farthest;
  };
  const Tensor fake = Tensor::zeros(real.shape(), kF64),
               step = mul_scalar(sqrt(variance(real, {0, 1, 2, 3})), 0.5);
  const Tensor per_pixel =
      random.uniform(real.shape(), 0, 1, kF64) * random.uniform(real.shape(), 0, 1, kF64);
  EXPECT_TRUE(spreads_samples(around_real().points(real, fake, random)));
  EXPECT_FALSE(spreads_samples(real + per_pixel * step));
}

// kwotsin/mimicry (nets/gan, wgan_gp_base.py): eps is spread over a sample's elements and then viewed as [N,
// 3, H, W], which one-channel images and anything that is no image do not fit.
TEST(KnownMistakes, ThreeChannelsAssumed_mimicry) {
  const auto duels = [](const Batches& b) {
    Generator random(4);
    return on_lines().points(b.real, b.fake, random);
  };
  const auto three_channels = [](const Batches& b) {
    Generator random(4);
    const int64_t n = b.real.dim(0), m = b.real.shape().numel_from(1);
    const Tensor eps = broadcast_to(random.uniform({n, 1}, 0, 1, kF64), {n, m});
    return blend(b, eps.reshape({n, 3, b.real.dim(-2), b.real.dim(-1)}));
  };
  const auto works = [](const auto& points, const Shape& shape) {
    const Batches b = batches(shape);
    try {
      return on_lines_of_their_own(b.real, b.fake, points(b));
    } catch (const Error&) {
      return false;
    }
  };
  for (const Shape& shape : {Shape{4, 3, 5, 2}, Shape{4, 1, 5, 2}, Shape{4, 2}})
    EXPECT_TRUE(works(duels, shape)) << to_text(shape);
  EXPECT_TRUE(works(three_channels, {4, 3, 5, 2})) << "the case it was written for";
  EXPECT_FALSE(works(three_channels, {4, 1, 5, 2}));
}

// torchgan (losses/functional.py, both gradient penalties) takes one norm over the gradients of the whole
// batch, which grows with the batch's root.
TEST(KnownMistakes, NormOverTheBatch_torchgan) {
  const auto of_batch = [](nn::Module& critic, const Tensor& points) {
    return square(sqrt(sum(square(input_gradients(critic, points)))) - 1.0);
  };
  EXPECT_TRUE(is_the_penalty_of_linear_critics(duels_penalty, {4}));
  EXPECT_FALSE(is_the_penalty_of_linear_critics(of_batch, {4}));
}

// eriklindernoren/PyTorch-GAN (dragan.py) takes the norm over axis 1 of images [N, C, H, W] without
// flattening them: one norm per pixel, over its channels.
TEST(KnownMistakes, NormOverTheChannels_PyTorchGAN) {
  const auto of_channels = [](nn::Module& critic, const Tensor& points) {
    return mean(square(sqrt(sum(square(input_gradients(critic, points)), {1})) - 1.0));
  };
  EXPECT_TRUE(is_the_penalty_of_linear_critics(duels_penalty, {2, 3, 4}));
  EXPECT_FALSE(is_the_penalty_of_linear_critics(of_channels, {2, 3, 4}));
}

// hwalsuklee (WGAN_GP.py, DRAGAN.py) sums squares over axis 1 of [N, H, W, C]: one norm per column of pixels.
TEST(KnownMistakes, NormOverTheHeight_hwalsuklee) {
  const auto of_height = [](nn::Module& critic, const Tensor& points) {
    return mean(square(sqrt(sum(square(input_gradients(critic, points)), {2})) - 1.0));
  };
  EXPECT_FALSE(is_the_penalty_of_linear_critics(of_height, {2, 3, 4}));
  EXPECT_TRUE(is_the_penalty_of_linear_critics(duels_penalty, {2, 3, 4}));
}

// hwalsuklee (WGAN_GP.py, DRAGAN.py) leaves batch norm in a critic under a penalty. A sample's output then
// depends on the others, its "gradient norm" changes when another sample does, and the penalty of single
// samples means nothing. Duel refuses the mix.
TEST(KnownMistakes, BatchNormUnderAPenalty_hwalsuklee) {
  const auto norm_is_its_own = [](nn::Module& critic) {
    Generator random(6);
    const Tensor points = random.normal({4, 3}, 0, 1, kF64);
    Tensor changed = points.detach().clone();
    changed.mutable_data<double>()[3 * 3] += 2;  // another sample
    const double before = sample_norm(input_gradients(critic, points)).to_vector<double>()[0];
    return near(sample_norm(input_gradients(critic, changed)).to_vector<double>()[0], before);
  };
  nn::Sequential layer(nn::Linear(3, 4), nn::LayerNorm({4}), nn::Tanh(), nn::Linear(4, 1));
  nn::Sequential batch(nn::Linear(3, 4), nn::BatchNorm1d(4), nn::Tanh(), nn::Linear(4, 1));
  for (nn::Sequential* critic : {&layer, &batch}) critic->to(DType::f64);
  EXPECT_TRUE(norm_is_its_own(layer));
  EXPECT_FALSE(norm_is_its_own(batch));
  EXPECT_NO_THROW(check_compatible(named_objective("wgan-gp"), layer, 4));
  EXPECT_TRUE(duel::testing::has(
      duel::testing::error_of([&] { check_compatible(named_objective("wgan-gp"), batch, 4); }),
      "batch norm"));
}

// hwalsuklee (WGAN_GP.py, DRAGAN.py) has lambda 0.25. The best linear critic of two points D apart has the
// slope 1 + D / (2 lambda): with lambda 10 nearly 1, as the distance needs it, with 0.25 five times that.
TEST(KnownMistakes, LambdaAQuarter_hwalsuklee) {
  const auto best_slope_is_about_one = [](const Objective& objective) {
    nn::Sequential critic(nn::Linear(1, 1, {.bias = false}));
    critic.to(DType::f64);
    const Tensor w = critic.parameters()[0], real = Tensor::ones({1, 1}, kF64),
                 fake = Tensor::full({1, 1}, -1, kF64);
    const auto loss = [&] {
      const Tensor on_real = critic(real), on_fake = critic(fake);
      Tensor total = discriminator_loss(objective.loss, Relativism::none, on_real, on_fake);
      for (const Penalty& p : objective.penalties)
        total = total + gradient_penalty(critic, real, p.shape, p.weight).value;
      return total;
    };
    const auto slope = [&](double at) {
      w.mutable_data<double>()[0] = at;
      return grad({loss()}, {w})[0].item();
    };
    const double best = 1 + 2 / (2 * objective.penalties[0].weight);
    EXPECT_NEAR(slope(best), 0, 1e-12);  // the closed form, by the gradient
    return std::abs(best - 1) < 0.2;
  };
  EXPECT_TRUE(best_slope_is_about_one(named_objective("wgan-gp")));
  EXPECT_FALSE(best_slope_is_about_one(named_objective("wgan-gp", {{"lambda", 0.25}})));
}

// google/compare_gan (first version) differentiates the sigmoid of the logit in DRAGAN's penalty. Its slope
// is the logit's times sigmoid', at most a quarter, and vanishes where D is sure of itself: the penalty then
// asks for steeper logits.
TEST(KnownMistakes, PenaltyOnTheSigmoidOutput_compare_gan) {
  const auto of_sigmoid = [](nn::Module& critic, const Tensor& points) {
    const Tensor x = points.detach().set_requires_grad(true);
    return mean(
        square(sample_norm(grad({sum(sigmoid(critic(x)))}, {x}, {}, {.create_graph = true})[0]) - 1.0));
  };
  EXPECT_TRUE(is_the_penalty_of_linear_critics(duels_penalty, {4}));
  EXPECT_FALSE(is_the_penalty_of_linear_critics(of_sigmoid, {4}));
}

// compare_gan (first version) puts a sigmoid before the least-squares loss. Mao 2016's optimum, D = (b p + a
// q) / (p + q), is one of the raw output; behind a sigmoid it is out of reach for labels outside (0, 1).
TEST(KnownMistakes, LeastSquaresOnTheSigmoidOutput_compare_gan) {
  const double p = 0.3, q = 0.9, a = -1, b = 1;
  const Loss loss = least_squares_loss(a, b, 0);
  const auto is_best_at_maos_optimum = [&](const std::function<Tensor(const Tensor&)>& output) {
    const Tensor d = Tensor::from({(b * p + a * q) / (p + q)}, {1, 1}).set_requires_grad(true);
    return std::abs(grad({loss.d_real(output(d)) * p + loss.d_fake(output(d)) * q}, {d})[0].item()) < 1e-12;
  };
  EXPECT_TRUE(is_best_at_maos_optimum([](const Tensor& d) { return d * 1.0; }));
  EXPECT_FALSE(is_best_at_maos_optimum([](const Tensor& d) { return sigmoid(d); }));
}

// PyTorch-GAN (relativistic_gan.py, open since 2019): G's relativistic loss is computed and then overwritten
// by the plain one. A relativistic loss looks at differences only: shifting every logit by a constant must
// not change it.
TEST(KnownMistakes, RelativisticLossOfGOverwritten_PyTorchGAN) {
  Generator random(7);
  const Tensor r = random.normal({4, 1}, 0, 1, kF64), f = random.normal({4, 1}, 0, 1, kF64);
  const auto sees_differences_only = [&](const std::function<Tensor(const Tensor&, const Tensor&)>& loss) {
    return near(loss(r + 3.0, f + 3.0).item(), loss(r, f).item());
  };
  for (const Relativism relativism : {Relativism::paired, Relativism::average}) {
    EXPECT_TRUE(sees_differences_only([&](const Tensor& x, const Tensor& y) {
      return generator_loss(non_saturating_loss(), relativism, x, y);
    }));
    EXPECT_FALSE(sees_differences_only([&](const Tensor& x, const Tensor& y) {
      Tensor loss = generator_loss(non_saturating_loss(), relativism, x, y);
      loss = bce_with_logits(y, 1.0);
      return loss;
    }));
  }
}

// AlexiaJM/RelativisticGAN (its second issue): the author's own RaSGAN and RaLSGAN had signs the wrong way
// round at first. D must gain by raising real logits and lowering fake ones, and G's loss is D's with the
// players' roles exchanged.
TEST(KnownMistakes, SignsOfRelativisticLosses_RaGAN) {
  using Two = std::function<Tensor(const Tensor&, const Tensor&)>;
  Generator random(8);
  const auto signs_are_right = [&](const Two& d, const Two& g) {
    for (int draw = 0; draw < 8; ++draw) {
      const Tensor r = random.normal({3, 1}, 0, 0.1, kF64).set_requires_grad(true);
      const Tensor f = random.normal({3, 1}, 0, 0.1, kF64).set_requires_grad(true);
      const auto slopes = grad({d(r, f)}, {r, f});
      for (double v : slopes[0].to_vector<double>()) {
        if (v >= 0) return false;
      }
      for (double v : slopes[1].to_vector<double>()) {
        if (v <= 0) return false;
      }
      if (!near(g(r, f).item(), d(f, r).item())) return false;
    }
    return true;
  };
  for (const Loss& loss : {non_saturating_loss(), least_squares_loss(-1, 1, 1)}) {
    const Two d = [&](const Tensor& r, const Tensor& f) {
      return discriminator_loss(loss, Relativism::average, r, f);
    };
    const Two g = [&](const Tensor& r, const Tensor& f) {
      return generator_loss(loss, Relativism::average, r, f);
    };
    EXPECT_TRUE(signs_are_right(d, g)) << loss.name;
    EXPECT_FALSE(signs_are_right(g, d)) << loss.name;               // D's and G's signs exchanged
    const Two half_wrong = [&](const Tensor& r, const Tensor& f) {  // the fake side asks for the real label
      return mul_scalar(loss.d_real(r - mean(f)) + loss.d_real(f - mean(r)), 0.5);
    };
    EXPECT_FALSE(signs_are_right(half_wrong, half_wrong)) << loss.name;
  }
}

// PyTorch-GAN (gan.py, wgan.py, wgan_gp.py and others) writes BatchNorm1d(n, 0.8): the second argument is
// eps, not the momentum that was meant. Features of small variance are then hardly normalised. Duel's options
// have names.
TEST(KnownMistakes, MomentumGivenAsEps_PyTorchGAN) {
  const auto normalises = [](nn::BatchNormOptions options) {
    nn::BatchNorm1d norm(1, options);
    norm.to(DType::f64);
    const Tensor y = norm(Generator(9).normal({200, 1}, 3, 0.3, kF64));
    return std::abs(variance(y, {0}).item() - 1) < 1e-3;
  };
  EXPECT_TRUE(normalises({.momentum = 0.8}));
  EXPECT_FALSE(normalises({.eps = 0.8}));
}

/// That many modes, all different and of the same weight.
bool are_even_modes(const std::vector<std::array<double, 2>>& means, size_t modes) {
  std::set<std::pair<int64_t, int64_t>> places;
  for (const auto& [x, y] : means) places.insert({std::llround(x * 1e6), std::llround(y * 1e6)});
  return places.size() == modes && means.size() == modes;
}

// The unrolled GAN's demo takes 8 evenly spaced angles from 0 to 2 pi with both ends: 7 modes, one of them
// twice as heavy. The copy in LSGAN takes 9 such angles: 8 modes, one with two ninths of the samples.
TEST(KnownMistakes, RingWithBothEnds_unrolled_gan_LSGAN) {
  const auto both_ends = [](int points) {
    std::vector<std::array<double, 2>> means;
    for (int i = 0; i < points; ++i) {
      const double angle = 2 * std::numbers::pi * i / (points - 1);
      means.push_back({std::cos(angle), std::sin(angle)});
    }
    return means;
  };
  EXPECT_TRUE(are_even_modes(lab::make_mixture("ring").means, 8));
  EXPECT_FALSE(are_even_modes(both_ends(8), 8));
  EXPECT_FALSE(are_even_modes(both_ends(9), 8));
}

// LMescheder/GAN_stability (gan_training/train.py) multiplies |grad D|^2 by reg_param without the 1/2 of the
// paper's R1: its 10 is gamma = 20. The paper's eigenvalues near the Dirac-GAN's equilibrium, s^2 + gamma s +
// 1/4 = 0, tell them apart.
TEST(KnownMistakes, GammaWithoutItsHalf_GAN_stability) {
  constexpr double gamma = 1.5, h = 0.1;
  const auto has_the_papers_eigenvalues = [&](double weight) {
    Objective r1 = lab::dirac_objective(
        {.loss = non_saturating_loss(), .penalties = {{zero_centered(), at_real(), 1.0}}},
        lab::dirac_orders()[0], h);
    r1.penalties[0].weight = weight;
    const auto m = lab::DiracGame(r1).numeric_update();  // 1 + h s
    return std::abs((m[0] + m[3] - 2) / h + gamma) < 1e-6 &&
           std::abs((m[0] - 1) * (m[3] - 1) - m[1] * m[2] - h * h / 4) < 1e-8;
  };
  EXPECT_TRUE(has_the_papers_eigenvalues(gamma / 2));
  EXPECT_FALSE(has_the_papers_eigenvalues(gamma));
  EXPECT_EQ(named_objective("r1").penalties[0].weight, 5.0) << "gamma = 10, the paper's";
}

// gan/objective/proofs.md lists them all, and no test that there is not.
TEST(KnownMistakesTable, NamesEveryTest) {
  std::set<std::string> listed, tests;
  for (const duel::testing::Cells& row : duel::testing::published("known-mistakes")) {
    const std::string& name = row.back();
    if (name.starts_with('`') && !name.ends_with("(devices)")) listed.insert(name.substr(1, name.size() - 2));
  }
  const auto* all = ::testing::UnitTest::GetInstance();
  for (int i = 0; i < all->total_test_suite_count(); ++i) {
    const auto* suite = all->GetTestSuite(i);
    for (int k = 0; k < suite->total_test_count() && std::string(suite->name()) == "KnownMistakes"; ++k) {
      tests.insert(suite->GetTestInfo(k)->name());
    }
  }
  EXPECT_EQ(listed, tests);
}

}  // namespace
}  // namespace duel::gan
