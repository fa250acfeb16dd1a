#include "duel/gan/run/sample_run.h"

#include <algorithm>
#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/objective/critic.h"
#include "duel/gan/run/internal/output_file.h"
#include "duel/gan/run/internal/sample_files.h"
#include "duel/gan/run/rejection.h"
#include "duel/gan/run/run.h"
#include "duel/gan/run/weights.h"
#include "duel/gan/train/sampling.h"

namespace duel::gan {
namespace {

/// Whether the request names a class.
bool one_class(const SampleRequest& request) { return request.label || !request.word.empty(); }

constexpr int64_t kMostDrawn = 1 << 18;  // samples, to choose from

/// What the samples are of, for people.
std::string source_of(const SampleRequest& request) {
  return (request.weights.empty() ? request.checkpoint : request.weights).string();
}

/// Flags that ask for what this checkpoint's generator has not learned.
void check_request(const SampleRequest& request, const LoadedTrainer& loaded) {
  const LatentPlan& plan = loaded.trainer->networks().latent;
  DUEL_CHECK(!one_class(request) || plan.classes > 0, "sample",
             "class: {} is of {}, which knows no classes; cgan, acgan and projection do", source_of(request),
             loaded.config.objective);
  DUEL_CHECK(!request.code || plan.code_width() > 0, "sample",
             "sweep-code: {} is of {}, which has no codes; infogan has", source_of(request),
             loaded.config.objective);
  DUEL_CHECK(!request.code || !request.interpolate, "sample",
             "sweep-code and interpolate: each is a way to fill the rows; choose one");
  DUEL_CHECK(request.best_of == 1 || !request.reject, "sample",
             "best-of and reject: each is a way to choose by D; take one");
  if (request.best_of == 1 && !request.reject) return;
  const char* flag = request.reject ? "reject" : "best-of";
  DUEL_CHECK(!request.checkpoint.empty(), "sample",
             "{}: asks D, and {} holds G alone; give the run whose D it is too, --checkpoint RUN", flag,
             source_of(request));
  const bool rows = request.interpolate || request.code || (plan.classes == 0 && !plan.categorical.empty());
  DUEL_CHECK(!rows, "sample", "{}: images of a row belong together here and are not {}; leave it out", flag,
             request.reject ? "rejected one by one" : "ranked");
  const int64_t packing = loaded.trainer->objective().schedule.packing;
  DUEL_CHECK(packing == 1, "sample", "{}: D of {} judges {} samples at once and none alone; leave it out",
             flag, loaded.config.objective, packing);
  if (!request.reject) return;
  const std::string why = why_no_density_ratio(loaded.trainer->objective());
  DUEL_CHECK(why.empty(), "sample", "reject: {}: {}; leave it out, or take best-of", loaded.config.objective,
             why);
}

/// The class that --class names by its label.
std::optional<int64_t> class_asked_for(const SampleRequest& request, const RunConfig& config) {
  if (!one_class(request)) return std::nullopt;
  const std::vector<int64_t> names = class_names_of(config);
  const std::vector<std::string>& words = config.class_words;
  if (const auto word = std::find(words.begin(), words.end(), request.word); word != words.end())
    return word - words.begin();
  const std::optional<int64_t> label = request.label ? request.label : parse_number<int64_t>(request.word);
  const std::optional<int64_t> number = label ? class_number(names, *label) : std::nullopt;
  DUEL_CHECK(number, "sample", "class: expected a label of the training set, {}, got {}",
             classes_text(names, words), label ? std::to_string(*label) : shown(request.word));
  return number;
}

/// Of G's images for these points, the larger the more real: Note [Ranking by D].
std::vector<float> realness(const LoadedTrainer& loaded, const Tensor& input) {
  constexpr int64_t kAtOnce = 64;
  const NoGrad no_grad;
  const LatentPlan& plan = loaded.trainer->networks().latent;
  nn::Module& d = *loaded.trainer->networks().discriminator;
  const nn::EvalMode eval(d);
  const bool energy = is_autoencoder(loaded.trainer->objective().critic);
  std::vector<float> found;
  for (int64_t begin = 0; begin < input.dim(0); begin += kAtOnce) {
    const Tensor points = rows(input, begin, std::min(begin + kAtOnce, input.dim(0)));
    const Tensor labels =
        plan.classes > 0 ? argmax(slice(points, 1, plan.noise, plan.noise + plan.classes)) : Tensor();
    for (const float logit : judge(d, loaded.trainer->sample(points), labels).logits.to_vector<float>())
      found.push_back(energy ? -logit : logit);
  }
  return found;
}

/// The `count` most real points of each column; columns are all of a kind unless they are classes.
SampleGrid most_real(const LoadedTrainer& loaded, const SampleGrid& drawn, int64_t count, bool classes) {
  const std::vector<float> real = realness(loaded, drawn.input);
  const int64_t kinds = classes ? drawn.columns : 1, kept = count / kinds, made = drawn.input.dim(0) / kinds;
  std::vector<int64_t> chosen(static_cast<size_t>(count));
  for (int64_t kind = 0; kind < kinds; ++kind) {
    std::vector<int64_t> order(static_cast<size_t>(made));
    for (int64_t i = 0; i < made; ++i) order[static_cast<size_t>(i)] = i * kinds + kind;
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return real[static_cast<size_t>(a)] > real[static_cast<size_t>(b)];
    });
    for (int64_t i = 0; i < kept; ++i)
      chosen[static_cast<size_t>(i * kinds + kind)] = order[static_cast<size_t>(i)];
  }
  return {gather(drawn.input, Tensor::from(chosen, {count})), drawn.columns};
}

