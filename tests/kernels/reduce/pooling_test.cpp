// Windows against loops over every pair of window and element, and both adjoint pairs by <A x, y> = <x, A^T y>. Fails on
// a window off by one, on the last of equal maxima, on a NaN that is passed over, on padding that counts as 0 for a
// maximum, and on an element whose windows are not all found.
#include "duel/kernels/reduce/pooling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

PoolShape shape(int64_t planes, int64_t h, int64_t w, int64_t kh, int64_t kw, int64_t sh, int64_t sw,
                int64_t ph, int64_t pw) {
  return {.planes = planes,
          .h_in = h,
          .w_in = w,
          .kh = kh,
          .kw = kw,
          .stride_h = sh,
          .stride_w = sw,
          .pad_h = ph,
          .pad_w = pw,
          .h_out = (h + 2 * ph - kh) / sh + 1,
          .w_out = (w + 2 * pw - kw) / sw + 1};
}

const std::vector<PoolShape>& pool_shapes() {
  static const std::vector<PoolShape> all{
      shape(1, 1, 1, 1, 1, 1, 1, 0, 0),   shape(3, 6, 8, 2, 2, 2, 2, 0, 0), shape(2, 7, 5, 3, 3, 2, 2, 1, 1),
      shape(2, 9, 4, 3, 2, 1, 3, 1, 1),   shape(5, 8, 9, 2, 4, 3, 1, 0, 2), shape(1, 5, 5, 5, 5, 1, 1, 2, 2),
      shape(40, 33, 31, 3, 3, 2, 2, 1, 1)};
  return all;
}

/// Calls f(flat window, flat element) for every element that a window holds, row by row.
template <class F>
void each_pair(const PoolShape& s, F f) {
  for (int64_t o = 0; o < s.planes * s.h_out * s.w_out; ++o) {
    const int64_t p = o / (s.h_out * s.w_out), i = o / s.w_out % s.h_out, j = o % s.w_out;
    for (int64_t a = 0; a < s.kh; ++a) {
      for (int64_t b = 0; b < s.kw; ++b) {
        const int64_t r = i * s.stride_h - s.pad_h + a, c = j * s.stride_w - s.pad_w + b;
        if (r < 0 || r >= s.h_in || c < 0 || c >= s.w_in) continue;
        f(static_cast<size_t>(o), static_cast<size_t>((p * s.h_in + r) * s.w_in + c));
      }
    }
  }
}

int64_t in_size(const PoolShape& s) { return s.planes * s.h_in * s.w_in; }
int64_t out_size(const PoolShape& s) { return s.planes * s.h_out * s.w_out; }

double inner(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

TEST(MaxPool, TheFirstOfTheLargest) {
  for (const PoolShape& s : pool_shapes()) {
    auto x = noise<double>(in_size(s), 1);
    for (double& v : x) v = std::round(4 * v) - 10;  // many ties, all below 0
    std::vector<double> best(static_cast<size_t>(out_size(s)), -INFINITY);
    std::vector<int64_t> where(best.size());
    each_pair(s, [&](size_t o, size_t i) {
      if (x[i] <= best[o]) return;
      best[o] = x[i];
      where[o] = static_cast<int64_t>(i) % (s.h_in * s.w_in);
    });
    Guarded<double> y(out_size(s)), taken(out_size(s)), back(in_size(s));
    Guarded<int64_t> index(out_size(s));
    max_pool2d({}, s, x.data(), y.data(), index.data());
    EXPECT_EQ(y.copy(), best);
    EXPECT_EQ(index.copy(), where);
    take_from_planes({}, s, x.data(), where.data(), taken.data());
    EXPECT_EQ(taken.copy(), best);

    const auto g = noise<double>(out_size(s), 2);
    return_to_planes({}, s, g.data(), where.data(), back.data());
    std::vector<double> expected(x.size());
    for (size_t o = 0; o < g.size(); ++o) {
      const auto plane = static_cast<int64_t>(o) / (s.h_out * s.w_out);
      expected[static_cast<size_t>(plane * s.h_in * s.w_in + where[o])] += g[o];
    }
    EXPECT_EQ(back.copy(), expected);
    EXPECT_NEAR(inner(best, g), inner(x, back.copy()), 1e-10);
    EXPECT_TRUE(y.guards_intact() && taken.guards_intact() && back.guards_intact() && index.guards_intact());
  }
}

TEST(MaxPool, NaNAndInfinities) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::vector<float> x{1, nan, 3, 2, -inf, -inf, -inf, -inf, inf, 5, inf, 0};
  const PoolShape s = shape(3, 2, 2, 2, 2, 1, 1, 0, 0);
  std::vector<float> y(3);
  std::vector<int64_t> index(3);
  max_pool2d({}, s, x.data(), y.data(), index.data());
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], -inf);
  EXPECT_EQ(y[2], inf);
  EXPECT_EQ(index, (std::vector<int64_t>{1, 0, 0}));
}

TEST(WindowSums, AndTheirAdjoint) {
  for (const PoolShape& s : pool_shapes()) {
    const auto x = noise<double>(in_size(s), 1), g = noise<double>(out_size(s), 2);
    std::vector<double> sums(g.size()), spread(x.size());
    each_pair(s, [&](size_t o, size_t i) {
      sums[o] += x[i] / 3;
      spread[i] += g[o] / 3;
    });
    Guarded<double> y(out_size(s)), back(in_size(s));
    window_sums({}, s, x.data(), y.data(), 3);
    window_sums_adjoint({}, s, g.data(), back.data(), 3);
    ASSERT_TRUE(y.guards_intact() && back.guards_intact());
    const auto values = y.copy(), dx = back.copy();
    for (size_t o = 0; o < g.size(); ++o) ASSERT_NEAR(values[o], sums[o], 1e-13);
    for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(dx[i], spread[i], 1e-13);
  }
}

TEST(Pooling, RefusesWhatDoesNotFit) {
  std::vector<float> x(64), y(64);
  std::vector<int64_t> index(64);
  PoolShape s = shape(1, 4, 4, 2, 2, 2, 2, 0, 0);
  s.h_out = 3;
  EXPECT_THROW(max_pool2d({}, s, x.data(), y.data(), index.data()), Error);
  EXPECT_THROW(window_sums({}, shape(1, 4, 4, 2, 2, 2, 2, 0, 2), x.data(), y.data(), 1), Error);
  EXPECT_THROW(window_sums<float>({}, shape(1, 4, 4, 2, 2, 2, 2, 0, 0), nullptr, y.data(), 1), Error);
}

}  // namespace
}  // namespace duel::kernels
