// Warp operations, barriers as kernels call them, and atomics.
#include <atomic>
#include <bit>
#include <cstring>

#include "engine.h"
#include "host_cuda.h"
#include "tensor_core.h"

#define DUEL_SIMT_CALLER (reinterpret_cast<uintptr_t>(__builtin_return_address(0)))

namespace duel::simt {
namespace {

uint64_t at_barrier(Op op, const char* name, bool value, uintptr_t pc) {
  const Unwatched unwatched;
  Fiber& fiber = *current_fiber();
  fiber.request = {op, name, 0, 0, value, 0, 0, 0, pc};
  current_worker()->arrive_at_barrier(fiber);
  return fiber.request.result;
}

uint64_t at_warp_op(const Request& request) {
  const Unwatched unwatched;
  Fiber& fiber = *current_fiber();
  fiber.request = request;
  current_worker()->arrive_at_warp_op(fiber);
  return fiber.request.result;
}

/// The lane that `lane` reads, as PTX defines it (shfl.sync), in groups of `width` lanes.
int source_lane(Shuffle kind, int lane, int argument, int width) {
  const int first = lane & ~(width - 1), last = first + width - 1;
  switch (kind) {
    case Shuffle::index:
      return first | (argument & (width - 1));
    case Shuffle::up:
      return lane - argument >= first ? lane - argument : lane;
    case Shuffle::down:
      return lane + argument <= last ? lane + argument : lane;
    case Shuffle::exclusive_or:
      return (lane ^ argument) <= last ? lane ^ argument : lane;
  }
  return lane;
}

uint64_t combine(Reduction kind, bool is_signed, uint64_t a, uint64_t b) {
  const auto x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
  const bool less = is_signed ? static_cast<int32_t>(x) < static_cast<int32_t>(y) : x < y;
  switch (kind) {
    case Reduction::add:
      return x + y;
    case Reduction::min:
      return less ? x : y;
    case Reduction::max:
      return less ? y : x;
    case Reduction::bit_and:
      return x & y;
    case Reduction::bit_or:
      return x | y;
    case Reduction::bit_xor:
      return x ^ y;
  }
  return 0;
}

/// What a lane brings to multiply_add_tf32.
struct Factors {
  float* sums;
  const unsigned *a, *b;
};

}  // namespace

void complete_warp_op(Worker& worker, int warp, uint32_t mask) {
  const auto fiber_of = [&](int lane) -> Fiber& {
    return worker.fibers[static_cast<size_t>(warp * kWarp + lane)];
  };
  const int leader = std::countr_zero(mask);
  const Request first = fiber_of(leader).request;
  uint64_t common = 0;
  if (first.op == Op::vote) {
    uint32_t ballot = 0;
    for (uint32_t left = mask; left != 0; left &= left - 1) {
      const int lane = std::countr_zero(left);
      if (fiber_of(lane).request.value != 0) ballot |= 1u << lane;
    }
    const auto kind = static_cast<Vote>(first.variant);
    common = kind == Vote::ballot ? ballot : kind == Vote::any ? ballot != 0 : ballot == mask;
  }
  if (first.op == Op::reduce) {
    common = static_cast<uint32_t>(first.value);
    for (uint32_t left = mask & (mask - 1); left != 0; left &= left - 1) {
      common = combine(static_cast<Reduction>(first.variant), first.argument != 0, common,
                       fiber_of(std::countr_zero(left)).request.value);
    }
  }
  if (first.op == Op::syncwarp) join_clocks(worker, warp, mask);
  if (first.op == Op::multiply) {
    const auto of = [&](size_t lane) -> const Factors& {
      return *reinterpret_cast<const Factors*>(fiber_of(static_cast<int>(lane)).request.value);
    };
    float sums[32][4];
    multiply_warp_tf32([&](size_t lane, size_t k) { return of(lane).a[k]; },
                       [&](size_t lane, size_t k) { return of(lane).b[k]; },
                       [&](size_t lane, size_t k) { return of(lane).sums[k]; },
                       [&](size_t lane, size_t k, float sum) { sums[lane][k] = sum; });
    for (size_t lane = 0; lane < 32; ++lane) std::memcpy(of(lane).sums, sums[lane], sizeof(sums[lane]));
  }
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    Fiber& fiber = fiber_of(lane);
    Request& mine = fiber.request;
    mine.result = common;
    if (first.op == Op::shuffle) {
      const int from = source_lane(static_cast<Shuffle>(mine.variant), lane, mine.argument, mine.width);
      if ((mask >> from & 1) == 0) {
        worker.fail(Fault::bad_source_lane,
                    "a shuffle for " + worker.describe(fiber) + " reads lane " + std::to_string(from) +
                        ", which its mask does not name",
                    mine.pc);
      }
      mine.result = fiber_of(from).request.value;
    }
    if (first.op == Op::match) {
      uint32_t equal = 0;
      for (uint32_t others = mask; others != 0; others &= others - 1) {
        const int other = std::countr_zero(others);
        if (fiber_of(other).request.value == mine.value) equal |= 1u << other;
      }
      mine.result = equal;
    }
    fiber.state = State::ready;
    --worker.at_warp_op;
  }
}

