// Small trainers for the device tests: networks and data of a recipe, on a device.
#pragma once

#include <memory>
#include <string>

#include "device.h"
#include "duel/gan/objective/conditional.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/runtime.h"
#include "tests/training.h"

namespace duel::testing_devices {

using namespace duel::gan;
using testing::first_difference;

inline bool on_harness() { return kernels::runtime::properties().name == "SIMT harness"; }
/// As many as are asked for on a GPU, few where a kernel takes milliseconds.
inline int64_t sized(int64_t on_gpu, int64_t simulated) { return on_harness() ? simulated : on_gpu; }

struct Recipe {
  std::string objective;
  std::string arch = "mlp";
  ObjectiveOverrides overrides = {};
  Norm norm_g = Norm::automatic;
};
inline void PrintTo(const Recipe& r, std::ostream* out) { *out << r.objective << " " << r.arch; }

inline constexpr int64_t kBatch = 4;

inline std::unique_ptr<Trainer> trainer_on(Device device, const Objective& objective, const std::string& arch,
                                           bool graphs, uint64_t seed = 1, Norm norm_g = Norm::automatic) {
  Generator weights(seed, static_cast<uint64_t>(RandomStream::weights_g));
  const int64_t side = arch == "mlp" ? 4 : 8;
  const NetworkOptions options{.arch = arch,
                               .height = side,
                               .width = side,
                               .latent = 3,
                               .channels_g = 2,
                               .channels_d = 2,
                               .generator_norm = norm_g,
                               .classes = 10};
  return std::make_unique<Trainer>(
      make_networks(options, objective, weights), objective,
      std::make_shared<ResidentData>(testing::noise_images(10, side, 10), device),
      TrainerOptions{.batch = kBatch, .seed = seed, .device = device, .graphs = graphs});
}

inline std::unique_ptr<Trainer> trainer_on(Device device, const Recipe& recipe, bool graphs,
                                           uint64_t seed = 1) {
  return trainer_on(device, named_objective(recipe.objective, recipe.overrides), recipe.arch, graphs, seed,
                    recipe.norm_g);
}

inline void run(Trainer& trainer, int64_t steps) {
  for (int64_t i = 0; i < steps; ++i) trainer.step();
}

}  // namespace duel::testing_devices
