// Diagnostics against closed forms: critics that are planes, matrices whose singular values are known, steps
// whose angle is.
#include "duel/gan/train/diagnostics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <set>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/run/run.h"
#include "duel/nn/layers.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::kF64;

// ---- Spectral norms
// -----------------------------------------------------------------------------------------------

/// By thousands of power iterations in plain loops.
double naive_norm(const Tensor& matrix) {
  const int64_t m = matrix.dim(0), n = matrix.dim(1);
  const auto w = matrix.to_vector<double>();
  std::vector<double> v(static_cast<size_t>(n), 1.0), u(static_cast<size_t>(m));
  v[0] = 1.5;
  double sigma = 0;
  for (int i = 0; i < 4000; ++i) {
    for (int64_t r = 0; r < m; ++r)
      u[size_t(r)] = std::inner_product(v.begin(), v.end(), w.begin() + r * n, 0.0);
    for (int64_t c = 0; c < n; ++c) {
      v[size_t(c)] = 0;
      for (int64_t r = 0; r < m; ++r) v[size_t(c)] += w[size_t(r * n + c)] * u[size_t(r)];
    }
    const double length = std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
    sigma = std::sqrt(length);
    for (double& x : v) x /= length;
  }
  return sigma;
}

TEST(SpectralNormEstimate, IsAlmostTheLargestSingularValueAndNeverMore) {
  Generator random(3);
  for (const auto& [m, n] :
       {std::pair<int64_t, int64_t>{40, 60}, {60, 40}, {1, 17}, {17, 1}, {1, 1}, {128, 128}, {5, 3}}) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Tensor w = random.normal({m, n}, 0, 0.3, {dtype, {}});
      const double truth = naive_norm(w), estimate = spectral_norm(w).item();
      EXPECT_LE(estimate, truth * (1 + 1e-6)) << m << "x" << n;
      EXPECT_GE(estimate, truth * 0.99) << m << "x" << n;
      if (std::min(m, n) <= 16) {  // the whole space was seen
        EXPECT_NEAR(estimate, truth, 1e-6 * truth) << m << "x" << n;
      }
    }
  }
}

TEST(SpectralNormEstimate, OfMatricesOfLowRank) {
  EXPECT_EQ(spectral_norm(Tensor::zeros({20, 30})).item(), 0);
  const Tensor a = Generator(1).normal({20, 1}, 0, 1, kF64), b = Generator(2).normal({1, 30}, 0, 1, kF64);
  const auto length = [](const Tensor& x) { return std::sqrt(sum(square(x)).item()); };
  EXPECT_NEAR(spectral_norm(matmul(a, b)).item(), length(a) * length(b), 1e-9 * length(a) * length(b));
  std::vector<float> identity(24 * 24);
  for (size_t i = 0; i < 24; ++i) identity[i * 25] = -2.5f;
  EXPECT_NEAR(spectral_norm(Tensor::from(identity, {24, 24})).item(), 2.5, 1e-5);
}

TEST(SpectralNormEstimate, OfLayersUsesTheMatrixOfTheirOutputs) {
  manual_seed(4);
  nn::Sequential net(nn::Conv2d(2, 5, 3), nn::LeakyReLU(0.2), nn::ConvTranspose2d(5, 3, 2),
                     nn::BatchNorm2d(3), nn::Flatten(), nn::Linear(27, 1),
                     nn::SpectralNorm(nn::Linear(1, 6), {.n_power_iterations = 200}));
  net(Generator(1).normal({2, 2, 4, 4}));  // the SpectralNorm finds its direction
  const NamedValues norms = spectral_norms(net);
  ASSERT_EQ(norms.size(), 4u);  // biases and batch norm have no matrix
  EXPECT_EQ(norms[0].first, "0.weight");
  EXPECT_EQ(norms[3].first, "6.weight_orig");
  const auto weight = [&](size_t i) { return dynamic_cast<nn::WeightLayer&>(net[i]).weight.detach(); };
  EXPECT_NEAR(norms[0].second, naive_norm(weight(0).reshape({5, 18})), 1e-4);
  EXPECT_NEAR(norms[1].second, naive_norm(transpose(weight(2), 0, 1).flatten(1)), 1e-4);
  EXPECT_NEAR(norms[2].second, naive_norm(weight(5)), 1e-4);
  EXPECT_NEAR(norms[3].second, 1.0, 1e-5);
}

