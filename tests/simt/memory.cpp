// Every load and store of a kernel comes by here: Note [How accesses are seen] in engine.h.
//
// Note [Races on shared memory]
// A byte remembers its last writer and two readers since. Two accesses of different threads, one of them a
// write, are ordered by a block barrier between them, or, within a warp, by __syncwarp: each lane keeps a
// vector clock of its warp. Shuffles and votes order nothing, as CUDA promises nothing. Two atomics do not
// race. Races on global memory are found by the order of lanes and blocks instead (run_all_orders), or not at
// all when they do no harm: several threads may store the same value.
#include <link.h>

#include <algorithm>
#include <cstring>

#include "engine.h"

namespace duel::simt {
namespace {

thread_local Worker* t_worker = nullptr;
thread_local Fiber* t_fiber = nullptr;
thread_local Fiber* t_watched = nullptr;  // t_fiber while its own code runs, else null

constexpr int kSpins = 4096;              // reads of one address in a row until another thread gets a turn
constexpr uint64_t kAccesses = 1u << 28;  // of one thread; about ten seconds

std::vector<Region*> live;

std::atomic<bool> host_watched{false};
std::mutex host_mutex;
uintptr_t host_pc = 0;
std::string host_what;

struct Image {
  struct Range {
    uintptr_t begin, end;
  };
  std::vector<Range> constant;
  size_t tls_bytes = 0;
};

int read_headers(dl_phdr_info* info, size_t, void* raw) {
  auto& image = *static_cast<Image*>(raw);
  for (int k = 0; k < info->dlpi_phnum; ++k) {
    const auto& header = info->dlpi_phdr[k];
    const bool constant =
        (header.p_type == PT_LOAD && (header.p_flags & PF_W) == 0) || header.p_type == PT_GNU_RELRO;
    const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    if (constant) image.constant.push_back({begin, begin + header.p_memsz});
    if (header.p_type == PT_TLS) image.tls_bytes = header.p_memsz;
  }
  return 1;  // the program itself comes first
}

const Image& image() {
  static const Image found = [] {
    Image image;
    dl_iterate_phdr(read_headers, &image);
    return image;
  }();
  return found;
}

[[noreturn]] void fail(Fault fault, const std::string& what, uintptr_t pc) {
  t_worker->fail(fault, what, pc);
}

/// Has `fiber` synchronised with thread `other` since that one's time `clock`? Same epoch given.
bool ordered(const Worker& worker, const Fiber& fiber, int other, uint32_t clock) {
  const Fiber& before = worker.fibers[static_cast<size_t>(other)];
  return before.warp == fiber.warp && fiber.clock[static_cast<size_t>(before.lane)] >= clock;
}

[[noreturn]] void race(Worker& worker, int other, Access access, bool other_wrote, uintptr_t other_pc,
                       size_t at, bool is_static, uintptr_t pc) {
  const Unwatched unwatched;
  Site there;
  if (other_pc != 0) there.pc[static_cast<size_t>(there.depth++)] = other_pc;
  worker.fail(Fault::race,
              verb(access) + std::string(is_static ? "static" : "dynamic") + " shared memory (byte " +
                  std::to_string(at) + ") which " +
                  worker.describe(worker.fibers[static_cast<size_t>(other)]) +
                  (other_wrote ? " wrote" : " read") + (other_pc != 0 ? " at {other}" : "") +
                  " with no barrier between",
              site_of(*t_fiber, pc), there);
}

void note_reader(Cell& cell, const Worker& worker, const Fiber& fiber, bool atomic) {
  int slot = -1;
  for (int k = 0; k < 2; ++k) {
    if (cell.reader[k] == fiber.linear || (slot < 0 && cell.reader[k] < 0)) slot = k;
  }
  if (slot < 0) {
    // Two readers of different warps already clash with any writer but their own; otherwise the newest stays.
    const int a = worker.fibers[static_cast<size_t>(cell.reader[0])].warp;
    const int b = worker.fibers[static_cast<size_t>(cell.reader[1])].warp;
    if (a != b) return;
    slot = 1;
  }
  cell.reader[slot] = static_cast<int16_t>(fiber.linear);
  cell.read_clock[slot] = fiber.clock[static_cast<size_t>(fiber.lane)];
  cell.read_atomic[slot] = atomic;
}

void check_shared(Worker& worker, Fiber& fiber, Cell* cells, size_t at, size_t bytes, bool is_static,
                  Access access, uintptr_t pc) {
  const bool atomic = access == Access::atomic;
  for (size_t k = at; k < at + bytes; ++k) {
    Cell& cell = cells[k];
    if (cell.block_serial != worker.block_serial) {
      cell = Cell{};
      cell.block_serial = worker.block_serial;
      cell.epoch = worker.epoch;
    } else if (cell.epoch != worker.epoch) {
      cell.writer = cell.reader[0] = cell.reader[1] = -1;
      cell.epoch = worker.epoch;
    }
    if (access != Access::write && !cell.written) {
      const Unwatched unwatched;
      fail(Fault::uninitialised,
           verb(access) + std::string(is_static ? "static" : "dynamic") + " shared memory (byte " +
               std::to_string(k) + ") that no thread of the block has written",
           pc);
    }
    if (cell.writer >= 0 && cell.writer != fiber.linear && !(atomic && cell.write_atomic) &&
        !ordered(worker, fiber, cell.writer, cell.write_clock)) {
      race(worker, cell.writer, access, true, cell.write_pc, k, is_static, pc);
    }
    if (access == Access::read) {
      note_reader(cell, worker, fiber, false);
      continue;
    }
    for (int r = 0; r < 2; ++r) {
      const int reader = cell.reader[r];
      if (reader >= 0 && reader != fiber.linear && !ordered(worker, fiber, reader, cell.read_clock[r])) {
        race(worker, reader, access, false, 0, k, is_static, pc);
      }
    }
    cell.written = true;
    cell.write_atomic = atomic;
    cell.writer = static_cast<int16_t>(fiber.linear);
    cell.write_clock = fiber.clock[static_cast<size_t>(fiber.lane)];
    cell.write_pc = pc;
    cell.reader[0] = cell.reader[1] = -1;
  }
}

void check_region(Region& region, size_t at, size_t bytes, Access access, uintptr_t pc) {
  if (at + bytes > region.bytes()) {
    const Unwatched unwatched;
    fail(Fault::out_of_bounds,
         verb(access) + std::to_string(bytes) + " bytes across the end of " + quoted(region), pc);
  }
  if (access != Access::read && region.role() == Role::in) {
    const Unwatched unwatched;
    fail(Fault::write_to_input,
         verb(access) + std::string("element ") + std::to_string(at / region.element()) + " of " +
             quoted(region),
         pc);
  }
  if (region.role() == Role::in || region.role() == Role::in_out) return;
  unsigned char* flags = region.flags() + at;
  if (access == Access::write) {
    std::memset(flags, 1, bytes);
    return;
  }
  for (size_t k = 0; k < bytes; ++k) {
    if (__atomic_load_n(flags + k, __ATOMIC_RELAXED) == 0) {
      const Unwatched unwatched;
      fail(Fault::uninitialised,
           verb(access) + std::string("element ") + std::to_string((at + k) / region.element()) + " of " +
               quoted(region) + ", which nothing has been written to",
           pc);
    }
  }
}

void host_access(const char* address, uintptr_t pc) {
  const Region* region = region_at(address);
  if (region == nullptr) return;
  std::scoped_lock lock(host_mutex);
  if (host_pc != 0) return;
  host_pc = pc;
  host_what = quoted(*region);
}

void count(Worker& worker, Fiber& fiber, const void* address, Access access, uintptr_t pc) {
  if (++fiber.accesses > kAccesses) {
    const Unwatched unwatched;
    worker.fail(Fault::deadlock, "does not end: more than 2^28 accesses", pc);
  }
  if (access == Access::write || fiber.spin_address != address) {
    fiber.spin_address = access == Access::write ? nullptr : address;
    fiber.spins = fiber.yields = 0;
  } else if (++fiber.spins > kSpins) {
    fiber.spins = 0;
    const Unwatched unwatched;
    worker.yield_spinning(fiber, pc);
  }
}

void check_watched(Fiber& fiber, const char* p, size_t bytes, size_t alignment, Access access, uintptr_t pc) {
  Worker& worker = *t_worker;
  if (reinterpret_cast<uintptr_t>(p) % alignment != 0) {
    const Unwatched unwatched;
    fail(Fault::misaligned,
         verb(access) + std::to_string(bytes) + " bytes at an address that is no multiple of " +
             std::to_string(alignment),
         pc);
  }
  if (p >= worker.dynamic_shared && p < worker.dynamic_shared + kSharedArena) {
    const auto at = static_cast<size_t>(p - worker.dynamic_shared);
    if (at + bytes > worker.launch->shared_bytes) {
      const Unwatched unwatched;
      fail(Fault::out_of_bounds,
           verb(access) + std::to_string(bytes) + " bytes at byte " + std::to_string(at) +
               " of dynamic shared memory; the launch gave " + std::to_string(worker.launch->shared_bytes),
           pc);
    }
    check_shared(worker, fiber, worker.dynamic_cells.get(), at, bytes, false, access, pc);
    count(worker, fiber, p, access, pc);
    return;
  }
  if (p >= worker.tls_low && p < worker.tls_low + worker.tls_bytes) {
    const auto at = static_cast<size_t>(p - worker.tls_low);
    check_shared(worker, fiber, worker.tls_cells.data(), at, bytes, true, access, pc);
    count(worker, fiber, p, access, pc);
    return;
  }
  if (Region* region = region_at(p)) {
    check_region(
        *region,
        static_cast<size_t>(reinterpret_cast<unsigned char*>(const_cast<char*>(p)) - region->begin()), bytes,
        access, pc);
    count(worker, fiber, p, access, pc);
    return;
  }
  if (access == Access::read) {
    const char* arguments = static_cast<const char*>(worker.launch->arguments);
    if (p >= arguments && p + bytes <= arguments + worker.launch->argument_bytes) return;
    const auto number = reinterpret_cast<uintptr_t>(p);
    for (const auto& range : image().constant) {
      if (number >= range.begin && number + bytes <= range.end) return;
    }
  }
  const Unwatched unwatched;
  for (int k = 0; k < worker.threads; ++k) {
    const Fiber& other = worker.fibers[static_cast<size_t>(k)];
    if (p >= other.stack_low && p < other.stack_high) {
      fail(Fault::out_of_bounds, verb(access) + std::string("local memory of ") + worker.describe(other), pc);
    }
  }
  fail(Fault::out_of_bounds, verb(access) + std::to_string(bytes) + " bytes at " + nearest(p), pc);
}

}  // namespace

Region* region_at(const char* address) {
  const auto* p = reinterpret_cast<const unsigned char*>(address);
  auto above = std::upper_bound(live.begin(), live.end(), p,
                                [](const unsigned char* a, const Region* r) { return a < r->begin(); });
  while (above != live.begin()) {
    Region* region = *--above;
    if (p < region->begin() + region->bytes()) return region;
    if (region->bytes() > 0) break;  // empty ones may share a place
  }
  return nullptr;
}

std::string quoted(const Region& region) {
  static constexpr const char* kRoles[] = {"input", "output", "in-out buffer", "scratch buffer",
                                           "device memory"};
  return kRoles[static_cast<int>(region.role())] + (region.name().empty() ? "" : " '" + region.name() + "'") +
         " of " + std::to_string(region.bytes() / region.element()) + " elements";
}

/// "4 bytes past the end of output 'y' of 100 elements"
std::string nearest(const char* address) {
  const auto* p = reinterpret_cast<const unsigned char*>(address);
  const Region* best = nullptr;
  ptrdiff_t distance = 0;
  for (const Region* region : live) {
    const ptrdiff_t away =
        p < region->begin() ? region->begin() - p : p - (region->begin() + region->bytes());
    if (best == nullptr || away < distance) {
      best = region;
      distance = away;
    }
  }
  if (address == nullptr || best == nullptr || distance > (1 << 24)) return "an address outside all buffers";
  return std::to_string(distance) + " bytes " +
         (p < best->begin() ? "before the beginning of " : "past the end of ") + quoted(*best);
}

const char* verb(Access access) {
  return access == Access::read ? "reads " : access == Access::write ? "writes " : "changes (atomic) ";
}

Worker* current_worker() { return t_worker; }
Fiber* current_fiber() { return t_fiber; }
void set_current(Worker* worker, Fiber* fiber) {
  t_worker = worker;
  t_fiber = t_watched = fiber;
}

Unwatched::Unwatched() { t_watched = nullptr; }
Unwatched::~Unwatched() { t_watched = t_fiber; }

void own_tls(char*& low, size_t& bytes) {
  struct Found {
    char* low = nullptr;
  } found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* raw) {
        static_cast<Found*>(raw)->low = static_cast<char*>(info->dlpi_tls_data);
        return 1;
      },
      &found);
  low = found.low;
  bytes = low != nullptr ? image().tls_bytes : 0;
}

