// Runs of an experiment that are not in its folder yet, shared among all processes that were started on it. Each
// takes what no other has (claim.h), several at once on its cores.
//
// Note [Runs side by side]
// Runs are the ranges of one kernels::parallel_for of grain 1: each is computed by one thread, and loops
// inside of it run on that thread. What a run computes does not depend on its neighbours, so neither do its
// bits.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "duel/gan/lab/internal/result_store.h"
#include "duel/gan/lab/observer.h"

namespace duel::gan::lab {

/// Objective and seed of every record OBJECTIVE-SEED in the folder, by the order of objectives, then seeds.
std::vector<std::pair<std::string, uint64_t>> recorded_seeds(const ResultStore& store);

struct SharedRun {
  std::string name;   // in the store
  std::string label;  // for people
  /// Trains, saves, tells the observer, and asks `keep_going` after every step; false where that said no.
  std::function<bool(const std::function<bool()>& keep_going)> train;
};

/// Trains what no other process has or has finished, and as long as that goes on looks again at what others had.
/// Gives back the runs that others still train at the end, "hinge seed 1 (HOST, process 12)".
std::vector<std::string> train_shared(const ResultStore& store, const std::vector<SharedRun>& runs,
                                      LabObserver& observer);

/// Of these runs those that have no record in the folder.
std::vector<SharedRun> missing_runs(const ResultStore& store, const std::vector<SharedRun>& runs);

/// An experiment from here: tells the observer that of `all` runs `missing` are to be trained, does so as train_shared()
/// does, and has what is in the folder written. What another process finishes meanwhile comes into the next writing, so
/// that the one that ends last has written everything.
std::vector<std::string> train_and_write(const ResultStore& store, const std::vector<SharedRun>& all,
                                         const std::vector<SharedRun>& missing, LabObserver& observer,
                                         const std::function<void()>& write);

}  // namespace duel::gan::lab
