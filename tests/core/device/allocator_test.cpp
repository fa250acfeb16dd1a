// The allocator: reuse, statistics, limit, poison.
#include "duel/core/device/allocator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "duel/core/device/internal/large_blocks.h"
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

// One large block makes room for several smaller ones, and those for one as large again: kept by size, as small ones are, each
// would be another block of the system's.
TEST(Allocator, LargeBlocksAreCutAndJoined) {
  empty_allocator_cache({});
  { const Tensor x = Tensor::empty({20 << 18}); }
  const auto before = allocator_stats({});
  { const Tensor a = Tensor::empty({9 << 18}), b = Tensor::empty({3 << 18}), c = Tensor::empty({7 << 18}); }
  { const Tensor x = Tensor::empty({20 << 18}); }
  const auto after = allocator_stats({});
  EXPECT_EQ(after.system_allocations, before.system_allocations);
  EXPECT_EQ(after.cached_bytes, before.cached_bytes);
}

// Where the limit leaves nothing else, the rest of a segment in use serves small blocks too.
TEST(Allocator, SmallBlocksUseWhatIsLeftOfASegment) {
  empty_allocator_cache({});
  const auto before = allocator_stats({});
  const Tensor large = Tensor::empty({1 << 18});
  set_allocator_limit({}, before.active_bytes + (48 << 20));
  std::vector<Tensor> small;
  EXPECT_NO_THROW(for (int k = 0; k < 90; ++k) small.push_back(Tensor::full({1 << 17}, k)));
  for (size_t k = 0; k < small.size(); ++k)
    EXPECT_EQ(small[k].to_vector<float>().back(), static_cast<float>(k));
  EXPECT_THROW(for (int k = 0; k < 10; ++k) small.push_back(Tensor::empty({1 << 17})), Error);
  small.clear();
  EXPECT_NO_THROW((void)Tensor::empty({30 << 18})) << "what was borrowed is whole again";
  set_allocator_limit({}, 0);
  EXPECT_EQ(allocator_stats({}).active_bytes, before.active_bytes + (1 << 20));
}

// Whatever the order, no two blocks that are taken share a byte; once all are free, the segments are whole again.
TEST(LargeBlocks, AreNeverTakenTwiceAndJoinToWholeSegments) {
  using detail::LargeBlocks;
  constexpr size_t kUnit = 1 << 16, kSegment = 64 * kUnit;
  LargeBlocks blocks;
  std::vector<std::byte> memory(3 * kSegment);  // one behind the other: they must not join
  std::map<std::byte*, size_t> taken;
  size_t segments = 0;
  uint32_t state = 1;
  const auto below = [&](uint32_t n) {
    return (((state = state * 1664525u + 1013904223u) >> 8) & 0xFFFF) % n;
  };
  for (int turn = 0; turn < 4000; ++turn) {
    const size_t bytes = (1 + below(24)) * kUnit;
    void* block = below(2) == 0 ? blocks.take(bytes) : nullptr;
    if (!block && segments < 3 && taken.size() < 3)
      block = blocks.add(memory.data() + segments++ * kSegment, kSegment, bytes);
    if (block) {
      auto* const begin = static_cast<std::byte*>(block);
      ASSERT_TRUE(begin >= memory.data() && begin + bytes <= memory.data() + memory.size());
      EXPECT_EQ(static_cast<size_t>(begin - memory.data()) % kUnit, 0U);
      EXPECT_EQ(static_cast<size_t>(begin - memory.data()) / kSegment,
                static_cast<size_t>(begin + bytes - 1 - memory.data()) / kSegment)
          << "a block lies in one segment";
      const auto next = taken.lower_bound(begin);
      EXPECT_TRUE(next == taken.end() || begin + bytes <= next->first);
      EXPECT_TRUE(next == taken.begin() || std::prev(next)->first + std::prev(next)->second <= begin);
      taken.emplace(begin, bytes);
    } else if (!taken.empty()) {
      auto any = taken.begin();
      std::advance(any, below(static_cast<uint32_t>(taken.size())));
      blocks.put(any->first);
      taken.erase(any);
    }
  }
  ASSERT_EQ(segments, 3U);
  for (const auto& [block, bytes] : taken) blocks.put(block);
  std::vector<std::pair<void*, size_t>> whole = blocks.remove_free();
  ASSERT_EQ(whole.size(), 3U);
  for (size_t k = 0; k < 3; ++k)
    EXPECT_EQ(whole[k], (std::pair<void*, size_t>(memory.data() + k * kSegment, kSegment)));
  EXPECT_EQ(blocks.take(1), nullptr);
}

TEST(LargeBlocks, TakesTheSmallestThatFitsAndGivesBackWhatIsWhollyFree) {
  detail::LargeBlocks blocks;
  std::vector<std::byte> memory(400), other(100);
  void* const a = blocks.add(memory.data(), 400, 100);
  void* const b = blocks.take(50);
  void* const c = blocks.take(100);
  EXPECT_EQ(b, memory.data() + 100);
  blocks.put(a);  // 100 free, then b, c, and 150 free
  EXPECT_EQ(blocks.take(200), nullptr) << "no free block is as large";
  EXPECT_EQ(blocks.take(90), memory.data()) << "the smallest that fits";
  EXPECT_EQ(blocks.add(other.data(), 100, 100), other.data());
  EXPECT_TRUE(blocks.remove_free().empty());
  blocks.put(other.data());
  blocks.put(b);
  blocks.put(memory.data());
  const auto free = blocks.remove_free();
  ASSERT_EQ(free.size(), 1U) << "c holds the first segment";
  EXPECT_EQ(free[0].first, other.data());
  EXPECT_EQ(free[0].second, 100U);
  blocks.put(c);
  const auto rest = blocks.remove_free();
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0], (std::pair<void*, size_t>(memory.data(), 400)));
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
