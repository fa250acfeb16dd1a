// The mixtures and the measures of mode collapse: on true samples, on collapsed generators, by hand.
#include "duel/gan/lab/modes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <set>

namespace duel::gan::lab {
namespace {

Tensor at(const std::vector<double>& xy) {
  return Tensor::from(xy, {static_cast<int64_t>(xy.size()) / 2, 2});
}

// The mistake of well-known code: 8 angles from 0 to 2 pi with both ends are 7 modes.
TEST(Mixtures, TheRingHasEightModesOfEqualWeight) {
  const Mixture ring = make_mixture("ring");
  ASSERT_EQ(ring.means.size(), 8U);
  for (size_t i = 0; i < 8; ++i) {
    const double dx = ring.means[i][0] - ring.means[(i + 1) % 8][0],
                 dy = ring.means[i][1] - ring.means[(i + 1) % 8][1];
    EXPECT_NEAR(std::hypot(dx, dy), 2 * std::sin(std::numbers::pi / 8), 1e-12) << i;
    EXPECT_NEAR(std::hypot(ring.means[i][0], ring.means[i][1]), 1, 1e-12) << i;
  }
  EXPECT_EQ(ring.deviation, 0.01);

  // The wrong ring: its repeated end has two shares of eight, and one mode of the true ring is missed.
  Mixture wrong = ring;
  wrong.means.clear();
  for (int i = 0; i < 8; ++i) {
    const double angle = 2 * std::numbers::pi * i / 7;
    wrong.means.push_back({std::cos(angle), std::sin(angle)});
  }
  Generator random(3);
  const ModeScore score = score_modes(ring, wrong.sample(2500, random));
  EXPECT_EQ(score.modes, 1);  // of eight modes only (1, 0) is where it should be
  EXPECT_NEAR(score.high_quality, 0.25, 0.03);
}

TEST(Mixtures, TheGridIsFiveByFive) {
  const Mixture grid = make_mixture("grid");
  EXPECT_EQ((std::set<std::array<double, 2>>(grid.means.begin(), grid.means.end()).size()), 25U);
  for (const auto& mean : grid.means) {
    for (const double v : mean) EXPECT_TRUE(std::abs(v) <= 4 && std::fmod(v, 2) == 0) << v;
  }
  EXPECT_EQ(grid.deviation, 0.05);
  EXPECT_THROW(make_mixture("spiral"), Error);
}

TEST(Mixtures, SamplesHaveTheDeviationAndRepeatWithTheSeed) {
  for (const std::string& name : mixture_names()) {
    const Mixture mixture = make_mixture(name);
    Generator a(7), b(7);
    const Tensor points = mixture.sample(100000, a);
    EXPECT_EQ(points.dtype(), DType::f32);
    EXPECT_EQ(points.to_vector<float>(), mixture.sample(100000, b).to_vector<float>());
    const auto xy = points.to_vector<double>();
    double squares = 0;
    for (size_t i = 0; i < xy.size(); i += 2) {
      double least = 1e9;
      for (const auto& mean : mixture.means) {
        least = std::min(least, std::pow(xy[i] - mean[0], 2) + std::pow(xy[i + 1] - mean[1], 2));
      }
      squares += least;
    }
    // Two axes: the mean square distance is 2 deviation^2, known to 1 part in sqrt(100000).
    EXPECT_NEAR(squares / 100000 / (2 * mixture.deviation * mixture.deviation), 1, 0.02) << name;
  }
}

// What true samples reach is the floor of every table.
TEST(Modes, TrueSamplesReachTheFloors) {
  EXPECT_NEAR(true_high_quality(), 0.9889, 5e-5);
  EXPECT_NEAR(true_reverse_kl(make_mixture("ring"), 2500), 0.0014, 5e-5);
  EXPECT_NEAR(true_reverse_kl(make_mixture("grid"), 2500), 0.0049, 6e-5);
  for (const std::string& name : mixture_names()) {
    const Mixture mixture = make_mixture(name);
    Generator random(11);
    std::vector<double> quality, divergence;
    for (int trial = 0; trial < 200; ++trial) {
      const ModeScore score = score_modes(mixture, mixture.sample(2500, random));
      EXPECT_EQ(score.modes, static_cast<int64_t>(mixture.means.size()));
      quality.push_back(score.high_quality);
      divergence.push_back(score.reverse_kl);
    }
    // 500,000 points: the share is known to 0.00015.
    EXPECT_NEAR(spread_of(quality).mean, true_high_quality(), 0.0007) << name;
    const Spread kl = spread_of(divergence);
    EXPECT_NEAR(kl.mean, true_reverse_kl(mixture, 2500), 4 * kl.error) << name;
    EXPECT_LT(kl.error, 0.05 * kl.mean) << name;
  }
}

TEST(Modes, ACollapsedGeneratorIsSeenThrough) {
  const Mixture ring = make_mixture("ring");
  std::vector<double> same;
  for (int i = 0; i < 2500; ++i) same.insert(same.end(), {1.0, 0.0});
  const ModeScore one = score_modes(ring, at(same));
  EXPECT_EQ(one.modes, 1);
  EXPECT_EQ(one.high_quality, 1.0);  // above what true samples reach: collapse, not quality
  EXPECT_NEAR(one.reverse_kl, std::log(8.0), 1e-12);

  // Two modes of 25, 3 to 1: ln 25 - entropy.
  const Mixture grid = make_mixture("grid");
  std::vector<double> two;
  for (int i = 0; i < 400; ++i) two.insert(two.end(), {i % 4 == 0 ? 2.0 : -4.0, 4.0});
  const ModeScore pair = score_modes(grid, at(two));
  EXPECT_EQ(pair.modes, 2);
  EXPECT_NEAR(pair.reverse_kl, std::log(25.0) + 0.25 * std::log(0.25) + 0.75 * std::log(0.75), 1e-12);
}

TEST(Modes, ByHand) {
  const Mixture ring = make_mixture("ring");
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  // 2.9 deviations off is good, 3.1 is not; what is not finite is not good; the middle is far from
  // everything.
  const ModeScore score =
      score_modes(ring, at({1.029, 0, 1.031, 0, 0, 1, 0, 0.9711, nan, 0, inf, inf, 0, 0, 1e30, -1e30}));
  EXPECT_EQ(score.modes, 2);
  EXPECT_EQ(score.high_quality, 3.0 / 8);
  EXPECT_EQ(score.good, (std::vector<int64_t>{1, 0, 2, 0, 0, 0, 0, 0}));
  EXPECT_NEAR(score.reverse_kl, std::log(8.0) + (1.0 / 3) * std::log(1.0 / 3) + (2.0 / 3) * std::log(2.0 / 3),
              1e-12);

  const ModeScore nothing = score_modes(ring, at({0, 0}));
  EXPECT_EQ(nothing.modes, 0);
  EXPECT_EQ(nothing.high_quality, 0);
  EXPECT_EQ(nothing.reverse_kl, std::log(8.0));

  std::vector<double> each;
  for (const auto& mean : ring.means) each.insert(each.end(), mean.begin(), mean.end());
  EXPECT_EQ(score_modes(ring, at(each)).reverse_kl, 0.0);
  EXPECT_THROW(score_modes(ring, Tensor::ones({4, 3})), Error);
  EXPECT_THROW(score_modes(ring, Tensor::ones({0, 2})), Error);
}

TEST(Spread, IsMeanAndStandardError) {
  const Spread s = spread_of({1, 2, 3, 6});
  EXPECT_DOUBLE_EQ(s.mean, 3);
  EXPECT_DOUBLE_EQ(s.error, std::sqrt(14.0 / 3 / 4));
  EXPECT_EQ(spread_of({5}).error, 0);
  EXPECT_THROW(spread_of({}), Error);
}

}  // namespace
}  // namespace duel::gan::lab
