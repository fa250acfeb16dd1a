// The row of objectives that are composed of texts: composition.h.
#include <algorithm>

#include "duel/gan/objective/composition.h"
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan::detail {
namespace {

/// The defaults of the named objective that is the loss alone, but for what other axes say.
Objective of_loss(const std::string& loss) {
  const std::string name = rates_of_loss(loss);
  const auto& rows = all_rows();
  const auto row =
      std::find_if(rows.begin(), rows.end(), [&](const ObjectiveRow* r) { return r->name == name; });
  DUEL_ASSERT(row != rows.end());
  Objective objective = (*row)->make((*row)->settings);
  objective.penalties = {};
  objective.constraint = {};
  objective.name = kComposed;
  return compose(std::move(objective), {{"loss", loss}});
}

}  // namespace

const ObjectiveRow& composed_row() {
  static const ObjectiveRow row = {
      .name = kComposed,
      .formula = "",  // its parts say it
      .paper = "None of its own: composed of parts, a loss, its relativism, penalties and a constraint",
      .make = [](const ObjectiveOverrides& o) { return of_loss(o.text("loss")); },
      .settings = {
          {"loss", "non_saturating"}, {"relativism", "none"}, {"penalties", "none"}, {"constraint", "none"}}};
  return row;
}

}  // namespace duel::gan::detail
