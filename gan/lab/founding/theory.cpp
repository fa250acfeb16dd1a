// What the losses measure where D is optimal, in closed form and by trained critics: D* and the Jensen-Shannon
// distance (Goodfellow et al. 2014), the two losses of G (Arjovsky & Bottou 2017), the parallel lines and the
// Kantorovich-Rubinstein dual (Arjovsky et al. 2017).
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/lab/internal/critic_fit.h"
#include "duel/gan/lab/internal/founding_rows.h"
#include "duel/gan/lab/internal/transport.h"
#include "duel/gan/picture/plot.h"

namespace duel::gan::lab {
namespace {

constexpr TensorOptions kTheoryF64{DType::f64, {}};
constexpr double kClosed = 1e-10;  // bound of closed forms
const double kLog2 = std::numbers::ln2;

// Bounds of what is learned, for the full run and for --quick.
struct TheoryBounds {
  double d;         // mean |D - D*| under (pr + pg) / 2
  double loss;      // of L_D and of the Jensen-Shannon estimate, nats
  double distance;  // relative, of a Wasserstein distance
  double nothing;   // of a distance that is 0
};
constexpr TheoryBounds kFullBounds{0.03, 0.01, 0.05, 0.02}, kQuickBounds{0.05, 0.02, 0.1, 0.03};

struct TheorySizes {
  int64_t width, density_steps, density_batch, line_steps, line_batch, set_steps, set_points;
  std::vector<double> thetas;
};
TheorySizes theory_sizes(bool quick) {
  if (quick)
    return {.width = 32,
            .density_steps = 600,
            .density_batch = 256,
            .line_steps = 300,
            .line_batch = 64,
            .set_steps = 600,
            .set_points = 32,
            .thetas = {-1, 0, 0.5}};
  return {.width = 64,
          .density_steps = 3000,
          .density_batch = 1024,
          .line_steps = 1500,
          .line_batch = 256,
          .set_steps = 3000,
          .set_points = 64,
          .thetas = {-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1}};
}

// ---- Densities on the line --------------------------------------------------------------------------------

/// A mixture of normal distributions.
struct TheoryDensity {
  struct Part {
    double weight, mean, deviation;
  };
  std::vector<Part> parts;

  /// log p(x) of x f64 [N], differentiable.
  Tensor log_at(const Tensor& x) const {
    std::vector<Tensor> terms;
    for (const Part& p : parts) {
      const Tensor z = (x - p.mean) / p.deviation;
      terms.push_back(square(z) * -0.5 +
                      std::log(p.weight / (p.deviation * std::sqrt(2 * std::numbers::pi))));
    }
    return stack(terms, 1).logsumexp({1});
  }
  TheoryDensity moved(double by) const {
    TheoryDensity copy = *this;
    for (Part& p : copy.parts) p.mean += by;
    return copy;
  }
  Tensor sample(int64_t n, Generator& random) const {
    const std::vector<float> which = random.uniform({n}).to_vector<float>(),
                             noise = random.normal({n}).to_vector<float>();
    std::vector<float> x(static_cast<size_t>(n));
    for (size_t i = 0; i < x.size(); ++i) {
      double left = which[i];
      size_t part = 0;
      while (part + 1 < parts.size() && left >= parts[part].weight) left -= parts[part++].weight;
      x[i] = static_cast<float>(parts[part].mean + parts[part].deviation * noise[i]);
    }
    return Tensor::from(x, {n, 1});
  }
};

const TheoryDensity kTheoryReal{{{0.6, -1.2, 0.5}, {0.4, 1.0, 0.7}}};
const TheoryDensity kTheoryMiddle{{{1.0, 0.0, 0.5}}};
const TheoryDensity kTheoryFake{{{0.5, 0.0, 0.6}, {0.5, 2.0, 0.5}}};

/// The trapezoid rule on [-12, 12]: for smooth densities that have died out at its ends its error falls faster than
/// any power of the step, here below 1e-13.
struct TheoryLine {
  double step = 24.0 / 4800;
  std::vector<double> x;
  TheoryLine() {
    for (int i = 0; i <= 4800; ++i) x.push_back(-12 + step * i);
  }
  template <class F>
  double integral(const F& f) const {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += f(i);
    return sum * step;
  }
};

/// Both densities on the line, and what the theorems speak of.
struct TheoryPair {
  TheoryPair(const TheoryLine& on, const TheoryDensity& real, const TheoryDensity& fake) : line(on) {
    const Tensor x = Tensor::from(line.x, {static_cast<int64_t>(line.x.size())});
    log_r = real.log_at(x).to_vector<double>();
    log_g = fake.log_at(x).to_vector<double>();
    for (size_t i = 0; i < line.x.size(); ++i) {
      r.push_back(std::exp(log_r[i]));
      g.push_back(std::exp(log_g[i]));
      best.push_back(r[i] / (r[i] + g[i]));
    }
  }
  double kl_fake_real() const {
    return line.integral([&](size_t i) { return g[i] * (log_g[i] - log_r[i]); });
  }
  /// By its definition, from the mixture of both.
  double js() const {
    return line.integral([&](size_t i) {
      const double log_middle = std::log(0.5 * (r[i] + g[i]));
      return 0.5 * r[i] * (log_r[i] - log_middle) + 0.5 * g[i] * (log_g[i] - log_middle);
    });
  }
  /// The logit of D*.
  double logit(size_t i) const { return log_r[i] - log_g[i]; }

