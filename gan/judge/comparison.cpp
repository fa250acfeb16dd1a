#include "duel/gan/judge/comparison.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "duel/core/io/internal/json.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/judge/class_histogram.h"
#include "duel/gan/judge/frechet.h"
#include "duel/gan/judge/internal/groups.h"
#include "duel/gan/judge/kernel_distance.h"
#include "duel/gan/judge/manifold.h"
#include "duel/gan/judge/ms_ssim.h"
#include "duel/gan/judge/neighbours.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {

struct ComparisonContext {
  const SampleSet &real, &fake;
  const ComparisonOptions& options;
  // Found once for all rows that read them.
  std::optional<FrechetEstimate> frechet = {};
  std::optional<Manifold> manifold = {};
  std::optional<ClassCounts> real_classes = {}, fake_classes = {};
  std::optional<Copies> copies = {};
};

namespace {

using Context = ComparisonContext;

constexpr const char* kCompare = "compare";

bool features(const Context& c) { return c.frechet.has_value(); }
bool classes(const Context& c) { return c.fake_classes.has_value(); }
bool training(const Context& c) { return c.copies.has_value(); }
bool pictures(const Context& c) {  // and two of one class
  return classes(c) && c.fake.images.defined() &&
         std::any_of(c.fake_classes->counts.begin(), c.fake_classes->counts.end(),
                     [](int64_t n) { return n >= 2; });
}

std::vector<QualityMeasure> rows_of_measures() {
  return {
      {.key = "fd",
       .meaning =
           "Frechet distance between the judge's features of real samples and of fakes, as if both were "
           "Gaussian; squared units of the features",
       .healthy = "lower, down to the floor",
       .source = "Heusel 2017",
       .better = Better::lower,
       .scale = Scale::distance,
       .applies = features,
       .of = [](const Context& c) { return c.frechet->plain; },
       .falls = 1},
      {.key = "fd_infinite",
       .meaning = "the same without the bias of finite samples, so that numbers of samples may differ",
       .healthy = "lower, down to 0; below by chance",
       .source = "Chong & Forsyth 2020",
       .better = Better::lower,
       .scale = Scale::distance,
       .applies = features,
       .of = [](const Context& c) { return c.frechet->infinite; }},
      {.key = "kid",
       .meaning = "kernel distance: unbiased squared maximum mean discrepancy of the features under a cubic "
                  "kernel, of all pairs",
       .healthy = "lower, down to 0; below by chance",
       .source = "Binkowski 2018",
       .better = Better::lower,
       .scale = Scale::distance,
       .applies = features,
       .of = [](const Context& c) { return kernel_distance(c.real.features, c.fake.features); }},
      {.key = "precision",
       .meaning = "share of fakes that lie among real samples (in the ball of one to its k-th neighbour)",
       .healthy = "higher, up to the floor",
       .source = "Kynkaanniemi 2019",
       .better = Better::higher,
       .applies = features,
       .of = [](const Context& c) { return c.manifold->precision; }},
      {.key = "recall",
       .meaning = "share of real samples that lie among fakes",
       .healthy = "higher, up to the floor",
       .source = "Kynkaanniemi 2019",
       .better = Better::higher,
       .applies = features,
       .of = [](const Context& c) { return c.manifold->recall; }},
      {.key = "density",
       .meaning =
           "real balls that a fake lies in, mean, over k: precision that one stray real sample does not raise",
       .healthy = "higher, up to about 1; above it fakes crowd where real samples are dense",
       .source = "Naeem 2020",
       .better = Better::higher,
       .applies = features,
       .of = [](const Context& c) { return c.manifold->density; }},
      {.key = "coverage",
       .meaning =
           "share of real samples with a fake in their ball: recall that one stray fake does not raise",
       .healthy = "higher, up to the floor",
       .source = "Naeem 2020",
       .better = Better::higher,
       .applies = features,
       .of = [](const Context& c) { return c.manifold->coverage; }},
      {.key = "class_kl",
       .meaning = "KL(fake, real) of the classes that the judge reads, in nats",
       .healthy = "lower, down to the floor; missing and rare classes raise it",
       .source = "Srivastava 2017 (there against uniform classes)",
       .better = Better::lower,
       .scale = Scale::distance,
       .applies = classes,
       .of = [](const Context& c) { return class_divergence(*c.fake_classes, *c.real_classes); },
       .falls = 1},
      {.key = "class_kl_uniform",
       .meaning = "KL(fake, uniform) of the classes, in nats: the published one of Stacked MNIST",
       .healthy = "near that of real samples, its floor",
       .source = "Srivastava 2017; Lin 2018",
       .better = Better::near_floor,
       .scale = Scale::distance,
       .applies = classes,
       .of = [](const Context& c) { return class_divergence_from_uniform(*c.fake_classes); }},
      {.key = "class_tv",
       .meaning = "share of the fakes that would have to change their class for real samples' shares",
       .healthy = "lower, down to the floor",
       .source = "",
       .better = Better::lower,
       .applies = classes,
       .of = [](const Context& c) { return class_variation(*c.fake_classes, *c.real_classes); },
       .falls = 0.5},
      {.key = "modes",
       .meaning = "classes with at least one fake",
       .healthy = "higher, up to all",
       .source = "Metz 2017",
       .better = Better::higher,
       .scale = Scale::count,
       .applies = classes,
       .of = [](const Context& c) { return class_modes(*c.fake_classes); }},
      {.key = "certain",
       .meaning = "share of fakes whose class the judge reads with a probability of 0.9 or more",
       .healthy = "near that of real samples; it does not rank good samples",
       .source = "",
       .better = Better::near_floor,
       .applies = classes,
       .of = [](const Context& c) { return certain_share(*c.fake_classes); }},
      {.key = "ms_ssim",
       .meaning = "structural similarity of two fakes of one class, mean over random pairs and classes",
       .healthy = "near that of real samples; above it classes have collapsed",
       .source = "Odena 2017",
       .better = Better::near_floor,
       .applies = pictures,
       .of =
           [](const Context& c) {
             return class_similarity(c.fake.images, classes_of(c.fake.probabilities), c.options.pairs,
                                     c.options.seed);
           }},
      {.key = "copies",
       .meaning =
           "share of fakes nearer to a training sample, in features, than all but 1 % of held-out real ones",
       .healthy = "near that of held-out samples, about 0.01; far above it G gives training samples back",
       .source = "after Meehan 2020",
       .better = Better::near_floor,
       .applies = training,
       .of = [](const Context& c) { return c.copies->share; },
       .floor = [](const Context& c) { return c.copies->baseline; }},
  };
}

Context context_of(const SampleSet& real, const SampleSet& fake, const ComparisonOptions& options) {
  Context c{real, fake, options};
  if (real.features.defined() && fake.features.defined()) {
    c.frechet = estimate_frechet(real.features, fake.features, 50, options.seed);
    c.manifold = manifold(real.features, fake.features, options.k, options.seed);
  }
  if (real.probabilities.defined() && fake.probabilities.defined()) {
    c.real_classes = count_classes(real.probabilities, options.certainty);
    c.fake_classes = count_classes(fake.probabilities, options.certainty);
  }
  return c;
}

/// How many samples; Error where the parts do not agree.
int64_t count_of(const SampleSet& set, const char* what) {
  int64_t count = -1;
  for (const Tensor* part : {&set.images, &set.features, &set.probabilities}) {
    if (!part->defined()) continue;
    DUEL_CHECK(part->rank() >= 1 && (count < 0 || part->dim(0) == count), kCompare,
               "{}: expected the same samples in images, features and probabilities, got {} and {}", what,
               count, part->rank() >= 1 ? part->dim(0) : 0);
    count = part->dim(0);
  }
  return std::max<int64_t>(count, 0);
}

/// The first `count` of a random order, after `skipped` of it.
SampleSet drawn(const SampleSet& set, int64_t total, int64_t skipped, int64_t count, uint64_t seed) {
  const std::vector<int64_t> order = detail::shuffled(total, seed, detail::Draw::halves);
  return set.at({order.begin() + skipped, order.begin() + skipped + count});
}

double inverse(int64_t n, int64_t m) { return 1 / static_cast<double>(n) + 1 / static_cast<double>(m); }

}  // namespace

