// What a record of a run on digits says of its settings: what its bits depend on.
#pragma once

#include <string>

#include "duel/core/io/internal/json.h"
#include "duel/gan/record/run_config.h"

namespace duel::gan::lab {

/// Of the fields of a configuration those that experiments on digits take from it, with `objective` in its place; not its length.
json::Json config_settings(RunConfig config, const std::string& objective);

}  // namespace duel::gan::lab
