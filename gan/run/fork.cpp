#include "duel/gan/run/fork.h"

#include <algorithm>

#include "duel/core/io/internal/read_file.h"
#include "duel/gan/objective/composition.h"
#include "duel/gan/run/internal/fork_source.h"
#include "duel/gan/run/internal/rehearsal.h"
#include "duel/gan/run/internal/run_state.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

namespace fs = std::filesystem;

constexpr const char* kForm = "expected RUN@STEP, RUN@latest, RUN@best or a checkpoint";

/// Where the state lies, and the run that it belongs to.
struct Place {
  fs::path run = {}, file = {};
};

std::string steps_text(const std::vector<NumberedFile>& checkpoints) {
  std::string text;
  for (const NumberedFile& each : checkpoints)
    text += (text.empty() ? "" : ", ") + std::to_string(each.iteration);
  return text;
}

Place in_run(const fs::path& run, const std::string& step) {
  const RunFiles files(run);
  std::error_code why;
  DUEL_CHECK(fs::is_directory(run, why), "fork", "{}: no such run directory; {}", run.string(), kForm);
  DUEL_CHECK(fs::exists(files.config(), why), "fork",
             "{}: no config.json in it, so it is not a run directory; {}", run.string(), kForm);
  const auto latest = latest_checkpoint(run);
  DUEL_CHECK(latest, "fork", "{}: this run has no checkpoint yet", run.string());
  if (step == "latest") return {run, *latest};
  if (step == "best") {
    const std::vector<NumberedFile> best = files.all_best();
    DUEL_CHECK(!best.empty(), "fork",
               "{}@best: this run has kept no checkpoint for its quality; --eval-every and --keep-best do",
               run.string());
    return {run, best.back().file};
  }
  const auto number = parse_number<int64_t>(step);
  DUEL_CHECK(number && *number >= 0, "fork", "{}@{}: '{}' is no step; {}", run.string(), step, shown(step),
             kForm);
  const std::vector<NumberedFile> all = files.all_checkpoints();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const NumberedFile& each) { return each.iteration == *number; });
  DUEL_CHECK(found != all.end(), "fork", "{}@{}: this run has no checkpoint of that step; it has those of {}",
             run.string(), step, steps_text(all));
  return {run, found->file};
}

Place place_of(const std::string& origin) {
  std::error_code ignored;
  if (fs::is_directory(origin, ignored)) return in_run(origin, "latest");
  if (fs::exists(origin, ignored)) {
    const fs::path run = fs::absolute(origin, ignored).parent_path().parent_path();
    const RunFiles files(run);
    const bool inside =
        fs::exists(files.config(), ignored) &&
        fs::equivalent(files.checkpoints(), fs::absolute(origin, ignored).parent_path(), ignored);
    return {inside ? run : fs::path(), origin};
  }
  const size_t at = origin.rfind('@');
  DUEL_CHECK(at != std::string::npos && at > 0, "fork", "{}: no such file or run directory; {}", origin,
             kForm);
  return in_run(origin.substr(0, at), origin.substr(at + 1));
}

RunConfig settings_of(const Place& place, const Checkpoint& checkpoint) {
  const fs::path file = RunFiles(place.run).config();
  const bool bare = place.run.empty();
  const std::string source = bare ? place.file.string() + ": config" : file.string();
  const RunConfig as_is = bare ? run_config_from_json(checkpoint.config, source) : read_run_config(file);
  detail::check_registered(as_is, "fork", source, /*networks_given=*/true);
  return bare ? stored_config_from_json(checkpoint.config, source) : read_stored_config(file);
}

/// The same under another objective, fork.h, Note [What a fork takes over].
RunConfig with_objective(RunConfig config, const std::string& name) {
  if (config.objective == name) return config;
  const ObjectiveOverrides stored = config.overrides;
  ObjectiveOverrides composed;  // an objective of axes is nothing without them
  for (const Axis& axis : axes()) {
    if (const auto text = stored.find(axis.name)) composed.set(axis.name, *text);
  }
  const ObjectiveOverrides defaults = resolved_overrides(config.objective, composed);
  config.objective = name;
  config.overrides = {};
  if (!is_objective(name)) return config;  // Run says which there are
  for (const ObjectiveSetting& setting : objective_settings()) {
    const auto value = stored.find(setting.name);
    if (!value || setting.place.axis || value == defaults.find(setting.name)) continue;
    ObjectiveOverrides with_it = config.overrides;
    with_it.set(setting.name, *value);
    try {
      resolved_overrides(name, with_it);
      config.overrides = with_it;
    } catch (const Error&) {
      // no place for it there
    }
  }
  return config;
}

/// The settings that are stored and differ, but for where it computes.
std::vector<const ConfigField*> changed_fields(const RunConfig& before, const RunConfig& now) {
  std::vector<const ConfigField*> fields;
  for (const ConfigField& field : config_fields()) {
    if (field.stored && field.name != "device" && field.name != "threads" && field.name != "init" &&
        field.get(before) != field.get(now))
      fields.push_back(&field);
  }
  return fields;
}

std::string text_or_none(const std::optional<SettingValue>& value) {
  return value ? text_of(*value) : "none";
}