void join_clocks(Worker& worker, int warp, uint32_t mask) {
  std::array<uint32_t, kWarp> joined{};
  const auto clock_of = [&](int lane) -> std::array<uint32_t, kWarp>& {
    return worker.fibers[static_cast<size_t>(warp * kWarp + lane)].clock;
  };
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const auto& known = clock_of(std::countr_zero(left));
    for (size_t k = 0; k < kWarp; ++k) joined[k] = known[k] > joined[k] ? known[k] : joined[k];
  }
  for (uint32_t left = mask; left != 0; left &= left - 1) {
    const int lane = std::countr_zero(left);
    clock_of(lane) = joined;
    ++clock_of(lane)[static_cast<size_t>(lane)];
  }
}

uint64_t shuffle(Shuffle kind, unsigned mask, uint64_t value, int argument, int width) {
  const uintptr_t pc = DUEL_SIMT_CALLER;
  if (width < 1 || width > kWarp || (width & (width - 1)) != 0) {
    const Unwatched unwatched;
    current_worker()->fail(
        Fault::bad_source_lane,
        "shuffles with width " + std::to_string(width) + ", expected a power of two up to 32", pc);
  }
  return at_warp_op({Op::shuffle, "shuffle", static_cast<int>(kind), mask, value, argument, width, 0, pc});
}
uint64_t vote(Vote kind, unsigned mask, bool predicate) {
  return at_warp_op({Op::vote, "vote", static_cast<int>(kind), mask, predicate, 0, 0, 0, DUEL_SIMT_CALLER});
}
uint64_t match_any(unsigned mask, uint64_t value) {
  return at_warp_op({Op::match, "match", 0, mask, value, 0, 0, 0, DUEL_SIMT_CALLER});
}
uint64_t reduce(Reduction kind, unsigned mask, uint64_t value, bool is_signed) {
  return at_warp_op(
      {Op::reduce, "reduction", static_cast<int>(kind), mask, value, is_signed, 0, 0, DUEL_SIMT_CALLER});
}

void multiply_add_tf32(float* sums, const unsigned* a, const unsigned* b) {
  const Factors mine{sums, a, b};
  at_warp_op({Op::multiply, "product of tensor cores", 0, 0xffffffffu, reinterpret_cast<uint64_t>(&mine), 0,
              0, 0, DUEL_SIMT_CALLER});
}
unsigned to_tf32(float x) { return round_to_tf32(x); }

void copy_async(void* shared, const void* global, int bytes, bool exists) {
  const uintptr_t pc = DUEL_SIMT_CALLER;
  const auto size = static_cast<size_t>(bytes);
  PendingCopy copy{.to = shared, .bytes = bytes, .group = current_fiber()->group_of_copies, .pc = pc};
  const bool aligned = reinterpret_cast<uintptr_t>(global) % size == 0;
  if (!aligned || (exists && region_at(static_cast<const char*>(global)) == nullptr)) {
    const Unwatched unwatched;
    current_worker()->fail(aligned ? Fault::out_of_bounds : Fault::misaligned,
                           "copies " + std::to_string(bytes) + " bytes from " +
                               (aligned ? nearest(static_cast<const char*>(global))
                                        : "an address that is no multiple of " + std::to_string(bytes)),
                           pc);
  }
  if (exists) {
    check_access(global, size, size, Access::read, pc);
    std::memcpy(copy.value.data(), global, size);
  }
  begin_shared_write(shared, size, pc);
  const Unwatched unwatched;
  current_fiber()->copies.push_back(copy);
}

void end_group_of_copies() { ++current_fiber()->group_of_copies; }

