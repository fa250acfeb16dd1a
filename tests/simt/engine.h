// Inside of the SIMT harness: what a fiber, a block in flight and a launch are. Tests include simt.h instead.
//
// Note [How a block runs]
// One OS thread runs one block at a time. Every CUDA thread of it is a fiber with a stack of its own; a fiber
// runs until it waits at a barrier or warp operation, or ends, and then the scheduler resumes the next one in
// the order of the schedule. Fibers never migrate, so thread_local storage is the block's static shared
// memory.
//
// Note [How accesses are seen]
// Sources with device code are compiled with -fsanitize=thread, but not linked with its library: memory.cpp
// defines the functions that g++ calls before every load and store. So each access of a kernel is checked,
// exactly and without a change to its source: bounds, alignment, initialisation, races on shared memory.
//
// Note [Copies that take time]
// What copy_async starts is done when its thread waits for it, and no earlier: until then the bytes count as never written,
// so that whoever reads them before is told. It is looked at twice: when it starts (both addresses, whoever still reads the
// place) and when it is done (whoever reads without a barrier behind that).
//
// Note [How a failure leaves]
// fail() notes the diagnosis and switches to the scheduler, which never resumes that block again. Nothing is
// unwound, so it may be called from anywhere, and kernels must not own resources.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "simt.h"

namespace duel::simt {

inline constexpr int kWarp = 32;
inline constexpr int kMaxThreads = 1024;
inline constexpr size_t kStack = 64 * 1024;
inline constexpr size_t kGuardPage = 4096;
inline constexpr size_t kSharedLimit = 48 * 1024;  // per block, without an opt-in
inline constexpr size_t kSharedArena = 2 * kSharedLimit;

/// Where a thread is: the calls that led there, outermost first. Addresses are return addresses.
struct Site {
  static constexpr int kDepth = 24;
  std::array<uintptr_t, kDepth + 1> pc{};
  int depth = 0;
};

enum class State { ready, at_barrier, at_warp_op, done };

enum class Op {
  barrier,
  barrier_count,
  barrier_and,
  barrier_or,
  syncwarp,
  shuffle,
  vote,
  match,
  reduce,
  multiply
};

/// What a waiting thread asks for and gets.
struct Request {
  Op op = Op::barrier;
  const char* name = "";
  int variant = 0;  // which shuffle, vote or reduction
  uint32_t mask = 0;
  uint64_t value = 0;
  int argument = 0, width = 0;
  uint64_t result = 0;
  uintptr_t pc = 0;
};

/// Note [Copies that take time]
struct PendingCopy {
  void* to = nullptr;
  int bytes = 0;
  int group = 0;
  std::array<unsigned char, 16> value{};  // of the source, when it was started
  uintptr_t pc = 0;
};

struct Fiber {
  void* sp = nullptr;
  char* stack_low = nullptr;  // first usable byte; the guard page lies below
  char* stack_high = nullptr;
  State state = State::done;
  int linear = 0, lane = 0, warp = 0;
  uint3 index{};
  Request request;
  Site calls;                           // open calls; the pc of a waiting operation is in the request
  std::array<uint32_t, kWarp> clock{};  // what it knows of the lanes of its warp; its own entry is its time
  const void* spin_address = nullptr;
  int spins = 0, yields = 0;
  uint64_t accesses = 0;
  std::vector<PendingCopy> copies;
  int group_of_copies = 0;
};

/// Lanes that wait for each other at a warp operation.
struct Meeting {
  uint32_t mask = 0, arrived = 0;
};

struct Warp {
  uint32_t present = 0, ended = 0;
  int meetings = 0;
  std::array<Meeting, kWarp> meeting{};
};

/// The history of one byte of shared memory, valid for one block and one stretch between barriers.
struct Cell {
  uint32_t block_serial = 0, epoch = 0;
  bool written = false, write_atomic = false;
  bool read_atomic[2] = {false, false};
  int16_t writer = -1;
  int16_t reader[2] = {-1, -1};
  uint32_t write_clock = 0;
  uint32_t read_clock[2] = {0, 0};
  uintptr_t write_pc = 0;
};

/// What went wrong, before addresses are turned into names.
struct Diagnosis {
  Fault fault{};
  std::string what;
  bool in_thread = false;
  uint3 block{}, thread{};
  Site site;
  Site other;  ///< of the thread that it collides with; its place replaces "{other}" in `what`
};

struct Launch {
  void (*thunk)(void*) = nullptr;
  size_t (*pack)(const void*, unsigned char*) = nullptr;  ///< Parameters::pack of host_cuda.h
  void* arguments = nullptr;
  size_t argument_bytes = 0;
  const void* kernel = nullptr;
  dim3 grid, block;
  size_t shared_bytes = 0;

  std::vector<uint64_t> block_order;
  std::atomic<uint64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::unique_ptr<Diagnosis> diagnosis;

  void report(Diagnosis found);
};

/// The stacks, shared memory and shadow with which one OS thread runs blocks. Kept between launches.
class Worker {
 public:
  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Runs blocks of the launch until none is left or one has failed.
  void run(Launch& launch);

