// The table of a run's fields. JSON is in run_json.cpp.
#include "duel/gan/record/run_config.h"

#include <cmath>
#include <type_traits>

#include "duel/core/io/internal/read_file.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/models/network.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "duel/kernels/base/settings.h"

namespace duel::gan {
namespace {

using Kind = ConfigField::Kind;

// ---- One value from and to text ---------------------------------------------------------------------------

template <class T>
struct Unwrapped {
  using type = T;
};
template <class T>
struct Unwrapped<std::optional<T>> {
  using type = T;
};

constexpr std::pair<OptimizerKind, const char*> kOptimizers[] = {
    {OptimizerKind::adam, "adam"}, {OptimizerKind::rmsprop, "rmsprop"}, {OptimizerKind::sgd, "sgd"}};

constexpr std::pair<Update, const char*> kUpdates[] = {{Update::alternating, "alternating"},
                                                       {Update::simultaneous, "simultaneous"},
                                                       {Update::extragradient, "extragradient"},
                                                       {Update::consensus, "consensus"}};

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    if constexpr (std::is_floating_point_v<T>)
      return shortest(value);
    else
      return std::to_string(value);
  } else if constexpr (std::is_same_v<T, OptimizerKind>) {
    for (const auto& [kind, name] : kOptimizers) {
      if (kind == value) return name;
    }
    return "?";
  } else if constexpr (std::is_same_v<T, Update>) {
    for (const auto& [kind, name] : kUpdates) {
      if (kind == value) return name;
    }
    return "?";
  } else if constexpr (std::is_same_v<T, Norm>) {
    return to_text(value);
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    return value.string();
  } else {
    return value;
  }
}

template <class T>
T value_from(const std::string& name, const std::string& text) {
  if constexpr (std::is_same_v<T, bool>) {
    DUEL_CHECK(text == "true" || text == "false" || text.empty(), "config",
               "{}: expected true or false, got '{}'", name, text);
    return text != "false";
  } else if constexpr (std::is_arithmetic_v<T>) {
    return parsed<T>("config", name, text);
  } else if constexpr (std::is_same_v<T, OptimizerKind>) {
    for (const auto& [kind, known] : kOptimizers) {
      if (text == known) return kind;
    }
    fail("config", "{}: expected adam, rmsprop or sgd, got '{}'", name, text);
  } else if constexpr (std::is_same_v<T, Update>) {
    for (const auto& [kind, known] : kUpdates) {
      if (text == known) return kind;
    }
    fail("config", "{}: expected alternating, simultaneous, extragradient or consensus, got '{}'", name,
         text);
  } else if constexpr (std::is_same_v<T, Norm>) {
    return parse_norm(text);
  } else {
    DUEL_CHECK(!text.empty(), "config", "{}: expected a value, got an empty text", name);
    return T(text);
  }
}

template <class T>
constexpr Kind kind_of() {
  if constexpr (std::is_same_v<T, bool>)
    return Kind::truth;
  else if constexpr (std::is_floating_point_v<T>)
    return Kind::number;
  else if constexpr (std::is_integral_v<T>)
    return Kind::integer;
  else
    return Kind::text;
}

// ---- The table --------------------------------------------------------------------------------------------

