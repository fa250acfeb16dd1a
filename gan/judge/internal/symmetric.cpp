#include "duel/gan/judge/internal/symmetric.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "duel/kernels/base/error.h"

namespace duel::gan::detail {
namespace {

/// H = 1 - scale v v^T with H x = (alpha, 0, …): x becomes v. Null scale: H is the identity.
struct Reflection {
  double scale = 0, alpha = 0;
};
Reflection reflect(double* x, int64_t n) {
  double largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  if (largest == 0) return {};
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += (x[i] / largest) * (x[i] / largest);
  const double norm = largest * std::sqrt(squares);
  const double alpha = x[0] > 0 ? -norm : norm;
  const double first = x[0] - alpha;  // no cancellation: the signs are opposite
  for (int64_t i = 1; i < n; ++i) x[i] /= first;
  x[0] = 1;
  return {-first / alpha, alpha};
}

/// y += s x
void add(double* y, double s, const double* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += s * x[i];
}
double dot(const double* x, const double* y, int64_t n) { return std::inner_product(x, x + n, y, 0.0); }

/// Eigenvalues of the tridiagonal matrix with `main` and `side` (side[i] beside main[i] and main[i + 1]) into
/// main, in any order; the rotations are done to the rows of `vectors` where there are any.
void diagonalise(std::vector<double>& main, std::vector<double>& side, Matrix* vectors) {
  const size_t n = main.size();
  side.resize(n, 0.0);
  constexpr double epsilon = std::numeric_limits<double>::epsilon();
  double largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(main[i]) + std::abs(side[i]));
  // Where most eigenvalues are 0 (fewer samples than features) each rotation brings rounding of the greatest ones into a
  // block of nothing else, and what is beside its diagonal may stay there: it counts as zero after so many steps.
  constexpr int kPatience = 30;
  for (size_t low = 0; low < n; ++low) {
    for (int step = 0;; ++step) {
      const double least = step < kPatience ? largest / 64 : largest;
      size_t end = low;  // the block low … end has no zero beside its diagonal
      while (end + 1 < n &&
             std::abs(side[end]) > epsilon * std::max(std::abs(main[end]) + std::abs(main[end + 1]), least))
        ++end;
      if (end == low) break;
      if (step == 60) throw InternalError("an eigenvalue was not found in 60 steps");
      double g = (main[low + 1] - main[low]) / (2 * side[low]);
      double r = std::hypot(g, 1.0);
      g = main[end] - main[low] + side[low] / (g + std::copysign(r, g));
      double s = 1, c = 1, p = 0;
      bool split = false;
      for (size_t i = end; i-- > low;) {
        const double f = s * side[i], b = c * side[i];
        r = std::hypot(f, g);
        side[i + 1] = r;
        if (r == 0) {  // the block falls apart here
          main[i + 1] -= p;
          side[end] = 0;
          split = true;
          break;
        }
        s = f / r;
        c = g / r;
        g = main[i + 1] - p;
        const double t = (main[i] - g) * s + 2 * c * b;
        p = s * t;
        main[i + 1] = g + p;
        g = c * t - b;
        if (!vectors) continue;
        double *lower = (*vectors)[static_cast<int64_t>(i)], *upper = (*vectors)[static_cast<int64_t>(i) + 1];
        for (int64_t k = 0; k < vectors->width; ++k) {
          const double u = upper[k], l = lower[k];
          upper[k] = s * l + c * u;
          lower[k] = c * l - s * u;
        }
      }
      if (split) continue;
      main[low] -= p;
      side[low] = g;
      side[end] = 0;
    }
  }
}

}  // namespace

