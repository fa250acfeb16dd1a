// What a run directory says about itself beside its configuration: where and when it ran, on which data. JSON
// is made and read in run_json.cpp.
//
// Example:
//   RunRecord record = run_record_from_json(text, "runs/a/run.json");
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/record/machine.h"

namespace duel::gan {

struct DataRecord {
  std::string source;
  int64_t count = 0, height = 0, width = 0, channels = 1;
  uint32_t crc32 = 0;  // of the pixels: a resumed run must meet the same
};

/// Whose state a run started from (gan/run/fork.h).
struct ForkRecord {
  std::string run = "";  // its directory; empty for a checkpoint outside of one
  std::string checkpoint = "", crc32 = "";
  int64_t iteration = 0;
  std::vector<std::string> changed = {};  // settings that are not its, "lr-g 0.0002 to 0.0001"
};

struct RunRecord {
  std::vector<std::string> argv;  // the command that started it
  std::string started;            // local time, ISO 8601
  uint64_t seed = 0;
  std::string objective = "", formula = "";  // by name, a composed one by its parts
  Machine machine;
  DataRecord data;
  std::vector<std::string> resumed;  // "2026-01-31T12:00:00 at iteration 200"
  // the command of each of these; empty where it was not kept
  std::vector<std::vector<std::string>> resumed_argv = {};
  std::optional<ForkRecord> fork = {};
};

/// The longest run.json that is read: a run resumed ten thousand times.
inline constexpr size_t kMaxRecord = size_t{8} << 20;

std::string to_json(const RunRecord& record);
/// The parts that a resumed run needs (argv, started, data, resumed, resumed_argv, fork); the rest stays empty.
RunRecord run_record_from_json(const std::string& text, const std::string& source);

/// Keys and values of a JSON object as text, nested ones as "data.source", lists in one line, the lists in a
/// list with "; " between; nothing if it is no object.
std::vector<std::pair<std::string, std::string>> json_table(const std::string& text);

}  // namespace duel::gan
