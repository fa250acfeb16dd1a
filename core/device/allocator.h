// The caching allocators behind every tensor, one per device: freed blocks are kept and handed out again, small ones by size and
// large ones cut to it (internal/large_blocks.h), so that a training loop allocates from the system only in its first steps.
//
// Note [Stream-ordered blocks]
// On a GPU a freed block is handed out again at once, although kernels that use it may not have run yet:
// whatever gets it next runs after them on the one compute stream. While side streams work (side_streams.h),
// freed blocks wait until those have joined. What a captured graph uses stays its own until it dies
// (graph.h), so that replays find their addresses.
//
// Example:
//   auto before = allocator_stats(Device{}).active_bytes;
//   set_allocator_limit(Device{}, 400 << 20);   // allocations beyond throw Error with the sizes
#pragma once

#include <cstddef>
#include <cstdint>

#include "duel/core/device/device.h"

namespace duel {

/// All in bytes, but for the counters.
struct AllocatorStats {
  int64_t active_bytes = 0;        // in blocks that somebody holds
  int64_t peak_bytes = 0;          // highest active_bytes since the last reset_peak
  int64_t cached_bytes = 0;        // in free blocks kept for reuse
  int64_t graph_bytes = 0;         // in blocks that nobody holds, but captured graphs keep
  int64_t allocations = 0;         // requests served
  int64_t system_allocations = 0;  // of those, passed on to the system
};

AllocatorStats allocator_stats(Device device);
void reset_allocator_peak(Device device);
/// Bytes that all blocks may take together; 0 = no limit. Cached ones are given back where they are more by now.
void set_allocator_limit(Device device, int64_t bytes);
/// Gives cached blocks back to the system, but for the rest of a segment of which some block is in use.
void empty_allocator_cache(Device device);
/// Fills every block handed out, on any device, with 0xFF (NaN in floating types), so that a result nobody
/// wrote is seen.
void set_allocator_poison(bool on);

namespace detail {

/// 64-byte aligned (from 32 KiB on page-aligned), on a GPU 512. Throws OutOfMemory ("out of memory: wanted …, in
/// use …, cached …").
void* allocate(Device device, size_t bytes);
void deallocate(Device device, void* pointer, size_t bytes);

/// Blocks that belong to one captured graph.
struct MemoryPool;
MemoryPool* make_pool(Device device);
/// Its free blocks become ordinary ones; so do the others when they are freed.
void release_pool(Device device, MemoryPool* pool);
/// From begin to end, this thread's allocations on the device come from the pool, and what it frees stays
/// reserved.
void begin_pool(Device device, MemoryPool* pool);
void end_pool(Device device);
/// Bytes of all blocks of the pool.
int64_t pool_bytes(Device device, MemoryPool* pool);

/// Between these, freed blocks wait: side streams may still use them.
void hold_freed_blocks(Device device);
void release_freed_blocks(Device device);

}  // namespace detail

}  // namespace duel
