// What a person may set, as rows: a setting's name, help, kind, range and place stand once, and everything else
// reads them: flags, config.json, checks, refusals, defaults, the page gan/settings.md.
//
// Note [A setting is one row]
// A setting of objectives is one row of rows/objective_settings.cpp. It says where in an Objective the value
// stands, or that the loss is made with it; then the rows of the objectives that have it list it with their
// default, and their `make` reads it: o.number("margin"). A default is never retyped: what the help shows is
// read from the objectives.
//
// Example:
//   ObjectiveOverrides o = {{"lambda", 1.0}, {"optimizer", "adam"}, {"critic-steps", 2}};
//   o.set("lambda", 10.0);
//   named_objective("wgan-gp", o).penalties[0].weight;      // 10
//   o.number("lambda");                                     // 10
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace duel::gan {

struct Objective;

/// uint64_t: only where every one of 64 bits counts (a seed).
using SettingValue = std::variant<bool, int64_t, uint64_t, double, std::string>;

/// As a flag takes it: numbers by their shortest text.
std::string text_of(const SettingValue& value);

/// The numbers that may be set.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  bool above_low = false, below_high = false;  // the bound itself is not in it
  bool or_zero = false;                        // 0 besides
};
inline Bounds at_least(double low) { return {.low = low}; }
inline Bounds between(double low, double high) { return {.low = low, .high = high}; }
inline Bounds up_to(double low, double high) { return {.low = low, .high = high, .below_high = true}; }
inline Bounds zero_or(Bounds range) {
  range.or_zero = true;
  return range;
}
inline Bounds positive() { return {.low = 0, .above_low = true}; }

/// What is common to everything that may be set.
struct Setting {
  enum class Kind { number, integer, unsigned_integer, text, truth };
  std::string name = "";   // flag and key of config.json, in kebab-case
  std::string group = "";  // heading in --help; empty: not shown there
  std::string help = "";   // what and unit; `words`, the range of a number and the default are added to it
  Kind kind = Kind::text;
  Bounds range = {};
  std::vector<std::string> words = {};  // the texts that may be set; empty: any but an empty one
  // of texts with a grammar of their own: the one way of writing it; Error of `op` for any other text
  std::function<std::string(const char* op, const std::string& text)> canonical = nullptr;

  /// What may be set, as "a number in [0, 1)", "adam, rmsprop or sgd".
  std::string expected() const;
  /// The help with all that follows from the row: "adam, rmsprop or sgd [the objective's]".
  std::string full_help(const std::string& standard) const;
  /// The value that a text is; Error "[op] NAME: expected …, got …".
  SettingValue parsed(const char* op, const std::string& text) const;
  /// The value in the type of the kind (a number may be given as an integer); Error where it cannot be set.
  SettingValue checked(const char* op, SettingValue value) const;
};

/// What a setting needs of an objective to mean anything.
struct Need {
  bool (*met)(const Objective&);  // of the objective with every value in it
  // the error where it is not, with {objective}, {setting} and {others}: the objectives that meet it
  const char* refusal;
  const char* by = "";  // the setting that can meet it; empty: only another objective does
};

/// Where a setting stands in an objective.
struct ObjectivePlace {
  std::function<SettingValue(const Objective&)> get = nullptr;
  std::function<void(Objective&, const SettingValue&)> set = nullptr;  // nothing where it does not apply
  // get and set null: the loss is made with the value, and losses that are not lack "energy margin"
  const char* of_loss = nullptr;
  std::vector<Need> needs = {};
  std::optional<SettingValue> off = {};   // the value that changes nothing: not told among the defaults
  std::optional<SettingValue> idle = {};  // taken for nothing where a need is not met
  std::vector<std::string> parts = {};    // a name for several others, which it sets
  bool axis = false;  // a whole part of the objective, as a text (composition.h): stored where it was set
  std::string within = {};  // the axis that says this too: where that is set, this has no place
};

struct ObjectiveSetting : Setting {
  ObjectivePlace place;
};

/// All of them, in the order of --help and config.json.
const std::vector<ObjectiveSetting>& objective_settings();

/// By name; an unknown one is an Error with the nearest name.
const ObjectiveSetting& objective_setting(const std::string& name);

/// What a user sets of a named objective without composing: values by the names of objective_settings(), each
/// checked as it is set. What is not set keeps the objective's default.
class ObjectiveOverrides {
 public:
  ObjectiveOverrides() = default;
  ObjectiveOverrides(std::initializer_list<std::pair<std::string, SettingValue>> values);

  /// Errors: an unknown name, a value of another kind or out of its range.
  void set(const std::string& name, const SettingValue& value);
  void unset(const std::string& name);
  /// The values of `defaults` for what is not set.
  void fill(const ObjectiveOverrides& defaults);

  bool has(const std::string& name) const { return find(name).has_value(); }
  std::optional<SettingValue> find(const std::string& name) const;
  /// Error where the value is not set, or is of another kind.
  double number(const std::string& name) const;
  int64_t integer(const std::string& name) const;
  bool truth(const std::string& name) const;
  std::string text(const std::string& name) const;

  bool operator==(const ObjectiveOverrides&) const = default;

 private:
  std::map<std::string, SettingValue> values_;
};

/// Names of the objectives whose defaults have a place for the setting.
std::vector<std::string> objectives_with(const ObjectiveSetting& setting);

/// The default for people: "10" where all objectives that have it agree, "0; unrolled 5" where one differs,
/// else "the objective's".
std::string default_text(const ObjectiveSetting& setting);

}  // namespace duel::gan
