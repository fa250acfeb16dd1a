#include "workload.h"

#include <random>

#include "duel/gan/run/run.h"
#include "duel/kernels/base/error.h"

namespace duel::apps::bench {
namespace {

struct Setup {
  gan::Objective objective;
  gan::Networks networks;
};
/// Error for what has no such name.
Setup set_up(const Workload& workload) {
  const gan::ObjectiveOverrides as_peer = {{"optimizer", "adam"},
                                           {"lr", 2e-4},
                                           {"beta1", 0.5},
                                           {"beta2", 0.999},
                                           {"critic-steps", workload.objective.starts_with("wgan") ? 5 : 1}};
  const gan::Objective objective = gan::named_objective(workload.objective, as_peer);
  Generator weights(1, static_cast<uint64_t>(gan::RandomStream::weights_g));
  return {objective, gan::make_networks({.arch = workload.arch, .classes = 10}, objective, weights)};
}

}  // namespace

gan::ImageSet uniform_images(int64_t count) {
  gan::ImageSet set{.count = count,
                    .height = 28,
                    .width = 28,
                    .images = {},
                    .labels = {},
                    .source = "uniform random images"};
  set.images.resize(static_cast<size_t>(count * 28 * 28));
  std::mt19937 random(1);
  for (uint8_t& pixel : set.images) pixel = static_cast<uint8_t>(random() >> 24);
  for (int64_t i = 0; i < count; ++i) set.labels.push_back(static_cast<uint8_t>(i % 10));
  return set;
}

std::vector<Workload> workloads(const StepRequest& request) {
  std::vector<Workload> all;
  for (const int64_t batch : request.batches) {
    DUEL_CHECK(batch >= 1 && batch <= 1 << 16, "bench", "batch: expected an integer from 1 to 65536, got {}",
               batch);
    for (const std::string& arch : request.archs) {
      for (const std::string& objective : request.objectives) all.push_back({arch, objective, batch});
    }
  }
  for (const Workload& each : all) set_up(each);
  return all;
}

std::unique_ptr<gan::Trainer> make_trainer(const Workload& workload, Device device) {
  const Setup setup = set_up(workload);
  return std::make_unique<gan::Trainer>(
      setup.networks, setup.objective,
      std::make_shared<gan::ResidentData>(uniform_images(workload.batch * 8), device),
      gan::TrainerOptions{.batch = workload.batch, .device = device});
}

}  // namespace duel::apps::bench
