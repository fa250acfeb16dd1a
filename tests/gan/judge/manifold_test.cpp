// Precision, recall, density and coverage: clouds by hand, NumPy's values, what they are for, intervals that cover. A
// sample that is its own neighbour, a surface that is outside, exchanged sets, or intervals that hold one set's
// balls fail.
#include "duel/gan/judge/manifold.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "duel/core/ops.h"
#include "tests/gan/judge/samples.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

std::vector<double> values(const Manifold& m) {
  return {m.precision.value, m.recall.value, m.density.value, m.coverage.value};
}

Tensor line(const std::vector<double>& x) { return Tensor::from(x, {static_cast<int64_t>(x.size()), 1}); }

TEST(Manifold, ByHand) {
  // k = 1: the real radii are 1, 1, 2, 7, the fakes' 3.5, 3.5, 16, 5.5.
  const Tensor real = line({0, 1, 3, 10});
  EXPECT_EQ(values(manifold(real, line({0.5, 4, 20, -5}), 1)), (std::vector<double>{0.5, 1, 1, 1}));
  // Radii 15, 0.5, 0.5, 0.5. 2 lies on the surface of 1's ball, 17 on that of 10's; 0 has no fake in its ball.
  const Tensor fake = line({2, 17, 17.5, 18});
  EXPECT_EQ(values(manifold(real, fake, 1)), (std::vector<double>{0.5, 1, 0.75, 0.75}));
  // The other way round: fakes in 2's ball of 15 all, in the others none.
  EXPECT_EQ(values(manifold(fake, real, 1)), (std::vector<double>{1, 0.5, 1, 0.25}));
}

TEST(Manifold, OfASetAgainstItself) {
  // Each ball holds its own centre and its k nearest.
  const Tensor x = gaussian(100, 3, 1);
  const Manifold m = manifold(x, x, 4);
  EXPECT_EQ(values(m), (std::vector<double>{1, 1, 5.0 / 4, 1}));
  EXPECT_LT(m.precision.interval.low, 1);  // 100 hits of 100 do not prove certainty
  EXPECT_EQ(m.precision.interval.high, 1);
}

TEST(Manifold, IsNumpys) {
  for (const int64_t k : {3, 5}) {
    const std::vector<double> expected = golden("prdc." + std::to_string(k)).to_vector<double>();
    const std::vector<double> got = values(manifold(golden("a"), golden("b"), k));
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[i], expected[i], 1e-14) << i;
  }
  // More samples than a tile has rows and columns, and far more neighbours than are listed: against all distances.
  const int64_t n = 600, m = 200, k = 2;
  const auto x = gaussian(n, 2, 1).to_vector<double>(), y = gaussian(m, 2, 2, 0, 0.01).to_vector<double>();
  const auto apart = [](const double* p, const double* q) { return std::hypot(p[0] - q[0], p[1] - q[1]); };
  double inside = 0;
  std::vector<bool> hit(static_cast<size_t>(m));
  for (int64_t i = 0; i < n; ++i) {
    std::vector<double> away;
    for (int64_t o = 0; o < n; ++o) away.push_back(apart(&x[2 * i], &x[2 * o]));
    std::sort(away.begin(), away.end());
    for (int64_t j = 0; j < m; ++j) {
      if (apart(&x[2 * i], &y[2 * j]) > away[k]) continue;
      ++inside;
      hit[j] = true;
    }
  }
  const Manifold got = manifold(Tensor::from(x, {n, 2}), Tensor::from(y, {m, 2}), k);
  EXPECT_NEAR(got.density.value, inside / static_cast<double>(k * m), 1e-12);
  EXPECT_NEAR(got.precision.value, static_cast<double>(std::count(hit.begin(), hit.end(), true)) / m, 1e-12);
}

TEST(Manifold, TellsWhatIsMissingFromWhatIsStrange) {
  const Tensor real = gaussian(400, 4, 1), half = gaussian(400, 4, 2, 0, 0.4),
               wide = gaussian(400, 4, 3, 0, 2.5);
  const Manifold same = manifold(real, gaussian(400, 4, 4)), narrow = manifold(real, half),
                 broad = manifold(real, wide);
  EXPECT_GT(narrow.precision.value, same.precision.value - 0.01);
  EXPECT_LT(narrow.recall.value, 0.6 * same.recall.value);
  EXPECT_LT(narrow.coverage.value, 0.7 * same.coverage.value);
  EXPECT_LT(broad.precision.value, 0.6 * same.precision.value);
  EXPECT_LT(broad.density.value, 0.5 * same.density.value);
  EXPECT_NEAR(same.density.value, 1, 0.2);
  // Fakes that are all one: in many balls or none, and their own region is a point.
  EXPECT_LE(manifold(real, Tensor::zeros({400, 4}, {DType::f64})).recall.value, 0.0);
}

TEST(Manifold, IntervalsCover) {
  std::vector<Manifold> drawn(kDraws);
  EXPECT_COVERS(covered([&](uint64_t i) {
    drawn[i] = manifold(gaussian(300, 6, 2 * i), gaussian(260, 6, 2 * i + 1, 0.3, 0.8));
    return drawn[i].precision;
  }));
  EXPECT_COVERS(covered([&](uint64_t i) { return drawn[i].recall; }));
  EXPECT_COVERS(covered([&](uint64_t i) { return drawn[i].density; }));
  EXPECT_COVERS(covered([&](uint64_t i) { return drawn[i].coverage; }));
}

TEST(Manifold, HasTheSameBitsOnAnyNumberOfThreads) {
  const Tensor a = gaussian(301, 9, 1, 0, 1, DType::f32), b = gaussian(207, 9, 2, 0.2, 0.8, DType::f32);
  expect_same_on_threads<double>([&] {
    const Manifold m = manifold(a, b, 3);
    return std::vector<double>{m.precision.value, m.recall.value, m.density.value, m.coverage.value,
                               m.precision.error, m.recall.error, m.density.error, m.coverage.error};
  });
}

TEST(Manifold, RefusesWhatIsNoSetOfFeatures) {
  const Tensor a = gaussian(12, 3, 1);
  EXPECT_TRUE(has(error_of([&] { manifold(a, gaussian(11, 3, 1)); }), "second set: expected at least 12"));
  EXPECT_TRUE(has(error_of([&] { manifold(a, a, 0); }), "k"));
}

}  // namespace
}  // namespace duel::gan
