// Losses beyond the classic ones: values by hand, and what theory says about their optimum.
#include "duel/gan/objective/loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/objective/objective.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;

const double kP[] = {0.2, 0.3, 0.5}, kQ[] = {0.6, 0.3, 0.1};  // two densities on three points

struct Known {
  Divergence divergence;
  double (*f)(double u);
  double (*optimum)(double u);  // the logit with g(v) = f'(u), u = p / q
};

const Known kKnown[] = {
    {kullback_leibler(), [](double u) { return u * std::log(u); }, [](double u) { return 1 + std::log(u); }},
    {reverse_kullback_leibler(), [](double u) { return -std::log(u); }, [](double u) { return std::log(u); }},
    {pearson_chi_squared(), [](double u) { return (u - 1) * (u - 1); }, [](double u) { return 2 * (u - 1); }},
    {squared_hellinger(), [](double u) { return (std::sqrt(u) - 1) * (std::sqrt(u) - 1); },
     [](double u) { return 0.5 * std::log(u); }},
    {jensen_shannon(), [](double u) { return u * std::log(u) - (u + 1) * std::log((1 + u) / 2); },
     [](double u) { return std::log(u); }},
    {alpha_divergence(0.5), [](double u) { return 2 * (std::sqrt(u) - 1) * (std::sqrt(u) - 1); },
     // 2 - softplus(-v) = f'(u) = 2 - 2 / sqrt u
     [](double u) { return -std::log(std::expm1(2 / std::sqrt(u))); }},
    {alpha_divergence(2.0), [](double u) { return 0.5 * (u - 1) * (u - 1); }, [](double u) { return u - 1; }},
};

/// E_p g(v) - E_q f*(g(v)) of one logit per point.
Tensor bound(const Divergence& d, const Tensor& v) {
  const Tensor p = Tensor::from({kP[0], kP[1], kP[2]}, {3}), q = Tensor::from({kQ[0], kQ[1], kQ[2]}, {3});
  return sum(p * d.activation(v)) - sum(q * d.conjugate_activation(v));
}

// The variational bound is tight where g(v) = f'(p / q), and no other logits exceed it (Nguyen 2010; Nowozin
// 2016, eq. 4). A wrong conjugate, activation or sign misses the value or leaves a gradient.
TEST(Divergence, TheOptimalDiscriminatorGivesTheDivergenceItself) {
  Generator random(3);
  for (const auto& [divergence, f, optimum] : kKnown) {
    double expected = 0;
    std::vector<double> best;
    for (int i = 0; i < 3; ++i) {
      expected += kQ[i] * f(kP[i] / kQ[i]);
      best.push_back(optimum(kP[i] / kQ[i]));
    }
    EXPECT_NEAR(divergence.undecided, optimum(1), 1e-14) << divergence.name;
    const Tensor v = Tensor::from(best, {3}).set_requires_grad(true);
    const Tensor value = bound(divergence, v);
    EXPECT_NEAR(value.item(), expected, 1e-12) << divergence.name;
    for (double g : grad({value}, {v})[0].to_vector<double>()) EXPECT_NEAR(g, 0, 1e-12) << divergence.name;
    for (int trial = 0; trial < 50; ++trial) {
      const Tensor other = v.detach() + random.normal({3}, 0, 1, v.options());
      EXPECT_LT(bound(divergence, other).item(), expected) << divergence.name;
    }
  }
}

// Where D tells the two apart, the saddle point's own loss of G is flat for the activations that saturate;
// section 3.2's is not.
TEST(Divergence, GeneratorRaisesTheActivationOfItsOwnSamples) {
  const Tensor r = Tensor::from({0.3, -1.2, 2.0}, {3, 1}), f = Tensor::from({-0.4, 0.9, 0.1}, {3, 1});
  for (const auto& known : kKnown) {
    const Loss loss = divergence_loss(known.divergence);
    const double d = discriminator_loss(loss, Relativism::none, r, f).item();
    const double g = generator_loss(loss, Relativism::none, r, f).item();
    const bool saddle =
        loss.name == "reverse_kullback_leibler";  // linear there, where -g = exp(-f) has no bound
    EXPECT_EQ(known.divergence.saddle, saddle) << loss.name;
    EXPECT_DOUBLE_EQ(
        g, -mean((saddle ? known.divergence.conjugate_activation : known.divergence.activation)(f)).item())
        << loss.name;
    EXPECT_DOUBLE_EQ(generator_loss(saddle_loss(loss), Relativism::none, r, f).item(), -d) << loss.name;
    EXPECT_FALSE(generator_needs_real(loss, Relativism::none));

    // D is sure that this one is generated
    const Tensor sure = Tensor::from({-30.0}, {1, 1}).set_requires_grad(true);
    const auto slope = [&](const Loss& of) {
      return grad({generator_loss(of, Relativism::none, r, sure)}, {sure})[0].item();
    };
    EXPECT_LT(slope(loss), -0.99) << loss.name;
  }
}

