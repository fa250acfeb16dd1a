// Random numbers: Random123's known answers, the rule that element i is a function of (seed, stream, offset +
// i / 4) alone, distributions by moments and a Kolmogorov-Smirnov distance at fixed seeds, permutations by
// counting. Fails on a wrong round constant or word order, on a partition that changes the numbers, on a
// wrong pairing in Box-Muller (sine and cosine of one angle are uncorrelated, of two radii are not normal),
// on a walk out of [0, n).
#include "duel/kernels/map/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "duel/kernels/base/error.h"
#include "duel/kernels/base/parallel.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

using Words = std::vector<uint32_t>;

Words words(const PhiloxBlock& block) { return {block.word, block.word + 4}; }

// kat_vectors of Random123, philox4x32 with 10 rounds.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(words(philox({{0, 0, 0, 0}}, 0, 0)), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t f = 0xffffffff;
  EXPECT_EQ(words(philox({{f, f, f, f}}, f, f)), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(words(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0)),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, SeedStreamAndIndexAllCount) {
  const Words base = words(philox_at(1, 2, 3));
  EXPECT_EQ(base, words(philox({{3, 0, 2, 0}}, 1, 0)));
  for (uint64_t high : {uint64_t{1} << 32, uint64_t{1} << 63}) {
    EXPECT_NE(words(philox_at(1 + high, 2, 3)), base);
    EXPECT_NE(words(philox_at(1, 2 + high, 3)), base);
    EXPECT_NE(words(philox_at(1, 2, 3 + high)), base);
  }
}

template <class T>
std::vector<T> draw_uniform(const PhiloxState& state, int64_t n, double low = 0, double high = 1) {
  Guarded<T> out(n);
  uniform({}, state, n, low, high, out.data());
  EXPECT_TRUE(out.guards_intact());
  return out.copy();
}

template <class T>
std::vector<T> draw_normal(const PhiloxState& state, int64_t n, double mean = 0, double deviation = 1) {
  Guarded<T> out(n);
  normal({}, state, n, mean, deviation, out.data());
  EXPECT_TRUE(out.guards_intact());
  return out.copy();
}

TEST(Uniform, IsTheTopBitsOfTheBlocks) {
  uint64_t offset = (uint64_t{1} << 32) - 3;  // the low word of the counter overflows on the way
  const auto x = draw_uniform<float>({7, 9, &offset, 2}, 1027);
  const auto xd = draw_uniform<double>({7, 9, &offset, 2}, 1027);
  for (int64_t i = 0; i < 1027; ++i) {
    const uint32_t word = philox_at(7, 9, offset + 2 + static_cast<uint64_t>(i / 4)).word[i % 4];
    ASSERT_EQ(x[i], static_cast<float>(word >> 8) / 16777216.0f);
    ASSERT_EQ(xd[i], word / 4294967296.0);
  }
}

TEST(Uniform, StaysBelowHigh) {
  const auto x = draw_uniform<float>({3, 0}, 100000, 1.0, 1.0000002);
  for (float v : x) ASSERT_TRUE(v >= 1.0f && v < 1.0000002f) << v;
  const auto same = draw_uniform<float>({3, 0}, 5, 2.0, 2.0);
  for (float v : same) EXPECT_EQ(v, 2.0f);
  float y = 0;
  EXPECT_THROW(uniform({}, {}, 1, 1.0, 0.0, &y), Error);
  EXPECT_THROW(uniform({}, {}, -1, 0.0, 1.0, &y), Error);
  EXPECT_THROW(normal({}, {}, 1, 0.0, -1.0, &y), Error);
}

// Any cut of a sequence at multiples of 4 gives the same numbers, and so does any number of threads.
TEST(Draws, AnyPartitionAnyThreadCount) {
  const int64_t n = 50003;
  std::vector<float> first_uniform, first_normal;
  for (int count : {1, 2, 4}) {
    set_threads(count);
    const auto u = draw_uniform<float>({5, 6}, n), z = draw_normal<float>({5, 6}, n);
    if (count == 1) {
      first_uniform = u;
      first_normal = z;
    }
    EXPECT_EQ(std::memcmp(u.data(), first_uniform.data(), u.size() * 4), 0);
    EXPECT_EQ(std::memcmp(z.data(), first_normal.data(), z.size() * 4), 0);
  }
  set_threads(2);
  for (int64_t begin : {4, 256, 8192 * 4, 50000}) {
    const auto rest = draw_normal<float>({5, 6, nullptr, philox_blocks(begin)}, n - begin);
    for (int64_t i = begin; i < n; ++i) ASSERT_EQ(rest[i - begin], first_normal[i]) << i;
  }
}

