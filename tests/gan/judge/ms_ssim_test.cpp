// Structural similarity: NumPy's values, what is known without computing, pairs within a class, intervals. Scales
// that are not halved, luminance on every scale, windows past the edge or pairs across classes fail.
#include "duel/gan/judge/ms_ssim.h"

#include <gtest/gtest.h>

#include "duel/core/ops.h"
#include "tests/gan/judge/samples.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

TEST(MsSsim, IsNumpys) {
  const Tensor a = rows(golden("images"), 0, 4), b = rows(golden("images"), 4, 8);
  const std::vector<double> got = ms_ssim(a, b), expected = golden("ms_ssim").to_vector<double>();
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(got[i], expected[i], 1e-12);
  EXPECT_NEAR(ms_ssim(b, a)[1], expected[1], 1e-12);
  EXPECT_EQ(got, ms_ssim(a.to(DType::f32), b.to(DType::f32)));  // the golden ones are f32
  EXPECT_NEAR(ms_ssim(a, a)[0], 1, 1e-12);
  EXPECT_NEAR(ms_ssim(a * 8, b * 8, {.range = 16})[1], expected[1], 1e-12);
  // Two channels: the mean of both.
  const std::vector<double> two = ms_ssim(cat({a, a}, 1), cat({b, a}, 1));
  EXPECT_NEAR(two[2], (expected[2] + 1) / 2, 1e-12);
}

TEST(MsSsim, ByHandOnOneScale) {
  // Flat images of a window's size: contrast 1, luminance (2 a b + c1) / (a^2 + b^2 + c1).
  const double c1 = 0.02 * 0.02;
  const Tensor a = Tensor::full({1, 1, 7, 7}, 0.5), b = Tensor::full({1, 1, 7, 7}, 0.25);
  EXPECT_NEAR(ms_ssim(a, b)[0], (2 * 0.125 + c1) / (0.25 + 0.0625 + c1), 1e-9);
  // Of 14 x 14 two scales: flat contrast is 1 on the first, the second to the power of its weight.
  const double weight = 0.2856 / (0.0448 + 0.2856);
  EXPECT_NEAR(ms_ssim(Tensor::full({1, 1, 14, 14}, 0.5), Tensor::full({1, 1, 14, 14}, 0.25))[0],
              std::pow((2 * 0.125 + c1) / (0.25 + 0.0625 + c1), weight), 1e-9);
}

/// 7 x 7 images of two classes, each its own pattern with noise of its own strength.
Tensor patterns(int64_t n, uint64_t seed, std::vector<int64_t>& classes) {
  Tensor noise = gaussian(n, 49, seed, 0, 1);
  classes.resize(static_cast<size_t>(n));
  double* x = noise.mutable_data<double>();
  for (int64_t i = 0; i < n; ++i) {
    const int64_t label = classes[static_cast<size_t>(i)] = i % 3 == 0;
    for (int64_t p = 0; p < 49; ++p)
      x[i * 49 + p] =
          (label ? (p % 2 ? 1 : -1) : (p < 20 ? 1 : -1)) * 0.7 + (label ? 0.2 : 0.6) * x[i * 49 + p];
  }
  return noise.reshape({n, 1, 7, 7});
}

TEST(ClassSimilarity, IsTheMeanOverPairsOfOneClass) {
  std::vector<int64_t> classes;
  const Tensor images = patterns(90, 1, classes);
  // Two images of a class give one pair whichever they are; the class of one has none.
  const Tensor four = rows(images, 0, 4);
  const double noisy = ms_ssim(rows(images, 1, 2), rows(images, 2, 3))[0],
               clear = ms_ssim(rows(images, 0, 1), rows(images, 3, 4))[0];
  EXPECT_NEAR(class_similarity(four, {7, 2, 2, 7}).value, (noisy + clear) / 2, 1e-15);
  EXPECT_NEAR(class_similarity(four, {7, 2, 2, 9}).value, noisy, 1e-15);
  const Estimate e = class_similarity(images, classes);
  EXPECT_GT(e.error, 0);
  // All one: 1. Fakes that repeat a picture a class are more alike than their class.
  EXPECT_NEAR(class_similarity(Tensor::zeros({6, 1, 7, 7}), {0, 0, 0, 1, 1, 1}).value, 1, 1e-12);
  EXPECT_NE(class_similarity(images, classes, 200, 2).value, e.value);
}

TEST(ClassSimilarity, IntervalsCover) {
  EXPECT_COVERS(covered([](uint64_t i) {
    std::vector<int64_t> classes;
    const Tensor images = patterns(60, i, classes);
    return class_similarity(images, classes, 12, i);
  }));
}

TEST(ClassSimilarity, HasTheSameBitsOnAnyNumberOfThreads) {
  std::vector<int64_t> classes;
  const Tensor images = patterns(90, 1, classes);
  expect_same_on_threads<double>([&] {
    const Estimate e = class_similarity(images, classes);
    return std::vector<double>{e.value, e.error};
  });
}

TEST(MsSsim, RefusesWhatAreNoImages) {
  const Tensor a = Tensor::zeros({2, 1, 7, 7});
  EXPECT_TRUE(has(error_of([&] { ms_ssim(a, Tensor::zeros({2, 1, 7, 8})); }), "one shape"));
  EXPECT_TRUE(has(error_of([&] { ms_ssim(a.flatten(), a); }), "[N, C, H, W]"));
  EXPECT_TRUE(has(error_of([&] { ms_ssim(a, a, {.window = 9}); }), "9 does not fit images of 7 x 7"));
  EXPECT_TRUE(has(error_of([&] { ms_ssim(a, a, {.window = 6}); }), "odd"));
  EXPECT_TRUE(has(error_of([&] { ms_ssim(a, a, {.scales = 6}); }), "1 to 5"));
  EXPECT_TRUE(has(error_of([&] { class_similarity(a, {0, 1}); }), "no class has two"));
  EXPECT_TRUE(has(error_of([&] { class_similarity(a, {0}); }), "a class for each of 2"));
}

}  // namespace
}  // namespace duel::gan
