#include "duel/gan/judge/frechet.h"

#include <cmath>
#include <limits>
#include <string>

#include "duel/gan/judge/internal/groups.h"
#include "duel/gan/judge/internal/matrix.h"
#include "duel/gan/judge/internal/symmetric.h"
#include "duel/kernels/base/error.h"

namespace duel::gan {
namespace {

using detail::Draw;
using detail::Groups;
using detail::Matrix;

constexpr const char* kFrechet = "frechet_distance";

/// Mean, trace of the covariance, and a root L with C = L^T L: what the distance needs of one side.
struct Side {
  std::vector<double> mean;
  double trace = 0;
  Matrix root = {};
};

Side side_of(std::vector<double> mean, Matrix covariance) {
  Side side{.mean = std::move(mean)};
  const int64_t d = covariance.count;
  for (int64_t i = 0; i < d; ++i) {
    side.trace += covariance[i][i];
    for (int64_t j = 0; j < i; ++j)
      covariance[i][j] = covariance[j][i] = 0.5 * (covariance[i][j] + covariance[j][i]);
  }
  detail::Eigen eigen = symmetric_eigen(std::move(covariance));
  // What rounding left of an eigenvalue 0 has a root of 1e-8 of the largest: it is not let in.
  const double least = eigen.values.back() * static_cast<double>(d) * std::numeric_limits<double>::epsilon();
  for (int64_t i = 0; i < d; ++i) {
    const double value = eigen.values[static_cast<size_t>(i)];
    const double scale = value > least ? std::sqrt(value) : 0.0;
    for (int64_t j = 0; j < d; ++j) eigen.vectors[i][j] *= scale;
  }
  side.root = std::move(eigen.vectors);
  return side;
}

/// With C = L^T L the singular values of L1 L2^T are those of C1^1/2 C2^1/2.
double distance(const Side& a, const Side& b) {
  double squares = 0;
  for (size_t i = 0; i < a.mean.size(); ++i) squares += (a.mean[i] - b.mean[i]) * (a.mean[i] - b.mean[i]);
  const double rest = a.trace + b.trace - 2 * detail::nuclear_norm(product(false, true, a.root, b.root));
  return squares + std::max(rest, 0.0);
}

/// Sums of samples and of their products, after a shift that keeps the differences exact.
struct Sums {
  double count = 0;
  std::vector<double> sum;
  Matrix squares;

  void add(const Sums& other, double sign) {
    count += sign * other.count;
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += sign * other.sum[i];
    for (size_t i = 0; i < squares.values.size(); ++i) squares.values[i] += sign * other.squares.values[i];
  }
};

Sums sums_of(const Matrix& x) {
  Sums sums{static_cast<double>(x.count), std::vector<double>(static_cast<size_t>(x.width)),
            product(true, false, x, x)};
  for (int64_t i = 0; i < x.count; ++i) {
    for (int64_t k = 0; k < x.width; ++k) sums.sum[static_cast<size_t>(k)] += x[i][k];
  }
  return sums;
}

std::vector<double> mean_of(const Matrix& x) {
  std::vector<double> mean(static_cast<size_t>(x.width));
  for (int64_t i = 0; i < x.count; ++i) {
    for (int64_t k = 0; k < x.width; ++k) mean[static_cast<size_t>(k)] += x[i][k];
  }
  for (double& value : mean) value /= static_cast<double>(x.count);
  return mean;
}

void shift(Matrix& x, const std::vector<double>& by) {
  for (int64_t i = 0; i < x.count; ++i) {
    for (int64_t k = 0; k < x.width; ++k) x[i][k] -= by[static_cast<size_t>(k)];
  }
}

/// Mean and covariance of shifted samples.
std::pair<std::vector<double>, Matrix> moments(const Sums& sums, const std::vector<double>& shifted) {
  std::vector<double> mean = shifted;
  Matrix covariance = sums.squares;
  for (int64_t i = 0; i < covariance.count; ++i) {
    const double offset = sums.sum[static_cast<size_t>(i)] / sums.count;
    mean[static_cast<size_t>(i)] += offset;
    for (int64_t j = 0; j < covariance.width; ++j)
      covariance[i][j] = (covariance[i][j] - offset * sums.sum[static_cast<size_t>(j)]) / (sums.count - 1);
  }
  return {std::move(mean), std::move(covariance)};
}

Side side_of(const Sums& sums, const std::vector<double>& shifted) {
  auto [mean, covariance] = moments(sums, shifted);
  return side_of(std::move(mean), std::move(covariance));
}

Side side_of(const Moments& m, const char* what) {
  DUEL_CHECK(m.mean.defined() && m.mean.rank() == 1 && m.covariance.defined() && m.covariance.rank() == 2 &&
                 m.covariance.dim(0) == m.mean.dim(0) && m.covariance.dim(1) == m.mean.dim(0),
             kFrechet, "{}: expected a mean [D] and a covariance [D, D], got {} and {}", what,
             m.mean.defined() ? to_text(m.mean) : std::string("nothing"),
             m.covariance.defined() ? to_text(m.covariance) : std::string("nothing"));
  const std::string mean = message("{}: the mean", what), covariance = message("{}: the covariance", what);
  return side_of(detail::matrix_of(m.mean.reshape({1, -1}), kFrechet, mean, 1).values,
                 detail::matrix_of(m.covariance, kFrechet, covariance, 1));
}

/// The distance to `other` without each group of x in turn.
std::vector<double> without_groups(const Matrix& x, const Sums& all, const std::vector<double>& shifted,
                                   const Groups& groups, const Side& other) {
  std::vector<double> values(static_cast<size_t>(groups.count()));
  kernels::parallel_for(groups.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const auto first = groups.order.begin() + groups.starts[static_cast<size_t>(k)];
      Sums rest = all;
      rest.add(sums_of(rows_at(x, {first, first + groups.sizes[static_cast<size_t>(k)]})), -1);
      values[static_cast<size_t>(k)] = distance(side_of(rest, shifted), other);
    }
  });
  return values;
}

}  // namespace