// ---- Cosines and histograms
// ---------------------------------------------------------------------------------------

TEST(StepCosine, IsOneForGradientDescentAndWhatItIsForAnyStep) {
  nn::Linear layer(3, 2);
  nn::ParameterArena arena(layer);
  nn::SGD sgd(arena, {.lr = 0.1});
  const std::vector<Tensor> before{arena.flat().clone()};
  const std::vector<Tensor> gradients{Tensor::from({1.f, 0.f, 0.f, 2.f, 0.f, 0.f}, {2, 3}), Tensor()};
  EXPECT_TRUE(std::isnan(step_cosine(arena, before, gradients))) << "nothing moved";
  sgd.step(gradients);
  EXPECT_NEAR(step_cosine(arena, before, gradients), 1.0, 1e-6);
  // The step was along -(1, 0, 0, 2, 0, 0) and the bias did not move: angles to other gradients.
  EXPECT_NEAR(step_cosine(arena, before, {Tensor::from({-1.f, 0.f, 0.f, -2.f, 0.f, 0.f}, {2, 3}), Tensor()}),
              -1.0, 1e-6);
  EXPECT_NEAR(
      step_cosine(arena, before,
                  {Tensor::from({1.f, 0.f, 0.f, 0.f, 0.f, 0.f}, {2, 3}), Tensor::from({0.f, 2.f}, {2})}),
      0.2, 1e-6);
}

TEST(Histograms, ShareTheirRangeAndSkipWhatIsNotFinite) {
  const double inf = std::numeric_limits<double>::infinity();
  const auto [a, b] = common_histograms({0, 1, 3.9, NAN}, {4, 2, -inf}, 4);
  EXPECT_EQ(a.low, 0);
  EXPECT_EQ(b.high, 4);
  EXPECT_EQ(a.counts, (std::vector<int64_t>{1, 1, 0, 1}));
  EXPECT_EQ(b.counts, (std::vector<int64_t>{0, 0, 1, 1}));
  const auto [c, d] = common_histograms({2, 2}, {}, 3);
  EXPECT_EQ(c.low, 2);
  EXPECT_EQ(c.high, 2);
  EXPECT_EQ(c.counts, (std::vector<int64_t>{2, 0, 0}));
  EXPECT_EQ(d.counts, (std::vector<int64_t>{0, 0, 0}));
  EXPECT_THROW(common_histograms({1}, {2}, 0), Error);
}

// ---- A whole diagnosis
// --------------------------------------------------------------------------------------------

/// D(x) = a (w . x), two layers; G(z) = z + (5, 0). Points in the plane.
struct Plane {
  explicit Plane(Objective objective) {
    auto d = std::make_shared<nn::Sequential>(nn::Linear(2, 1), nn::Linear(1, 1));
    auto g = std::make_shared<nn::Sequential>(nn::Linear(2, 2));
    d->to(DType::f64);
    g->to(DType::f64);
    const auto set = [](const Tensor& to, std::initializer_list<double> values) {
      NoGrad no_grad;
      to.copy_(Tensor::from(values, to.shape()));
    };
    set(d->at<nn::Linear>(0).weight, {3, 4});
    set(d->at<nn::Linear>(0).bias, {0});
    set(d->at<nn::Linear>(1).weight, {2});
    set(d->at<nn::Linear>(1).bias, {0});
    set(g->at<nn::Linear>(0).weight, {1, 0, 0, 1});
    set(g->at<nn::Linear>(0).bias, {5, 0});
    objective.schedule.d = objective.schedule.g = {.kind = OptimizerKind::sgd, .lr = 1e-9};
    std::shared_ptr<nn::Module> critic = d;
    if (is_autoencoder(objective.critic)) {
      critic = std::make_shared<AutoencoderCritic>(std::make_shared<nn::Linear>(2, 1),
                                                   std::make_shared<nn::Linear>(1, 2),
                                                   AutoencoderCritic::Error::absolute);
      critic->to(DType::f64);
    }
    if (objective.loss.reads_features) critic = std::make_shared<SequentialCritic>(*d);
    Networks networks{g, critic, {.noise = 2}, {}};
    training = std::make_shared<ResidentData>(Generator(1).normal({40, 2}, 0, 1, kF64));
    trainer = std::make_unique<Trainer>(networks, objective, training,
                                        TrainerOptions{.batch = 8, .dtype = DType::f64});
    trainer->step(true, &record);
  }
  std::shared_ptr<const ResidentData> training;
  std::unique_ptr<Trainer> trainer;
  StepRecord record;
};

