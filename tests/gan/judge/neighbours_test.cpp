// Nearest samples and copies: by hand, against all distances, in f32 with its cancellation; the share of copies at
// its baseline without copying, and its interval.
#include "duel/gan/judge/neighbours.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "duel/core/ops.h"
#include "tests/gan/judge/samples.h"

namespace duel::gan {
namespace {

using namespace duel::gan::testing;

TEST(Nearest, ByHandAndTheEarlierOfEquals) {
  const Tensor set = Tensor::from({0.0, 0.0, 3.0, 4.0, 0.0, 0.0}, {3, 2});
  const Neighbours near = nearest(Tensor::from({0.0, 0.0, 3.0, 3.0}, {2, 2}), set, 2);
  EXPECT_EQ(near.index.to_vector<int64_t>(), (std::vector<int64_t>{0, 2, 1, 0}));
  EXPECT_EQ(near.distance.to_vector<double>(), (std::vector<double>{0, 0, 1, std::sqrt(18.0)}));
}

TEST(Nearest, IsTheNearestOfAll) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    // Images far from 0, more than a tile has columns.
    const Tensor x = gaussian(70, 49, 1, 20, 1, dtype).reshape({70, 1, 7, 7}),
                 y = gaussian(600, 49, 2, 20, 1, dtype);
    const Neighbours near = nearest(x, y.reshape({600, 1, 7, 7}), 3);
    const auto u = x.to_vector<double>(), v = y.to_vector<double>();
    const auto index = near.index.to_vector<int64_t>();
    const auto distance = near.distance.to_vector<double>();
    for (size_t i = 0; i < 70; ++i) {
      std::vector<std::pair<double, int64_t>> all;
      for (size_t j = 0; j < 600; ++j) {
        double sum = 0;
        for (size_t c = 0; c < 49; ++c)
          sum += (u[i * 49 + c] - v[j * 49 + c]) * (u[i * 49 + c] - v[j * 49 + c]);
        all.emplace_back(std::sqrt(sum), j);
      }
      std::sort(all.begin(), all.end());
      for (size_t c = 0; c < 3; ++c) {
        EXPECT_EQ(index[i * 3 + c], all[c].second);
        EXPECT_NEAR(distance[i * 3 + c], all[c].first, 1e-12);
      }
    }
  }
}

TEST(Copies, StandAtTheBaselineWithoutCopyingAndAtOneWithNothingElse) {
  const Tensor training = gaussian(500, 6, 1, 0, 1, DType::f32),
               held_out = gaussian(400, 6, 2, 0, 1, DType::f32),
               fresh = gaussian(400, 6, 3, 0, 1, DType::f32), copies = rows(training, 100, 300) + 1e-3;
  const Copies none = share_of_copies(fresh, held_out, training, 0.05);
  EXPECT_DOUBLE_EQ(none.baseline, 0.05);
  EXPECT_GT(none.distance, 0);
  EXPECT_LE(none.share.interval.low, 0.05);
  EXPECT_GE(none.share.interval.high, 0.05);
  EXPECT_EQ(share_of_copies(copies, held_out, training, 0.05).share.value, 1);
  const Copies half = share_of_copies(concat({copies, rows(fresh, 0, 200)}), held_out, training, 0.05);
  EXPECT_NEAR(half.share.value, 0.5 + 0.5 * 0.05, 0.03);
}

TEST(Copies, IntervalsCover) {
  const Tensor training = gaussian(100, 2, 1);
  EXPECT_COVERS(covered([&](uint64_t i) {
    return share_of_copies(gaussian(150, 2, 2 * i), gaussian(200, 2, 2 * i + 1), training, 0.1).share;
  }));
}

TEST(Nearest, HasTheSameBitsOnAnyNumberOfThreadsAndRefusesWhatDoesNotFit) {
  const Tensor a = gaussian(301, 9, 1, 0, 1, DType::f32), b = gaussian(207, 9, 2, 0.2, 0.8, DType::f32);
  expect_same_on_threads<double>([&] { return nearest(a, b, 3).distance.to_vector<double>(); });
  EXPECT_TRUE(has(error_of([&] { nearest(a, gaussian(5, 8, 1)); }), "[301, 9] and [5, 8]"));
  EXPECT_TRUE(has(error_of([&] { nearest(a, b, 208); }), "1 to the 207"));
  EXPECT_TRUE(has(error_of([&] { nearest(a.reshape({301 * 9}), b); }), "points"));
  EXPECT_TRUE(has(error_of([&] { share_of_copies(a, a, b, 0); }), "baseline"));
}

}  // namespace
}  // namespace duel::gan
