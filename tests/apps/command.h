// Runs build/duel as a user does: as a process, with its output, errors and exit status.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/files.h"

namespace duel::apps::testing {

using Args = std::vector<std::string>;
using duel::testing::has;
using duel::testing::occurrences;
using duel::testing::write;

struct Surroundings {
  std::filesystem::path cwd = {};                     // empty: the test's own
  std::map<std::string, std::string> variables = {};  // added to a bare environment (PATH, HOME and LANG=C)
  int64_t file_limit = 0;                             // > 0: RLIMIT_FSIZE in bytes
  int64_t memory_limit = 0;                           // > 0: RLIMIT_AS in bytes
  bool terminal = false;                              // stderr is a pseudo-terminal
  std::string stdout_file = {};                       // written instead of captured
  bool no_stdout = false;                             // stdout is closed
};

struct Result {
  int status = -1;  // exit status; 128 + n if signal n ended it
  std::string out, err;
  double seconds = 0;
};

/// A running duel; signals can be sent to it.
class Process {
 public:
  Process(const std::vector<std::string>& args, const Surroundings& around = {});
  ~Process();
  void send(int signal) const;
  /// Waits until `file` holds `text`, at most ten seconds.
  bool wait_for(const std::filesystem::path& file, const std::string& text) const;
  Result finish();

 private:
  int pid_ = -1, out_ = -1, err_ = -1;
  std::chrono::steady_clock::time_point began_;
};

/// `args` and `more`; an option of `more` takes the place of the same one in `args`.
std::vector<std::string> with(std::vector<std::string> args, const std::vector<std::string>& more);

Result duel(const std::vector<std::string>& args, const Surroundings& around = {});

/// Where the duel is that these tests run.
std::string command_path();

/// duel train with two small networks, on a few drawn digits and one thread: an iteration takes milliseconds.
inline Args drawn_run(const std::filesystem::path& out, const Args& more = {}) {
  return with({"train", "--data", "synthetic", "--synthetic-count", "50", "--batch", "8", "--arch", "mlp",
               "--channels-g", "8", "--channels-d", "8", "--threads", "1", "--out", out.string()},
              more);
}

/// Every file below a folder with its bytes, for "nothing was overwritten".
std::map<std::string, std::string> contents(const std::filesystem::path& folder);
std::string read(const std::filesystem::path& file);

/// Exit status 2 (wrong input; 1: failed on the way), nothing on stdout, and exactly one line "duel: …" on
/// stderr that holds every part.
void expect_refused(const Result& result, const std::vector<std::string>& parts, int status = 2);

}  // namespace duel::apps::testing
