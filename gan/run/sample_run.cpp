#include "duel/gan/run/sample_run.h"

#include <algorithm>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/objective/critic.h"
#include "duel/gan/run/internal/output_file.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/sampling.h"

namespace duel::gan {
namespace {

/// Flags that ask for what this checkpoint's generator has not learned.
void check_request(const SampleRequest& request, const LoadedTrainer& loaded) {
  const LatentPlan& plan = loaded.trainer->networks().latent;
  DUEL_CHECK(!request.label || plan.classes > 0, "sample",
             "class: {} is a checkpoint of {}, which knows no classes; cgan, acgan and projection do",
             request.checkpoint.string(), loaded.config.objective);
  DUEL_CHECK(!request.code || plan.code_width() > 0, "sample",
             "sweep-code: {} is a checkpoint of {}, which has no codes; infogan has",
             request.checkpoint.string(), loaded.config.objective);
  DUEL_CHECK(!request.code || !request.interpolate, "sample",
             "sweep-code and interpolate: each is a way to fill the rows; choose one");
  if (request.best_of == 1) return;
  const bool rows = request.interpolate || request.code || (plan.classes == 0 && !plan.categorical.empty());
  DUEL_CHECK(!rows, "sample",
             "best-of: images of a row belong together here and are not ranked; leave it out");
  const int64_t packing = loaded.trainer->objective().schedule.packing;
  DUEL_CHECK(packing == 1, "sample",
             "best-of: D of {} judges {} samples at once and none alone; leave it out",
             loaded.config.objective, packing);
}

/// The class that --class names by its label.
std::optional<int64_t> class_asked_for(const SampleRequest& request, const RunConfig& config) {
  if (!request.label) return std::nullopt;
  const std::vector<int64_t> names = class_names_of(config);
  const std::optional<int64_t> number = class_number(names, *request.label);
  DUEL_CHECK(number, "sample", "class: expected a label of the training set, {}, got {}",
             class_names_text(names), *request.label);
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

SampleGrid latents(const SampleRequest& request, const LoadedTrainer& loaded) {
  const LatentPlan& plan = loaded.trainer->networks().latent;
  const std::optional<int64_t> label = class_asked_for(request, loaded.config);
  if (request.best_of > 1) {
    SampleRequest all = request;
    const bool classes = plan.classes > 0 && !label;
    const int64_t whole =
        classes ? (request.count + plan.classes - 1) / plan.classes * plan.classes : request.count;
    all.count = whole * request.best_of;
    all.best_of = 1;
    return most_real(loaded, latents(all, loaded), whole, classes);
  }
  LatentGenerators random = sampling_generators(request.seed);
  if (request.interpolate) return walk_grid(plan, request.count, label, random, request.truncation);
  if (request.code) return sweep_grid(plan, request.count, *request.code, random, request.truncation);
  if (request.label) return class_grid(plan, request.count, *label, random, request.truncation);
  return sample_grid(plan, request.count, random, request.truncation);
}

}  // namespace

std::string sample_run(const SampleRequest& request) {
  detail::check_output("sample", "out", request.out, ".png", request.force);
  DUEL_CHECK(request.count >= 1 && request.count <= 4096, "sample",
             "count: expected an integer from 1 to 4096, got {}", request.count);
  constexpr int64_t kMostDrawn = 1 << 18;
  DUEL_CHECK(request.best_of >= 1 && request.best_of <= kMostDrawn / request.count, "sample",
             "best-of: expected an integer from 1 to {}, for {} images at most in all, got {}",
             kMostDrawn / request.count, kMostDrawn, request.best_of);
  const LoadedTrainer loaded = load_trainer(request.checkpoint);
  check_request(request, loaded);
  const SampleGrid points = latents(request, loaded);
  const Picture grid = image_grid(loaded.trainer->sample(points.input), points.columns);
  write_png(request.out, grid);
  const int64_t made = points.input.dim(0);
  const std::string filled =
      made == request.count ? ""
                            : message(" ({} wanted, whole rows of {} made)", request.count, points.columns);
  const bool columns = loaded.config.networks.classes > 0 && !request.label && !request.interpolate;
  const std::string classes =
      columns ? "; a column for each class: " + class_names_text(class_names_of(loaded.config)) : "";
  const std::string best =
      request.best_of == 1 ? "" : message(", those of {} that D finds most real,", made * request.best_of);
  return message("{}: {} images{}{} of iteration {} ({}, {}), {}x{} pixels{}", request.out.string(), made,
                 filled, best, loaded.trainer->iteration(), loaded.config.objective,
                 loaded.config.networks.arch, grid.width, grid.height, classes);
}

}  // namespace duel::gan