double mean_logit(const Tensor& x) {
  const auto v = x.to_vector<double>();
  double total = 0;
  for (size_t i = 0; i < v.size(); i += 2) total += 2 * (3 * v[i] + 4 * v[i + 1]);
  return total / (static_cast<double>(v.size()) / 2);
}

TEST(Diagnosis, OfAPlaneIsInClosedForm) {
  const Plane plane({.name = "plane", .loss = wasserstein_loss()});
  const ResidentData held_out(Generator(9).normal({300, 2}, 0.5, 1, kF64));
  const Diagnosis d = diagnose(*plane.trainer, plane.record, &held_out);
  // ‖∇ D‖ = 2 ‖(3, 4)‖ everywhere.
  for (double norm :
       {d.number("input_gradient_real"), d.number("input_gradient_fake"), d.number("input_gradient_line")})
    EXPECT_NEAR(norm, 10, 1e-6);
  ASSERT_EQ(d.group("spectral_norms").size(), 2u);
  EXPECT_EQ(d.group("spectral_norms")[0].first, "0.weight");
  EXPECT_NEAR(d.group("spectral_norms")[0].second, 5, 1e-6);
  EXPECT_NEAR(d.group("spectral_norms")[1].second, 2, 1e-6);
  // L = mean f - mean r of 8 and 8: each logit has gradient ±1/8, so norms sqrt(16)/8 times the way back.
  ASSERT_EQ(d.group("activation_gradients").size(), 3u);
  EXPECT_EQ(d.group("activation_gradients")[0].first, "input");
  EXPECT_EQ(d.group("activation_gradients")[2].first, "1");
  EXPECT_NEAR(d.group("activation_gradients")[2].second, 0.5, 1e-6);
  EXPECT_NEAR(d.group("activation_gradients")[1].second, 0.5 * 2, 1e-6);
  EXPECT_NEAR(d.group("activation_gradients")[0].second, 0.5 * 10, 1e-6);
  const Tensor real = plane.record.batch.real, fake = plane.record.batch.fake;
  EXPECT_NEAR(d.number("wasserstein_estimate"), mean_logit(real) - mean_logit(fake), 1e-6);
  // 256 samples would be compared, and there are 40 for training.
  EXPECT_NEAR(d.number("critic_training"),
              mean_logit(plane.training->batch(plane.training->first(40), DType::f64)) - mean_logit(fake),
              1e-6);
  EXPECT_NEAR(d.number("critic_held_out"),
              mean_logit(held_out.batch(held_out.first(40), DType::f64)) - mean_logit(fake), 1e-6);
  EXPECT_NEAR(d.number("held_out_gap"), d.number("critic_training") - d.number("critic_held_out"), 1e-12);
  EXPECT_LT(d.number("held_out_gap"), -2)
      << "the held-out points lie half a unit further along both axes: 2 (3 + 4) / 2 = 7";
  EXPECT_NEAR(d.number("step_cosine_d"), 1, 1e-6);
  EXPECT_NEAR(d.number("step_cosine_g"), 1, 1e-6);
  // dL/d(second weight) = (mean f - mean r) / 2; dL_G/d(bias of G) = -(6, 8).
  ASSERT_EQ(d.group("gradients_d").size(), 4u);
  EXPECT_EQ(d.group("gradients_d")[2].first, "1.weight");
  EXPECT_NEAR(d.group("gradients_d")[2].second, std::abs(d.number("wasserstein_estimate")) / 2, 1e-6);
  EXPECT_EQ(d.group("gradients_g")[1].first, "0.bias");
  EXPECT_NEAR(d.group("gradients_g")[1].second, 10, 1e-6);
  const auto counted = [&](const char* key) {
    const Histogram h = d.histogram(key);
    return std::accumulate(h.counts.begin(), h.counts.end(), int64_t{0});
  };
  EXPECT_EQ(counted("histogram_real"), 8);
  EXPECT_EQ(counted("histogram_weights"), 3) << "no biases";
  EXPECT_EQ(d.histogram("histogram_real").low, d.histogram("histogram_fake").low);
  EXPECT_TRUE(std::isnan(d.number("js_estimate")) && std::isnan(d.number("accuracy")) &&
              std::isnan(d.number("share_at_clip")))
      << "they mean nothing here";
  EXPECT_TRUE(std::isnan(diagnose(*plane.trainer, plane.record).number("held_out_gap")));
}

