#include "duel/gan/lab/league/internal/league_runs.h"

#include <cmath>

#include "duel/core/ops.h"
#include "duel/gan/lab/internal/run_settings.h"

namespace duel::gan::lab {
namespace {

double number_of(const json::Json& value) { return value.is_null() ? NAN : value.get<double>(); }

}  // namespace

json::Json league_settings(const LeagueRequest& request, RunConfig config, const std::string& objective) {
  json::Json settings = config_settings(std::move(config), objective);
  settings.erase("seed");
  settings["steps"] = request.steps;
  settings["count"] = request.count;
  return settings;
}

std::string league_name(const std::string& objective, uint64_t seed) {
  return objective + "-" + std::to_string(seed);
}

json::Json league_json(const LeagueRun& run) {
  json::Json measures = json::Json::object(), curve = json::Json::array();
  for (const auto& [key, v] : run.measures)
    measures[key] = {{"value", json::number_or_null(v.value)},
                     {"low", json::number_or_null(v.low)},
                     {"high", json::number_or_null(v.high)},
                     {"floor", json::number_or_null(v.floor)}};
  for (const auto& [step, fd] : run.curve)
    curve.push_back({{"step", step}, {"fd", json::number_or_null(fd)}});
  return {{"objective", run.objective},
          {"seed", run.seed},
          {"failure", run.failure},
          {"seconds", run.seconds},
          {"steps", run.steps},
          {"images_d", run.images_d},
          {"judge", run.judge},
          {"measures", measures},
          {"held_out_gap", json::number_or_null(run.held_out_gap)},
          {"curve", curve}};
}

void save_league_run(const LeagueRequest& request, const LeagueRun& run) {
  json::Json record = league_json(run);
  record["settings"] = league_settings(request, request.config, run.objective);
  ResultStore("league", request.out)
      .save(league_name(run.objective, run.seed), record, {{"samples", run.samples}});
}

LeagueRun run_of_record(const char* op, const ResultStore& store, const std::string& name,
                        const json::Json& record, const TensorFile& tensors) {
  LeagueRun run{.objective = record.at("objective"),
                .seed = record.at("seed"),
                .failure = record.at("failure"),
                .seconds = record.at("seconds"),
                .steps = record.at("steps"),
                .images_d = record.at("images_d"),
                .judge = record.at("judge")};
  for (const auto& [key, v] : record.at("measures").items())
    run.measures.emplace_back(key, Value{number_of(v.at("value")), number_of(v.at("low")),
                                         number_of(v.at("high")), number_of(v.at("floor"))});
  if (record.contains("held_out_gap")) run.held_out_gap = number_of(record.at("held_out_gap"));
  for (const json::Json& look : record.at("curve"))
    run.curve.emplace_back(look.at("step"), number_of(look.at("fd")));
  const Tensor* samples = tensors.find("samples");
  DUEL_CHECK(samples && samples->dtype() == DType::u8 && (samples->rank() == 2 || samples->rank() == 3) &&
                 samples->numel() > 0,
             op, "{}: expected u8 pictures of samples; delete it and {} to train that run again",
             store.file(name, ".safetensors").string(), store.file(name).string());
  run.samples = samples->rank() == 3 ? *samples : unsqueeze(*samples, 0);
  return run;
}

std::optional<LeagueRun> load_league_run(const LeagueRequest& request, const std::string& objective,
                                         uint64_t seed) {
  const ResultStore store("league", request.out);
  const std::string name = league_name(objective, seed);
  LeagueRun run;
  const auto read = [&](const json::Json& record, const TensorFile& tensors) {
    run = run_of_record("league", store, name, record, tensors);
    DUEL_CHECK(run.objective == objective && run.seed == seed, "league", "{}: holds the run of {}, seed {}",
               store.file(name).string(), run.objective, run.seed);
  };
  if (!store.load(name, league_settings(request, request.config, objective),
                  league_settings(request, {}, objective), read))
    return std::nullopt;
  return run;
}

}  // namespace duel::gan::lab
