// Figures 1 to 3 of Arjovsky & Bottou 2017 (arXiv:1701.04862): a fresh D against a frozen G tells both apart, G's
// gradient under log(1 - D) vanishes meanwhile, and under -log D it grows and so does its spread.
#include <algorithm>
#include <cmath>
#include <optional>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/lab/founding.h"
#include "duel/gan/lab/founding/fresh_critic.h"
#include "duel/gan/lab/internal/founding_digits.h"
#include "duel/gan/lab/internal/founding_rows.h"
#include "duel/gan/picture/plot.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/settings.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/module/sequential.h"

namespace duel::gan::lab {
namespace {

// Bounds, set before the first run.
constexpr double kGradientsAccuracyBound = 0.01;  // below 1, held-out samples
constexpr double kGradientsCrossingBound =
    0.05;  // where the manifolds meet in a point, near which no D of finite slope is right
constexpr double kGradientsVanishedBound = 0.1;  // of its mean over the tenth where it is largest
constexpr double kGradientsGrownBound = 1.0;     // first tenth of D's steps over the last tenth

// The paper's is a DCGAN; this one is a tenth of a small one's work, so that 25 epochs and six D's are minutes of a core.
constexpr const char* kGradientsArch = "mlp";

struct GradientsPlan {
  int64_t channels = 64, batch = 64;
  std::vector<double> epochs = {1, 10, 25};  // G's, at which it is frozen
  std::vector<int64_t> steps = {};           // the same in iterations; of a quick one
  int64_t drawn = 60000;                     // digits, where no others are found
  FreshCriticOptions on_digits{.steps = 4000, .batch = 64, .judged = 128, .every = 20};
  FreshCriticOptions on_manifolds{
      .steps = 2000, .batch = 256, .judged = 2048, .every = 20, .adam = {.lr = 1e-3, .betas = {0.5, 0.999}}};
};

GradientsPlan gradients_plan(bool quick) {
  GradientsPlan plan;
  if (!quick) return plan;
  plan.channels = 16;
  plan.epochs = {};
  plan.steps = {20, 60};
  plan.drawn = 2048;
  plan.on_digits = {
      .steps = 200, .batch = 32, .judged = 64, .every = 5, .adam = {.lr = 1e-3, .betas = {0.5, 0.999}}};
  plan.on_manifolds.steps = 400;
  plan.on_manifolds.judged = 1024;
  plan.on_manifolds.every = 10;
  return plan;
}

/// What a fresh D saw, and of what.
struct GradientsCurve {
  std::string label;
  std::vector<FreshCriticPoint> points;
};

int64_t gradients_looks(const FreshCriticOptions& o) {
  return o.steps / o.every + 1 + (o.steps % o.every > 0 ? 1 : 0);
}

/// The values of the first or of the last tenth of the looks, at least two.
enum class Tenth { first, last };
std::vector<double> gradients_tenth(const std::vector<FreshCriticPoint>& points,
                                    double FreshCriticPoint::*value, Tenth which) {
  const size_t count = std::min(points.size(), std::max<size_t>(2, points.size() / 10));
  const size_t begin = which == Tenth::first ? 0 : points.size() - count;
  std::vector<double> values;
  for (size_t i = begin; i < begin + count; ++i) values.push_back(points[i].*value);
  return values;
}

double gradients_mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

/// The mean over the tenth in a row where it is largest: one stray look says little.
double gradients_largest_tenth(const std::vector<FreshCriticPoint>& points, double FreshCriticPoint::*value) {
  const size_t count = gradients_tenth(points, value, Tenth::first).size();
  double largest = 0;
  for (size_t begin = 0; begin + count <= points.size(); ++begin) {
    double sum = 0;
    for (size_t i = begin; i < begin + count; ++i) sum += points[i].*value;
    largest = std::max(largest, sum / static_cast<double>(count));
  }
  return largest;
}

double gradients_root_mean_square(std::vector<double> values) {
  for (double& v : values) v *= v;
  return std::sqrt(gradients_mean(values));
}

// Two manifolds in three dimensions.

/// Points (u, v, 0) of a square.
Tensor square_points(int64_t count, Generator& random) {
  return concat({random.uniform({count, 2}, -1.0, 1.0), Tensor::zeros({count, 1})}, 1);
}

/// Points of a straight line: above the square, or through its middle.
Tensor segment_points(int64_t count, bool crossing, Generator& random) {
  const Tensor t = random.uniform({count, 1}, -1.0, 1.0);
  const Tensor height = crossing ? t : t * 0.25 + 0.5;
  return concat({t * 0.5, t * -0.25, height}, 1);
}

GradientsCurve fight_over_manifolds(const GradientsPlan& plan, bool crossing, uint64_t seed,
                                    LabObserver& observer) {
  Generator weights(seed, 11), real(seed, 12), held_out(seed, 13), fake(seed, 14);
  const LendDefaultGenerator layers_draw(weights);
  nn::Sequential d(nn::Linear(3, 128), nn::LeakyReLU(0.2), nn::Linear(128, 128), nn::LeakyReLU(0.2),
                   nn::Linear(128, 1));
  return {crossing ? "line through the plane" : "line above the plane",
          train_fresh_critic({.d = d,
                              .real = [&](int64_t n) { return segment_points(n, crossing, real); },
                              .held_out = [&](int64_t n) { return segment_points(n, crossing, held_out); },
                              .fake = [&](int64_t n) { return square_points(n, fake); }},
                             plan.on_manifolds, [&] {
                               observer.stepped();
                               return !observer.stop();
                             })};
}

// Digits.

/// Iterations at which G is frozen, and what they are called.
struct GradientsMoments {
  std::vector<int64_t> steps;
  std::vector<std::string> labels;
};

GradientsMoments gradients_moments(const GradientsPlan& plan, int64_t images) {
  GradientsMoments moments;
  for (const int64_t step : plan.steps) {
    moments.steps.push_back(step);
    moments.labels.push_back(message("{} iterations", step));
  }
  for (const double epoch : plan.epochs) {
    moments.steps.push_back(
        std::llround(epoch * static_cast<double>(images) / static_cast<double>(plan.batch)));
    moments.labels.push_back(message("{} epoch{}", epoch, epoch == 1 ? "" : "s"));
  }
  return moments;
}

/// A fresh D of the same architecture, with a norm of its own or none, against G as it stands.
GradientsCurve fight_over_digits(const GradientsPlan& plan, const FoundingDigits& digits,
                                 const Networks& networks, nn::Module& frozen, Norm norm, uint64_t seed,
                                 LabObserver& observer) {
  NetworkOptions options = networks.options;
  options.discriminator_norm = norm;
  Generator weights(seed, 21);
  const std::shared_ptr<nn::Module> d = make_networks(options, true, weights).discriminator;
  LatentGenerators latents = sampling_generators(seed, 22);
  const auto z = [&](int64_t n) { return draw_latents(networks.latent, n, latents).input; };
  DataOrder order(digits.training->count(), seed + 23), judged(digits.held_out->count(), seed + 24);
  const auto fake = [&](int64_t n) {
    const NoGrad nothing_recorded;
    return frozen(z(n));
  };
  const FreshFight fight{
      .d = *d,
      .real = [&](int64_t n) { return digits.training->batch(order.next(n), DType::f32); },
      .held_out = [&](int64_t n) { return digits.held_out->batch(judged.next(n), DType::f32); },
      .fake = fake,
      .gradients = [&] { return generator_gradients(frozen, *d, z(plan.on_digits.batch)); }};
  return {"", train_fresh_critic(fight, plan.on_digits, [&] {
            observer.stepped();
            return !observer.stop();
          })};
}

const std::vector<std::pair<Norm, std::string>> kGradientsNorms = {{Norm::batch, "batch-norm"},
                                                                   {Norm::none, "no-norm"}};

/// For each norm of D one curve for every moment of G; fewer where the observer stops it.
std::vector<std::vector<GradientsCurve>> fights_over_digits(const GradientsPlan& plan,
                                                            const FoundingDigits& digits,
                                                            const GradientsMoments& moments, uint64_t seed,
                                                            LabObserver& observer) {
  const std::unique_ptr<Trainer> trainer = founding_trainer(digits, "ns-gan", seed);
  std::vector<std::vector<GradientsCurve>> curves(kGradientsNorms.size());
  for (size_t k = 0; k < moments.steps.size(); ++k) {
    while (trainer->iteration() < moments.steps[k]) {
      trainer->step();
      observer.stepped();
      if (observer.stop()) return curves;
    }
    for (size_t i = 0; i < kGradientsNorms.size(); ++i) {
      // A copy: batch statistics of the one that trains stay its own.
      const std::shared_ptr<nn::Module> frozen = trainer->networks().generator->clone();
      const auto& [norm, name] = kGradientsNorms[i];
      GradientsCurve curve =
          fight_over_digits(plan, digits, trainer->networks(), *frozen, norm, seed, observer);
      if (observer.stop()) return curves;
      curve.label = moments.labels[k];
      const FreshCriticPoint& end = curve.points.back();
      observer.said(message("G of {}, D with {}: accuracy {}, norms of G's gradients {} and {}", curve.label,
                            name, fixed(end.accuracy, 3), significant(end.saturating, 3),
                            significant(end.non_saturating, 3)));
      curves[i].push_back(std::move(curve));
    }
  }
  return curves;
}

// Facts and pictures.

void add_accuracy(const GradientsCurve& curve, const std::string& where, double bound,
                  std::vector<Fact>& facts) {
  facts.push_back(
      {.what = "figure 1: D's accuracy on held-out samples, " + where,
       .expected = 1,
       .found = gradients_mean(gradients_tenth(curve.points, &FreshCriticPoint::accuracy, Tenth::last)),
       .bound = bound,
       .source = "Arjovsky & Bottou 2017, theorems 2.1 and 2.2"});
}

void add_gradient_facts(const GradientsCurve& curve, const std::string& where, std::vector<Fact>& facts) {
  const auto mean_in = [&](double FreshCriticPoint::*value, Tenth which) {
    return gradients_mean(gradients_tenth(curve.points, value, which));
  };
  const auto spread_in = [&](Tenth which) {
    return gradients_root_mean_square(
        gradients_tenth(curve.points, &FreshCriticPoint::non_saturating_spread, which));
  };
  const double largest = gradients_largest_tenth(curve.points, &FreshCriticPoint::saturating);
  facts.push_back({.what = "figure 2: G's gradient under log(1-D), last tenth over largest tenth, " + where,
                   .expected = 0,
                   .found = mean_in(&FreshCriticPoint::saturating, Tenth::last) / largest,
                   .bound = kGradientsVanishedBound,
                   .source = "Arjovsky & Bottou 2017, theorem 2.4"});
  facts.push_back({.what = "figure 3: G's gradient under -log D, first tenth over last tenth, " + where,
                   .expected = 0,
                   .found = mean_in(&FreshCriticPoint::non_saturating, Tenth::first) /
                            mean_in(&FreshCriticPoint::non_saturating, Tenth::last),
                   .bound = kGradientsGrownBound,
                   .source = "Arjovsky & Bottou 2017, figure 3"});
  facts.push_back(
      {.what = "figure 3: that norm's deviation between batches, first tenth over last tenth, " + where,
       .expected = 0,
       .found = spread_in(Tenth::first) / spread_in(Tenth::last),
       .bound = kGradientsGrownBound,
       .source = "Arjovsky & Bottou 2017, figure 3"});
}

Canvas gradients_panel(const std::vector<GradientsCurve>& curves, double FreshCriticPoint::*value,
                       PlotOptions options) {
  options.x_label = "step of D";
  Plot plot(std::move(options));
  for (const GradientsCurve& curve : curves) {
    std::vector<double> steps, values;
    for (const FreshCriticPoint& point : curve.points) {
      steps.push_back(static_cast<double>(point.step));
      values.push_back(point.*value);
    }
    plot.line(steps, values, {.label = curve.label, .width = 1.0});
  }
  return plot.draw();
}

std::vector<Canvas> accuracy_panels(const std::vector<GradientsCurve>& curves, const std::string& of) {
  return {
      gradients_panel(
          curves, &FreshCriticPoint::cross_entropy,
          {.title = "fig. 1: error of a fresh D, " + of, .y_label = "cross-entropy, nats", .log_y = true}),
      gradients_panel(curves, &FreshCriticPoint::accuracy,
                      {.title = "fig. 1: accuracy of a fresh D, " + of,
                       .y_label = "share of held-out samples",
                       .y_range = Range{0.4, 1.02}})};
}

Canvas digits_picture(const std::vector<GradientsCurve>& curves, const std::string& of) {
  std::vector<Canvas> panels = accuracy_panels(curves, of);
  panels.push_back(gradients_panel(
      curves, &FreshCriticPoint::saturating,
      {.title = "fig. 2: G's gradient under log(1-D), " + of, .y_label = "norm", .log_y = true}));
  panels.push_back(gradients_panel(
      curves, &FreshCriticPoint::non_saturating,
      {.title = "fig. 3: G's gradient under -log D, " + of, .y_label = "norm", .log_y = true}));
  return tile(panels, 2);
}

/// Says of a figure and of what it is shown on ("D with no-norm") only what its facts do.
std::string figure_conclusion(const std::vector<Fact>& facts, const std::string& figure,
                              const std::string& on, const std::string& claim) {
  int64_t all = 0, held = 0;
  for (const Fact& fact : facts) {
    if (fact.what.rfind(figure + ":", 0) != 0 || fact.what.find(on) == std::string::npos) continue;
    ++all;
    if (fact.holds()) ++held;
  }
  if (held == all) return message("{}, {}: all {} facts hold: {}.", figure, on, all, claim);
  return message("{}, {}: {} of {} facts hold: it is not shown that {}.", figure, on, held, all, claim);
}

Shown show_gradients(const FoundingOptions& options, LabObserver& observer) {
  const GradientsPlan plan = gradients_plan(options.quick);
  const FoundingDigits digits =
      founding_digits(options.data, plan.drawn, kGradientsArch, plan.channels, plan.batch);
  const GradientsMoments moments = gradients_moments(plan, digits.training->count());
  observer.said(message("real digits: {}", digits.source()));
  observer.started(
      std::ssize(options.seeds) *
          (2 * gradients_looks(plan.on_manifolds) + moments.steps.back() +
           std::ssize(moments.steps) * std::ssize(kGradientsNorms) * gradients_looks(plan.on_digits)),
      0);
  Shown shown;
  for (const uint64_t seed : options.seeds) {
    const bool first = shown.pictures.empty();
    std::vector<GradientsCurve> manifolds;
    for (const bool crossing : {false, true}) {
      manifolds.push_back(fight_over_manifolds(plan, crossing, seed, observer));
      if (observer.stop()) return shown;
      add_accuracy(manifolds.back(), message("{}, seed {}", manifolds.back().label, seed),
                   crossing ? kGradientsCrossingBound : kGradientsAccuracyBound, shown.facts);
    }
    if (first)
      shown.pictures.emplace_back("manifolds", tile(accuracy_panels(manifolds, "line and plane"), 2));
    const auto curves = fights_over_digits(plan, digits, moments, seed, observer);
    if (observer.stop()) return shown;
    for (size_t i = 0; i < kGradientsNorms.size(); ++i) {
      const std::string& norm = kGradientsNorms[i].second;
      for (const GradientsCurve& curve : curves[i]) {
        const std::string where = message("G of {}, D with {}, seed {}", curve.label, norm, seed);
        add_accuracy(curve, where, kGradientsAccuracyBound, shown.facts);
        add_gradient_facts(curve, where, shown.facts);
      }
      if (first) shown.pictures.emplace_back(norm, digits_picture(curves[i], "D with " + norm));
    }
  }
  shown.conclusions = {message("Real digits are {}; G and D are {}, {} wide; D takes {} steps.",
                               digits.source(), kGradientsArch, plan.channels, plan.on_digits.steps)};
  shown.conclusions.push_back(figure_conclusion(
      shown.facts, "figure 1", "line", "a fresh D tells points of a line and a plane, as new ones come"));
  for (const auto& [norm, name] : kGradientsNorms) {
    const std::string on = "D with " + name;
    shown.conclusions.push_back(figure_conclusion(
        shown.facts, "figure 1", on, "a fresh D tells the fakes of a frozen G from held-out real digits"));
    shown.conclusions.push_back(figure_conclusion(
        shown.facts, "figure 2", on, "G's gradient under log(1-D) vanishes while that D learns"));
    shown.conclusions.push_back(
        figure_conclusion(shown.facts, "figure 3", on,
                          "under -log D it grows meanwhile, and so does its deviation from batch to batch"));
  }
  return shown;
}

}  // namespace

FoundingRow gradients_row() {
  return {
      .name = "gradients",
      .title = "What G gets from a D that is trained",
      .claim =
          "Where the supports of data and fakes are of low dimension a perfect D exists; as D comes near it, G's "
          "gradient under log(1-D) vanishes, and under -log D it grows and so does its variance (Arjovsky & "
          "Bottou 2017, arXiv:1701.04862, figures 1, 2 and 3).",
      .show = show_gradients,
      .uses_data = true};
}

}  // namespace duel::gan::lab
