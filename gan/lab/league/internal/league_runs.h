// What the league keeps of a run in its ResultStore, under OBJECTIVE-SEED: settings and measures in the record, the
// picture of samples beside it.
#pragma once

#include <optional>
#include <string>

#include "duel/gan/lab/internal/result_store.h"
#include "duel/gan/lab/league/league.h"

namespace duel::gan::lab {

std::string league_name(const std::string& objective, uint64_t seed);

json::Json league_json(const LeagueRun& run);

/// What tells a run's training apart from another's, but for its seed: `config` as the objective has it.
json::Json league_settings(const LeagueRequest& request, RunConfig config, const std::string& objective);

/// What league_json() wrote, and the samples. Error of `op` where there are none; nlohmann's where the record is none.
LeagueRun run_of_record(const char* op, const ResultStore& store, const std::string& name,
                        const json::Json& record, const TensorFile& tensors);

void save_league_run(const LeagueRequest& request, const LeagueRun& run);
/// Error where it is damaged or was made with other settings.
std::optional<LeagueRun> load_league_run(const LeagueRequest& request, const std::string& objective,
                                         uint64_t seed);

}  // namespace duel::gan::lab
