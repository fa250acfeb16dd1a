#include "duel/core/device/allocator.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "duel/core/device/internal/allocation_budget.h"
#include "duel/core/device/internal/device_state.h"
#include "duel/core/device/internal/large_blocks.h"
#include "duel/kernels/base/error.h"
#include "duel/kernels/base/runtime.h"

namespace duel {

namespace runtime = kernels::runtime;

namespace detail {
using FreeBlocks = std::unordered_map<size_t, std::vector<void*>>;  // by rounded size

struct MemoryPool {
  FreeBlocks free;
  // freed while the graph was captured, but not its own: it may read them
  std::vector<std::pair<void*, size_t>> kept;
  int64_t bytes = 0;
};
}  // namespace detail

namespace {

using detail::FreeBlocks;
using detail::LargeBlocks;
using detail::MemoryPool;

std::atomic<bool> poison{false};

/// "16 MiB", "1.5 KiB", "640 bytes": at most one decimal.
std::string memory_text(int64_t bytes) {
  const auto in = [bytes](int shift, const char* unit) {
    const int64_t tenths = (bytes * 10 + (int64_t{1} << (shift - 1))) >> shift;
    const std::string whole = std::to_string(tenths / 10), rest = std::to_string(tenths % 10);
    return whole + (rest == "0" ? "" : "." + rest) + unit;
  };
  if (bytes < 1 << 10) return std::to_string(bytes) + " bytes";
  return bytes < 1 << 20 ? in(10, " KiB") : in(20, " MiB");
}

constexpr size_t kPage = 4096;

/// Where blocks come from.
class System {
 public:
  explicit System(Device device) : device_(device) {}
  size_t alignment() const { return device_.is_cuda() ? 512 : 64; }
  /// Null when there is none. On the CPU blocks of 32 KiB and more (which are whole pages, see round_up) begin at
  /// a page: a kernel that reads one and writes another does so at the same offsets. At unlike ones loads wait for
  /// stores whose lowest 12 bits are theirs, which cost sample_norm_backward a third of its speed.
  void* take(size_t bytes) const {
    if (device_.is_cuda()) return runtime::try_allocate_device(bytes);
    return std::aligned_alloc(bytes >= 8 * kPage ? kPage : alignment(), bytes);
  }
  void give(void* block) const { device_.is_cuda() ? runtime::free_device(block) : std::free(block); }
  void fill_with_nan(void* block, size_t bytes) const {
    if (device_.is_cuda()) {
      runtime::fill_bytes(stream_of(device_), block, 0xFF, bytes);
    } else {
      std::memset(block, 0xFF, bytes);
    }
  }
  std::string name() const { return device_.is_cuda() ? to_text(device_) : "the CPU"; }
  std::string left() const {
    return device_.is_cuda()
               ? message(", free on the device {}", memory_text(runtime::memory_info().free_bytes))
               : "";
  }

 private:
  Device device_;
};

class Allocator {
 public:
  explicit Allocator(Device device) : system_(device) {}

  void* allocate(size_t wanted) {
    const size_t bytes = round_up(wanted);
    void* pointer = nullptr;
    {
      std::scoped_lock lock(mutex_);
      pointer = capturing_here() ? for_pool(bytes, wanted) : take_free(bytes);
      if (!pointer) pointer = from_system(bytes, wanted);
      stats_.active_bytes += static_cast<int64_t>(bytes);
      stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.active_bytes);
      ++stats_.allocations;
    }
    if (poison) system_.fill_with_nan(pointer, bytes);
    return pointer;
  }

  void deallocate(void* pointer, size_t wanted) {
    const size_t bytes = round_up(wanted);
    std::scoped_lock lock(mutex_);
    stats_.active_bytes -= static_cast<int64_t>(bytes);
    if (holds_ > 0) {
      stats_.cached_bytes += static_cast<int64_t>(bytes);
      held_.emplace_back(pointer, bytes);
    } else {
      put_back(pointer, bytes);
    }
  }

  void hold() {
    std::scoped_lock lock(mutex_);
    ++holds_;
  }
  void unhold() {
    std::scoped_lock lock(mutex_);
    if (--holds_ > 0) return;
    for (const auto& [pointer, bytes] : held_) {
      stats_.cached_bytes -= static_cast<int64_t>(bytes);
      put_back(pointer, bytes);
    }
    held_.clear();
  }

