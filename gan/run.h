// A training run as a user sees it: a configuration, a run directory, and a loop that can be stopped and resumed.
//
// Run directory:  config.json (resolved, re-runs the run) · run.json (versions, machine) · metrics.jsonl · log.txt ·
//                 samples/{reals,fakes_000000,fakes_000200,…}.png · checkpoints/step_00000200.safetensors
//
// Example:
//   RunConfig config;  config.overrides…;  config.out = "runs/a";
//   Run run(config);               // checks everything before it writes anything
//   run.train(observer);           // until config.steps, or until observer.stop()
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "duel/gan/models.h"
#include "duel/gan/objective.h"
#include "duel/gan/trainer.h"

namespace duel::gan {

/// Every field is a flag of `duel train` and a key of config.json, in kebab-case.
struct RunConfig {
  std::string objective = "ns-gan";
  ObjectiveOverrides overrides;
  NetworkOptions networks;         // arch, latent, channels-g, channels-d, norm-g, norm-d
  std::string data = "auto";       // folder with IDX files, "synthetic", or "auto": MNIST where it is found, else synthetic
  int64_t synthetic_count = 60000;
  int64_t batch = 64;
  int64_t steps = 0;               // iterations; 0: from epochs
  double epochs = 0;               // passes of G's batches over the data; 0 with steps 0: the default of 3000 iterations
  uint64_t seed = 1;
  int threads = 0;                 // 0: all cores
  std::string device = "auto";
  std::filesystem::path out;       // empty: runs/NNNNN-arch-objective
  int64_t log_every = 20, sample_every = 200, checkpoint_every = 500, keep = 3;
  int64_t sample_count = 64;
  bool resume = false;             // continue the run in `out` from its latest checkpoint
};

/// JSON with every field, and back; unknown keys and wrong types are Errors naming the key (and the nearest known one).
std::string to_json(const RunConfig& config);
RunConfig run_config_from_json(const std::string& text, const std::string& source);

/// What the caller shows and decides while a run trains.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void started(const std::string& banner) = 0;                       // few lines: device, threads, data, sizes
  virtual void progressed(const Metrics& latest, int64_t iteration, int64_t total) = 0;  // after every iteration; cheap
  virtual void saved(const std::filesystem::path& file) = 0;
  virtual void warned(const std::string& line) = 0;
  virtual bool stop() = 0;                                                   // true: save and return
};

class Run {
 public:
  explicit Run(RunConfig config);
  ~Run();
  /// False if the observer stopped it (a checkpoint is written then).
  bool train(RunObserver& observer);
  const std::filesystem::path& directory() const;
  Trainer& trainer();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace duel::gan
