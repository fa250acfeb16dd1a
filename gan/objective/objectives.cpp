// Named objectives: a row of the table (objective_rows.h) with what a user sets put in, and checks of both.
#include "duel/gan/objective/objective.h"

#include <algorithm>
#include <map>

#include "duel/gan/objective/composition.h"
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan {
namespace {

using detail::ObjectiveRow;

const ObjectiveRow& row_of(const std::string& name) {
  for (const ObjectiveRow* row : detail::all_rows()) {
    if (name == row->name) return *row;
  }
  if (name == kComposed) return detail::composed_row();
  if (const ObjectiveRow* row = detail::own_row(name)) return *row;
  const std::string nearest = nearest_name(name, objective_names());
  fail("objective", "unknown objective '{}'{} 'duel objectives' lists them all", name,
       nearest.empty() ? ";" : ": did you mean '" + nearest + "'?");
}

/// What the row's `make` reads, and the objective that it makes.
struct Made {
  const ObjectiveRow* row;
  ObjectiveOverrides values;  // those given, and the row's
  Objective objective;
};

Made made(const ObjectiveRow& row, const ObjectiveOverrides& overrides) {
  ObjectiveOverrides values = overrides;
  values.fill(row.settings);
  Objective objective = row.make(values);
  objective.name = row.name;
  for (const ObjectiveSetting& setting : objective_settings()) {
    if (!setting.place.set) continue;
    if (const auto value = overrides.find(setting.name)) setting.place.set(objective, *value);
  }
  return {&row, std::move(values), std::move(objective)};
}

/// Of a setting whose axis was set as a text, which says it too.
const Need* displaced(const ObjectiveSetting& setting, const ObjectiveOverrides& values) {
  static const std::map<std::string, Need> by_axis = [] {
    std::map<std::string, Need> needs;
    for (const Axis& axis : axes())
      needs[axis.name] = {
          nullptr,
          "{setting} is a part of {axis}, which is said as a whole: leave {setting} out and say it there",
          axis.name.c_str()};
    return needs;
  }();
  const auto found = by_axis.find(setting.place.within);
  return found != by_axis.end() && values.has(found->first) ? &found->second : nullptr;
}

/// The first need of the setting that is not met; null: it applies. A loss that is made with it needs none.
const Need* unmet(const ObjectiveSetting& setting, const Made& made) {
  if (const Need* axis = displaced(setting, made.values)) return axis;
  for (const Need& need : setting.place.needs) {
    if (!need.met(made.objective)) return &need;
  }
  return nullptr;
}
bool applies(const ObjectiveSetting& setting, const Made& made) {
  if (!setting.place.parts.empty()) return false;  // its parts do
  return !unmet(setting, made) && (!setting.place.of_loss || made.row->settings.has(setting.name));
}

/// Every objective with its defaults.
const std::vector<Made>& all_made() {
  static const std::vector<Made> all = [] {
    std::vector<Made> each;
    for (const ObjectiveRow* row : detail::all_rows()) each.push_back(made(*row, {}));
    return each;
  }();
  return all;
}

/// The first objectives that have a part, for one that has not.
template <class Has>
std::string which_have(const Has& has) {
  constexpr int kShown = 4;
  std::string names;
  int count = 0;
  for (const Made& each : all_made()) {
    if (has(each) && ++count <= kShown) names += (count > 1 ? ", " : "") + each.row->name;
  }
  return count > kShown ? message("{} and {} more", names, count - kShown) : names;
}

void replace(std::string& text, const std::string& mark, const std::string& by) {
  if (const size_t found = text.find(mark); found != std::string::npos) text.replace(found, mark.size(), by);
}

/// A value for a part that this objective does not have would be silently ignored: refuse it.
void check_places(const Made& made, const ObjectiveOverrides& overrides) {
  for (const ObjectiveSetting& setting : objective_settings()) {
    const std::optional<SettingValue> value = overrides.find(setting.name);
    if (!value || applies(setting, made) || value == setting.place.idle) continue;
    const Need* need = unmet(setting, made);
    if (setting.place.of_loss && !need) {
      fail("objective", "{} has no {}: {} does not apply; it is a setting of {}", made.row->name,
           setting.place.of_loss, setting.name,
           which_have([&](const Made& other) { return applies(setting, other); }));
    }
    std::string refusal = need->refusal;
    replace(refusal, "{objective}", made.row->name);
    replace(refusal, "{setting}", setting.name);
    replace(refusal, "{setting}", setting.name);
    if (!need->met)
      replace(refusal, "{axis}",
              message("{} '{}'", setting.place.within, made.values.text(setting.place.within)));
    else
      replace(refusal, "{others}", which_have([&](const Made& other) { return need->met(other.objective); }));
    fail("objective", "{}", refusal);
  }
}

SettingValue value_in(const ObjectiveSetting& setting, const Made& made) {
  return setting.place.of_loss ? *made.values.find(setting.name) : setting.place.get(made.objective);
}

/// The objective with all that its row says, once what is set has a place in it.
Made checked_row(const std::string& name, const ObjectiveOverrides& overrides) {
  Made result = made(row_of(name), overrides);
  check_places(result, overrides);
  Objective& objective = result.objective;
  objective.formula = result.row->formula;
  objective.paper = result.row->paper;
  objective.rates = result.row->rates;
  objective.note = result.row->note;
  AxisTexts replaced;
  for (const Axis& axis : axes()) {
    if (result.values.has(axis.name)) replaced.emplace_back(axis.name, axis.text(objective));
  }
  if (replaced.empty()) return result;
  objective = compose(std::move(objective), replaced);
  if (name == kComposed)
    objective.rates =
        "Rates and steps are those of " + rates_of_loss(objective.loss.name) + ", which is this loss.";
  return result;
}

/// Every setting that applies, with its value.
ObjectiveOverrides settled(const Made& result, const ObjectiveOverrides& overrides) {
  // the parts of a program's own may differ where a setting is one number for all
  if (detail::own_row(result.row->name)) return overrides;
  ObjectiveOverrides resolved;
  for (const ObjectiveSetting& setting : objective_settings()) {
    if (setting.place.axis ? result.values.has(setting.name) : applies(setting, result))
      resolved.set(setting.name, value_in(setting, result));
  }
  return resolved;
}

/// Without the values for which `goes` says so of the setting and the need that is not met.
template <class Goes>
ObjectiveOverrides without(const std::string& name, ObjectiveOverrides overrides, const Goes& goes) {
  const Made as_given = made(row_of(name), overrides);
  for (const ObjectiveSetting& setting : objective_settings()) {
    const Need* need = overrides.has(setting.name) ? unmet(setting, as_given) : nullptr;
    if (need && *need->by && goes(setting, *need)) overrides.unset(setting.name);
  }
  return overrides;
}

}  // namespace

const std::vector<const ObjectiveRow*>& detail::all_rows() {
  static const std::vector<const ObjectiveRow*> all = [] {
    std::vector<const ObjectiveRow*> rows;
    for (const Rows* family : {&basic_rows(), &relativistic_rows(), &divergence_rows(), &regularised_rows(),
                               &dynamics_rows(), &distance_rows(), &energy_rows(), &conditional_rows()}) {
      for (const ObjectiveRow& row : *family) rows.push_back(&row);
    }
    return rows;
  }();
  return all;
}

std::vector<std::string> objective_names() {
  std::vector<std::string> names;
  for (const ObjectiveRow* row : detail::all_rows()) names.push_back(row->name);
  return names;
}

const std::vector<std::string>& optimizer_words() {
  static const std::vector<std::string> words = {"adam", "rmsprop", "sgd", "adamw", "oadam"};
  return words;
}

std::string to_text(const OptimizerChoice& choice) {
  const std::string name = optimizer_words().at(static_cast<size_t>(choice.kind)), lr = shortest(choice.lr);
  return is_adam(choice.kind)
             ? message("{} {} ({}, {})", name, lr, shortest(choice.beta1), shortest(choice.beta2))
             : message("{} {}", name, lr);
}

bool has_probabilities(const Objective& objective) {
  return objective.relativism == Relativism::none && objective.loss.cross_entropy;
}

Objective named_objective(const std::string& name, const ObjectiveOverrides& overrides) {
  return std::move(checked_row(name, overrides).objective);
}

ObjectiveOverrides resolved_overrides(const std::string& name, const ObjectiveOverrides& overrides) {
  return settled(checked_row(name, overrides), overrides);
}

ResolvedObjective resolved_objective(const std::string& name, const ObjectiveOverrides& overrides) {
  Made result = checked_row(name, overrides);
  ObjectiveOverrides resolved = settled(result, overrides);
  return {std::move(result.objective), std::move(resolved)};
}

ObjectiveOverrides without_idle(const std::string& name, ObjectiveOverrides overrides) {
  return without(name, std::move(overrides),
                 [](const ObjectiveSetting&, const Need& need) { return !find_axis(need.by); });
}

ObjectiveOverrides without_displaced(const std::string& name, ObjectiveOverrides overrides,
                                     const std::vector<std::string>& given) {
  const auto is_given = [&](const std::string& setting) {
    return std::find(given.begin(), given.end(), setting) != given.end();
  };
  return without(name, std::move(overrides), [&](const ObjectiveSetting& setting, const Need& need) {
    return !is_given(setting.name) && is_given(need.by);
  });
}

std::vector<std::string> objectives_with(const ObjectiveSetting& setting) {
  std::vector<std::string> names;
  for (const Made& each : all_made()) {
    if (applies(setting, each)) names.push_back(each.row->name);
  }
  return names;
}

std::string default_text(const ObjectiveSetting& setting) {
  std::vector<std::pair<std::string, std::vector<std::string>>> found;  // a default, and who has it
  for (const Made& each : all_made()) {
    if (!applies(setting, each)) continue;
    const std::string text = text_of(value_in(setting, each));
    auto same = std::find_if(found.begin(), found.end(), [&](const auto& one) { return one.first == text; });
    if (same == found.end()) same = found.insert(found.end(), {text, {}});
    same->second.push_back(each.row->name);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  if (found.empty() && setting.place.off) return text_of(*setting.place.off);
  if (found.empty())  // no objective has a place for it as it is: what all have once there is one
    return setting.place.get ? text_of(setting.place.get(Objective())) : "the objective's";
  if (found.size() == 1) return found[0].first;
  if (found.size() == 2 && found[1].second.size() == 1)
    return message("{}; {} {}", found[0].first, found[1].second[0], found[1].first);
  return "the objective's";
}

}  // namespace duel::gan
