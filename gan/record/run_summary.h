// What stands in a folder of runs, read without touching anything: what `duel list` shows.
//
// Example:
//   const std::vector<RunSummary> runs = runs_in("runs");
//   std::fputs(to_table(runs).c_str(), stdout);
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace duel::gan {

struct RunSummary {
  /// running: a process holds its lock. finished: its newest checkpoint is that of the last iteration. stopped: any
  /// other. damaged: its files do not say, and `problem` says why.
  enum class State { running, finished, stopped, damaged };

  std::filesystem::path directory;
  State state = State::stopped;
  std::string problem = "";
  std::string objective = "";  // with its parts where they were replaced, "hinge+paired"
  std::string arch = "";
  int64_t iteration = 0;  // the last one that was logged or saved
  int64_t total = 0;
  // of the last line of metrics.jsonl; NaN without one
  double loss_d = std::numeric_limits<double>::quiet_NaN(), loss_g = loss_d;
  std::string started = "";  // local time, ISO 8601; empty where run.json is missing
};

std::string to_text(RunSummary::State state);

/// Whether a folder is, or was meant to be, a run directory of duel train: it has a config.json beside what a run
/// writes, or metrics beside a folder of checkpoints.
bool is_run_directory(const std::filesystem::path& folder);

/// Of a run directory. What cannot be read makes it a damaged one; nothing is thrown for that.
RunSummary run_summary(const std::filesystem::path& directory);

/// The runs directly below `folder` by their names, or `folder` itself where it is one; other folders are skipped.
/// Error where it cannot be read.
std::vector<RunSummary> runs_in(const std::filesystem::path& folder);

/// For people: a line each, at most 80 columns; what is wrong with a damaged one below it.
std::string to_table(const std::vector<RunSummary>& runs);

/// One line of JSON, its end included. Numbers that are not there are null.
std::string to_json_line(const RunSummary& run);

}  // namespace duel::gan
