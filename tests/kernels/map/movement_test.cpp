// Data movement against coordinate-by-coordinate copies, and every adjoint pair by <A x, y> = <x, A^T y>.
// Fails on swapped strides, lost remainders of the 8 x 8 transposition, boxes off by one, scatter that
// overwrites instead of adding or adds in another order, and pooling over the wrong patch.
#include "duel/kernels/map/movement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

using Shape = std::vector<int64_t>;

int64_t elements_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<int64_t>());
}

Shape coordinates(const Shape& shape, int64_t i) {
  Shape at(shape.size());
  for (size_t d = shape.size(); d-- > 0;) {
    at[d] = i % shape[d];
    i /= shape[d];
  }
  return at;
}

int64_t index_of(const Shape& shape, const Shape& at) {
  int64_t i = 0;
  for (size_t d = 0; d < shape.size(); ++d) i = i * shape[d] + at[d];
  return i;
}

template <class T>
std::vector<T> count_up(int64_t n) {
  std::vector<T> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(i % 251 + 1);
  return x;
}

template <class T>
double inner(const std::vector<T>& a, const std::vector<T>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

template <class T>
void check_permute(const Shape& shape, const std::vector<int>& axes) {
  const int rank = static_cast<int>(shape.size());
  const auto x = count_up<T>(elements_of(shape));
  Shape out_shape;
  for (int axis : axes) out_shape.push_back(shape[static_cast<size_t>(axis)]);
  Guarded<T> y(elements_of(shape));
  permute({}, rank, shape.data(), axes.data(), x.data(), y.data());
  ASSERT_TRUE(y.guards_intact());
  for (int64_t i = 0; i < elements_of(shape); ++i) {
    const Shape to = coordinates(out_shape, i);
    Shape from(shape.size());
    for (size_t d = 0; d < axes.size(); ++d) from[static_cast<size_t>(axes[d])] = to[d];
    ASSERT_EQ(y.data()[i], x[static_cast<size_t>(index_of(shape, from))]) << i;
  }
}

TEST(Permute, EveryOrderOfUpToFiveAxes) {
  for (const Shape& shape :
       {Shape{}, Shape{7}, Shape{9, 17}, Shape{3, 8, 11}, Shape{2, 9, 1, 16}, Shape{2, 3, 8, 5, 9}}) {
    std::vector<int> axes(shape.size());
    std::iota(axes.begin(), axes.end(), 0);
    do {
      check_permute<float>(shape, axes);
      check_permute<uint8_t>(shape, axes);
    } while (std::next_permutation(axes.begin(), axes.end()));
  }
  check_permute<double>({130, 517}, {1, 0});
  check_permute<int64_t>({4, 33, 14, 14}, {0, 2, 3, 1});
  check_permute<float>({4, 14, 14, 33}, {0, 3, 1, 2});
}

TEST(Permute, EmptyAndErrors) {
  const int64_t shape[] = {3, 0};
  const int axes[] = {1, 0}, twice[] = {0, 0}, outside[] = {0, 2};
  permute({}, 2, shape, axes, static_cast<const float*>(nullptr), static_cast<float*>(nullptr));
  const float x = 0;
  float y = 0;
  EXPECT_THROW(permute({}, 2, shape, twice, &x, &y), Error);
  EXPECT_THROW(permute({}, 2, shape, outside, &x, &y), Error);
  EXPECT_THROW(permute({}, 6, shape, axes, &x, &y), Error);
}

TEST(CopyBox, SliceAndItsAdjoint) {
  struct Case {
    Shape extent, src, src_at, dst, dst_at;
  };
  const Case cases[] = {
      {{3}, {7}, {2}, {5}, {1}},
      {{2, 3}, {5, 7}, {1, 4}, {2, 3}, {0, 0}},
      {{2, 7}, {5, 7}, {3, 0}, {4, 7}, {1, 0}},
      {{1, 1, 1}, {3, 3, 3}, {2, 2, 2}, {2, 1, 4}, {1, 0, 3}},
      {{2, 3, 12, 12}, {2, 3, 14, 14}, {0, 0, 1, 1}, {2, 3, 12, 12}, {0, 0, 0, 0}},
      {{2, 3, 4, 2, 3}, {2, 4, 4, 3, 3}, {0, 1, 0, 1, 0}, {3, 3, 5, 2, 4}, {1, 0, 1, 0, 1}},
      {{70, 300}, {80, 310}, {5, 3}, {70, 300}, {0, 0}},
      {{0, 3}, {5, 7}, {5, 4}, {2, 3}, {0, 0}},
  };
  for (const Case& c : cases) {
    const int rank = static_cast<int>(c.extent.size());
    const auto x = noise<double>(elements_of(c.src), 1), before = noise<double>(elements_of(c.dst), 2);
    Guarded<double> y(elements_of(c.dst));
    std::copy(before.begin(), before.end(), y.data());
    copy_box({}, rank, c.extent.data(), x.data(), c.src.data(), c.src_at.data(), y.data(), c.dst.data(),
             c.dst_at.data());
    ASSERT_TRUE(y.guards_intact());
    for (int64_t i = 0; i < elements_of(c.dst); ++i) {
      Shape at = coordinates(c.dst, i);
      bool inside = true;
      for (int d = 0; d < rank; ++d) {
        at[d] -= c.dst_at[d];
        inside = inside && at[d] >= 0 && at[d] < c.extent[d];
        at[d] += c.src_at[d];
      }
      ASSERT_EQ(y.data()[i],
                inside ? x[static_cast<size_t>(index_of(c.src, at))] : before[static_cast<size_t>(i)])
          << i;
    }
    // Adjoint: the box of y back into zeros.
    std::vector<double> slice(before.size(), 0.0), back(x.size(), 0.0);
    const auto g = noise<double>(elements_of(c.dst), 3);
    copy_box({}, rank, c.extent.data(), x.data(), c.src.data(), c.src_at.data(), slice.data(), c.dst.data(),
             c.dst_at.data());
    copy_box({}, rank, c.extent.data(), g.data(), c.dst.data(), c.dst_at.data(), back.data(), c.src.data(),
             c.src_at.data());
    EXPECT_NEAR(inner(slice, g), inner(x, back), 1e-9);
  }
}

TEST(CopyBox, RefusesBoxesOutside) {
  const int64_t extent[] = {3}, shape[] = {4}, at[] = {2}, zero[] = {0}, below[] = {-1};
  std::vector<float> x(4), y(4);
  EXPECT_THROW(copy_box({}, 1, extent, x.data(), shape, at, y.data(), shape, zero), Error);
  EXPECT_THROW(copy_box({}, 1, extent, x.data(), shape, zero, y.data(), shape, at), Error);
  EXPECT_THROW(copy_box({}, 1, extent, x.data(), shape, below, y.data(), shape, zero), Error);
}

TEST(BroadcastTo, NumPysRule) {
  struct Case {
    Shape out, in;
  };
  const Case cases[] = {{{}, {}},
                        {{5}, {}},
                        {{5}, {1}},
                        {{3, 5}, {5}},
                        {{3, 5}, {3, 1}},
                        {{3, 5}, {1, 1}},
                        {{2, 3, 4}, {3, 1}},
                        {{2, 3, 4, 5, 6}, {2, 1, 4, 1, 6}},
                        {{300, 400}, {400}},
                        {{300, 400}, {300, 1}},
                        {{20000}, {1}},
                        {{0, 3}, {3}}};
  for (const Case& c : cases) {
    const auto x = count_up<float>(elements_of(c.in));
    Guarded<float> y(elements_of(c.out));
    broadcast_to({}, static_cast<int>(c.out.size()), c.out.data(), static_cast<int>(c.in.size()), c.in.data(),
                 x.data(), y.data());
    ASSERT_TRUE(y.guards_intact());
    for (int64_t i = 0; i < elements_of(c.out); ++i) {
      const Shape to = coordinates(c.out, i);
      Shape from;
      for (size_t d = 0; d < c.in.size(); ++d)
        from.push_back(c.in[d] == 1 ? 0 : to[d + c.out.size() - c.in.size()]);
      ASSERT_EQ(y.data()[i], x[static_cast<size_t>(index_of(c.in, from))]) << i;
    }
  }
  const int64_t out[] = {3}, in[] = {2};
  std::vector<float> x(3), y(3);
  EXPECT_THROW(broadcast_to({}, 1, out, 1, in, x.data(), y.data()), Error);
}

TEST(Gather, RowsAndTheirAdjoint) {
  for (int64_t cols : {1, 3, 64, 129, 5000}) {
    const int64_t rows = 7, count = 23;
    const auto x = noise<double>(rows * cols, 1), g = noise<double>(count * cols, 2);
    std::vector<int64_t> index(count);
    for (int64_t i = 0; i < count; ++i) index[i] = (i * i + 3) % rows;
    Guarded<double> y(count * cols);
    gather_rows({}, count, rows, cols, x.data(), index.data(), y.data());
    ASSERT_TRUE(y.guards_intact());
    for (int64_t i = 0; i < count * cols; ++i) ASSERT_EQ(y.data()[i], x[index[i / cols] * cols + i % cols]);

    const auto start = noise<double>(rows * cols, 4);
    Guarded<double> back(rows * cols);
    std::copy(start.begin(), start.end(), back.data());
    scatter_add_rows({}, count, rows, cols, g.data(), index.data(), back.data());
    ASSERT_TRUE(back.guards_intact());
    std::vector<double> want = start;
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < cols; ++j) want[index[i] * cols + j] += g[i * cols + j];
    }
    EXPECT_EQ(back.copy(), want);  // the same additions in the same order: the same bits
  }
}