void add_region(Region* region) {
  live.push_back(region);
  std::sort(live.begin(), live.end(),
            [](const Region* a, const Region* b) { return a->begin() < b->begin(); });
}
void remove_region(Region* region) { live.erase(std::find(live.begin(), live.end(), region)); }
const std::vector<Region*>& regions() { return live; }

void watch_host(bool on) {
  std::scoped_lock lock(host_mutex);
  if (on) host_pc = 0;
  host_watched = on;
}

bool host_touched(uintptr_t& pc, std::string& what) {
  std::scoped_lock lock(host_mutex);
  pc = host_pc;
  what = host_what;
  return host_pc != 0;
}

void check_access(const void* address, size_t bytes, size_t alignment, Access access, uintptr_t pc) {
  const char* p = static_cast<const char*>(address);
  Fiber* fiber = t_watched;
  if (fiber == nullptr) {
    if (host_watched.load(std::memory_order_relaxed) && t_fiber == nullptr) host_access(p, pc);
    return;
  }
  if (p >= fiber->stack_low && p < fiber->stack_high) return;
  check_watched(*fiber, p, bytes, alignment, access, pc);
}

void begin_shared_write(void* address, size_t bytes, uintptr_t pc) {
  Worker& worker = *t_worker;
  const char* p = static_cast<const char*>(address);
  const bool dynamic = p >= worker.dynamic_shared && p < worker.dynamic_shared + kSharedArena;
  const bool fixed = p >= worker.tls_low && p < worker.tls_low + worker.tls_bytes;
  if (!dynamic && !fixed) {
    const Unwatched unwatched;
    fail(Fault::out_of_bounds, "copies " + std::to_string(bytes) + " bytes to what is no shared memory", pc);
  }
  check_access(address, bytes, bytes, Access::write, pc);
  Cell* cells = dynamic ? worker.dynamic_cells.get() + (p - worker.dynamic_shared)
                        : worker.tls_cells.data() + (p - worker.tls_low);
  for (size_t k = 0; k < bytes; ++k) cells[k].written = false;
}

