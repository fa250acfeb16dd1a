// The problems of duel lab that show a founding claim: a row each of gan/lab/founding.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace duel::apps {

std::vector<std::string> founding_names();
/// A line for each, for the end of --help.
std::string founding_help();
/// Options that say something to it, without dashes; nothing where it is no founding claim.
std::vector<std::string> founding_options(const std::string& name);

struct FoundingRequest {
  std::string name;
  bool quick = false, quiet = false;
  int64_t seeds = 1;  // 1, 2, … so many
  std::string data = "auto", out = "runs/lab-founding";
  std::vector<std::string> objectives = {};  // empty: all that the claim is about
};

/// Shows the claim and prints its facts; 1 where one does not hold, 128 + the signal where that stopped it.
int show_founding(const FoundingRequest& request);

}  // namespace duel::apps
