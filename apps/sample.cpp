// duel sample: a grid of images from a checkpoint, or walks between points of the latent space.
#include <cctype>
#include <memory>
#include <optional>

#include "commands.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/run/run.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/settings.h"
#include "terminal/output.h"

namespace duel::apps {
namespace {

struct Request {
  std::string checkpoint;
  std::filesystem::path out = "grid.png";
  int64_t count = 64;
  uint64_t seed = 7;
  std::optional<int64_t> label, code;
  bool interpolate = false, force = false;
};

/// Flags that ask for what this checkpoint's generator has not learned.
void check_request(const Request& request, const gan::LoadedTrainer& loaded) {
  const gan::LatentPlan& plan = loaded.trainer->networks().latent;
  DUEL_CHECK(!request.label || plan.classes > 0, "sample",
             "class: {} is a checkpoint of {}, which knows no classes; cgan, acgan and projection do",
             request.checkpoint, loaded.config.objective);
  DUEL_CHECK(!request.code || plan.code_width() > 0, "sample",
             "sweep-code: {} is a checkpoint of {}, which has no codes; infogan has", request.checkpoint,
             loaded.config.objective);
  DUEL_CHECK(!request.code || !request.interpolate, "sample",
             "sweep-code and interpolate: each is a way to fill the rows; choose one");
}

bool is_png(const std::filesystem::path& file) {
  std::string ending = file.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == ".png";
}

/// The class that --class names by its label.
std::optional<int64_t> class_asked_for(const Request& request, const gan::RunConfig& config) {
  if (!request.label) return std::nullopt;
  const std::vector<int64_t> names = gan::class_names_of(config);
  const std::optional<int64_t> number = gan::class_number(names, *request.label);
  DUEL_CHECK(number, "sample", "class: expected a label of the training set, {}, got {}",
             gan::class_names_text(names), *request.label);
  return number;
}

gan::SampleGrid latents(const Request& request, const gan::LoadedTrainer& loaded) {
  const gan::LatentPlan& plan = loaded.trainer->networks().latent;
  const std::optional<int64_t> label = class_asked_for(request, loaded.config);
  gan::LatentGenerators random = gan::sampling_generators(request.seed);
  if (request.interpolate) return gan::walk_grid(plan, request.count, label, random);
  if (request.code) return gan::sweep_grid(plan, request.count, *request.code, random);
  if (request.label) return gan::class_grid(plan, request.count, *label, random);
  return gan::sample_grid(plan, request.count, random);
}

int sample(const Request& request) {
  std::error_code ignored;
  DUEL_CHECK(request.force || !std::filesystem::exists(request.out, ignored), "sample",
             "out: {}: is there already; choose another --out, or --force to replace it",
             request.out.string());
  // A device or a folder cannot be replaced by a picture, whatever --force says.
  DUEL_CHECK(!std::filesystem::exists(request.out, ignored) ||
                 std::filesystem::is_regular_file(request.out, ignored),
             "sample", "out: {}: is not a regular file; choose another --out", request.out.string());
  DUEL_CHECK(is_png(request.out), "sample", "out: {}: expected a name ending in .png", request.out.string());
  DUEL_CHECK(request.count >= 1 && request.count <= 4096, "sample",
             "count: expected an integer from 1 to 4096, got {}", request.count);
  const gan::LoadedTrainer loaded = gan::load_trainer(request.checkpoint);
  check_request(request, loaded);
  const gan::SampleGrid points = latents(request, loaded);
  const gan::GrayImage grid = gan::image_grid(loaded.trainer->sample(points.input), points.columns);
  gan::write_png_gray(request.out, grid);
  const int64_t made = points.input.dim(0);
  const std::string filled =
      made == request.count ? ""
                            : message(" ({} wanted, whole rows of {} made)", request.count, points.columns);
  const bool columns = loaded.config.networks.classes > 0 && !request.label && !request.interpolate;
  const std::string classes =
      columns ? "; a column for each class: " + gan::class_names_text(gan::class_names_of(loaded.config))
              : "";
  print(message("{}: {} images{} of iteration {} ({}, {}), {}x{} pixels{}\n", request.out.string(), made,
                filled, loaded.trainer->iteration(), loaded.config.objective, loaded.config.networks.arch,
                grid.width, grid.height, classes));
  return 0;
}

}  // namespace

Command sample_command() {
  auto r = std::make_shared<Request>();
  Command command{.name = "sample", .summary = "Draw a grid of images from a checkpoint"};
  command.options = {
      {.name = "checkpoint",
       .help = "a checkpoint, or a run directory for its latest one",
       .value = "FILE|DIR",
       .set = [r](const std::string& text) { r->checkpoint = text; }},
      {.name = "out",
       .help = "the PNG to write [grid.png]",
       .value = "FILE",
       .set = [r](const std::string& text) { r->out = text; }},
      {.name = "count",
       .help = "images, 8 to a row; rows of classes, codes or walks are whole, so they may be more [64]",
       .value = "INT",
       .aliases = {"n"},
       .set = [r](const std::string& text) { r->count = parsed<int64_t>("option", "count", text); }},
      {.name = "seed",
       .help = "of the latent points [7]",
       .value = "INT",
       .set = [r](const std::string& text) { r->seed = parsed<uint64_t>("option", "seed", text); }},
      {.name = "class",
       .help = "only this class, by its label (cgan, acgan, projection) [one class per column]",
       .value = "INT",
       .set = [r](const std::string& text) { r->label = parsed<int64_t>("option", "class", text); }},
      {.name = "sweep-code",
       .help = "each row goes through all values of this code (infogan: 0 the categorical one, "
               "then the continuous)",
       .value = "INT",
       .set = [r](const std::string& text) { r->code = parsed<int64_t>("option", "sweep-code", text); }},
      {.name = "interpolate",
       .help = "each row walks from one point to another, on the sphere",
       .value = "",
       .set = [r](const std::string&) { r->interpolate = true; }},
      {.name = "force",
       .help = "replace an existing file",
       .value = "",
       .set = [r](const std::string&) { r->force = true; }},
  };
  command.footer = "  duel sample --checkpoint runs/00000-dcgan-ns-gan --out walk.png --interpolate";
  command.run = [r] {
    DUEL_CHECK(!r->checkpoint.empty(), "sample",
               "checkpoint: missing; say --checkpoint FILE or --checkpoint RUNDIR");
    return sample(*r);
  };
  return command;
}

}  // namespace duel::apps
