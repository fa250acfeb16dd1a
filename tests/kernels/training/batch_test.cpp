// Batch gather and penalty points against naive loops. Fails on a wrong row, scale or shift, one
// eps per batch instead of per sample, a sample instead of population deviation, unchecked indices.
#include "duel/kernels/training/batch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

template <class T>
class Batch : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Batch, Types);

std::vector<uint8_t> pixels(int64_t n) {
  std::vector<uint8_t> values(n);
  for (int64_t i = 0; i < n; ++i) values[i] = static_cast<uint8_t>(i * 37 + i / 11);
  return values;
}

TYPED_TEST(Batch, GatherTakesTheRightRowsScaled) {
  using T = TypeParam;
  for (int64_t m : {1, 7, 64, 784, 1001}) {
    for (int64_t batch : {0, 1, 3, 65}) {
      const int64_t rows = 9;
      const std::vector<uint8_t> source = pixels(rows * m);
      std::vector<int64_t> index(batch);
      for (int64_t b = 0; b < batch; ++b) index[b] = (b * 5 + 8) % rows;
      Guarded<T> out(batch * m);
      gather_normalize({}, batch, m, rows, source.data(), index.data(), T(2) / 255, T(-1), out.data());
      EXPECT_TRUE(out.guards_intact());
      for (int64_t b = 0; b < batch; ++b) {
        for (int64_t j = 0; j < m; ++j) {
          ASSERT_NEAR(out.data()[b * m + j], source[index[b] * m + j] * 2.0 / 255 - 1,
                      4 * std::numeric_limits<T>::epsilon());
        }
      }
    }
  }
}

TYPED_TEST(Batch, RowsDrawnAreThoseOfTheOrderInFrontOfOthers) {
  using T = TypeParam;
  const uint64_t offset = 7;
  const PhiloxState order{.seed = 5, .stream = 0, .offset = &offset, .addend = 4};
  for (int64_t m : {1, 784}) {
    for (int64_t batch : {0, 1, 65}) {
      for (int64_t more : {0, 1, 300}) {
        const int64_t rows = 23;  // an order ends within the batch
        const std::vector<uint8_t> source = pixels(rows * m);
        const std::vector<T> behind = noise<T>(more, 3);
        std::vector<int64_t> want(batch);
        shuffled_items({}, order, batch, rows, want.data());
        std::vector<T> expected(batch * m);
        gather_normalize({}, batch, m, rows, source.data(), want.data(), T(2) / 255, T(-1), expected.data());
        expected.insert(expected.end(), behind.begin(), behind.end());
        Guarded<T> out(batch * m + more);
        Guarded<int64_t> index(batch);
        draw_rows({}, order, batch, m, rows, source.data(), T(2) / 255, T(-1), behind.data(), more,
                  index.data(), out.data());
        EXPECT_TRUE(out.guards_intact() && index.guards_intact());
        EXPECT_EQ(out.copy(), expected);
        EXPECT_EQ(index.copy(), want);
      }
    }
  }
  T y = 0;
  EXPECT_THROW(draw_rows<T>({}, order, 1, 1, 0, nullptr, T(1), T(0), nullptr, 0, nullptr, &y), Error);
}

TYPED_TEST(Batch, GatherNamesABadIndex) {
  using T = TypeParam;
  const std::vector<uint8_t> source = pixels(30);
  Guarded<T> out(20);
  for (int64_t bad : {int64_t{-1}, int64_t{3}}) {
    const int64_t index[2] = {0, bad};
    try {
      gather_normalize({}, 2, 10, 3, source.data(), index, T(1), T(0), out.data());
      ADD_FAILURE() << "no error for row " << bad;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("index[1]"), std::string::npos) << error.what();
    }
    int64_t label[2];
    EXPECT_THROW(gather_labels({}, 2, 3, source.data(), index, label), Error);
  }
}

TEST(BatchLabels, BothTypes) {
  const uint8_t small[4] = {7, 255, 0, 3};
  const int64_t large[4] = {int64_t{1} << 40, -5, 0, 9};
  const int64_t index[5] = {3, 0, 1, 1, 2};
  Guarded<int64_t> a(5), b(5);
  gather_labels({}, 5, 4, small, index, a.data());
  gather_labels({}, 5, 4, large, index, b.data());
  EXPECT_EQ(a.copy(), (std::vector<int64_t>{3, 7, 255, 255, 0}));
  EXPECT_EQ(b.copy(), (std::vector<int64_t>{9, int64_t{1} << 40, -5, -5, 0}));
  EXPECT_TRUE(a.guards_intact() && b.guards_intact());
}

