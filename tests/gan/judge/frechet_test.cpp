// The Frechet distance: closed forms, singular covariances, NumPy's value by another formula, and intervals that
// cover. A trace without the root, a covariance over N, matrices that are multiplied in the wrong order, or
// roots of rounded eigenvalues fail.
#include "duel/gan/judge/frechet.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "duel/core/ops.h"
#include "duel/gan/judge/internal/symmetric.h"
#include "tests/gan/judge/samples.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;
using detail::Matrix;

Matrix random_symmetric(int64_t n, uint64_t seed) {
  Matrix a(n, n);
  a.values = gaussian(n, n, seed).to_vector<double>();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) a[i][j] = a[j][i];
  }
  return a;
}

Moments moments(std::vector<double> mean, std::vector<double> covariance) {
  const auto d = static_cast<int64_t>(mean.size());
  return {Tensor::from(mean, {d}), Tensor::from(covariance, {d, d})};
}

TEST(SymmetricEigen, GivesTheMatrixBack) {
  for (const int64_t n : {1, 2, 3, 17, 128}) {
    const Matrix a = random_symmetric(n, 3);
    const detail::Eigen e = symmetric_eigen(a);
    Matrix scaled = e.vectors;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) scaled[i][j] *= e.values[static_cast<size_t>(i)];
    }
    const Matrix back = product(true, false, e.vectors, scaled),
                 one = product(false, true, e.vectors, e.vectors);
    EXPECT_TRUE(std::is_sorted(e.values.begin(), e.values.end()));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        ASSERT_NEAR(back[i][j], a[i][j], 1e-12) << n;
        ASSERT_NEAR(one[i][j], i == j, 1e-13) << n;
      }
    }
  }
}

TEST(SymmetricEigen, KnowsClosedFormsAndFallsApart) {
  // 2 on the diagonal and -1 beside it: 2 - 2 cos(k pi / (n + 1)).
  Matrix a(9, 9);
  for (int64_t i = 0; i < 9; ++i) {
    a[i][i] = 2;
    if (i > 0) a[i][i - 1] = a[i - 1][i] = -1;
  }
  const detail::Eigen e = symmetric_eigen(a);
  for (size_t k = 0; k < 9; ++k)
    EXPECT_NEAR(e.values[k], 2 - 2 * std::cos(static_cast<double>(k + 1) * std::acos(-1.0) / 10), 1e-14);
  Matrix blocks(5, 5);  // diagonal blocks, zeros, equal values
  blocks[0][0] = blocks[1][1] = 3;
  blocks[0][1] = blocks[1][0] = 1;
  blocks[3][3] = 2;
  EXPECT_EQ(symmetric_eigen(blocks).values.size(), 5u);
  const std::vector<double> expected = {0, 0, 2, 2, 4};
  for (size_t k = 0; k < 5; ++k) EXPECT_NEAR(symmetric_eigen(blocks).values[k], expected[k], 1e-15);
}

TEST(NuclearNorm, IsTheSumOfAbsoluteEigenvaluesOfASymmetricMatrix) {
  for (const int64_t n : {1, 2, 3, 17, 128}) {
    const Matrix a = random_symmetric(n, 4);
    double sum = 0;
    for (const double value : symmetric_eigen(a).values) sum += std::abs(value);
    EXPECT_NEAR(detail::nuclear_norm(a), sum, 1e-12 * sum) << n;
  }
  Matrix shift(3, 3);  // singular values 5, 2, 0: not symmetric
  shift[0][1] = 5, shift[1][2] = -2;
  EXPECT_NEAR(detail::nuclear_norm(shift), 7, 1e-14);
  EXPECT_EQ(detail::nuclear_norm(Matrix(4, 4)), 0.0);
}

