#include "duel/gan/lab/internal/founding_digits.h"

#include <algorithm>
#include <cmath>

#include "duel/core/tensor/autograd.h"
#include "duel/gan/data/class_names.h"
#include "duel/gan/run/internal/sample_sets.h"
#include "duel/gan/train/sampling.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {

FoundingDigits founding_digits(const std::string& data, int64_t drawn, const std::string& arch,
                               int64_t channels, int64_t batch) {
  FoundingDigits digits;
  RunConfig& config = digits.setup.config;
  config.data = data;
  config.synthetic_count = drawn;
  config.batch = batch;
  config.networks.arch = arch;
  config.networks.channels_g = config.networks.channels_d = channels;
  detail::find_data(digits.setup, config);
  detail::refuse_stacked(digits.setup, "lab");
  detail::draw_data(digits.setup);
  const ImageSet& images = digits.setup.images;
  DUEL_CHECK(images.count >= batch, "lab", "expected at least {} images, got {} in {}", batch, images.count,
             images.source);
  config.networks.height = images.height;
  config.networks.width = images.width;
  const std::vector<int64_t> names = class_names(images);
  number_labels(digits.setup.images, names);
  config.networks.classes = std::ssize(names);
  const ImageSet held_out = detail::held_out_images(digits.setup, 10000);
  DUEL_CHECK(
      held_out.count > 0, "lab",
      "expected test images beside the training images of {}: networks are judged on images that they do not "
      "learn from",
      images.source);
  digits.training = std::make_shared<const ResidentData>(images);
  digits.held_out = std::make_shared<const ResidentData>(held_out);
  return digits;
}

std::unique_ptr<Trainer> founding_trainer(const FoundingDigits& digits, const std::string& objective,
                                          uint64_t seed, const FoundingPlayers& players) {
  detail::RunSetup setup;
  setup.config = digits.setup.config;
  setup.config.objective = objective;
  setup.config.overrides = resolved_overrides(objective, players.settings);
  setup.config.seed = seed;
  setup.config.networks.generator_norm = setup.config.networks.discriminator_norm = players.norm;
  if (!is_conditional(named_objective(objective).critic)) setup.config.networks.classes = 0;
  detail::make_parts(setup);
  return std::make_unique<Trainer>(setup.networks, setup.objective, digits.training,
                                   TrainerOptions{.batch = setup.config.batch, .seed = seed});
}

FoundingJudge founding_judge(const FoundingDigits& digits, int64_t count, int64_t real) {
  DUEL_CHECK(digits.setup.images.height == Judge::side && digits.setup.images.width == Judge::side, "lab",
             "{}: expected images of {}x{}, which judges read, got {}x{}", digits.source(), Judge::side,
             Judge::side, digits.setup.images.height, digits.setup.images.width);
  const NoGrad nothing_recorded;
  Judge judge = load_judge(detail::default_judge(digits.setup.drawn));
  const auto first = [&](const ResidentData& data, int64_t n) {
    return moments_of(judge.features(data.batch(data.first(std::min(n, data.count())), DType::f32)));
  };
  Moments test = first(*digits.held_out, real);
  const double floor = frechet_distance(test, first(*digits.training, count));
  return {std::move(judge), std::move(test), count, floor};
}

namespace {

/// Of samples of the same latents at every look.
double founding_distance(Trainer& trainer, const FoundingJudge& judge, uint64_t seed) {
  const NoGrad nothing_recorded;
  LatentGenerators random = sampling_generators(seed);
  const ResidentData samples(detail::sampled_images(trainer, judge.count, random));
  return frechet_distance(judge.real, moments_of(judge.judge.read(samples).features));
}

}  // namespace

FoundingRun founding_run(Trainer& trainer, const FoundingJudge& judge, const FoundingLooks& plan,
                         uint64_t seed, LabObserver& observer) {
  FoundingRun run;
  const auto window = static_cast<size_t>(std::max<int64_t>(plan.every / 5, 1));
  for (int64_t look = 1; look <= plan.count; ++look) {
    for (int64_t i = 0; i < plan.every + (look == 1 ? plan.before : 0); ++i) {
      if (run.failure.empty()) trainer.step();
      observer.stepped();
      if (observer.stop()) return run;
    }
    if (!run.failure.empty()) continue;
    const std::vector<Losses> losses = trainer.recent_losses();
    double value = 0;
    for (size_t i = losses.size() - window; i < losses.size(); ++i)
      value -= (losses[i].loss_d - losses[i].penalty) / static_cast<double>(window);
    if (const auto broken = trainer.first_nonfinite()) {
      run.failure = *broken;
    } else if (!std::isfinite(value)) {
      run.failure = "L_D is not finite";
    } else {
      run.looks.push_back({trainer.iteration(), value, founding_distance(trainer, judge, seed)});
    }
  }
  return run;
}

Picture founding_samples(Trainer& trainer, int64_t count, uint64_t seed) {
  const NoGrad nothing_recorded;
  LatentGenerators random = sampling_generators(seed);
  return image_grid(trainer.sample(draw_latents(trainer.networks().latent, count, random).input), 8);
}

}  // namespace duel::gan::lab
