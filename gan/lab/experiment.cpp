#include "duel/gan/lab/experiment.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "duel/core/ops/map/movement.h"
#include "duel/gan/objective/composition.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"

namespace duel::gan::lab {
namespace {

constexpr double kPointLambda = 0.1;  // Note [Where the protocol would break an objective]

// The training points are nobody's seed: every run meets the same.
constexpr uint64_t kDataSeed = 0;

bool all_finite(const Tensor& points) {
  const std::vector<float> values = points.to_vector<float>();
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

/// Steps after which the points are measured: 0 and `evaluations` more, the last of them the end.
std::vector<int64_t> evaluation_steps(const PointSettings& s) {
  std::vector<int64_t> steps{0};
  for (int64_t i = 1; i <= s.evaluations; ++i) {
    const int64_t step = s.steps * i / s.evaluations;
    if (step > steps.back()) steps.push_back(step);
  }
  return steps;
}

/// Those whose points are kept: the start, the end, and where the run is about 1/16, 1/8, 1/4 and 1/2 done.
std::vector<int64_t> kept_steps(const std::vector<int64_t>& evaluations) {
  std::vector<int64_t> kept;
  for (const double part : {0.0, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1.0}) {
    const double wanted = part * static_cast<double>(evaluations.back());
    const auto nearer = [&](int64_t a, int64_t b) {
      return std::abs(static_cast<double>(a) - wanted) < std::abs(static_cast<double>(b) - wanted);
    };
    const int64_t step = *std::min_element(evaluations.begin(), evaluations.end(), nearer);
    if (kept.empty() || step > kept.back()) kept.push_back(step);
  }
  return kept;
}

/// Whether the name says the penalties with their weights, as a composed one does (composition.h): that is what
/// is to be trained.
bool tells_penalties(const Objective& objective) {
  std::string text = find_axis("penalties")->text(objective);
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  return !objective.penalties.empty() && objective.name.find(text) != std::string::npos;
}

}  // namespace

Objective point_objective(const std::string& name, const PointSettings& settings) {
  ObjectiveOverrides overrides;
  if (settings.lambda) overrides.set("lambda", *settings.lambda);
  Objective objective = named_objective(name, overrides);
  Schedule& schedule = objective.schedule;
  const bool told = tells_penalties(objective);
  for (Penalty& penalty : objective.penalties) {
    if (!told && !settings.lambda && penalty.shape.with_k) penalty.weight = kPointLambda;
  }
  if (!settings.own_schedule) {
    if (objective.constraint.weight_clip == 0) {
      schedule.d =
          schedule.g = {.kind = OptimizerKind::adam, .lr = settings.lr, .beta1 = 0.8, .beta2 = 0.999};
    }
    schedule.lr_decay_steps = 0;
    // Several steps or another batch of G, and D seen ahead, need the players in turn.
    const bool in_turn = schedule.unroll > 0 || schedule.generator_steps > 1 || schedule.generator_batch > 1;
    if (schedule.update == Update::alternating && !in_turn) schedule.update = Update::simultaneous;
  }
  return objective;
}

std::string point_defaults(const PointSettings& settings) {
  const std::string weights =
      settings.lambda ? message("Gradient penalties weigh {}", *settings.lambda)
                      : message("Penalties that aim at a norm of D's gradient weigh {}", kPointLambda);
  return settings.own_schedule ? weights : weights + ", wgan has its own optimizer";
}

std::shared_ptr<const ResidentData> training_points(const Mixture& mixture, const PointSettings& settings) {
  Generator random(kDataSeed, 1);
  const Mixture::Draw drawn = mixture.draw(settings.training_points, random);
  return std::make_shared<ResidentData>(drawn.points, drawn.modes);
}

std::optional<PointRun> train_on_points(const Mixture& mixture, const std::string& name, uint64_t seed,
                                        const PointSettings& settings,
                                        const std::function<bool(int64_t)>& keep_going,
                                        std::shared_ptr<const ResidentData> data) {
  DUEL_CHECK(settings.steps >= 1 && settings.batch >= 1 && settings.evaluations >= 1 &&
                 settings.measured_points >= 1,
             "lab",
             "expected steps, batch, evaluations and measured points of at least 1, got {}, {}, {}, {}",
             settings.steps, settings.batch, settings.evaluations, settings.measured_points);
  const auto began = std::chrono::steady_clock::now();
  Objective objective = point_objective(name, settings);
  PointRun run{.mixture = mixture.name, .objective = name, .seed = seed, .settings = settings};

  PointNetworkOptions sizes = settings.networks;
  sizes.packing = objective.schedule.packing;
  sizes.spectral_norm = objective.constraint.spectral_norm;
  sizes.critic = objective.critic;
  sizes.classes = is_conditional(objective.critic) ? static_cast<int64_t>(mixture.means.size()) : 0;
  sizes.codes = objective.codes;
  sizes.embedding = objective.embedding;
  Generator weights_g = stream(seed, RandomStream::weights_g),
            weights_d = stream(seed, RandomStream::weights_d);
  Networks networks;
  networks.generator = make_point_generator(sizes, weights_g);
  networks.discriminator = make_point_critic(sizes, weights_d);
  networks.latent = point_latents(sizes);
  const int64_t batch = settings.batch * sizes.packing;
  Trainer trainer(std::move(networks), std::move(objective), data ? data : training_points(mixture, settings),
                  {.batch = batch, .seed = seed});

  LatentGenerators random = sampling_generators(seed, static_cast<uint64_t>(RandomStream::samples));
  const Tensor z = draw_latents(point_latents(sizes), settings.measured_points, random).input;
  const std::vector<int64_t> evaluations = evaluation_steps(settings), kept = kept_steps(evaluations);
  std::vector<Tensor> snapshots;
  for (const int64_t step : evaluations) {
    while (trainer.iteration() < step) {
      trainer.step();
      if (keep_going && !keep_going(trainer.iteration())) return std::nullopt;
    }
    const Tensor points = trainer.sample(z);
    run.score = score_modes(mixture, points);
    run.history.push_back({step, run.score.modes, run.score.high_quality, run.score.reverse_kl});
    const bool finite = all_finite(points);
    if (!finite || std::find(kept.begin(), kept.end(), step) != kept.end()) {
      run.snapshot_steps.push_back(step);
      snapshots.push_back(points);
    }
    if (!finite) {
      run.diverged = step;
      run.score = {.reverse_kl = std::log(static_cast<double>(mixture.means.size())),
                   .good = std::vector<int64_t>(mixture.means.size(), 0)};
      run.history.back() = {step, 0, 0, run.score.reverse_kl};
      break;
    }
  }
  run.snapshots = stack(snapshots);
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return run;
}

}  // namespace duel::gan::lab