TEST(Gather, BadIndices) {
  std::vector<float> x(6), y(6);
  for (int64_t bad : {int64_t{-1}, int64_t{3}}) {
    const int64_t index[] = {0, bad};
    EXPECT_THROW(gather_rows({}, 2, 3, 2, x.data(), index, y.data()), Error);
    EXPECT_THROW(scatter_add_rows({}, 2, 3, 2, x.data(), index, y.data()), Error);
  }
  gather_rows({}, 0, 3, 2, x.data(), static_cast<const int64_t*>(nullptr), static_cast<float*>(nullptr));
}

TEST(Scatter, SameBitsForAnyThreadCount) {
  const int64_t rows = 10, cols = 3000, count = 300;
  const auto g = noise<float>(count * cols, 2);
  std::vector<int64_t> index(count);
  for (int64_t i = 0; i < count; ++i) index[i] = (i * 7) % rows;
  std::vector<float> first;
  for (int threads_now : {1, 2, 4}) {
    set_threads(threads_now);
    std::vector<float> y(rows * cols, 0.0f);
    scatter_add_rows({}, count, rows, cols, g.data(), index.data(), y.data());
    if (first.empty()) first = y;
    EXPECT_EQ(std::memcmp(first.data(), y.data(), y.size() * 4), 0);
  }
  set_threads(2);
}