/// `count` points as the request fills a grid, the next ones of `random`.
SampleGrid next_grid(const SampleRequest& request, const LoadedTrainer& loaded, int64_t count,
                     LatentGenerators& random) {
  const LatentPlan& plan = loaded.trainer->networks().latent;
  const std::optional<int64_t> label = class_asked_for(request, loaded.config);
  if (request.interpolate) return walk_grid(plan, count, label, random, request.truncation);
  if (request.code) return sweep_grid(plan, count, *request.code, random, request.truncation);
  if (label) return class_grid(plan, count, *label, random, request.truncation);
  return sample_grid(plan, count, random, request.truncation);
}

/// What is shown, and what it was chosen from.
struct Chosen {
  SampleGrid grid;
  int64_t drawn = 0, kept = 0;  // by rejection, without its burn-in
};

/// sample_run.h, Note [Rejecting by D]; `count` points of `kinds` columns or of one kind.
Chosen not_rejected(const SampleRequest& request, const LoadedTrainer& loaded, int64_t count, bool classes) {
  constexpr int64_t kBurnIn = 10'000;  // as in the paper
  LatentGenerators of_burn_in = sampling_generators(request.seed, 1),
                   random = sampling_generators(request.seed);
  Generator coins(request.seed, 2);
  const SampleGrid burn_in = next_grid(request, loaded, kBurnIn, of_burn_in);
  const auto kinds = static_cast<size_t>(classes ? burn_in.columns : 1);
  std::vector<std::vector<double>> logits(kinds);
  const std::vector<float> said = realness(loaded, burn_in.input);
  for (size_t i = 0; i < said.size(); ++i) logits[i % kinds].push_back(said[i]);
  std::vector<Rejection> rejections;
  for (std::vector<double>& of_kind : logits)
    rejections.emplace_back(std::move(of_kind), request.reject->percentile);
  Chosen chosen;
  std::vector<std::vector<Tensor>> kept(kinds);
  const size_t wanted = static_cast<size_t>(count) / kinds;
  const auto full = [&](size_t kind) { return kept[kind].size() == wanted; };
  for (size_t done = 0; done < kinds;) {
    DUEL_CHECK(
        chosen.drawn < kMostDrawn, "sample",
        "reject: of {} samples {} were kept, and {} are wanted: take a lower percentile, or a smaller count",
        chosen.drawn, chosen.kept, count);
    const SampleGrid drawn = next_grid(request, loaded, std::max<int64_t>(count, 64), random);
    const std::vector<float> found = realness(loaded, drawn.input);
    const auto coin = coins.uniform({drawn.input.dim(0)}, 0, 1, {DType::f64, {}}).to_vector<double>();
    for (size_t i = 0; i < found.size(); ++i) {
      const size_t kind = i % kinds;
      if (full(kind)) continue;
      ++chosen.drawn;
      if (coin[i] >= rejections[kind].acceptance(found[i])) continue;
      ++chosen.kept;
      kept[kind].push_back(rows(drawn.input, static_cast<int64_t>(i), static_cast<int64_t>(i) + 1));
      done += full(kind) ? 1 : 0;
    }
  }
  std::vector<Tensor> in_rows;
  for (size_t i = 0; i < wanted; ++i) {
    for (size_t kind = 0; kind < kinds; ++kind) in_rows.push_back(kept[kind][i]);
  }
  chosen.grid = {concat(in_rows), burn_in.columns};
  return chosen;
}

