// What a person sees of runs that are trained side by side (gan/lab/observer.h): one line for all of them, how many are
// done, how fast, how long still; and a line for every finished one. duel lab and duel sweep.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "../terminal/progress.h"
#include "duel/gan/lab/observer.h"

namespace duel::apps {

class LabWatcher : public gan::lab::LabObserver {
 public:
  LabWatcher(int64_t steps_per_run, bool quiet) : steps_(steps_per_run), progress_(stderr, quiet) {}

  void said(const std::string& line) override;
  void started(int64_t to_train, int64_t found) override;
  void begun(const std::string& run) override;
  void stepped() override { progress_.add(); }
  void finished(const std::string& run, const std::string& found, double seconds, int64_t steps) override;
  void taken(const std::string& run, const std::string& by) override;
  bool stop() override;

  /// Status of the command, and what is missing on stderr.
  int ended(bool complete, const std::vector<std::string>& held, const std::filesystem::path& out);

 private:
  int64_t steps_;
  Progress progress_;
  std::mutex mutex_;
  std::set<std::string> taken_;
  std::atomic<int64_t> finished_{0}, runs_{0};
};

}  // namespace duel::apps
