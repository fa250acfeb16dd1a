// Named objectives: a row of the table (objective_rows.h) with what a user sets put in, and checks of both.
#include <algorithm>

#include "duel/gan/objective/objective.h"
#include "duel/gan/objective/rows/objective_rows.h"

namespace duel::gan {
namespace {

using detail::NumberField;
using detail::ObjectiveRow;

/// Numbers that only some losses have: what they are, for those that have none.
const struct {
  NumberField field;
  const char *flag, *what;
} kLossFields[] = {
    {&ObjectiveOverrides::label_a, "label-a", "least-squares labels"},
    {&ObjectiveOverrides::label_b, "label-b", "least-squares labels"},
    {&ObjectiveOverrides::label_c, "label-c", "least-squares labels"},
    {&ObjectiveOverrides::square_weight, "square-weight", "squared distances to labels"},
    {&ObjectiveOverrides::label_smoothing, "label-smoothing", "probability targets"},
    {&ObjectiveOverrides::divergence_alpha, "divergence-alpha", "family of divergences"},
    {&ObjectiveOverrides::margin, "margin", "energy margin"},
    {&ObjectiveOverrides::pull_away, "pull-away", "pull-away term"},
    {&ObjectiveOverrides::gamma, "gamma", "equilibrium of energies"},
    {&ObjectiveOverrides::lambda_k, "lambda-k", "equilibrium of energies"},
    {&ObjectiveOverrides::class_weight, "class-weight", "class head"},
    {&ObjectiveOverrides::info_weight, "info-weight", "codes"},
};
const struct {
  detail::CountField field;
  const char *flag, *what;
} kLossCounts[] = {
    {&ObjectiveOverrides::code_classes, "code-classes", "codes"},
    {&ObjectiveOverrides::code_values, "code-values", "codes"},
};

const ObjectiveRow& row_of(const std::string& name) {
  for (const ObjectiveRow* row : detail::all_rows()) {
    if (name == row->name) return *row;
  }
  const std::string nearest = nearest_name(name, objective_names());
  fail("objective", "unknown objective '{}'{} 'duel objectives' lists them all", name,
       nearest.empty() ? ";" : ": did you mean '" + nearest + "'?");
}

void positive(const std::optional<double>& value, const char* field) {
  DUEL_CHECK(!value || *value > 0, "objective", "{}: expected a positive number, got {}", field, *value);
}
void not_negative(const std::optional<double>& value, const char* field) {
  DUEL_CHECK(!value || *value >= 0, "objective", "{}: expected a number of at least 0, got {}", field,
             *value);
}
void at_least_one(const std::optional<int64_t>& value, const char* field) {
  DUEL_CHECK(!value || *value >= 1, "objective", "{}: expected an integer of at least 1, got {}", field,
             *value);
}
void at_least_zero(const std::optional<int64_t>& value, const char* field) {
  DUEL_CHECK(!value || *value >= 0, "objective", "{}: expected an integer of at least 0, got {}", field,
             *value);
}
void below_one(const std::optional<double>& value, const char* field) {
  DUEL_CHECK(!value || (*value >= 0 && *value < 1), "objective", "{}: expected a number in [0, 1), got {}",
             field, *value);
}

void check_values(const ObjectiveOverrides& o) {
  positive(o.lr_d, "lr-d");
  positive(o.lr_g, "lr-g");
  positive(o.clip, "clip");
  positive(o.square_weight, "square-weight");
  not_negative(o.lambda, "lambda");
  not_negative(o.k, "k");
  not_negative(o.instance_noise, "instance-noise");
  not_negative(o.consensus, "consensus");
  below_one(o.label_flip, "label-flip");
  not_negative(o.feature_matching, "feature-matching");
  positive(o.margin, "margin");
  not_negative(o.pull_away, "pull-away");
  not_negative(o.lambda_k, "lambda-k");
  not_negative(o.class_weight, "class-weight");
  not_negative(o.info_weight, "info-weight");
  DUEL_CHECK(!o.gamma || (*o.gamma >= 0 && *o.gamma <= 1), "objective",
             "gamma: expected a number in [0, 1], got {}", *o.gamma);
  DUEL_CHECK(!o.code_classes || (*o.code_classes >= 0 && *o.code_classes != 1 && *o.code_classes <= 1024),
             "objective", "code-classes: expected 0 or an integer from 2 to 1024, got {}", *o.code_classes);
  DUEL_CHECK(!o.code_values || (*o.code_values >= 0 && *o.code_values <= 1024), "objective",
             "code-values: expected an integer from 0 to 1024, got {}", *o.code_values);
  below_one(o.beta1, "beta1");
  below_one(o.beta2, "beta2");
  below_one(o.ema, "ema");
  at_least_one(o.critic_steps, "critic-steps");
  at_least_one(o.generator_steps, "generator-steps");
  at_least_one(o.generator_batch, "generator-batch");
  at_least_zero(o.critic_warmup, "critic-warmup");
  at_least_zero(o.unroll, "unroll");
  at_least_zero(o.lr_decay_steps, "lr-decay-steps");
  at_least_zero(o.instance_noise_steps, "instance-noise-steps");
  at_least_one(o.packing, "packing");
  at_least_one(o.lazy_interval, "lazy-interval");
  DUEL_CHECK(!o.label_smoothing || (*o.label_smoothing >= 0 && *o.label_smoothing < 0.5), "objective",
             "label-smoothing: expected a number in [0, 0.5), got {}", *o.label_smoothing);
}

/// `o` with the row's defaults where it leaves the settings of the loss open.
ObjectiveOverrides with_row_settings(const ObjectiveRow& row, ObjectiveOverrides o) {
  for (const auto& [field, standard] : row.settings) o.*field = (o.*field).value_or(standard);
  for (const auto& [field, standard] : row.counts) o.*field = (o.*field).value_or(standard);
  return o;
}

/// The first objectives that have a part, for one that has not.
template <class Has>
std::string which_have(const Has& has) {
  constexpr int kShown = 4;
  std::string names;
  int count = 0;
  for (const ObjectiveRow* row : detail::all_rows()) {
    if (!has(*row, row->make(with_row_settings(*row, {})))) continue;
    if (++count <= kShown) names += (count > 1 ? ", " : "") + row->name;
  }
  return count > kShown ? message("{} and {} more", names, count - kShown) : names;
}

bool aims_at_k(const Objective& objective) {
  return std::any_of(objective.penalties.begin(), objective.penalties.end(),
                     [](const Penalty& penalty) { return penalty.shape.with_k != nullptr; });
}

bool trains_with_adam(const Objective& objective, const ObjectiveOverrides& o) {
  const Schedule& s = objective.schedule;
  return o.optimizer ? *o.optimizer == OptimizerKind::adam
                     : s.d.kind == OptimizerKind::adam || s.g.kind == OptimizerKind::adam;
}
bool has_instance_noise(const Objective& objective, const ObjectiveOverrides& o) {
  return o.instance_noise.value_or(objective.schedule.instance_noise) > 0;
}

/// A value for a part that this objective does not have would be silently ignored: refuse it.
void check_places(const ObjectiveRow& row, const Objective& objective, const ObjectiveOverrides& o) {
  const char* of_penalty = o.lambda ? "lambda" : o.k ? "k" : o.lazy_interval ? "lazy-interval" : nullptr;
  if (of_penalty && objective.penalties.empty()) {
    fail("objective",
         "{} has no gradient penalty: {} does not apply; leave it out, or take an objective with a penalty: "
         "{}",
         row.name, of_penalty,
         which_have([](const ObjectiveRow&, const Objective& other) { return !other.penalties.empty(); }));
  }
  if (o.k && !aims_at_k(objective)) {
    fail("objective", "{}'s penalty aims at no norm but zero: k does not apply; leave it out, or take {}",
         row.name, which_have([](const ObjectiveRow&, const Objective& other) { return aims_at_k(other); }));
  }
  if (o.clip && !(objective.constraint.weight_clip > 0)) {
    fail("objective",
         "{} does not clip weights: clip does not apply; leave it out, or take an objective that does: {}",
         row.name, which_have([](const ObjectiveRow&, const Objective& other) {
           return other.constraint.weight_clip > 0;
         }));
  }
  DUEL_CHECK(!o.consensus || o.update.value_or(objective.schedule.update) == Update::consensus, "objective",
             "consensus is the weight of the consensus update: it applies with update consensus only");
  DUEL_CHECK(
      trains_with_adam(objective, o) || !(o.beta1 || o.beta2), "objective",
      "beta1 and beta2 are Adam's, and {} is not trained with it here: leave them out, or add optimizer adam",
      row.name);
  DUEL_CHECK(has_instance_noise(objective, o) || o.instance_noise_steps.value_or(0) == 0, "objective",
             "instance-noise-steps says how long instance noise takes to fade, and there is none: "
             "add instance-noise, the noise's deviation at the start, or leave instance-noise-steps out");
  for (const auto& [field, flag, what] : kLossFields) {
    const auto is_it = [field = field](const detail::RowSetting& setting) { return setting.field == field; };
    const auto has = [&](const ObjectiveRow& r, const Objective&) {
      return std::any_of(r.settings.begin(), r.settings.end(), is_it);
    };
    if (!(o.*field) || has(row, objective)) continue;
    fail("objective", "{} has no {}: {} does not apply; it is a setting of {}", row.name, what, flag,
         which_have(has));
  }
  for (const auto& [field, flag, what] : kLossCounts) {
    const auto is_it = [field = field](const detail::RowCount& count) { return count.field == field; };
    const auto has = [&](const ObjectiveRow& r, const Objective&) {
      return std::any_of(r.counts.begin(), r.counts.end(), is_it);
    };
    if (!(o.*field) || has(row, objective)) continue;
    fail("objective", "{} has no {}: {} does not apply; it is a setting of {}", row.name, what, flag,
         which_have(has));
  }
}

template <class T>
void set_if(T& field, const std::optional<T>& value) {
  if (value) field = *value;
}

}  // namespace

const std::vector<const ObjectiveRow*>& detail::all_rows() {
  static const std::vector<const ObjectiveRow*> all = [] {
    std::vector<const ObjectiveRow*> rows;
    for (const Rows* family : {&basic_rows(), &relativistic_rows(), &divergence_rows(), &regularised_rows(),
                               &dynamics_rows(), &energy_rows(), &conditional_rows()}) {
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

bool has_probabilities(const Objective& objective) {
  return objective.relativism == Relativism::none && objective.loss.cross_entropy;
}

Objective named_objective(const std::string& name, const ObjectiveOverrides& o) {
  const ObjectiveRow& row = row_of(name);
  check_values(o);
  Objective objective = row.make(with_row_settings(row, o));
  check_places(row, objective, o);
  objective.name = row.name;
  objective.formula = row.formula;
  objective.paper = row.paper;
  objective.rates = row.rates;
  objective.note = row.note;

  for (Penalty& penalty : objective.penalties) {
    set_if(penalty.weight, o.lambda);
    if (o.k && penalty.shape.with_k) penalty.shape = penalty.shape.with_k(*o.k);
  }
  set_if(objective.constraint.weight_clip, o.clip);
  set_if(objective.constraint.spectral_norm, o.spectral_norm);
  Schedule& s = objective.schedule;
  for (OptimizerChoice* choice : {&s.d, &s.g}) {
    set_if(choice->kind, o.optimizer);
    set_if(choice->beta1, o.beta1);
    set_if(choice->beta2, o.beta2);
  }
  set_if(s.d.lr, o.lr_d);
  set_if(s.g.lr, o.lr_g);
  set_if(s.critic_steps, o.critic_steps);
  set_if(s.generator_steps, o.generator_steps);
  set_if(s.generator_batch, o.generator_batch);
  set_if(s.warmup.critic_steps, o.critic_warmup);
  set_if(s.update, o.update);
  set_if(s.consensus, o.consensus);
  set_if(s.unroll, o.unroll);
  set_if(s.lr_decay_steps, o.lr_decay_steps);
  set_if(s.label_flip, o.label_flip);
  if (o.feature_matching.value_or(0) > 0) objective.g_terms.push_back(feature_matching(*o.feature_matching));
  set_if(s.instance_noise, o.instance_noise);
  set_if(s.instance_noise_steps, o.instance_noise_steps);
  set_if(s.packing, o.packing);
  set_if(s.ema, o.ema);
  set_if(s.lazy_interval, o.lazy_interval);
  return objective;
}

ObjectiveOverrides resolved_overrides(const std::string& name, const ObjectiveOverrides& overrides) {
  const Objective objective = named_objective(name, overrides);
  const Schedule& s = objective.schedule;
  ObjectiveOverrides o = with_row_settings(row_of(name), without_idle(name, overrides));
  if (!objective.penalties.empty()) {
    o.lambda = objective.penalties.front().weight;
    if (aims_at_k(objective)) o.k = objective.penalties.front().shape.k;
    o.lazy_interval = s.lazy_interval;
  }
  if (objective.constraint.weight_clip > 0) o.clip = objective.constraint.weight_clip;
  o.optimizer = s.d.kind;
  o.lr_d = s.d.lr;
  o.lr_g = s.g.lr;
  if (s.d.kind == OptimizerKind::adam) {
    o.beta1 = s.d.beta1;
    o.beta2 = s.d.beta2;
  }
  o.critic_steps = s.critic_steps;
  o.generator_steps = s.generator_steps;
  o.generator_batch = s.generator_batch;
  o.critic_warmup = s.warmup.critic_steps;
  o.update = s.update;
  o.spectral_norm = objective.constraint.spectral_norm;
  if (s.update == Update::consensus) o.consensus = s.consensus;
  o.unroll = s.unroll;
  o.lr_decay_steps = s.lr_decay_steps;
  o.label_flip = s.label_flip;
  o.feature_matching = o.feature_matching.value_or(0);
  o.instance_noise = s.instance_noise;
  if (s.instance_noise > 0) o.instance_noise_steps = s.instance_noise_steps;
  o.packing = s.packing;
  o.ema = s.ema;
  return o;
}

ObjectiveOverrides without_idle(const std::string& name, ObjectiveOverrides o) {
  const ObjectiveRow& row = row_of(name);
  const Objective objective = row.make(with_row_settings(row, o));
  if (!trains_with_adam(objective, o)) o.beta1 = o.beta2 = {};
  if (!has_instance_noise(objective, o)) o.instance_noise_steps = {};
  return o;
}

}  // namespace duel::gan