Eigen symmetric_eigen(Matrix a) {
  const int64_t n = a.count;
  DUEL_ASSERT(n >= 1 && a.width == n);
  std::vector<double> main(static_cast<size_t>(n)), side(static_cast<size_t>(n)), p(static_cast<size_t>(n)),
      scales(static_cast<size_t>(n));
  Matrix reflections(n, n);  // row k: that which clears row k, from k + 1 on
  for (int64_t k = 0; k + 1 < n; ++k) {
    const int64_t m = n - k - 1;
    double* v = reflections[k];
    std::copy_n(a[k] + k + 1, m, v);
    const Reflection h = reflect(v, m);
    scales[static_cast<size_t>(k)] = h.scale;
    main[static_cast<size_t>(k)] = a[k][k];
    side[static_cast<size_t>(k)] = h.alpha;
    if (h.scale == 0) continue;
    std::fill_n(p.begin(), m, 0.0);
    for (int64_t i = 0; i < m; ++i) add(p.data(), h.scale * v[i], a[k + 1 + i] + k + 1, m);
    add(p.data(), -0.5 * h.scale * dot(p.data(), v, m), v, m);
    for (int64_t i = 0; i < m; ++i) {
      double* row = a[k + 1 + i] + k + 1;
      const double vi = v[i], pi = p[static_cast<size_t>(i)];
      for (int64_t j = 0; j < m; ++j) row[j] -= vi * p[static_cast<size_t>(j)] + pi * v[j];
    }
  }
  main[static_cast<size_t>(n - 1)] = a[n - 1][n - 1];

  // The reflections' product, the last one first, so that only its lower corner is full. Rows are what the
  // eigenvectors' rows start from: Q^T.
  Matrix q(n, n);
  for (int64_t i = 0; i < n; ++i) q[i][i] = 1;
  for (int64_t k = n - 2; k >= 0; --k) {
    const double scale = scales[static_cast<size_t>(k)];
    const int64_t m = n - k - 1;
    const double* v = reflections[k];
    // Q = H_0 H_1 …, so Q^T = … H_1 H_0: each multiplies from the right.
    for (int64_t i = 0; scale != 0 && i < m; ++i) {
      double* row = q[k + 1 + i] + k + 1;
      add(row, -scale * dot(row, v, m), v, m);
    }
  }
  diagonalise(main, side, &q);

  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
    return main[static_cast<size_t>(i)] < main[static_cast<size_t>(j)];
  });
  Eigen result{.values = {}, .vectors = rows_at(q, order)};
  for (const int64_t i : order) result.values.push_back(main[static_cast<size_t>(i)]);
  return result;
}

double nuclear_norm(Matrix a) {
  const int64_t n = a.count;
  DUEL_ASSERT(n >= 1 && a.width == n);
  std::vector<double> side, v(static_cast<size_t>(n)), s(static_cast<size_t>(n));
  for (int64_t k = 0; k < n; ++k) {
    for (int64_t i = k; i < n; ++i) v[static_cast<size_t>(i - k)] = a[i][k];
    const Reflection left = reflect(v.data(), n - k);
    side.push_back(left.alpha);
    const int64_t m = n - k - 1;
    if (m == 0) break;
    if (left.scale != 0) {
      std::fill_n(s.begin(), m, 0.0);
      for (int64_t i = k; i < n; ++i)
        add(s.data(), left.scale * v[static_cast<size_t>(i - k)], a[i] + k + 1, m);
      for (int64_t i = k; i < n; ++i) add(a[i] + k + 1, -v[static_cast<size_t>(i - k)], s.data(), m);
    }
    std::copy_n(a[k] + k + 1, m, v.begin());
    const Reflection right = reflect(v.data(), m);
    side.push_back(right.alpha);
    if (right.scale == 0) continue;
    for (int64_t i = k + 1; i < n; ++i)
      add(a[i] + k + 1, -right.scale * dot(a[i] + k + 1, v.data(), m), v.data(), m);
  }
  std::vector<double> main(static_cast<size_t>(2 * n));  // zeros: eigenvalues come as +-
  diagonalise(main, side, nullptr);
  double sum = 0;
  for (const double value : main) sum += std::abs(value);
  return sum / 2;
}

}  // namespace duel::gan::detail
