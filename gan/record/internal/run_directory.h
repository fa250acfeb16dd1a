// The folder of one run: created or reopened under a lock, its files written so that a reader never meets
// half of one, and cut back to a checkpoint when the run resumes.
//
// Note [A lock holds as long as the run]
// Two runs in one folder would mix their files, so the folder's ".lock" is held with flock() until the object
// dies; the system releases it however the process ends. A fresh folder is created exclusively, so it has one
// owner from the start.
//
// Note [A start that fails leaves no trace, and one that was killed blocks nothing]
// Until keep() every file and folder that was made here is remembered, and the object's death removes these
// and nothing else: a folder of the user's stays. A process that is killed before keep() leaves a folder with
// a ".lock" and the first files of a run, but no config.json, which is written last. Such a folder holds
// nothing of value, and the next run with that name takes it over if its lock is free.
//
// Example:
//   RunDirectory dir = RunDirectory::create("runs/a");        // or RunDirectory::reopen("runs/a")
//   dir.append_metrics(line);
//   dir.keep_checkpoints(3, just_written);
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/train/run_files.h"

namespace duel::gan {

class RunDirectory : public RunFiles {
 public:
  /// What fresh runs must meet: nothing there but an empty folder or a start that was killed, and a place
  /// above it that can be written. Writes nothing.
  static void check_fresh(const std::filesystem::path& path);
  /// The second half of it.
  static void check_creatable(const std::filesystem::path& path);
  /// Whether a process works in the folder: its lock is held. Writes nothing.
  static bool is_held(const std::filesystem::path& path);
  /// "root/NNNNN-name" with the next free number.
  static std::filesystem::path next_numbered(const std::filesystem::path& root, const std::string& name);

  /// It goes away again without keep().
  static RunDirectory create(const std::filesystem::path& path);
  /// The next free number, also when other runs start at the same time.
  static RunDirectory create_numbered(const std::filesystem::path& root, const std::string& name);
  /// An existing run; Error if it is none, or if another process works in it. Removes what a killed writer
  /// left behind.
  static RunDirectory reopen(const std::filesystem::path& path);

  RunDirectory(RunDirectory&& other) noexcept;
  RunDirectory& operator=(RunDirectory&&) = delete;
  ~RunDirectory();

  /// A file or folder of this run, which a start that fails removes again.
  void made(std::filesystem::path path) { made_.push_back(std::move(path)); }
  /// From now on it is a run.
  void keep() { made_.clear(); }

  /// Whole lines; a line that could not be written completely is taken back, and the reason returned.
  std::optional<std::string> append_metrics(const std::string& line);
  std::optional<std::string> append_timing(const std::string& line);
  std::optional<std::string> append_log(const std::string& line);
  /// To metric-NAME.jsonl.
  std::optional<std::string> append_metric(const std::string& name, const std::string& line);
  /// Forces the lines of metrics.jsonl to the disk.
  void sync_metrics();

  /// Drops metrics, times, sample grids and a best checkpoint after `iteration`, and a torn last line.
  void cut_after(int64_t iteration);
  /// Deletes checkpoints but the `keep` latest; `written` stays in any case.
  void keep_checkpoints(int64_t keep, const std::filesystem::path& written);
  /// Deletes other checkpoints that were kept for their quality.
  void keep_best(const std::filesystem::path& written);

 private:
  RunDirectory(std::filesystem::path path, int lock) : RunFiles(std::move(path)), lock_(lock) {}
  /// Of a folder that is there: its lock, then what a run needs in it.
  void settle();
  int lock_ = -1;
  std::vector<std::filesystem::path> made_;  // in the order in which they were
};

}  // namespace duel::gan
