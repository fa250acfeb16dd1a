// The table of named objectives: the defaults of each paper, or of its published MNIST code.
#include <algorithm>

#include "duel/gan/objective.h"

namespace duel::gan {
namespace {

constexpr OptimizerChoice adam(double lr, double beta1, double beta2) {
  return {.kind = OptimizerKind::adam, .lr = lr, .beta1 = beta1, .beta2 = beta2};
}

Schedule schedule(int64_t critic_steps, const OptimizerChoice& both) {
  return {.critic_steps = critic_steps, .d = both, .g = both};
}

/// The labels that least squares take from the user.
struct Labels {
  double a, b, c;
};

struct Row {
  const char* name;
  const char* formula;
  const char* paper;
  Objective (*make)(double real_target, const Labels& labels);
  bool has_targets = false;        // label smoothing applies
  const Labels* labels = nullptr;  // label a, b, c apply; the defaults
};

constexpr Labels kZeroOne{0, 1, 1}, kPearson{-1, 1, 0};

const Row kRows[] = {
    {"gan", "L_D = E softplus(-r) + E softplus(f);  L_G = -E softplus(f)",
     "Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661, eq. 1",
     [](double target, const Labels&) {
       return Objective{.loss = minimax_loss(target), .schedule = schedule(1, adam(2e-4, 0.5, 0.999))};
     },
     true},
    {"ns-gan", "L_D = E softplus(-r) + E softplus(f);  L_G = E softplus(-f)",
     "Goodfellow et al. 2014, section 3; rates of Radford et al. 2015, arXiv:1511.06434",
     [](double target, const Labels&) {
       return Objective{.loss = non_saturating_loss(target), .schedule = schedule(1, adam(2e-4, 0.5, 0.999))};
     },
     true},
    {"wgan", "L_D = E f - E r, |w| <= c;  L_G = -E f", "Arjovsky et al. 2017, Wasserstein GAN, arXiv:1701.07875, algorithm 1",
     [](double, const Labels&) {
       return Objective{.loss = wasserstein_loss(), .constraint = {.weight_clip = 0.01},
                        .schedule = schedule(5, {.kind = OptimizerKind::rmsprop, .lr = 5e-5})};
     }},
    {"wgan-gp", "L_D = E f - E r + lambda E (||grad D(x)|| - K)^2, x on lines;  L_G = -E f",
     "Gulrajani et al. 2017, Improved Training of Wasserstein GANs, arXiv:1704.00028; Adam's betas of its MNIST code",
     [](double, const Labels&) {
       return Objective{.loss = wasserstein_loss(), .penalties = {{one_centered(1.0), on_lines(), 10.0}},
                        .schedule = schedule(5, adam(1e-4, 0.5, 0.9))};
     }},
    {"wgan-lp", "L_D = E f - E r + lambda E max(0, ||grad D(x)|| - K)^2, x on lines;  L_G = -E f",
     "Petzka et al. 2018, On the regularization of Wasserstein GANs, arXiv:1709.08894",
     [](double, const Labels&) {
       return Objective{.loss = wasserstein_loss(), .penalties = {{one_sided(1.0), on_lines(), 10.0}},
                        .schedule = schedule(5, adam(1e-4, 0.5, 0.9))};
     }},
    {"lsgan", "L_D = E (r - b)^2 / 2 + E (f - a)^2 / 2;  L_G = E (f - c)^2 / 2;  a, b, c = 0, 1, 1",
     "Mao et al. 2016, Least Squares GAN, arXiv:1611.04076, eq. 9",
     [](double, const Labels& l) {
       return Objective{.loss = least_squares_loss(l.a, l.b, l.c), .schedule = schedule(1, adam(2e-4, 0.5, 0.999))};
     },
     false, &kZeroOne},
    {"lsgan-pearson", "as lsgan with a, b, c = -1, 1, 0: the Pearson chi-squared divergence", "Mao et al. 2016, eq. 8",
     [](double, const Labels& l) {
       return Objective{.loss = least_squares_loss(l.a, l.b, l.c), .schedule = schedule(1, adam(2e-4, 0.5, 0.999))};
     },
     false, &kPearson},
    {"dragan", "L_D = E softplus(-r) + E softplus(f) + lambda E (||grad D(x)|| - K)^2, x around real data;  L_G = E softplus(-f)",
     "Kodali et al. 2017, On Convergence and Stability of GANs, arXiv:1705.07215; sampling of its DRAGAN.ipynb",
     [](double target, const Labels&) {
       return Objective{.loss = non_saturating_loss(target), .penalties = {{one_centered(1.0), around_real(), 10.0}},
                        .schedule = schedule(1, adam(1e-4, 0.5, 0.9))};
     },
     true},
    {"hinge", "L_D = E relu(1 - r) + E relu(1 + f);  L_G = -E f",
     "Lim & Ye 2017, Geometric GAN, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957",
     [](double, const Labels&) {
       return Objective{.loss = hinge_loss_pair(), .schedule = schedule(1, adam(2e-4, 0.5, 0.999))};
     }},
};

const Row& row_of(const std::string& name) {
  for (const Row& row : kRows) {
    if (name == row.name) return row;
  }
  const std::string nearest = nearest_name(name, objective_names());
  fail("objective", "unknown objective '{}'{}; 'duel objectives' lists them all", name,
       nearest.empty() ? "" : ": did you mean '" + nearest + "'?");
}

void positive(const std::optional<double>& value, const char* field) {
  DUEL_CHECK(!value || *value > 0, "objective", "{}: expected a positive number, got {}", field, std::to_string(*value));
}
void not_negative(const std::optional<double>& value, const char* field) {
  DUEL_CHECK(!value || *value >= 0, "objective", "{}: expected a number of at least 0, got {}", field, std::to_string(*value));
}
void at_least_one(const std::optional<int64_t>& value, const char* field) {
  DUEL_CHECK(!value || *value >= 1, "objective", "{}: expected an integer of at least 1, got {}", field, *value);
}
void below_one(const std::optional<double>& value, const char* field) {
  DUEL_CHECK(!value || (*value >= 0 && *value < 1), "objective", "{}: expected a number in [0, 1), got {}", field,
             std::to_string(*value));
}

void check_values(const ObjectiveOverrides& o) {
  positive(o.lr_d, "lr-d");
  positive(o.lr_g, "lr-g");
  positive(o.clip, "clip");
  not_negative(o.lambda, "lambda");
  not_negative(o.k, "k");
  not_negative(o.instance_noise, "instance-noise");
  below_one(o.beta1, "beta1");
  below_one(o.beta2, "beta2");
  below_one(o.ema, "ema");
  at_least_one(o.critic_steps, "critic-steps");
  at_least_one(o.packing, "packing");
  at_least_one(o.lazy_interval, "lazy-interval");
  DUEL_CHECK(!o.instance_noise_steps || *o.instance_noise_steps >= 0, "objective",
             "instance-noise-steps: expected an integer of at least 0, got {}", *o.instance_noise_steps);
  DUEL_CHECK(!o.label_smoothing || (*o.label_smoothing >= 0 && *o.label_smoothing < 0.5), "objective",
             "label-smoothing: expected a number in [0, 0.5), got {}", std::to_string(*o.label_smoothing));
}

/// A value for a part that this objective does not have would be silently ignored: refuse it.
void check_places(const Row& row, const Objective& objective, const ObjectiveOverrides& o) {
  const bool penalised = !objective.penalties.empty();
  DUEL_CHECK(penalised || !(o.lambda || o.k || o.lazy_interval), "objective",
             "{} has no gradient penalty: lambda, k and lazy-interval do not apply", row.name);
  DUEL_CHECK(objective.constraint.weight_clip > 0 || !o.clip, "objective", "{} does not clip weights: clip does not apply",
             row.name);
  DUEL_CHECK(row.labels || !(o.label_a || o.label_b || o.label_c), "objective",
             "{} has no least-squares labels: label-a, label-b and label-c do not apply", row.name);
  DUEL_CHECK(row.has_targets || !o.label_smoothing || *o.label_smoothing == 0, "objective",
             "{} has no probability targets: label-smoothing does not apply", row.name);
}

template <class T>
void set_if(T& field, const std::optional<T>& value) {
  if (value) field = *value;
}

}  // namespace

std::vector<std::string> objective_names() {
  std::vector<std::string> names;
  for (const Row& row : kRows) names.emplace_back(row.name);
  return names;
}

Objective named_objective(const std::string& name, const ObjectiveOverrides& o) {
  const Row& row = row_of(name);
  check_values(o);
  Labels labels = row.labels ? *row.labels : kZeroOne;
  set_if(labels.a, o.label_a);
  set_if(labels.b, o.label_b);
  set_if(labels.c, o.label_c);
  Objective objective = row.make(1.0 - o.label_smoothing.value_or(0.0), labels);
  check_places(row, objective, o);
  objective.name = row.name;
  objective.formula = row.formula;
  objective.paper = row.paper;

  for (Penalty& penalty : objective.penalties) {
    set_if(penalty.weight, o.lambda);
    if (o.k) penalty.shape = penalty.shape.name.starts_with("one_sided") ? one_sided(*o.k) : one_centered(*o.k);
  }
  set_if(objective.constraint.weight_clip, o.clip);
  Schedule& s = objective.schedule;
  for (OptimizerChoice* choice : {&s.d, &s.g}) {
    set_if(choice->kind, o.optimizer);
    set_if(choice->beta1, o.beta1);
    set_if(choice->beta2, o.beta2);
  }
  set_if(s.d.lr, o.lr_d);
  set_if(s.g.lr, o.lr_g);
  set_if(s.critic_steps, o.critic_steps);
  set_if(s.instance_noise, o.instance_noise);
  set_if(s.instance_noise_steps, o.instance_noise_steps);
  set_if(s.packing, o.packing);
  set_if(s.ema, o.ema);
  set_if(s.lazy_interval, o.lazy_interval);
  return objective;
}

ObjectiveOverrides resolved_overrides(const std::string& name, const ObjectiveOverrides& overrides) {
  const Objective objective = named_objective(name, overrides);
  const Row& row = row_of(name);
  const Schedule& s = objective.schedule;
  ObjectiveOverrides o = overrides;
  if (!objective.penalties.empty()) {
    o.lambda = objective.penalties.front().weight;
    o.k = objective.penalties.front().shape.k;
    o.lazy_interval = s.lazy_interval;
  }
  if (objective.constraint.weight_clip > 0) o.clip = objective.constraint.weight_clip;
  if (row.labels) {
    o.label_a = o.label_a.value_or(row.labels->a);
    o.label_b = o.label_b.value_or(row.labels->b);
    o.label_c = o.label_c.value_or(row.labels->c);
  }
  if (row.has_targets) o.label_smoothing = o.label_smoothing.value_or(0.0);
  o.optimizer = s.d.kind;
  o.lr_d = s.d.lr;
  o.lr_g = s.g.lr;
  if (s.d.kind == OptimizerKind::adam) {
    o.beta1 = s.d.beta1;
    o.beta2 = s.d.beta2;
  }
  o.critic_steps = s.critic_steps;
  o.instance_noise = s.instance_noise;
  o.instance_noise_steps = s.instance_noise_steps;
  o.packing = s.packing;
  o.ema = s.ema;
  return o;
}

void check_compatible(const Objective& objective, const nn::Module& critic, int64_t batch) {
  DUEL_CHECK(objective.penalties.empty() || !critic.mixes_samples(), "objective",
             "{} takes the gradient norm of each sample, but the critic has batch norm, through which a sample's output depends "
             "on the whole batch: use layer, instance or no normalisation in D",
             objective.name);
  DUEL_CHECK(batch >= 1, "objective", "batch: expected an integer of at least 1, got {}", batch);
  DUEL_CHECK(batch % objective.schedule.packing == 0, "objective",
             "packing {} does not divide the batch of {}: D judges {} samples together", objective.schedule.packing, batch,
             objective.schedule.packing);
}

std::string nearest_name(const std::string& word, const std::vector<std::string>& names) {
  std::string best;
  size_t best_distance = word.size() / 3 + 2;
  for (const std::string& name : names) {
    std::vector<size_t> row(name.size() + 1);
    for (size_t j = 0; j <= name.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= name.size(); ++j) {
        const size_t change = diagonal + (word[i - 1] == name[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
      }
    }
    if (row[name.size()] < best_distance) {
      best_distance = row[name.size()];
      best = name;
    }
  }
  return best;
}

}  // namespace duel::gan
