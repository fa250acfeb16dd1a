// Internal to gan/run/: samples that are no grid: a folder of PNGs, NumPy's arrays, an animation. They are drawn in batches and written as
// they come; no more than a batch lies in memory.
#pragma once

#include <filesystem>
#include <string>

#include "duel/gan/run/run.h"
#include "duel/gan/run/sample_run.h"

namespace duel::gan::detail {

/// Before anything is drawn: Error where the folder or the file may not be written, or the request is for what only a grid shows.
void check_files(const SampleRequest& request);

/// Draws and writes; a line about it. `label`: the number of the class that alone is drawn.
std::string write_files(const SampleRequest& request, const LoadedTrainer& loaded,
                        std::optional<int64_t> label);

}  // namespace duel::gan::detail
