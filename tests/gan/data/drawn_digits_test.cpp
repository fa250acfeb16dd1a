// Drawn digits: repeatable to the bit, in MNIST's form and statistics, and readable. A drawing that depends
// on threads or on its neighbours, sits elsewhere, has another pen, or is not a digit fails here.
#include "duel/gan/data/drawn_digits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "duel/gan/data/idx.h"
#include "duel/gan/data/resident_data.h"
#include "duel/gan/judge/neighbours.h"
#include "duel/kernels/base/parallel.h"
#include "tests/gan/files.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

constexpr size_t kDigitPixels = 28 * 28;

TEST(DrawnDigits, SameSeedSameBitsAndALongerSetBeginsWithAShorter) {
  const ImageSet a = draw_digits(1003, 7), b = draw_digits(1003, 7), head = draw_digits(37, 7);
  EXPECT_EQ(a.count, 1003);
  EXPECT_EQ(a.height, 28);
  EXPECT_EQ(a.width, 28);
  ASSERT_EQ(a.images.size(), 1003 * kDigitPixels);
  ASSERT_EQ(a.labels.size(), 1003u);
  EXPECT_EQ(a.images, b.images);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_TRUE(std::equal(head.images.begin(), head.images.end(), a.images.begin()));
  EXPECT_TRUE(std::equal(head.labels.begin(), head.labels.end(), a.labels.begin()));
  const ImageSet other = draw_digits(1003, 8);
  EXPECT_NE(a.images, other.images);
  EXPECT_NE(a.labels, other.labels);
}

TEST(DrawnDigits, ThreadsDoNotMatter) {
  const int before = kernels::threads();
  kernels::set_threads(1);
  const ImageSet one = draw_digits(2000, 3);
  for (const int threads : {2, 3, 4}) {
    kernels::set_threads(threads);
    EXPECT_EQ(draw_digits(2000, 3).images, one.images) << threads;
  }
  kernels::set_threads(before);
}

TEST(DrawnDigits, GoldenBits) {
  // FNV-1a over images and labels. It changes only when the drawing is changed on purpose.
  const ImageSet set = draw_digits(100, 1);
  uint64_t hash = 0xcbf29ce484222325u;
  for (const auto* bytes : {&set.images, &set.labels}) {
    for (const uint8_t byte : *bytes) hash = (hash ^ byte) * 0x100000001b3u;
  }
  EXPECT_EQ(hash, 0x63f7ebb41deaec23ull);
}

TEST(DrawnDigits, EveryTenHoldEachDigitOnceInRandomOrder) {
  const ImageSet set = draw_digits(5000, 5);
  std::set<std::string> orders;
  for (size_t block = 0; block < 500; ++block) {
    std::string labels(set.labels.begin() + static_cast<std::ptrdiff_t>(block * 10),
                       set.labels.begin() + static_cast<std::ptrdiff_t>(block * 10 + 10));
    orders.insert(labels);
    std::ranges::sort(labels);
    ASSERT_EQ(labels, std::string("\0\1\2\3\4\5\6\7\x8\x9", 10)) << block;
  }
  EXPECT_GE(orders.size(), 498u);  // of 10! orders
}

TEST(DrawnDigits, StatisticsOfMnist) {
  // MNIST's training set: mean 0.1307, standard deviation 0.3081, 19.1 % of pixels inked.
  const ImageSet set = draw_digits(10000, 11);
  double sum = 0, squares = 0, inked = 0;
  for (const uint8_t p : set.images) {
    sum += p / 255.0;
    squares += p / 255.0 * (p / 255.0);
    inked += p > 0;
  }
  const double n = static_cast<double>(set.images.size()), mean = sum / n;
  EXPECT_NEAR(mean, 0.1307, 0.004);
  EXPECT_NEAR(std::sqrt(squares / n - mean * mean), 0.3081, 0.005);
  EXPECT_NEAR(inked / n, 0.191, 0.006);
}

