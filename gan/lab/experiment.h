// One run of the mode-collapse experiment: an objective trained on a mixture from one seed, measured as it
// goes.
//
// The protocol is PacGAN's (Lin et al. 2018, arXiv:1712.04086) but for the number of steps, which is the
// caller's: 100,000 fixed training points, networks.h, z ~ N(0, I_2), batch 100, Adam 1e-4 with beta1 0.8,
// both players updated at the same time, 2,500 fixed z to measure by. Theirs has 400,000 steps. What an
// objective itself prescribes stays: its penalties, constraint, packing (a batch is then 100 packed samples),
// moving average, and steps of D per step of G, the last of which is taken together with G (objectives that
// need the players in turn, as unrolled, have them so).
//
// Note [Where the protocol would break an objective]
// Penalties that draw D's gradient to a norm K weigh 0.1 on points, as in the toy code of the WGAN-GP authors
// (gan_toy.py of arXiv:1704.00028; of WGAN-LP too): with the 10 of images wgan-gp stood at 0 and 2 modes of
// the ring after 375 and 400 steps, with 0.1 at 8 and 6 (seed 1). Clipped critics keep their own optimizers:
// momentum is what the WGAN paper found unstable (arXiv:1701.07875, section 4).
//
// A run is a function of (mixture, objective, seed, settings): the same bits on any number of threads, alone
// or beside others.
//
// Example:
//   std::optional<PointRun> run = train_on_points(make_mixture("ring"), "wgan-gp", 1, {.steps = 20000});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/data/resident_data.h"
#include "duel/gan/lab/mixture.h"
#include "duel/gan/lab/modes.h"
#include "duel/gan/lab/networks.h"
#include "duel/gan/objective/objective.h"

namespace duel::gan::lab {

struct PointSettings {
  int64_t steps = 20000;
  int64_t batch = 100;  // what D judges in a step, packed samples
  double lr = 1e-4;     // Adam's, of both players
  // weight of gradient penalties; unset: Note [Where the protocol would break an objective]
  std::optional<double> lambda = {};
  bool own_schedule = false;  // the objective's own optimizers and order of updates, not the protocol's
  int64_t training_points = 100000;
  int64_t measured_points = 2500;
  int64_t evaluations = 20;           // evenly spread over the steps, besides the start
  PointNetworkOptions networks = {};  // packing and spectral norm follow the objective
};

struct Moment {
  int64_t step = 0;
  int64_t modes = 0;
  double high_quality = 0, reverse_kl = 0;
};

struct PointRun {
  std::string mixture = "", objective = "";
  uint64_t seed = 1;
  PointSettings settings = {};
  ModeScore score = {};              // at the end
  std::vector<Moment> history = {};  // the start, then every evaluation
  std::optional<int64_t> diverged =
      {};              // the evaluation at which a point was not finite: there the run ended, and its
                       // score is that of no good point
  double seconds = 0;  // wall clock, beside whatever else ran
  std::vector<int64_t> snapshot_steps = {};
  Tensor snapshots = {};  // f32 [number of snapshot_steps, measured_points, 2]
};

/// The objective as the experiment trains it: its own loss, penalties and numbers of steps, the protocol's
/// optimizers. Error where settings weigh a penalty that it does not have.
Objective point_objective(const std::string& name, const PointSettings& settings);

/// One sentence, without its full stop: what the settings change in the objectives.
std::string point_defaults(const PointSettings& settings);

/// The training points of an experiment, each labelled with its mode: the same for every objective and seed.
std::shared_ptr<const ResidentData> training_points(const Mixture& mixture, const PointSettings& settings);

/// Trains and measures. `keep_going` is asked after every step with the steps done; where it says no the
/// answer is empty. `data` may be shared by runs on several threads; none: training_points().
std::optional<PointRun> train_on_points(const Mixture& mixture, const std::string& objective, uint64_t seed,
                                        const PointSettings& settings,
                                        const std::function<bool(int64_t step)>& keep_going = {},
                                        std::shared_ptr<const ResidentData> data = nullptr);

}  // namespace duel::gan::lab