TEST(Divergence, AFunctionInTheBuiltInsPlaceCounts) {
  const Tensor v = Tensor::from({0.3, -3.2, 2.0}, {3, 1});
  Divergence changed = pearson_chi_squared();
  EXPECT_DOUBLE_EQ(divergence_loss(changed).d_fake(v).item(), mean(changed.conjugate_activation(v)).item());
  changed.conjugate_activation = [](const Tensor& x) { return square(x) * 3.0; };
  EXPECT_DOUBLE_EQ(divergence_loss(changed).d_fake(v).item(), mean(square(v) * 3.0).item());
  changed.activation = [](const Tensor& x) { return tanh(x); };
  EXPECT_DOUBLE_EQ(divergence_loss(changed).d_real(v).item(), -mean(tanh(v)).item());
  EXPECT_DOUBLE_EQ(divergence_loss(changed).g_fake(v).item(), -mean(tanh(v)).item());
}

TEST(Divergence, AlphaHasTheOthersAsSpecialCases) {
  // a = 2 is half of Pearson's with T halved; a = 1/2 is twice Hellinger's: compare the divergences, not the
  // logits.
  for (const double a : {0.0, 1.0, std::nan("")}) {
    EXPECT_TRUE(has(error_of([&] { alpha_divergence(a); }), "other than 0 and 1"));
  }
  // Far below the domain f* of a > 1 rests at its floor -1 / a, with gradient 0.
  const Tensor v = Tensor::from({-50.0}, {1}).set_requires_grad(true);
  const Tensor floor = sum(alpha_divergence(2.0).conjugate_activation(v));
  EXPECT_DOUBLE_EQ(floor.item(), -0.5);
  EXPECT_EQ(grad({floor}, {v})[0].item(), 0);
}

// f of Pearson's chi-squared is twice that of alpha = 2, so its conjugate is twice the other's at half the
// point: below the domain too, where no ratio of densities gives a smaller logit than -2.
TEST(Divergence, PearsonAndAlphaTwoAgreeEverywhere) {
  const std::vector<double> points{-50.0, -3.0, -2.0, -1.9, -0.5, 0.0, 1.0, 30.0};
  const Tensor v = Tensor::from(points, {8}).set_requires_grad(true),
               half = (v.detach() * 0.5).set_requires_grad(true);
  const Tensor pearson = pearson_chi_squared().conjugate_activation(v),
               alpha = alpha_divergence(2.0).conjugate_activation(half);
  const auto slopes = grad({sum(pearson)}, {v})[0].to_vector<double>(),
             slopes_alpha = grad({sum(alpha)}, {half})[0].to_vector<double>();
  for (size_t i = 0; i < points.size(); ++i) {
    EXPECT_NEAR(pearson.to_vector<double>()[i], 2 * alpha.to_vector<double>()[i], 1e-12) << points[i];
    EXPECT_NEAR(slopes[i], slopes_alpha[i], 1e-12) << points[i];
    if (points[i] < -2) {
      EXPECT_EQ(pearson.to_vector<double>()[i], -1) << points[i];
    }
  }
}

