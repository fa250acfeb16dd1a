// Values of settings: from text, in their range, by name.
#include "duel/gan/objective/settings.h"

#include <algorithm>
#include <cmath>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/settings.h"

namespace duel::gan {
namespace {

using Kind = Setting::Kind;

bool is_in(const Bounds& range, double value) {
  if (range.or_zero && value == 0) return true;
  return (range.above_low ? value > range.low : value >= range.low) &&
         (range.below_high ? value < range.high : value <= range.high);
}

/// 1099511627776, not 1.099511627776e+12.
std::string bound_text(double bound) {
  return bound == std::trunc(bound) && std::abs(bound) < 1e15 ? std::to_string(static_cast<int64_t>(bound))
                                                              : shortest(bound);
}

std::string range_text(const Bounds& range, const std::string& what) {
  const bool low = std::isfinite(range.low), high = std::isfinite(range.high);
  const std::string zero = range.or_zero ? "0 or " : "";
  if (!low && !high) return what;
  if (range.above_low && range.low == 0 && !high)
    return zero + what.substr(0, what.find(' ')) + " positive" + what.substr(what.find(' '));
  if (!high) return zero + what + " of at least " + bound_text(range.low);
  if (range.below_high || what == "a number")
    return zero + what + " in " + (range.above_low ? "(" : "[") + bound_text(range.low) + ", " +
           bound_text(range.high) + (range.below_high ? ")" : "]");
  return zero + what + " from " + bound_text(range.low) + " to " + bound_text(range.high);
}

/// The value in the type of the kind; nothing where it is none.
std::optional<SettingValue> as_kind(Kind kind, const SettingValue& value) {
  const auto* integer = std::get_if<int64_t>(&value);
  const auto* bits = std::get_if<uint64_t>(&value);
  switch (kind) {
    case Kind::number: {
      const auto* number = std::get_if<double>(&value);
      if (integer) return static_cast<double>(*integer);
      if (bits) return static_cast<double>(*bits);
      return number && std::isfinite(*number) ? std::optional<SettingValue>(value) : std::nullopt;
    }
    case Kind::integer:
      if (bits && *bits <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        return static_cast<int64_t>(*bits);
      return integer ? std::optional<SettingValue>(value) : std::nullopt;
    case Kind::unsigned_integer:
      if (integer && *integer >= 0) return static_cast<uint64_t>(*integer);
      return bits ? std::optional<SettingValue>(value) : std::nullopt;
    case Kind::text:
      return std::holds_alternative<std::string>(value) ? std::optional(value) : std::nullopt;
    case Kind::truth:
      return std::holds_alternative<bool>(value) ? std::optional(value) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<double> number_in(const SettingValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* bits = std::get_if<uint64_t>(&value)) return static_cast<double>(*bits);
  return std::nullopt;
}

template <class T>
T stored(const ObjectiveOverrides& overrides, const std::string& name) {
  const std::optional<SettingValue> value = overrides.find(name);
  const T* found = value ? std::get_if<T>(&*value) : nullptr;
  DUEL_CHECK(found, "objective", "{}: expected a value of that kind to be set, got {}", name,
             value ? text_of(*value) : "none");
  return *found;
}

}  // namespace

std::string text_of(const SettingValue& value) {
  struct Texts {
    std::string operator()(bool truth) const { return truth ? "true" : "false"; }
    std::string operator()(int64_t number) const { return std::to_string(number); }
    std::string operator()(uint64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return shortest(number); }
    std::string operator()(const std::string& text) const { return text; }
  };
  return std::visit(Texts(), value);
}

std::string Setting::expected() const {
  switch (kind) {
    case Kind::number:
      return range_text(range, "a number");
    case Kind::integer:
      return range_text(range, "an integer");
    case Kind::unsigned_integer:
      return "an integer from 0 to 2^64 - 1";
    case Kind::truth:
      return "true or false";
    case Kind::text:
      break;
  }
  if (words.empty()) return "a value";
  std::string listed = words.front();
  for (size_t i = 1; i < words.size(); ++i) listed += (i + 1 < words.size() ? ", " : " or ") + words[i];
  return listed;
}

std::string Setting::full_help(const std::string& standard) const {
  std::string text = words.empty() ? help : expected() + (help.empty() ? "" : "; ") + help;
  if (kind == Kind::number && range.high <= 1)  // a share: its bounds are a part of what it means
    text += ", in" + expected().substr(expected().rfind(" in ") + 3);
  return standard.empty() ? text : text + " [" + standard + "]";
}

SettingValue Setting::parsed(const char* op, const std::string& text) const {
  switch (kind) {
    case Kind::number:
      return checked(op, duel::parsed<double>(op, name, text));
    case Kind::integer:
      return checked(op, duel::parsed<int64_t>(op, name, text));
    case Kind::unsigned_integer:
      return checked(op, duel::parsed<uint64_t>(op, name, text));
    case Kind::truth:
      DUEL_CHECK(text == "true" || text == "false" || text.empty(), op,
                 "{}: expected true or false, got '{}'", name, text);
      return text != "false";
    case Kind::text:
      break;
  }
  return checked(op, text);
}

SettingValue Setting::checked(const char* op, SettingValue value) const {
  const std::optional<SettingValue> own = as_kind(kind, value);
  DUEL_CHECK(own, op, "{}: expected {}, got '{}'", name, expected(), text_of(value));
  if (const std::optional<double> number = number_in(*own)) {
    DUEL_CHECK(is_in(range, *number), op, "{}: expected {}, got {}", name, expected(), text_of(*own));
  } else if (const auto* text = std::get_if<std::string>(&*own)) {
    DUEL_CHECK(!words.empty() || !text->empty(), op, "{}: expected a value, got an empty text", name);
    DUEL_CHECK(words.empty() || std::find(words.begin(), words.end(), *text) != words.end(), op,
               "{}: expected {}, got '{}'", name, expected(), *text);
    if (canonical) return canonical(op, *text);
  }
  return *own;
}

const ObjectiveSetting& objective_setting(const std::string& name) {
  for (const ObjectiveSetting& setting : objective_settings()) {
    if (setting.name == name) return setting;
  }
  std::vector<std::string> names;
  for (const ObjectiveSetting& setting : objective_settings()) names.push_back(setting.name);
  const std::string nearest = nearest_name(name, names);
  fail("objective", "unknown setting '{}'{}", name,
       nearest.empty() ? "; 'duel objectives NAME' lists an objective's"
                       : ": did you mean '" + nearest + "'?");
}

ObjectiveOverrides::ObjectiveOverrides(std::initializer_list<std::pair<std::string, SettingValue>> values) {
  for (const auto& [name, value] : values) set(name, value);
}

void ObjectiveOverrides::set(const std::string& name, const SettingValue& value) {
  const ObjectiveSetting& setting = objective_setting(name);
  const SettingValue own = setting.checked("objective", value);
  if (setting.place.parts.empty()) values_[name] = own;
  for (const std::string& part : setting.place.parts) values_[part] = own;
}

void ObjectiveOverrides::unset(const std::string& name) { values_.erase(objective_setting(name).name); }

void ObjectiveOverrides::fill(const ObjectiveOverrides& defaults) {
  values_.insert(defaults.values_.begin(), defaults.values_.end());
}

std::optional<SettingValue> ObjectiveOverrides::find(const std::string& name) const {
  const auto found = values_.find(objective_setting(name).name);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

double ObjectiveOverrides::number(const std::string& name) const { return stored<double>(*this, name); }
int64_t ObjectiveOverrides::integer(const std::string& name) const { return stored<int64_t>(*this, name); }
bool ObjectiveOverrides::truth(const std::string& name) const { return stored<bool>(*this, name); }
std::string ObjectiveOverrides::text(const std::string& name) const {
  return stored<std::string>(*this, name);
}

}  // namespace duel::gan
