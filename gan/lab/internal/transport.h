// Exact optimal transport between small sets of points of equal weight.
//
// Example:
//   sorted_distance({0, 1}, {3, 2});            // 2: the Wasserstein-1 distance of two sets on the line
//   best_assignment({{0, 2}, {1, 5}}).cost;     // 3: row 0 to column 1, row 1 to column 0
#pragma once

#include <cstddef>
#include <vector>

namespace duel::gan::lab {

/// Wasserstein-1 distance of two sets of as many numbers: on the line the i-th smallest goes to the i-th smallest.
double sorted_distance(std::vector<double> a, std::vector<double> b);

struct Assignment {
  double cost = 0;              // sum over the rows
  std::vector<size_t> columns;  // of each row
};
/// The cheapest way to give every row a column of its own; n x n costs, n^3 steps (Kuhn 1955, "The Hungarian method",
/// with potentials). The transport of sets of equal weights is one (Birkhoff): its cost over n is their distance.
Assignment best_assignment(const std::vector<std::vector<double>>& cost);

/// Of two distributions on the same finite set, in nats.
struct DiscreteDivergences {
  double js = 0, kl = 0;  // Jensen-Shannon; KL(p || q), infinite where q misses what p has
  double missed = 0;      // mass of p where q has none
};
DiscreteDivergences discrete_divergences(const std::vector<double>& p, const std::vector<double>& q);

}  // namespace duel::gan::lab
