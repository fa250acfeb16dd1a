// A run on stacked digits, and what is kept of it.
#include <chrono>
#include <cmath>

#include "duel/core/ops.h"
#include "duel/gan/data/stacked_digits.h"
#include "duel/gan/judge/class_histogram.h"
#include "duel/gan/lab/internal/run_settings.h"
#include "duel/gan/lab/stacked/internal/stacked_runs.h"
#include "duel/gan/run/internal/sample_sets.h"
#include "duel/gan/train/random_streams.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

constexpr int64_t kStackedShown = 64, kStackedColumns = 32;
constexpr const char* kStackedOp = "lab";

std::vector<int64_t> counted(const std::vector<int64_t>& kinds) {
  std::vector<int64_t> counts(static_cast<size_t>(kStackedKinds));
  for (const int64_t kind : kinds) ++counts[static_cast<size_t>(kind)];
  return counts;
}

/// What must agree for runs to stand in one table.
json::Json stacked_data_settings(const StackedRequest& request) {
  return {{"data", data_name(request.config.data).digits},
          {"synthetic_count", request.config.synthetic_count},
          {"count", request.count}};
}
json::Json stacked_settings(const StackedRequest& request, const std::string& objective) {
  const StackedProtocol& protocol = stacked_protocol(request.protocol);
  const Objective trained = stacked_objective(protocol, objective, request.own_schedule);
  json::Json settings = stacked_data_settings(request);
  settings["protocol"] = request.protocol;
  settings["steps"] = request.steps;
  settings["stacked_count"] = request.config.stacked_count;
  settings["batch"] = protocol.batch * trained.schedule.packing;
  settings["critic_steps"] = trained.schedule.critic_steps;
  settings["generator_steps"] = trained.schedule.generator_steps;
  settings["optimizer_d"] = to_text(trained.schedule.d);
  settings["optimizer_g"] = to_text(trained.schedule.g);
  settings["own_schedule"] = request.own_schedule;
  return settings;
}

json::Json score_json(const StackedScore& score, const std::optional<double>& fd) {
  return {
      {"modes", score.modes}, {"reverse_kl", score.reverse_kl}, {"fd", fd ? json::Json(*fd) : json::Json()}};
}
StackedScore score_from(const json::Json& record) { return {record.at("modes"), record.at("reverse_kl")}; }

}  // namespace

StackedScore score_stacked(const std::vector<int64_t>& counts) {
  ClassCounts classes{.counts = counts};
  for (const int64_t count : counts) classes.samples += count;
  DUEL_CHECK(std::ssize(counts) == kStackedKinds && classes.samples >= 1, "score_stacked",
             "expected samples of {} kinds, got {} of {}", kStackedKinds, classes.samples, counts.size());
  return {.modes = kStackedKinds - std::count(counts.begin(), counts.end(), 0),
          .reverse_kl = class_divergence_from_uniform(classes).value};
}

double expected_modes(int64_t samples, int64_t kinds) {
  const auto k = static_cast<double>(kinds);
  return -k * std::expm1(static_cast<double>(samples) * std::log1p(-1 / k));
}

double expected_reverse_kl(int64_t samples, int64_t kinds) {
  const auto n = static_cast<double>(samples), k = static_cast<double>(kinds);
  // k sum over x of Binomial(x; n, 1/k) (x / n) ln(k x / n)
  double log_chance = n * std::log1p(-1 / k), sum = 0;  // of x = 0
  for (int64_t x = 1; x <= samples; ++x) {
    const auto share = static_cast<double>(x) / n;
    log_chance += std::log((n - static_cast<double>(x) + 1) / static_cast<double>(x)) - std::log(k - 1);
    sum += std::exp(log_chance) * share * std::log(k * share);
  }
  return k * sum;
}

