// An experiment: objectives × seeds on a mixture, several runs at once on the cores, into a folder.
//
//   DIR/results.md, results.json   the table (table.h) of every finished run in the folder
//   DIR/samples.png, final.png     points of each objective's first seed, over time and at the end
//   DIR/scores.png                 the measures over time
//   DIR/runs/                      every run (records.h), with its own picture OBJECTIVE-SEED.png
//
// Note [Runs side by side]
// Runs are the ranges of one kernels::parallel_for of grain 1: each is computed by one thread, and loops
// inside of it run on that thread. What a run computes does not depend on its neighbours, so neither do its
// bits.
//
// Example:
//   LabObserver quiet;
//   LabOutcome outcome = run_lab({.mixture = make_mixture("ring"), .objectives = {"ns-gan", "wgan-gp"}, .seeds = {1, 2, 3},
//                                 .settings = {.steps = 20000}, .directory = "runs/ring"}, quiet);
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "duel/gan/lab/experiment.h"

namespace duel::gan::lab {

struct LabPlan {
  Mixture mixture;
  std::vector<std::string> objectives;
  std::vector<uint64_t> seeds;
  PointSettings settings;
  std::filesystem::path directory;
};

/// What a terminal shows of an experiment. Called from several threads at once.
class LabObserver {
 public:
  virtual ~LabObserver() = default;
  /// Before the first run: how many are to be trained, how many were found finished.
  virtual void started(int64_t /*to_train*/, int64_t /*found*/) {}
  virtual void begun(const std::string& /*objective*/, uint64_t /*seed*/) {}
  virtual void stepped() {}  // one step of any run
  virtual void finished(const PointRun& /*run*/) {}
  virtual bool stop() { return false; }
};

struct LabOutcome {
  std::vector<PointRun>
      runs;  // finished ones in the folder, by objective (as objective_names() orders them) and seed
  bool complete = true;  // false: the observer stopped it; what was finished is kept
};

/// Trains what is not yet in the folder and writes the summary. Throws Error before any training where an
/// objective is unknown or the folder holds runs of other settings.
LabOutcome run_lab(const LabPlan& plan, LabObserver& observer);

}  // namespace duel::gan::lab
