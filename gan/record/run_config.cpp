// The table of a run's fields. JSON is in run_json.cpp.
#include "duel/gan/record/run_config.h"

#include <cmath>
#include <type_traits>

#include "duel/core/io/internal/read_file.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/composition.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"

namespace duel::gan {
namespace {

using Kind = Setting::Kind;

template <class T>
constexpr Kind kind_of() {
  if constexpr (std::is_same_v<T, bool>)
    return Kind::truth;
  else if constexpr (std::is_floating_point_v<T>)
    return Kind::number;
  else if constexpr (std::is_same_v<T, uint64_t>)
    return Kind::unsigned_integer;
  else if constexpr (std::is_integral_v<T>)
    return Kind::integer;
  else
    return Kind::text;
}

/// Nothing for an empty text or path: they count as not set.
template <class T>
std::optional<SettingValue> value_of(const T& value) {
  if constexpr (std::is_same_v<T, int>) {
    return int64_t{value};
  } else if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (std::is_same_v<T, Norm>) {
    return to_text(value);
  } else {
    const std::string text(value);
    return text.empty() ? std::nullopt : std::optional<SettingValue>(text);
  }
}

template <class T>
void set_value(T& member, const SettingValue& value) {
  if constexpr (std::is_same_v<T, int>)
    member = static_cast<int>(std::get<int64_t>(value));
  else if constexpr (std::is_arithmetic_v<T>)
    member = std::get<T>(value);
  else if constexpr (std::is_same_v<T, Norm>)
    member = parse_norm(std::get<std::string>(value));
  else
    member = std::get<std::string>(value);
}

// ---- The table --------------------------------------------------------------------------------------------

/// A row from a function that finds the member in a RunConfig.
template <class Member>
ConfigField row(std::string name, std::string group, std::string help, Member member, Bounds range = {}) {
  using T = std::remove_reference_t<decltype(member(std::declval<RunConfig&>()))>;
  ConfigField field;
  field.name = std::move(name);
  field.group = std::move(group);
  field.help = std::move(help);
  field.kind = kind_of<T>();
  field.range = range;
  if constexpr (std::is_same_v<T, Norm>) field.words = norm_texts();
  field.get = [member](const RunConfig& config) {
    return value_of<T>(member(const_cast<RunConfig&>(config)));
  };
  field.set = [member](RunConfig& config, const SettingValue& value) { set_value<T>(member(config), value); };
  if (const auto value = field.get(RunConfig()); value && field.kind != Kind::truth)
    field.standard = text_of(*value);
  return field;
}

ConfigField changeable(ConfigField field) {
  field.may_change = true;
  return field;
}
/// Not part of what is trained, so not written to config.json: a run from that file goes into a folder of its
/// own.
ConfigField not_stored(ConfigField field) {
  field.stored = false;
  field.may_change = true;
  return field;
}
/// With a default that the member does not tell.
ConfigField standing_for(std::string standard, ConfigField field) {
  field.standard = std::move(standard);
  return field;
}

ConfigField of_objective(const ObjectiveSetting& setting) {
  ConfigField field{setting, default_text(setting)};
  field.stored = setting.place.parts.empty();
  field.get = [name = setting.name](const RunConfig& config) { return config.overrides.find(name); };
  field.set = [name = setting.name, axis = setting.place.axis](RunConfig& config, const SettingValue& value) {
    config.overrides.set(name, value);
    if (axis && !config.objective_named && config.objective == RunConfig().objective)
      config.objective = kComposed;
  };
  return field;
}

ConfigField names_of_classes() {
  ConfigField field;
  field.name = "class-names";
  field.help = "labels of a conditional objective's classes, as 1-26; none: 0, 1, ...";
  field.get = [](const RunConfig& config) -> std::optional<SettingValue> {
    if (config.class_names.empty()) return std::nullopt;
    return class_names_text(config.class_names);
  };
  field.set = [](RunConfig& config, const SettingValue& value) {
    config.class_names = parse_class_names(std::get<std::string>(value));
  };
  return field;
}

ConfigField words_of_classes() {
  ConfigField field;
  field.name = "class-words";
  field.help = "what the classes are called, as cat/dog; none: as their labels";
  field.get = [](const RunConfig& config) -> std::optional<SettingValue> {
    if (config.class_words.empty()) return std::nullopt;
    return class_words_text(config.class_words);
  };
  field.set = [](RunConfig& config, const SettingValue& value) {
    config.class_words = parse_class_words(std::get<std::string>(value));
  };
  return field;
}

/// A field that stands in config.json where it says something alone: others read as they did before it was there.
ConfigField stored_where(bool (*says)(const RunConfig&), ConfigField field) {
  field.get = [says, get = field.get](const RunConfig& config) {
    return says(config) ? get(config) : std::nullopt;
  };
  return field;
}

#define DUEL_FIELD(path) \
  [](RunConfig & c) -> auto& { return c.path; }

std::vector<ConfigField> make_fields() {
  const char *run = "Run", *nets = "Networks", *data = "Data", *output = "Output";
  constexpr double many = 1LL << 40;
  std::vector<ConfigField> fields = {row("objective", "Objective",
                                         "what the networks fight about: " + joined(objective_names()),
                                         DUEL_FIELD(objective))};
  fields[0].set = [](RunConfig& config, const SettingValue& value) {
    config.objective = std::get<std::string>(value);
    config.objective_named = true;
  };
  for (const ObjectiveSetting& setting : objective_settings()) fields.push_back(of_objective(setting));
  const std::vector<ConfigField> others = {
      row("arch", nets, network_names_text() + "; `duel networks` says what they are",
          DUEL_FIELD(networks.arch)),
      row("latent", nets, "size of z; 0: the architecture's", DUEL_FIELD(networks.latent),
          between(0, 1 << 16)),
      row("channels-g", nets, "width of G; 0: the architecture's", DUEL_FIELD(networks.channels_g),
          between(0, 1 << 14)),
      row("channels-d", nets, "width of D; 0: the architecture's", DUEL_FIELD(networks.channels_d),
          between(0, 1 << 14)),
      row("norm-g", nets, "in G; auto is the architecture's", DUEL_FIELD(networks.generator_norm)),
      row("norm-d", nets, "in D; auto is the architecture's where the objective allows it",
          DUEL_FIELD(networks.discriminator_norm)),
      row("minibatch-stddev", nets, "D sees how much the batch varies; not under a gradient penalty",
          DUEL_FIELD(networks.minibatch_stddev)),
      row("height", "", "rows of an image; 0: the data's", DUEL_FIELD(networks.height), between(0, 4096)),
      row("width", "", "columns of an image; 0: the data's", DUEL_FIELD(networks.width), between(0, 4096)),
      stored_where([](const RunConfig& c) { return c.networks.image_channels > 1; },
                   row("image-channels", "", "colours of an image, where there are several",
                       DUEL_FIELD(networks.image_channels), between(0, 4))),
      row("classes", "", "classes of a conditional objective; 0: the data's", DUEL_FIELD(networks.classes),
          between(0, 1 << 16)),
      names_of_classes(),
      words_of_classes(),

      changeable(row(
          "data", data,
          "images: a folder with the files of MNIST, EMNIST or CIFAR-10, or with PNGs and JPEGs (a sub-folder "
          "for each class), an IDX file, .npy, .npz (`duel data` shows what is there); 'synthetic' (drawn "
          "digits), or 'auto': $DUEL_DATA, data/mnist, else synthetic; 'stacked', 'stacked:DIR', "
          "'stacked:synthetic': three of these digits as the colours of an image",
          DUEL_FIELD(data))),
      row("synthetic-count", data, "digits to draw", DUEL_FIELD(synthetic_count), between(1, 10'000'000)),
      stored_where([](const RunConfig& c) { return c.data_count > 0; },
                   row("data-count", data, "training images used, the first ones; 0: all",
                       DUEL_FIELD(data_count), between(0, 10'000'000))),
      stored_where(
          [](const RunConfig& c) { return c.image_options.resize > 0; },
          row("resize", data,
              "bring images to so many pixels a side: the square in the middle, smaller by the mean over "
              "areas, larger bilinearly; 0: as they are",
              DUEL_FIELD(image_options.resize), between(0, 4096))),
      stored_where([](const RunConfig& c) { return c.image_options.gray; },
                   row("gray", data, "colours become their brightness", DUEL_FIELD(image_options.gray))),
      stored_where(
          [](const RunConfig& c) { return !c.image_options.classes.empty(); },
          row("data-classes", data, "images of these classes alone, as 3,8 or 1-5 or cat,dog; none: all",
              DUEL_FIELD(image_options.classes))),
      stored_where([](const RunConfig& c) { return data_name(c.data).stacked; },
                   row("stacked-count", data, "stacked images to make", DUEL_FIELD(stacked_count),
                       between(1, 1'000'000))),
      row("batch", data, "images per step", DUEL_FIELD(batch), between(1, 1 << 20)),

      changeable(standing_for(std::to_string(kDefaultSteps),
                              row("steps", run, "iterations, each some steps of D and one of G",
                                  DUEL_FIELD(steps), between(0, many)))),
      changeable(standing_for(
          "", row("epochs", run, "the same in passes of G's batches over the data; not with --steps",
                  DUEL_FIELD(epochs), between(0, 1e9)))),
      row("seed", run, "decides every random number; the same seed gives the same bits", DUEL_FIELD(seed)),
      changeable(row("threads", run, "CPU threads; 0: every core", DUEL_FIELD(threads),
                     between(0, kernels::kMaxThreads))),
      changeable(row("device", run, "auto, cpu or cuda", DUEL_FIELD(device))),
      changeable(row("anomaly", run, "stop at the op that makes the first NaN (slow)", DUEL_FIELD(anomaly))),
      not_stored(
          row("resume", run, "continue the run in --out from its latest checkpoint", DUEL_FIELD(resume))),
      row("init", run,
          "start from the weights in this file, G's, D's or both, of duel export, of PyTorch or a checkpoint",
          DUEL_FIELD(init)),
      not_stored(row(
          "fork", run,
          "start a new run from the state and the settings of another: RUN@STEP, RUN@latest, RUN@best or a "
          "checkpoint; flags win",
          DUEL_FIELD(fork))),

      not_stored(standing_for("runs/NNNNN-ARCH-OBJECTIVE",
                              row("out", output, "run directory, not there yet", DUEL_FIELD(out)))),
      changeable(row("log-every", output, "iterations between lines of metrics.jsonl", DUEL_FIELD(log_every),
                     between(1, many))),
      changeable(row("diagnose-every", output,
                     "iterations between looks inside (gan/README.md, Diagnostics); 0: never",
                     DUEL_FIELD(diagnose_every), between(0, many))),
      changeable(row("sample-every", output, "iterations between sample grids; 0: only first and last",
                     DUEL_FIELD(sample_every), between(0, many))),
      row("sample-count", output, "images in a sample grid", DUEL_FIELD(sample_count), between(1, 4096)),
      changeable(row("eval-every", output,
                     "iterations between looks of a judge at samples (duel eval's measures); 0: never",
                     DUEL_FIELD(eval_every), between(0, many))),
      changeable(row("eval-count", output, "samples, and real images, that the judge sees",
                     DUEL_FIELD(eval_count), between(1, 100'000))),
      changeable(
          row("keep-best", output,
              "a measure of duel eval, as fd: the checkpoint where it was best is kept, checkpoints/best_*",
              DUEL_FIELD(keep_best))),
      changeable(
          row("stop-if", output,
              "end the run where this becomes true of samples, as 'modes<3' or 'fd>50': where it is true at "
              "a look and was not at an earlier one",
              DUEL_FIELD(stop_if))),
      stored_where(
          [](const RunConfig& c) { return c.tensorboard; },
          changeable(row("tensorboard", output,
                         "also write TensorBoard's event files: every measure, sample grids, histograms",
                         DUEL_FIELD(tensorboard)))),
      changeable(row("checkpoint-every", output, "iterations between checkpoints; 0: only the last",
                     DUEL_FIELD(checkpoint_every), between(0, many))),
      changeable(row("keep", output, "checkpoints to keep, the latest ones", DUEL_FIELD(keep),
                     between(1, 1'000'000))),
  };
  fields.insert(fields.end(), others.begin(), others.end());
  return fields;
}

#undef DUEL_FIELD

std::string read_text(const std::filesystem::path& file) {
  return read_file("config", file, size_t{1} << 20, "a JSON file, as the config.json of a run directory");
}

}  // namespace

const std::vector<ConfigField>& config_fields() {
  static const std::vector<ConfigField> fields = make_fields();
  return fields;
}

const ConfigField& config_field(const std::string& name) {
  std::vector<std::string> names;
  for (const ConfigField& field : config_fields()) {
    if (field.name == name) return field;
    names.push_back(field.name);
  }
  const std::string nearest = nearest_name(name, names);
  fail("config", "unknown field '{}'{}", name,
       nearest.empty() ? "; duel train --help lists them" : ": did you mean '" + nearest + "'?");
}

void set_field(RunConfig& config, const std::string& name, const std::string& text) {
  const ConfigField& field = config_field(name);
  field.set(config, field.parsed("config", text));
}

void check_values(const RunConfig& c) {
  for (const ConfigField& field : config_fields()) {
    if (const auto value = field.get(c)) field.checked("config", *value);
  }
  DUEL_CHECK(c.steps == 0 || c.epochs == 0, "config", "steps and epochs: expected one of them, got {} and {}",
             c.steps, c.epochs);
  const auto names = static_cast<int64_t>(c.class_names.size());
  DUEL_CHECK(names == 0 || c.networks.classes == 0 || c.networks.classes == names, "config",
             "class-names: expected names of {} classes, got {}: {}", c.networks.classes, names,
             class_names_text(c.class_names));
  const auto words = static_cast<int64_t>(c.class_words.size());
  DUEL_CHECK(words == 0 || words == static_cast<int64_t>(class_names_of(c).size()), "config",
             "class-words: expected names of {} classes, got {}", class_names_of(c).size(), words);
}

DataName data_name(const std::string& data) {
  constexpr std::string_view stacked = "stacked";
  if (data == stacked) return {.stacked = true};
  if (!data.starts_with("stacked:")) return {.digits = data};
  const std::string digits = data.substr(stacked.size() + 1);
  DUEL_CHECK(
      !digits.empty(), "config",
      "data: expected stacked:DIR or stacked:synthetic, got '{}'; stacked alone takes MNIST where it is found",
      data);
  return {.stacked = true, .digits = digits};
}

std::string to_text(const DataName& name) { return name.stacked ? "stacked:" + name.digits : name.digits; }

std::vector<int64_t> class_names_of(const RunConfig& c) {
  return c.class_names.empty() ? counted_names(c.networks.classes) : c.class_names;
}

int64_t total_steps(const RunConfig& c, int64_t images) {
  if (c.steps > 0) return c.steps;
  if (c.epochs > 0) {
    return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(c.epochs * static_cast<double>(images) /
                                                               static_cast<double>(c.batch))));
  }
  return kDefaultSteps;
}

RunConfig run_config_from_json(const std::string& text, const std::string& source) {
  RunConfig config;
  update_from_json(config, text, source);
  return config;
}

RunConfig read_run_config(const std::filesystem::path& file) {
  return run_config_from_json(read_text(file), file.string());
}

RunConfig stored_config_from_json(const std::string& text, const std::string& source) {
  RunConfig config = run_config_from_json(text, source);
  config.overrides = without_idle(config.objective, config.overrides);
  return config;
}

RunConfig read_stored_config(const std::filesystem::path& file) {
  return stored_config_from_json(read_text(file), file.string());
}

void update_from_file(RunConfig& config, const std::filesystem::path& file) {
  update_from_json(config, read_text(file), file.string());
}

}  // namespace duel::gan
