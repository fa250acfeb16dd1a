// Reductions against long-double sums: R2's bound 2 sqrt(K) 2^-24 sum |x| for float, odd sizes, sizes of 1,
// empty axes, rows, columns, middle axes, sizes above one chunk. Fails on a lost remainder, a wrong chunk or
// fold (narrow matrices are walked several rows at a time), reads of the poisoned workspace, and bits that
// follow the thread count.
#include "duel/kernels/reduce/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

struct ReduceShape {
  int64_t A, R, B;
};

void PrintTo(const ReduceShape& s, std::ostream* out) { *out << s.A << "x" << s.R << "x" << s.B; }

const ReduceShape kReduceShapes[] = {
    {1, 1, 1},     {1, 2, 1},      {1, 3, 1},      {1, 63, 1},      {1, 64, 1},   {1, 65, 1},  {1, 784, 1},
    {1, 16384, 1}, {1, 16385, 1},  {1, 100003, 1}, {1, 1048576, 1}, {64, 784, 1}, {33, 17, 1}, {7, 1, 1},
    {3, 20000, 1}, {1, 64, 512},   {1, 64, 784},   {1, 17, 33},     {1, 1, 5},    {1, 5, 64},  {1, 300, 65},
    {1, 20000, 3}, {1, 12345, 10}, {1, 4000, 40},  {1, 999, 130},   {8, 16, 49},  {5, 7, 3},   {2, 3000, 7},
    {4, 1, 6},     {2, 33, 129},   {1, 31, 31},    {1, 129, 32},
};

template <class T>
struct Reduced {
  std::vector<T> sum, max, min;
};

template <class T>
Reduced<T> run(const ReduceShape& s, const std::vector<T>& x, double divisor) {
  Reduced<T> result;
  const int64_t space = reduce_workspace(s.A, s.R, s.B);
  for (int which = 0; which < 3; ++which) {
    Guarded<T> y(s.A * s.B);
    Workspace workspace(static_cast<size_t>(space) * sizeof(T));
    T* work = static_cast<T*>(workspace.data());
    if (which == 0) sum_axes({}, s.A, s.R, s.B, x.data(), y.data(), work, divisor);
    if (which == 1) max_axes({}, s.A, s.R, s.B, x.data(), y.data(), work);
    if (which == 2) min_axes({}, s.A, s.R, s.B, x.data(), y.data(), work);
    EXPECT_TRUE(y.guards_intact());
    (which == 0 ? result.sum : which == 1 ? result.max : result.min) = y.copy();
  }
  return result;
}

class Reduce : public ::testing::TestWithParam<ReduceShape> {};

template <class T>
void check(const ReduceShape& s) {
  std::vector<T> x = noise<T>(s.A * s.R * s.B, 7);
  for (T& v : x) v += T(0.25);  // sums that grow
  const double divisor = 2;
  const Reduced<T> got = run(s, x, divisor);
  const double unit = std::numeric_limits<T>::epsilon() / 2;
  for (int64_t a = 0; a < s.A; ++a) {
    for (int64_t b = 0; b < s.B; ++b) {
      long double sum = 0, size = 0;
      T largest = x[a * s.R * s.B + b], smallest = largest;
      for (int64_t r = 0; r < s.R; ++r) {
        const T v = x[(a * s.R + r) * s.B + b];
        sum += v;
        size += std::abs(v);
        largest = std::max(largest, v);
        smallest = std::min(smallest, v);
      }
      const double bound =
          2 * std::sqrt(static_cast<double>(s.R)) * unit * static_cast<double>(size) / divisor;
      ASSERT_LE(std::abs(static_cast<double>(got.sum[a * s.B + b] - sum / divisor)), bound) << a << ", " << b;
      ASSERT_EQ(got.max[a * s.B + b], largest) << a << ", " << b;
      ASSERT_EQ(got.min[a * s.B + b], smallest) << a << ", " << b;
    }
  }
}

TEST_P(Reduce, Float) { check<float>(GetParam()); }
TEST_P(Reduce, Double) { check<double>(GetParam()); }

