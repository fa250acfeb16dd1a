#include "duel/gan/lab/internal/transport.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "duel/kernels/base/error.h"

namespace duel::gan::lab {

double sorted_distance(std::vector<double> a, std::vector<double> b) {
  DUEL_CHECK(a.size() == b.size() && !a.empty(), "transport",
             "expected two sets of as many points, got {} and {}", a.size(), b.size());
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

Assignment best_assignment(const std::vector<std::vector<double>>& cost) {
  const size_t n = cost.size();
  for (const auto& row : cost)
    DUEL_CHECK(row.size() == n, "transport", "expected {} costs in every row, got {}", n, row.size());
  // Rows and columns from 1; column 0 is where a row that looks for a place begins.
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> of_row(n + 1, 0.0), of_column(n + 1, 0.0);
  std::vector<size_t> row_at(n + 1, 0), before(n + 1, 0);
  for (size_t row = 1; row <= n; ++row) {
    row_at[0] = row;
    size_t here = 0;
    std::vector<double> slack(n + 1, infinity);
    std::vector<char> seen(n + 1, 0);
    while (row_at[here] != 0) {
      seen[here] = 1;
      double least = infinity;
      size_t next = 0;
      for (size_t column = 1; column <= n; ++column) {
        if (seen[column]) continue;
        const size_t from = row_at[here];
        const double reduced = cost[from - 1][column - 1] - of_row[from] - of_column[column];
        if (reduced < slack[column]) slack[column] = reduced, before[column] = here;
        if (slack[column] < least) least = slack[column], next = column;
      }
      for (size_t column = 0; column <= n; ++column) {
        if (seen[column])
          of_row[row_at[column]] += least, of_column[column] -= least;
        else
          slack[column] -= least;
      }
      here = next;
    }
    while (here != 0) {
      row_at[here] = row_at[before[here]];
      here = before[here];
    }
  }
  Assignment best;
  best.columns.resize(n);
  for (size_t column = 1; column <= n; ++column) {
    best.columns[row_at[column] - 1] = column - 1;
    best.cost += cost[row_at[column] - 1][column - 1];
  }
  return best;
}

DiscreteDivergences discrete_divergences(const std::vector<double>& p, const std::vector<double>& q) {
  DUEL_CHECK(p.size() == q.size(), "transport", "expected two distributions on one set, got {} and {} places",
             p.size(), q.size());
  // 0 log 0 = 0
  const auto term = [](double a, double b) { return a > 0 ? a * std::log(a / b) : 0.0; };
  DiscreteDivergences d;
  for (size_t i = 0; i < p.size(); ++i) {
    const double middle = 0.5 * (p[i] + q[i]);
    d.js += 0.5 * term(p[i], middle) + 0.5 * term(q[i], middle);
    d.kl += term(p[i], q[i]);
    if (q[i] == 0) d.missed += p[i];
  }
  return d;
}

}  // namespace duel::gan::lab
