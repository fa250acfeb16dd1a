// ADA's geometric changes: pixels go where the map says, each image by draws of its own.
#include "duel/gan/objective/regularisers/geometry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::kF64;
using duel::testing::same_bits;

Tensor all(int64_t n, double value) { return Tensor::full({n}, value, kF64); }

Tensor warped_by(const Tensor& x, double a, double b, double c, double d, double e, double f) {
  const int64_t n = x.dim(0);
  return warped(x, {all(n, a), all(n, b), all(n, c), all(n, d), all(n, e), all(n, f)});
}

/// 1 … of shape [1, 1, H, W].
Tensor counted(int64_t h, int64_t w) { return (arange(0, h * w).to(DType::f64) + 1.0).reshape({1, 1, h, w}); }

void expect_near(const Tensor& got, const std::vector<double>& expected, double by = 1e-12) {
  const auto values = got.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], by) << i;
}

TEST(Geometry, WarpsByTheMap) {
  const Tensor x = counted(2, 3);
  expect_near(warped_by(x, 1, 0, 0, 0, 1, 0), {1, 2, 3, 4, 5, 6});
  expect_near(warped_by(x, 1, 0, 1, 0, 1, 0), {2, 3, 0, 5, 6, 0});   // from one pixel to the right
  expect_near(warped_by(x, 1, 0, 0, 0, 1, -1), {0, 0, 0, 1, 2, 3});  // from one above
  expect_near(warped_by(x, 1, 0, 0.5, 0, 1, 0), {1.5, 2.5, 1.5, 4.5, 5.5, 3});
  expect_near(warped_by(x, 1, 0, 0.25, 0, 1, 0.5), {2.75, 3.75, 3.375, 2.125, 2.625, 2.25});
  expect_near(warped_by(x, -1, 0, 0, 0, 1, 0), {3, 2, 1, 6, 5, 4});
  expect_near(warped_by(x, 1, 0, 100, 0, 1, 0), {0, 0, 0, 0, 0, 0});
  expect_near(warped_by(counted(3, 3), 2, 0, 0, 0, 2, 0), {0, 0, 0, 0, 5, 0, 0, 0, 0});  // half as large
  // A quarter of a turn: what is at (x, y) was at (-y, x).
  expect_near(warped_by(counted(2, 2), 0, -1, 0, 1, 0, 0), {2, 4, 1, 3});
  // Each image by its own map, every colour alike.
  const Tensor two = concat({concat({x, x * 10.0}, 1), concat({x, x * 10.0}, 1)});
  const Tensor y =
      warped(two, {all(2, 1), all(2, 0), Tensor::from({0.0, 1.0}, {2}), all(2, 0), all(2, 1), all(2, 0)});
  expect_near(y, {1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60,  //
                  2, 3, 0, 5, 6, 0, 20, 30, 0,  50, 60, 0});
}

/// The different images among the results of many draws.
std::set<std::vector<double>> results(Tensor (*change)(const Tensor&, Generator&), const Tensor& one) {
  Generator random(1);
  const int64_t n = 64, size = one.numel();
  const auto values = change(broadcast_to(one, one.shape().with(0, n)), random).to_vector<double>();
  std::set<std::vector<double>> found;
  for (int64_t i = 0; i < n; ++i) found.emplace(values.begin() + i * size, values.begin() + (i + 1) * size);
  return found;
}

TEST(Geometry, FlipsAndTurnsGiveEachOfTheirs) {
  using Images = std::set<std::vector<double>>;
  EXPECT_EQ(results(flipped, counted(2, 2)), (Images{{1, 2, 3, 4}, {2, 1, 4, 3}}));
  EXPECT_EQ(results(turned, counted(2, 2)), (Images{{1, 2, 3, 4}, {2, 4, 1, 3}, {4, 3, 2, 1}, {3, 1, 4, 2}}));
  EXPECT_EQ(results(turned, counted(1, 2)), (Images{{1, 2}, {2, 1}}));
  EXPECT_EQ(results(mapped_affinely, counted(4, 4)).size(), 64u);
}

// Of a spot in the middle of a wide image nothing is lost: its mass grows by the area's share, 2^(2 N(0, 0.2^2)) as stretching
// keeps the area, and the spot moves by N(0, 0.125^2) of the side.
TEST(Geometry, AffineMapsAreDrawnAsThePaperSays) {
  const int64_t n = 3000, side = 32;
  const Tensor spot = pad(Tensor::ones({1, 1, 8, 8}, kF64), {12, 12, 12, 12});
  Generator random(2);
  const Tensor y = mapped_affinely(broadcast_to(spot, {n, 1, side, side}), random);
  const auto mass = sum(y, {1, 2, 3}).to_vector<double>();
  const Tensor places = arange(int64_t{0}, side, 1, {DType::i64, {}}).to(DType::f64).reshape({1, 1, 1, side});
  const auto column = sum(y * places, {1, 2, 3}).to_vector<double>();
  double logs = 0, moves = 0, kept = 0;
  for (size_t i = 0; i < mass.size(); ++i) {
    if (mass[i] < 30) continue;  // over the border
    kept += 1;
    logs += std::pow(std::log2(mass[i] / 64) / 2, 2);
    moves += std::pow((column[i] / mass[i] - 15.5) / 32, 2);
  }
  EXPECT_GT(kept, 0.9 * static_cast<double>(n));
  EXPECT_NEAR(std::sqrt(logs / kept), 0.2, 0.02);
  EXPECT_NEAR(std::sqrt(moves / kept), 0.125, 0.03);  // seen by its map's scale; spots far out are left out
}

TEST(Geometry, IsDifferentiableTwice) {
  const auto f = [](const std::vector<Tensor>& in) {
    Generator random(5);
    return square(turned(flipped(mapped_affinely(in[0], random), random), random));
  };
  const Tensor x = Generator(1).normal({2, 2, 4, 4}, 0, 1, kF64).set_requires_grad(true);
  const auto first = gradcheck(f, {x}), second = gradgradcheck(f, {x});
  EXPECT_TRUE(first) << first.message;
  EXPECT_TRUE(second) << second.message;
}

}  // namespace
}  // namespace duel::gan
