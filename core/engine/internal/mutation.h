// Backward rules made wrong on purpose, to show that a check notices. For tests of core/ only.
#pragma once

#include <cstdint>
#include <string>

namespace duel::testing {

/// Falsifies one backward rule: the gradient of input `input` of every op named `op` is multiplied by `factor`;
/// factor 0 drops the term. Empty op: off.
struct Mutation {
  std::string op;
  int input = 0;
  double factor = 1.0;
};
void set_mutation(const Mutation& mutation);
/// How often a mutation was applied since set_mutation.
int64_t mutations_applied();

}  // namespace duel::testing
