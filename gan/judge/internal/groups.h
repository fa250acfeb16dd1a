// Random groups of samples for the jackknife (interval.h): of sets that come in an order, by class or in turns,
// every group is a fair sample.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "duel/kernels/map/random.h"

namespace duel::gan::detail {

/// One stream a purpose.
enum class Draw : uint64_t { groups_a = 101, groups_b, subsets_a, subsets_b, pairs, halves };

/// The numbers 0 to n - 1 in a random order: a function of seed, purpose and round.
inline std::vector<int64_t> shuffled(int64_t n, uint64_t seed, Draw draw, uint64_t round = 0) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  const kernels::Permutation permutation(seed, static_cast<uint64_t>(draw), round, static_cast<uint64_t>(n));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(permutation(i));
  return order;
}

struct Groups {
  std::vector<int64_t> order;  // all samples, group after group
  std::vector<int64_t> sizes, starts;
  std::vector<int64_t> of;  // each sample's group

  Groups(int64_t n, int64_t groups, uint64_t seed, Draw draw)
      : order(shuffled(n, seed, draw)), of(static_cast<size_t>(n)) {
    groups = std::min(groups, n);
    for (int64_t k = 0; k < groups; ++k) {
      const int64_t begin = k * n / groups, end = (k + 1) * n / groups;
      starts.push_back(begin);
      sizes.push_back(end - begin);
      for (int64_t i = begin; i < end; ++i) of[static_cast<size_t>(order[static_cast<size_t>(i)])] = k;
    }
  }
  int64_t count() const { return static_cast<int64_t>(sizes.size()); }
};

}  // namespace duel::gan::detail