TEST(Diagnosis, JensenShannonIsABoundThatAPerfectCriticReaches) {
  Plane plane({.name = "plane", .loss = non_saturating_loss()});
  const auto with_logits = [&](std::vector<double> real, std::vector<double> fake) {
    plane.record.real_logits = Tensor::from(real, {static_cast<int64_t>(real.size()), 1});
    plane.record.fake_logits = Tensor::from(fake, {static_cast<int64_t>(fake.size()), 1});
    return diagnose(*plane.trainer, plane.record);
  };
  EXPECT_NEAR(with_logits({0, 0}, {0, 0}).number("js_estimate"), 0, 1e-12);
  EXPECT_NEAR(with_logits({1000, 1000}, {-1000, -1000}).number("js_estimate"), std::numbers::ln2, 1e-12);
  // Two points, real with 3/4 and 1/4, fake with 1/4 and 3/4: the best logits are ±log 3, and JS = log 2 -
  // H(1/4).
  const double l = std::log(3.0), h = -0.25 * std::log(0.25) - 0.75 * std::log(0.75);
  const Diagnosis best = with_logits({l, l, l, -l}, {l, -l, -l, -l});
  EXPECT_NEAR(best.number("js_estimate"), std::numbers::ln2 - h, 1e-12);
  EXPECT_NEAR(best.number("accuracy"), 0.75, 1e-12);
  EXPECT_LT(with_logits({1, 1, 1, -1}, {1, -1, -1, -1}).number("js_estimate"), best.number("js_estimate"))
      << "another critic gives less";
}

TEST(Diagnosis, SpreadComparesFakesAmongThemselvesWithRealOnes) {
  Plane plane({.name = "plane", .loss = wasserstein_loss()});
  plane.record.batch.fake = add_scalar(mul_scalar(plane.record.batch.real, 0.25), 7.0);
  EXPECT_NEAR(diagnose(*plane.trainer, plane.record).number("fake_spread"), 0.25, 1e-12);
  plane.record.batch.fake = Tensor::full(plane.record.batch.real.shape(), 3.0, kF64);
  EXPECT_NEAR(diagnose(*plane.trainer, plane.record).number("fake_spread"), 0, 1e-12);
}

TEST(Diagnosis, EnergiesAreTurned) {
  const Plane logits({.name = "plane", .loss = wasserstein_loss()}),
      energies({.name = "plane", .loss = energy_loss()});
  const ResidentData held_out(Generator(9).normal({50, 2}, 0.5, 1, kF64));
  const Diagnosis a = diagnose(*logits.trainer, logits.record, &held_out),
                  b = diagnose(*energies.trainer, energies.record, &held_out);
  EXPECT_NEAR(b.number("wasserstein_estimate"), -a.number("wasserstein_estimate"), 1e-6);
  EXPECT_NEAR(b.number("held_out_gap"), -a.number("held_out_gap"), 1e-6);
}

double gap_of(const StepRecord& record) {
  double gap = 0;
  for (double v : record.real_logits.to_vector<double>()) gap += v / 8;
  for (double v : record.fake_logits.to_vector<double>()) gap -= v / 8;
  return gap;
}

