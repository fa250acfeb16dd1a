// The rows of the table of named objectives: one file per family, objective_rows_FAMILY.cpp.
//
// A row names its formula and paper and composes the objective of parts. What a user may set of its loss
// (labels, say) is listed with the row's default in `settings`; `make` finds every one of them filled in. A
// setting of losses that a row does not list is refused for it. All other settings (rates, penalty weights,
// schedule) are put in afterwards: settings.h, Note [A setting is one row].
//
// Example:
//   {.name = "ns-gan", .formula = "L_D = …;  L_G = …", .paper = "Goodfellow et al. 2014, …",
//    .make = [](const ObjectiveOverrides& o) {
//      return Objective{.loss = non_saturating_loss(1 - o.number("label-smoothing"))};
//    },
//    .settings = {{"label-smoothing", 0.0}}},
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "duel/gan/objective/objective.h"

namespace duel::gan::detail {

struct ObjectiveRow {
  std::string name, formula, paper;
  std::function<Objective(const ObjectiveOverrides& o)> make;
  ObjectiveOverrides settings = {};  // of the loss: the row's defaults
  std::string rates =
      "";  // what the paper has where the row differs, and why: tests/gan/objective/paper_rates_test.cpp
  std::string note = "";  // known pitfalls; shown with the row in full
};

using Rows = std::vector<ObjectiveRow>;

/// Classic losses with their penalties: gan … hinge.
const Rows& basic_rows();
/// rsgan … rahinge.
const Rows& relativistic_rows();
/// f-divergences and softmax-gan.
const Rows& divergence_rows();
/// Losses of the other families under penalties and constraints of their own: r1 … wgan-div.
const Rows& regularised_rows();
/// Other ways to move, and to show samples: pacgan, unrolled, consensus.
const Rows& dynamics_rows();
/// Critics that are autoencoders: ebgan, began.
const Rows& energy_rows();
/// Distances between what D says of both sides: fisher-gan … sliced-wasserstein.
const Rows& distance_rows();
/// Classes and codes: cgan, acgan, projection, infogan.
const Rows& conditional_rows();

/// Every family's rows, in the order in which they are listed.
const std::vector<const ObjectiveRow*>& all_rows();

/// "composed" (composition.h): a loss at the rates of the row that is this loss alone. None of all_rows().
const ObjectiveRow& composed_row();

/// The row that the program registered under this name; null without one.
const ObjectiveRow* own_row(const std::string& name);

inline OptimizerChoice adam(double lr, double beta1, double beta2) {
  return {.kind = OptimizerKind::adam, .lr = lr, .beta1 = beta1, .beta2 = beta2};
}
inline OptimizerChoice rmsprop(double lr) { return {.kind = OptimizerKind::rmsprop, .lr = lr}; }

/// D `critic_steps` times, then G once, both with one kind of optimizer.
inline Schedule schedule(int64_t critic_steps, const OptimizerChoice& both) {
  return {.critic_steps = critic_steps, .d = both, .g = both};
}

/// Adam 2e-4 (0.5, 0.999), one step each: the rates of Radford et al. 2015, arXiv:1511.06434, that most code
/// uses.
inline Schedule dcgan_schedule() { return schedule(1, adam(2e-4, 0.5, 0.999)); }

}  // namespace duel::gan::detail
