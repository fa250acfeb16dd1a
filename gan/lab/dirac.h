// The Dirac-GAN: the smallest adversarial game whose dynamics are known (Mescheder, Geiger & Nowozin 2018,
// arXiv:1801.04406; Nagarajan & Kolter 2017, arXiv:1706.04156). Data is one point at 0, G is one point theta,
// D(x) = psi x + offset; theory says for each objective and order of updates whether both go to 0. Played by
// gan::Trainer with Duel's own losses and penalties under plain gradient descent.
//
// Theory. Near (psi, theta) = (0, 0) the players' gradients are  dL_D/dpsi = a theta + c psi,  dL_G/dtheta = b psi  with
//   a = sqrt(m) dL_D/df, b = sqrt(m) dL_G/df at the logit `offset`     (f = D(G), m the packing)
//   c = sum of weight shape''(0)                       (‖grad D‖ = |psi| at every point, so where it is sampled is nothing)
// and an iteration with step h is a linear map M:
//   simultaneous       [[1 - h c, -h a], [-h b, 1]]
//   k steps of D, then one of G, P = (1 - h c)^k, S = 1 + (1 - h c) + … + (1 - h c)^(k-1):
//                      [[P, -h a S], [-h b P, 1 + h^2 a b S]]
//   extragradient      I - h G + h^2 G^2 with G = [[c, a], [b, 0]]
//   consensus          I - h (G + gamma G^T G)
//   1:1, G against D k steps ahead (which know the adversarial loss only):
//                      [[P, -h a], [-h b P, 1 + (1 + 2 k) h^2 a b]]
// Both below 1 in modulus: the equilibrium attracts. A penalty with shape'(0) != 0 (one-centred) has a kink
// there, so that (0, 0) is no equilibrium of the update at all: the game comes to rest where the penalty's
// push 2 weight K balances the pull a theta, away from the data. Weights are 1 here, those of the papers
// being for images. offset is the constant answer that D prefers where both densities agree, d L_D(o, o) / d
// o = 0: 0, but for least squares (a + b) / 2. It stays as it is: the game has two players. Packing: a linear
// D of m samples has m weights, which begin equal and stay so, as G puts all samples at one point. psi is
// their length, D(x_1, ..., x_m) = psi (x_1 + ... + x_m) / sqrt(m) + offset: the same gradient descent in a
// turned basis.
//
// Limits: objectives that judge samples by one logit, D's weight bare. Under spectral norm D(x) = x psi /
// |psi| + offset keeps of the weight its sign only: its derivative in psi is 0, D never moves, and G walks
// past the data for good in the direction that D began with. That is refused (dirac_refusal).
//
// Example:
//   DiracGame game(dirac_objective(named_objective("wgan-gp"), dirac_orders()[0], 0.1));
//   DiracPoint p{0.5, 0.5};
//   for (int i = 0; i < 1000; ++i) p = game.step(p);
#pragma once

#include <array>
#include <complex>
#include <memory>
#include <string>
#include <vector>

#include "duel/gan/objective/objective.h"
#include "duel/gan/picture/canvas.h"

namespace duel::gan {
class Trainer;
}

namespace duel::gan::lab {

struct DiracPoint {
  double psi = 0, theta = 0;
  double radius() const;
};

struct DiracOrder {
  std::string name;
  Update update = Update::alternating;
  int64_t critic_steps = 1;  // of an alternating order
  int64_t unroll = 0;        // of an alternating order of one critic step
};
/// simultaneous, alternating 1:1, alternating 5:1, extragradient.
std::vector<DiracOrder> dirac_orders();
/// consensus with gamma 1/2, and G against D five steps ahead.
DiracOrder consensus_order();
DiracOrder unrolled_order();
/// The orders that an objective is played in: its own where an order is what makes it (consensus, unrolled),
/// else dirac_orders().
std::vector<DiracOrder> dirac_orders(const Objective& objective);

/// What happens near (0, 0), from the eigenvalues of M.
enum class DiracLocal {
  attracts,    // |eigenvalues| < 1
  keeps,       // both on the unit circle: orbits of any radius, to first order
  repels,      // one outside of it
  degenerate,  // M has the eigenvalue 1 twice and is not 1: a b = 0, second order decides
  not_smooth,  // a penalty has a kink at 0
};

struct DiracTheory {
  double offset = 0, a = 0, b = 0, c = 0;
  double kink = 0;                    // sum of weight shape'(0)
  std::array<double, 4> update = {};  // M by rows, for (psi, theta)
  std::array<std::complex<double>, 2> eigenvalues = {};
  DiracLocal local = DiracLocal::keeps;
};
/// For an objective as dirac_objective() makes it; h is the rate of both players.
DiracTheory dirac_theory(const Objective& objective);

/// The objective as the game needs it: plain gradient descent with rate lr for both, penalties of weight 1 in
/// every step, no smoothing of anything.
Objective dirac_objective(Objective objective, const DiracOrder& order, double lr);

class DiracGame {
 public:
  /// Throws Error, with the reason, for an objective that this game cannot play. It is played as it is given.
  explicit DiracGame(const Objective& objective);
  ~DiracGame();
  DiracGame(DiracGame&&) noexcept;

  /// One iteration from `point`.
  DiracPoint step(DiracPoint point);
  /// The derivative of step() by central differences, by rows.
  std::array<double, 4> numeric_update(DiracPoint at = {0, 0}, double eps = 1e-4);

 private:
  std::unique_ptr<Trainer> trainer_;
  Tensor psi_, theta_, real_, latent_;
};

/// How a trajectory ends.
enum class DiracEnd {
  // G rests at the data, or the distance falls from the middle to the end of the run by 2 % or more
  converges,
  orbits,    // keeps moving, at about the same distance
  diverges,  // the distance grows by 2 % or more, over the longest run
  stalls,    // hardly moves any more, away from the data
};

struct DiracRun {
  DiracEnd end = DiracEnd::orbits;
  DiracPoint last;
  double radius = 0;  // largest distance from (0, 0) within the last tenth
  std::vector<DiracPoint> path =
      {};  // the start and the first kDiracPath points, fewer where it diverged before
};
inline constexpr size_t kDiracPath = 400;
/// Plays `steps` iterations (at least 100) from `start`; while the distance grows slowly, up to four times as
/// many.
inline constexpr int64_t kDiracSteps = 4000;
DiracRun play_dirac(DiracGame& game, DiracPoint start = {0.5, 0.5}, int64_t steps = kDiracSteps);

/// Why the game cannot play an objective; empty if it can.
std::string dirac_refusal(const Objective& objective);

struct DiracRow {
  std::string objective;
  DiracOrder order;
  DiracTheory theory;
  DiracRun run;
};
/// One named objective under one order; every one that can play, under every order.
DiracRow dirac_row(const std::string& objective, const DiracOrder& order, double lr = 0.1,
                   int64_t steps = kDiracSteps);
std::vector<DiracRow> dirac_table(double lr = 0.1);
std::string to_markdown(const std::vector<DiracRow>& rows);

/// Where games go: a panel for every objective, psi across and theta upwards, a line for each order of updates from
/// the start on; before them one panel that says which colour is which order. At least one row.
Canvas dirac_orbits(const std::vector<DiracRow>& rows);

std::string to_text(DiracLocal local);
std::string to_text(DiracEnd end);

}  // namespace duel::gan::lab
