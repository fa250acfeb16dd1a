// The configuration of a training run: one struct, one table of its fields, and JSON.
//
// A field of the table is at once a flag of `duel train` and a key of config.json, in kebab-case. Texts and JSON
// become values in one place (settings.h), so both give the same errors. A setting of objectives is a row of
// gan/objective/rows/objective_settings.cpp and is found here by itself; any other one is one member here and one
// row in run_config.cpp. Its default is the member's: the help shows it.
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

#include "duel/gan/data/image_files.h"
#include "duel/gan/models/models.h"
#include "duel/gan/objective/objective.h"

namespace duel::gan {

inline constexpr int64_t kDefaultSteps = 3000;

struct RunConfig {
  // set_field() and JSON make it "composed" (composition.h) where an axis is set (loss, say) and no objective is
  std::string objective = "ns-gan";
  ObjectiveOverrides overrides;
  // sides and channels 0: the data's; packing: overrides.packing counts
  NetworkOptions networks{.height = 0, .width = 0, .image_channels = 0};
  // labels of the classes (class_names.h); empty: 0, 1, … networks.classes - 1
  std::vector<int64_t> class_names = {};
  // what these are called, in the same order; empty: as their labels
  std::vector<std::string> class_words = {};
  std::string data =
      "auto";  // what image_files.h reads, "synthetic", or "auto": MNIST where it is found, else synthetic; DataName
  int64_t synthetic_count = 60000;
  int64_t data_count = 0;           // of training images that are read, the first ones; 0: all
  ImageOptions image_options = {};  // what becomes of them as they are read
  int64_t stacked_count = 128000;   // of stacked digits
  int64_t batch = 64;
  int64_t steps = 0;  // iterations; 0: from epochs
  double epochs = 0;  // passes of G's batches over the data; 0 with steps 0: kDefaultSteps
  uint64_t seed = 1;
  int threads = 0;  // 0: all cores
  std::string device = "auto";
  std::filesystem::path out;  // empty: runs/NNNNN-arch-objective
  int64_t log_every = 20, diagnose_every = 100, sample_every = 200, checkpoint_every = 500, keep = 3;
  int64_t sample_count = 64;
  int64_t eval_every = 0, eval_count = 2000;  // iterations between looks of a judge; 0: none
  std::string keep_best = "", stop_if = "";   // a measure; "modes<3"
  bool tensorboard = false;                   // event files beside metrics.jsonl (event_file.h)
  bool anomaly = false;                       // stop at the op that makes the first NaN (slow)
  bool resume = false;                        // continue the run in `out` from its latest checkpoint
  std::string fork = "";                      // start from the state of another run: gan/run/fork.h
  std::string init = "";                      // start from the weights of this file: gan/run/weights.h

  bool objective_named = false;   // not a field: set_field() or JSON named the objective
  std::vector<std::string> argv;  // not a field: the command line, for run.json
};

/// What `data` says: where the digits come from, and whether three of them make an image (stacked_digits.h).
struct DataName {
  bool stacked = false;
  std::string digits = "auto";
};
/// Of "stacked", "stacked:DIR" and "stacked:synthetic"; any other name is that of the digits.
DataName data_name(const std::string& data);
std::string to_text(const DataName& name);

struct ConfigField : Setting {
  std::string standard = "";  // the default for people; empty: none
  bool stored = true;         // stands in config.json; otherwise it says where, not what, and is only read
  bool may_change = false;    // whether a resumed run may have another value
  std::function<std::optional<SettingValue>(const RunConfig&)> get = nullptr;  // nothing: not set
  std::function<void(RunConfig&, const SettingValue&)> set = nullptr;          // a value that was checked
};

/// All fields, in the order of --help and config.json.
const std::vector<ConfigField>& config_fields();

/// By name; an unknown one is an Error with the nearest name.
const ConfigField& config_field(const std::string& name);

/// From a text; Error naming the field.
void set_field(RunConfig& config, const std::string& name, const std::string& value);

/// Throws Error naming the first field whose value cannot be: for values that came by no text and no JSON (the
/// objective's and the networks' own checks come on top).
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