SampleSet SampleSet::at(const std::vector<int64_t>& index) const {
  const Tensor places = Tensor::from(index, {static_cast<int64_t>(index.size())});
  const auto of = [&](const Tensor& x) { return x.defined() ? x.index_select(0, places) : Tensor(); };
  return {of(images), of(features), of(probabilities)};
}

const std::vector<QualityMeasure>& quality_measures() {
  static const std::vector<QualityMeasure> rows = rows_of_measures();
  return rows;
}

const Value* Comparison::find(const std::string& key) const {
  for (const auto& [row, value] : values) {
    if (row->key == key) return &value;
  }
  return nullptr;
}

Comparison compare(const SampleSet& real, const SampleSet& fake, const ComparisonOptions& options) {
  const NoGrad no_grad;
  Comparison result;
  result.real = count_of(real, "real samples");
  result.fake = count_of(fake, "fakes");
  const int64_t least = least_samples(options.k);
  DUEL_CHECK(options.k >= 1 && result.real >= least && result.fake >= least, kCompare,
             "expected at least {} samples of each kind for {} neighbours, got {} real and {} fake", least,
             options.k, result.real, result.fake);

  // Real samples in the place of fakes.
  const int64_t others = count_of(options.others, "other real samples"), half = result.real / 2;
  DUEL_CHECK(others == 0 || others >= least, kCompare, "expected at least {} other real samples, got {}",
             least, others);
  const int64_t reference = others ? result.real : half,
                played = std::min(others ? others : half, result.fake);
  const SampleSet first = others ? real : drawn(real, result.real, half, half, options.seed),
                  second = others ? drawn(options.others, others, 0, played, options.seed)
                                  : drawn(real, result.real, 0, played, options.seed);
  Context context = context_of(real, fake, options);
  const Context floor = context_of(first, second, options);
  if (context.frechet && options.training.defined()) {
    context.copies = share_of_copies(fake.features, real.features, options.training, options.copies_baseline,
                                     options.seed);
  }
  for (const QualityMeasure& row : quality_measures()) {
    if (!row.applies(context)) continue;
    const Estimate estimate = row.of(context);
    Value value{estimate.value, estimate.interval.low, estimate.interval.high, NAN};
    if (row.floor) {
      value.floor = row.floor(context);
    } else if (row.applies(floor)) {
      value.floor = row.of(floor).value *
                    std::pow(inverse(result.real, result.fake) / inverse(reference, played), row.falls);
    }
    result.values.emplace_back(&row, value);
  }
  DUEL_CHECK(!result.values.empty(), kCompare, "expected features or probabilities of both kinds of samples");
  return result;
}

std::string to_json_line(const std::string& judge, const Comparison& comparison,
                         const std::vector<std::pair<std::string, About>>& about) {
  json::Json line = json::Json::object();
  for (const auto& [key, about_it] : about)
    line[key] = std::visit([](const auto& said) { return json::Json(said); }, about_it);
  line["judge"] = judge;
  line["real"] = comparison.real;
  line["fake"] = comparison.fake;
  for (const auto& [row, v] : comparison.values)
    line[row->key + "-" + judge] = {{"value", json::number_or_null(v.value)},
                                    {"low", json::number_or_null(v.low)},
                                    {"high", json::number_or_null(v.high)},
                                    {"floor", json::number_or_null(v.floor)}};
  return json::dumped(line) + "\n";
}

}  // namespace duel::gan
