// A training run as a user sees it: a configuration, a run directory, and a loop that can be stopped and
// resumed.
//
// Run directory:  config.json (resolved, re-runs the run) · run.json (versions, machine, data) · metrics.jsonl
//                 timing.jsonl · log.txt · samples/{reals,fakes_000000,fakes_000200,…}.png
//                 checkpoints/{step_00000200,best_00000150}.safetensors · diagnostics/{losses,outputs,…}.png
//                 metric-{fd-mnist-v1,…}.jsonl (--eval-every) · report.html · events.out.tfevents.* (--tensorboard)
//
// Note [A resumed run continues the curve]
// metrics.jsonl, samples and checkpoints hold nothing that depends on time or threads, and on resume what
// lies behind the checkpoint is cut off: interrupted and uninterrupted runs end with the same files, bit for
// bit. Times are in timing.jsonl, a line for every one of metrics.jsonl and for every checkpoint, and go on
// where the checkpoint was saved.
//
// Example:
//   RunConfig config;  config.overrides…;  config.out = "runs/a";
//   Run run(config);               // checks everything before it writes anything
//   run.train(observer);           // until config.steps, or until observer.stop()
//
// Note [Parts of one's own]
// An objective that was composed, networks that were built and data that was made can stand in the place of what
// the configuration names: Run(config, {objective, networks, data}). Such a run has metrics, samples, checkpoints,
// exact resume and a report as any other. It is resumed with the same parts given again. To be sampled from, by
// another program too, its networks must be made from their name: register_network (network.h) puts them into the
// table, register_objective (objective.h) does so with an objective, and then RunConfig::networks.arch and
// RunConfig::objective name them. The duel command knows Duel's own alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "duel/gan/picture/png.h"
#include "duel/gan/record/run_config.h"
#include "duel/gan/report/report.h"
#include "duel/gan/train/trainer.h"

namespace duel::gan {

/// Training left the finite numbers; the message says which value, at which iteration, and what to do.
class Diverged : public Failure {
 public:
  using Failure::Failure;
};

/// What the caller shows and decides while a run trains.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void working(const std::string& /*what*/) {}    // before something that takes seconds
  virtual void started(const std::string& /*banner*/) {}  // few lines: device, threads, data, sizes
  // after every iteration; cheap
  virtual void progressed(const Metrics& /*latest*/, int64_t /*iteration*/, int64_t /*total*/) {}
  virtual void sampled(const std::filesystem::path& /*file*/, const Picture& /*grid*/) {}
  virtual void saved(const std::filesystem::path& /*file*/) {}
  virtual void evaluated(const std::string& /*line*/) {}  // what the judge found, for people
  virtual void warned(const std::string& line) = 0;       // somebody has to hear it
  virtual bool stop() { return false; }                   // true: save and return
};

/// In the place of what the configuration names; what is left out is the configuration's.
struct RunParts {
  /// Known by its name, which is none of Duel's. The configuration's overrides are put in as for any other.
  std::optional<Objective> objective = {};
  /// Known by Networks::name; their weights are where the run starts.
  std::optional<Networks> networks = {};
  /// Images in host memory, or samples [count, C, H, W] on the device where the run computes; C 1 or 3.
  std::variant<std::monostate, ImageSet, std::shared_ptr<const ResidentData>> data = {};
  /// Samples that are never trained on, for diagnostics of a run whose data is given.
  std::shared_ptr<const ResidentData> held_out = {};
};

class Run {
 public:
  /// Throws Error naming field, file and remedy. Writes nothing but the lock of a run that is resumed.
  explicit Run(RunConfig config, RunObserver* observer = nullptr);
  Run(RunConfig config, RunParts parts, RunObserver* observer = nullptr);
  ~Run();
  /// False if the observer stopped it (a checkpoint is written then, as where --stop-if ended it). Throws Diverged, and Failure where a
  /// checkpoint could not be written in three tries; a sample grid, metric or log line that cannot be written
  /// is a warning.
  bool train(RunObserver& observer);

  /// Where the run writes; before train() where it will.
  const std::filesystem::path& directory() const;
  /// With every default filled in.
  const RunConfig& config() const;
  int64_t total() const;
  /// The lines for RunObserver::started.
  std::string banner() const;
  Trainer& trainer();
  /// Why --stop-if ended the run before its last iteration; nothing where it did not.
  const std::optional<std::string>& collapse() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What people are shown of D's outputs, on the terminal and in log.txt: probabilities D(x) and D(G(z)) where
/// the objective has them; else energies or raw outputs, under names that say so.
struct ShownOutputs {
  const char *name_real, *name_fake;
  double real, fake;
};
ShownOutputs shown_outputs(const Objective& objective, const Metrics& metrics);

/// The images that a configuration names: MNIST's training set, or drawn digits.
ImageSet load_images(const RunConfig& config);

/// A trainer for sampling from a checkpoint, without data; and the configuration it was made with.
struct LoadedTrainer {
  std::unique_ptr<Trainer> trainer;
  RunConfig config;
};
/// `path` is a checkpoint or a run directory, whose latest checkpoint is taken. Error where its objective or its
/// networks are a program's own and this one has not registered them.
LoadedTrainer load_trainer(const std::filesystem::path& path);

/// Walks between latents by a run's newest checkpoint, for its report; none where it has no checkpoint that
/// can be read.
std::optional<Walks> stored_walks(const std::filesystem::path& directory);

/// report.html of a run that is on the disk; the page follows it where a process works on it.
std::filesystem::path write_stored_report(const std::filesystem::path& directory, const RunCurves& curves);

}  // namespace duel::gan
