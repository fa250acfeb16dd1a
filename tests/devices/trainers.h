// Small trainers for the device tests: networks and data of a recipe, on a device.
#pragma once

#include <memory>
#include <string>

#include "device.h"
#include "duel/gan/conditional.h"
#include "duel/gan/trainer.h"
#include "duel/kernels/runtime.h"

namespace duel::testing_devices {

using namespace duel::gan;

inline bool on_harness() { return kernels::runtime::properties().name == "SIMT harness"; }
/// As many as are asked for on a GPU, few where a kernel takes milliseconds.
inline int64_t sized(int64_t on_gpu, int64_t simulated) { return on_harness() ? simulated : on_gpu; }

struct Recipe {
  std::string objective;
  std::string arch = "mlp";
  ObjectiveOverrides overrides = {};
};

inline ImageSet noise_images(int64_t count, int64_t side) {
  ImageSet set;
  set.count = count;
  set.height = set.width = side;
  uint32_t state = 1;
  for (int64_t i = 0; i < count * side * side; ++i) {
    state = state * 1664525u + 1013904223u;
    set.images.push_back(static_cast<uint8_t>(state >> 24));
  }
  for (int64_t i = 0; i < count; ++i) set.labels.push_back(static_cast<uint8_t>(i % 10));
  return set;
}

inline constexpr int64_t kBatch = 4;

inline std::unique_ptr<Trainer> trainer_on(Device device, const Recipe& recipe, bool graphs,
                                           uint64_t seed = 1) {
  const Objective objective = named_objective(recipe.objective, recipe.overrides);
  Generator weights(seed, static_cast<uint64_t>(RandomStream::weights_g));
  const int64_t side = recipe.arch == "mlp" ? 4 : 8;
  const NetworkOptions options{.arch = recipe.arch,
                               .height = side,
                               .width = side,
                               .latent = 3,
                               .channels_g = 2,
                               .channels_d = 2,
                               .classes = 10};
  return std::make_unique<Trainer>(
      make_networks(options, objective, weights), objective,
      std::make_shared<ResidentData>(noise_images(10, side), device),
      TrainerOptions{.batch = kBatch, .seed = seed, .device = device, .graphs = graphs});
}

inline void run(Trainer& trainer, int64_t steps) {
  for (int64_t i = 0; i < steps; ++i) trainer.step();
}

/// The name of the first entry that differs, or an empty string.
inline std::string first_difference(const TensorFile& a, const TensorFile& b) {
  if (a.tensors.size() != b.tensors.size()) return "the number of entries";
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    if (a.tensors[i].first != b.tensors[i].first || !same_bits(a.tensors[i].second, b.tensors[i].second))
      return a.tensors[i].first;
  }
  return {};
}

}  // namespace duel::testing_devices