Moments moments_of(const Tensor& features) {
  Matrix x = detail::matrix_of(features, "moments_of", "features");
  const std::vector<double> middle = mean_of(x);
  shift(x, middle);
  const auto [mean, covariance] = moments(sums_of(x), middle);
  return {Tensor::from(mean, {x.width}), Tensor::from(covariance.values, {x.width, x.width})};
}

double frechet_distance(const Moments& a, const Moments& b) {
  const Side first = side_of(a, "the first set"), second = side_of(b, "the second set");
  DUEL_CHECK(first.mean.size() == second.mean.size(), kFrechet,
             "expected moments of the same width, got {} and {}", first.mean.size(), second.mean.size());
  return distance(first, second);
}

double frechet_distance(const Tensor& a, const Tensor& b) {
  auto [x, y] = detail::matrices_of(a, b, kFrechet);
  const std::vector<double> middle_x = mean_of(x), middle_y = mean_of(y);
  shift(x, middle_x);
  shift(y, middle_y);
  return distance(side_of(sums_of(x), middle_x), side_of(sums_of(y), middle_y));
}

FrechetEstimate estimate_frechet(const Tensor& a, const Tensor& b, int64_t groups, uint64_t seed) {
  DUEL_CHECK(groups >= 2, kFrechet, "groups: expected at least 2, got {}", groups);
  auto [x, y] = detail::matrices_of(a, b, kFrechet, 4);
  const std::vector<double> middle_x = mean_of(x), middle_y = mean_of(y);
  shift(x, middle_x);
  shift(y, middle_y);
  const Sums sums_x = sums_of(x), sums_y = sums_of(y);
  const Side side_x = side_of(sums_x, middle_x), side_y = side_of(sums_y, middle_y);
  const double whole = distance(side_x, side_y);
  // A group leaves at least two samples.
  const Groups groups_x(x.count, std::min(groups, x.count), seed, Draw::groups_a),
      groups_y(y.count, std::min(groups, y.count), seed, Draw::groups_b);
  const Jackknife parts =
      combined({delete_groups(whole, without_groups(x, sums_x, middle_x, groups_x, side_y), groups_x.sizes),
                delete_groups(whole, without_groups(y, sums_y, middle_y, groups_y, side_x), groups_y.sizes)});
  FrechetEstimate result{.plain = estimate_of(whole, parts), .infinite = {}};
  // Without its bias it lies below 0 as often as above where there is nothing to find.
  result.infinite = estimate_of(whole - parts.bias, parts, -std::numeric_limits<double>::infinity());
  return result;
}

}  // namespace duel::gan
