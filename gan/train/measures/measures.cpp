// The rows of what every line holds, and of timing.jsonl. Those of a look inside stand in diagnostics.cpp.
#include "duel/gan/train/measures.h"

#include <algorithm>
#include <cmath>

#include "duel/gan/objective/regularisers/adaptation.h"
#include "duel/gan/train/measures/rows.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

using When = MeasurePlot::When;

bool not_finite(const Seen& seen) {
  return seen.all([](double v) { return !std::isfinite(v); });
}

WarnIf diverged(const std::string& key) {
  return {
      .of = {key}, .sick = not_finite, .sentence = "{} is not finite: training diverged.", .at_once = true};
}

bool vanishes(const Seen& seen) {
  double greatest = 0;
  for (const double v : seen.curves[0]) greatest = std::isfinite(v) ? std::max(greatest, v) : greatest;
  const auto latest = seen.last(3);
  return std::all_of(latest.begin(), latest.end(), [&](double v) { return v < 1e-4 * greatest; });
}

/// What the trainer adds under these names, all of them or none.
std::vector<Measured> added(const LineView& line, const std::vector<std::string>& names) {
  std::vector<Measured> values;
  for (const std::string& wanted : names) {
    for (const auto& [name, value] : line.metrics.more) {
      if (name == wanted) values.emplace_back(value);
    }
  }
  return values;
}
std::vector<Measured> equilibrium(const LineView& line) { return added(line, {"k", "convergence"}); }
std::vector<Measured> adapting(const LineView& line) { return added(line, {kAdaptingProbability}); }

