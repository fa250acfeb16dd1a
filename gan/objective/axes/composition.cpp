// The table of axes, and objectives made and told by it.
#include "duel/gan/objective/composition.h"

#include <algorithm>

#include "duel/gan/objective/axes/axis_text.h"
#include "duel/gan/objective/axes/loss_axis.h"
#include "duel/gan/objective/regularisers/augmentation.h"
#include "duel/gan/objective/regularisers/regularisers.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/text.h"

namespace duel::gan {
namespace {

using detail::Call;
using detail::call_of;
using detail::parts_of;
using detail::unknown_value;

constexpr const char* kNone = "none";

// ---- Relativism -------------------------------------------------------------------------------------------

const std::vector<std::string>& relativisms() {
  static const std::vector<std::string> words = {kNone, "paired", "average"};  // in the order of Relativism
  return words;
}

void put_relativism(const char* op, Objective& objective, const std::string& text) {
  const std::string name = call_of(op, "relativism", text).name;
  const auto& words = relativisms();
  const auto found = std::find(words.begin(), words.end(), name);
  if (found == words.end()) unknown_value(op, "relativism", name, words);
  objective.relativism = static_cast<Relativism>(found - words.begin());
}

// ---- Penalties --------------------------------------------------------------------------------------------

constexpr const char* kPenalties = "penalties";

const std::vector<std::string>& shape_values() {
  static const std::vector<std::string> values = {"zero_centered", "one_centered(K)", "one_sided(K)",
                                                  "power(P)", "worst(SHAPE)"};
  return values;
}

PenaltyShape shape_of(const char* op, const std::string& text) {
  const Call call = call_of(op, kPenalties, text);
  const auto number = [&](double standard, double least) {
    DUEL_CHECK(call.arguments.size() <= 1, op, "{}: {}: expected one number, got '{}'", kPenalties, call.name,
               shown(text));
    if (call.arguments.empty()) return standard;
    const double value = detail::number_of(op, kPenalties, text, call.arguments[0]);
    DUEL_CHECK(value >= least, op, "{}: {}: expected a number of at least {}, got {}", kPenalties, call.name,
               least, value);
    return value;
  };
  if (call.name == "one_centered") return one_centered(number(1.0, 0.0));
  if (call.name == "one_sided") return one_sided(number(1.0, 0.0));
  if (call.name == "power") return power(number(2.0, 1.0));
  if (call.name == "zero_centered") {
    DUEL_CHECK(call.arguments.empty(), op, "{}: zero_centered aims at 0: expected no number, got '{}'",
               kPenalties, shown(text));
    return zero_centered();
  }
  if (call.name == "worst") {
    DUEL_CHECK(call.arguments.size() == 1 && !call.arguments[0].starts_with("worst"), op,
               "{}: worst: expected the shape whose largest value counts, as worst(zero_centered), got '{}'",
               kPenalties, shown(text));
    return worst_of(shape_of(op, call.arguments[0]));
  }
  unknown_value(op, kPenalties, call.name, shape_values());
}

struct Place {
  const char* name;
  PenaltySampling (*make)();
  const char* where;  // in a formula
};
const std::vector<Place>& places() {
  static const std::vector<Place> all = {
      {"line", on_lines, "x on lines"},
      {"real", at_real, "x real"},
      {"fake", at_fake, "x fake"},
      {"dragan", around_real, "x around real data"},
      {"dragan_two_sided", around_real_two_sided, "x on both sides of real data, clipped to [-1, 1]"}};
  return all;
}
const std::vector<std::string>& place_values() {
  static const std::vector<std::string> values = [] {
    std::vector<std::string> names;
    for (const Place& place : places()) names.emplace_back(place.name);
    return names;
  }();
  return values;
}
const Place* place_named(const std::string& name) {
  for (const Place& place : places()) {
    if (place.name == name) return &place;
  }
  return nullptr;
}

/// SHAPE@WHERE:WEIGHT
Penalty penalty_of(const char* op, const std::string& text) {
  const std::vector<std::string> at = parts_of(text, '@');
  DUEL_CHECK(at.size() == 2 && !at[0].empty() && !at[1].empty(), op,
             "{}: expected SHAPE@WHERE:WEIGHT, as zero_centered@real:5, got '{}'; shapes: {}; where: {}",
             kPenalties, shown(text), joined(shape_values()), joined(place_values()));
  const std::vector<std::string> weighed = parts_of(at[1], ':');
  DUEL_CHECK(weighed.size() <= 2, op, "{}: expected one weight, got '{}'", kPenalties, shown(text));
  const std::string name = call_of(op, kPenalties, weighed[0]).name;
  const Place* place = place_named(name);
  if (!place) unknown_value(op, kPenalties, name, place_values());
  Penalty penalty{shape_of(op, at[0]), place->make()};
  if (weighed.size() == 2) penalty.weight = detail::number_of(op, kPenalties, text, weighed[1]);
  DUEL_CHECK(penalty.weight >= 0, op, "{}: {}: expected a weight of at least 0, got {}", kPenalties,
             shown(text), penalty.weight);
  return penalty;
}

void put_penalties(const char* op, Objective& objective, const std::string& text) {
  std::vector<Penalty> penalties;
  if (const std::vector<std::string> parts = parts_of(text, ','); parts != std::vector<std::string>{kNone}) {
    for (const std::string& part : parts) {
      DUEL_CHECK(part != kNone, op, "{}: none and others: expected one of the two, got '{}'", kPenalties,
                 shown(text));
      penalties.push_back(penalty_of(op, part));
    }
  }
  objective.penalties = std::move(penalties);
}

std::string text_of_penalties(const Objective& objective) {
  std::string text;
  for (const Penalty& p : objective.penalties)
    text += message("{}{}@{}:{}", text.empty() ? "" : ", ", p.shape.name, p.sampling.name, p.weight);
  return text.empty() ? kNone : text;
}

// ---- Constraint -------------------------------------------------------------------------------------------

const std::vector<std::string>& constraint_values() {
  static const std::vector<std::string> values = {kNone, "weight_clip(C)", "spectral_norm"};
  return values;
}

void put_constraint(const char* op, Objective& objective, const std::string& text) {
  const Call call = call_of(op, "constraint", text);
  Constraint constraint;
  if (call.name == "weight_clip") {
    DUEL_CHECK(call.arguments.size() <= 1, op, "constraint: weight_clip: expected one number, got '{}'",
               shown(text));
    constraint.weight_clip =
        call.arguments.empty() ? 0.01 : detail::number_of(op, "constraint", text, call.arguments[0]);
    DUEL_CHECK(constraint.weight_clip > 0, op, "constraint: weight_clip: expected a positive number, got {}",
               constraint.weight_clip);
  } else if (call.name == kNone || call.name == "spectral_norm") {
    DUEL_CHECK(call.arguments.empty(), op, "constraint: {}: expected no number, got '{}'", call.name,
               shown(text));
    constraint.spectral_norm = call.name != kNone;
  } else {
    unknown_value(op, "constraint", call.name, constraint_values());
  }
  objective.constraint = constraint;
}

std::string text_of_constraint(const Objective& objective) {
  const Constraint& c = objective.constraint;
  const std::string clip = c.weight_clip > 0 ? message("weight_clip({})", c.weight_clip) : "";
  if (c.spectral_norm) return clip.empty() ? "spectral_norm" : clip + " and spectral_norm";
  return clip.empty() ? kNone : clip;
}

// ---- Loss -------------------------------------------------------------------------------------------------

void put_loss(const char* op, Objective& objective, const std::string& text) {
  Loss loss = detail::loss_of_text(op, text).loss;
  DUEL_CHECK(
      !gives_energy(objective), op,
      "loss: {}'s D is an autoencoder, whose output is an energy, low on data; the loss '{}' reads logits that "
      "are high on data: leave the loss out, or take an objective whose D gives a logit",
      objective.name, loss.name);
  DUEL_CHECK(
      objective.critic != CriticKind::embedding, op,
      "loss: {}'s D gives an embedding, several numbers per sample, and the loss '{}' reads one logit: leave the "
      "loss out, or take an objective whose D gives a logit",
      objective.name, loss.name);
  objective.loss = std::move(loss);
}

// ---- Formulas ---------------------------------------------------------------------------------------------

/// The call that a part's name is; a part of the program's own may have any name.
Call call_named(const std::string& name) {
  try {
    return call_of("objective", kPenalties, name);
  } catch (const Error&) {
    return {name, {}};
  }
}

/// A power of the norm or a distance to a norm; the shape's name where it is another.
std::string shape_formula(const std::string& shape) {
  const Call call = call_named(shape);
  const std::string norm = "||grad D(x)||", argument = call.arguments.empty() ? "" : call.arguments[0];
  if (call.name == "zero_centered") return norm + "^2";
  if (call.name == "one_centered") return "(" + norm + " - " + argument + ")^2";
  if (call.name == "one_sided") return "max(0, " + norm + " - " + argument + ")^2";
  if (call.name == "power") return norm + "^" + argument;
  return shape + "(" + norm + ")";
}

std::string penalty_formula(const Penalty& penalty) {
  const Place* place = place_named(penalty.sampling.name);
  const Call call = call_named(penalty.shape.name);
  const bool worst = call.name == "worst" && !call.arguments.empty();
  return message(" + {} {} {} ({})", penalty.weight, worst ? "max" : "E",
                 shape_formula(worst ? call.arguments[0] : penalty.shape.name),
                 place ? place->where : "x at " + penalty.sampling.name);
}

std::string terms_formula(const std::vector<Term>& terms) {
  std::string text;
  for (const Term& term : terms) text += message(" + {} {}", term.weight, term.name);
  return text;
}

/// "hinge+paired" of what has no other name; "wgan-gp+loss=hinge" of a named one with an axis replaced.
std::string composed_name(const Objective& base, const AxisTexts& replaced, const Objective& composed) {
  std::string name = base.name;
  if (name != kComposed) {
    for (const Axis& axis : axes()) {
      const auto is = [&](const auto& pair) { return pair.first == axis.name; };
      if (std::any_of(replaced.begin(), replaced.end(), is))
        name += "+" + axis.name + "=" + axis.text(composed);
    }
  } else {
    name.clear();
    for (const Axis& axis : axes()) {
      const std::string text = axis.text(composed);
      if (text != kNone) name += (name.empty() ? "" : "+") + text;
    }
  }
  // penalties in a list without spaces: one word, for folders and tables
  name.erase(std::remove(name.begin(), name.end(), ' '), name.end());
  return name;
}

}  // namespace

const std::vector<Axis>& axes() {
  static const std::vector<Axis> all = {
      {"loss", "what the logits are turned into", detail::loss_values(),
       [](const Objective& o) { return o.loss.name; }, put_loss},
      {"relativism", "what D judges: samples, or real against fake", relativisms(),
       [](const Objective& o) { return relativisms().at(static_cast<size_t>(o.relativism)); },
       put_relativism},
      {kPenalties,
       "on D's gradient: SHAPE@WHERE:WEIGHT",
       {kNone,
        "or SHAPE@WHERE:WEIGHT; SHAPE: " + joined(shape_values()) + "; WHERE: " + joined(place_values())},
       text_of_penalties,
       put_penalties},
      {"constraint", "what D's weights obey", constraint_values(), text_of_constraint, put_constraint},
  };
  return all;
}

bool gives_energy(const Objective& o) {
  return o.critic == CriticKind::squared_error || o.critic == CriticKind::absolute_error;
}

const Axis* find_axis(const std::string& name) {
  for (const Axis& axis : axes()) {
    if (axis.name == name) return &axis;
  }
  return nullptr;
}

std::string canonical(const Axis& axis, const char* op, const std::string& text) {
  Objective any;
  axis.put(op, any, text);
  return axis.text(any);
}

std::string rates_of_loss(const std::string& loss) { return detail::loss_of_text("objective", loss).rates; }

Objective compose(Objective base, const AxisTexts& replaced) {
  Objective composed = base;
  for (const auto& [name, text] : replaced) {
    const Axis* axis = find_axis(name);
    DUEL_CHECK(axis, "compose", "expected loss, relativism, penalties or constraint, got '{}'", shown(name));
    axis->put("objective", composed, text);
  }
  composed.name = composed_name(base, replaced, composed);
  composed.formula = composed_formula(composed);
  return composed;
}

std::string composed_formula(const Objective& o) {
  std::string to_d = terms_formula(o.d_terms);
  for (const Penalty& penalty : o.penalties) to_d += penalty_formula(penalty);
  if (o.constraint.weight_clip > 0) to_d += message(", |w| <= {}", o.constraint.weight_clip);
  if (o.constraint.spectral_norm) to_d += ", every weight of D divided by its largest singular value";
  detail::LossFormula formula;
  try {
    formula = detail::loss_of_text("objective", o.loss.name).formula;
  } catch (const Error&) {  // of an autoencoder, or the program's own
    formula.whole = "L_D = D's side of " + o.loss.name + "{d};  L_G = G's side of it{g}";
  }
  return detail::loss_formula(formula, o.relativism, to_d, terms_formula(o.g_terms));
}

std::string why_not_composed(const Objective& o) {
  if (gives_energy(o)) return message("its loss, {}, is of the energies of an autoencoder", o.loss.name);
  switch (o.critic) {
    case CriticKind::plain:
      break;
    case CriticKind::embedding:
      return message("its loss, {}, is of embeddings", o.loss.name);
    case CriticKind::code_head:
      return "its D finds codes of G's input";
    default:
      return "its D reads or tells classes";
  }
  if (o.equilibrium) return "it holds an equilibrium of energies";
  for (const auto* terms : {&o.d_terms, &o.g_terms}) {
    for (const Term& term : *terms) {
      if (term.name != feature_matching().name && !is_regulariser(term.name))
        return message("it has the term {} beside the loss", term.name);
    }
  }
  if (policy_of(o.augmentation).empty()) return "D's inputs are augmented by a function of the program's own";
  if (o.noise != NoiseKind::normal) return "G's input is not normal noise";
  for (const Axis& axis : axes()) {
    const std::string text = axis.text(o);
    try {
      if (canonical(axis, "objective", text) == text) continue;
    } catch (const Error&) {  // a part of the program's own
    }
    return message("its {}, {}, is none of the table's", axis.name, text);
  }
  return "";
}

}  // namespace duel::gan
