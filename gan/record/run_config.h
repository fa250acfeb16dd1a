// The configuration of a training run: one struct, one table of its fields, and JSON.
//
// A field of the table is at once a flag of `duel train` and a key of config.json, in kebab-case; both read
// it with the same setter, so both give the same errors. Adding a setting is one member here and one row in
// run_config.cpp.
//
// Example:
//   RunConfig config = run_config_from_json(text, "runs/a/config.json");
//   set_field(config, "lr-d", "1e-4");
//   std::string again = to_json(config);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/models/models.h"
#include "duel/gan/objective/objective.h"

namespace duel::gan {

struct RunConfig {
  std::string objective = "ns-gan";
  ObjectiveOverrides overrides;
  NetworkOptions networks{.height = 0, .width = 0};  // sides 0: the data's; packing: overrides.packing counts
  // labels of the classes (class_names.h); empty: 0, 1, … networks.classes - 1
  std::vector<int64_t> class_names = {};
  std::string data =
      "auto";  // folder with IDX files, "synthetic", or "auto": MNIST where it is found, else synthetic
  int64_t synthetic_count = 60000;
  int64_t batch = 64;
  int64_t steps = 0;  // iterations; 0: from epochs
  double epochs = 0;  // passes of G's batches over the data; 0 with steps 0: the default of 3000 iterations
  uint64_t seed = 1;
  int threads = 0;  // 0: all cores
  std::string device = "auto";
  std::filesystem::path out;  // empty: runs/NNNNN-arch-objective
  int64_t log_every = 20, diagnose_every = 100, sample_every = 200, checkpoint_every = 500, keep = 3;
  int64_t sample_count = 64;
  bool anomaly = false;  // stop at the op that makes the first NaN (slow)
  bool resume = false;   // continue the run in `out` from its latest checkpoint

  std::vector<std::string> argv;  // not a field: the command line, for run.json
};

struct ConfigField {
  enum class Kind { number, integer, text, truth };
  std::string name;   // flag and key
  std::string group;  // heading in --help; empty: not shown there
  std::string help;   // what, unit and default
  Kind kind = Kind::text;
  bool stored = true;       // stands in config.json; otherwise it says where, not what, and is only read
  bool may_change = false;  // whether a resumed run may have another value
  std::function<std::optional<std::string>(const RunConfig&)> get;  // nothing: not set
  std::function<void(RunConfig&, const std::string&)> set;          // throws Error naming the field
};

/// All fields, in the order of --help and config.json.
const std::vector<ConfigField>& config_fields();

/// By name; an unknown one is an Error with the nearest name.
void set_field(RunConfig& config, const std::string& name, const std::string& value);

/// Throws Error naming the first field whose value cannot be (objective's and networks' own checks come on
/// top).
void check_values(const RunConfig& config);

/// Labels of the classes of a conditional run, by their numbers; none of another one.
std::vector<int64_t> class_names_of(const RunConfig& config);

/// The iterations that steps and epochs ask for, with `images` in the data set.
int64_t total_steps(const RunConfig& config, int64_t images);

/// JSON with every stored field, and back; unknown keys and wrong types are Errors naming `source`, the key
/// and the nearest known one. Unset fields are left out.
std::string to_json(const RunConfig& config);
RunConfig run_config_from_json(const std::string& text, const std::string& source);
/// The same, over values that are there already.
void update_from_json(RunConfig& config, const std::string& text, const std::string& source);

/// Reads a configuration file of at most 1 MiB.
RunConfig read_run_config(const std::filesystem::path& file);
/// The same from the config.json of a run that was started: values that say nothing there (without_idle) are
/// left out.
RunConfig read_stored_config(const std::filesystem::path& file);
RunConfig stored_config_from_json(const std::string& text, const std::string& source);
void update_from_file(RunConfig& config, const std::filesystem::path& file);

}  // namespace duel::gan
