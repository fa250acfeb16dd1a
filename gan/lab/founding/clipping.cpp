// What weight clipping does to a critic (Gulrajani et al. 2017, figure 1b): its weights are driven to the two ends of
// the box, and in a deep critic gradients explode or vanish with c; under a gradient penalty neither.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/lab/internal/critic_fit.h"
#include "duel/gan/lab/internal/founding_rows.h"
#include "duel/gan/picture/plot.h"
#include "duel/nn/layers.h"
#include "duel/nn/module/activation_trace.h"
#include "duel/nn/module/init.h"
#include "duel/nn/optim/grad_norm.h"

namespace duel::gan::lab {
namespace {

constexpr const char* kClippingPaper = "Gulrajani et al. 2017, figure 1b";
constexpr double kPaperClip = 0.01;
constexpr int64_t kDeepLayers = 12;

struct ClippingSizes {
  int64_t width, weight_steps, deep_width, deep_steps, batch;
  double clip_rate;  // RMSProp's for the weights' critic: it must be able to cross the box in these steps
};
ClippingSizes clipping_sizes(bool quick) {
  if (quick)
    return {.width = 32,
            .weight_steps = 300,
            .deep_width = 32,
            .deep_steps = 60,
            .batch = 128,
            .clip_rate = 5e-4};
  return {.width = 64,
          .weight_steps = 3000,
          .deep_width = 128,
          .deep_steps = 1000,
          .batch = 256,
          .clip_rate = 5e-5};
}

/// The Swiss roll of the authors' toy code: scikit-learn's with noise 0.25, axes 0 and 2, over 7.5.
Tensor swiss_roll(int64_t n, Generator& random) {
  const auto u = random.uniform({n}).to_vector<double>();
  const auto noise = random.normal({n, 2}, 0.0, 0.25).to_vector<double>();
  std::vector<float> xy;
  for (size_t i = 0; i < u.size(); ++i) {
    const double t = 1.5 * std::numbers::pi * (1 + 2 * u[i]);
    xy.push_back(static_cast<float>((t * std::cos(t) + noise[2 * i]) / 7.5));
    xy.push_back(static_cast<float>((t * std::sin(t) + noise[2 * i + 1]) / 7.5));
  }
  return Tensor::from(xy, {n, 2});
}

/// Data, and a G that is held: data with unit normal noise, as in that code.
CriticBatch roll_and_noise(int64_t n, Generator& random) {
  const Tensor real = swiss_roll(n, random), base = swiss_roll(n, random);
  return {real, base + random.normal({n, 2})};
}

Objective clipped_objective(double c, double rate) {
  Objective objective = named_objective("wgan", {{"clip", c}});
  objective.schedule.d.lr = rate;
  return objective;
}

/// The weight 0.1 and Adam 1e-4 (0.5, 0.9) of that code.
Objective penalised_objective(double rate) {
  Objective objective = named_objective("wgan-gp", {{"lambda", 0.1}});
  objective.schedule.d.lr = rate;
  return objective;
}

template <class F>
void each_layer(nn::Module& critic, const F& f) {
  for (nn::Module* module : critic.modules())
    if (auto* layer = dynamic_cast<nn::Linear*>(module)) f(*layer);
}

std::vector<double> weights_of(nn::Module& critic) {
  std::vector<double> all;
  each_layer(critic, [&](nn::Linear& layer) {
    const auto values = layer.weight.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  });
  return all;
}

/// Share of the weights whose size is within 1 % of the greatest.
double share_at_ends(const std::vector<double>& weights) {
  double greatest = 0;
  for (const double w : weights) greatest = std::max(greatest, std::abs(w));
  const auto at_ends =
      std::count_if(weights.begin(), weights.end(), [&](double w) { return std::abs(w) >= 0.99 * greatest; });
  return static_cast<double>(at_ends) / static_cast<double>(weights.size());
}

Canvas weight_plot(const std::vector<double>& weights, const std::string& title) {
  Plot plot({.title = title, .x_label = "weight", .y_label = "share", .width = 480, .height = 360});
  plot.histogram(weights, 60);
  return plot.draw();
}

void show_weights(const FoundingOptions& options, const ClippingSizes& sizes, LabObserver& observer,
                  Shown& shown) {
  double at_start = 0, clipped_least = 1, penalised_most = 0;
  std::vector<Canvas> panels;
  for (const uint64_t seed : options.seeds) {
    Generator random(seed, 1);
    // Leaky: a ReLU that is never active has no gradient, and its weights stay where they began.
    const auto clipped = dense_critic({2, sizes.width, sizes.width, sizes.width, 1}, random, 0.2);
    // Both begin evenly inside the box: what ends at its edge was driven there, and not cut off by the first clip.
    each_layer(*clipped, [&](nn::Linear& layer) {
      nn::init::uniform_(layer.weight, -kPaperClip, kPaperClip, random);
      nn::init::uniform_(layer.bias, -kPaperClip, kPaperClip, random);
    });
    const auto penalised = nn::clone(*clipped);
    at_start = std::max(at_start, std::abs(share_at_ends(weights_of(*clipped)) - 0.01));
    const CriticFit fit{.steps = sizes.weight_steps, .seed = seed};
    const auto draw = [&](Generator& noise) { return roll_and_noise(sizes.batch, noise); };
    if (!fit_critic(clipped, clipped_objective(kPaperClip, sizes.clip_rate), fit, draw, observer) ||
        !fit_critic(penalised, penalised_objective(1e-3), fit, draw, observer))
      return;
    const auto under_clip = weights_of(*clipped), under_penalty = weights_of(*penalised);
    clipped_least = std::min(clipped_least, share_at_ends(under_clip));
    penalised_most = std::max(penalised_most, share_at_ends(under_penalty));
    if (panels.empty())
      panels = {weight_plot(under_clip, message("weights under clipping at {}", kPaperClip)),
                weight_plot(under_penalty, "weights under a gradient penalty")};
  }
  shown.facts.push_back(
      {"start: share of weights within 1 % of the greatest size, less the even 0.01, farthest", 0, at_start,
       0.01, "uniform weights"});
  shown.facts.push_back({message("clipping at {}: that share after training, least", kPaperClip), 1,
                         clipped_least, 0.5,
                         std::string(kClippingPaper) + " right: two spikes; here more than half"});
  shown.facts.push_back({"gradient penalty: that share after the same training, most", 0, penalised_most,
                         0.05, std::string(kClippingPaper) + " right: a bell"});
  shown.pictures.emplace_back("weights", tile(panels, 2));
  const bool two_valued = 1 - clipped_least <= 0.5, bell = penalised_most <= 0.05;
  shown.conclusions.push_back(message(
      "From the same even start {} % of the clipped critic's weights end within 1 % of the greatest size, of the "
      "penalised critic's {} %: clipping {} a network of two values here.",
      fixed(100 * clipped_least, 1), fixed(100 * penalised_most, 1),
      two_valued && bell ? "makes" : "did not make"));
}

/// log of the norm of the critic loss's gradient in the output of each ReLU, the nearest to the input first.
std::vector<double> log_gradients(const std::shared_ptr<nn::Sequential>& critic, uint64_t seed,
                                  int64_t batch) {
  // Squares of what vanishes are below the least f32.
  const auto exact = nn::clone(*critic);
  exact->to(DType::f64);
  const NoParamGrad weights_are_constants;
  Generator random(seed, 5);
  const CriticBatch points = roll_and_noise(batch, random);
  const Tensor all = concat({points.real, points.fake}).to(DType::f64).set_requires_grad(true);
  const nn::ActivationTrace trace;
  const Tensor outputs = (*exact)(all);
  const Tensor loss = discriminator_loss(wasserstein_loss(), Relativism::none, rows(outputs, 0, batch),
                                         rows(outputs, batch, 2 * batch));
  std::vector<Tensor> at;
  for (const auto& [layer, output] : trace.outputs())
    if (dynamic_cast<const nn::ReLU*>(layer)) at.push_back(output);
  std::vector<double> logs;
  for (const double norm : nn::gradient_norms(grad({loss}, at)).each.to_vector<double>())
    logs.push_back(std::log(norm));
  return logs;
}

/// Least squares: nats a layer towards the output.
double slope_over_layers(const std::vector<double>& y) {
  const double middle = (static_cast<double>(y.size()) - 1) / 2, mean = mean_of(y);
  double up = 0, down = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double x = static_cast<double>(i) - middle;
    up += x * (y[i] - mean);
    down += x * x;
  }
  return up / down;
}

struct DeepCritic {
  std::string name;
  Objective objective;
};

void show_layers(const FoundingOptions& options, const ClippingSizes& sizes, LabObserver& observer,
                 Shown& shown) {
  std::vector<DeepCritic> critics;
  for (const double c : {0.1, 0.01, 0.001})
    critics.push_back({message("c = {}", c), clipped_objective(c, 5e-5)});
  critics.push_back({"gradient penalty", penalised_objective(1e-4)});
  std::vector<int64_t> widths{2};
  widths.insert(widths.end(), kDeepLayers, sizes.deep_width);
  widths.push_back(1);

  Plot plot(
      {.title = message("Critic of {} ReLU layers: gradient of its loss in each layer's output", kDeepLayers),
       .x_label = "layer, 1 next to the input",
       .y_label = "log10 of the gradient's norm",
       .width = 760});
  std::vector<std::vector<double>> slopes(critics.size());
  for (size_t i = 0; i < critics.size(); ++i) {
    std::vector<double> mean(static_cast<size_t>(kDeepLayers), 0.0), layers;
    for (const uint64_t seed : options.seeds) {
      Generator random(seed, 2);
      const auto critic = dense_critic(widths, random);
      each_layer(*critic, [&](nn::Linear& layer) {  // as in that code
        nn::init::kaiming_normal_(layer.weight, 0.0, nn::init::Fan::in, random);
        nn::init::constant_(layer.bias, 0.0);
      });
      if (!fit_critic(
              critic, critics[i].objective, {.steps = sizes.deep_steps, .seed = seed},
              [&](Generator& noise) { return roll_and_noise(sizes.batch, noise); }, observer))
        return;
      const std::vector<double> logs = log_gradients(critic, seed, sizes.batch);
      slopes[i].push_back(slope_over_layers(logs));
      for (size_t layer = 0; layer < mean.size(); ++layer)
        mean[layer] += logs[layer] / std::numbers::ln10 / static_cast<double>(options.seeds.size());
    }
    for (int64_t layer = 1; layer <= kDeepLayers; ++layer) layers.push_back(static_cast<double>(layer));
    plot.line(layers, mean, {.label = critics[i].name, .width = 2});
  }
  shown.pictures.emplace_back("layers", plot.draw());

  const auto size = [](double a, double b) { return std::abs(a) < std::abs(b); };
  const double flat = *std::max_element(slopes.back().begin(), slopes.back().end(), size);
  shown.facts.push_back(
      {"gradient penalty: slope of log norm over layers, nats a layer, steepest seed", 0, flat, 0.35,
       std::string(kClippingPaper) + " left: flat; here at most a factor of sqrt 2 a layer"});
  std::string found;
  bool steeper = true;
  for (size_t i = 0; i + 1 < critics.size(); ++i) {
    const double least = *std::min_element(slopes[i].begin(), slopes[i].end(), size);
    shown.facts.push_back(
        {message("slope under the penalty as a share of that at {}, greatest", critics[i].name), 0,
         std::abs(flat / least), 0.5,
         std::string(kClippingPaper) + " left: clipping is steep; here at least twice as steep"});
    steeper = steeper && shown.facts.back().holds();
    found += message("{}{} at {}", found.empty() ? "" : ", ", fixed(least, 2), critics[i].name);
  }
  shown.conclusions.push_back(message(
      "Over the layers of the deep critic the gradient's log norm has the slope {} under the penalty and {} "
      "(positive: it vanishes towards the input): clipping {} it depend on depth at every c.",
      fixed(flat, 2), found, steeper ? "makes" : "did not make"));
}

Shown show_clipping(const FoundingOptions& options, LabObserver& observer) {
  const ClippingSizes sizes = clipping_sizes(options.quick);
  observer.started(
      static_cast<int64_t>(options.seeds.size()) * (2 * sizes.weight_steps + 4 * sizes.deep_steps), 0);
  Shown shown;
  show_weights(options, sizes, observer, shown);
  if (!observer.stop()) show_layers(options, sizes, observer, shown);
  return shown;
}

}  // namespace

FoundingRow clipping_row() {
  return {.name = "clipping",
          .title = "What weight clipping does to a critic",
          .claim =
              "Weight clipping drives a critic's weights towards two values, and gradients of a deep critic "
              "explode or vanish with c, but not under a gradient penalty (Gulrajani et al. 2017, "
              "arXiv:1704.00028, figure 1b).",
          .show = show_clipping};
}

}  // namespace duel::gan::lab
