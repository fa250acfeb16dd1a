#include "lab_watcher.h"

#include "../terminal/output.h"
#include "../terminal/signals.h"
#include "duel/kernels/base/error.h"

namespace duel::apps {

void LabWatcher::said(const std::string& line) { progress_.line(visible(line)); }

void LabWatcher::started(int64_t to_train, int64_t found) {
  catch_signals();  // before, there is nothing to give back or to keep: Ctrl-C ends it at once
  runs_ = to_train;
  if (found > 0)
    said(message("{} finished run{} found, {} to train", found, found == 1 ? "" : "s", to_train));
  progress_.begin(0, to_train * steps_, [this](const Progress::Pace& pace) {
    return Progress::Shown{message("{}/{} runs ", finished_.load(), runs_.load()),
                           {message("{} it/s, {}", brief(pace.rate), pace.clock), pace.clock}};
  });
}

void LabWatcher::begun(const std::string& run) {
  const std::scoped_lock lock(mutex_);
  if (taken_.erase(run) == 0) return;  // whoever had it is gone
  ++runs_;
  progress_.lower(-steps_);
}

void LabWatcher::finished(const std::string& run, const std::string& found, double seconds, int64_t steps) {
  progress_.lower(steps_ - steps);  // it ended early: the rest is no work any more
  said(message("[{}/{}] {}: {} ({})", ++finished_, runs_.load(), run, found, clock_text(seconds)));
}

void LabWatcher::taken(const std::string& run, const std::string& by) {
  const std::scoped_lock lock(mutex_);
  taken_.insert(run);
  --runs_;
  progress_.lower(steps_);
  said(message("{}: taken by another process ({})", run, by));
}

bool LabWatcher::stop() { return caught_signal() != 0; }

int LabWatcher::ended(bool complete, const std::vector<std::string>& held, const std::filesystem::path& out) {
  progress_.end();
  if (complete) return 0;
  const std::string again = message("the same command with --out {}", shell_word(out.string()));
  if (const int signal = caught_signal()) {
    progress_.line(message("stopped; finished runs are kept: {} goes on", again), true);
    return 128 + signal;
  }
  for (const std::string& run : held) progress_.line("not finished yet: " + visible(run), true);
  progress_.line(message("what other processes train is missing: once they are done, {} shows all", again),
                 true);
  return 0;
}

}  // namespace duel::apps