std::vector<Measure> line_rows() {
  return {
      {.keys = {{.name = "iteration"}}, .meaning = "iterations done"},
      {.keys = {{.name = "epoch"}},
       .meaning = "passes of G's batches over the data",
       .of_line = [](const LineView& line) { return std::vector<Measured>{line.epoch}; }},
      {.keys = {{.name = "loss_d", .label = "D"}, {.name = "loss_g", .label = "G"}},
       .meaning = "the losses as minimised, penalties and terms included",
       .healthy = "neither runs away",
       .sick = "L_D of a cross-entropy at 0 while L_G grows: D is perfect",
       .of_line =
           [](const LineView& line) {
             return std::vector<Measured>{line.metrics.loss_d, line.metrics.loss_g};
           },
       .warn = {diverged("loss_d"), diverged("loss_g")},
       .plot = {.diagram = "losses",
                .order = 10,
                .title = "losses",
                .y_label = "loss",
                .caption = "The losses as minimised."}},
      {.keys = {{.name = "penalty", .label = "penalty", .color = 2}},
       .meaning = "all penalties times their weights",
       .healthy = "the penalty small beside `loss_d`",
       .sick = "the penalty as large as it",
       .of_line = [](const LineView& line) { return std::vector<Measured>{line.metrics.penalty}; },
       .plot = {.diagram = "losses", .order = 11, .when = When::unless_zero}},
      {.keys = {{.name = "d_real", .label = "real"}, {.name = "d_fake", .label = "fake"}},
       .meaning = "mean raw logits",
       .healthy = "a few units apart at most",
       .sick = "tens of units apart (cross-entropy)",
       .of_line =
           [](const LineView& line) {
             return std::vector<Measured>{line.metrics.d_real, line.metrics.d_fake};
           },
       .plot = {.diagram = "outputs",
                .order = 30,
                .title = "D's outputs: means",
                .y_label = "logit",
                .caption = "D's raw outputs, means over the batch."}},
      {.keys = {{.name = "p_real", .label = "real"}, {.name = "p_fake", .label = "fake"}},
       .meaning = "means of sigmoid(logit), cross-entropy losses only",
       .healthy = "drawn towards 0.5",
       .sick = "1 and 0",
       .of_line =
           [](const LineView& line) {
             return line.probabilities ? std::vector<Measured>{line.metrics.p_real, line.metrics.p_fake}
                                       : std::vector<Measured>{};
           },
       .plot = {.diagram = "probabilities",
                .order = 31,
                .title = "D's outputs as probabilities",
                .y_label = "mean of D",
                .y_range = Range{-0.02, 1.02},
                .guides = {{.at = [](const PlotHints&) { return std::optional(0.5); }}}}},
      {.keys = {{.name = "input_gradient_norm", .label = "half way, or where penalised"}},
       .meaning = "mean of the norm of D's gradient in the pixels, at the points of the penalty, or of all "
                  "penalties together; without one half way between real and fake",
       .healthy = "near K under a penalty around K",
       .sick = "growing without end; 0",
       .source = "Gulrajani 2017, section 4",
       .of_line =
           [](const LineView& line) { return std::vector<Measured>{line.metrics.input_gradient_norm}; },
       .plot = {.diagram = "input_gradients",
                .order = 71,
                .when = When::alone,
                .guides = {{.at = [](const PlotHints& hints) { return hints.k; }, .label = "K"}}}},
      {.keys = {{.name = "grad_norm_d", .label = "D"}, {.name = "grad_norm_g", .label = "G"}},
       .meaning = "L2 norm of the loss's gradient in all weights",
       .healthy = "steady within two or three powers of ten",
       .sick = "G's falls towards 0 (saturating), or grows with wild swings",
       .source = "Arjovsky & Bottou 2017, figures 2 and 3",
       .of_line =
           [](const LineView& line) {
             return std::vector<Measured>{line.metrics.grad_norm_d, line.metrics.grad_norm_g};
           },
       .warn = {diverged("grad_norm_d"),
                diverged("grad_norm_g"),
                {.of = {"grad_norm_g"},
                 .window = 20,
                 .sick = vanishes,
                 .sentence = "G's gradient has fallen below a ten-thousandth of its greatest value: "
                             "it vanishes."}},
       .plot = {.diagram = "gradients",
                .order = 80,
                .title = "gradients of the losses",
                .y_label = "norm",
                .log_y = true,
                .caption = "Norms of the losses' gradients in all weights."}},
      {.keys = {{.name = "terms_d", .label = "D: ", .member = "NAME"},
                {.name = "terms_g", .label = "G: ", .member = "NAME"}},
       .meaning = "the objective's extra terms before their weights",
       .healthy = "a term's own",
       .of_line =
           [](const LineView& line) {
             return std::vector<Measured>{line.metrics.terms_d, line.metrics.terms_g};
           },
       .plot =
           {.diagram = "terms",
            .order = 170,
            .title = "what the objective says of itself",
            .y_label = "value",
            .caption =
                "The objective's extra terms by name, before their weights, and what BEGAN and ADA add."}},
      {.keys = {{.name = "k", .label = "k"}, {.name = "convergence", .label = "convergence M"}},
       .meaning = "BEGAN's weight of the fakes' energy, and its measure E(x) + abs(gamma E(x) - E(G(z)))",
       .healthy = "`convergence` falls while training goes well",
       .sick = "`k` stays at 0 or 1, or `convergence` grows",
       .source = "Berthelot 2017, section 3.4.1",
       .of_line = equilibrium,
       .plot = {.diagram = "terms", .order = 171}},
      {.keys = {{.name = kAdaptingProbability, .label = "p"}},
       .meaning = "`--ada`, `--apa`: the probability that adapts to how sure D is of its real images",
       .healthy = "it settles well below 1",
       .sick = "it stays at its bound 0.99: D tells every image all the same, there are too few of them",
       .source = "Karras 2020 (ADA), section 3",
       .of_line = adapting,
       .plot = {.diagram = "terms", .order = 172}},
      {.keys = {{.name = "distances", .member = "MEASURE-JUDGE"}},
       .meaning =
           "`--eval-every`: how far samples are from images that nobody trained on (the judge's measures, "
           "below)",
       .healthy = "they fall to what real images have",
       .sick = "they turn and grow",
       .of_line = [](const LineView& line) { return std::vector<Measured>{line.judged.distances}; },
       .plot = {.diagram = "distances",
                .order = 1,
                .title = "samples against real images: distances",
                .y_label = "distance",
                .log_y = true}},
      {.keys = {{.name = "shares", .member = "MEASURE-JUDGE"}},
       .meaning = "`--eval-every`: the judge's measures that are shares",
       .healthy = "precision, recall, density and coverage rise towards those of real images",
       .sick = "recall and coverage fall while precision rises: fewer and fewer kinds of samples",
       .of_line = [](const LineView& line) { return std::vector<Measured>{line.judged.shares}; },
       .plot = {.diagram = "shares",
                .order = 2,
                .title = "samples against real images: shares",
                .y_label = "share"}},
      {.keys = {{.name = "counts", .member = "MEASURE-JUDGE"}},
       .meaning = "`--eval-every`: the classes that the judge finds among the samples",
       .healthy = "all",
       .sick = "fewer than before: modes collapse",
       .of_line = [](const LineView& line) { return std::vector<Measured>{line.judged.counts}; },
       .plot = {.diagram = "modes", .order = 3, .title = "classes among the samples", .y_label = "classes"}},
  };
}

