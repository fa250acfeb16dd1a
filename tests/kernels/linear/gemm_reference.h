// A matrix product, run and compared with the naive f64 sum, for every test of a library that computes them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "duel/kernels/linear/gemm.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {

struct Case {
  int64_t m, n, k;
};

template <class T>
struct Problem {
  bool trans_a, trans_b;
  int64_t m, n, k;
  std::vector<T> a = noise<T>(m * k, 1), b = noise<T>(k * n, 2), bias = noise<T>(n, 3);

  double left(int64_t i, int64_t p) const { return trans_a ? a[p * m + i] : a[i * k + p]; }
  double right(int64_t p, int64_t j) const { return trans_b ? b[j * k + p] : b[p * n + j]; }

  // c against alpha * a b + start, entry by entry.
  void expect(const T* c, double alpha, const std::vector<T>& start, double start_scale) const {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const double first =
            start_scale == 0 ? 0.0 : start_scale * start[start.size() == size_t(n) ? j : i * n + j];
        double sum = first, size = std::abs(first);
        for (int64_t p = 0; p < k; ++p) {
          sum += alpha * left(i, p) * right(p, j);
          size += std::abs(alpha * left(i, p) * right(p, j));
        }
        ASSERT_LE(std::abs(c[i * n + j] - sum), rounding_bound<T>(k, size))
            << "at (" << i << ", " << j << ") of " << m << "x" << n << "x" << k << (trans_a ? " A^T" : "")
            << (trans_b ? " B^T" : "");
      }
    }
  }
};

template <class T>
std::vector<T> run_gemm(const Problem<T>& p, T alpha, T beta, const std::vector<T>& start) {
  Guarded<T> c(p.m * p.n);
  if (!start.empty()) std::copy(start.begin(), start.end(), c.data());
  Workspace space(gemm_workspace<T>(p.trans_a, p.trans_b, p.m, p.n, p.k));
  const PageEnd<T> a(p.a), b(p.b);
  gemm<T>({}, p.trans_a, p.trans_b, p.m, p.n, p.k, alpha, a.data(), b.data(), beta, c.data(), space.data());
  EXPECT_TRUE(c.guards_intact());
  return c.copy();
}

template <class T>
std::vector<T> run_bias(const Problem<T>& p, const T* bias) {
  Guarded<T> c(p.m * p.n);
  Workspace space(gemm_workspace<T>(p.trans_a, p.trans_b, p.m, p.n, p.k));
  const PageEnd<T> a(p.a), b(p.b), page(p.bias);
  gemm_bias<T>({}, p.trans_a, p.trans_b, p.m, p.n, p.k, a.data(), b.data(), bias ? page.data() : nullptr,
               c.data(), space.data());
  EXPECT_TRUE(c.guards_intact());
  return c.copy();
}

}  // namespace duel::kernels
