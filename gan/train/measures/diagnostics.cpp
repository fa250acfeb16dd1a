// What a look inside finds: a function for each row of the table at the end. Papers: Arjovsky & Bottou 2017
// (arXiv:1701.04862), Arjovsky 2017 (arXiv:1701.07875), Gulrajani 2017 (arXiv:1704.00028), Mescheder 2018
// (arXiv:1801.04406), Miyato 2018 (arXiv:1802.05957), Brock 2019 (arXiv:1809.11096), Salimans 2016
// (arXiv:1606.03498), Karras 2018 (arXiv:1710.10196).
#include "duel/gan/train/diagnostics.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/measures/rows.h"

namespace duel::gan {
namespace {

using Values = std::vector<Measured>;

double mean_of(const std::vector<double>& values) {
  double total = 0;
  for (double v : values) total += v;
  return total / static_cast<double>(values.size());
}

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

// ---- One function a row -----------------------------------------------------------------------------------

/// log 2 - L_D / 2 with L_D the cross-entropy of D's batch: tight for the best D; only where
/// Loss::cross_entropy says so, without relativism.
Values js_estimate(const Look& look) {
  if (!has_probabilities(look.objective())) return {};
  double loss = 0;
  for (double r : look.real_logits) loss += softplus(-r) / static_cast<double>(look.real_logits.size());
  for (double f : look.fake_logits) loss += softplus(f) / static_cast<double>(look.fake_logits.size());
  return {std::numbers::ln2 - loss / 2};
}

/// The critic's value; positive says that D prefers real images.
Values wasserstein_estimate(const Look& look) {
  return {look.sign() * (mean_of(look.real_logits) - mean_of(look.fake_logits))};
}

Values accuracy(const Look& look) {
  const Objective& objective = look.objective();
  if (!objective.loss.undecided || objective.relativism != Relativism::none) return {};
  const double sign = look.sign(), middle = *objective.loss.undecided;
  const auto& real = look.real_logits;
  const auto& fake = look.fake_logits;
  const auto right =
      std::count_if(real.begin(), real.end(), [&](double v) { return sign * (v - middle) > 0; }) +
      std::count_if(fake.begin(), fake.end(), [&](double v) { return sign * (v - middle) < 0; });
  return {static_cast<double>(right) / static_cast<double>(real.size() + fake.size())};
}

Values input_gradients(const Look& look) {
  const Trainer::Batch& batch = look.batch();
  const PenalisedValue witness = look.trainer.witness_of(batch);
  const auto norm_at = [&](const Tensor& points, const Tensor& labels) -> Measured {
    return mean_gradient_norm(look.critic(), look.trainer.packed(points), labels, witness);
  };
  const Tensor half = Tensor::full({batch.real.dim(0)}, 0.5, batch.real.options());
  return {norm_at(batch.real, batch.real_labels), norm_at(batch.fake, batch.latents.labels),
          norm_at(line_points(batch.real, batch.fake, half), batch.real_labels)};
}

/// mean D over fixed training images and over as many held-out ones, each less mean D over the fakes.
Values held_out(const Look& look) {
  if (!look.held_out || !look.trainer.data()) return {};
  const Trainer::Batch& batch = look.batch();
  const ResidentData &others = *look.held_out, &training = *look.trainer.data();
  const bool labelled = batch.real_labels.defined();
  if (labelled && !others.has_labels()) return {};
  const NoGrad no_grad;
  const nn::EvalMode looking(look.critic());
  const int64_t packing = look.objective().schedule.packing;
  const int64_t n = std::min({kHeldOutCompared, others.count(), training.count()}) / packing * packing;
  if (n == 0) return {};
  const PenalisedValue witness = look.trainer.witness_of(batch);
  const auto critic_of = [&](const Tensor& images, const Tensor& labels) {
    const Judgement said = judge(look.critic(), look.trainer.packed(images), labels);
    return look.sign() * mean(witness ? witness(said) : said.logits).item();
  };
  const auto critic_of_first = [&](const ResidentData& data) {
    const Tensor first = data.first(n);
    return critic_of(data.batch(first, batch.real.dtype()), labelled ? data.labels(first) : Tensor());
  };
  const double fake = critic_of(batch.fake, batch.latents.labels);
  const double here = critic_of_first(training) - fake, there = critic_of_first(others) - fake;
  return {here, there, here - there};
}

/// NaN when nothing moved.
Values step_cosines(const Look& look) {
  return {step_cosine(look.trainer.optimizer_d().arena(), look.record.weights_d, look.record.gradients_d),
          step_cosine(look.trainer.optimizer_g().arena(), look.record.weights_g, look.record.gradients_g)};
}

/// The batch's spread as a sign of mode collapse: Salimans 2016, section 3.2, and Karras 2018, section 3. A
/// batch from few modes that differ stays near 1: only the extreme shows.
Values fake_spread(const Look& look) {
  const NoGrad no_grad;
  const auto spread = [](const Tensor& images) { return mean(variance(images, {0})).item(); };
  const double real = spread(look.batch().real), fake = spread(look.batch().fake);
  return {real > 0 ? std::sqrt(fake / real) : Diagnosis::none};
}

Values share_at_clip(const Look& look) {
  const auto c = static_cast<float>(look.objective().constraint.weight_clip);
  if (c <= 0) return {};
  int64_t at_clip = 0, all = 0;
  for (const Tensor& p : look.critic().parameters()) {
    const auto values = p.to_vector<float>();
    at_clip += std::count_if(values.begin(), values.end(), [c](float w) { return std::abs(w) >= c; });
    all += p.numel();
  }
  return {all > 0 ? static_cast<double>(at_clip) / static_cast<double>(all) : Diagnosis::none};
}

// ---- What warnings ask ------------------------------------------------------------------------------------

/// Whether all of the last values lie there.
std::function<bool(const Seen&)> all_between(double low, double high) {
  return [low, high](const Seen& seen) { return seen.all([&](double v) { return v > low && v < high; }); };
}
std::function<bool(const Seen&)> all_below(double high) {
  return [high](const Seen& seen) { return seen.all([&](double v) { return v < high; }); };
}
std::function<bool(const Seen&)> all_above(double low) {
  return [low](const Seen& seen) { return seen.all([&](double v) { return v > low; }); };
}

WarnIf against_its_gradient(const std::string& key, const std::string& who) {
  return {
      .of = {key},
      .window = 3,
      .sick = all_below(0),
      .sentence = "The steps of " + who +
                  " go against its gradient in the last three looks: less momentum (--beta1 0) may help."};
}

PlotGuide line_at(double value, const std::string& label = "") {
  return {.at = [value](const PlotHints&) { return std::optional(value); }, .label = label};
}

}  // namespace

std::vector<Measure> detail::diagnostic_rows() {
  using enum Measure::Where;
  return {
      {.where = look,
       .keys = {{.name = "js_estimate", .label = "JS, nats", .color = 1}},
       .meaning = "log 2 - cross-entropy / 2, in nats: at most the Jensen-Shannon distance; "
                  "cross-entropy losses only",
       .healthy = "falls as samples improve",
       .sick = "JS at log 2 = 0.693 from early on: D separates them perfectly, which says nothing about G",
       .source = "Arjovsky 2017, figure 4",
       .of_look = js_estimate,
       .warn = {{.of = {"js_estimate"},
                 .window = 5,
                 .sick = all_above(0.98 * std::numbers::ln2),
                 .sentence = "D tells real from fake perfectly in the last five looks (JS at log 2): "
                             "its outputs say nothing about how good the fakes are."}},
       .plot = {.diagram = "estimates", .order = 21, .guides = {line_at(std::numbers::ln2, "log 2")}}},
      {.where = look,
       .keys = {{.name = "wasserstein_estimate", .label = "E D(x) - E D(G(z))"}},
       .meaning = "mean D(x) - mean D(G(z)), of energies with the sign turned: "
                  "a bound of W1 from below under a 1-Lipschitz critic, a multiple of one under clipping, "
                  "elsewhere the gap of the logits",
       .healthy = "falls as samples improve",
       .sick = "the critic's value constant while samples do not improve, or negative",
       .source = "Arjovsky 2017, figure 3",
       .of_look = wasserstein_estimate,
       .warn = {{.of = {"wasserstein_estimate"},
                 .window = 3,
                 .sick = all_below(0),
                 .sentence = "D rates fakes above real images in the last three looks: it is behind G."}},
       .plot = {.diagram = "estimates",
                .order = 20,
                .title = "distance of data and fakes, as D sees it",
                .y_label = "estimate",
                .caption = "What D says about the distance of data and fakes."}},
      {.where = look,
       .keys = {{.name = "accuracy", .label = "accuracy"}},
       .meaning = "share of the batch on the right side of the logit at which D is undecided, "
                  "for losses that have one (0; least squares (a + b) / 2; f-GAN where densities agree), "
                  "not relativistic",
       .healthy = "0.6 to 0.9",
       .sick = "1 for long (a fresh D gets there within tens of iterations where supports are disjoint), "
               "or 0.5: D lost",
       .source = "Arjovsky & Bottou 2017, figure 1",
       .of_look = accuracy,
       .warn = {{.of = {"accuracy"},
                 .window = 5,
                 .sick = all_between(0.45, 0.55),
                 .sentence =
                     "D guesses (accuracy near one half in the last five looks): G learns from noise."}},
       .plot = {.diagram = "accuracy",
                .order = 50,
                .title = "images on D's right side",
                .y_label = "share",
                .y_range = Range{-0.02, 1.02}}},
      {.where = look,
       .keys = {{.name = "input_gradient_real", .label = "at real"},
                {.name = "input_gradient_fake", .label = "at fake"},
                {.name = "input_gradient_line", .label = "half way"}},
       .meaning = "mean norm of D's gradient in the pixels at real images, at fakes and half way between, "
                  "D in evaluation mode",
       .healthy = "near K under a penalty around K; small at real under R1",
       .sick = "growing without end (D becomes a step); 0 at fakes (G learns nothing); "
               "on lines far below the value at real images",
       .source = "Gulrajani 2017, section 4; Mescheder 2018",
       .of_look = input_gradients,
       .warn = {{.of = {"input_gradient_fake"},
                 .window = 3,
                 .sick = all_below(1e-3),
                 .sentence = "D is flat at the fakes (gradient below 0.001): G gets no direction."}},
       .plot = {.diagram = "input_gradients",
                .order = 70,
                .title = "slope of D in the pixels",
                .y_label = "mean gradient norm",
                .log_y = true,
                .caption = "The mean norm of D's gradient in the pixels.",
                .guides = {{.at = [](const PlotHints& hints) { return hints.k; }, .label = "K"}}}},
      {.where = look,
       .keys = {{.name = "critic_training", .label = "training"},
                {.name = "critic_held_out", .label = "held out"},
                {.name = "held_out_gap"}},
       .meaning = "mean D over 256 fixed training images, over 256 held-out ones (MNIST's test set, "
                  "or digits of another seed), each less mean D(fake), D in evaluation mode, "
                  "of energies with the sign turned; their difference",
       .healthy = "the two stay together",
       .sick = "they part, the training curve above: D knows its images by heart",
       .source = "Gulrajani 2017, figure 5b",
       .of_look = held_out,
       .warn = {{.of = {"critic_training", "critic_held_out"},
                 .window = 3,
                 .sick =
                     [](const Seen& s) {
                       return s.all([](double training, double other) {
                         return training > 0 && other < 0.5 * training;
                       });
                     },
                 .sentence = "D rates held-out images far below those it trains on: "
                             "it knows its images by heart. More data, or a smaller or regularised D."}},
       .plot = {.diagram = "held_out",
                .order = 150,
                .title = "critic on images it trains on, and on others",
                .y_label = "E D(x) - E D(G(z))"}},
      {.where = look,
       .keys = {{.name = "step_cosine_d", .label = "D"}, {.name = "step_cosine_g", .label = "G"}},
       .meaning = "cosine between the optimizer's step and the negative gradient",
       .healthy = "positive; 1 without momentum",
       .sick = "negative for long: momentum drives against the gradient, "
               "with which WGAN training with Adam blew up",
       .source = "Arjovsky 2017, section 4.3",
       .of_look = step_cosines,
       .warn = {against_its_gradient("step_cosine_d", "D"), against_its_gradient("step_cosine_g", "G")},
       .plot = {.diagram = "step_cosines",
                .order = 160,
                .title = "cosine of step and negative gradient",
                .y_label = "cosine",
                .y_range = Range{-1.05, 1.05},
                .guides = {line_at(0)}}},
      {.where = look,
       .keys = {{.name = "fake_spread", .label = "spread"}},
       .meaning = "how much the fakes of a batch differ, in units of the real ones: "
                  "root of the ratio of their pixels' mean variances",
       .healthy = "about 1",
       .sick = "towards 0, G shows one picture: mode collapse",
       .source = "Salimans 2016, section 3.2",
       .of_look = fake_spread,
       .warn = {{.of = {"fake_spread"},
                 .window = 3,
                 .sick = all_below(0.4),
                 .sentence = "The fakes hardly differ from each other "
                             "(below 0.4 of the real images' spread in the last three looks): "
                             "mode collapse? Look at the samples."}},
       .plot = {.diagram = "fake_spread",
                .order = 60,
                .title = "how much fakes differ, in units of real images",
                .y_label = "ratio",
                .guides = {line_at(1)}}},
      {.where = look,
       .keys = {{.name = "share_at_clip", .label = "at c"}},
       .meaning = "share of D's parameters at the clip value",
       .healthy = "below one half",
       .sick = "nearly all: D is a network of two values",
       .source = "Gulrajani 2017, figure 1b right",
       .of_look = share_at_clip,
       .warn = {{.of = {"share_at_clip"},
                 .window = 3,
                 .sick = all_above(0.9),
                 .sentence = "More than nine tenths of D's weights lie at the clip value: "
                             "D is a two-valued network. A gradient penalty avoids that."}},
       .plot = {.diagram = "share_at_clip",
                .order = 140,
                .title = "share of D's weights at the clip value",
                .y_label = "share",
                .y_range = Range{-0.02, 1.02}}},
  };
}

// ---- The look ---------------------------------------------------------------------------------------------

double Look::sign() const {
  return objective().loss.energy || is_autoencoder(objective().critic) ? -1.0 : 1.0;
}

Diagnosis diagnose(Trainer& trainer, const StepRecord& record, const ResidentData* held_out) {
  DUEL_CHECK(record.real_logits.defined() && !record.gradients_d.empty(), "diagnose",
             "expected the record of a step: call step(true, &record) first");
  const Trainer::QuietDraws quiet(trainer);
  const Look look{trainer, record, held_out, record.real_logits.to_vector<double>(),
                  record.fake_logits.to_vector<double>()};
  Diagnosis diagnosis;
  for (const Measure& row : measures()) {
    if (!row.of_look) continue;
    Values values = row.of_look(look);
    for (size_t i = 0; i < values.size(); ++i) diagnosis.set(row.keys.at(i).name, std::move(values[i]));
  }
  return diagnosis;
}

}  // namespace duel::gan
