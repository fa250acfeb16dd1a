#include "duel/gan/lab/dirac.h"

#include <algorithm>
#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/distances/fisher.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"

namespace duel::gan::lab {
namespace {

constexpr TensorOptions kF64{DType::f64, {}};
constexpr int64_t kBatch = 2;

Tensor scalar(double value) { return Tensor::full({}, value, kF64).set_requires_grad(true); }
Tensor batch_of(const Tensor& value) { return broadcast_to(value, {kBatch, 1}); }

double slope(const Tensor& of, const Tensor& in) {
  const Tensor g = grad({of}, {in}, {}, {.allow_unused = true})[0];
  return g.defined() ? g.item() : 0.0;
}

/// d L_D(o, o) / d o.
double constant_answer_slope(const Objective& objective, double o) {
  const Tensor logit = scalar(o);
  return slope(discriminator_loss(objective.loss, objective.relativism, batch_of(logit), batch_of(logit)),
               logit);
}

/// The root of the above that is nearest to 0; the slope rises with o, as each loss is convex in the logits.
double undecided_logit(const Objective& objective) {
  if (std::abs(constant_answer_slope(objective, 0)) < 1e-12) return 0;
  double low = -20, high = 20;
  if (constant_answer_slope(objective, low) > 0 || constant_answer_slope(objective, high) < 0) return 0;
  for (int i = 0; i < 100; ++i) {
    const double middle = 0.5 * (low + high);
    (constant_answer_slope(objective, middle) < 0 ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

/// G: every latent vector becomes theta.
class Point : public nn::Module {
 public:
  Tensor theta = register_parameter("theta", Tensor::zeros({1}, kF64));
  Tensor forward(const Tensor& z) override { return broadcast_to(theta, {z.dim(0), 1}); }
};

/// D: psi (x_1 + ... + x_m) / sqrt(m) + offset of [N, m], samples packed m at a time.
class Slope : public nn::Module {
 public:
  Slope(double offset, int64_t packing) : offset_(offset), packing_(packing) {}
  Tensor psi = register_parameter("psi", Tensor::zeros({1}, kF64));
  Tensor forward(const Tensor& x) override {
    const Tensor of_each = mul(x, psi);
    if (packing_ == 1) return add_scalar(of_each, offset_);
    return add_scalar(mul_scalar(sum(of_each, {1}, true), 1 / std::sqrt(static_cast<double>(packing_))),
                      offset_);
  }
  bool second_derivative_zero() const override { return true; }

 private:
  double offset_;
  int64_t packing_;
};

/// Why D cannot be psi x; empty if it can.
std::string more_than_a_logit(const Objective& objective) {
  switch (objective.critic) {
    case CriticKind::plain:
      break;
    case CriticKind::label_input:
    case CriticKind::projection:
      return "its D is told the label of each sample, and this game's one point has none";
    case CriticKind::class_head:
      return "its D names the class of each sample, and this game's one point has none";
    case CriticKind::code_head:
      return "its D reads back the codes that G was given, and this game's G is given none";
    case CriticKind::squared_error:
    case CriticKind::absolute_error:
      return "its D is an autoencoder, judging by how well it rebuilds a sample instead of by a logit";
    case CriticKind::embedding:
      return "its losses compare the samples of a batch with each other, and this game has one a side";
  }
  if (objective.loss.reads_features)
    return "its G looks at what D's last layer sees, and the one layer of this game's D sees the point itself, whatever D learns";
  for (const auto* terms : {&objective.d_terms, &objective.g_terms}) {
    if (!terms->empty() && has_multiplier(terms->front()))
      return "its multiplier is a third player, and at the data, where D says 0 of everything, the constraint that it is to hold "
             "cannot hold: it falls without end, and no state of this game rests";
    if (!terms->empty()) return "its term " + terms->front().name + " reads more of D than a logit";
  }
  return {};
}

/// M of the header, by rows.
std::array<double, 4> linear_update(const DiracTheory& t, const Schedule& schedule) {
  const double a = t.a, b = t.b, c = t.c, h = schedule.d.lr;
  switch (schedule.update) {
    case Update::simultaneous:
      return {1 - h * c, -h * a, -h * b, 1};
    case Update::extragradient:
      return {1 - h * c + h * h * (c * c + a * b), -h * a + h * h * c * a, -h * b + h * h * b * c,
              1 + h * h * a * b};
    case Update::alternating: {
      double power = 1, total = 0;
      for (int64_t k = 0; k < schedule.critic_steps; ++k) {
        total += power;
        power *= 1 - h * c;
      }
      const auto ahead = static_cast<double>(2 * schedule.unroll);
      return {power, -h * a * total, -h * b * power, 1 + h * h * a * b * (total + ahead)};
    }
    case Update::consensus: {
      const double g = schedule.consensus;
      return {1 - h * (c + g * (c * c + b * b)), -h * (a + g * c * a), -h * (b + g * c * a),
              1 - h * g * a * a};
    }
  }
  throw InternalError("unknown Update");
}

}  // namespace

double DiracPoint::radius() const { return std::hypot(psi, theta); }

std::vector<DiracOrder> dirac_orders() {
  return {{.name = "simultaneous", .update = Update::simultaneous},
          {.name = "1:1"},
          {.name = "5:1", .critic_steps = 5},
          {.name = "extragradient", .update = Update::extragradient}};
}

DiracOrder consensus_order() { return {.name = "consensus", .update = Update::consensus}; }
DiracOrder unrolled_order() { return {.name = "unrolled 5", .unroll = 5}; }

std::vector<DiracOrder> dirac_orders(const Objective& objective) {
  if (objective.schedule.update == Update::consensus) return {consensus_order()};
  if (objective.schedule.unroll > 0) return {unrolled_order()};
  return dirac_orders();
}

Objective dirac_objective(Objective objective, const DiracOrder& order, double lr) {
  const OptimizerChoice descent{.kind = OptimizerKind::sgd, .lr = lr};
  Schedule schedule;
  schedule.critic_steps = order.critic_steps;
  schedule.update = order.update;
  schedule.unroll = order.unroll;
  schedule.consensus = 0.5;
  schedule.packing = objective.schedule.packing;
  schedule.d = schedule.g = descent;
  objective.schedule = schedule;
  for (Penalty& penalty : objective.penalties) penalty.weight = 1;
  return objective;
}

DiracTheory dirac_theory(const Objective& objective) {
  DiracTheory t;
  t.offset = undecided_logit(objective);
  const Tensor real = Tensor::full({kBatch, 1}, t.offset, kF64), fake = scalar(t.offset);
  t.a = slope(discriminator_loss(objective.loss, objective.relativism, real, batch_of(fake)), fake);
  t.b = slope(generator_loss(objective.loss, objective.relativism, real, batch_of(fake)), fake);
  const double packs = std::sqrt(static_cast<double>(objective.schedule.packing));
  t.a *= packs;
  t.b *= packs;
  for (const Penalty& penalty : objective.penalties) {
    const Tensor norm = Tensor::zeros({1}, kF64).set_requires_grad(true);
    const Tensor first = grad({mean(penalty.shape.apply(norm))}, {norm}, {}, {.create_graph = true})[0];
    t.kink += penalty.weight * first.item();
    t.c += penalty.weight * (first.requires_grad() ? slope(first, norm) : 0.0);
  }

  t.update = linear_update(t, objective.schedule);
  const double trace = t.update[0] + t.update[3],
               determinant = t.update[0] * t.update[3] - t.update[1] * t.update[2];
  const std::complex<double> root = std::sqrt(std::complex<double>(trace * trace / 4 - determinant));
  t.eigenvalues = {trace / 2 + root, trace / 2 - root};

  const double modulus = std::max(std::abs(t.eigenvalues[0]), std::abs(t.eigenvalues[1]));
  constexpr double kRounding = 1e-12;
  if (t.kink != 0)
    t.local = DiracLocal::not_smooth;
  else if (t.a * t.b == 0)
    t.local = DiracLocal::degenerate;
  else if (modulus < 1 - kRounding)
    t.local = DiracLocal::attracts;
  else if (modulus > 1 + kRounding)
    t.local = DiracLocal::repels;
  else
    t.local = DiracLocal::keeps;
  return t;
}

DiracGame::DiracGame(const Objective& objective) {
  const std::string refusal = dirac_refusal(objective);
  DUEL_CHECK(refusal.empty(), "dirac", "{} cannot be played: {}", objective.name, refusal);
  const auto generator = std::make_shared<Point>();
  const int64_t packing = objective.schedule.packing, batch = kBatch * packing;
  const auto critic = std::make_shared<Slope>(undecided_logit(objective), packing);
  Networks networks;
  networks.generator = generator;
  networks.discriminator = critic;
  trainer_ = std::make_unique<Trainer>(networks, objective, nullptr,
                                       TrainerOptions{.batch = batch, .dtype = DType::f64});
  theta_ = generator->theta;
  psi_ = critic->psi;
  real_ = Tensor::zeros({batch, 1}, kF64);
  latent_ = Tensor::zeros({batch, 1}, kF64);
}

std::string dirac_refusal(const Objective& objective) {
  if (const std::string why = more_than_a_logit(objective); !why.empty()) return why;
  if (objective.constraint.spectral_norm) {
    return "spectral norm leaves of D's one weight only its sign, which no step of D moves: there is no game";
  }
  try {
    const int64_t packing = std::max<int64_t>(objective.schedule.packing, 1);
    check_compatible(objective, Slope(0, packing), kBatch * packing);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

DiracGame::~DiracGame() = default;
DiracGame::DiracGame(DiracGame&&) noexcept = default;

DiracPoint DiracGame::step(DiracPoint point) {
  const auto set = [](const Tensor& parameter, double value) {
    NoGrad writing;
    parameter.fill_(value);
  };
  set(psi_, point.psi);
  set(theta_, point.theta);
  const Schedule& schedule = trainer_->objective().schedule;
  if (schedule.update == Update::alternating) {
    for (int64_t k = 0; k < schedule.critic_steps; ++k)
      trainer_->critic_step(real_, trainer_->generate(latent_));
    trainer_->generator_step(latent_, real_);
  } else {
    trainer_->joint_step({.real = real_, .latents = {.input = latent_}});
  }
  return {psi_.item(), theta_.item()};
}

std::array<double, 4> DiracGame::numeric_update(DiracPoint at, double eps) {
  const DiracPoint right = step({at.psi + eps, at.theta}), left = step({at.psi - eps, at.theta});
  const DiracPoint up = step({at.psi, at.theta + eps}), down = step({at.psi, at.theta - eps});
  return {(right.psi - left.psi) / (2 * eps), (up.psi - down.psi) / (2 * eps),
          (right.theta - left.theta) / (2 * eps), (up.theta - down.theta) / (2 * eps)};
}

DiracRun play_dirac(DiracGame& game, DiracPoint start, int64_t steps) {
  DUEL_CHECK(steps >= 100, "dirac", "expected at least 100 steps, got {}", steps);
  const double scale = start.radius();
  DiracPoint point = start;
  DiracRun run;
  std::vector<DiracPoint> path{start};
  int64_t played = 0;
  for (int64_t total = steps; total <= 4 * steps; total *= 2) {
    double middle = 0;  // the largest distance within the sixth tenth
    std::vector<DiracPoint> tail;
    for (; played < total; ++played) {
      point = game.step(point);
      if (path.size() <= kDiracPath) path.push_back(point);
      if (!(point.radius() < 1e6)) return {DiracEnd::diverges, point, point.radius(), path};
      if (played >= total / 2 && played < total * 6 / 10) middle = std::max(middle, point.radius());
      if (played >= total * 9 / 10) tail.push_back(point);
    }
    run = {DiracEnd::orbits, point, 0, path};
    double moved = 0;
    for (const DiracPoint& p : tail) {
      run.radius = std::max(run.radius, p.radius());
      moved = std::max(moved, std::hypot(p.psi - point.psi, p.theta - point.theta));
    }
    if (std::abs(point.theta) < 1e-2 * scale && moved < 1e-3 * scale) {
      run.end = DiracEnd::converges;
      return run;
    }
    if (run.radius < 0.98 * middle) {
      run.end = DiracEnd::converges;  // if it goes on so
    } else if (run.radius > 1.02 * middle) {
      run.end = DiracEnd::diverges;  // likewise
    } else {
      if (moved < 0.1 * run.radius) run.end = DiracEnd::stalls;
      return run;
    }
  }
  return run;
}

DiracRow dirac_row(const std::string& name, const DiracOrder& order, double lr, int64_t steps) {
  const Objective objective = dirac_objective(named_objective(name), order, lr);
  DiracGame game(objective);
  return {name, order, dirac_theory(objective), play_dirac(game, {0.5, 0.5}, steps)};
}

std::vector<DiracRow> dirac_table(double lr) {
  std::vector<DiracRow> rows;
  for (const std::string& name : objective_names()) {
    const Objective objective = named_objective(name);
    if (!dirac_refusal(objective).empty()) continue;
    for (const DiracOrder& order : dirac_orders(objective)) rows.push_back(dirac_row(name, order, lr));
  }
  return rows;
}

std::string to_text(DiracLocal local) {
  switch (local) {
    case DiracLocal::attracts:
      return "attracts";
    case DiracLocal::keeps:
      return "keeps";
    case DiracLocal::repels:
      return "repels";
    case DiracLocal::degenerate:
      return "degenerate";
    case DiracLocal::not_smooth:
      return "kink";
  }
  throw InternalError("unknown DiracLocal");
}

std::string to_text(DiracEnd end) {
  switch (end) {
    case DiracEnd::converges:
      return "converges";
    case DiracEnd::orbits:
      return "orbits";
    case DiracEnd::diverges:
      return "diverges";
    case DiracEnd::stalls:
      return "stalls";
  }
  throw InternalError("unknown DiracEnd");
}

std::string to_markdown(const std::vector<DiracRow>& rows) {
  std::string text =
      "| objective | order | eigenvalues | modulus | (0, 0) | ends | psi, theta |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const DiracRow& row : rows) {
    std::string eigenvalues = "-", modulus = "-";
    const auto& [first, second] = row.theory.eigenvalues;
    const double largest = std::max(std::abs(first), std::abs(second));
    if (row.theory.local != DiracLocal::not_smooth) {
      eigenvalues = first.imag() != 0
                        ? fixed(first.real(), 4) + " ± " + fixed(std::abs(first.imag()), 4) + "i"
                        : fixed(first.real(), 4) + ", " + fixed(second.real(), 4);
      modulus = fixed(largest, 5);
    }
    const std::string last =
        row.run.radius < 1e6 ? fixed(row.run.last.psi + 0.0, 3) + ", " + fixed(row.run.last.theta + 0.0, 3)
                             : std::string("beyond 1e6");
    text += "| " + row.objective + " | " + row.order.name + " | " + eigenvalues + " | " + modulus + " | " +
            to_text(row.theory.local) + " | " + to_text(row.run.end) + " | " + last + " |\n";
  }
  return text;
}

}  // namespace duel::gan::lab
