#include "duel/gan/run/internal/rehearsal.h"

#include <algorithm>

#include "duel/gan/data/drawn_digits.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::detail {
namespace {

constexpr int64_t kRepeats = 2;
constexpr int64_t kSamples = 8;

/// As many images of the run's as a batch has.
ImageSet some_images(const RunSetup& setup) {
  const int64_t count = setup.config.batch;
  return setup.drawn ? draw_digits(count, kDrawnSeed) : part_of(setup.images, 0, count);
}

/// The same iteration with what repeats itself cut short.
Objective shortened(Objective objective) {
  Schedule& s = objective.schedule;
  for (int64_t* count : {&s.critic_steps, &s.generator_steps, &s.unroll}) *count = std::min(*count, kRepeats);
  s.warmup.critic_steps = 0;
  return objective;
}

}  // namespace

void rehearse(RunSetup& setup) {
  const RunConfig& c = setup.config;
  const Device device = device_named(c.device);
  try {
    Trainer trainer(setup.networks, shortened(setup.objective),
                    std::make_shared<ResidentData>(some_images(setup), device),
                    {.batch = c.batch, .seed = c.seed, .device = device, .graphs = false});
    StepRecord record;
    const bool looks = c.diagnose_every > 0;
    trainer.step(true, looks ? &record : nullptr);
    if (looks) diagnose(trainer, record);
    LatentGenerators random = sampling_generators(c.seed);
    trainer.sample(sample_grid(setup.networks.latent, std::min(c.sample_count, kSamples), random).input);
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    fail("config", "{} with {} and batch {}: its first iteration would fail: {}", c.objective,
         c.networks.arch, c.batch, std::string(error.what()));
  }
  setup.networks = {};  // their memory first
  make_parts(setup);
}

}  // namespace duel::gan::detail