Chosen chosen_points(const SampleRequest& request, const LoadedTrainer& loaded) {
  const LatentPlan& plan = loaded.trainer->networks().latent;
  const bool classes = plan.classes > 0 && !one_class(request);
  const int64_t whole =
      classes ? (request.count + plan.classes - 1) / plan.classes * plan.classes : request.count;
  if (request.reject) return not_rejected(request, loaded, whole, classes);
  LatentGenerators random = sampling_generators(request.seed);
  if (request.best_of == 1) return {.grid = next_grid(request, loaded, request.count, random)};
  return {.grid =
              most_real(loaded, next_grid(request, loaded, whole * request.best_of, random), whole, classes)};
}

}  // namespace

std::string sample_run(const SampleRequest& asked) {
  SampleRequest request = asked;
  if (request.out.empty() && request.dir.empty()) request.out = "grid.png";
  const bool files = draws_files(request);
  if (files) detail::check_files(request);
  if (!files) detail::check_output("sample", "out", request.out, ".png", request.force);
  DUEL_CHECK(files || (request.count >= 1 && request.count <= 4096), "sample",
             "count: expected an integer from 1 to 4096, got {}", request.count);
  DUEL_CHECK(files || (request.best_of >= 1 && request.best_of <= kMostDrawn / request.count), "sample",
             "best-of: expected an integer from 1 to {}, for {} images at most in all, got {}",
             kMostDrawn / request.count, kMostDrawn, request.best_of);
  const std::optional<double> percentile = request.reject ? request.reject->percentile : std::nullopt;
  DUEL_CHECK(!percentile || (*percentile >= 0 && *percentile <= 100), "sample",
             "reject: expected a percentile from 0 to 100, or exact, got {}", percentile.value_or(0));
  const LoadedTrainer loaded = request.weights.empty() ? load_trainer(request.checkpoint)
                                                       : load_weights(request.weights, request.checkpoint);
  check_request(request, loaded);
  const std::string of = request.weights.empty() ? message("iteration {}", loaded.trainer->iteration())
                                                 : request.weights.string();
  if (files) {
    const std::string what = detail::write_files(request, loaded, class_asked_for(request, loaded.config));
    return message("{}: {}, of {} ({}, {})", (request.dir.empty() ? request.out : request.dir).string(), what,
                   of, loaded.config.objective, loaded.config.networks.arch);
  }
  const Chosen chosen = chosen_points(request, loaded);
  const SampleGrid& points = chosen.grid;
  const Picture grid = image_grid(loaded.trainer->sample(points.input), points.columns);
  write_png(request.out, grid);
  const int64_t made = points.input.dim(0);
  const std::string filled =
      made == request.count ? ""
                            : message(" ({} wanted, whole rows of {} made)", request.count, points.columns);
  const bool columns = loaded.config.networks.classes > 0 && !one_class(request) && !request.interpolate;
  const std::string classes = columns
                                  ? "; a column for each class: " +
                                        classes_text(class_names_of(loaded.config), loaded.config.class_words)
                                  : "";
  std::string best =
      request.best_of == 1 ? "" : message(", those of {} that D finds most real,", made * request.best_of);
  if (request.reject) {
    const double share = static_cast<double>(chosen.kept) / static_cast<double>(chosen.drawn);
    best =
        message(", the {} % of {} that were kept by D's ratio,", std::round(1000 * share) / 10, chosen.drawn);
  }
  return message("{}: {} images{}{} of {} ({}, {}), {}x{} pixels{}", request.out.string(), made, filled, best,
                 of, loaded.config.objective, loaded.config.networks.arch, grid.width, grid.height, classes);
}

}  // namespace duel::gan
