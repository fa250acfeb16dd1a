// What is timed or listed as a whole: training iterations of the networks in tests/peers/torch_gan.py, with its Adam
// (2e-4, 0.5, 0.999) and its critic steps (5 under wgan*, else 1), on uniform random images that lie ready.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench.h"
#include "duel/gan/train/trainer.h"

namespace duel::apps::bench {

struct Workload {
  std::string arch, objective;
  int64_t batch;
};

/// Every combination that is asked for. Error for a name or a batch that is wrong, before minutes of timing.
std::vector<Workload> workloads(const StepRequest& request);

gan::ImageSet uniform_images(int64_t count);
std::unique_ptr<gan::Trainer> make_trainer(const Workload& workload, Device device);

}  // namespace duel::apps::bench
