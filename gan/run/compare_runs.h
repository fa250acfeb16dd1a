// Runs beside each other, with samples from the same latent points: what `duel compare` does, for any program. A
// program registers the objective and the networks of its own first (run.h, Note [Parts of one's own]).
//
// Example:
//   std::fputs(compare_runs({.runs = {"runs/a", "runs/b"}, .out = "compare.html"}).c_str(), stdout);
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace duel::gan {

struct CompareRequest {
  std::vector<std::filesystem::path> runs;  // two to ten run directories
  std::filesystem::path out = {};           // an .html to write; empty: none
  uint64_t seed = 7;                        // of the latent points of the samples in it
  int64_t count = 64;                       // of samples for each run
  bool force = false;                       // replaces a file that is there
};

/// The table (run_comparison.h), and the page where one is asked for. In the page each run's newest checkpoint draws
/// from the same latent points wherever its latents are those of the first run. Error naming the member, as the
/// command's flag, or the run, before anything is written.
std::string compare_runs(const CompareRequest& request);

}  // namespace duel::gan