// A row whose loss loses a property loses its diagnostics, and one that gains a wrong one shows numbers that
// mean nothing.
TEST(Diagnosis, OfEachNamedObjective) {
  const std::set<std::string> cross_entropy{"gan",  "ns-gan", "dragan",  "dragan-two-sided",  "fgan-js",
                                            "r1",   "lgan",   "pacgan",  "unrolled",          "consensus",
                                            "cgan", "acgan",  "infogan", "sliced-wasserstein"},
      undecided{"hinge",           "hinge-v1",     "geometric-gan",  "sngan",
                "projection",      "lsgan",        "lsgan-pearson",  "fgan-kl",
                "fgan-reverse-kl", "fgan-pearson", "fgan-hellinger", "fgan-alpha"},
      energies{"ebgan", "began"};
  for (const std::string& name : objective_names()) {
    const Objective o = named_objective(name);
    // What a diagnosis reads of the objective, on the plane.
    const Plane plane(
        {.name = name, .loss = o.loss, .relativism = o.relativism, .equilibrium = o.equilibrium});
    const Diagnosis d = diagnose(*plane.trainer, plane.record);
    EXPECT_EQ(has_probabilities(o), cross_entropy.contains(name)) << name;
    EXPECT_EQ(!std::isnan(d.number("js_estimate")), cross_entropy.contains(name)) << name;
    EXPECT_EQ(!std::isnan(d.number("accuracy")), cross_entropy.contains(name) || undecided.contains(name))
        << name;
    EXPECT_EQ(o.loss.energy, energies.contains(name)) << name;
    EXPECT_EQ(is_autoencoder(o.critic), energies.contains(name)) << name;
    const double gap = gap_of(plane.record);
    EXPECT_NEAR(d.number("wasserstein_estimate"), energies.contains(name) ? -gap : gap, 1e-9) << name;
  }
}

TEST(Diagnosis, AsksTheLossAndNotItsName) {
  Loss unlucky = wasserstein_loss();
  for (const char* name : {"energy of mine", "hinge", "minimax", "non_saturating"}) {
    unlucky.name = name;
    const Plane plane({.name = "plane", .loss = unlucky});
    const Diagnosis d = diagnose(*plane.trainer, plane.record);
    EXPECT_NEAR(d.number("wasserstein_estimate"), gap_of(plane.record), 1e-12) << name;
    EXPECT_TRUE(std::isnan(d.number("accuracy")) && std::isnan(d.number("js_estimate"))) << name;
  }
  // An own loss on energies that are undecided at 2, without a word of it in its name.
  Loss own = energy_loss();
  own.name = "mine";
  own.undecided = 2.0;
  Plane plane({.name = "plane", .loss = own});
  plane.record.real_logits = Tensor::from({1.0, 1.5, 2.5, 1.9}, {4, 1});
  plane.record.fake_logits = Tensor::from({3.0, 2.0, 1.0, -5.0}, {4, 1});
  const Diagnosis d = diagnose(*plane.trainer, plane.record);
  EXPECT_NEAR(d.number("accuracy"), (3 + 1) / 8.0, 1e-12) << "2.0 is on nobody's side";
  EXPECT_NEAR(d.number("wasserstein_estimate"), 0.25 - 1.725, 1e-12);
  // A critic that is an autoencoder gives energies, whatever its loss says.
  const Plane reconstruction(
      {.name = "plane", .loss = wasserstein_loss(), .critic = CriticKind::absolute_error});
  EXPECT_NEAR(diagnose(*reconstruction.trainer, reconstruction.record).number("wasserstein_estimate"),
              -gap_of(reconstruction.record), 1e-12);
}

