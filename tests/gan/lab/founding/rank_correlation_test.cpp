// Rank correlations, and what runs of several seeds say together, by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/gan/lab/founding/over_seeds.h"
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

TEST(MeanCorrelation, IsStudentsOverRunsOnFishersTransformation) {
  // atanh of these is 0.1, 0.6 and 2: mean 0.9, deviation 0.985; Student's quantile of 2 degrees.
  const Estimate e = mean_correlation({std::tanh(0.1), std::tanh(0.6), std::tanh(2.0)}, 12);
  EXPECT_NEAR(e.value, std::tanh(0.9), 1e-12);
  const double error = std::sqrt((0.64 + 0.09 + 1.21) / 2 / 3);
  EXPECT_NEAR(e.error, error, 1e-12);
  EXPECT_NEAR(e.interval.low, std::tanh(0.9 - 4.302652729749464 * error), 1e-6);
  EXPECT_NEAR(e.interval.high, std::tanh(0.9 + 4.302652729749464 * error), 1e-6);
}

TEST(MeanCorrelation, OneAndEqualRunsAndNone) {
  // Half a swap of neighbours from 1 among 5 ranks: 1 - 6 / 120. Runs that agree are as sure as independent pairs.
  const Estimate same = mean_correlation({1, 1, 1}, 5);
  EXPECT_NEAR(same.value, 0.95, 1e-12);
  const double reach = 1.959963984540054 * std::sqrt(1.5 / 2 / 3);
  EXPECT_NEAR(same.interval.low, std::tanh(std::atanh(0.95) - reach), 1e-12);
  EXPECT_NEAR(same.interval.high, std::tanh(std::atanh(0.95) + reach), 1e-12);
  EXPECT_NEAR(mean_correlation({-1, 1, NAN}, 5).value, 0, 1e-12) << "a run without one does not count";
  const Estimate one = mean_correlation({0.5, NAN}, 5);
  EXPECT_NEAR(one.value, 0.5, 1e-12);
  EXPECT_TRUE(std::isnan(one.interval.low) && std::isnan(one.interval.high));
  EXPECT_TRUE(std::isnan(mean_correlation({NAN}, 5).value));
  EXPECT_THROW(mean_correlation({0.5}, 3), Error);
}

TEST(OverSeeds, RatiosAreGeometric) {
  const Estimate e = ratio_of_runs(ratios({2, 9, 32}, {2, 3, 2}));  // 1, 3, 16
  const double mean = std::log(48.0) / 3;
  const double squares = mean * mean + std::pow(std::log(3.0) - mean, 2) + std::pow(std::log(16.0) - mean, 2);
  const double error = std::sqrt(squares / 2 / 3);
  EXPECT_NEAR(e.value, std::exp(mean), 1e-12);
  EXPECT_NEAR(e.error, error, 1e-12);
  EXPECT_NEAR(e.interval.low, std::exp(mean - 4.302652729749464 * error), 1e-6);
  EXPECT_NEAR(e.interval.high, std::exp(mean + 4.302652729749464 * error), 1e-3);
  EXPECT_EQ(mean_of_runs({7}).value, 7);
  EXPECT_TRUE(std::isnan(mean_of_runs({7}).interval.low) && std::isnan(mean_of_runs({}).value));
  EXPECT_TRUE(std::isnan(ratio_of_runs({2, NAN}).value)) << "a run that broke is not left out";
  EXPECT_THROW(ratios({1}, {1, 2}), Error);
}

}  // namespace
}  // namespace duel::gan::lab
