// A run of a second for tests that need some of them: two small networks on a few drawn digits.
#pragma once

#include "command.h"

namespace duel::apps::testing {

inline Args tiny_run(const std::filesystem::path& out, const Args& more = {}) {
  return drawn_run(out, with({"--log-every", "3", "--steps", "20", "--quiet", "--diagnose-every", "4",
                              "--sample-every", "5", "--checkpoint-every", "5"},
                             more));
}

}  // namespace duel::apps::testing