TEST(FrechetDistance, OfGaussiansInClosedForm) {
  // One dimension: (mu1 - mu2)^2 + (sigma1 - sigma2)^2.
  EXPECT_NEAR(frechet_distance(moments({1}, {4}), moments({-2}, {9})), 9 + 1, 1e-14);
  // Diagonal, and commuting: the same matrix turned by 30 degrees.
  EXPECT_NEAR(frechet_distance(moments({0, 1}, {4, 0, 0, 1}), moments({0, 0}, {1, 0, 0, 25})), 1 + 1 + 16,
              1e-13);
  const double c = std::cos(0.5), s = std::sin(0.5);
  const auto turned = [&](double a, double b) {
    return std::vector<double>{a * c * c + b * s * s, (a - b) * c * s, (a - b) * c * s,
                               a * s * s + b * c * c};
  };
  EXPECT_NEAR(frechet_distance(moments({0, 0}, turned(4, 1)), moments({0, 0}, turned(1, 25))), 17, 1e-13);
  // Not commuting, by hand: of a 2 x 2 matrix tr M^1/2 = sqrt(tr M + 2 sqrt(det M)), M = C1 C2.
  EXPECT_NEAR(frechet_distance(moments({0, 0}, {2, 0, 0, 1}), moments({0, 0}, {1, 0.5, 0.5, 1})),
              5 - 2 * std::sqrt(3 + 2 * std::sqrt(1.5)), 1e-14);
}

TEST(FrechetDistance, OfSingularCovariances) {
  // A line against a plane it does not lie in; and a point, whose distance is the other's trace.
  EXPECT_NEAR(frechet_distance(moments({0, 0}, {1, 1, 1, 1}), moments({0, 0}, {4, 0, 0, 0})),
              2 + 4 - 2 * std::sqrt(4.0), 1e-14);
  EXPECT_NEAR(frechet_distance(moments({0, 3}, {0, 0, 0, 0}), moments({0, 0}, {2, 1, 1, 2})), 9 + 4, 1e-14);
  // Nearly singular: 1e-12 of the largest, whose root is 1e-6 of it and counts.
  EXPECT_NEAR(frechet_distance(moments({0, 0}, {1, 0, 0, 1e-12}), moments({0, 0}, {1, 0, 0, 9e-12})), 4e-12,
              1e-15);
  EXPECT_NEAR(frechet_distance(moments({0, 0}, {1, 0, 0, -1e-17}), moments({0, 0}, {1, 0, 0, 0})), 0, 1e-15);
}

TEST(FrechetDistance, OfASetAgainstItselfIsNothing) {
  for (const auto& [n, d] : {std::pair<int64_t, int64_t>{20, 64}, {200, 64}, {3, 128}}) {
    const Tensor x = gaussian(n, d, 1, 5, 3);
    EXPECT_LE(frechet_distance(x, x), 1e-11) << n;  // of traces of 9 d
    EXPECT_NEAR(frechet_distance(x, x + 2), 4.0 * static_cast<double>(d), 1e-9);
  }
}

// Most eigenvalues are 0 then, and rounding of the greatest lies beside them. Of 2 a: |mean|^2 + trace of the covariance.
TEST(FrechetDistance, OfFewerSamplesThanFeatures) {
  for (const uint64_t seed : {3U, 5U, 11U}) {
    const Tensor a = relu(Generator(seed).normal({60, 192}));
    const Moments moments = moments_of(a);
    double expected = 0;
    for (const double m : moments.mean.to_vector<double>()) expected += m * m;
    const auto covariance = moments.covariance.to_vector<double>();
    for (size_t i = 0; i < 192; ++i) expected += covariance[i * 193];
    EXPECT_NEAR(frechet_distance(a, a * 2.0), expected, 1e-10 * expected) << seed;
  }
}

TEST(FrechetDistance, IsNumpys) {
  EXPECT_NEAR(frechet_distance(golden("a"), golden("b")), golden_number("fd"), 1e-12);
  EXPECT_NEAR(frechet_distance(golden("few"), golden("fewer")), golden_number("fd.few"), 1e-10);
  EXPECT_NEAR(frechet_distance(moments_of(golden("a")), moments_of(golden("b"))), golden_number("fd"), 1e-12);
  // f32 features, far from 0: the mean leaves before the squares are taken.
  const Tensor far = (golden("a") + 1000).to(DType::f32), away = (golden("b") + 1000).to(DType::f32);
  EXPECT_NEAR(frechet_distance(far, away), golden_number("fd"), 2e-4);
  const Moments m = moments_of(Tensor::from({1.0, 2.0, 3.0, 6.0}, {2, 2}));
  EXPECT_EQ(m.mean.to_vector<double>(), (std::vector<double>{2, 4}));
  EXPECT_EQ(m.covariance.to_vector<double>(), (std::vector<double>{2, 4, 4, 8}));
}

