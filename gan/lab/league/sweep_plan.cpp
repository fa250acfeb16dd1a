// From a sweep's file to points that can be trained.
#include "duel/gan/lab/league/sweep_plan.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "duel/core/io/internal/json.h"
#include "duel/core/io/internal/read_file.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/lab/league/scores.h"
#include "duel/gan/models/network.h"
#include "duel/gan/record/internal/text_table.h"
#include "duel/gan/run/internal/rehearsal.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"

namespace duel::gan::lab {
namespace {

using json::Json;

constexpr size_t kSweepFile = size_t{1} << 20;
constexpr int64_t kMostPoints = 1000;
constexpr int kSweepDigits = 3;

/// What an error says, without the operation that it begins with.
std::string without_op(const Error& error) {
  const std::string why = error.what();
  const size_t end = why.starts_with('[') ? why.find("] ") : std::string::npos;
  return end == std::string::npos ? why : why.substr(end + 2);
}

// ---- Which settings a sweep has ---------------------------------------------------------------------------

/// The settings of what is trained and judged. The others say what a run directory gets, where it is and how a run
/// starts, and a sweep has none of it; seeds are the sweep's own.
bool in_sweep(const ConfigField& field) {
  static const std::set<std::string> groups{"Networks", "Data"},
      others{"objective", "steps", "epochs", "eval-count"};
  if (field.name == "stacked-count") return false;  // no judge reads stacked digits
  const auto& of_objectives = objective_settings();
  return groups.contains(field.group) || others.contains(field.name) ||
         std::any_of(of_objectives.begin(), of_objectives.end(),
                     [&](const ObjectiveSetting& setting) { return setting.name == field.name; });
}

/// Of points that are judged by the same images.
bool may_be_axis(const std::string& name) { return name != "data" && name != "eval-count"; }

const ConfigField* sweep_field(const std::string& name) {
  for (const ConfigField& field : config_fields())
    if (field.name == name) return &field;
  return nullptr;
}

/// Sets one value; Error naming `place`, the setting and what it expects.
void set_from(const std::string& place, RunConfig& config, const std::string& name, const Json& value) {
  update_from_json(config, json::dumped(Json::object({{name, value}})), place);
}

/// Names that are known only where they are used.
void check_known(const std::string& place, const std::string& name, const std::string& text) {
  try {
    if (name == "objective") (void)named_objective(text);
    if (name == "arch") (void)network_row(text);
  } catch (const Error& error) {
    fail("sweep", "{}: {}", place, without_op(error));
  }
}

void check_in_sweep(const std::string& place, const std::vector<std::string>& names) {
  std::string useless;
  for (const std::string& name : names) {
    const ConfigField* field = sweep_field(name);
    if (!field || in_sweep(*field)) continue;  // an unknown one is said where it is set
    DUEL_CHECK(name != "seed", "sweep",
               "{}: seed: the seeds of all points stand beside settings and axes: \"seeds\": [1, 2, 3]",
               place);
    useless += (useless.empty() ? "" : ", ") + name;
  }
  DUEL_CHECK(
      useless.empty(), "sweep",
      "{}: {}: nothing of a sweep's runs: expected settings of objective, optimizers, networks and data, steps, epochs or "
      "eval-count",
      place, useless);
}

/// As set_field() takes it.
std::string value_text(const ConfigField& field, const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (field.kind == Setting::Kind::number) return shortest(value.get<double>());
  return json::dumped(value);
}

// ---- The axes ---------------------------------------------------------------------------------------------

struct SweepAxis {
  const ConfigField* field = nullptr;
  std::vector<std::string> values = {};  // none: a range
  double low = 0, high = 0;
  bool log = false;
};

/// "place: name: " for errors of one axis.
std::string axis_place(const std::string& source, const std::string& name) {
  return message("{}: axes: {}", source, name);
}

/// A value as a point has it; Error where the setting cannot have it. `place`: what stands before the setting's name.
std::string tried_value(const std::string& place, const ConfigField& field, const Json& value) {
  const std::string named = message("{}: {}", place, field.name);
  DUEL_CHECK(!value.is_null(), "sweep", "{}: expected values, got null", named);
  RunConfig scratch;
  set_from(place, scratch, field.name, value);
  std::string text = value_text(field, value);
  check_known(named, field.name, text);
  return text;
}

/// The setting of a point; Error where no point may have it.
const ConfigField& tried_field(const std::string& place, const std::string& name) {
  const ConfigField* field = sweep_field(name);
  if (!field) {
    RunConfig scratch;
    set_from(place, scratch, name, 0);  // says which is near
  }
  DUEL_CHECK(may_be_axis(name), "sweep",
             "{}: {}: all points are judged by the same images: expected {} among the settings", place, name,
             name);
  return *field;
}

SweepAxis listed_axis(const std::string& source, const ConfigField& field, const Json& list) {
  SweepAxis axis{.field = &field};
  const std::string place = axis_place(source, field.name);
  DUEL_CHECK(!list.empty(), "sweep", "{}: expected at least one value, got an empty list", place);
  for (const Json& value : list) {
    const std::string text = tried_value(source + ": axes", field, value);
    DUEL_CHECK(std::find(axis.values.begin(), axis.values.end(), text) == axis.values.end(), "sweep",
               "{}: {} is there twice; leave one of them out", place, text);
    axis.values.push_back(text);
  }
  return axis;
}

SweepAxis ranged_axis(const std::string& source, const ConfigField& field, const Json& range) {
  SweepAxis axis{.field = &field};
  const std::string place = axis_place(source, field.name);
  DUEL_CHECK(field.kind == Setting::Kind::number || field.kind == Setting::Kind::integer, "sweep",
             "{}: only numbers have a range: expected a list of values", place);
  for (const auto& [key, value] : range.items())
    DUEL_CHECK(key == "min" || key == "max" || key == "log", "sweep",
               "{}: expected min, max and log, got '{}'", place, shown(key));
  DUEL_CHECK(
      range.contains("min") && range.contains("max"), "sweep",
      "{}: expected a range {\"min\": 1e-5, \"max\": 1e-3}, \"log\": true where its logarithm is uniform",
      place);
  for (const char* end : {"min", "max"}) {
    RunConfig scratch;
    const Json& value = range.at(end);
    DUEL_CHECK(value.is_number(), "sweep", "{}: {}: expected a number, got {}", place, end,
               json::described(value));
    set_from(source + ": axes", scratch, field.name, value);
  }
  if (range.contains("log")) {
    DUEL_CHECK(range.at("log").is_boolean(), "sweep", "{}: log: expected true or false, got {}", place,
               json::described(range.at("log")));
    axis.log = range.at("log").get<bool>();
  }
  axis.low = range.at("min").get<double>();
  axis.high = range.at("max").get<double>();
  DUEL_CHECK(axis.low < axis.high, "sweep", "{}: expected min below max, got {} and {}", place, axis.low,
             axis.high);
  DUEL_CHECK(!axis.log || axis.low > 0, "sweep", "{}: expected min above 0, for it has a logarithm, got {}",
             place, axis.low);
  return axis;
}

std::vector<SweepAxis> axes_of(const std::string& source, const Json& object) {
  std::vector<SweepAxis> axes;
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  check_in_sweep(source + ": axes", names);
  for (const auto& [name, value] : object.items()) {
    const ConfigField& field = tried_field(source + ": axes", name);
    DUEL_CHECK(value.is_array() || value.is_object(), "sweep",
               "{}: expected a list of values, [1, 10], or a range {\"min\": 1, \"max\": 10}, got {}",
               axis_place(source, name), json::described(value));
    axes.push_back(value.is_array() ? listed_axis(source, field, value) : ranged_axis(source, field, value));
  }
  return axes;
}

/// Each variant's settings; one without any where the file has no variants.
std::vector<SweepValues> variants_of(const std::string& source, const Json& object) {
  if (!object.contains("variants")) return {{}};
  const Json& list = object.at("variants");
  DUEL_CHECK(list.is_array() && !list.empty(), "sweep",
             "{}: variants: expected a list of objects, [{\"cr\": 10}, {\"lecam\": 0.3}], got {}", source,
             list.is_array() ? "an empty list" : json::described(list));
  std::vector<SweepValues> variants;
  for (const Json& each : list) {
    const std::string place = message("{}: variants: {}", source, variants.size() + 1);
    DUEL_CHECK(each.is_object(), "sweep", "{}: expected an object of settings, {\"cr\": 10}, got {}", place,
               json::described(each));
    std::vector<std::string> names;
    for (const auto& [name, value] : each.items()) names.push_back(name);
    check_in_sweep(place, names);
    SweepValues values;
    for (const auto& [name, value] : each.items())
      values.emplace_back(name, tried_value(place, tried_field(place, name), value));
    DUEL_CHECK(std::find(variants.begin(), variants.end(), values) == variants.end(), "sweep",
               "{}: ({}) is there twice; leave one of them out", place, to_text(values));
    variants.push_back(std::move(values));
  }
  return variants;
}

/// One of `count`; u in [0, 1).
size_t position(double u, size_t count) {
  return std::min(static_cast<size_t>(u * static_cast<double>(count)), count - 1);
}

/// Note [Points that are drawn]; u in [0, 1).
std::string drawn_value(const SweepAxis& axis, double u) {
  if (!axis.values.empty()) return axis.values[position(u, axis.values.size())];
  const bool whole = axis.field->kind == Setting::Kind::integer;
  double value = 0;
  if (axis.log)
    value = std::exp(std::log(axis.low) + u * (std::log(axis.high) - std::log(axis.low)));
  else
    value = axis.low + u * (axis.high - axis.low + (whole ? 1 : 0));
  if (whole) {
    value = std::clamp(axis.log ? std::round(value) : std::floor(value), axis.low, axis.high);
    return std::to_string(static_cast<int64_t>(value));
  }
  value = *parse_number<double>(significant(value, kSweepDigits));
  return shortest(std::clamp(value, axis.low, axis.high));
}

std::vector<SweepValues> grid_of(const std::string& source, const std::vector<SweepValues>& variants,
                                 const std::vector<SweepAxis>& axes) {
  std::vector<SweepValues> points = variants;
  for (const SweepAxis& axis : axes) {
    DUEL_CHECK(!axis.values.empty(), "sweep",
               "{}: a range has no grid: expected a list of values, or \"runs\": how many points to draw",
               axis_place(source, axis.field->name));
    DUEL_CHECK(std::ssize(points) * std::ssize(axis.values) <= kMostPoints, "sweep",
               "{}: axes: expected at most {} points, got a grid of more; \"runs\" draws some of it", source,
               kMostPoints);
    std::vector<SweepValues> longer;
    for (const SweepValues& point : points) {
      for (const std::string& value : axis.values) {
        longer.push_back(point);
        longer.back().emplace_back(axis.field->name, value);
      }
    }
    points = std::move(longer);
  }
  return points;
}

std::vector<SweepValues> drawn_points(const std::string& source, const std::vector<SweepValues>& variants,
                                      const std::vector<SweepAxis>& axes, int64_t count, uint64_t seed) {
  constexpr int64_t kTries = 200;  // for each point, before the axes are taken to hold no more
  Generator random(seed);
  std::vector<SweepValues> points;
  std::set<SweepValues> known;
  for (int64_t tries = 0; std::ssize(points) < count; ++tries) {
    DUEL_CHECK(tries < kTries * count, "sweep",
               "{}: runs: expected at most {}, as many points as the axes hold, got {}", source,
               points.size(), count);
    const bool varied = variants.size() > 1;
    const auto u =
        random.uniform({std::ssize(axes) + varied}, 0, 1, {.dtype = DType::f64}).to_vector<double>();
    SweepValues point = variants[varied ? position(u.back(), variants.size()) : 0];
    for (size_t a = 0; a < axes.size(); ++a)
      point.emplace_back(axes[a].field->name, drawn_value(axes[a], u[a]));
    if (known.insert(point).second) points.push_back(std::move(point));
  }
  return points;
}

// ---- The file ---------------------------------------------------------------------------------------------

const std::vector<std::string>& sweep_keys() {
  static const std::vector<std::string> keys{"settings", "axes",  "variants", "runs",
                                             "seed",     "seeds", "rank-by",  "refused"};
  return keys;
}

void check_sweep_key(const std::string& source, const std::string& key) {
  if (std::find(sweep_keys().begin(), sweep_keys().end(), key) != sweep_keys().end()) return;
  DUEL_CHECK(!sweep_field(key), "sweep",
             "{}: {}: expected inside of \"settings\", of a variant, or with several values of \"axes\"",
             source, key);
  const std::string nearest = nearest_name(key, sweep_keys());
  fail("sweep", "{}: unknown key '{}'{}", source, shown(key),
       nearest.empty() ? ": expected some of " + joined(sweep_keys()) : ": did you mean '" + nearest + "'?");
}

uint64_t counted_key(const std::string& source, const std::string& key, const Json& value, uint64_t most) {
  DUEL_CHECK(value.is_number_unsigned() && value.get<uint64_t>() >= 1 && value.get<uint64_t>() <= most,
             "sweep", "{}: {}: expected an integer from 1 to {}, got {}", source, key, most,
             json::described(value));
  return value.get<uint64_t>();
}

std::vector<uint64_t> seeds_of(const std::string& source, const Json& value) {
  std::vector<uint64_t> seeds;
  if (value.is_array()) {
    for (const Json& each : value) {
      DUEL_CHECK(each.is_number_unsigned(), "sweep",
                 "{}: seeds: expected integers from 0 to 2^64 - 1, got {}", source, json::described(each));
      seeds.push_back(each.get<uint64_t>());
      DUEL_CHECK(std::find(seeds.begin(), seeds.end() - 1, seeds.back()) == seeds.end() - 1, "sweep",
                 "{}: seeds: {} is there twice; leave one of them out", source, seeds.back());
    }
    DUEL_CHECK(!seeds.empty(), "sweep", "{}: seeds: expected at least one seed, got an empty list", source);
    return seeds;
  }
  const uint64_t count = counted_key(source, "seeds", value, 10'000);
  for (uint64_t seed = 1; seed <= count; ++seed) seeds.push_back(seed);
  return seeds;
}

std::string text_key(const std::string& source, const Json& object, const std::string& key,
                     const std::string& otherwise) {
  if (!object.contains(key)) return otherwise;
  const Json& value = object.at(key);
  DUEL_CHECK(value.is_string(), "sweep", "{}: {}: expected a text in quotes, got {}", source, key,
             json::described(value));
  return value.get<std::string>();
}

const Json& object_key(const std::string& source, const Json& object, const std::string& key) {
  static const Json none = Json::object();
  if (!object.contains(key)) return none;
  DUEL_CHECK(object.at(key).is_object(), "sweep", "{}: {}: expected an object {\"lr\": …}, got {}", source,
             key, json::described(object.at(key)));
  return object.at(key);
}

std::string refusal_of(SweepPoint& point) {
  try {
    RunConfig config = point.config;
    config.device = "cpu";
    config.diagnose_every = 0;
    check_values(config);
    detail::RunSetup setup = detail::set_up(std::move(config));
    point.steps = setup.config.steps;
    detail::rehearse(setup);
    return "";
  } catch (const Failure&) {
    throw;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    return without_op(error);
  }
}

}  // namespace

std::string to_text(const SweepValues& values) {
  std::string text;
  for (const auto& [name, value] : values) text += (text.empty() ? "" : ", ") + name + "=" + value;
  return text.empty() ? "plain" : text;
}

RunConfig point_config(const SweepPlan& plan, const SweepValues& values) {
  RunConfig config = plan.base;
  for (const auto& [name, value] : values) set_field(config, name, value);
  return config;
}

SweepPlan sweep_from_json(const std::string& text, const std::string& source, std::optional<int64_t> steps) {
  const Json object =
      json::parse(text, {.op = "sweep", .source = source, .check_key = [&](const std::string& key) {
                           check_sweep_key(source, key);
                         }});
  DUEL_CHECK(object.is_object(), "sweep", "{}: expected a JSON object {\"settings\": …, \"axes\": …}, got {}",
             source, json::described(object));
  SweepPlan plan;
  plan.source = source;
  const Json& settings = object_key(source, object, "settings");
  update_from_json(plan.base, json::dumped(settings), source + ": settings");
  std::vector<std::string> names;
  for (const auto& [name, value] : settings.items()) {
    if (value.is_null()) continue;
    names.push_back(name);
    plan.settings.emplace_back(name, value_text(*sweep_field(name), value));
    check_known(source + ": settings", name, plan.settings.back().second);
  }
  check_in_sweep(source + ": settings", names);
  const std::vector<SweepAxis> axes = axes_of(source, object_key(source, object, "axes"));
  const std::vector<SweepValues> variants = variants_of(source, object);
  DUEL_CHECK(!axes.empty() || variants.size() > 1, "sweep",
             "{}: axes: expected a setting with its values, as {\"lr\": [1e-4, 2e-4]}", source);
  for (const SweepAxis& axis : axes) {
    const std::string& name = axis.field->name;
    DUEL_CHECK(std::find(names.begin(), names.end(), name) == names.end(), "sweep",
               "{}: {}: stands among settings and axes; leave one of them out", source, name);
    plan.axes.push_back(name);
  }
  for (const SweepValues& variant : variants) {
    for (const auto& [name, value] : variant) {
      DUEL_CHECK(std::find(names.begin(), names.end(), name) == names.end(), "sweep",
                 "{}: {}: stands among settings and in a variant; leave one of them out", source, name);
      const auto axis = std::find_if(axes.begin(), axes.end(),
                                     [&](const SweepAxis& each) { return each.field->name == name; });
      DUEL_CHECK(axis == axes.end(), "sweep",
                 "{}: {}: stands among axes and in a variant; leave one of them out", source, name);
      if (std::find(plan.axes.begin(), plan.axes.end(), name) == plan.axes.end()) plan.axes.push_back(name);
    }
  }
  for (const char* name : {"steps", "epochs"})
    DUEL_CHECK(!steps || std::find(plan.axes.begin(), plan.axes.end(), name) == plan.axes.end(), "sweep",
               "--steps: {} is an axis of {}; leave one of them out", name, source);
  if (steps) {
    plan.base.steps = *steps;
    plan.base.epochs = 0;
    std::erase_if(plan.settings,
                  [](const auto& each) { return each.first == "steps" || each.first == "epochs"; });
    plan.settings.emplace_back("steps", std::to_string(*steps));
  }
  DUEL_CHECK(plan.base.eval_count >= least_samples(kNeighbours), "sweep",
             "{}: settings: eval-count: expected at least {}, got {}", source, least_samples(kNeighbours),
             plan.base.eval_count);
  plan.seeds =
      object.contains("seeds") ? seeds_of(source, object.at("seeds")) : std::vector<uint64_t>{1, 2, 3};
  plan.rank_by = text_key(source, object, "rank-by", plan.rank_by);
  (void)ranking("sweep", source + ": rank-by", plan.rank_by);
  const std::string refused = text_key(source, object, "refused", "stop");
  DUEL_CHECK(refused == "stop" || refused == "skip", "sweep",
             "{}: refused: expected \"stop\" or \"skip\", got '{}'", source, shown(refused));
  plan.skip_refused = refused == "skip";
  const bool drawn = object.contains("runs");
  DUEL_CHECK(
      drawn || !object.contains("seed"), "sweep",
      "{}: seed: says how points are drawn, and none are: expected \"runs\" beside it; the runs' own are "
      "\"seeds\"",
      source);
  std::vector<SweepValues> points;
  if (drawn) {
    const uint64_t count = counted_key(source, "runs", object.at("runs"), kMostPoints);
    const Json seed = object.contains("seed") ? object.at("seed") : Json(1U);
    DUEL_CHECK(seed.is_number_unsigned(), "sweep", "{}: seed: expected an integer from 0 to 2^64 - 1, got {}",
               source, json::described(seed));
    points = drawn_points(source, variants, axes, static_cast<int64_t>(count), seed.get<uint64_t>());
  } else {
    points = grid_of(source, variants, axes);
  }
  for (SweepValues& values : points) {
    const RunConfig config = point_config(plan, values);
    plan.points.push_back({std::move(values), config});
  }
  return plan;
}

SweepPlan read_sweep(const std::filesystem::path& file, std::optional<int64_t> steps) {
  return sweep_from_json(read_file("sweep", file, kSweepFile, "the JSON file of a sweep"), file.string(),
                         steps);
}

void check_points(SweepPlan& plan) {
  detail::RunSetup setup;
  setup.config = plan.base;
  try {  // what is wrong with the data is so for all points
    detail::find_data(setup, setup.config);
  } catch (const Failure&) {
    throw;
  } catch (const Error& error) {
    fail("sweep", "{}: settings: data: {}", plan.source, without_op(error));
  }
  detail::refuse_stacked(setup, "sweep");
  kernels::parallel_for(std::ssize(plan.points), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      SweepPoint& point = plan.points[static_cast<size_t>(i)];
      point.refusal = refusal_of(point);
    }
  });
}

std::string refusals_text(const SweepPlan& plan) {
  std::string text;
  for (const SweepPoint& point : plan.points) {
    if (point.refusal.empty()) continue;
    text += "refused: " + to_text(point.values) + "\n";
    for (const std::string& line : detail::text_lines(point.refusal, 2)) text += line + "\n";
  }
  return text;
}

void check_refusals(const SweepPlan& plan) {
  const auto count = std::count_if(plan.points.begin(), plan.points.end(),
                                   [](const SweepPoint& p) { return !p.refusal.empty(); });
  if (count == 0) return;
  const std::string what =
      message("{}: {} of {} points cannot be trained", plan.source, count, plan.points.size());
  DUEL_CHECK(count < std::ssize(plan.points), "sweep", "{}, and so nothing is: change settings or axes",
             what);
  DUEL_CHECK(plan.skip_refused, "sweep",
             "{}: change settings or axes, or leave such points out with \"refused\": \"skip\"", what);
}

}  // namespace duel::gan::lab
