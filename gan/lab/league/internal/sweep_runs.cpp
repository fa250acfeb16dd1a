#include "duel/gan/lab/league/internal/sweep_runs.h"

#include <zlib.h>

#include <algorithm>
#include <set>

#include "duel/gan/lab/internal/run_settings.h"
#include "duel/gan/lab/league/internal/league_runs.h"

namespace duel::gan::lab {
namespace {

json::Json sweep_settings(const RunConfig& config) {
  json::Json settings = config_settings(config, config.objective);
  settings.erase("seed");
  settings["objective"] = config.objective;
  settings["steps"] = config.steps;
  settings["epochs"] = config.epochs;
  return settings;
}

json::Json value_json(const std::string& name, const std::string& text) {
  const SettingValue value = config_field(name).parsed("sweep", text);
  if (std::holds_alternative<std::string>(value)) return text;
  if (const auto parsed = json::parse_or_null(text, {}); !parsed.is_null()) return parsed;
  return text;
}

/// One that has values of just these settings.
const SweepPoint* point_over(const SweepPlan& plan, const std::vector<std::string>& axes) {
  const std::set<std::string> wanted(axes.begin(), axes.end());
  for (const SweepPoint& point : plan.points) {
    std::set<std::string> names;
    for (const auto& [name, value] : point.values) names.insert(name);
    if (names == wanted) return &point;
  }
  return nullptr;
}

}  // namespace

std::string sweep_name(const SweepValues& values, uint64_t seed) {
  constexpr size_t kLongest = 100;
  SweepValues sorted = values;
  std::sort(sorted.begin(), sorted.end());
  std::string exact;
  for (const auto& [name, value] : sorted) exact += (exact.empty() ? "" : ",") + name + "=" + value;
  if (exact.empty()) exact = to_text(values);
  std::string name;
  for (const char c : exact.substr(0, kLongest))
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        std::string("=,.+-_").find(c) != std::string::npos)
      name += c;
  if (name != exact) {
    const auto* bytes = reinterpret_cast<const Bytef*>(exact.data());
    name += message("-{}", crc32(crc32(0, nullptr, 0), bytes, static_cast<uInt>(exact.size())));
  }
  return name + "-" + std::to_string(seed);
}

json::Json values_json(const SweepValues& values) {
  json::Json object = json::Json::object();
  for (const auto& [name, value] : values) object[name] = value_json(name, value);
  return object;
}

json::Json sweep_json(const SweepRun& run) {
  json::Json record{{"point", values_json(run.values)}};
  record.update(league_json(run.run));
  return record;
}

void save_sweep_run(const ResultStore& store, const RunConfig& config, const SweepRun& run) {
  json::Json record = sweep_json(run);
  record["settings"] = sweep_settings(config);
  store.save(sweep_name(run.values, run.run.seed), record, {{"samples", run.run.samples}});
}

SweepRun load_sweep_run(const SweepPlan& plan, const ResultStore& store, const std::string& name) {
  const std::string file = store.file(name).string();
  SweepRun run;
  const auto read = [&](const json::Json& record, const TensorFile& tensors) {
    DUEL_CHECK(record.contains("point"), "sweep",
               "{}: a run of another experiment, not of a sweep; choose another --out", file);
    std::vector<std::string> axes;
    for (const auto& [axis, value] : record.at("point").items()) axes.push_back(axis);
    const SweepPoint* alike = point_over(plan, axes);
    DUEL_CHECK(alike, "sweep", "{}: a run of another sweep, over {}; {} is over {}; choose another --out",
               file, joined(axes), plan.source, joined(plan.axes));
    for (const auto& [axis, ignored] : alike->values) {
      const json::Json& value = record.at("point").at(axis);
      run.values.emplace_back(axis, value.is_string()         ? value.get<std::string>()
                                    : value.is_number_float() ? shortest(value.get<double>())
                                                              : value.dump());
    }
    store.check_settings(file, record.at("settings"), sweep_settings(point_config(plan, run.values)),
                         sweep_settings(RunConfig()));
    run.run = run_of_record("sweep", store, name, record, tensors);
  };
  store.load(name, json::Json::object(), json::Json::object(), read);
  return run;
}

}  // namespace duel::gan::lab
