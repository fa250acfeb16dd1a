#include "duel/gan/lab/internal/records.h"

#include "duel/gan/lab/internal/result_store.h"

namespace duel::gan::lab {
namespace {

using json::Json;

std::string name_of(const std::string& objective, uint64_t seed) {
  return objective + "-" + std::to_string(seed);
}

Json penalty_weight_json(const Objective& objective) {
  return objective.penalties.empty() ? Json() : Json(objective.penalties.front().weight);
}

/// What experiments that did not write these settings down trained an objective with: its own penalties, and
/// the protocol's optimizer for every one.
Json older_settings_json(const PointSettings& s, const std::string& name) {
  const Objective own = named_objective(name);
  const OptimizerChoice protocol{.kind = OptimizerKind::adam, .lr = s.lr, .beta1 = 0.8, .beta2 = 0.999};
  return {{"lambda", penalty_weight_json(own)},
          {"optimizer_d", to_text(s.own_schedule ? own.schedule.d : protocol)},
          {"optimizer_g", to_text(s.own_schedule ? own.schedule.g : protocol)}};
}

Json settings_json(PointSettings s, const std::string& name) {
  if (named_objective(name).penalties.empty()) s.lambda = {};  // beside runs that it is for
  const Objective trained = point_objective(name, s);
  return {{"steps", s.steps},
          {"batch", s.batch},
          {"lr", s.lr},
          {"lambda", penalty_weight_json(trained)},
          {"optimizer_d", to_text(trained.schedule.d)},
          {"optimizer_g", to_text(trained.schedule.g)},
          {"own_schedule", s.own_schedule},
          {"training_points", s.training_points},
          {"measured_points", s.measured_points},
          {"evaluations", s.evaluations},
          {"latent", s.networks.latent},
          {"width_g", s.networks.width_g},
          {"width_d", s.networks.width_d},
          {"layers_g", s.networks.layers_g},
          {"layers_d", s.networks.layers_d},
          {"pieces", s.networks.pieces}};
}

Json moment_json(const Moment& m) {
  return {
      {"step", m.step}, {"modes", m.modes}, {"high_quality", m.high_quality}, {"reverse_kl", m.reverse_kl}};
}

Json run_json(const PointRun& run) {
  Json history = Json::array();
  for (const Moment& moment : run.history) history.push_back(moment_json(moment));
  return {{"mixture", run.mixture},
          {"objective", run.objective},
          {"seed", run.seed},
          {"settings", settings_json(run.settings, run.objective)},
          {"modes", run.score.modes},
          {"high_quality", run.score.high_quality},
          {"reverse_kl", run.score.reverse_kl},
          {"good_points", run.score.good},
          {"diverged", run.diverged ? Json(*run.diverged) : Json()},
          {"seconds", run.seconds},
          {"snapshot_steps", run.snapshot_steps},
          {"history", history}};
}

}  // namespace

std::string to_json(const PointRun& run) { return run_json(run).dump(2) + "\n"; }

void save_run(const std::filesystem::path& directory, const PointRun& run) {
  ResultStore("lab", directory)
      .save(name_of(run.objective, run.seed), run_json(run), {{"points", run.snapshots}});
}

std::optional<PointRun> load_run(const std::filesystem::path& directory, const Mixture& mixture,
                                 const std::string& objective, uint64_t seed, const PointSettings& settings) {
  const ResultStore store("lab", directory);
  const std::string name = name_of(objective, seed), file = store.file(name).string();
  PointRun run;
  const auto read = [&](const Json& record, const TensorFile& tensors) {
    run = {.mixture = record.at("mixture"),
           .objective = record.at("objective"),
           .seed = record.at("seed"),
           .settings = settings};
    DUEL_CHECK(run.mixture == mixture.name, "lab", "{}: holds runs on {}, not on {}; choose another --out",
               file, run.mixture, mixture.name);
    DUEL_CHECK(run.objective == objective && run.seed == seed, "lab", "{}: holds the run of {}, seed {}",
               file, run.objective, run.seed);
    run.score = {.modes = record.at("modes"),
                 .high_quality = record.at("high_quality"),
                 .reverse_kl = record.at("reverse_kl"),
                 .good = record.at("good_points")};
    if (!record.at("diverged").is_null()) run.diverged = record.at("diverged").get<int64_t>();
    run.seconds = record.at("seconds");
    run.snapshot_steps = record.at("snapshot_steps").get<std::vector<int64_t>>();
    for (const Json& m : record.at("history")) {
      run.history.push_back({m.at("step"), m.at("modes"), m.at("high_quality"), m.at("reverse_kl")});
    }
    const Tensor* found = tensors.find("points");
    const Shape expected{static_cast<int64_t>(run.snapshot_steps.size()), settings.measured_points, 2};
    DUEL_CHECK(found && found->dtype() == DType::f32 && found->shape() == expected, "lab",
               "{}: expected f32 points {}; delete it and {} to train that run again",
               store.file(name, ".safetensors").string(), expected, file);
    run.snapshots = *found;
  };
  if (!store.load(name, settings_json(settings, objective), older_settings_json(settings, objective), read))
    return std::nullopt;
  return run;
}

}  // namespace duel::gan::lab
