// Who looks on at a run in a test: a warning fails the test, and it ends the run where it is told to.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "duel/gan/run/run.h"

namespace duel::testing {

struct RunWatcher : gan::RunObserver {
  void warned(const std::string& line) override { ADD_FAILURE() << line; }
  void progressed(const gan::Metrics&, int64_t iteration, int64_t) override { at = iteration; }
  bool stop() override { return stop_at == at; }
  int64_t at = 0, stop_at = -1;
};

}  // namespace duel::testing
