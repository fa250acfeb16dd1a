// Counts what an experiment on the lab's shared runs tells, and stops it after so many steps.
#pragma once

#include <atomic>
#include <cstdint>

#include "duel/gan/lab/observer.h"

namespace duel::testing {

struct CountingListener : gan::lab::LabObserver {
  void started(int64_t to_train, int64_t found_before) override {
    missing = to_train;
    found = found_before;
  }
  void stepped() override { ++steps; }
  bool stop() override { return steps >= most; }
  std::atomic<int64_t> steps = 0;
  int64_t missing = 0, found = 0, most = 1000000;
};

}  // namespace duel::testing