/// A row from a function that finds the member in a RunConfig. An optional that is empty, and an empty text
/// or path, count as not set.
template <class Member>
ConfigField row(std::string name, std::string group, std::string help, Member member) {
  using Field = std::remove_reference_t<decltype(member(std::declval<RunConfig&>()))>;
  using T = typename Unwrapped<Field>::type;
  ConfigField field;
  field.name = name;
  field.group = std::move(group);
  field.help = std::move(help);
  field.kind = kind_of<T>();
  field.get = [member](const RunConfig& config) -> std::optional<std::string> {
    const Field& value = member(const_cast<RunConfig&>(config));
    if constexpr (!std::is_same_v<Field, T>) {
      return value ? std::optional(text_of(*value)) : std::nullopt;
    } else {
      std::string text = text_of(value);
      return text.empty() ? std::nullopt : std::optional(std::move(text));
    }
  };
  field.set = [member, name](RunConfig& config, const std::string& text) {
    member(config) = value_from<T>(name, text);
  };
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

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

ConfigField both_rates(const char* group) {
  ConfigField field;
  field.name = "lr";
  field.group = group;
  field.help = "learning rate of D and G, per step [the objective's]";
  field.kind = Kind::number;
  field.stored = false;
  field.get = [](const RunConfig&) -> std::optional<std::string> { return std::nullopt; };
  field.set = [](RunConfig& config, const std::string& text) {
    const double rate = value_from<double>("lr", text);
    DUEL_CHECK(rate > 0, "config", "lr: expected a positive number, got {}", text);
    config.overrides.lr_d = config.overrides.lr_g = rate;
  };
  return field;
}

ConfigField names_of_classes() {
  ConfigField field;
  field.name = "class-names";
  field.help = "labels of a conditional objective's classes, as 1-26; none: 0, 1, ...";
  field.get = [](const RunConfig& config) -> std::optional<std::string> {
    return config.class_names.empty() ? std::nullopt : std::optional(class_names_text(config.class_names));
  };
  field.set = [](RunConfig& config, const std::string& text) {
    config.class_names = parse_class_names(text);
  };
  return field;
}

#define DUEL_FIELD(path) \
  [](RunConfig & c) -> auto& { return c.path; }

std::vector<ConfigField> make_fields() {
  const char *run = "Run", *objective = "Objective", *rates = "Optimizers", *nets = "Networks",
             *data = "Data", *output = "Output";
  return {
      row("objective", objective, "what the networks fight about: " + listed(objective_names()) + " [ns-gan]",
          DUEL_FIELD(objective)),
      row("lambda", objective, "weight of the gradient penalty [the objective's]",
          DUEL_FIELD(overrides.lambda)),
      row("k", objective, "gradient norm that the penalty aims at [1]", DUEL_FIELD(overrides.k)),
      row("clip", objective, "wgan: D's weights stay within +-NUM [0.01]", DUEL_FIELD(overrides.clip)),
      row("spectral-norm", objective,
          "every weight of D divided by its largest singular value [the objective's]",
          DUEL_FIELD(overrides.spectral_norm)),
      row("label-a", objective, "least squares: D's target for fakes [0]", DUEL_FIELD(overrides.label_a)),
      row("label-b", objective, "least squares: D's target for reals [1]", DUEL_FIELD(overrides.label_b)),
      row("label-c", objective, "least squares: G's target for fakes [1]", DUEL_FIELD(overrides.label_c)),
      row("square-weight", objective, "least squares: factor of every squared distance [0.5]",
          DUEL_FIELD(overrides.square_weight)),
      row("label-smoothing", objective, "D's target for reals is 1 - NUM; cross-entropy losses only [0]",
          DUEL_FIELD(overrides.label_smoothing)),
      row("divergence-alpha", objective, "fgan-alpha: which of the alpha divergences, not 0 or 1 [0.5]",
          DUEL_FIELD(overrides.divergence_alpha)),
      row("margin", objective, "ebgan: energy up to which D pushes fakes [0.3]",
          DUEL_FIELD(overrides.margin)),
      row("pull-away", objective, "ebgan: weight of the pull-away term [0.1]",
          DUEL_FIELD(overrides.pull_away)),
      row("gamma", objective, "began: E(G(z)) / E(x) that the game is held at, in [0, 1] [0.9]",
          DUEL_FIELD(overrides.gamma)),
      row("lambda-k", objective, "began: rate of the controller that holds it [0.05]",
          DUEL_FIELD(overrides.lambda_k)),
      row("class-weight", objective, "acgan: weight of the class loss [1]",
          DUEL_FIELD(overrides.class_weight)),
      row("info-weight", objective, "infogan: weight of the code loss [1]",
          DUEL_FIELD(overrides.info_weight)),
      row("code-classes", objective, "infogan: values of the categorical code; 0: none [10]",
          DUEL_FIELD(overrides.code_classes)),
      row("code-values", objective, "infogan: number of continuous codes [2]",
          DUEL_FIELD(overrides.code_values)),
      row("critic-steps", objective, "updates of D per update of G [the objective's]",
          DUEL_FIELD(overrides.critic_steps)),
      row("generator-steps", objective, "updates of G per iteration [1; geometric-gan 10]",
          DUEL_FIELD(overrides.generator_steps)),
      row("generator-batch", objective, "G's batch as a multiple of D's [1]",
          DUEL_FIELD(overrides.generator_batch)),
      row("critic-warmup", objective,
          "updates of D in the first 25 iterations and every 500th; 0: as always [0; WGAN's code 100]",
          DUEL_FIELD(overrides.critic_warmup)),
      row("update", objective,
          "alternating, simultaneous, extragradient or consensus; of these three the last of an iteration's "
          "critic-steps moves both players, those before it D alone [the objective's]",
          DUEL_FIELD(overrides.update)),
      row("consensus", objective, "weight of the consensus update's regulariser [0.1]",
          DUEL_FIELD(overrides.consensus)),
      row("unroll", objective, "G plays against D so many of its steps ahead [0; unrolled 5]",
          DUEL_FIELD(overrides.unroll)),
      row("label-flip", objective, "probability that D is told a real image is fake and a fake one real [0]",
          DUEL_FIELD(overrides.label_flip)),
      row("feature-matching", objective, "weight of the distance of D's mean features in G's loss [0]",
          DUEL_FIELD(overrides.feature_matching)),
      row("lazy-interval", objective, "penalty only every INT critic steps, its weight times INT [1]",
          DUEL_FIELD(overrides.lazy_interval)),
      row("instance-noise", objective, "deviation of normal noise on D's inputs, pixels in [-1, 1] [0]",
          DUEL_FIELD(overrides.instance_noise)),
      row("instance-noise-steps", objective, "iterations until that noise has faded to 0; 0: it stays [0]",
          DUEL_FIELD(overrides.instance_noise_steps)),
      row("packing", objective, "images that D judges together, divides the batch [1]",
          DUEL_FIELD(overrides.packing)),

      row("optimizer", rates, "adam, rmsprop or sgd [the objective's]", DUEL_FIELD(overrides.optimizer)),
      both_rates(rates),
      row("lr-d", rates, "learning rate of D alone", DUEL_FIELD(overrides.lr_d)),
      row("lr-g", rates, "learning rate of G alone", DUEL_FIELD(overrides.lr_g)),
      row("lr-decay-steps", rates, "both rates fall linearly to 0 over INT iterations; 0: constant [0]",
          DUEL_FIELD(overrides.lr_decay_steps)),
      row("beta1", rates, "Adam's decay of the first moment, in [0, 1) [the objective's]",
          DUEL_FIELD(overrides.beta1)),
      row("beta2", rates, "Adam's decay of the second moment, in [0, 1) [the objective's]",
          DUEL_FIELD(overrides.beta2)),
      row("ema", rates, "decay of the average of G's weights that samples use, in [0, 1); 0: none [0]",
          DUEL_FIELD(overrides.ema)),

      row("arch", nets, network_names_text() + " [dcgan]", DUEL_FIELD(networks.arch)),
      row("latent", nets,
          "size of z; 0: the architecture's, " + network_size_text(&NetworkRow::latent) + " [0]",
          DUEL_FIELD(networks.latent)),
      row("channels-g", nets,
          "width of G; 0: the architecture's, " + network_size_text(&NetworkRow::channels_g) + " [0]",
          DUEL_FIELD(networks.channels_g)),
      row("channels-d", nets,
          "width of D; 0: the architecture's, " + network_size_text(&NetworkRow::channels_d) + " [0]",
          DUEL_FIELD(networks.channels_d)),
      row("norm-g", nets, "auto, none, batch, layer or instance [auto]", DUEL_FIELD(networks.generator_norm)),
      row("norm-d", nets, "the same for D; auto: batch where the objective allows it [auto]",
          DUEL_FIELD(networks.discriminator_norm)),
      row("minibatch-stddev", nets, "D sees how much the batch varies; not under a gradient penalty",
          DUEL_FIELD(networks.minibatch_stddev)),
      row("height", "", "rows of an image; 0: the data's", DUEL_FIELD(networks.height)),
      row("width", "", "columns of an image; 0: the data's", DUEL_FIELD(networks.width)),
      row("classes", "", "classes of a conditional objective; 0: the data's", DUEL_FIELD(networks.classes)),
      names_of_classes(),

      changeable(row("data", data,
                     "folder with MNIST's IDX files, 'synthetic' (drawn digits), or 'auto': $DUEL_DATA, "
                     "data/mnist, else "
                     "synthetic [auto]",
                     DUEL_FIELD(data))),
      row("synthetic-count", data, "digits to draw [60000]", DUEL_FIELD(synthetic_count)),
      row("batch", data, "images per step [64]", DUEL_FIELD(batch)),

      changeable(
          row("steps", run, "iterations, each some steps of D and one of G [3000]", DUEL_FIELD(steps))),
      changeable(row("epochs", run, "the same in passes of G's batches over the data; not with --steps",
                     DUEL_FIELD(epochs))),
      row("seed", run, "decides every random number; the same seed gives the same bits [1]",
          DUEL_FIELD(seed)),
      changeable(row("threads", run, "CPU threads; 0: every core [0]", DUEL_FIELD(threads))),
      changeable(row("device", run, "auto, cpu or cuda [auto]", DUEL_FIELD(device))),
      changeable(row("anomaly", run, "stop at the op that makes the first NaN (slow)", DUEL_FIELD(anomaly))),
      not_stored(
          row("resume", run, "continue the run in --out from its latest checkpoint", DUEL_FIELD(resume))),

      not_stored(
          row("out", output, "run directory, not there yet [runs/NNNNN-ARCH-OBJECTIVE]", DUEL_FIELD(out))),
      changeable(
          row("log-every", output, "iterations between lines of metrics.jsonl [20]", DUEL_FIELD(log_every))),
      changeable(row("diagnose-every", output,
                     "iterations between looks inside (gan/README.md, Diagnostics); 0: never [100]",
                     DUEL_FIELD(diagnose_every))),
      changeable(row("sample-every", output, "iterations between sample grids; 0: only first and last [200]",
                     DUEL_FIELD(sample_every))),
      row("sample-count", output, "images in a sample grid [64]", DUEL_FIELD(sample_count)),
      changeable(row("checkpoint-every", output, "iterations between checkpoints; 0: only the last [500]",
                     DUEL_FIELD(checkpoint_every))),
      changeable(row("keep", output, "checkpoints to keep, the latest ones [3]", DUEL_FIELD(keep))),
  };
}

#undef DUEL_FIELD

void check_range(const char* name, int64_t value, int64_t low, int64_t high) {
  DUEL_CHECK(value >= low && value <= high, "config", "{}: expected an integer from {} to {}, got {}", name,
             low, high, value);
}

std::string read_text(const std::filesystem::path& file) {
  return read_file("config", file, size_t{1} << 20, "a JSON file, as the config.json of a run directory");
}

}  // namespace

