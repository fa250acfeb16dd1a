// PyTorch where it is found: $DUEL_TEST_PYTHON, else python3, if it has torch, numpy and safetensors. Tests that need it say so and skip.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace duel::testing {

/// What the command wrote to stdout and stderr.
inline std::string output_of(const std::vector<std::string>& command) {
  std::string line;
  for (const std::string& word : command) {
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += "' ";
  }
  FILE* pipe = ::popen((line + "2>&1").c_str(), "r");
  if (!pipe) return "could not start " + line;
  std::string text;
  char piece[4096];
  while (const size_t got = std::fread(piece, 1, sizeof piece, pipe)) text.append(piece, got);
  ::pclose(pipe);
  return text;
}

/// The interpreter; empty if none has all three.
inline const std::string& python_with_torch() {
  static const std::string found = [] {
    const char* chosen = std::getenv("DUEL_TEST_PYTHON");
    const std::string python = chosen ? chosen : "python3";
    const bool all =
        output_of({python, "-c", "import torch, numpy, safetensors.torch; print('all')"}) == "all\n";
    return all ? python : std::string();
  }();
  return found;
}

}  // namespace duel::testing
