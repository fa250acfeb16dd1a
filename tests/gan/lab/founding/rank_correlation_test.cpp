// Rank correlations by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/gan/lab/founding/rank_correlation.h"
#include "duel/kernels/base/error.h"

namespace duel::gan::lab {
namespace {

TEST(RankCorrelation, IsThatOfTheRanks) {
  EXPECT_NEAR(rank_correlation({1, 2, 3, 40}, {-5, 0, 1, 900}).value, 1, 1e-14);
  EXPECT_NEAR(rank_correlation({1, 2, 3, 40}, {9, 8, 7, 6.5}).value, -1, 1e-14);
  // Ranks 1 2 3 4 5 and 2 1 4 3 5: 1 - 6 * 4 / (5 * 24).
  EXPECT_NEAR(rank_correlation({10, 20, 30, 40, 50}, {0.2, 0.1, 0.4, 0.3, 0.5}).value, 0.8, 1e-14);
  // Ranks 1 2.5 2.5 4 and 1 2 3 4: 4.5 / sqrt(4.5 * 5).
  EXPECT_NEAR(rank_correlation({1, 2, 2, 3}, {1, 2, 3, 4}).value, std::sqrt(0.9), 1e-14);
  EXPECT_TRUE(std::isnan(rank_correlation({1, 1, 1, 1}, {1, 2, 3, 4}).value));
}

TEST(RankCorrelation, IntervalIsFishersWithBonettAndWrightsVariance) {
  const Estimate e = rank_correlation({10, 20, 30, 40, 50}, {0.2, 0.1, 0.4, 0.3, 0.5});
  const double error = std::sqrt((1 + 0.32) / 2);
  EXPECT_NEAR(e.error, error, 1e-12);
  EXPECT_NEAR(e.interval.low, std::tanh(std::atanh(0.8) - 1.959963984540054 * error), 1e-12);
  EXPECT_NEAR(e.interval.high, std::tanh(std::atanh(0.8) + 1.959963984540054 * error), 1e-12);
  EXPECT_THROW(rank_correlation({1, 2, 3}, {1, 2, 3}), Error);
  EXPECT_THROW(rank_correlation({1, 2, 3, 4}, {1, 2, 3, 4, 5}), Error);
  EXPECT_THROW(rank_correlation({1, 2, 3, NAN}, {1, 2, 3, 4}), Error);
}

}  // namespace
}  // namespace duel::gan::lab