TEST(Draws, AdvanceMovesTheOffset) {
  uint64_t offset = 0;
  const auto both = draw_uniform<double>({1, 1, &offset}, 20);
  EXPECT_EQ(philox_blocks(7), 2u);
  philox_advance({}, &offset, philox_blocks(7));
  EXPECT_EQ(offset, 2u);
  const auto later = draw_uniform<double>({1, 1, &offset}, 12);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(later[i], both[8 + i]);
}

/// Largest distance between the sample's distribution function and the exact one, times sqrt(n): above 1.95
/// with probability 1e-3.
double kolmogorov_smirnov(std::vector<double> sample, double (*cdf)(double)) {
  std::sort(sample.begin(), sample.end());
  const double n = static_cast<double>(sample.size());
  double worst = 0;
  for (size_t i = 0; i < sample.size(); ++i) {
    const double p = cdf(sample[i]);
    worst = std::max({worst, p - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - p});
  }
  return worst * std::sqrt(n);
}

template <class T>
std::vector<double> wide(const std::vector<T>& x) {
  return {x.begin(), x.end()};
}

struct Moments {
  double mean, variance, skewness, kurtosis;
};

Moments moments(const std::vector<double>& x) {
  const double n = static_cast<double>(x.size());
  double mean = 0, m2 = 0, m3 = 0, m4 = 0;
  for (double v : x) mean += v / n;
  for (double v : x) {
    const double d = v - mean;
    m2 += d * d / n;
    m3 += d * d * d / n;
    m4 += d * d * d * d / n;
  }
  return {mean, m2, m3 / std::pow(m2, 1.5), m4 / (m2 * m2)};
}

TEST(Uniform, Distribution) {
  for (uint64_t seed : {1, 2, 3}) {
    const auto x = wide(draw_uniform<float>({seed, 4}, 200000));
    EXPECT_LT(kolmogorov_smirnov(x, [](double v) { return v; }), 1.95) << seed;
    const Moments m = moments(x);
    EXPECT_NEAR(m.mean, 0.5, 4 * std::sqrt(1.0 / 12 / 200000));
    EXPECT_NEAR(m.variance, 1.0 / 12, 0.001);
    double pairs = 0;  // neighbours are uncorrelated: four standard errors
    for (size_t i = 1; i < x.size(); ++i) pairs += (x[i] - 0.5) * (x[i - 1] - 0.5) * 12;
    EXPECT_LT(std::abs(pairs) / std::sqrt(200000.0), 4);
  }
}

TEST(Normal, Distribution) {
  for (uint64_t seed : {1, 2, 3}) {
    const int64_t n = 400000;
    const auto z = wide(draw_normal<float>({seed, 8}, n));
    EXPECT_LT(kolmogorov_smirnov(z, [](double v) { return 0.5 * std::erfc(-v * M_SQRT1_2); }), 1.95) << seed;
    const Moments m = moments(z);
    EXPECT_NEAR(m.mean, 0, 4 / std::sqrt(n));
    EXPECT_NEAR(m.variance, 1, 4 * std::sqrt(2.0 / n));
    EXPECT_NEAR(m.skewness, 0, 4 * std::sqrt(6.0 / n));
    EXPECT_NEAR(m.kurtosis, 3, 4 * std::sqrt(24.0 / n));
    double pairs = 0, squares = 0;
    for (int64_t i = 0; i < n; i += 2) {
      pairs += z[i] * z[i + 1];
      squares += (z[i] * z[i] - 1) * (z[i + 1] * z[i + 1] - 1);
    }
    EXPECT_LT(std::abs(pairs) / std::sqrt(n / 2), 4);
    EXPECT_LT(std::abs(squares) / std::sqrt(2.0 * n), 5);  // heavier tails than the others
    const double beyond_three =
        static_cast<double>(std::count_if(z.begin(), z.end(), [](double v) { return std::abs(v) > 3; }));
    EXPECT_NEAR(beyond_three, 0.0026998 * n, 4 * std::sqrt(0.0027 * n));
  }
}

TEST(Normal, FloatAndDoubleAgree) {
  const auto z = draw_normal<float>({11, 2}, 10001, 2.0, 0.5);
  const auto zd = draw_normal<double>({11, 2}, 10001, 2.0, 0.5);
  for (size_t i = 0; i < z.size(); ++i) ASSERT_NEAR(z[i], zd[i], 2e-6) << i;
}