void check_alignment(const void* address, size_t alignment) {
  if (reinterpret_cast<uintptr_t>(address) % alignment == 0 || t_watched == nullptr) return;
  const auto pc = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  const Unwatched unwatched;
  fail(Fault::misaligned,
       "copies a vector of " + std::to_string(alignment) +
           "-byte alignment at an address that is no multiple of it",
       pc);
}

}  // namespace duel::simt

// What g++ and clang call under -fsanitize=thread.
#define DUEL_SIMT_PC (reinterpret_cast<uintptr_t>(__builtin_return_address(0)))
#define DUEL_SIMT_HOOK(NAME, BYTES, ALIGNMENT, ACCESS)                                             \
  extern "C" void NAME(void* address);                                                             \
  void NAME(void* address) {                                                                       \
    duel::simt::check_access(address, BYTES, ALIGNMENT, duel::simt::Access::ACCESS, DUEL_SIMT_PC); \
  }
#define DUEL_SIMT_HOOKS(BYTES, ALIGNMENT)                             \
  DUEL_SIMT_HOOK(__tsan_read##BYTES, BYTES, ALIGNMENT, read)          \
  DUEL_SIMT_HOOK(__tsan_write##BYTES, BYTES, ALIGNMENT, write)        \
  DUEL_SIMT_HOOK(__tsan_unaligned_read##BYTES, BYTES, 1, read)        \
  DUEL_SIMT_HOOK(__tsan_unaligned_write##BYTES, BYTES, 1, write)      \
  DUEL_SIMT_HOOK(__tsan_volatile_read##BYTES, BYTES, ALIGNMENT, read) \
  DUEL_SIMT_HOOK(__tsan_volatile_write##BYTES, BYTES, ALIGNMENT, write)
DUEL_SIMT_HOOKS(1, 1)
DUEL_SIMT_HOOKS(2, 2)
DUEL_SIMT_HOOKS(4, 4)
DUEL_SIMT_HOOKS(8, 8)
DUEL_SIMT_HOOKS(16, 8)  // g++ also copies two doubles at once; CUDA's vector types check themselves

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void* caller) {
  duel::simt::Fiber* fiber = duel::simt::t_watched;
  if (fiber == nullptr) return;
  duel::simt::Site& calls = fiber->calls;
  if (calls.depth < duel::simt::Site::kDepth) {
    calls.pc[static_cast<size_t>(calls.depth)] = reinterpret_cast<uintptr_t>(caller);
  }
  ++calls.depth;
}
void __tsan_func_exit() {
  if (duel::simt::t_watched != nullptr) --duel::simt::t_watched->calls.depth;
}
void __tsan_read_range(void* address, unsigned long bytes) {
  duel::simt::check_access(address, bytes, 1, duel::simt::Access::read, DUEL_SIMT_PC);
}
void __tsan_write_range(void* address, unsigned long bytes) {
  duel::simt::check_access(address, bytes, 1, duel::simt::Access::write, DUEL_SIMT_PC);
}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void* __tsan_memcpy(void* to, const void* from, unsigned long bytes) {
  duel::simt::check_access(from, bytes, 1, duel::simt::Access::read, DUEL_SIMT_PC);
  duel::simt::check_access(to, bytes, 1, duel::simt::Access::write, DUEL_SIMT_PC);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memset(void* to, int value, unsigned long bytes) {
  duel::simt::check_access(to, bytes, 1, duel::simt::Access::write, DUEL_SIMT_PC);
  return std::memset(to, value, bytes);
}
}
