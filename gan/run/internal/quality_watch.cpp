#include "duel/gan/run/internal/quality_watch.h"

#include <algorithm>
#include <cmath>

#include "duel/core/io/internal/json.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/run/internal/sample_sets.h"
#include "duel/gan/train/random_streams.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/text.h"

namespace duel::gan::detail {
namespace {

constexpr int64_t kLeastJudged = least_samples(kNeighbours);

const char* group_of(Scale scale) {
  switch (scale) {
    case Scale::distance:
      return "distances";
    case Scale::share:
      return "shares";
    case Scale::count:
      break;
  }
  return "counts";
}

/// Smaller is better.
double rank_of(const QualityMeasure& measure, double value, double floor) {
  switch (measure.better) {
    case Better::lower:
      return value;
    case Better::higher:
      return -value;
    case Better::near_floor:
      break;
  }
  return std::abs(value - floor);
}

/// Real images of the training set for the floors, a random part of it.
ResidentData part_of_training(const ResidentData& training, int64_t count, uint64_t seed) {
  const Tensor index = DataOrder(training.count(), seed).next(std::min(count, training.count()));
  return ResidentData(training.batch(index.to(training.device()), DType::f32));
}

}  // namespace

const QualityMeasure& quality_measure(const std::string& setting, const std::string& key) {
  std::string names;
  for (const QualityMeasure& row : quality_measures()) {
    if (row.key == key) return row;
    names += (names.empty() ? "" : ", ") + row.key;
  }
  fail("config", "{}: expected a measure of duel eval, got '{}': one of {}", setting, key, names);
}

StopRule parse_stop_rule(const std::string& text) {
  const size_t at = text.find_first_of("<>");
  const auto bound = at == std::string::npos ? std::nullopt : parse_number<double>(text.substr(at + 1));
  DUEL_CHECK(at != std::string::npos && at > 0 && bound && std::isfinite(*bound), "config",
             "stop-if: expected a measure, < or >, and a number, as modes<3, got '{}'", text);
  return {&quality_measure("stop-if", text.substr(0, at)), text[at] == '<', *bound};
}

void check_quality_settings(const RunSetup& setup) {
  const RunConfig& c = setup.config;
  for (const auto& [name, value] : {std::pair{"keep-best", &c.keep_best}, {"stop-if", &c.stop_if}}) {
    DUEL_CHECK(value->empty() || c.eval_every > 0, "config",
               "{}: {} is looked at where samples are judged: say --eval-every too", name, *value);
  }
  if (!c.keep_best.empty()) {
    const QualityMeasure& row = quality_measure("keep-best", c.keep_best);
    DUEL_CHECK(row.key != "copies", "config", "keep-best: copies is not looked at while a run trains");
  }
  if (!c.stop_if.empty())
    DUEL_CHECK(parse_stop_rule(c.stop_if).measure->key != "copies", "config",
               "stop-if: copies is not looked at while a run trains");
  if (c.eval_every == 0) return;
  DUEL_CHECK(c.data != kOwnData, "config",
             "eval-every: the samples of this run are its program's own, which no judge knows: leave it out");
  DUEL_CHECK(
      c.networks.image_channels == 1, "config",
      "eval-every: judges read gray images, and this run makes images of {} colours: leave it out; duel eval "
      "counts the kinds of stacked digits",
      c.networks.image_channels);
  DUEL_CHECK(c.networks.height == Judge::side && c.networks.width == Judge::side, "config",
             "eval-every: judges read images of {}x{}, and this run makes {}x{}: leave it out", Judge::side,
             Judge::side, c.networks.height, c.networks.width);
  DUEL_CHECK(c.eval_count >= kLeastJudged, "config",
             "eval-count: expected at least {}, which neighbours need, got {}", kLeastJudged, c.eval_count);
  const int64_t real = setup.drawn ? c.eval_count : held_out_images(setup, c.eval_count).count;
  DUEL_CHECK(real >= kLeastJudged && setup.images.count >= kLeastJudged, "config",
             "eval-every: expected at least {} test images in {} and as many to train on, got {} and {}",
             kLeastJudged, c.data, real, setup.images.count);
}

QualityWatch::QualityWatch(const RunSetup& setup, const ResidentData& training, Device device)
    : judge_(load_judge(default_judge(setup.drawn)).to(device)),
      count_(setup.config.eval_count),
      seed_(setup.config.seed) {
  const NoGrad no_grad;
  real_ = read_by(judge_, ResidentData(held_out_images(setup, count_)));
  others_ = read_by(judge_, part_of_training(training, count_, seed_));
  if (!setup.config.keep_best.empty()) best_by_ = &quality_measure("keep-best", setup.config.keep_best);
  if (!setup.config.stop_if.empty()) stop_ = parse_stop_rule(setup.config.stop_if);
}

Comparison QualityWatch::look(Trainer& trainer) const {
  const NoGrad no_grad;
  LatentGenerators random = sampling_generators(seed_, static_cast<uint64_t>(RandomStream::evaluation));
  const ImageSet fake = sampled_images(trainer, count_, random);
  return compare(real_, read_by(judge_, ResidentData(fake)), {.seed = seed_, .others = others_});
}

JudgedValues QualityWatch::judged(const Comparison& comparison) const {
  JudgedValues values;
  for (const auto& [row, value] : comparison.values) {
    NamedValues& group = row->scale == Scale::distance ? values.distances
                         : row->scale == Scale::share  ? values.shares
                                                       : values.counts;
    group.emplace_back(name_of(*row), value.value);
  }
  return values;
}

const Curve* QualityWatch::curve(const MetricsLog& log, const QualityMeasure& measure) const {
  return log.curve(message("{}/{}", group_of(measure.scale), name_of(measure)));
}

std::optional<int64_t> QualityWatch::best_iteration(const MetricsLog& log, double floor) const {
  const Curve* values = best_by_ ? curve(log, *best_by_) : nullptr;
  std::optional<size_t> best;
  for (size_t i = 0; values && i < values->y.size(); ++i) {
    if (!std::isfinite(values->y[i])) continue;
    if (!best || rank_of(*best_by_, values->y[i], floor) < rank_of(*best_by_, values->y[*best], floor))
      best = i;
  }
  if (!best) return std::nullopt;
  return static_cast<int64_t>(values->x[*best]);
}

std::optional<std::string> QualityWatch::collapsed(const MetricsLog& log) const {
  const Curve* values = stop_ ? curve(log, *stop_->measure) : nullptr;
  if (!values || values->y.empty() || !stop_->holds(values->y.back())) return std::nullopt;
  const bool was_better = std::any_of(values->y.begin(), values->y.end(), [&](double value) {
    return std::isfinite(value) && !stop_->holds(value);
  });
  if (!was_better) return std::nullopt;
  return message("{} is {}, {} {}", name_of(*stop_->measure), significant(values->y.back(), 4),
                 stop_->below ? "below" : "above", stop_->bound);
}

std::string metric_line(const std::string& name, const Value& value, int64_t iteration, double kimg,
                        const std::string& checkpoint) {
  const json::Json line{{"iteration", iteration},
                        {"results", {{name, json::number_or_null(value.value)}}},
                        {"metric", name},
                        {"kimg", json::number_or_null(kimg)},
                        {"low", json::number_or_null(value.low)},
                        {"high", json::number_or_null(value.high)},
                        {"floor", json::number_or_null(value.floor)},
                        {"snapshot_pkl", checkpoint.empty() ? json::Json(nullptr) : json::Json(checkpoint)}};
  return json::dumped(line) + "\n";
}

}  // namespace duel::gan::detail
