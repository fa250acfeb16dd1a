#include "duel/gan/run/sample_run.h"

#include "duel/gan/data/class_names.h"
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

SampleGrid latents(const SampleRequest& request, const LoadedTrainer& loaded) {
  const LatentPlan& plan = loaded.trainer->networks().latent;
  const std::optional<int64_t> label = class_asked_for(request, loaded.config);
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
  return message("{}: {} images{} of iteration {} ({}, {}), {}x{} pixels{}", request.out.string(), made,
                 filled, loaded.trainer->iteration(), loaded.config.objective, loaded.config.networks.arch,
                 grid.width, grid.height, classes);
}

}  // namespace duel::gan
