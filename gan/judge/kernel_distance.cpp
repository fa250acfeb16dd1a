#include "duel/gan/judge/kernel_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "duel/gan/judge/internal/groups.h"
#include "duel/gan/judge/internal/matrix.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

using detail::Matrix;

constexpr const char* kKernelDistance = "kernel_distance";

double kernel(double product, double width) {
  const double base = product / width + 1;
  return base * base * base;
}

/// For every sample the sum of its kernels with all others of its set.
std::vector<double> sums_within(const Matrix& x) {
  std::vector<double> sums(static_cast<size_t>(x.count));
  const auto width = static_cast<double>(x.width);
  detail::over_rows(x, x, [&](const auto& range) {
    range.each([&](int64_t i, int64_t j, const double* products, int64_t n) {
      double sum = 0;
      for (int64_t t = 0; t < n; ++t) sum += kernel(products[t], width);
      if (i >= j && i < j + n) sum -= kernel(products[i - j], width);
      sums[static_cast<size_t>(i)] += sum;
    });
  });
  return sums;
}

/// For every sample of both sets the sum of its kernels with the other set.
std::pair<std::vector<double>, std::vector<double>> sums_between(const Matrix& x, const Matrix& y) {
  std::vector<double> rows(static_cast<size_t>(x.count));
  Matrix columns(detail::row_ranges(x.count), y.count);  // a slot a range
  const auto width = static_cast<double>(x.width);
  detail::over_rows(x, y, [&](const auto& range) {
    double* slot = columns[range.begin / detail::kRows];
    range.each([&](int64_t i, int64_t j, const double* products, int64_t n) {
      double sum = 0;
      for (int64_t t = 0; t < n; ++t) {
        const double k = kernel(products[t], width);
        slot[j + t] += k;
        sum += k;
      }
      rows[static_cast<size_t>(i)] += sum;
    });
  });
  std::vector<double> totals(static_cast<size_t>(y.count));
  for (int64_t r = 0; r < columns.count; ++r) {
    for (int64_t j = 0; j < y.count; ++j) totals[static_cast<size_t>(j)] += columns[r][j];
  }
  return {std::move(rows), std::move(totals)};
}

double total(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

/// The part of the variance that comes from one set: `within` and `between` of its n samples, whose totals lead
/// to the distance by `rest` + within / n(n - 1) - 2 between / nm.
Jackknife of_one_set(const std::vector<double>& within, const std::vector<double>& between, double rest,
                     double others) {
  const auto n = static_cast<double>(within.size());
  const double all = total(within), cross = total(between);
  std::vector<double> without(within.size());
  for (size_t i = 0; i < within.size(); ++i)
    without[i] =
        rest + (all - 2 * within[i]) / ((n - 1) * (n - 2)) - 2 * (cross - between[i]) / ((n - 1) * others);
  return delete_groups(rest + all / (n * (n - 1)) - 2 * cross / (n * others), without,
                       std::vector<int64_t>(within.size(), 1));
}

Estimate distance(const Matrix& x, const Matrix& y) {
  const auto n = static_cast<double>(x.count), m = static_cast<double>(y.count);
  const std::vector<double> xx = sums_within(x), yy = sums_within(y);
  const auto [xy, yx] = sums_between(x, y);
  const double of_x = total(xx) / (n * (n - 1)), of_y = total(yy) / (m * (m - 1));
  return estimate_of(of_x + of_y - 2 * total(xy) / (n * m),
                     combined({of_one_set(xx, xy, of_y, m), of_one_set(yy, yx, of_x, n)}),
                     -std::numeric_limits<double>::infinity());
}

}  // namespace

Estimate kernel_distance(const Tensor& a, const Tensor& b) {
  const auto [x, y] = detail::matrices_of(a, b, kKernelDistance, 3);
  return distance(x, y);
}

SubsetDistance subset_kernel_distance(const Tensor& a, const Tensor& b, int64_t subsets, int64_t size,
                                      uint64_t seed) {
  DUEL_CHECK(subsets >= 2, kKernelDistance, "subsets: expected at least 2, got {}", subsets);
  DUEL_CHECK(size >= 3, kKernelDistance, "size of subsets: expected at least 3, got {}", size);
  const auto [x, y] = detail::matrices_of(a, b, kKernelDistance, 3);
  const int64_t n = std::min({size, x.count, y.count});
  std::vector<double> values(static_cast<size_t>(subsets));
  const auto part = [&](const Matrix& of, detail::Draw draw, int64_t subset) {
    std::vector<int64_t> order = detail::shuffled(of.count, seed, draw, static_cast<uint64_t>(subset));
    order.resize(static_cast<size_t>(n));
    return rows_at(of, order);
  };
  kernels::parallel_for(subsets, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      values[static_cast<size_t>(s)] =
          distance(part(x, detail::Draw::subsets_a, s), part(y, detail::Draw::subsets_b, s)).value;
    }
  });
  SubsetDistance result{.mean = total(values) / static_cast<double>(subsets)};
  for (const double value : values)
    result.deviation += (value - result.mean) * (value - result.mean) / static_cast<double>(subsets - 1);
  result.deviation = std::sqrt(result.deviation);
  return result;
}

}  // namespace duel::gan