StackedField stacked_field(const StackedRequest& request, LabObserver& observer) {
  StackedField field;
  RunConfig& config = field.setup.config;
  config = request.config;
  config.data = to_text(DataName{.stacked = true, .digits = data_name(config.data).digits});
  detail::find_data(field.setup, config);
  const ImageSet& images = field.setup.images;
  DUEL_CHECK(images.height == Judge::side && images.width == Judge::side, kStackedOp,
             "{}: expected digits of {}x{}, which judges read, got {}x{}", images.source, Judge::side,
             Judge::side, images.height, images.width);
  DUEL_CHECK(detail::held_out_images(field.setup, 1).count == 1, kStackedOp,
             "{}: expected test digits beside the training digits: real ones that are read as samples are",
             images.source);
  observer.said("making stacked digits, and reading real ones for the judge");
  field.judge = load_judge(detail::default_judge(field.setup.drawn));
  detail::draw_data(field.setup);
  field.data = std::make_shared<const ResidentData>(field.setup.images);
  field.setup.images.images = {};
  return field;
}

StackedFloor read_stacked_floor(const StackedField& field, int64_t count) {
  const ImageSet real = detail::held_out_images(field.setup, count);
  const detail::StackedReading read = detail::read_stacked(*field.judge, ResidentData(real));
  const Tensor first = field.data->first(std::min(count, field.data->count()));
  const ResidentData training(field.data->batch(first, DType::f32));
  StackedFloor floor{.data = real.source, .score = score_stacked(counted(read.kinds))};
  floor.moments = moments_of(read.features);
  floor.fd =
      frechet_distance(floor.moments, moments_of(detail::read_stacked(*field.judge, training).features));
  return floor;
}

std::optional<StackedRun> train_stacked(const StackedRequest& request, const StackedField& field,
                                        const Moments& moments, const std::string& objective, uint64_t seed,
                                        const std::function<bool()>& keep_going) {
  const auto start = std::chrono::steady_clock::now();
  const StackedProtocol& protocol = stacked_protocol(request.protocol);
  const Objective trained = stacked_objective(protocol, objective, request.own_schedule);
  Generator weights = stream(seed, RandomStream::weights_g);
  Trainer trainer(stacked_networks(protocol, trained, weights), trained, field.data,
                  {.batch = protocol.batch * trained.schedule.packing, .seed = seed});
  StackedRun run{.objective = objective, .seed = seed, .judge = field.judge->name()};
  while (run.failure.empty() && trainer.iteration() < request.steps) {
    trainer.step();
    const Metrics m = trainer.metrics();
    if (!std::isfinite(m.loss_d) || !std::isfinite(m.loss_g) ||
        (trainer.iteration() == request.steps && trainer.first_nonfinite()))
      run.failure = message("not finite at iteration {}", trainer.iteration());
    if (!keep_going()) return std::nullopt;
  }
  run.steps = trainer.iteration();
  run.counts.assign(static_cast<size_t>(kStackedKinds), 0);
  run.score = {.modes = 0, .reverse_kl = std::log(static_cast<double>(kStackedKinds))};
  LatentGenerators random = sampling_generators(seed, static_cast<uint64_t>(RandomStream::samples));
  if (run.failure.empty()) {
    const detail::StackedReading read = detail::read_stacked(
        *field.judge, ResidentData(detail::sampled_images(trainer, request.count, random)));
    run.counts = counted(read.kinds);
    run.score = score_stacked(run.counts);
    run.fd = frechet_distance(moments, moments_of(read.features));
  }
  LatentGenerators again = sampling_generators(seed, static_cast<uint64_t>(RandomStream::samples));
  const Tensor z = draw_latents(trainer.networks().latent, kStackedShown, again).input;
  const Picture grid = image_grid(trainer.sample(z), kStackedColumns);
  run.samples = Tensor::from(grid.pixels, {grid.height, grid.width, grid.channels});
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return run;
}

std::string stacked_name(const std::string& objective, uint64_t seed) {
  return objective + "-" + std::to_string(seed);
}

