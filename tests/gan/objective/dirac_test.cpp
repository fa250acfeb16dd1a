// The Dirac-GAN (gan/lab/dirac.h): slopes and eigenvalues worked out by hand against the derivative of what
// the trainer does, and the fate of each game against theory. A wrong sign or factor in a loss, a penalty
// without its gradient, G's step taken before D's, or D's step seen by a simultaneous G changes the numbers.
#include "duel/gan/lab/dirac.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "proofs.h"

namespace duel::gan::lab {
namespace {

constexpr double kStep = 0.1;
using Complex = std::complex<double>;

DiracOrder order_named(const std::string& name) {
  for (const DiracOrder& order : dirac_orders()) {
    if (order.name == name) return order;
  }
  throw InternalError("no such order");
}

/// The eigenvalues by hand, one formula per order; c = 0 for all but the simultaneous one.
std::array<Complex, 2> eigenvalues_by_hand(const DiracOrder& order, double a, double b, double c) {
  const double h = kStep;
  if (order.name == "simultaneous") {
    const Complex root = h * std::sqrt(Complex(c * c / 4 + a * b));  // 1 - hc/2 ± h sqrt(c^2/4 + ab)
    return {1 - h * c / 2 + root, 1 - h * c / 2 - root};
  }
  if (order.name == "consensus") {  // trace and determinant of I - h (G + G^T G / 2)
    const double trace = 2 - h * (c + (a * a + b * b + c * c) / 2);
    const double determinant = (1 - h * c - h * (c * c + b * b) / 2) * (1 - h * a * a / 2) -
                               h * h * (a + c * a / 2) * (b + c * a / 2);
    const Complex root = std::sqrt(Complex(trace * trace / 4 - determinant));
    return {trace / 2 + root, trace / 2 - root};
  }
  if (order.unroll > 0) {  // determinant (1 - hc) (1 + 2 k h^2 ab)
    const double further = 2.0 * static_cast<double>(order.unroll) * h * h * a * b,
                 determinant = (1 - h * c) * (1 + further);
    const double trace = 2 - h * c + h * h * a * b + further;
    const Complex root = std::sqrt(Complex(trace * trace / 4 - determinant));
    return {trace / 2 + root, trace / 2 - root};
  }
  if (order.name == "extragradient") {  // 1 + s + s^2 for each eigenvalue s of h J
    const Complex root = std::sqrt(Complex(c * c / 4 + a * b)), s = h * (-c / 2 + root),
                  r = h * (-c / 2 - root);
    return {1.0 + s + s * s, 1.0 + r + r * r};
  }
  // k:1 without damping: a rotation, determinant 1, cosine 1 - k h^2 |ab| / 2. With it the product is (1 -
  // hc)^k.
  const auto k = static_cast<double>(order.critic_steps);
  const double step = 1 - h * c, product = std::pow(step, k), sum = c == 0 ? k : (1 - product) / (h * c);
  const double half_trace = (product + 1 + h * h * a * b * sum) / 2;
  const Complex root = std::sqrt(Complex(half_trace * half_trace - product));
  return {half_trace + root, half_trace - root};
}

/// By hand: a = dL_D/df and b = dL_G/df at the logit where D is undecided (times sqrt(m) under packing), c
/// and the kink of the penalties; and how the game ends: simultaneous, 1:1, 5:1, extragradient.
struct Expected {
  const char* objective;
  double offset, a, b, c, kink;
  DiracEnd ends[4];
};
constexpr DiracEnd C = DiracEnd::converges, O = DiracEnd::orbits, V = DiracEnd::diverges,
                   S = DiracEnd::stalls;
const Expected kExpected[] = {
    // psi' = -theta s, theta' = psi s with s = sigmoid(f): circles, that simultaneous steps widen by 1 + h^2
    // s^2 each.
    {"gan", 0, 0.5, -0.5, 0, 0, {V, O, O, C}},
    // Energy falls as -f tanh(f / 2): a second order that wins over no damping, but not over the widening
    // near 0.
    {"ns-gan", 0, 0.5, -0.5, 0, 0, {O, C, C, C}},
    // Circles. Clipping only bounds them.
    {"wgan", 0, 1, -1, 0, 0, {O, O, O, C}},
    // One-centred: a kink at psi = 0; comes to rest at psi = 0, theta = 2 weight K / a.
    {"wgan-gp", 0, 1, -1, 2, -2, {S, S, S, S}},
    // One-sided: nothing below norm K, a wall above.
    {"wgan-lp", 0, 1, -1, 0, 0, {O, O, O, C}},
    // Around the logit 1/2 as ns-gan, but the energy falls as -2 f^2.
    {"lsgan", 0.5, 0.5, -0.5, 0, 0, {O, C, C, C}},
    // G's slope vanishes where D is undecided, b = 0: theta' = -psi^2 theta, so G arrives while psi stays
    // somewhere.
    {"lsgan-pearson", 0, 1, 0, 0, 0, {C, C, C, C}},
    // As wgan-gp with a = 1/2.
    {"dragan", 0, 0.5, -0.5, 2, -2, {S, S, S, S}},
    // The same: where the points lie, and that they are clipped, is nothing to a D of one slope.
    {"dragan-two-sided", 0, 0.5, -0.5, 2, -2, {S, S, S, S}},
    // As wgan while f > -1; below, D waits while G comes back, which shrinks the circle to f = -1 at its
    // outermost.
    {"hinge", 0, 1, -1, 0, 0, {O, O, O, C}},
    {"geometric-gan", 0, 1, -1, 0, 0, {O, O, O, C}},
    // And G waits above f = 1.
    {"hinge-v1", 0, 1, -1, 0, 0, {O, O, O, C}},
    {"rahinge", 0, 1, -1, 0, 0, {O, O, O, C}},
    // One sample a side: each relativistic form of softplus is ns-gan's.
    {"rsgan", 0, 0.5, -0.5, 0, 0, {O, C, C, C}},
    {"rasgan", 0, 0.5, -0.5, 0, 0, {O, C, C, C}},
    // L_D = (f + 1)^2, L_G = (f - 1)^2.
    {"ralsgan", 0, 2, -2, 0, 0, {O, C, C, C}},
    // Where G raises g, energy falls as u (g'(f) - h'(f)), u = f - offset: g' and h' meet where D is
    // undecided, g' falls and h' rises.
    {"fgan-kl", 1, 1, -1, 0, 0, {O, C, C, C}},
    {"fgan-hellinger", 0, 1, -1, 0, 0, {O, C, C, C}},
    {"fgan-pearson", 0, 1, -1, 0, 0, {O, C, C, C}},
    {"fgan-reverse-kl", 0, 1, -1, 0, 0, {V, O, O, C}},  // L_G = 1 - f: wgan without the clip
    {"fgan-js", 0, 0.5, -0.5, 0, 0, {O, C, C, C}},      // ns-gan
    // alpha = 1/2: undecided where softplus(-o) = 2, with slope sigmoid(-o) = 1 - exp(-2).
    {"fgan-alpha", -std::log(std::exp(2.0) - 1), 1 - std::exp(-2.0), std::exp(-2.0) - 1, 0, 0, {O, C, C, C}},
    // sigmoid(0) from its own term and -1/2 from the shared softmax's target: G has no slope where D is
    // undecided.
    {"softmax-gan", 0, 0.5, 0, 0, 0, {C, C, C, C}},
    // s^2 + c s + 1/4.
    {"r1", 0, 0.5, -0.5, 2, 0, {C, C, C, C}},
    {"r3gan", 0, 0.5, -0.5, 4, 0, {C, C, C, C}},
    {"lgan", 0, 0.5, -0.5, 2, 0, {C, C, C, C}},
    // Looking ahead, or pulling towards points where neither wants to move, puts the eigenvalues inside. The
    // rows' own orders.
    {"consensus", 0, 0.5, -0.5, 0, 0, {C}},
    {"unrolled", 0, 0.5, -0.5, 0, 0, {C}},
    // ns-gan of the logit sqrt(2) psi theta of two samples at theta: a b = -1/2, not -1/4.
    {"pacgan", 0, 0.5 * std::sqrt(2.0), -0.5 * std::sqrt(2.0), 0, 0, {O, C, C, C}},
    // |psi|^6 damps far out only.
    {"wgan-div", 0, 1, -1, 0, 0, {O, C, C, C}},
};

/// Objectives that the game is not for, with part of the reason. Every name is here or above.
const std::pair<const char*, const char*> kLeftOut[] = {
    {"sngan", "only its sign"},   {"fisher-gan", "its multiplier"},
    {"mmd-gan", "one a side"},    {"mmd-gan-rep", "one a side"},
    {"cramer-gan", "one a side"}, {"sliced-wasserstein", "what D's last layer sees"},
    {"ebgan", "an autoencoder"},  {"began", "an autoencoder"},
    {"cgan", "the label"},        {"acgan", "the class"},
    {"projection", "the label"},  {"infogan", "the codes"},
};

std::vector<std::string> playable() {
  std::vector<std::string> names;
  for (const std::string& name : objective_names()) {
    if (dirac_refusal(named_objective(name)).empty()) names.push_back(name);
  }
  return names;
}

std::vector<DiracRow>& recorded() {
  static std::vector<DiracRow> rows;
  return rows;
}

/// Columns of the table that are the same on every machine: objective, order, (0, 0), ends.
const std::vector<size_t> kVerdicts = {0, 1, 4, 5};
constexpr const char* kStale =
    "gan/objective/proofs.md is stale: tests/gan/objective/proofs.h says how it is written";

class DiracObjective : public ::testing::TestWithParam<std::string> {
 public:
  static void TearDownTestSuite() { duel::testing::publish("dirac", to_markdown(recorded())); }
};

TEST_P(DiracObjective, DoesWhatTheorySays) {
  const Expected* expected = nullptr;
  for (const Expected& row : kExpected) {
    if (GetParam() == row.objective) expected = &row;
  }
  ASSERT_NE(expected, nullptr) << "no theory by hand: give kExpected a row";
  const auto orders = dirac_orders(named_objective(GetParam()));
  const size_t before = recorded().size();
  for (size_t i = 0; i < orders.size(); ++i) {
    SCOPED_TRACE(orders[i].name);
    const Objective objective = dirac_objective(named_objective(GetParam()), orders[i], kStep);
    const DiracRow row = dirac_row(GetParam(), orders[i], kStep);
    recorded().push_back(row);
    const DiracTheory& theory = row.theory;
    DiracGame game(objective);

    if (theory.local != DiracLocal::not_smooth) {
      const auto numeric = game.numeric_update();
      for (size_t k = 0; k < 4; ++k)
        EXPECT_NEAR(numeric[k], theory.update[k], 1e-7) << "entry " << k << " of the update";
    } else if (orders[i].critic_steps == 1 && orders[i].update != Update::extragradient) {
      // The kink: on either side of 0 the penalty pushes psi outward by h |kink|.
      EXPECT_NEAR(game.step({1e-9, 0}).psi, -kStep * theory.kink, 1e-8);
      EXPECT_NEAR(game.step({-1e-9, 0}).psi, kStep * theory.kink, 1e-8);
    }
    const auto by_hand = eigenvalues_by_hand(orders[i], theory.a, theory.b, theory.c);
    for (const Complex& value : by_hand) {
      // A double eigenvalue is known to the root of the rounding only.
      const double nearest =
          std::min(std::abs(value - theory.eigenvalues[0]), std::abs(value - theory.eigenvalues[1]));
      EXPECT_LT(nearest, 1e-7);
    }
    EXPECT_TRUE(theory.local != DiracLocal::attracts || row.run.end == DiracEnd::converges)
        << to_text(row.run.end);

    EXPECT_NEAR(theory.offset, expected->offset, 1e-9);
    EXPECT_NEAR(theory.a, expected->a, 1e-9);
    EXPECT_NEAR(theory.b, expected->b, 1e-9);
    EXPECT_NEAR(theory.c, expected->c, 1e-12);
    EXPECT_NEAR(theory.kink, expected->kink, 1e-12);
    EXPECT_EQ(to_text(row.run.end), to_text(expected->ends[i])) << "radius " << row.run.radius;
  }

  if (duel::testing::publishing()) return;
  const std::vector<DiracRow> mine(recorded().begin() + static_cast<std::ptrdiff_t>(before),
                                   recorded().end());
  std::vector<duel::testing::Cells> shown = duel::testing::published("dirac");
  std::erase_if(shown, [&](const auto& cells) { return cells[0] != GetParam() && cells[0] != "objective"; });
  EXPECT_EQ(duel::testing::columns(shown, kVerdicts),
            duel::testing::columns(duel::testing::table_cells(to_markdown(mine)), kVerdicts))
      << kStale;
}

INSTANTIATE_TEST_SUITE_P(All, DiracObjective, ::testing::ValuesIn(playable()), [](const auto& parameter) {
  std::string name = parameter.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// No objective slips through: each has its theory above or is refused with its reason, and the table shows
// those that play, under all of their orders, and no other.
TEST(Dirac, EveryObjectiveHasItsTheoryOrAReason) {
  std::vector<std::string> known;
  for (const Expected& row : kExpected) known.push_back(row.objective);
  for (const auto& [name, why] : kLeftOut) {
    known.push_back(name);
    const std::string refusal = dirac_refusal(named_objective(name));
    EXPECT_NE(refusal.find(why), std::string::npos) << name << ": " << refusal;
    EXPECT_NE(duel::testing::error_of([&, name = name] {
                DiracGame game(dirac_objective(named_objective(name), dirac_orders()[0], kStep));
              }).find(refusal),
              std::string::npos);
  }
  std::vector<std::string> named = objective_names();
  std::sort(named.begin(), named.end());
  std::sort(known.begin(), known.end());
  EXPECT_EQ(known, named);

  std::vector<duel::testing::Cells> wanted = {{"objective", "order"}};
  for (const std::string& name : playable()) {
    for (const DiracOrder& order : dirac_orders(named_objective(name))) wanted.push_back({name, order.name});
  }
  if (duel::testing::publishing()) return;
  EXPECT_EQ(duel::testing::columns(duel::testing::published("dirac"), {0, 1}), wanted) << kStale;
}

// What the game cannot play, as gan/objective/proofs.md lists it; gan/lab/README.md names the same ones.
TEST(LeftOut, IsListedWithTheReason) {
  const auto bytes = duel::testing::get(duel::testing::in_source("gan/lab/README.md"));
  std::string section(bytes.begin(), bytes.end());
  const size_t heading = section.find("\n## What the Dirac-GAN leaves out\n");
  ASSERT_NE(heading, std::string::npos);
  section = section.substr(heading + 1, section.find("\n## ", heading + 1) - heading - 1);
  std::string table = "| objective | because |\n|---|---|\n";
  for (const std::string& name : objective_names()) {
    const std::string why = dirac_refusal(named_objective(name));
    EXPECT_EQ(section.find("`" + name + "`") != std::string::npos, !why.empty())
        << name << " in gan/lab/README.md";
    if (!why.empty()) table += "| " + name + " | " + why + " |\n";
  }
  duel::testing::publish("left-out", table);
  if (duel::testing::publishing()) return;
  EXPECT_EQ(duel::testing::published("left-out"), duel::testing::table_cells(table)) << kStale;
}

// Two samples side by side under two equal weights psi / sqrt(2), by hand: softplus of z = sqrt(2) psi theta.
// Without the packing this were ns-gan's game.
TEST(Dirac, PackingPlaysWithTheLengthOfTheWeights) {
  DiracGame game(dirac_objective(named_objective("pacgan"), order_named("simultaneous"), kStep));
  const double psi = 0.4, theta = -0.7, z = std::sqrt(2.0) * psi * theta;
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const DiracPoint next = game.step({psi, theta});
  EXPECT_NEAR(next.psi, psi - kStep * std::sqrt(2.0) * sigmoid(z) * theta, 1e-14);
  EXPECT_NEAR(next.theta, theta + kStep * std::sqrt(2.0) * sigmoid(-z) * psi, 1e-14);
}

// Every smooth objective has the eigenvalues of theory under the orders that look ahead, too, and is
// attracted.
TEST(Dirac, ConsensusAndUnrolledStepsAttract) {
  for (const std::string& name : playable()) {
    for (const DiracOrder& order : {consensus_order(), unrolled_order()}) {
      SCOPED_TRACE(name + ", " + order.name);
      const Objective objective = dirac_objective(named_objective(name), order, kStep);
      if (!dirac_refusal(objective).empty()) continue;
      const DiracTheory theory = dirac_theory(objective);
      if (theory.local == DiracLocal::not_smooth) continue;
      // Consensus takes second derivatives of a penalty in the weights, which the norm does not have where it
      // is 0: beside it.
      const auto numeric = DiracGame(objective).numeric_update({1e-4, 0}, 1e-5);
      for (size_t k = 0; k < 4; ++k) EXPECT_NEAR(numeric[k], theory.update[k], 1e-6) << "entry " << k;
      for (const Complex& value : eigenvalues_by_hand(order, theory.a, theory.b, theory.c)) {
        EXPECT_LT(std::min(std::abs(value - theory.eigenvalues[0]), std::abs(value - theory.eigenvalues[1])),
                  1e-7);
      }
      EXPECT_EQ(theory.local, theory.a * theory.b == 0 ? DiracLocal::degenerate : DiracLocal::attracts);
    }
  }
}

// The path begins at the start, is made of steps, and ends where a game left the numbers.
TEST(Dirac, PathsAreTheGamesSteps) {
  DiracGame game(dirac_objective(named_objective("ns-gan"), dirac_orders()[1], kStep)),
      again(dirac_objective(named_objective("ns-gan"), dirac_orders()[1], kStep));
  const DiracRun run = play_dirac(game, {0.25, -0.5}, 1000);
  ASSERT_EQ(run.path.size(), kDiracPath + 1);
  DiracPoint point{0.25, -0.5};
  for (size_t i = 0; i < run.path.size(); ++i) {
    ASSERT_EQ(run.path[i].psi, point.psi) << i;
    ASSERT_EQ(run.path[i].theta, point.theta) << i;
    point = again.step(point);
  }
  const DiracRow row{"ns-gan", dirac_orders()[1], {}, run};
  const Canvas one = dirac_orbits({row}), two = dirac_orbits({row, {"hinge", dirac_orders()[0], {}, run}});
  EXPECT_EQ(one.height(), two.height()) << "panels stand in rows of six";
  EXPECT_GT(two.width(), one.width());
}

// Beyond first order: how wide the circles of simultaneous steps become where the loss itself damps. A step
// of h adds h^2 a^2 x to x = psi^2 + theta^2, and with both slopes expanded in u = f - offset, E u^2 = x^2 /
// 8 over a turn, takes away h x^2 / 4 times s = d (L_D' + L_G') / du: x = 4 a^2 h / s, with s = 1/2 for
// ns-gan, 2 for lsgan, and so on. In units of h. x comes near as exp(-h^2 a^2 k): five of these times are
// played.
TEST(Dirac, WidthOfTheCycles) {
  const std::pair<const char*, double> kWidths[] = {
      {"ns-gan", 2},       {"lsgan", 0.5},        {"fgan-js", 2},   {"fgan-kl", 4},
      {"fgan-pearson", 8}, {"fgan-hellinger", 2}, {"fgan-alpha", 4}};
  constexpr double kSmall = kStep / 2;
  for (const auto& [name, width] : kWidths) {
    DiracGame game(dirac_objective(named_objective(name), order_named("simultaneous"), kSmall));
    const double turn = kSmall * dirac_theory(named_objective(name)).a;
    const auto steps = static_cast<int64_t>(5 / (turn * turn));
    for (const DiracPoint& start : {DiracPoint{0.1, 0}, DiracPoint{0.7, 0.7}}) {
      const double radius = std::sqrt(width * kSmall);
      EXPECT_NEAR(play_dirac(game, start, steps).radius, radius, 0.03 * radius) << name;
    }
  }
}

// Without a clip, simultaneous Wasserstein steps widen the distance by exactly sqrt(1 + h^2) each, and 1:1
// steps keep psi^2 + theta^2 - h psi theta: the invariant of the symplectic map.
TEST(Dirac, WassersteinExactly) {
  const Objective plain{.name = "wasserstein", .loss = wasserstein_loss()};
  DiracGame together(dirac_objective(plain, order_named("simultaneous"), kStep));
  DiracGame in_turn(dirac_objective(plain, order_named("1:1"), kStep));
  const auto invariant = [](const DiracPoint& p) {
    return p.psi * p.psi + p.theta * p.theta - kStep * p.psi * p.theta;
  };
  DiracPoint p{0.3, 0.4}, q = p;
  const double before = invariant(q);
  for (int i = 1; i <= 500; ++i) {
    p = together.step(p);
    q = in_turn.step(q);
    ASSERT_NEAR(p.radius() / (0.5 * std::pow(1 + kStep * kStep, i / 2.0)), 1, 1e-10);
    ASSERT_NEAR(invariant(q), before, 1e-10);
  }
  EXPECT_EQ(play_dirac(together).end, DiracEnd::diverges);
}

// R1 of weight gamma / 2 on the non-saturating loss (Mescheder 2018, lemma 4.1): dynamics s^2 + gamma s +
// 1/4, so damping is fastest at gamma = 1 and both eigenvalues are real above; the distance falls with the
// larger modulus.
TEST(Dirac, ZeroCentredPenaltiesDamp) {
  double best = 1;
  for (const double gamma : {1.0, 0.3, 4.0}) {
    Objective r1{
        .name = "r1", .loss = non_saturating_loss(), .penalties = {{zero_centered(), at_real(), 1.0}}};
    r1 = dirac_objective(r1, order_named("simultaneous"), kStep);
    r1.penalties[0].weight = gamma / 2;
    const DiracTheory theory = dirac_theory(r1);
    EXPECT_NEAR(theory.c, gamma, 1e-12);
    EXPECT_EQ(theory.local, DiracLocal::attracts);
    const Complex s = std::sqrt(Complex(gamma * gamma / 4 - 0.25));
    const double modulus =
        std::max(std::abs(1.0 + kStep * (-gamma / 2 + s)), std::abs(1.0 + kStep * (-gamma / 2 - s)));
    DiracGame game(r1);
    DiracPoint p{1e-3, 1e-3};
    double early = 0;
    for (int i = 0; i < 400; ++i) {
      p = game.step(p);
      if (i == 199) early = p.radius();
    }
    EXPECT_NEAR(std::pow(p.radius() / early, 1.0 / 200), modulus, 5e-3) << gamma;
    if (gamma == 1.0)
      best = modulus;
    else
      EXPECT_GT(modulus, best) << gamma;
  }
}

// A one-centred penalty holds |psi| near K while G runs past the data (Mescheder 2018, section 3.2). Linear
// on each side of the kink, s^2 + 2 lambda s + 1: real roots from lambda = 1 on, and rest at theta = 2 lambda
// K / a without the data ever coming near; complex ones below, and a cycle.
TEST(Dirac, OneCentredPenaltiesRestAwayFromTheData) {
  for (const double lambda : {1.0, 2.0}) {
    for (const double k : {0.5, 1.0}) {
      Objective gp{
          .name = "gp", .loss = wasserstein_loss(), .penalties = {{one_centered(k), on_lines(), lambda}}};
      gp = dirac_objective(gp, order_named("1:1"), kStep);
      gp.penalties[0].weight = lambda;
      DiracGame game(gp);
      const DiracRun run = play_dirac(game);
      EXPECT_EQ(run.end, DiracEnd::stalls);
      EXPECT_NEAR(run.last.psi, 0, 1e-6);
      EXPECT_NEAR(run.last.theta, 2 * lambda * k, 1e-3);
    }
  }
  Objective weak{
      .name = "gp", .loss = wasserstein_loss(), .penalties = {{one_centered(1.0), on_lines(), 0.1}}};
  weak = dirac_objective(weak, order_named("1:1"), kStep);
  weak.penalties[0].weight = 0.1;
  DiracGame game(weak);
  const DiracRun run = play_dirac(game);
  EXPECT_EQ(run.end, DiracEnd::orbits);
  EXPECT_GT(run.radius, 0.5);
}

TEST(Dirac, RefusesWhatItCannotPlay) {
  Objective with_term{.name = "mine"};
  with_term.g_terms.push_back({.name = "matching", .value = [](const Round&) { return Tensor::zeros({}); }});
  EXPECT_NE(duel::testing::error_of([&] { DiracGame game(with_term); }).find("more of D than a logit"),
            std::string::npos);
}

}  // namespace
}  // namespace duel::gan::lab
