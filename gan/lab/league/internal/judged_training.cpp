#include "duel/gan/lab/league/internal/judged_training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "duel/core/ops.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/picture/canvas.h"
#include "duel/gan/picture/png.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/gan/train/random_streams.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

constexpr int64_t kShownSamples = 16, kShownColumns = 8;

}  // namespace

JudgedField judged_field(const char* op, const RunConfig& config, int64_t count, LabObserver& observer) {
  detail::RunSetup setup;
  setup.config = config;
  detail::find_data(setup, setup.config);
  detail::refuse_stacked(setup, op);
  detail::draw_data(setup);
  DUEL_CHECK(setup.images.height == Judge::side && setup.images.width == Judge::side, op,
             "{}: expected images of {}x{}, which judges read, got {}x{}", setup.images.source, Judge::side,
             Judge::side, setup.images.height, setup.images.width);
  const std::vector<int64_t> names = class_names(setup.images);
  if (!names.empty()) {
    number_labels(setup.images, names);
    setup.config.networks.classes = std::ssize(names);
    setup.config.class_names = names;
  }
  setup.config.networks.height = setup.images.height;
  setup.config.networks.width = setup.images.width;
  setup.config.eval_count = count;
  setup.config.seed = 1;  // of latents and of what floors are made of: the same for every run
  const int64_t real = detail::held_out_images(setup, count).count;
  DUEL_CHECK(real >= least_samples(kNeighbours), op,
             "{}: expected at least {} test images beside the training images, got {}", setup.images.source,
             least_samples(kNeighbours), real);
  observer.said("reading images for the judge");
  JudgedField field;
  field.config = setup.config;
  field.data = std::make_shared<const ResidentData>(setup.images);
  field.held_out = detail::held_out_data(setup, kHeldOutCompared, Device::cpu());
  field.watch = std::make_unique<detail::QualityWatch>(setup, *field.data, Device::cpu());
  return field;
}

std::optional<LeagueRun> train_judged(const JudgedField& field, const RunConfig& config, int64_t steps,
                                      const std::function<bool()>& keep_going) {
  const auto start = std::chrono::steady_clock::now();
  detail::RunSetup setup;
  setup.config = config;
  setup.config.overrides = resolved_overrides(config.objective, config.overrides);
  setup.config.class_names = field.config.class_names;
  setup.config.networks.height = field.config.networks.height;
  setup.config.networks.width = field.config.networks.width;
  setup.config.networks.classes =
      is_conditional(named_objective(config.objective, setup.config.overrides).critic)
          ? field.config.networks.classes
          : 0;
  detail::make_parts(setup);
  Trainer trainer(setup.networks, setup.objective, field.data, {.batch = config.batch, .seed = config.seed});
  LeagueRun run{.objective = config.objective, .seed = config.seed};
  std::set<int64_t> looks;
  for (const int64_t part : {8, 4, 2, 1}) looks.insert(std::max<int64_t>(steps / part, 1));
  std::optional<Comparison> last;
  LatentGenerators random = sampling_generators(config.seed, static_cast<uint64_t>(RandomStream::samples));
  const Tensor z = draw_latents(setup.networks.latent, kShownSamples, random).input;
  std::vector<Tensor> pictures;
  const auto draw = [&] {
    const Picture grid = image_grid(trainer.sample(z), kShownColumns);
    pictures.push_back(Tensor::from(grid.pixels, {1, grid.height, grid.width}));
  };
  while (run.failure.empty() && trainer.iteration() < steps) {
    const bool ends = trainer.iteration() + 1 == steps;
    StepRecord record;
    trainer.step(ends, ends ? &record : nullptr);
    if (ends) run.held_out_gap = diagnose(trainer, record, field.held_out.get()).number("held_out_gap");
    const Metrics m = trainer.metrics();
    if (!std::isfinite(m.loss_d) || !std::isfinite(m.loss_g) ||
        (looks.contains(trainer.iteration()) && trainer.first_nonfinite()))
      run.failure = message("not finite at iteration {}", trainer.iteration());
    if (!keep_going()) return std::nullopt;
    if (run.failure.empty() && looks.contains(trainer.iteration())) {
      last = field.watch->look(trainer);
      const Value* fd = last->find("fd");
      run.curve.emplace_back(trainer.iteration(), fd ? fd->value : NAN);
      draw();
    }
  }
  const bool whole = run.failure.empty();
  if (!whole) draw();
  if (whole)
    for (const auto& [row, value] : last->values) run.measures.emplace_back(row->key, value);
  run.judge = field.watch->judge_name();
  run.steps = trainer.iteration();
  run.images_d = run.steps * setup.objective.schedule.critic_steps * config.batch;
  run.samples = cat(pictures, 0);
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return run;
}

std::string found_in(const LeagueRun& run) {
  if (!run.failure.empty()) return run.failure;
  const Value *fd = run.find("fd"), *modes = run.find("modes");
  return message("FD {} (real {}), {} modes", significant(fd->value, 4), significant(fd->floor, 3),
                 modes ? significant(modes->value, 2) : "?");
}

void draw_samples(const std::filesystem::path& file, const std::vector<SamplesRow>& rows,
                  const std::vector<std::string>& heads) {
  constexpr int64_t kLabel = 190, kGap = 6, kLine = 16;
  const auto height_of = [&](const SamplesRow& row) {
    return std::max(row.samples.dim(1), 8 + (std::ssize(row.names) + 1) * kLine);
  };
  int64_t right = kLabel, top = kGap + (heads.empty() ? 0 : kLine), bottom = top;
  for (const SamplesRow& row : rows) {
    bottom += height_of(row) + kGap;
    right = std::max(right, kLabel + row.samples.dim(0) * (row.samples.dim(2) + kGap));
  }
  Canvas canvas(right, bottom);
  const int64_t step = rows.front().samples.dim(2) + kGap;
  for (size_t k = 0; k < heads.size(); ++k)
    canvas.text(kLabel + static_cast<int64_t>(k) * step, kGap, heads[k], {0, 0, 0});
  for (const SamplesRow& row : rows) {
    int64_t at = top + 8;
    for (const std::string& line : row.names) {
      canvas.text(kGap, at, line, {0, 0, 0});
      at += kLine;
    }
    canvas.text(kGap, at, row.found, {80, 80, 80});
    const int64_t n = row.samples.dim(0), h = row.samples.dim(1), w = row.samples.dim(2);
    const uint8_t* pixel = row.samples.data<uint8_t>();
    for (int64_t k = 0; k < n; ++k)
      for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x, ++pixel)
          canvas.blend(kLabel + k * (w + kGap) + x, top + y, {*pixel, *pixel, *pixel});
    top += height_of(row) + kGap;
  }
  std::vector<uint8_t> gray;  // a third of the bytes
  for (size_t i = 0; i < canvas.pixels().size(); i += 3) gray.push_back(canvas.pixels()[i]);
  write_png_gray(file, canvas.width(), canvas.height(), gray);
}

}  // namespace duel::gan::lab