void wait_for_copies(int left) {
  Fiber& fiber = *current_fiber();
  size_t kept = 0;
  for (size_t k = 0; k < fiber.copies.size(); ++k) {
    const PendingCopy copy = fiber.copies[k];
    if (copy.group >= fiber.group_of_copies - left) {
      fiber.copies[kept++] = copy;
      continue;
    }
    const auto size = static_cast<size_t>(copy.bytes);
    check_access(copy.to, size, size, Access::write, copy.pc);
    std::memcpy(copy.to, copy.value.data(), size);
  }
  fiber.copies.resize(kept);
}

}  // namespace duel::simt

using duel::simt::Op;

void __syncthreads() { duel::simt::at_barrier(Op::barrier, "barrier", false, DUEL_SIMT_CALLER); }
int __syncthreads_count(int predicate) {
  return static_cast<int>(
      duel::simt::at_barrier(Op::barrier_count, "barrier", predicate != 0, DUEL_SIMT_CALLER));
}
int __syncthreads_and(int predicate) {
  return static_cast<int>(
      duel::simt::at_barrier(Op::barrier_and, "barrier", predicate != 0, DUEL_SIMT_CALLER));
}
int __syncthreads_or(int predicate) {
  return static_cast<int>(
      duel::simt::at_barrier(Op::barrier_or, "barrier", predicate != 0, DUEL_SIMT_CALLER));
}
void __syncwarp(unsigned mask) {
  duel::simt::at_warp_op({Op::syncwarp, "__syncwarp", 0, mask, 0, 0, 0, 0, DUEL_SIMT_CALLER});
}

void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
void __threadfence_block() { std::atomic_thread_fence(std::memory_order_seq_cst); }
void __threadfence_system() { std::atomic_thread_fence(std::memory_order_seq_cst); }
void __nanosleep(unsigned) {
  const uintptr_t pc = DUEL_SIMT_CALLER;
  const duel::simt::Unwatched unwatched;
  duel::simt::current_worker()->yield_spinning(*duel::simt::current_fiber(), pc);
}

// Checks the address, then changes it by compare-and-swap.
#define DUEL_SIMT_CHANGE(T, address, expression)                                                         \
  duel::simt::check_access(address, sizeof(T), sizeof(T), duel::simt::Access::atomic, DUEL_SIMT_CALLER); \
  std::atomic_ref<T> cell(*address);                                                                     \
  T old = cell.load();                                                                                   \
  while (!cell.compare_exchange_weak(old, expression)) {                                                 \
  }                                                                                                      \
  return old

#define DUEL_SIMT_ATOMIC(T)                                                                       \
  T atomicAdd(T* address, T value) { DUEL_SIMT_CHANGE(T, address, static_cast<T>(old + value)); } \
  T atomicSub(T* address, T value) { DUEL_SIMT_CHANGE(T, address, static_cast<T>(old - value)); } \
  T atomicExch(T* address, T value) { DUEL_SIMT_CHANGE(T, address, value); }                      \
  T atomicMin(T* address, T value) { DUEL_SIMT_CHANGE(T, address, value < old ? value : old); }   \
  T atomicMax(T* address, T value) { DUEL_SIMT_CHANGE(T, address, old < value ? value : old); }   \
  T atomicAnd(T* address, T value) { DUEL_SIMT_CHANGE(T, address, old& value); }                  \
  T atomicOr(T* address, T value) { DUEL_SIMT_CHANGE(T, address, old | value); }                  \
  T atomicXor(T* address, T value) { DUEL_SIMT_CHANGE(T, address, old ^ value); }                 \
  T atomicCAS(T* address, T compare, T value) { DUEL_SIMT_CHANGE(T, address, old == compare ? value : old); }
DUEL_SIMT_ATOMIC(int)
DUEL_SIMT_ATOMIC(unsigned)
DUEL_SIMT_ATOMIC(unsigned long long)

unsigned atomicInc(unsigned* address, unsigned limit) {
  DUEL_SIMT_CHANGE(unsigned, address, old >= limit ? 0u : old + 1);
}
unsigned atomicDec(unsigned* address, unsigned limit) {
  DUEL_SIMT_CHANGE(unsigned, address, old == 0 || old > limit ? limit : old - 1);
}
float atomicAdd(float* address, float value) { DUEL_SIMT_CHANGE(float, address, old + value); }
double atomicAdd(double* address, double value) { DUEL_SIMT_CHANGE(double, address, old + value); }
float atomicExch(float* address, float value) { DUEL_SIMT_CHANGE(float, address, value); }