TEST(FrechetDistance, OfRealAgainstRealIsTheFloorOfTheory) {
  // N(0, 1) in D dimensions, N samples each: 2 D / N from the means, about D (D + 1) / 2N from the covariances.
  const double n = 2000, d = 16;
  double mean = 0;
  for (uint64_t i = 0; i < 8; ++i)
    mean += frechet_distance(gaussian(2000, 16, 2 * i), gaussian(2000, 16, 2 * i + 1)) / 8;
  EXPECT_NEAR(mean, 2 * d / n + d * (d + 1) / (2 * n), 0.1 * mean);
}

FrechetEstimate drawn(uint64_t draw, double shift, double deviation, int64_t n) {
  return estimate_frechet(gaussian(n, 4, 2 * draw), gaussian(n + 50, 4, 2 * draw + 1, shift, deviation), 25);
}

TEST(FrechetDistance, IntervalsCover) {
  // 4 (0.5^2 + 0.3^2) is the distance of the distributions; the plain value is above it on average.
  EXPECT_COVERS(covered([](uint64_t i) { return drawn(i, 0.5, 1.3, 200).infinite; }, 4 * (0.25 + 0.09)));
  EXPECT_COVERS(covered([](uint64_t i) { return drawn(i, 0.5, 1.3, 200).plain; }));
  // Near the floor, where the bias is as large as the distance: 0.05.
  EXPECT_COVERS(covered([](uint64_t i) { return drawn(i, 0.1, 1.05, 400).infinite; }, 4 * (0.01 + 0.0025)));
  EXPECT_COVERS(covered([](uint64_t i) { return drawn(i, 0.1, 1.05, 400).plain; }));
  // At 0 itself the errors are said too large, so most intervals hold it.
  EXPECT_GE(covered([](uint64_t i) { return drawn(i, 0, 1, 200).infinite; }, 0), 90);
}

TEST(FrechetDistance, RemovesTheBiasOfFewSamples) {
  const Tensor a = gaussian(1000, 16, 1), b = gaussian(1000, 16, 2);
  const FrechetEstimate e = estimate_frechet(a, b);
  EXPECT_EQ(e.plain.value, frechet_distance(a, b));
  EXPECT_GT(e.plain.value, 0.12);
  EXPECT_LT(std::abs(e.infinite.value), 0.02);
  EXPECT_LE(e.plain.interval.low, e.plain.value);
  EXPECT_GE(e.plain.interval.high, e.plain.value);
}

TEST(FrechetDistance, HasTheSameBitsOnAnyNumberOfThreads) {
  const Tensor a = gaussian(301, 9, 1, 0, 1, DType::f32), b = gaussian(207, 9, 2, 1, 2, DType::f32);
  expect_same_on_threads<double>([&] {
    const FrechetEstimate e = estimate_frechet(a, b, 13);
    return std::vector<double>{e.plain.value, e.plain.error, e.infinite.value};
  });
}

TEST(FrechetDistance, RefusesWhatIsNoSetOfFeatures) {
  const Tensor a = gaussian(10, 3, 1);
  EXPECT_TRUE(has(error_of([&] { frechet_distance(a, gaussian(10, 4, 1)); }), "[10, 3] and [10, 4]"));
  EXPECT_TRUE(
      has(error_of([&] { frechet_distance(gaussian(1, 3, 1), a); }), "first set: expected at least 2"));
  EXPECT_TRUE(has(error_of([&] { frechet_distance(a, a.reshape({30})); }), "second set"));
  EXPECT_TRUE(has(error_of([&] { frechet_distance(a, Tensor()); }), "got nothing"));
  Tensor broken = a.clone();
  broken.mutable_data<double>()[7] = NAN;
  EXPECT_TRUE(has(error_of([&] { frechet_distance(a, broken); }), "second set: sample 2 holds nan"));
  EXPECT_TRUE(has(error_of([&] {
                    frechet_distance(moments({0}, {1}), moments({0, 0}, {1, 0, 0, 1}));
                  }),
                  "1 and 2"));
  EXPECT_TRUE(has(error_of([&] {
                    frechet_distance({Tensor::zeros({2}), Tensor::zeros({2, 3})}, moments({0}, {1}));
                  }),
                  "[2, 3]"));
  EXPECT_TRUE(has(error_of([&] { estimate_frechet(a, a, 1); }), "groups"));
}

}  // namespace
}  // namespace duel::gan