TEST(Divergence, JensenShannonHasTheGradientsOfTheNonSaturatingLoss) {
  const Tensor r = Tensor::from({0.3, -1.2}, {2}).set_requires_grad(true),
               f = Tensor::from({-0.4, 0.9}, {2}).set_requires_grad(true);
  const Loss js = divergence_loss(jensen_shannon()), non_saturating = non_saturating_loss();
  const auto gradients = [&](const Loss& loss) {
    auto all = grad({discriminator_loss(loss, Relativism::none, r, f)}, {r, f});
    all.push_back(grad({generator_loss(loss, Relativism::none, r, f)}, {f})[0]);
    return all;
  };
  const auto a = gradients(js), b = gradients(non_saturating);
  for (size_t k = 0; k < 3; ++k) {
    for (size_t i = 0; i < 2; ++i)
      EXPECT_NEAR(a[k].to_vector<double>()[i], b[k].to_vector<double>()[i], 1e-15);
  }
}

TEST(Softmax, ByHandAndAtItsOptimum) {
  const Tensor r = Tensor::from({1.0, -0.5}, {2, 1}), f = Tensor::from({0.25, 2.0}, {2, 1});
  const double log_z = std::log(std::exp(1.0) + std::exp(-0.5) + std::exp(0.25) + std::exp(2.0));
  const Loss loss = softmax_loss();
  EXPECT_NEAR(discriminator_loss(loss, Relativism::none, r, f).item(), log_z - 0.5 / 2, 1e-14);
  EXPECT_NEAR(generator_loss(loss, Relativism::none, r, f).item(), log_z - 2.75 / 4, 1e-14);
  EXPECT_TRUE(generator_needs_real(loss, Relativism::none));
  // D: real samples share all probability, log |B+|; G: nothing tells the batches apart, log |B| and no
  // gradient.
  const Tensor high = Tensor::full({2, 1}, 800.0, {DType::f64, {}}),
               low = Tensor::zeros({2, 1}, {DType::f64, {}});
  EXPECT_NEAR(discriminator_loss(loss, Relativism::none, high, low).item(), std::log(2.0), 1e-14);
  const Tensor same = Tensor::zeros({2, 1}, {DType::f64, {}}).set_requires_grad(true);
  const Tensor g = generator_loss(loss, Relativism::none, low, same);
  EXPECT_NEAR(g.item(), std::log(4.0), 1e-14);
  for (double v : grad({g}, {same})[0].to_vector<double>()) EXPECT_NEAR(v, 0, 1e-15);
}

TEST(Hinge, TheMarginFormStopsAtTheMargin) {
  const Tensor f = Tensor::from({0.5, 3.0}, {2}).set_requires_grad(true);
  const Tensor g = generator_loss(hinge_margin_loss(), Relativism::none, f, f);
  EXPECT_DOUBLE_EQ(g.item(), 0.25);
  EXPECT_EQ(grad({g}, {f})[0].to_vector<double>(), (std::vector<double>{-0.5, 0}));
  EXPECT_DOUBLE_EQ(generator_loss(hinge_loss_pair(), Relativism::none, f, f).item(), -1.75);
}

/// D's and G's losses of a cross-entropy with the reals' target 0.9, by hand. Of softplus(-r) + 0.1 r only
/// the second part is the smoothing's; everything said of fakes is as it was. `zero_sum`: G's loss is -L_D.
bool smooths_the_reals_only(const Loss& loss, bool saturating, bool zero_sum) {
  const std::vector<double> r{2.0, -1.0}, f{0.5, -3.0};
  const Tensor real = Tensor::from(r, {2, 1}).set_requires_grad(true),
               fake = Tensor::from(f, {2, 1}).set_requires_grad(true);
  const auto sg = [](double v) { return 1 / (1 + std::exp(-v)); };
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-8; };
  // Worked out on paper: mean softplus(-r) = 0.720094850, mean softplus(f) = 0.511332168, mean softplus(-f) =
  // 1.761332168.
  const double loss_d = 0.720094850 + 0.1 * 0.5 + 0.511332168, loss_g = zero_sum     ? -loss_d
                                                                        : saturating ? -0.511332168
                                                                                     : 1.761332168;
  const Tensor d = discriminator_loss(loss, Relativism::none, real, fake),
               g = generator_loss(loss, Relativism::none, real, fake);
  if (!near(d.item(), loss_d) || !near(g.item(), loss_g)) return false;
  const auto of_d = grad({d}, {real, fake});
  const Tensor of_g = grad({g}, {fake})[0];
  for (size_t i = 0; i < 2; ++i) {
    if (!near(of_d[0].to_vector<double>()[i], (sg(r[i]) - 0.9) / 2) ||
        !near(of_d[1].to_vector<double>()[i], sg(f[i]) / 2))
      return false;
    if (!near(of_g.to_vector<double>()[i], (saturating || zero_sum ? sg(f[i]) : 1 - sg(f[i])) / -2))
      return false;
  }
  return true;
}

