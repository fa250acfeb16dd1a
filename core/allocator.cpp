#include "duel/core/allocator.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "duel/kernels/error.h"

namespace duel {
namespace {

constexpr size_t kAlignment = 64;

// Sizes grow in steps of an eighth of a power of two: at most 12.5 % is wasted, and few distinct sizes exist.
size_t round_up(size_t bytes) {
  const size_t step = std::max(kAlignment, std::bit_floor(std::max<size_t>(bytes, 1)) / 8);
  return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
}

std::string megabytes(int64_t bytes) { return std::to_string((bytes + (1 << 19)) >> 20) + " MiB"; }

class HostAllocator {
 public:
  // Never destroyed: tensors of static storage duration may outlive any order of destruction.
  static HostAllocator& instance() {
    static auto* allocator = new HostAllocator;
    return *allocator;
  }

  void* allocate(size_t wanted) {
    const size_t bytes = round_up(wanted);
    std::scoped_lock lock(mutex_);
    void* pointer = take_cached(bytes);
    if (!pointer) pointer = from_system(bytes, wanted);
    stats_.active_bytes += static_cast<int64_t>(bytes);
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.active_bytes);
    ++stats_.allocations;
    if (poison_) std::memset(pointer, 0xFF, bytes);
    return pointer;
  }

  void deallocate(void* pointer, size_t wanted) {
    const size_t bytes = round_up(wanted);
    std::scoped_lock lock(mutex_);
    free_[bytes].push_back(pointer);
    stats_.active_bytes -= static_cast<int64_t>(bytes);
    stats_.cached_bytes += static_cast<int64_t>(bytes);
  }

  AllocatorStats stats() {
    std::scoped_lock lock(mutex_);
    return stats_;
  }
  void reset_peak() {
    std::scoped_lock lock(mutex_);
    stats_.peak_bytes = stats_.active_bytes;
  }
  void set_limit(int64_t bytes) {
    std::scoped_lock lock(mutex_);
    limit_ = bytes;
  }
  void set_poison(bool on) {
    std::scoped_lock lock(mutex_);
    poison_ = on;
  }
  void empty_cache() {
    std::scoped_lock lock(mutex_);
    release_cached();
  }

 private:
  void* take_cached(size_t bytes) {
    const auto found = free_.find(bytes);
    if (found == free_.end() || found->second.empty()) return nullptr;
    void* pointer = found->second.back();
    found->second.pop_back();
    stats_.cached_bytes -= static_cast<int64_t>(bytes);
    return pointer;
  }

  bool over_limit(size_t bytes) const {
    return limit_ > 0 && stats_.active_bytes + stats_.cached_bytes + static_cast<int64_t>(bytes) > limit_;
  }

  void* from_system(size_t bytes, size_t wanted) {
    if (over_limit(bytes)) release_cached();
    void* pointer = over_limit(bytes) ? nullptr : std::aligned_alloc(kAlignment, bytes);
    if (!pointer && stats_.cached_bytes > 0) {
      release_cached();
      pointer = over_limit(bytes) ? nullptr : std::aligned_alloc(kAlignment, bytes);
    }
    if (!pointer) {
      fail("allocator", "out of memory on the CPU: wanted {}, in use {}, cached {}, limit {}. A smaller batch needs less",
           megabytes(static_cast<int64_t>(wanted)), megabytes(stats_.active_bytes), megabytes(stats_.cached_bytes),
           limit_ > 0 ? megabytes(limit_) : std::string("none"));
    }
    ++stats_.system_allocations;
    return pointer;
  }

  void release_cached() {
    for (auto& [bytes, blocks] : free_) {
      for (void* block : blocks) std::free(block);
      blocks.clear();
    }
    stats_.cached_bytes = 0;
  }

  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<void*>> free_;
  AllocatorStats stats_;
  int64_t limit_ = 0;
  bool poison_ = false;
};

HostAllocator& of(Device device) {
  DUEL_CHECK(device.kind == Device::Kind::cpu, "allocator", "this build of Duel has no memory on {}", device);
  return HostAllocator::instance();
}

}  // namespace

AllocatorStats allocator_stats(Device device) { return of(device).stats(); }
void reset_allocator_peak(Device device) { of(device).reset_peak(); }
void set_allocator_limit(Device device, int64_t bytes) { of(device).set_limit(bytes); }
void empty_allocator_cache(Device device) { of(device).empty_cache(); }
void set_allocator_poison(bool on) { HostAllocator::instance().set_poison(on); }

namespace detail {
void* allocate(Device device, size_t bytes) { return of(device).allocate(bytes); }
void deallocate(Device device, void* pointer, size_t bytes) { of(device).deallocate(pointer, bytes); }
}  // namespace detail

}  // namespace duel