TEST_P(Reduce, SameBitsForAnyThreadCount) {
  const ReduceShape s = GetParam();
  const auto x = noise<float>(s.A * s.R * s.B, 9);
  std::vector<float> first;
  for (int count : {1, 2, 4}) {
    set_threads(count);
    const Reduced<float> got = run(s, x, 1.0);
    if (first.empty()) first = got.sum;
    EXPECT_EQ(std::memcmp(first.data(), got.sum.data(), first.size() * sizeof(float)), 0);
  }
  set_threads(2);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Reduce, ::testing::ValuesIn(kReduceShapes));

// A plain float sum of 2^20 times 0.1 is off by 1e-2 relative; the bound asks for 1e-4, this for 1e-7.
TEST(ReduceSum, StaysAccurateOverAMillion) {
  const int64_t n = 1 << 20;
  const std::vector<float> x(n, 0.1f);
  std::vector<float> work(static_cast<size_t>(reduce_workspace(1, n, 1)));
  float sum;
  sum_axes({}, 1, n, 1, x.data(), &sum, work.data());
  EXPECT_NEAR(sum / (static_cast<double>(0.1f) * n), 1, 1.2e-7);
}

TEST(ReduceSum, EmptyAxes) {
  Guarded<float> y(6);
  sum_axes({}, 2, 0, 3, static_cast<const float*>(nullptr), y.data(), static_cast<float*>(nullptr));
  EXPECT_EQ(y.copy(), std::vector<float>(6, 0.0f));
  sum_axes({}, 0, 5, 3, static_cast<const float*>(nullptr), static_cast<float*>(nullptr),
           static_cast<float*>(nullptr));
  EXPECT_THROW(
      max_axes({}, 2, 0, 3, static_cast<const float*>(nullptr), y.data(), static_cast<float*>(nullptr)),
      Error);
  EXPECT_THROW(sum_axes({}, 1, 100000, 1, y.data(), y.data(), static_cast<float*>(nullptr)), Error);
}

TEST(ReduceMax, NotANumberWins) {
  for (int64_t n : {3, 64, 200, 40000}) {
    for (int64_t at : {int64_t{0}, n / 2, n - 1}) {
      std::vector<double> x = noise<double>(n, 3), work(static_cast<size_t>(reduce_workspace(1, n, 1)) + 1);
      x[at] = std::nan("");
      double y = 0;
      max_axes({}, 1, n, 1, x.data(), &y, work.data());
      EXPECT_TRUE(std::isnan(y)) << n << " " << at;
      y = 0;
      min_axes({}, 1, n, 1, x.data(), &y, work.data());
      EXPECT_TRUE(std::isnan(y)) << n << " " << at;
      y = 0;
      sum_axes({}, 1, n, 1, x.data(), &y, work.data());
      EXPECT_TRUE(std::isnan(y)) << n << " " << at;
    }
  }
}

TEST(Argmax, FirstOfEqualsAndNotANumber) {
  const float nan = std::nanf("");
  const std::vector<float> x = {1, 3, 3, -1, -2, -1, nan, 9, nan, 2, nan, 5};
  std::vector<int64_t> index(4, -7);
  argmax_rows({}, 4, 3, x.data(), index.data());
  EXPECT_EQ(index, (std::vector<int64_t>{1, 0, 0, 1}));
  const auto big = noise<double>(70000, 4);
  std::vector<int64_t> rows(7000);
  argmax_rows({}, 7000, 10, big.data(), rows.data());
  for (int64_t i = 0; i < 7000; ++i)
    ASSERT_EQ(rows[i], std::max_element(&big[i * 10], &big[i * 10] + 10) - &big[i * 10]);
  EXPECT_THROW(argmax_rows({}, 2, 0, x.data(), index.data()), Error);
}

TEST(FirstNonfinite, FindsEachPosition) {
  std::vector<float> x(5000, 1e38f);
  EXPECT_EQ(first_nonfinite(5000, x.data()), -1);
  EXPECT_EQ(first_nonfinite(0, static_cast<const float*>(nullptr)), -1);
  const float bad[] = {std::nanf(""), INFINITY, -INFINITY};
  for (int64_t at : {0, 1, 1023, 1024, 4999}) {
    for (float value : bad) {
      x[at] = value;
      EXPECT_EQ(first_nonfinite(5000, x.data()), at);
      EXPECT_EQ(first_nonfinite(at, x.data()), -1);
      x[at] = 1;
    }
  }
}

}  // namespace
}  // namespace duel::kernels