  void begin_pool(MemoryPool* pool) {
    std::scoped_lock lock(mutex_);
    DUEL_CHECK(capture_ == nullptr, "allocator", "a graph is being captured on this device already");
    capture_ = pool;
    capture_thread_ = std::this_thread::get_id();
  }
  void end_pool() {
    std::scoped_lock lock(mutex_);
    capture_ = nullptr;
  }
  void release_pool(MemoryPool* pool) {
    std::scoped_lock lock(mutex_);
    std::erase_if(owner_, [&](const auto& entry) { return entry.second == pool; });
    const auto back = [&](void* pointer, size_t bytes) {
      stats_.graph_bytes -= static_cast<int64_t>(bytes);
      put_back(pointer, bytes);
    };
    for (const auto& [bytes, blocks] : pool->free) {
      for (void* block : blocks) back(block, bytes);
    }
    for (const auto& [block, bytes] : pool->kept) back(block, bytes);
    delete pool;
  }
  int64_t pool_bytes(const MemoryPool* pool) {
    std::scoped_lock lock(mutex_);
    return pool->bytes;
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
    if (over_limit(0)) release_cached();
  }
  void empty_cache() {
    std::scoped_lock lock(mutex_);
    release_cached();
  }

 private:
  // Small sizes grow in steps of an eighth of a power of two: at most 12.5 % is wasted, and few distinct sizes
  // exist. Large ones, which are cut, in steps of 16 pages.
  size_t round_up(size_t bytes) const {
    if (is_large(bytes)) return round_to_cut(bytes);
    const size_t step = std::max(system_.alignment(), std::bit_floor(std::max<size_t>(bytes, 1)) / 8);
    return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
  }

  static size_t round_to_cut(size_t bytes) {
    constexpr size_t kStep = 16 * kPage;
    return (bytes + kStep - 1) / kStep * kStep;
  }

  bool capturing_here() const { return capture_ != nullptr && capture_thread_ == std::this_thread::get_id(); }

  static void* pop(FreeBlocks& free, size_t bytes) {
    const auto found = free.find(bytes);
    if (found == free.end() || found->second.empty()) return nullptr;
    void* pointer = found->second.back();
    found->second.pop_back();
    return pointer;
  }

  static bool is_large(size_t bytes) { return bytes >= LargeBlocks::kLeast; }

  /// A free block that belongs to no graph.
  void* take_free(size_t bytes) {
    void* pointer = is_large(bytes) ? large_.take(bytes) : pop(small_, bytes);
    if (pointer) stats_.cached_bytes -= static_cast<int64_t>(bytes);
    return pointer;
  }

  /// A block of the pool, or one that becomes so.
  void* for_pool(size_t bytes, size_t wanted) {
    if (void* own = pop(capture_->free, bytes)) {
      stats_.graph_bytes -= static_cast<int64_t>(bytes);
      return own;
    }
    void* fresh = take_free(bytes);
    if (!fresh) fresh = from_system(bytes, wanted);
    owner_.emplace(fresh, capture_);
    capture_->bytes += static_cast<int64_t>(bytes);
    return fresh;
  }

  void put_back(void* pointer, size_t bytes) {
    const auto owner = owner_.find(pointer);
    if (owner != owner_.end()) {
      stats_.graph_bytes += static_cast<int64_t>(bytes);
      owner->second->free[bytes].push_back(pointer);
    } else if (capturing_here()) {
      stats_.graph_bytes += static_cast<int64_t>(bytes);
      capture_->bytes += static_cast<int64_t>(bytes);
      capture_->kept.emplace_back(pointer, bytes);
    } else {
      stats_.cached_bytes += static_cast<int64_t>(bytes);
      const bool cut = is_large(bytes) || (!borrowed_.empty() && borrowed_.erase(pointer) > 0);
      cut ? large_.put(pointer) : small_[bytes].push_back(pointer);
    }
  }

  bool over_limit(size_t bytes) const {
    return limit_ > 0 &&
           stats_.active_bytes + stats_.cached_bytes + stats_.graph_bytes + static_cast<int64_t>(bytes) >
               limit_;
  }

  void* try_system(size_t bytes) { return over_limit(bytes) ? nullptr : system_.take(bytes); }

  /// A block at the beginning of a new segment; where there is no room for a whole one, of a smaller one.
  void* segment_for(size_t bytes) {
    for (const size_t segment_bytes : {std::max(bytes, LargeBlocks::kSegment), bytes}) {
      if (void* segment = try_system(segment_bytes)) {
        stats_.cached_bytes += static_cast<int64_t>(segment_bytes - bytes);
        return large_.add(segment, segment_bytes, bytes);
      }
      if (segment_bytes == bytes) break;
    }
    return nullptr;
  }

