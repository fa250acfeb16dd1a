// Tables that tests compute and gan/proofs.md shows. Where the environment variable DUEL_PROOFS names that file, the part
// between "<!-- NAME -->" and "<!-- end NAME -->" is written anew:
//   DUEL_PROOFS=gan/proofs.md build/tests/duel_test_gan --gtest_filter='*PenaltyGradcheck*:*DiracObjective*'
#pragma once

#include <cstdlib>
#include <string>

#include "../files.h"

namespace duel::testing {

inline void publish(const std::string& name, const std::string& markdown) {
  const char* path = std::getenv("DUEL_PROOFS");
  if (path == nullptr) return;
  const Bytes bytes = get(path);
  std::string text(bytes.begin(), bytes.end());
  const std::string begin = "<!-- " + name + " -->\n", end = "<!-- end " + name + " -->";
  const size_t from = text.find(begin), to = text.find(end);
  ASSERT_TRUE(from != std::string::npos && to != std::string::npos && from < to) << path << " has no part " << name;
  text.replace(from + begin.size(), to - from - begin.size(), markdown);
  put(path, Bytes(text.begin(), text.end()));
}

}  // namespace duel::testing