TEST(DrawnDigits, TwentyPixelsLongAndCentredByMass) {
  const ImageSet set = draw_digits(5000, 13);
  int exact = 0, centred = 0;
  double mean_x = 0, mean_y = 0;
  for (size_t i = 0; i < 5000; ++i) {
    const uint8_t* image = set.images.data() + i * kDigitPixels;
    double mass = 0, x_moment = 0, y_moment = 0;
    int left = 28, right = -1, top = 28, bottom = -1, darkest = 0;
    for (int y = 0; y < 28; ++y) {
      for (int x = 0; x < 28; ++x) {
        const int v = image[y * 28 + x];
        if (v == 0) continue;
        mass += v, x_moment += v * x, y_moment += v * y;
        left = std::min(left, x), right = std::max(right, x), top = std::min(top, y),
        bottom = std::max(bottom, y);
        darkest = std::max(darkest, v);
      }
    }
    ASSERT_GT(mass, 0) << i;
    EXPECT_GE(darkest, 128) << i;
    const int longer = std::max(right - left, bottom - top) + 1;
    EXPECT_LE(longer, 20) << i;
    exact += longer == 20;
    const double x = x_moment / mass, y = y_moment / mass;
    centred += std::abs(x - 14) <= 0.501 && std::abs(y - 14) <= 0.501;
    mean_x += x / 5000, mean_y += y / 5000;
  }
  EXPECT_GE(exact, 4850);
  EXPECT_GE(centred, 4990);  // the rest would lose ink at the border
  EXPECT_NEAR(mean_x, 14, 0.03);
  EXPECT_NEAR(mean_y, 14, 0.03);
}

TEST(DrawnDigits, NoTwoAreAlike) {
  const ImageSet set = draw_digits(3000, 17);
  std::set<std::string> seen;
  for (size_t i = 0; i < 3000; ++i) {
    seen.emplace(set.images.begin() + static_cast<std::ptrdiff_t>(i * kDigitPixels),
                 set.images.begin() + static_cast<std::ptrdiff_t>((i + 1) * kDigitPixels));
  }
  EXPECT_EQ(seen.size(), 3000u);
}

// Share of `query` whose nearest neighbour in `known` (squared distance) has the right label.
double nearest_neighbour_accuracy(const ImageSet& known, const ImageSet& query, int64_t queries) {
  const ResidentData all(known), asked(query);
  const auto pixels = [](const ResidentData& data, int64_t count) {
    return data.batch(data.first(count), DType::f32);
  };
  const auto found = nearest(pixels(asked, queries), pixels(all, known.count)).index.to_vector<int64_t>();
  double right = 0;
  for (size_t q = 0; q < found.size(); ++q)
    right += known.labels[static_cast<size_t>(found[q])] == query.labels[q] ? 1 : 0;
  return right / static_cast<double>(queries);
}

TEST(DrawnDigits, TheirNearestNeighboursReadMnist) {
  // Without a network: a weak reader, but labels or shapes gone wrong are seen at once.
  const auto dir = real_mnist();
  if (dir.empty()) GTEST_SKIP() << "no MNIST in $DUEL_TEST_MNIST or ../shared/data/mnist";
  const double accuracy =
      nearest_neighbour_accuracy(draw_digits(10000, 19), load_mnist(dir, Split::test), 2000);
  RecordProperty("accuracy", std::to_string(accuracy));
  EXPECT_GE(accuracy, 0.87);  // 0.8885 when written
}

TEST(DrawnDigits, ImpossibleCounts) {
  EXPECT_TRUE(has(error_of([] { draw_digits(0, 1); }), "[draw_digits] expected 1 to"));
  EXPECT_TRUE(has(error_of([] { draw_digits(-5, 1); }), "got -5"));
  EXPECT_TRUE(has(error_of([] { draw_digits(int64_t{1} << 40, 1); }), "[draw_digits]"));
}

}  // namespace
}  // namespace duel::gan
