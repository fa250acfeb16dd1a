// Internal to gan/run: the run that a fork is from, as it lies on the disk.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "duel/gan/record/internal/run_record.h"
#include "duel/gan/record/run_config.h"
#include "duel/gan/train/checkpoint.h"

namespace duel::gan::detail {

struct ForkSource {
  std::filesystem::path run = {};  // its folder; empty for a checkpoint outside of one
  std::filesystem::path file = {};
  RunConfig config = {};  // of the folder's config.json, else of the checkpoint
  std::optional<DataRecord> data = {};
  Checkpoint checkpoint = {};
};

/// Of "RUN@STEP", "RUN@latest", "RUN@best", RUN or a checkpoint; Error naming what is wrong.
ForkSource read_fork(const std::string& origin);

}  // namespace duel::gan::detail
