// Quotients by multiplication against the division of the language.
#include "duel/kernels/base/divisor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

namespace duel::kernels {
namespace {

/// 0, powers of two and both neighbours, the largest number.
std::vector<int64_t> edges() {
  std::vector<int64_t> numbers = {0, INT64_MAX - 1, INT64_MAX};
  for (int bit = 0; bit < 63; ++bit) {
    const int64_t power = int64_t{1} << bit;
    numbers.insert(numbers.end(), {power - 1, power, power + 1});
  }
  return numbers;
}

void expect_quotient(int64_t i, int64_t by) {
  const Divisor divisor(by);
  ASSERT_EQ(i / divisor, i / by) << i << " by " << by;
  ASSERT_EQ(i % divisor, i % by) << i << " by " << by;
}

// Fails for a factor that is rounded down, for one of 32 bits, and for a shift that is one off.
TEST(Divisor, QuotientsAndRemaindersAreExact) {
  std::mt19937_64 random(1);
  for (int64_t by : edges()) {
    if (by == 0) continue;
    for (const int64_t i : edges()) expect_quotient(i, by);
    // Where the quotient changes.
    for (int k = 0; k < 100; ++k) {
      const int64_t multiple = static_cast<int64_t>(random() >> 1) / by * by;
      expect_quotient(multiple, by);
      if (multiple > 0) expect_quotient(multiple - 1, by);
    }
  }
  for (int k = 0; k < 100'000; ++k) {
    const auto number = [&] { return static_cast<int64_t>(random() >> (1 + random() % 63)); };
    const int64_t i = number();
    expect_quotient(i, std::max<int64_t>(1, number()));
  }
}

TEST(Divisor, DividesByOneUnlessTold) {
  EXPECT_EQ(INT64_MAX / Divisor(), INT64_MAX);
  EXPECT_EQ(INT64_MAX % Divisor(), 0);
}

TEST(Divisor, RefusesWhatDividesNothing) {
  EXPECT_THROW(Divisor(0), Error);
  EXPECT_THROW(Divisor(-3), Error);
}

}  // namespace
}  // namespace duel::kernels
