// The nearest rows of one matrix to each row of another, by tiles of inner products.
#pragma once

#include <limits>

#include "duel/gan/judge/internal/matrix.h"

namespace duel::gan::detail {

/// Of each row its k nearest, nearest first; of equals the earlier one.
struct NearestRows {
  int64_t k = 0;
  std::vector<int64_t> index;   // [rows, k]
  std::vector<double> squares;  // [rows, k], squared distances
};

/// |x|^2 + |y|^2 - 2 x y, which cancellation may take below 0.
template <class T>
T squared_distance(T norm_x, T norm_y, T product) {
  const T square = norm_x + norm_y - 2 * product;
  return square > 0 ? square : T{0};
}

/// k is at most among.count, less 1 where `within`: points are `among` themselves and none is its own neighbour.
template <class T>
NearestRows nearest_rows(const Rows<T>& points, const Rows<T>& among, int64_t k, bool within) {
  const std::vector<T> of_points = squared_norms(points), of_among = squared_norms(among);
  NearestRows result{.k = k,
                     .index = std::vector<int64_t>(static_cast<size_t>(points.count * k), -1),
                     .squares = std::vector<double>(static_cast<size_t>(points.count * k),
                                                    std::numeric_limits<double>::infinity())};
  over_rows(points, among, [&](const auto& range) {
    range.each([&](int64_t i, int64_t first, const T* products, int64_t n) {
      double* squares = result.squares.data() + i * k;
      int64_t* index = result.index.data() + i * k;
      const T norm = of_points[static_cast<size_t>(i)], *norms = of_among.data() + first;
      for (int64_t t = 0; t < n; ++t) {
        const double square = squared_distance(norm, norms[t], products[t]);
        if (!(square < squares[k - 1]) || (within && first + t == i)) continue;
        int64_t place = k - 1;
        for (; place > 0 && square < squares[place - 1]; --place) {
          squares[place] = squares[place - 1];
          index[place] = index[place - 1];
        }
        squares[place] = square;
        index[place] = first + t;
      }
    });
  });
  return result;
}

}  // namespace duel::gan::detail