  const TheoryLine& line;
  std::vector<double> log_r, log_g, r, g, best;
};

/// One logit's share in a loss: terms are means over a batch.
double loss_of_one(const LossTerm& term, double logit) {
  return term(Tensor::full({1}, logit, kTheoryF64)).item();
}

/// d(weighted terms) / d logit of one logit, from Duel's derivative of its loss.
double slope_of_one(const Loss& loss, double real, double fake, double logit) {
  const Tensor l = Tensor::full({1}, logit, kTheoryF64).set_requires_grad(true);
  return grad({loss.d_real(l) * real + loss.d_fake(l) * fake}, {l})[0].item();
}

/// Where the slope changes sign: it rises with the logit.
double best_logit(const Loss& loss, double real, double fake) {
  double low = -40, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = 0.5 * (low + high);
    (slope_of_one(loss, real, fake, middle) < 0 ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

/// E over G's samples of the slope along x of G's loss under D*: its gradient where theta moves them all.
double generator_slope(const TheoryPair& pair, const LossTerm& g_fake) {
  const auto n = static_cast<int64_t>(pair.line.x.size());
  const Tensor x = Tensor::from(pair.line.x, {n}).set_requires_grad(true);
  const Tensor logit = kTheoryReal.log_at(x) - kTheoryFake.log_at(x);
  const std::vector<double> slopes = grad({g_fake(logit)}, {x})[0].to_vector<double>();
  return pair.line.integral([&](size_t i) { return pair.g[i] * slopes[i] * static_cast<double>(n); });
}

/// d/dtheta at 0 of what the pair says when G's density is moved by theta: differences of sixth order.
template <class F>
double theta_slope(const TheoryLine& line, const F& of) {
  constexpr double h = 0.02;
  const auto at = [&](double theta) { return of(TheoryPair(line, kTheoryReal, kTheoryFake.moved(theta))); };
  const auto difference = [&](int k) { return at(k * h) - at(-k * h); };
  return (0.8 * difference(1) - 0.2 * difference(2) + 4.0 / 105 * difference(3) - 1.0 / 280 * difference(4)) /
         h;
}

void show_closed_forms(const TheoryLine& line, const TheoryPair& pair, Shown& shown) {
  const Loss minimax = minimax_loss(), saving = non_saturating_loss();
  const double js = pair.js(), kl = pair.kl_fake_real();

  double farthest = 0;
  for (size_t i = 0; i < line.x.size(); i += 60) {
    if (pair.r[i] + pair.g[i] < 1e-12) continue;  // where nothing is there is nothing to learn
    const double logit = best_logit(minimax, pair.r[i], pair.g[i]);
    farthest = std::max(farthest, std::abs(1 / (1 + std::exp(-logit)) - pair.best[i]));
  }
  shown.facts.push_back({"least L_D: distance of sigmoid(logit) from pr / (pr + pg), at most", 0, farthest,
                         kClosed, "Goodfellow 2014, proposition 1"});

  const double real_share =
      -line.integral([&](size_t i) { return pair.r[i] * loss_of_one(minimax.d_real, pair.logit(i)); });
  const double fake_share =
      -line.integral([&](size_t i) { return pair.g[i] * loss_of_one(minimax.d_fake, pair.logit(i)); });
  shown.facts.push_back({"V(D*, G) = 2 JS - 2 log 2", 2 * js - 2 * kLog2, real_share + fake_share, kClosed,
                         "Goodfellow 2014, theorem 1"});

  const double non_saturating =
      line.integral([&](size_t i) { return pair.g[i] * loss_of_one(saving.g_fake, pair.logit(i)); });
  shown.facts.push_back({"E[-log D*(G)] = KL(pg, pr) - 2 JS + 2 log 2 + E[log D*(real)]",
                         kl - 2 * js + 2 * kLog2 + real_share, non_saturating, kClosed,
                         "Arjovsky & Bottou 2017, theorem 2.5, as values"});

  const double js_slope = theta_slope(line, [](const TheoryPair& p) { return p.js(); });
  const double kl_slope = theta_slope(line, [](const TheoryPair& p) { return p.kl_fake_real(); });
  shown.facts.push_back({"gradient of E[log(1 - D*(G))] in theta = that of 2 JS", 2 * js_slope,
                         generator_slope(pair, minimax.g_fake), kClosed,
                         "Arjovsky & Bottou 2017, section 2.2; differences of quadratures"});
  shown.facts.push_back({"gradient of E[-log D*(G)] in theta = that of KL(pg, pr) - 2 JS",
                         kl_slope - 2 * js_slope, generator_slope(pair, saving.g_fake), kClosed,
                         "Arjovsky & Bottou 2017, theorem 2.5; differences of quadratures"});
}

// ---- A trained D --------------------------------------------------------------------------------------------

OptimizerChoice theory_adam(double lr) {
  return {.kind = OptimizerKind::adam, .lr = lr, .beta1 = 0.5, .beta2 = 0.99};
}

Objective theory_minimax(int64_t steps) {
  Objective objective = named_objective("gan");
  objective.schedule.d = theory_adam(5e-3);
  objective.schedule.lr_decay_steps = steps;
  return objective;
}

/// A 1-Lipschitz critic: wgan-lp, whose penalty asks for slopes of at most 1 and no more.
Objective theory_lipschitz(int64_t steps) {
  Objective objective = named_objective("wgan-lp", {{"lambda", 100.0}});
  objective.schedule.d = theory_adam(5e-3);
  objective.schedule.lr_decay_steps = steps;
  return objective;
}

Plot density_plot(const TheoryLine& line, const TheoryPair& pair) {
  Plot plot({.title = "D trained on samples of pr and pg, and D* = pr / (pr + pg)",
             .x_label = "x",
             .y_label = "density, D",
             .width = 760,
             .x_range = Range{-4, 5},
             .y_range = Range{0, 1.05}});
  plot.line(line.x, pair.r, {.label = "pr"});
  plot.line(line.x, pair.g, {.label = "pg"});
  plot.line(line.x, pair.best, {.label = "D*", .color = Color{0, 0, 0}, .width = 4, .opacity = 0.45});
  return plot;
}

void show_trained_d(const FoundingOptions& options, const TheorySizes& sizes, const TheoryBounds& bounds,
                    const TheoryLine& line, const TheoryPair& pair, LabObserver& observer, Shown& shown) {
  const Loss minimax = minimax_loss();
  const Tensor points = Tensor::from(std::vector<float>(line.x.begin(), line.x.end()),
                                     {static_cast<int64_t>(line.x.size()), 1});
  Plot plot = density_plot(line, pair);
  double farthest = 0, worst_loss = 0;
  const double least = 2 * kLog2 - 2 * pair.js();
  for (const uint64_t seed : options.seeds) {
    Generator weights(seed, 1);
    const auto critic = dense_critic({1, sizes.width, sizes.width, 1}, weights);
    const auto draw = [&](Generator& random) {
      const Tensor real = kTheoryReal.sample(sizes.density_batch, random);
      return CriticBatch{real, kTheoryFake.sample(sizes.density_batch, random)};
    };
    if (!fit_critic(critic, theory_minimax(sizes.density_steps), {.steps = sizes.density_steps, .seed = seed},
                    draw, observer))
      return;
    const std::vector<double> logits = outputs_at(*critic, points);
    std::vector<double> d;
    for (const double logit : logits) d.push_back(1 / (1 + std::exp(-logit)));
    farthest = std::max(farthest, line.integral([&](size_t i) {
      return 0.5 * (pair.r[i] + pair.g[i]) * std::abs(d[i] - pair.best[i]);
    }));
    const double loss = line.integral([&](size_t i) {
      return pair.r[i] * loss_of_one(minimax.d_real, logits[i]) +
             pair.g[i] * loss_of_one(minimax.d_fake, logits[i]);
    });
    if (seed == options.seeds.front() || std::abs(loss - least) > std::abs(worst_loss - least))
      worst_loss = loss;
    plot.line(line.x, d, {.label = message("D, seed {}", seed)});
  }
  shown.facts.push_back({"trained D: mean |D - D*| under (pr + pg) / 2, worst seed", 0, farthest, bounds.d,
                         "Goodfellow 2014, proposition 1"});
  shown.facts.push_back({"trained D: L_D against 2 log 2 - 2 JS, worst seed", least, worst_loss, bounds.loss,
                         "Goodfellow 2014, theorem 1"});
  shown.pictures.emplace_back("discriminator", plot.draw());
}

// ---- Parallel lines -----------------------------------------------------------------------------------------

/// (theta, z) of the given z.
Tensor theory_segment(double theta, const std::vector<float>& z) {
  std::vector<float> xy;
  for (const float v : z) xy.push_back(static_cast<float>(theta)), xy.push_back(v);
  return Tensor::from(xy, {static_cast<int64_t>(z.size()), 2});
}

/// Evenly spaced middles of [0, 1].
template <class T>
std::vector<T> theory_middles(int64_t n) {
  std::vector<T> z;
  for (int64_t i = 0; i < n; ++i)
    z.push_back(static_cast<T>((static_cast<double>(i) + 0.5) / static_cast<double>(n)));
  return z;
}

/// Exact distances of the two segments, each as `n` points of equal weight.
struct LineDistances {
  double em = 0;
  DiscreteDivergences divergences;
};
LineDistances line_distances(double theta, int64_t n) {
  const auto z = theory_middles<double>(n);
  std::vector<std::vector<double>> cost;
  for (const double from : z) {
    cost.emplace_back();
    for (const double to : z) cost.back().push_back(std::hypot(theta, to - from));
  }
  // Places of both segments: the same ones at theta = 0.
  const double each = 1 / static_cast<double>(n);
  std::vector<double> p(z.size(), each), q(z.size(), theta == 0 ? each : 0.0);
  if (theta != 0) p.resize(2 * z.size(), 0.0), q.resize(2 * z.size(), each);
  return {best_assignment(cost).cost / static_cast<double>(n), discrete_divergences(p, q)};
}

/// mean f(real) - mean f(fake) over the greatest |f(x) - f(y)| / |x - y| of a real x and a fake y. Over that quotient
/// f is dual feasible for these two sets of points [N, axes], so no W1 of theirs is smaller.
double dual_value(nn::Module& critic, const Tensor& real, const Tensor& fake) {
  const std::vector<double> on_real = outputs_at(critic, real), on_fake = outputs_at(critic, fake);
  const std::vector<double> x = real.to_vector<double>(), y = fake.to_vector<double>();
  const auto axes = static_cast<size_t>(real.dim(1));
  double steepest = 0;
  for (size_t i = 0; i < on_real.size(); ++i)
    for (size_t j = 0; j < on_fake.size(); ++j) {
      double squares = 0;
      for (size_t k = 0; k < axes; ++k) squares += std::pow(x[i * axes + k] - y[j * axes + k], 2);
      if (squares > 0) steepest = std::max(steepest, std::abs(on_real[i] - on_fake[j]) / std::sqrt(squares));
    }
  return steepest > 0 ? (mean_of(on_real) - mean_of(on_fake)) / steepest : 0.0;
}

void show_lines(const FoundingOptions& options, const TheorySizes& sizes, const TheoryBounds& bounds,
                LabObserver& observer, Shown& shown) {
  const Loss minimax = minimax_loss();
  const auto z = theory_middles<float>(1000);
  const Tensor real = theory_segment(0, z);
  double em_off = 0, js_off = 0, least_missed = 1, zero_closed = 0;
  double em_learned = 0, js_learned = 0, zero_learned = 0;
  std::vector<double> em, js, em_at, js_at;
  for (const double theta : sizes.thetas) {
    const LineDistances exact = line_distances(theta, 48);
    em.push_back(exact.em), js.push_back(exact.divergences.js);
    em_off = std::max(em_off, std::abs(exact.em - std::abs(theta)));
    if (theta == 0) {
      zero_closed = std::max(exact.divergences.js, exact.divergences.kl);
    } else {
      js_off = std::max(js_off, std::abs(exact.divergences.js - kLog2));
      least_missed = std::min(least_missed, exact.divergences.missed);
    }
    const Tensor fake = theory_segment(theta, z);
    double em_sum = 0, js_sum = 0;
    for (const uint64_t seed : options.seeds) {
      const auto draw = [&](Generator& random) {
        const Tensor from = theory_segment(0, random.uniform({sizes.line_batch}).to_vector<float>());
        return CriticBatch{from,
                           theory_segment(theta, random.uniform({sizes.line_batch}).to_vector<float>())};
      };
      Generator weights(seed, 2);
      const auto lipschitz = dense_critic({2, sizes.width, sizes.width, 1}, weights);
      const auto classifier = dense_critic({2, sizes.width, sizes.width, 1}, weights);
      const CriticFit fit{.steps = sizes.line_steps, .seed = seed};
      if (!fit_critic(lipschitz, theory_lipschitz(fit.steps), fit, draw, observer) ||
          !fit_critic(classifier, theory_minimax(fit.steps), fit, draw, observer))
        return;
      const double distance = dual_value(*lipschitz, real, fake);
      double loss = 0;
      for (const double logit : outputs_at(*classifier, real))
        loss += loss_of_one(minimax.d_real, logit) / 1000;
      for (const double logit : outputs_at(*classifier, fake))
        loss += loss_of_one(minimax.d_fake, logit) / 1000;
      const double estimate = kLog2 - loss / 2;
      if (theta == 0) {
        zero_learned = std::max({zero_learned, std::abs(distance), std::abs(estimate)});
      } else {
        em_learned = std::max(em_learned, std::abs(distance / std::abs(theta) - 1));
        js_learned = std::max(js_learned, std::abs(estimate - kLog2));
      }
      em_sum += distance, js_sum += estimate;
    }
    const auto runs = static_cast<double>(options.seeds.size());
    em_at.push_back(em_sum / runs), js_at.push_back(js_sum / runs);
  }
  const std::string paper = "Arjovsky et al. 2017, example 1";
  shown.facts.push_back(
      {"lines: EM by exact assignment against |theta|, farthest", 0, em_off, kClosed, paper});
  shown.facts.push_back(
      {"lines: JS against log 2 at theta other than 0, farthest", 0, js_off, kClosed, paper});
  shown.facts.push_back({"lines: mass of P0 where P_theta has none, least (above 0: KL is infinite)", 1,
                         least_missed, kClosed, paper});
  shown.facts.push_back({"lines: JS and KL at theta = 0, greater", 0, zero_closed, kClosed, paper});
  shown.facts.push_back({"lines: 1-Lipschitz critic against |theta|, relative, worst", 0, em_learned,
                         bounds.distance, paper + "; Kantorovich-Rubinstein"});
  shown.facts.push_back({"lines: log 2 - L_D / 2 of a trained D against log 2, worst", 0, js_learned,
                         bounds.loss, paper + "; Goodfellow 2014, theorem 1"});
  shown.facts.push_back(
      {"lines: both critics at theta = 0, greater", 0, zero_learned, bounds.nothing, paper});

  Plot plot({.title = "Two parallel segments at distance theta (KL is infinite but at 0)",
             .x_label = "theta",
             .y_label = "distance",
             .width = 760,
             .y_range = Range{0, 1.1}});
  std::vector<double> fine_x, fine_em, fine_js;
  for (int i = -100; i <= 100; ++i)
    fine_x.push_back(i / 100.0), fine_em.push_back(std::abs(i / 100.0)),
        fine_js.push_back(i == 0 ? 0 : kLog2);
  plot.line(fine_x, fine_em, {.label = "EM = |theta|", .color = series_color(0)});
  plot.line(fine_x, fine_js, {.label = "JS", .color = series_color(1)});
  plot.scatter(sizes.thetas, em_at, {.label = "1-Lipschitz critic", .color = series_color(0), .radius = 5});
  plot.scatter(sizes.thetas, js_at, {.label = "log 2 - L_D / 2", .color = series_color(1), .radius = 5});
  shown.pictures.emplace_back("lines", plot.draw());
}

// ---- Kantorovich and Rubinstein -----------------------------------------------------------------------------

/// The exact dual potential of two sets on the line, at rising x: f' = sign(F_fake - F_real).
std::vector<double> line_potential(std::vector<double> real, std::vector<double> fake,
                                   const std::vector<double>& x) {
  std::sort(real.begin(), real.end());
  std::sort(fake.begin(), fake.end());
  const auto below = [](const std::vector<double>& set, double v) {
    return std::upper_bound(set.begin(), set.end(), v) - set.begin();
  };
  std::vector<double> f{0};
  for (size_t i = 1; i < x.size(); ++i) {
    const double middle = 0.5 * (x[i] + x[i - 1]);
    const auto ahead = below(fake, middle) - below(real, middle);
    f.push_back(f.back() + (x[i] - x[i - 1]) * (ahead > 0 ? 1 : ahead < 0 ? -1 : 0));
  }
  return f;
}

/// Both sets whole, the fakes in an order of their own at every step: the penalty's lines join all pairs in time.
auto in_new_pairs(const Tensor& real, const Tensor& fake) {
  return [real, fake](Generator& random) {
    return CriticBatch{real, gather(fake, random.shuffled(fake.dim(0), fake.dim(0)))};
  };
}

void show_sets(const FoundingOptions& options, const TheorySizes& sizes, const TheoryBounds& bounds,
               LabObserver& observer, Shown& shown) {
  const Objective objective = theory_lipschitz(sizes.set_steps);
  double on_line = 0, in_plane = 0;
  for (const uint64_t seed : options.seeds) {
    Generator random(seed, 3), weights(seed, 4);
    const CriticFit fit{.steps = sizes.set_steps, .seed = seed};

    const Tensor real = kTheoryReal.sample(sizes.set_points, random);
    const Tensor fake =
        kTheoryMiddle.sample(sizes.set_points, random);  // between the real ones: f has to turn
    const auto r = real.to_vector<double>(), f = fake.to_vector<double>();
    const double exact = sorted_distance(r, f);
    const auto critic = dense_critic({1, sizes.width, sizes.width, 1}, weights);
    if (!fit_critic(critic, objective, fit, in_new_pairs(real, fake), observer)) return;
    const auto [low, high] = std::minmax_element(r.begin(), r.end());
    const auto [left, right] = std::minmax_element(f.begin(), f.end());
    const Tensor hull = linspace(std::min(*low, *left), std::max(*high, *right), 2000).reshape({2000, 1});
    on_line = std::max(on_line, std::abs(dual_value(*critic, real, fake) / exact - 1));
    if (seed == options.seeds.front()) {
      const std::vector<double> x = hull.to_vector<double>();
      std::vector<double> learned = outputs_at(*critic, hull), potential = line_potential(r, f, x);
      for (std::vector<double>* curve : {&learned, &potential}) {
        const double middle = mean_of(*curve);
        for (double& v : *curve) v -= middle;
      }
      Plot plot({.title = message("Two sets of {} points: W1 {}, by the critic {}", sizes.set_points,
                                  fixed(exact, 4), fixed(dual_value(*critic, real, fake), 4)),
                 .x_label = "x",
                 .y_label = "f less its mean",
                 .width = 760});
      plot.line(x, potential,
                {.label = "exact potential", .color = Color{0, 0, 0}, .width = 4, .opacity = 0.45});
      plot.line(x, learned, {.label = "critic", .color = series_color(0)});
      const double floor = *std::min_element(potential.begin(), potential.end()) - 0.15;
      plot.scatter(r, std::vector<double>(r.size(), floor),
                   {.label = "real", .color = series_color(1), .radius = 2.5});
      plot.scatter(f, std::vector<double>(f.size(), floor - 0.12),
                   {.label = "fake", .color = series_color(2), .radius = 2.5});
      shown.pictures.emplace_back("duality", plot.draw());
    }

    const int64_t n = 8;
    const Tensor a = random.normal({n, 2}), b = random.normal({n, 2}, 0.7);
    const auto pa = a.to_vector<double>(), pb = b.to_vector<double>();
    std::vector<std::vector<double>> cost;
    for (size_t i = 0; i < pa.size(); i += 2) {
      cost.emplace_back();
      for (size_t j = 0; j < pb.size(); j += 2)
        cost.back().push_back(std::hypot(pa[i] - pb[j], pa[i + 1] - pb[j + 1]));
    }
    const double distance = best_assignment(cost).cost / static_cast<double>(n);
    const auto plane = dense_critic({2, sizes.width, sizes.width, 1}, weights);
    if (!fit_critic(plane, objective, fit, in_new_pairs(a, b), observer)) return;
    in_plane = std::max(in_plane, std::abs(dual_value(*plane, a, b) / distance - 1));
  }
  const std::string theorem = "Kantorovich-Rubinstein; Arjovsky et al. 2017, section 3";
  shown.facts.push_back(
      {message("1-Lipschitz critic against W1 of two sets of {} numbers, relative, worst seed",
               sizes.set_points),
       0, on_line, bounds.distance, theorem + "; W1 by sorting"});
  shown.facts.push_back(
      {"1-Lipschitz critic against W1 of two sets of 8 points of the plane, relative, worst seed", 0,
       in_plane, bounds.distance, theorem + "; W1 by exact assignment"});
}

void theory_conclusions(Shown& shown) {
  size_t closed = 0, closed_hold = 0, learned = 0, learned_hold = 0;
  for (const Fact& fact : shown.facts) {
    (fact.bound == kClosed ? closed : learned) += 1;
    if (fact.holds()) (fact.bound == kClosed ? closed_hold : learned_hold) += 1;
  }
  shown.conclusions = {
      message("{} of {} closed forms hold within {}{}", closed_hold, closed, kClosed,
              closed_hold == closed ? ": Duel's losses are those of the theorems." : "."),
      message("{} of {} trained critics reach what theory says within the bounds that were stated "
              "before.",
              learned_hold, learned)};
}

Shown show_theory(const FoundingOptions& options, LabObserver& observer) {
  const TheorySizes sizes = theory_sizes(options.quick);
  const TheoryBounds& bounds = options.quick ? kQuickBounds : kFullBounds;
  const auto seeds = static_cast<int64_t>(options.seeds.size()),
             thetas = static_cast<int64_t>(sizes.thetas.size());
  observer.started(seeds * (sizes.density_steps + 2 * thetas * sizes.line_steps + 2 * sizes.set_steps), 0);
  Shown shown;
  const TheoryLine line;
  const TheoryPair pair(line, kTheoryReal, kTheoryFake);
  show_closed_forms(line, pair, shown);
  show_trained_d(options, sizes, bounds, line, pair, observer, shown);
  show_lines(options, sizes, bounds, observer, shown);
  if (!observer.stop()) show_sets(options, sizes, bounds, observer, shown);
  theory_conclusions(shown);
  return shown;
}

}  // namespace

FoundingRow theory_row() {
  return {
      .name = "theory",
      .title = "What the losses measure where D is optimal",
      .claim =
          "D* = pr / (pr + pg) and V(D*, G) = 2 JS - 2 log 2 (Goodfellow et al. 2014, arXiv:1406.2661); "
          "the -log D loss has the gradient of KL(pg, pr) - 2 JS (Arjovsky & Bottou 2017, arXiv:1701.04862, "
          "theorem 2.5); on parallel lines JS = log 2 and KL is infinite while EM = |theta|, which a "
          "1-Lipschitz critic attains (Arjovsky et al. 2017, arXiv:1701.07875).",
      .show = show_theory};
}

}  // namespace duel::gan::lab