// The last layer's profile is sqrt(8 / 64 (1 + k^2)): E(x) - E(G(z)) without k would show it at k = 1.
TEST(Diagnosis, ProfileOfAnEquilibriumIsThatOfTheLossWithK) {
  for (const double k : {0.0, 0.25, 1.0}) {
    Plane plane(
        {.name = "plane", .loss = energy_loss(), .equilibrium = Equilibrium{.gamma = 0.5, .rate = 0.0}});
    TensorFile state = plane.trainer->state();
    for (auto& [name, tensor] : state.tensors) {
      if (name == "balance") tensor = Tensor::full({}, k, kF64);
    }
    plane.trainer->restore(state);
    const Diagnosis d = diagnose(*plane.trainer, plane.record);
    ASSERT_EQ(d.group("activation_gradients").size(), 3u);
    EXPECT_NEAR(d.group("activation_gradients")[2].second, std::sqrt((1 + k * k) / 8), 1e-12) << k;
  }
}

TEST(Metrics, InputGradientNormIsTheMeanOverAllPenalties) {
  // Penalties of no weight at points where a critic of one tanh is steep, and where it is flat.
  const auto steepness = [](std::vector<double> at) {
    std::vector<Penalty> penalties;
    for (const double x : at) {
      penalties.push_back(
          {zero_centered(),
           {"here", [x](const Tensor& real, const Tensor&,
                        Generator&) { return Tensor::full(real.shape(), x, real.options()); }},
           0.0});
    }
    auto d = std::make_shared<nn::Sequential>(nn::Linear(1, 1), nn::Tanh());
    auto g = std::make_shared<nn::Sequential>(nn::Linear(1, 1));
    d->to(DType::f64);
    g->to(DType::f64);
    {
      NoGrad no_grad;
      d->at<nn::Linear>(0).weight.copy_(Tensor::full({1, 1}, 1.0, kF64));
      d->at<nn::Linear>(0).bias.copy_(Tensor::zeros({1}, kF64));
    }
    Objective o{.name = "two points", .loss = wasserstein_loss(), .penalties = penalties};
    Trainer trainer({g, d, {.noise = 1}, {}}, o,
                    std::make_shared<ResidentData>(Generator(1).normal({8, 1}, 0, 1, kF64)),
                    {.batch = 4, .dtype = DType::f64});
    trainer.step(true);
    return trainer.metrics().input_gradient_norm;
  };
  const auto slope = [](double x) { return 1 - std::tanh(x) * std::tanh(x); };
  EXPECT_NEAR(steepness({0.0}), slope(0), 1e-12);
  EXPECT_NEAR(steepness({0.0, 1.0}), (slope(0) + slope(1)) / 2, 1e-12) << "not the last one's";
  EXPECT_NEAR(steepness({0.0, 1.0, 2.0}), (slope(0) + slope(1) + slope(2)) / 3, 1e-12);
}

TEST(Diagnosis, CountsWeightsAtTheClip) {
  Objective wgan{.name = "plane", .loss = wasserstein_loss(), .constraint = {.weight_clip = 1.0}};
  const Plane plane(wgan);  // 3, 4 and 2 end at 1; the biases stay near 0
  EXPECT_NEAR(diagnose(*plane.trainer, plane.record).number("share_at_clip"), 3.0 / 5, 1e-12);
}

TEST(Diagnosis, WithoutARecordIsRefused) {
  Plane plane({.name = "plane", .loss = wasserstein_loss()});
  EXPECT_THROW(diagnose(*plane.trainer, {}), Error);
}

TEST(Metrics, ShowTheObjectivesTermsByName) {
  Objective o{.name = "plane", .loss = wasserstein_loss()};
  o.d_terms = {{.name = "drift", .weight = 0.001, .value = [](const Round& r) {
                  return mean(square(r.real.judgement.logits));
                }}};
  o.g_terms = {
      {.name = "seven", .weight = 0.0, .value = [](const Round&) { return Tensor::full({}, 7.0, kF64); }}};
  const Plane plane(o);
  const Metrics m = plane.trainer->metrics();
  ASSERT_EQ(m.terms_d.size(), 1u);
  EXPECT_EQ(m.terms_d[0].first, "drift");
  double expected = 0;
  for (double v : plane.record.real_logits.to_vector<double>()) expected += v * v / 8;
  EXPECT_NEAR(m.terms_d[0].second, expected, 1e-9);
  ASSERT_EQ(m.terms_g.size(), 1u);
  EXPECT_EQ(m.terms_g[0].second, 7);
}

}  // namespace
}  // namespace duel::gan
