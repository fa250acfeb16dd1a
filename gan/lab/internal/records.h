// What the mixture experiment keeps of a run in its ResultStore, under OBJECTIVE-SEED: settings, scores over time
// and seconds in the record; points over time, f32 [moments, points, 2], beside it under "points".
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "duel/gan/lab/experiment.h"

namespace duel::gan::lab {

std::string to_json(const PointRun& run);

/// Creates folders as needed.
void save_run(const std::filesystem::path& directory, const PointRun& run);

/// The finished run of that objective and seed, or nothing. Throws Error where the file is damaged, or
/// belongs to another mixture or other settings: a table never mixes them.
std::optional<PointRun> load_run(const std::filesystem::path& directory, const Mixture& mixture,
                                 const std::string& objective, uint64_t seed, const PointSettings& settings);

}  // namespace duel::gan::lab