TYPED_TEST(Batch, LinesUseOneEpsPerSample) {
  using T = TypeParam;
  for (int64_t m : {1, 13, 784}) {
    const int64_t batch = 37;
    const std::vector<T> real = noise<T>(batch * m, 1), fake = noise<T>(batch * m, 2);
    std::vector<T> eps = noise<T>(batch, 3);
    eps[0] = 1;
    eps[1] = 0;
    Guarded<T> out(batch * m);
    interpolate_line({}, batch, m, real.data(), fake.data(), eps.data(), out.data());
    EXPECT_TRUE(out.guards_intact());
    for (int64_t i = 0; i < batch * m; ++i) {
      const double e = eps[i / m];
      ASSERT_NEAR(out.data()[i], e * real[i] + (1 - e) * fake[i], 4 * std::numeric_limits<T>::epsilon());
    }
    for (int64_t j = 0; j < m; ++j) {
      EXPECT_EQ(out.data()[j], real[j]);
      EXPECT_EQ(out.data()[m + j], fake[m + j]);
    }
    // Drawn on the way: the eps that uniform() gives.
    uint64_t offset = 1000003;
    const PhiloxState state{7, 3, &offset, 5};
    uniform<T>({}, state, batch, 0, 1, eps.data());
    Guarded<T> drawn(batch * m);
    interpolate_line({}, batch, m, real.data(), fake.data(), eps.data(), out.data());
    interpolate_line({}, batch, m, real.data(), fake.data(), state, drawn.data());
    EXPECT_EQ(drawn.copy(), out.copy());
    EXPECT_TRUE(drawn.guards_intact());
    Guarded<T> all(3 * batch * m);
    join_with_line({}, batch, m, real.data(), fake.data(), state, all.data());
    std::vector<T> expected = real;
    expected.insert(expected.end(), fake.begin(), fake.end());
    for (int64_t i = 0; i < batch * m; ++i) expected.push_back(out.data()[i]);
    EXPECT_EQ(all.copy(), expected);
    EXPECT_TRUE(all.guards_intact());
  }
}

TYPED_TEST(Batch, DraganPoints) {
  using T = TypeParam;
  for (int64_t m : {1, 13, 784}) {
    for (int64_t batch : {1, 2, 64}) {
      std::vector<T> x = noise<T>(batch * m, 1);
      for (T& v : x) v = v * T(0.5) + T(3);  // a mean far from 0: E x^2 - mean^2 would be inexact
      const std::vector<T> alpha = noise<T>(batch, 2), u = noise<T>(batch * m, 3);
      double mean = 0, square = 0;
      for (T v : x) mean += v;
      mean /= static_cast<double>(x.size());
      for (T v : x) square += (v - mean) * (v - mean);
      const double deviation = std::sqrt(square / static_cast<double>(x.size()));
      Guarded<T> out(batch * m);
      Workspace space(dragan_workspace(batch, m) * sizeof(T));
      auto* scratch = static_cast<T*>(space.data());
      dragan_perturb({}, batch, m, x.data(), alpha.data(), u.data(), out.data(), scratch);
      EXPECT_TRUE(out.guards_intact());
      EXPECT_NEAR(scratch[0], deviation, 32 * std::numeric_limits<T>::epsilon());
      for (int64_t i = 0; i < batch * m; ++i) {
        ASSERT_NEAR(out.data()[i], x[i] + alpha[i / m] * 0.5 * deviation * u[i],
                    32 * std::numeric_limits<T>::epsilon());
      }
    }
  }
  dragan_perturb<T>({}, 0, 5, nullptr, nullptr, nullptr, nullptr, nullptr);
}

TYPED_TEST(Batch, DraganSameBitsForAnyThreadCount) {
  using T = TypeParam;
  const int64_t batch = 64, m = 1999;
  const std::vector<T> x = noise<T>(batch * m, 1), alpha = noise<T>(batch, 2), u = noise<T>(batch * m, 3);
  std::vector<std::vector<T>> results;
  for (int count : {1, 2, 4}) {
    set_threads(count);
    Guarded<T> out(batch * m);
    Workspace space(dragan_workspace(batch, m) * sizeof(T));
    dragan_perturb({}, batch, m, x.data(), alpha.data(), u.data(), out.data(), static_cast<T*>(space.data()));
    results.push_back(out.copy());
  }
  set_threads(2);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace duel::kernels
