// The truncation trick: inside the bound, of the right law, and nothing else is moved.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/ops.h"
#include "duel/gan/train/sampling.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

std::vector<float> noise_of(const LatentPlan& plan, Truncation psi, uint64_t seed = 5) {
  LatentGenerators random = sampling_generators(seed);
  return sample_grid(plan, 400, random, psi).input.to_vector<float>();
}

TEST(Truncation, KeepsWhatIsInsideAndDrawsTheRestAgain) {
  const LatentPlan plan{.noise = 50};
  const std::vector<float> all = noise_of(plan, {});
  for (const double psi : {3.0, 1.0, 0.5}) {
    const std::vector<float> cut = noise_of(plan, psi);
    ASSERT_EQ(cut.size(), all.size());
    size_t moved = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_LE(std::abs(cut[i]), psi);
      if (std::abs(all[i]) <= psi) {
        EXPECT_EQ(cut[i], all[i]);
      } else {
        ++moved;
      }
    }
    EXPECT_GT(moved, 0u) << psi;
    EXPECT_EQ(noise_of(plan, psi), cut) << "a function of the seed";
  }
  EXPECT_EQ(noise_of(plan, 100.0), all);
}

// Variance of a standard normal truncated to [-a, a]: 1 - 2 a phi(a) / (2 Phi(a) - 1).
TEST(Truncation, IsTheTruncatedNormal) {
  const LatentPlan plan{.noise = 500};
  for (const double a : {2.0, 1.0, 0.7, 0.001}) {
    const std::vector<float> values = noise_of(plan, a);
    double sum = 0, squares = 0;
    for (const float v : values) {
      sum += v;
      squares += double{v} * v;
    }
    const auto n = static_cast<double>(values.size());
    const double inside = std::erf(a / std::sqrt(2.0)),
                 density = std::exp(-a * a / 2) / std::sqrt(2 * 3.141592653589793);
    const double variance = 1 - 2 * a * density / inside;
    EXPECT_NEAR(sum / n / std::sqrt(variance), 0.0, 5 / std::sqrt(n)) << a;
    EXPECT_NEAR(squares / n / variance, 1.0, 5 * std::sqrt(2 / n)) << a;
  }
}

TEST(Truncation, LabelsAndCodesStay) {
  const LatentPlan plan{.noise = 20, .classes = 3, .categorical = {4}, .continuous = 2};
  for (const Truncation psi : {Truncation(), Truncation(0.5)}) {
    LatentGenerators random = sampling_generators(9), same = sampling_generators(9);
    const Tensor cut = class_grid(plan, 16, 1, random, psi).input,
                 whole = class_grid(plan, 16, 1, same).input;
    EXPECT_EQ(slice(cut, 1, 20, plan.width()).to_vector<float>(),
              slice(whole, 1, 20, plan.width()).to_vector<float>());
    const double most = max(abs(slice(cut, 1, 0, 20))).item();
    EXPECT_TRUE(psi ? most <= 0.5 : most > 1) << most;
  }
}

TEST(Truncation, RowsOfOneNoiseStayRowsOfOneNoise) {
  const LatentPlan plan{.noise = 20, .categorical = {5}};
  LatentGenerators random = sampling_generators(9);
  const Tensor grid = sweep_grid(plan, 10, 0, random, 0.3).input;
  EXPECT_EQ(slice(slice(grid, 0, 0, 1), 1, 0, 20).to_vector<float>(),
            slice(slice(grid, 0, 4, 5), 1, 0, 20).to_vector<float>());
  EXPECT_LE(max(abs(slice(grid, 1, 0, 20))).item(), 0.3 + 1e-7);
}

TEST(Truncation, RefusesWhatHasNoTails) {
  LatentGenerators random = sampling_generators(1);
  const LatentPlan uniform{.noise = 4, .kind = NoiseKind::uniform}, normal{.noise = 4};
  EXPECT_TRUE(duel::testing::has(duel::testing::error_of([&] { sample_grid(uniform, 4, random, 0.5); }),
                                 "uniform in [-1, 1)"));
  for (const double psi : {0.0, -1.0, HUGE_VAL, std::nan("")})
    EXPECT_TRUE(duel::testing::has(duel::testing::error_of([&] { walk_grid(normal, 4, {}, random, psi); }),
                                   "positive number"))
        << psi;
}

}  // namespace
}  // namespace duel::gan
