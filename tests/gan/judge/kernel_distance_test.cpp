// The kernel distance: by hand, NumPy's value and error, subsets as clean-fid's, intervals that cover. A diagonal
// that stays in the sums, a mean over n^2, another power or scale of the kernel fail.
#include "duel/gan/judge/kernel_distance.h"

#include <gtest/gtest.h>

#include "duel/core/ops.h"
#include "tests/gan/judge/samples.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

TEST(KernelDistance, ByHand) {
  // D = 1: k(x, y) = (x y + 1)^3. Of {0, 1, 1}: pairs 1, 1, 8, mean 10 / 3; of {2, 2, 0}: 125, 1, 1, mean 127 / 3;
  // between: from 0: 1, 1, 1; from 1 twice: 27, 27, 1; mean 113 / 9.
  const Tensor a = Tensor::from({0.0, 1.0, 1.0}, {3, 1}), b = Tensor::from({2.0, 2.0, 0.0}, {3, 1});
  EXPECT_NEAR(kernel_distance(a, b).value, 10.0 / 3 + 127.0 / 3 - 2 * 113.0 / 9, 1e-13);
  // Two columns that are equal: k as before, as it is over D.
  EXPECT_NEAR(kernel_distance(cat({a, a}, 1), cat({b, b}, 1)).value, kernel_distance(a, b).value, 1e-13);
}

TEST(KernelDistance, IsNumpys) {
  const Estimate e = kernel_distance(golden("a"), golden("b"));
  EXPECT_NEAR(e.value, golden_number("kid"), 1e-10);
  EXPECT_NEAR(e.error, golden_number("kid.error"), 1e-10);
  EXPECT_LT(e.interval.low, e.value - 1.9 * e.error);
  EXPECT_GT(e.interval.high, e.value + 1.9 * e.error);
  const Tensor x = golden("a").index_select(0, golden("kid.first")),
               y = golden("b").index_select(0, golden("kid.second"));
  EXPECT_NEAR(kernel_distance(x, y).value, golden_number("kid.subset"), 1e-10);
  // More rows than a tile is high, more columns than it is wide: the sums are those of the parts.
  const Tensor many = gaussian(600, 3, 1), more = gaussian(700, 3, 2, 0.1);
  double sum = 0;
  const auto u = many.to_vector<double>(), v = more.to_vector<double>();
  const auto add = [&](const auto& p, const auto& q, double weight, bool same) {
    for (size_t i = 0; i < p.size(); i += 3) {
      for (size_t j = 0; j < q.size(); j += 3) {
        if (same && i == j) continue;
        sum += weight * std::pow((p[i] * q[j] + p[i + 1] * q[j + 1] + p[i + 2] * q[j + 2]) / 3 + 1, 3);
      }
    }
  };
  add(u, u, 1.0 / (600 * 599), true);
  add(v, v, 1.0 / (700 * 699), true);
  add(u, v, -2.0 / (600 * 700), false);
  EXPECT_NEAR(kernel_distance(many, more).value, sum, 1e-12);
}

TEST(KernelDistance, SubsetsEstimateTheSameNumber) {
  const Tensor a = gaussian(500, 4, 1), b = gaussian(400, 4, 2, 0.5);
  const Estimate all = kernel_distance(a, b);
  const SubsetDistance subsets = subset_kernel_distance(a, b, 200, 100);
  EXPECT_NEAR(subsets.mean, all.value, 5 * subsets.deviation / std::sqrt(200.0));
  EXPECT_GT(subsets.deviation, all.error);  // a subset knows less than all
  EXPECT_NE(subset_kernel_distance(a, b, 5, 100, 2).mean, subset_kernel_distance(a, b, 5, 100, 1).mean);
  // A subset of all samples is all samples.
  const SubsetDistance whole = subset_kernel_distance(a, rows(a, 0, 500) + 1, 3, 1000);
  EXPECT_NEAR(whole.mean, kernel_distance(a, a + 1).value, 1e-12);
  EXPECT_LT(whole.deviation, 1e-12);
}

TEST(KernelDistance, IntervalsCover) {
  // D = 1, x of N(0, 1), y of N(c, 1). E k(x, y) = E[(1 + x y)^3] = 1 + 3 E[xy] + 3 E[x^2] E[y^2] + E[x^3] E[y^3].
  const double c = 0.6, two = 1 + c * c, three = c * c * c + 3 * c;
  const double truth = (1 + 3 * 1) + (1 + 3 * c * c + 3 * two * two + three * three) - 2 * (1 + 3 * two);
  EXPECT_COVERS(covered(
      [&](uint64_t i) { return kernel_distance(gaussian(300, 1, 2 * i), gaussian(200, 1, 2 * i + 1, c)); },
      truth));
  // One kind: unbiased, and the errors said rather too large.
  EXPECT_GE(
      covered(
          [](uint64_t i) { return kernel_distance(gaussian(300, 4, 2 * i), gaussian(300, 4, 2 * i + 1)); },
          0),
      90);
}

TEST(KernelDistance, HasTheSameBitsOnAnyNumberOfThreads) {
  const Tensor a = gaussian(301, 9, 1, 0, 1, DType::f32), b = gaussian(207, 9, 2, 1, 2, DType::f32);
  expect_same_on_threads<double>([&] {
    const Estimate e = kernel_distance(a, b);
    const SubsetDistance s = subset_kernel_distance(a, b, 7, 70);
    return std::vector<double>{e.value, e.error, s.mean, s.deviation};
  });
}

TEST(KernelDistance, RefusesWhatIsNoSetOfFeatures) {
  const Tensor a = gaussian(10, 3, 1);
  EXPECT_TRUE(
      has(error_of([&] { kernel_distance(a, gaussian(2, 3, 1)); }), "second set: expected at least 3"));
  EXPECT_TRUE(has(error_of([&] { kernel_distance(a, gaussian(9, 2, 1)); }), "[10, 3] and [9, 2]"));
  EXPECT_TRUE(has(error_of([&] { subset_kernel_distance(a, a, 1); }), "subsets"));
  EXPECT_TRUE(has(error_of([&] { subset_kernel_distance(a, a, 5, 2); }), "size of subsets"));
}

}  // namespace
}  // namespace duel::gan
