#include "duel/core/device/internal/large_blocks.h"

#include <iterator>

#include "duel/kernels/base/error.h"

namespace duel::detail {

void* LargeBlocks::take(size_t bytes) {
  const auto found = free_.lower_bound({bytes, nullptr});
  if (found == free_.end()) return nullptr;
  const auto block = blocks_.find(found->second);
  free_.erase(found);
  return cut(block, bytes);
}

void* LargeBlocks::add(void* segment, size_t segment_bytes, size_t bytes) {
  const auto [block, fresh] =
      blocks_.insert({static_cast<Address>(segment), {.bytes = segment_bytes, .begins = true, .ends = true}});
  DUEL_ASSERT(fresh && segment_bytes >= bytes);
  return cut(block, bytes);
}

/// A block that is not among the free ones: its beginning is taken, its rest is free.
void* LargeBlocks::cut(Blocks::iterator block, size_t bytes) {
  auto& [address, whole] = *block;
  whole.free = false;
  if (whole.bytes > bytes) {
    const Block rest{.bytes = whole.bytes - bytes, .free = true, .ends = whole.ends};
    blocks_.insert(std::next(block), {address + bytes, rest});
    free_.insert({rest.bytes, address + bytes});
    whole.bytes = bytes;
    whole.ends = false;
  }
  return address;
}

void LargeBlocks::put(void* taken) {
  auto block = blocks_.find(static_cast<Address>(taken));
  DUEL_ASSERT(block != blocks_.end() && !block->second.free);
  const auto set_free = [&](bool free) {
    block->second.free = free;
    free ? (void)free_.insert({block->second.bytes, block->first})
         : (void)free_.erase({block->second.bytes, block->first});
  };
  join_with_next(block);
  set_free(true);
  if (block->second.begins || !std::prev(block)->second.free) return;
  block = std::prev(block);
  set_free(false);
  join_with_next(block);
  set_free(true);
}

/// Where that one is free and of the same segment.
void LargeBlocks::join_with_next(Blocks::iterator block) {
  if (block->second.ends) return;
  const auto next = std::next(block);
  if (!next->second.free) return;
  free_.erase({next->second.bytes, next->first});
  block->second.bytes += next->second.bytes;
  block->second.ends = next->second.ends;
  blocks_.erase(next);
}

std::vector<std::pair<void*, size_t>> LargeBlocks::remove_free() {
  std::vector<std::pair<void*, size_t>> segments;
  for (auto block = blocks_.begin(); block != blocks_.end();) {
    const auto& [address, what] = *block;
    if (what.free && what.begins && what.ends) {
      segments.emplace_back(address, what.bytes);
      free_.erase({what.bytes, address});
      block = blocks_.erase(block);
    } else {
      ++block;
    }
  }
  return segments;
}

}  // namespace duel::detail
