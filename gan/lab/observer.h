// What a person hears of an experiment whose runs are trained side by side, and shared with other processes.
#pragma once

#include <cstdint>
#include <string>

namespace duel::gan::lab {

/// Called from several threads at once. `run` is its name for people: "wgan-gp seed 2".
class LabObserver {
 public:
  virtual ~LabObserver() = default;
  /// A line of news besides runs.
  virtual void said(const std::string& /*line*/) {}
  /// Before the first run, when what runs share is there: how many are to be trained, how many were found finished.
  virtual void started(int64_t /*to_train*/, int64_t /*found*/) {}
  virtual void begun(const std::string& /*run*/) {}
  virtual void stepped() {}  // one step of any run
  /// What was found in it, and its steps, which are fewer than planned where it ended early.
  virtual void finished(const std::string& /*run*/, const std::string& /*found*/, double /*seconds*/,
                        int64_t /*steps*/) {}
  /// Another process trains it, `by`, or has finished it. Where that one dies, begun() may follow.
  virtual void taken(const std::string& /*run*/, const std::string& /*by*/) {}
  virtual bool stop() { return false; }
};

}  // namespace duel::gan::lab