TEST(Pool, AverageUpsampleAndAdjoint) {
  for (int64_t k : {1, 2, 3, 7}) {
    const int64_t planes = 5, height = 2 * k, width = 3 * k;
    const auto x = noise<double>(planes * height * width, 1), g = noise<double>(planes * 6, 2);
    Guarded<double> y(planes * 6), up(planes * height * width);
    avg_pool2d({}, planes, height, width, k, x.data(), y.data());
    upsample_nearest2d({}, planes, int64_t{2}, int64_t{3}, k, g.data(), up.data(),
                       static_cast<double>(k * k));
    ASSERT_TRUE(y.guards_intact() && up.guards_intact());
    for (int64_t p = 0; p < planes; ++p) {
      for (int64_t i = 0; i < height; ++i) {
        for (int64_t j = 0; j < width; ++j) {
          ASSERT_NEAR(up.data()[(p * height + i) * width + j],
                      g[(p * 2 + i / k) * 3 + j / k] / static_cast<double>(k * k), 1e-15);
        }
      }
      for (int64_t i = 0; i < 6; ++i) {
        double sum = 0;
        for (int64_t a = 0; a < k; ++a) {
          for (int64_t b = 0; b < k; ++b) sum += x[(p * height + i / 3 * k + a) * width + i % 3 * k + b];
        }
        ASSERT_NEAR(y.data()[p * 6 + i], sum / static_cast<double>(k * k), 1e-14);
      }
    }
    EXPECT_NEAR(inner(y.copy(), g), inner(x, up.copy()), 1e-12);
  }
  std::vector<float> x(12), y(12);
  EXPECT_THROW(avg_pool2d({}, int64_t{1}, int64_t{3}, int64_t{4}, int64_t{2}, x.data(), y.data()), Error);
  EXPECT_THROW(upsample_nearest2d({}, int64_t{1}, int64_t{3}, int64_t{4}, int64_t{0}, x.data(), y.data()),
               Error);
}

TEST(Pool, ManyPlanes) {  // more than one range of the threads
  const int64_t planes = 600, side = 14;
  const auto x = noise<float>(planes * side * side, 1);
  Guarded<float> y(planes * 49), back(planes * side * side);
  sum_pool2d({}, planes, side, side, int64_t{2}, x.data(), y.data(), 1.0);
  upsample_nearest2d({}, planes, int64_t{7}, int64_t{7}, int64_t{2}, y.data(), back.data());
  ASSERT_TRUE(y.guards_intact() && back.guards_intact());
  for (int64_t i = 0; i < planes * side * side; ++i) {
    const int64_t p = i / 196, r = i % 196 / 14, c = i % 14;
    const float* patch = &x[p * 196 + r / 2 * 28 + c / 2 * 2];
    ASSERT_NEAR(back.data()[i], double(patch[0]) + patch[1] + patch[14] + patch[15], 1e-6) << i;
  }
}

TEST(OneHot, RowsOfZerosOutside) {
  const int64_t label[] = {2, 0, -1, 3};
  Guarded<float> y(12);
  one_hot({}, 4, 3, label, y.data());
  EXPECT_TRUE(y.guards_intact());
  EXPECT_EQ(y.copy(), (std::vector<float>{0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace duel::kernels
