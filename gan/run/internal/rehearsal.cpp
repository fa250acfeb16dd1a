#include "duel/gan/run/internal/rehearsal.h"

#include <algorithm>
#include <optional>

#include "duel/gan/train/diagnostics.h"
#include "duel/gan/train/sampling.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::detail {
namespace {

constexpr int64_t kRepeats = 2;
constexpr int64_t kSamples = 8;

/// As many images of the run's as a batch has; all where they lie on the device already.
std::shared_ptr<const ResidentData> some_images(const RunSetup& setup, Device device) {
  if (setup.resident) return setup.resident;
  return std::make_shared<ResidentData>(some_like(setup, setup.config.batch), device);
}

/// Networks that were given have their values back when it dies: no others can be made.
class Kept {
 public:
  explicit Kept(const Networks& networks) {
    for (nn::Module* network : {networks.generator.get(), networks.discriminator.get()}) {
      nn::StateDict values = network->state_dict();
      for (auto& [name, tensor] : values) tensor = tensor.clone();
      before_.emplace_back(network, std::move(values));
    }
  }
  ~Kept() {
    for (const auto& [network, values] : before_) network->load_state_dict(values);
  }
  Kept(const Kept&) = delete;

 private:
  std::vector<std::pair<nn::Module*, nn::StateDict>> before_;
};

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
  std::optional<Kept> kept;
  if (setup.networks_given) kept.emplace(setup.networks);
  try {
    Trainer trainer(setup.networks, shortened(setup.objective), some_images(setup, device),
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
  if (setup.networks_given) return;
  setup.networks = {};  // their memory first
  make_parts(setup);
}

}  // namespace duel::gan::detail
