// Objectives that a program registered: rows beside the table's, by their names.
#include <algorithm>
#include <deque>
#include <mutex>

#include "duel/gan/objective/composition.h"
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan {
namespace {

/// The newest row of a name counts. Rows stay where they are: others may be reading them.
struct OwnRows {
  std::mutex mutex;
  std::deque<detail::ObjectiveRow> rows;
};
OwnRows& own_rows() {
  static OwnRows own;
  return own;
}

bool is_duels(const std::string& name) {
  const auto& rows = detail::all_rows();
  return name == kComposed ||
         std::any_of(rows.begin(), rows.end(), [&](const auto* row) { return row->name == name; });
}

}  // namespace

const detail::ObjectiveRow* detail::own_row(const std::string& name) {
  OwnRows& own = own_rows();
  const std::lock_guard lock(own.mutex);
  const auto found = std::find_if(own.rows.rbegin(), own.rows.rend(),
                                  [&](const ObjectiveRow& row) { return row.name == name; });
  return found == own.rows.rend() ? nullptr : &*found;
}

void register_objective(const std::string& name, std::function<Objective()> make) {
  DUEL_CHECK(!name.empty(), "register_objective",
             "name: expected a name for an objective of one's own, got an empty one (Objective::name)");
  DUEL_CHECK(!is_duels(name), "register_objective",
             "name: '{}' is Duel's own objective; give one with other parts another name", name);
  DUEL_CHECK(make, "register_objective", "'{}': expected a function that makes the objective, got none",
             name);
  const Objective made = make();
  detail::ObjectiveRow row{.name = name,
                           .formula = made.formula,
                           .paper = made.paper,
                           .make = [make = std::move(make)](const ObjectiveOverrides&) { return make(); }};
  row.rates = made.rates;
  row.note = made.note;
  OwnRows& own = own_rows();
  const std::lock_guard lock(own.mutex);
  own.rows.push_back(std::move(row));
}

bool is_objective(const std::string& name) { return is_duels(name) || detail::own_row(name); }

}  // namespace duel::gan
