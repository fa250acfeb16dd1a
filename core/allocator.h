// The caching allocator behind every tensor: freed blocks are kept by size and handed out again, so that
// a training loop allocates from the system only in its first steps.
//
// Example:
//   auto before = allocator_stats(Device{}).active_bytes;
//   set_allocator_limit(Device{}, 400 << 20);   // allocations beyond throw Error with the sizes
#pragma once

#include <cstddef>
#include <cstdint>

#include "duel/core/device.h"

namespace duel {

/// All in bytes, but for the counters.
struct AllocatorStats {
  int64_t active_bytes = 0;   // in blocks that somebody holds
  int64_t peak_bytes = 0;     // highest active_bytes since the last reset_peak
  int64_t cached_bytes = 0;   // in free blocks kept for reuse
  int64_t allocations = 0;    // requests served
  int64_t system_allocations = 0;  // of those, passed on to the system
};

AllocatorStats allocator_stats(Device device);
void reset_allocator_peak(Device device);
/// Bytes that active and cached blocks may take together; 0 = no limit.
void set_allocator_limit(Device device, int64_t bytes);
/// Gives cached blocks back to the system.
void empty_allocator_cache(Device device);
/// Fills every block handed out with 0xFF (NaN in floating types), so that a result nobody wrote is seen.
void set_allocator_poison(bool on);

namespace detail {
/// 64-byte aligned. Throws Error ("out of memory: wanted …, in use …, cached …").
void* allocate(Device device, size_t bytes);
void deallocate(Device device, void* pointer, size_t bytes);
}  // namespace detail

}  // namespace duel