const std::vector<ConfigField>& config_fields() {
  static const std::vector<ConfigField> fields = make_fields();
  return fields;
}

void set_field(RunConfig& config, const std::string& name, const std::string& value) {
  std::vector<std::string> names;
  for (const ConfigField& field : config_fields()) {
    if (field.name == name) return field.set(config, value);
    names.push_back(field.name);
  }
  const std::string nearest = nearest_name(name, names);
  fail("config", "unknown field '{}'{}", name,
       nearest.empty() ? "; duel train --help lists them" : ": did you mean '" + nearest + "'?");
}

void check_values(const RunConfig& c) {
  constexpr int64_t many = int64_t{1} << 40;
  check_range("batch", c.batch, 1, 1 << 20);
  check_range("steps", c.steps, 0, many);
  DUEL_CHECK(c.epochs >= 0 && c.epochs <= 1e9, "config", "epochs: expected a number from 0 to 1e9, got {}",
             c.epochs);
  DUEL_CHECK(c.steps == 0 || c.epochs == 0, "config", "steps and epochs: expected one of them, got {} and {}",
             c.steps, c.epochs);
  check_range("synthetic-count", c.synthetic_count, 1, 10'000'000);
  check_range("threads", c.threads, 0, kernels::kMaxThreads);
  check_range("log-every", c.log_every, 1, many);
  check_range("diagnose-every", c.diagnose_every, 0, many);
  check_range("sample-every", c.sample_every, 0, many);
  check_range("checkpoint-every", c.checkpoint_every, 0, many);
  check_range("keep", c.keep, 1, 1'000'000);
  check_range("sample-count", c.sample_count, 1, 4096);
  check_range("latent", c.networks.latent, 0, 1 << 16);
  check_range("channels-g", c.networks.channels_g, 0, 1 << 14);
  check_range("channels-d", c.networks.channels_d, 0, 1 << 14);
  const auto names = static_cast<int64_t>(c.class_names.size());
  DUEL_CHECK(names == 0 || c.networks.classes == 0 || c.networks.classes == names, "config",
             "class-names: expected names of {} classes, got {}: {}", c.networks.classes, names,
             class_names_text(c.class_names));
  check_range("height", c.networks.height, 0, 4096);
  check_range("width", c.networks.width, 0, 4096);
  check_range("classes", c.networks.classes, 0, 1 << 16);
  check_range("packing", c.overrides.packing.value_or(1), 1, 1 << 10);
  check_range("code-classes", c.overrides.code_classes.value_or(0), 0, 1 << 16);
  check_range("code-values", c.overrides.code_values.value_or(0), 0, 1 << 16);
  check_range("generator-batch", c.overrides.generator_batch.value_or(1), 1, many);
  check_range("critic-steps", c.overrides.critic_steps.value_or(1), 1, 1 << 20);
  check_range("generator-steps", c.overrides.generator_steps.value_or(1), 1, 1 << 20);
  check_range("unroll", c.overrides.unroll.value_or(0), 0, 1 << 10);
}

std::vector<int64_t> class_names_of(const RunConfig& c) {
  return c.class_names.empty() ? counted_names(c.networks.classes) : c.class_names;
}

int64_t total_steps(const RunConfig& c, int64_t images) {
  if (c.steps > 0) return c.steps;
  if (c.epochs > 0) {
    return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(c.epochs * static_cast<double>(images) /
                                                               static_cast<double>(c.batch))));
  }
  return 3000;
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
