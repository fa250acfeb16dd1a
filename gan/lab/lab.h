// An experiment: objectives × seeds on a mixture, several runs at once on the cores, into a folder. Several
// processes with the same plan share the work.
//
//   DIR/results.md, results.json   the table (table.h) of every finished run in the folder
//   DIR/samples.png, final.png     points of each objective's first seed, over time and at the end
//   DIR/scores.png                 the measures over time
//   DIR/runs/                      every run (result_store.h, records.h), with its own picture OBJECTIVE-SEED.png
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
#include "duel/gan/lab/observer.h"

namespace duel::gan::lab {

struct LabPlan {
  Mixture mixture;
  std::vector<std::string> objectives;
  std::vector<uint64_t> seeds;
  PointSettings settings;
  std::filesystem::path directory;
};

struct LabOutcome {
  std::vector<PointRun>
      runs;  // finished ones in the folder, by objective (as objective_names() orders them) and seed
  bool complete = true;                // every run of the plan is among them
  std::vector<std::string> held = {};  // where not: runs that other processes train, with who does
};

/// Trains what is not yet in the folder and no other process trains, until the observer stops it, and writes the
/// summary of what is finished: the process that ends last has all. Throws Error before any training where an
/// objective is unknown or the folder holds runs of other settings.
LabOutcome run_lab(const LabPlan& plan, LabObserver& observer);

}  // namespace duel::gan::lab