std::vector<Measure> timing_rows() {
  using enum Measure::Where;
  return {
      {.where = timing, .keys = {{.name = "iteration"}}, .meaning = "iterations done"},
      {.where = timing,
       .keys = {{.name = "seconds"}},
       .meaning =
           "on the clock since training began, with looks, samples and checkpoints, without the pauses "
           "of a run that was resumed"},
      {.where = timing,
       .keys = {{.name = "images_per_second", .label = "images/s"}},
       .meaning = "since the line before",
       .healthy = "level",
       .sick = "a fall that stays: something else uses the machine, or it throttles",
       .plot = {.diagram = "speed",
                .order = 180,
                .title = "speed, looks, samples and checkpoints with it",
                .y_label = "images per second"}},
  };
}

void check_of_look(const std::string& key) {
  DUEL_CHECK(measure_of(key).of_look, "diagnosis",
             "'{}' is no key of a look inside (gan/README.md, Diagnostics)", key);
}

template <class T>
T value_of(const Diagnosis& diagnosis, const std::string& key, const char* kind, T otherwise) {
  check_of_look(key);
  const Measured* value = diagnosis.find(key);
  if (!value) return otherwise;
  const T* held = std::get_if<T>(value);
  DUEL_CHECK(held, "diagnosis", "{}: expected a key of {}, got one of another kind", key, kind);
  return *held;
}

bool applies(const Measured& value) {
  if (const double* number = std::get_if<double>(&value)) return !std::isnan(*number);
  if (const NamedValues* group = std::get_if<NamedValues>(&value)) return !group->empty();
  return true;
}

}  // namespace

const std::vector<Measure>& measures() {
  static const std::vector<Measure> all = [] {
    std::vector<Measure> rows = line_rows();
    for (auto& more : {detail::diagnostic_rows(), detail::layer_rows(), timing_rows()})
      rows.insert(rows.end(), more.begin(), more.end());
    return rows;
  }();
  return all;
}

const Measure& measure_of(const std::string& key) {
  for (const Measure& row : measures()) {
    for (const MeasureKey& k : row.keys) {
      if (k.name == key) return row;
    }
  }
  fail("measure", "expected a key of metrics.jsonl (gan/README.md, Diagnostics), got '{}'", key);
}

double Diagnosis::number(const std::string& key) const { return value_of(*this, key, "a number", none); }
NamedValues Diagnosis::group(const std::string& key) const {
  return value_of(*this, key, "numbers by name", NamedValues{});
}
Histogram Diagnosis::histogram(const std::string& key) const {
  return value_of(*this, key, "counts", Histogram{});
}

const Measured* Diagnosis::find(const std::string& key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void Diagnosis::set(const std::string& key, Measured value) {
  check_of_look(key);
  if (applies(value)) {
    values_[key] = std::move(value);
  } else {
    values_.erase(key);
  }
}

}  // namespace duel::gan