  // For the operations that fibers call.
  void wait();  // the current fiber's state says for what
  [[noreturn]] void fail(Fault fault, std::string what, uintptr_t pc);
  [[noreturn]] void fail(Fault fault, std::string what, const Site& site, const Site& other = {});
  void arrive_at_barrier(Fiber& fiber);  // the last one releases all
  void arrive_at_warp_op(Fiber& fiber);  // the last one of the mask gives all their results
  void yield_spinning(Fiber& fiber, uintptr_t pc);
  std::string describe(const Fiber& fiber) const;  // "thread (3, 0, 0)"

  // The block in flight.
  Launch* launch = nullptr;
  std::vector<Fiber> fibers;  // of kMaxThreads; the first `threads` are in use
  int threads = 0;
  uint3 block_index{};
  uint32_t block_serial = 0, epoch = 0;
  int at_barrier = 0, at_warp_op = 0, finished = 0;

  char* dynamic_shared = nullptr;  // kSharedArena bytes
  std::unique_ptr<Cell[]> dynamic_cells;
  char* tls_low = nullptr;  // of the OS thread that runs this worker
  size_t tls_bytes = 0;
  std::vector<Cell> tls_cells;

 private:
  friend void fiber_main();
  void run_block(uint64_t linear);
  void prepare(Fiber& fiber, int linear);
  void resume(Fiber& fiber);
  void finish(Fiber& fiber);
  void release_barrier();
  const Fiber& first_in(State state) const;
  [[noreturn]] void leave();
  Diagnosis stuck() const;

  void* scheduler_sp_ = nullptr;
  bool failed_ = false;
  int first_waiting_ = 0;  // of those at the barrier
  std::array<Warp, kMaxThreads / kWarp> warps_{};
  char* stacks_ = nullptr;
  size_t stack_bytes_ = 0;
  std::unique_ptr<char[]> signal_stack_;
  std::vector<int> order_;
};

/// The worker of this OS thread and the fiber that runs on it; null outside kernels.
Worker* current_worker();
Fiber* current_fiber();
void set_current(Worker* worker, Fiber* fiber);

/// The site of an operation called from `pc` by this fiber.
Site site_of(const Fiber& fiber, uintptr_t pc);

// warp.cpp
/// Gives every lane of the mask its result; all of them wait at the same operation.
void complete_warp_op(Worker& worker, int warp, uint32_t mask);

// memory.cpp
/// While it lives, accesses of this OS thread are the harness's own and not looked at: the linker may give
/// the harness a library function that was compiled for kernels. Every operation that kernels call begins
/// with one.
class Unwatched {
 public:
  Unwatched();
  ~Unwatched();
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};
/// Watches code outside kernels for accesses to buffers.
void watch_host(bool on);
/// The first of them since watch_host(true): where, and which buffer; false if there was none.
bool host_touched(uintptr_t& pc, std::string& what);
/// The thread_local storage of the program in this OS thread.
void own_tls(char*& low, size_t& bytes);
void add_region(Region* region);
void remove_region(Region* region);
const std::vector<Region*>& regions();  // by address
/// All of the device's memory, which is open, counts as written to. Small buffers, counters among them, as they are.
std::vector<std::pair<unsigned char*, std::vector<unsigned char>>> write_device_memory();

/// The region that holds this byte; null for none.
Region* region_at(const char* address);
// As failures speak: "input 'x' of 100 elements", "4 bytes past the end of output 'y' of 100 elements", "reads ".
std::string quoted(const Region& region);
std::string nearest(const char* address);
enum class Access { read, write, atomic };
const char* verb(Access access);
void check_access(const void* address, size_t bytes, size_t alignment, Access access, uintptr_t pc);
/// A checked write to shared memory that is not done yet: the bytes hold nothing.
void begin_shared_write(void* address, size_t bytes, uintptr_t pc);
/// Every thread of the mask knows what the others did so far.
void join_clocks(Worker& worker, int warp, uint32_t mask);

// symbolize.cpp
struct Place {
  std::string function;
  std::string where;  // file:line
  std::string chain;  // file:line of all inlined calls, innermost first
};
/// Names of return addresses (call sites) or, with `entry`, of the addresses themselves.
std::vector<Place> symbolize(const std::vector<uintptr_t>& addresses, bool entry = false);

// buffers.cpp
const Schedule& schedule();
/// Remembers the kernels of a run, for its failures.
void note_launch(const void* kernel);

// engine.cpp
/// Takes an idle worker, or makes one, and gives it back.
class WorkerLease {
 public:
  WorkerLease();
  ~WorkerLease();
  Worker* operator->() { return worker_.get(); }

 private:
  std::unique_ptr<Worker> worker_;
};

/// From now on this runs the blocks of every launch, all of `block_order`, in place of the fibers; empty: the
/// fibers again. It throws the failures.
void execute_with(std::function<void(Launch&)> executor);

/// A diagnosis with names, as tests see it.
Failure explain(const Launch& launch, const Diagnosis& diagnosis);

}  // namespace duel::simt