/// Why the state does not fit networks and optimizers of these settings; empty where it does, or where there are none.
std::string why_not(const RunConfig& config, const Checkpoint& checkpoint) {
  detail::RunSetup setup;
  setup.config = config;
  try {
    detail::make_parts(setup);
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error&) {
    return {};
  }
  Trainer trainer(setup.networks, setup.objective, nullptr, {.batch = config.batch, .seed = config.seed});
  try {
    trainer.restore(checkpoint.state);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/// `config` with one setting of `other`.
RunConfig with_one(RunConfig config, const RunConfig& other, const ConfigField& field) {
  if (const auto value = field.get(other)) {
    if (field.name == "objective") return with_objective(config, other.objective);
    field.set(config, *value);
    config.overrides = without_displaced(config.objective, config.overrides, {field.name});
  } else {
    config.overrides.unset(field.name);
  }
  return config;
}

/// Refuses what cannot change by the setting that does it.
void check_fits(const detail::ForkSource& source, const RunConfig& stored, const RunConfig& wanted) {
  const std::string why = why_not(wanted, source.checkpoint);
  if (why.empty()) return;
  const std::vector<const ConfigField*> changed = changed_fields(stored, wanted);
  for (const ConfigField* field : changed) {
    if (why_not(with_one(stored, wanted, *field), source.checkpoint).empty()) continue;
    fail(
        "fork",
        "{}: {} has {}, and its state does not fit {}: a fork keeps it; leave it out, or start a new run for it",
        field->name, source.file.string(), text_or_none(field->get(stored)),
        text_or_none(field->get(wanted)));
  }
  std::string names;
  for (const ConfigField* field : changed) names += (names.empty() ? "" : ", ") + field->name;
  fail("fork", "{}: {}: {}", source.file.string(), why,
       names.empty() ? "it is not a state of this run's settings" : "what differs is " + names);
}

}  // namespace

RunConfig forked_config(const std::string& origin, const std::optional<std::string>& objective) {
  RunConfig config = detail::read_fork(origin).config;
  if (objective) config = with_objective(std::move(config), *objective);
  config.fork = origin;
  config.init.clear();  // where the other run began is not where this one does
  return config;
}

detail::ForkSource detail::read_fork(const std::string& origin) {
  const Place place = place_of(origin);
  ForkSource source{.run = place.run, .file = place.file, .checkpoint = read_checkpoint(place.file)};
  source.config = settings_of(place, source.checkpoint);
  std::error_code ignored;
  if (const fs::path record = RunFiles(place.run).record();
      !place.run.empty() && fs::is_regular_file(record, ignored)) {
    source.data =
        run_record_from_json(read_file("fork", record, kMaxRecord, "the run.json of a run directory"),
                             record.string())
            .data;
  }
  return source;
}

void Run::State::start_from(const detail::ForkSource& source, RunObserver* observer) {
  RunConfig stored = source.config;
  stored.overrides = resolved_overrides(stored.objective, stored.overrides);
  DUEL_CHECK(
      config().seed == stored.seed, "fork",
      "seed: {} was trained with {}, whose random streams are in its state, and a fork goes on with them; "
      "got {}: leave it out, or start a new run for it",
      source.file.string(), stored.seed, config().seed);
  if (!setup.networks_given) check_fits(source, stored, config());
  detail::rehearse(setup);
  make_ready(observer);
  const bool same_data = config().data == stored.data && config().synthetic_count == stored.synthetic_count &&
                         config().stacked_count == stored.stacked_count &&
                         config().data_count == stored.data_count;
  DUEL_CHECK(
      !source.data || !same_data || (source.data->count == data.count && source.data->crc32 == data.crc32),
      "fork",
      "data: {} was trained on {} images of {}, and {} holds other ones now; give the same set with --data",
      source.file.string(), source.data->count, source.data->source, data.source);
  try {
    trainer->restore(source.checkpoint.state);
  } catch (const Error& error) {
    fail("fork", "{}: {}", source.file.string(), std::string(error.what()));
  }
  DUEL_CHECK(trainer->iteration() < config().steps, "fork",
             "steps: {} is at iteration {} already, got {}: give more --steps", source.file.string(),
             trainer->iteration(), config().steps);
  // The state holds the rates that were set before. Where they change over time each iteration sets them anyway.
  trainer->optimizer_d().set_lr(setup.objective.schedule.d.lr);
  trainer->optimizer_g().set_lr(setup.objective.schedule.g.lr);

  std::error_code ignored;
  const auto absolute = [&](const fs::path& path) {
    return path.empty() ? std::string() : fs::absolute(path, ignored).lexically_normal().string();
  };
  fork = ForkRecord{.run = absolute(source.run),
                    .checkpoint = absolute(source.file),
                    .crc32 = source.checkpoint.crc32,
                    .iteration = trainer->iteration()};
  for (const ConfigField* field : changed_fields(stored, config())) {
    fork->changed.push_back(message("{} {} to {}", field->name, text_or_none(field->get(stored)),
                                    text_or_none(field->get(config()))));
  }
}

}  // namespace duel::gan
