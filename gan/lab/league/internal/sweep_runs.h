// What a sweep keeps of a run in its ResultStore, under POINT-SEED: the league's record (league_runs.h) with the
// values of the axes beside it.
#pragma once

#include <string>

#include "duel/gan/lab/internal/result_store.h"
#include "duel/gan/lab/league/sweep.h"

namespace duel::gan::lab {

/// "lambda=10,lr=0.0001-1", whatever the order of the axes; what a file name should not hold is left out, and a
/// checksum of all of it put in.
std::string sweep_name(const SweepValues& values, uint64_t seed);

/// {"lambda": 10, "lr": 0.0001}
json::Json values_json(const SweepValues& values);
json::Json sweep_json(const SweepRun& run);

void save_sweep_run(const ResultStore& store, const RunConfig& config, const SweepRun& run);
/// Of a name in the store. Error where it is damaged, of other axes or made with other settings.
SweepRun load_sweep_run(const SweepPlan& plan, const ResultStore& store, const std::string& name);

}  // namespace duel::gan::lab
