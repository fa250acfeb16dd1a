// The allocator: reuse, statistics, limit, poison.
#include "duel/core/device/allocator.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/tensor/tensor.h"
#include "duel/kernels/base/error.h"

namespace duel {
namespace {

TEST(Allocator, FreedBlocksAreReused) {
  { const Tensor x = Tensor::empty({1000}); }
  const auto before = allocator_stats({});
  { const Tensor x = Tensor::empty({1000}); }
  const auto after = allocator_stats({});
  EXPECT_EQ(after.system_allocations, before.system_allocations);
  EXPECT_EQ(after.allocations, before.allocations + 1);
  EXPECT_EQ(after.active_bytes, before.active_bytes);
}

TEST(Allocator, LargeBlocksBeginAtAPageAndSmallOnesAtACacheLine) {
  for (const int64_t n : {1000, 8191, 8192, 8193, 32144, 1 << 20}) {
    const Tensor x = Tensor::empty({n}), y = Tensor::empty({n});
    const size_t alignment = n >= 8192 ? 4096 : 64;
    for (const Tensor& t : {x, y})
      EXPECT_EQ(reinterpret_cast<uintptr_t>(t.data<float>()) % alignment, 0u) << n;
  }
}

TEST(Allocator, CountsActiveAndPeakBytes) {
  reset_allocator_peak({});
  const auto before = allocator_stats({});
  {
    const Tensor x = Tensor::empty({1 << 20}), same = x.reshape({1 << 10, 1 << 10});
    EXPECT_EQ(allocator_stats({}).active_bytes - before.active_bytes, 4 << 20);
    EXPECT_TRUE(same.same_storage(x));
  }
  EXPECT_EQ(allocator_stats({}).active_bytes, before.active_bytes);
  EXPECT_EQ(allocator_stats({}).peak_bytes - before.active_bytes, 4 << 20);
  empty_allocator_cache({});
  EXPECT_EQ(allocator_stats({}).cached_bytes, 0);
}

TEST(Allocator, TheLimitIsAnErrorWithTheSizesAndEverythingGoesOn) {
  empty_allocator_cache({});
  set_allocator_limit({}, allocator_stats({}).active_bytes + (8 << 20));
  std::string text;
  try {
    (void)Tensor::empty({4 << 20});
  } catch (const Error& error) {
    text = error.what();
  }
  EXPECT_NE(text.find("wanted 16 MiB"), std::string::npos) << text;
  EXPECT_NE(text.find("limit"), std::string::npos) << text;
  EXPECT_NO_THROW((void)Tensor::empty({1 << 20}));
  // What is cached makes room: 7 MiB do not fit beside a cached block of 4 MiB, but do once it is given back.
  EXPECT_NO_THROW((void)Tensor::empty({7 << 18}));
  set_allocator_limit({}, 0);
}

TEST(Allocator, PoisonShowsWhatNobodyWrote) {
  set_allocator_poison(true);
  const Tensor x = Tensor::empty({3});
  EXPECT_TRUE(std::isnan(x.data<float>()[2]));
  set_allocator_poison(false);
}

TEST(Shape, OverflowAndRankAreErrors) {
  EXPECT_THROW((Shape{int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_THROW((Shape{1, 1, 1, 1, 1, 1}), Error);
  EXPECT_THROW((Shape{-1}), Error);
  EXPECT_EQ((Shape{2, 3}).inserted(1), (Shape{2, 1, 3}));
  EXPECT_EQ(broadcast_shapes("t", {4, 1, 3}, {2, 1}), (Shape{4, 2, 3}));
}

TEST(Tensor, ReshapeFillsInAndRefusesWhatDoesNotFit) {
  const Tensor x = Tensor::zeros({2, 6});
  EXPECT_EQ(x.reshape({3, -1}).shape(), (Shape{3, 4}));
  EXPECT_THROW((void)x.reshape({5, -1}), Error);
  EXPECT_THROW((void)x.reshape({3, 5}), Error);
  EXPECT_EQ(Tensor::zeros({2, 3, 4}).flatten(1).shape(), (Shape{2, 12}));
}

}  // namespace
}  // namespace duel
