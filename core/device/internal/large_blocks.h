// The free and the taken blocks of 1 MiB and more of one allocator (../allocator.h), cut from segments of the system.
//
// Note [Large blocks]
// Kept by size, as small blocks are, large ones would add up to all that was ever held of each size: 2.4 times what a step of
// dcgan under wgan-gp holds at once. So a request gets the beginning of the smallest free block that it fits into, of several
// the one with the lowest address; the rest stays free, and free neighbours of one segment join. A loop that asks in the same
// order finds the same places in every turn after the first one that needed no new segment.
//
// Example:
//   LargeBlocks blocks;
//   void* block = blocks.take(bytes);                       // null: none is free
//   if (!block) block = blocks.add(segment, segment_bytes, bytes);
//   blocks.put(block);
//   for (const auto& [segment, size] : blocks.remove_free()) std::free(segment);
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace duel::detail {

class LargeBlocks {
 public:
  static constexpr size_t kLeast = size_t{1} << 20;  ///< smaller blocks are not its business
  static constexpr size_t kSegment = size_t{32}
                                     << 20;  ///< what the system is asked for, unless more is needed

  /// A block of exactly so many bytes; null where no free one is as large.
  void* take(size_t bytes);
  /// The same from a new segment, which the blocks are cut from from now on.
  void* add(void* segment, size_t segment_bytes, size_t bytes);
  /// A block that take() or add() gave is free again.
  void put(void* block);
  /// Segments of which nothing is taken, with their bytes: they are forgotten, and the caller's.
  std::vector<std::pair<void*, size_t>> remove_free();

 private:
  using Address = std::byte*;
  struct Block {
    size_t bytes = 0;
    bool free = false;
    bool begins = false;  // a segment
    bool ends = false;
  };
  using Blocks = std::map<Address, Block>;

  void* cut(Blocks::iterator block, size_t bytes);
  void join_with_next(Blocks::iterator block);

  Blocks blocks_;                              // all, by address
  std::set<std::pair<size_t, Address>> free_;  // the free ones, the smallest first
};

}  // namespace duel::detail
