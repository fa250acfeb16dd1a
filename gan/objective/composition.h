// The algebra in words: four axes of an objective, each a text that can be put into any objective and read back.
//
//   loss        NAME or NAME(NUMBERS): hinge, least_squares(-1,1,0), saddle(minimax); every loss of loss.h
//   relativism  none, paired, average
//   penalties   none, or some `SHAPE@WHERE:WEIGHT` with commas between: `zero_centered@real:5, one_centered(1)@line:10`;
//               a weight that is left out is Penalty's own
//   constraint  none, weight_clip(C), spectral_norm
//
// The fifth, the schedule, is numbers: the settings of settings.h. Each axis here is such a setting too, and so a
// flag of duel train and a key of config.json. What cannot be mixed is refused by compatibility.h as ever.
//
// "composed" is an objective by name, though none of the table: a loss, at the rates and steps of the named objective
// that is this loss alone (rates_of_loss), without penalties and constraint but those that are put in.
//
// Example:
//   Objective own = named_objective("composed", {{"loss", "hinge"}, {"penalties", "zero_centered@real:5"}});
//   Objective other = compose(named_objective("wgan-gp"), {{"penalties", "one_sided(1)@line:10"}});
//   own.name == "hinge+zero_centered@real:5";
//   own.formula;    // L_D = E relu(1 - r) + E relu(1 + f) + 5 E ||grad D(x)||^2 (x real);  L_G = -E f
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/objective/objective.h"

namespace duel::gan {

inline constexpr const char* kComposed = "composed";

struct Axis {
  std::string name;  // of the setting
  std::string help;  // what it is, for a line of --help
  // what may be written, for people: "least_squares(A,B,C,SCALE)"
  std::vector<std::string> values;
  /// The part of an objective as a text. A part that is none of the values has the name that its maker gave it.
  std::function<std::string(const Objective&)> text;
  /// Puts the part in. Error of `op`: a text that is none, naming what there is and the nearest name; a loss of
  /// logits where D gives an energy.
  std::function<void(const char* op, Objective& objective, const std::string& text)> put;
};

/// loss, relativism, penalties, constraint.
const std::vector<Axis>& axes();
/// By name; null for anything that is none.
const Axis* find_axis(const std::string& name);

/// Whether D is an autoencoder and gives an energy, low on data: no loss of logits can be put in.
bool gives_energy(const Objective& objective);

/// The text in the one way in which the axis itself would write it.
std::string canonical(const Axis& axis, const char* op, const std::string& text);

/// The named objective that is nothing but this loss (a text of the axis), and whose rates and steps "composed"
/// takes: hinge for hinge, wgan for wasserstein, gan for saddle(minimax). The paper's penalty may want others.
std::string rates_of_loss(const std::string& loss);

/// `base` with these axes, by their names, in place of its own. Its name and formula say what it is then; all else
/// (schedule, terms, critic, noise) stays.
using AxisTexts = std::vector<std::pair<std::string, std::string>>;
Objective compose(Objective base, const AxisTexts& replaced);

/// Both losses of an objective's loss, relativism, penalties, constraint and terms, in one line.
std::string composed_formula(const Objective& objective);

/// Why an objective is more than its five axes, and so has no equal that is composed; empty where it has one.
std::string why_not_composed(const Objective& objective);

}  // namespace duel::gan