  void* from_system(size_t bytes, size_t wanted) {
    void* pointer = is_large(bytes) ? segment_for(bytes) : try_system(bytes);
    if (!pointer && stats_.cached_bytes > 0) {
      release_cached();
      pointer = is_large(bytes) ? segment_for(bytes) : try_system(bytes);
    }
    if (!pointer && !is_large(bytes)) {
      // The rest of a segment in use is all that is left. Of the last page what is not asked for still counts as cached.
      pointer = large_.take(round_to_cut(bytes));
      if (pointer) {
        borrowed_.insert(pointer);
        stats_.cached_bytes -= static_cast<int64_t>(bytes);
        return pointer;
      }
    }
    if (!pointer) {
      throw OutOfMemory(
          message("[allocator] out of memory on {}: wanted {}, in use {}, cached {}{}{}, limit {}. "
                  "A smaller batch needs less",
                  system_.name(), memory_text(static_cast<int64_t>(wanted)), memory_text(stats_.active_bytes),
                  memory_text(stats_.cached_bytes),
                  stats_.graph_bytes > 0 ? message(", kept by graphs {}", memory_text(stats_.graph_bytes))
                                         : std::string(),
                  system_.left(), limit_ > 0 ? memory_text(limit_) : std::string("none")));
    }
    ++stats_.system_allocations;
    return pointer;
  }

  /// Not during a capture: to give memory back, CUDA waits for the device.
  void release_cached() {
    if (capture_ != nullptr) return;
    const auto give = [&](void* block, size_t bytes) {
      system_.give(block);
      stats_.cached_bytes -= static_cast<int64_t>(bytes);
    };
    for (auto& [bytes, blocks] : small_) {
      for (void* block : blocks) give(block, bytes);
      blocks.clear();
    }
    for (const auto& [segment, bytes] : large_.remove_free()) give(segment, bytes);
  }

  System system_;
  std::mutex mutex_;
  FreeBlocks small_;
  LargeBlocks large_;
  std::unordered_set<void*> borrowed_;            // small blocks that were cut from segments
  std::unordered_map<void*, MemoryPool*> owner_;  // of blocks that belong to a graph
  std::vector<std::pair<void*, size_t>> held_;    // freed while side streams worked
  int holds_ = 0;
  MemoryPool* capture_ = nullptr;
  std::thread::id capture_thread_;
  AllocatorStats stats_;
  int64_t limit_ = 0;
};

Allocator& of(Device device) {
  // Never destroyed: tensors of static storage duration may outlive any order of destruction.
  if (!device.is_cuda()) {
    static auto* host = new Allocator(Device::cpu());
    return *host;
  }
  detail::use_device(device, "allocator");
  static std::mutex mutex;
  static auto* devices = new std::map<int, std::unique_ptr<Allocator>>;
  std::scoped_lock lock(mutex);
  auto& found = (*devices)[device.index];
  if (!found) found = std::make_unique<Allocator>(device);
  return *found;
}

}  // namespace

AllocatorStats allocator_stats(Device device) { return of(device).stats(); }
void reset_allocator_peak(Device device) { of(device).reset_peak(); }
void set_allocator_limit(Device device, int64_t bytes) { of(device).set_limit(bytes); }
void empty_allocator_cache(Device device) { of(device).empty_cache(); }
void set_allocator_poison(bool on) { poison = on; }

namespace detail {
void* allocate(Device device, size_t bytes) {
  charge_budget(bytes);
  return of(device).allocate(bytes);
}
void deallocate(Device device, void* pointer, size_t bytes) { of(device).deallocate(pointer, bytes); }
MemoryPool* make_pool(Device device) { return of(device), new MemoryPool; }
void release_pool(Device device, MemoryPool* pool) { of(device).release_pool(pool); }
void begin_pool(Device device, MemoryPool* pool) { of(device).begin_pool(pool); }
void end_pool(Device device) { of(device).end_pool(); }
int64_t pool_bytes(Device device, MemoryPool* pool) { return of(device).pool_bytes(pool); }
void hold_freed_blocks(Device device) { of(device).hold(); }
void release_freed_blocks(Device device) { of(device).unhold(); }
}  // namespace detail

}  // namespace duel