// One-sided (Goodfellow 2016, arXiv:1701.00160, section 4.2): a smoothed target for fakes would reward D for
// raising its logit where G puts samples by chance, and G has no target to smooth.
TEST(LabelSmoothing, ChangesTheRealTermOfDAndNothingElse) {
  int64_t smoothed = 0;
  for (const std::string& name : objective_names()) {
    if (!resolved_overrides(name).has("label-smoothing")) continue;
    ++smoothed;
    const bool saturating = name == "gan", zero_sum = name == "unrolled";
    EXPECT_TRUE(
        smooths_the_reals_only(named_objective(name, {{"label-smoothing", 0.1}}).loss, saturating, zero_sum))
        << name;
    EXPECT_FALSE(smooths_the_reals_only(named_objective(name).loss, saturating, zero_sum))
        << name << ": not smoothed";
  }
  EXPECT_GE(smoothed, 12);
  const auto target = [](double t) { return [t](const Tensor& x) { return bce_with_logits(x, t); }; };
  Loss fakes = named_objective("ns-gan", {{"label-smoothing", 0.1}}).loss, generator = fakes;
  fakes.d_fake = target(0.1);
  generator.g_fake = target(0.9);
  EXPECT_FALSE(smooths_the_reals_only(fakes, false, false)) << "the fakes' target smoothed";
  EXPECT_FALSE(smooths_the_reals_only(generator, false, false)) << "G's target smoothed";
}

// Every relativistic form against the formulas of Jolicoeur-Martineau 2018, with G's loss equal to D's after
// real and fake change places: the symmetry that the author's first code broke (RelativisticGAN issue 2).
TEST(Relativism, SignsByHandAndBySymmetry) {
  const std::vector<double> r{2.0, -1.0}, f{0.5, 1.0};
  const double mr = 0.5, mf = 0.75;
  const Tensor real = Tensor::from(r, {2, 1}), fake = Tensor::from(f, {2, 1});
  const auto softplus = [](double v) { return std::log1p(std::exp(v)); };
  const auto relu = [](double v) { return std::max(v, 0.0); };
  double square = 0, hinge = 0, ns = 0;
  for (size_t i = 0; i < 2; ++i) {
    ns += softplus(-(r[i] - mf)) + softplus(f[i] - mr);
    square += std::pow(r[i] - mf - 1, 2) + std::pow(f[i] - mr + 1, 2);
    hinge += relu(1 - (r[i] - mf)) + relu(1 + (f[i] - mr));
  }
  const std::pair<Loss, double> expected[] = {{non_saturating_loss(), ns / 4},
                                              {least_squares_loss(-1, 1, 1, 1.0), square / 4},
                                              {hinge_margin_loss(), hinge / 4}};
  for (const auto& [loss, value] : expected) {
    EXPECT_NEAR(discriminator_loss(loss, Relativism::average, real, fake).item(), value, 1e-14) << loss.name;
    for (const Relativism relativism : {Relativism::paired, Relativism::average}) {
      EXPECT_NEAR(generator_loss(loss, relativism, real, fake).item(),
                  discriminator_loss(loss, relativism, fake, real).item(), 1e-14)
          << loss.name;
    }
  }
}

TEST(LeastSquares, TheScaleIsAFactor) {
  const Tensor r = Tensor::from({2.0, 0.0}, {2}), f = Tensor::from({1.0, 3.0}, {2});
  const Loss half = least_squares_loss(-1, 1, 0), whole = least_squares_loss(-1, 1, 0, 1.0);
  EXPECT_DOUBLE_EQ(discriminator_loss(whole, Relativism::none, r, f).item(),
                   2 * discriminator_loss(half, Relativism::none, r, f).item());
  EXPECT_DOUBLE_EQ(generator_loss(whole, Relativism::none, r, f).item(),
                   2 * generator_loss(half, Relativism::none, r, f).item());
}

}  // namespace
}  // namespace duel::gan
