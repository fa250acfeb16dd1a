// The files of a run's folder by their names, which stand here and nowhere else.
//
// Example:
//   const RunFiles files("runs/a");
//   files.metrics();            // runs/a/metrics.jsonl
//   files.checkpoint(200);      // runs/a/checkpoints/step_00000200.safetensors
//   for (const auto& [iteration, file] : files.all_fakes()) …
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace duel::gan {

/// A file with the iteration that its name says.
struct NumberedFile {
  int64_t iteration = 0;
  std::filesystem::path file;
};

class RunFiles {
 public:
  explicit RunFiles(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config() const { return path_ / "config.json"; }
  std::filesystem::path record() const { return path_ / "run.json"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path timing() const { return path_ / "timing.jsonl"; }
  std::filesystem::path log() const { return path_ / "log.txt"; }
  std::filesystem::path report() const { return path_ / "report.html"; }
  std::filesystem::path lock() const { return path_ / ".lock"; }
  std::filesystem::path diagnostics() const { return path_ / "diagnostics"; }
  std::filesystem::path samples() const { return path_ / "samples"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  std::filesystem::path reals() const { return samples() / "reals.png"; }
  /// Fakes beside the training images nearest to them, as of the last report.
  std::filesystem::path neighbours() const { return samples() / "neighbours.png"; }
  std::filesystem::path fakes(int64_t iteration) const;
  std::filesystem::path checkpoint(int64_t iteration) const;
  /// The copy of a checkpoint that is kept for its quality.
  std::filesystem::path best(int64_t iteration) const;
  /// metric-fd-mnist-v1.jsonl
  std::filesystem::path metric(const std::string& name) const {
    return path_ / ("metric-" + name + ".jsonl");
  }

  /// What is there of them, by iteration; none where the folder cannot be read, and `why` says so.
  std::vector<NumberedFile> all_fakes() const;
  std::vector<NumberedFile> all_checkpoints() const;
  std::vector<NumberedFile> all_best() const;
  std::vector<std::filesystem::path> all_metrics() const;
  std::vector<NumberedFile> all_checkpoints(std::error_code& why) const;

 protected:
  std::filesystem::path path_;
};

/// "step_00000200.safetensors"
std::string checkpoint_name(int64_t iteration);
/// The iteration in the name of a checkpoint; nothing for other names.
std::optional<int64_t> iteration_of_checkpoint(const std::filesystem::path& file);
/// The number in a name like PREFIX00200SUFFIX; nothing for other names.
std::optional<int64_t> number_in(const std::string& name, const std::string& prefix,
                                 const std::string& suffix);

}  // namespace duel::gan