json::Json stacked_json(const StackedRun& run) {
  json::Json record = score_json(run.score, run.fd);
  record["objective"] = run.objective;
  record["seed"] = run.seed;
  record["failure"] = run.failure;
  record["seconds"] = run.seconds;
  record["steps"] = run.steps;
  record["judge"] = run.judge;
  return record;
}

json::Json stacked_json(const StackedFloor& floor) {
  json::Json record = score_json(floor.score, floor.fd);
  record["data"] = floor.data;
  return record;
}

void save_stacked(const StackedRequest& request, const StackedRun& run) {
  json::Json record = stacked_json(run);
  record["settings"] = stacked_settings(request, run.objective);
  ResultStore(kStackedOp, request.out)
      .save(stacked_name(run.objective, run.seed), record,
            {{"samples", run.samples}, {"counts", Tensor::from(run.counts, {kStackedKinds})}});
}

void save_stacked(const StackedRequest& request, const StackedFloor& floor) {
  json::Json record = stacked_json(floor);
  record["settings"] = stacked_data_settings(request);
  ResultStore(kStackedOp, request.out)
      .save(kStackedReal, record, {{"mean", floor.moments.mean}, {"covariance", floor.moments.covariance}});
}

std::optional<StackedRun> load_stacked(const StackedRequest& request, const std::string& objective,
                                       uint64_t seed) {
  const ResultStore store(kStackedOp, request.out);
  const std::string name = stacked_name(objective, seed), file = store.file(name).string();
  StackedRun run;
  const auto read = [&](const json::Json& record, const TensorFile& tensors) {
    run = {.objective = record.at("objective"),
           .seed = record.at("seed"),
           .failure = record.at("failure"),
           .seconds = record.at("seconds"),
           .steps = record.at("steps"),
           .judge = record.at("judge"),
           .score = score_from(record)};
    if (!record.at("fd").is_null()) run.fd = record.at("fd").get<double>();
    DUEL_CHECK(run.objective == objective && run.seed == seed, kStackedOp, "{}: holds the run of {}, seed {}",
               file, run.objective, run.seed);
    const Tensor *samples = tensors.find("samples"), *counts = tensors.find("counts");
    DUEL_CHECK(samples && samples->dtype() == DType::u8 && samples->rank() == 3 && samples->dim(2) == 3 &&
                   counts && counts->dtype() == DType::i64 && counts->shape() == Shape{kStackedKinds},
               kStackedOp,
               "{}: expected u8 samples in colour and counts; delete it and {} to train that run again",
               store.file(name, ".safetensors").string(), file);
    run.samples = *samples;
    run.counts = counts->to_vector<int64_t>();
  };
  const json::Json settings = stacked_settings(request, objective);
  if (!store.load(name, settings, settings, read)) return std::nullopt;
  return run;
}

std::optional<StackedFloor> load_stacked_floor(const StackedRequest& request) {
  StackedFloor floor;
  const ResultStore store(kStackedOp, request.out);
  const auto read = [&](const json::Json& record, const TensorFile& tensors) {
    floor = {.data = record.at("data"), .score = score_from(record), .fd = record.at("fd")};
    const Tensor *mean = tensors.find("mean"), *covariance = tensors.find("covariance");
    constexpr int64_t d = Judge::feature_count;
    DUEL_CHECK(mean && covariance && mean->dtype() == DType::f64 && covariance->dtype() == DType::f64 &&
                   mean->shape() == Shape{d} && covariance->shape() == Shape({d, d}),
               kStackedOp, "{}: expected the moments of real digits; delete it and {} to read these again",
               store.file(kStackedReal, ".safetensors").string(), store.file(kStackedReal).string());
    floor.moments = {*mean, *covariance};
  };
  const json::Json settings = stacked_data_settings(request);
  if (!store.load(kStackedReal, settings, settings, read)) return std::nullopt;
  return floor;
}

}  // namespace duel::gan::lab