TEST(RandomIntegers, EquallyOften) {
  const int64_t n = 100000, bound = 10;
  std::vector<int64_t> x(n, -1), count(bound, 0);
  random_integers({}, {1, 2}, n, bound, x.data());
  for (int64_t v : x) {
    ASSERT_TRUE(v >= 0 && v < bound);
    ++count[v];
  }
  double chi2 = 0;
  for (int64_t c : count) chi2 += std::pow(static_cast<double>(c) - 1e4, 2) / 1e4;
  EXPECT_LT(chi2, 27.9);  // 9 degrees of freedom, p = 1e-3
  random_integers({}, {1, 2}, 5, 1, x.data());
  EXPECT_EQ(x[0], 0);
  EXPECT_THROW(random_integers({}, {1, 2}, 5, 0, x.data()), Error);
}

TEST(Permutations, OneToOne) {
  for (int64_t n : {1, 2, 3, 4, 5, 10, 63, 64, 65, 1000, 60000}) {
    for (uint64_t epoch : {0, 1, 7}) {
      std::vector<int64_t> order(n, -1);
      permutation({}, 42, 3, epoch, n, 0, n, order.data());
      std::vector<bool> seen(n, false);
      for (int64_t i = 0; i < n; ++i) {
        ASSERT_TRUE(order[i] >= 0 && order[i] < n && !seen[order[i]]) << n << " at " << i;
        seen[order[i]] = true;
        if (i < 100) {
          ASSERT_EQ(order[i], permutation_index(42, 3, epoch, n, i));
        }
      }
    }
  }
}

TEST(Permutations, ChangeWithSeedStreamAndEpoch) {
  const int64_t n = 1000;
  std::vector<int64_t> base(n), other(n);
  permutation({}, 1, 2, 3, n, 0, n, base.data());
  int64_t fixed = 0;
  for (int64_t i = 0; i < n; ++i) fixed += base[i] == i;
  EXPECT_LT(fixed, 10);
  const uint64_t keys[][3] = {{2, 2, 3}, {1, 3, 3}, {1, 2, 4}};
  for (const auto& key : keys) {
    permutation({}, key[0], key[1], key[2], n, 0, n, other.data());
    int64_t equal = 0;
    for (int64_t i = 0; i < n; ++i) equal += base[i] == other[i];
    EXPECT_LT(equal, 10);  // 1 expected
  }
}

// Over many epochs each item is equally often at each place, and all 24 orders of four items occur.
TEST(Permutations, AllOrdersOfFour) {
  std::map<std::vector<int64_t>, int> orders;
  const int epochs = 24000;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    std::vector<int64_t> order(4);
    permutation({}, 5, 0, static_cast<uint64_t>(epoch), 4, 0, 4, order.data());
    ++orders[order];
  }
  double places[4][4] = {};
  for (const auto& [order, times] : orders) {
    for (int i = 0; i < 4; ++i) places[i][order[i]] += times;
  }
  for (auto& row : places) {
    for (double times : row) EXPECT_NEAR(times, epochs / 4, 6 * std::sqrt(epochs * 3.0 / 16));
  }
}

TEST(Permutations, AnyPieceAnyThreadCount) {
  const int64_t n = 60000;
  std::vector<int64_t> whole(n), piece(500);
  set_threads(1);
  permutation({}, 1, 2, 3, n, 0, n, whole.data());
  set_threads(4);
  std::vector<int64_t> again(n);
  permutation({}, 1, 2, 3, n, 0, n, again.data());
  set_threads(2);
  EXPECT_EQ(whole, again);
  permutation({}, 1, 2, 3, n, 31001, 31501, piece.data());
  EXPECT_TRUE(std::equal(piece.begin(), piece.end(), whole.begin() + 31001));
  EXPECT_THROW(permutation({}, 1, 2, 3, n, 59999, 60001, piece.data()), Error);
  permutation({}, 1, 2, 3, 0, 0, 0, static_cast<int64_t*>(nullptr));
}

// A call that spans epochs, wherever it begins, is what the permutations say place by place.
TEST(Permutations, ShuffledItemsGoFromOrderToOrder) {
  for (int64_t count : {1, 3, 10, 1000}) {
    const uint64_t offset = 7;
    for (int64_t n : {0, 1, 9, 2500}) {
      std::vector<int64_t> items(static_cast<size_t>(n) + 1, -1);
      shuffled_items({}, {42, 3, &offset, 4}, n, count, items.data());
      for (int64_t i = 0; i < n; ++i) {
        const int64_t position = 11 + i;
        ASSERT_EQ(items[i],
                  permutation_index(42, 3, static_cast<uint64_t>(position / count), count, position % count))
            << i;
      }
      EXPECT_EQ(items[n], -1);
    }
  }
  int64_t item = 0;
  EXPECT_THROW(shuffled_items({}, {1, 2}, 1, 0, &item), Error);
  EXPECT_THROW(shuffled_items({}, {1, 2}, 1, 5, nullptr), Error);
}

}  // namespace
}  // namespace duel::kernels
