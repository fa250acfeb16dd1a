// Running blocks: fibers, their schedule, barriers. See the notes in engine.h.
#include "engine.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <numeric>
#include <thread>

#include "host_cuda.h"

// Saves the callee-saved registers on the running stack, its pointer in *from, and continues on the stack
// `to`. The last jump is indirect instead of a return: a return to another place than the call's is
// mispredicted every time.
extern "C" void duel_simt_switch(void** from, void* to);
asm(R"(
  .text
  .globl duel_simt_switch
  .type duel_simt_switch,@function
duel_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
  .size duel_simt_switch,.-duel_simt_switch
)");

namespace duel::simt {
namespace {

constexpr size_t kSignalStack = 64 * 1024;

uint3 unravel(uint64_t linear, dim3 extent) {
  return {static_cast<unsigned>(linear % extent.x), static_cast<unsigned>(linear / extent.x % extent.y),
          static_cast<unsigned>(linear / extent.x / extent.y)};
}

uint64_t volume(dim3 extent) { return uint64_t{extent.x} * extent.y * extent.z; }

template <class Item>
void put_in_order(std::vector<Item>& items, uint64_t key) {
  if (schedule().order == Order::reverse) std::reverse(items.begin(), items.end());
  if (schedule().order == Order::shuffled) {
    std::mt19937_64 random(schedule().seed * 0x9E3779B97F4A7C15u + key);
    std::shuffle(items.begin(), items.end(), random);
  }
}

void on_fault(int signal_number, siginfo_t* info, void* context) {
  Worker* worker = current_worker();
  Fiber* fiber = current_fiber();
  if (worker == nullptr || fiber == nullptr) {  // not a kernel's fault: as without this handler
    signal(signal_number, SIG_DFL);
    return;
  }
  const Unwatched unwatched;
  const auto pc = static_cast<uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
  const char* at = static_cast<const char*>(info->si_addr);
  if (at >= fiber->stack_low - kGuardPage && at < fiber->stack_low) {
    worker->fail(Fault::stack_overflow, "needs more than 64 KB of local memory", pc + 1);
  }
  worker->fail(Fault::crash, std::string("receives signal ") + strsignal(signal_number), pc + 1);
}

void install_fault_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;  // fail() leaves the handler by switching stacks
  for (int signal_number : {SIGSEGV, SIGBUS, SIGFPE}) sigaction(signal_number, &action, nullptr);
}

}  // namespace

// The first function of every fiber.
void fiber_main() {
  Worker* worker = current_worker();
  try {
    worker->launch->thunk(worker->launch->arguments);
  } catch (...) {
    const Unwatched unwatched;
    worker->fail(Fault::crash, "throws an exception", Site{});
  }
  worker->finish(*current_fiber());
  worker->leave();
}

Site site_of(const Fiber& fiber, uintptr_t pc) {
  Site site = fiber.calls;
  if (site.depth > Site::kDepth) site.depth = Site::kDepth;
  site.pc[static_cast<size_t>(site.depth++)] = pc;
  return site;
}

namespace {

/// The same calls in the source? Different addresses may be copies that the compiler made.
bool same_site(const Site& a, const Site& b) {
  if (a.depth != b.depth) return false;
  std::vector<uintptr_t> differ_a, differ_b;
  for (int k = 0; k < a.depth; ++k) {
    const auto at = static_cast<size_t>(k);
    if (a.pc[at] == b.pc[at]) continue;
    differ_a.push_back(a.pc[at]);
    differ_b.push_back(b.pc[at]);
  }
  const std::vector<Place> left = symbolize(differ_a), right = symbolize(differ_b);
  for (size_t k = 0; k < left.size(); ++k) {
    if (left[k].where.empty() || left[k].chain != right[k].chain) return false;
  }
  return true;
}

/// Do both wait at the same operation, reached by the same calls?
bool same_place(const Fiber& a, const Fiber& b) {
  const auto depth = static_cast<size_t>(a.calls.depth < Site::kDepth ? a.calls.depth : Site::kDepth);
  if (a.request.pc == b.request.pc && a.calls.depth == b.calls.depth &&
      std::memcmp(a.calls.pc.data(), b.calls.pc.data(), depth * sizeof(uintptr_t)) == 0) {
    return true;
  }
  return same_site(site_of(a, a.request.pc), site_of(b, b.request.pc));
}

}  // namespace

void Launch::report(Diagnosis found) {
  std::scoped_lock lock(mutex);
  if (!diagnosis) diagnosis = std::make_unique<Diagnosis>(std::move(found));
  failed = true;
}

Worker::Worker()
    : fibers(kMaxThreads), dynamic_cells(new Cell[kSharedArena]), signal_stack_(new char[kSignalStack]) {
  [[maybe_unused]] static const bool installed = (install_fault_handler(), true);
  stack_bytes_ = kMaxThreads * (kStack + kGuardPage) + kSharedArena;
  void* memory =
      mmap(nullptr, stack_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  stacks_ = static_cast<char*>(memory);
  for (int k = 0; k < kMaxThreads; ++k) {
    char* base = stacks_ + static_cast<size_t>(k) * (kStack + kGuardPage);
    mprotect(base, kGuardPage, PROT_NONE);
    fibers[static_cast<size_t>(k)].stack_low = base + kGuardPage;
    fibers[static_cast<size_t>(k)].stack_high = base + kGuardPage + kStack;
  }
  dynamic_shared = stacks_ + kMaxThreads * (kStack + kGuardPage);
}

Worker::~Worker() { munmap(stacks_, stack_bytes_); }

void Worker::run(Launch& given) {
  launch = &given;
  set_current(this, nullptr);
  own_tls(tls_low, tls_bytes);
  tls_cells.resize(tls_bytes);
  stack_t previous{}, own{};
  own.ss_sp = signal_stack_.get();
  own.ss_size = kSignalStack;
  sigaltstack(&own, &previous);
  for (uint64_t k; !given.failed && (k = given.next.fetch_add(1)) < given.block_order.size();) {
    run_block(given.block_order[k]);
  }
  sigaltstack(&previous, nullptr);
  set_current(nullptr, nullptr);
}

void Worker::prepare(Fiber& fiber, int linear) {
  fiber.state = State::ready;
  fiber.linear = linear;
  fiber.lane = linear % kWarp;
  fiber.warp = linear / kWarp;
  fiber.index = unravel(static_cast<uint64_t>(linear), launch->block);
  fiber.calls.depth = 0;
  fiber.clock.fill(0);
  fiber.clock[static_cast<size_t>(fiber.lane)] = 1;
  fiber.spin_address = nullptr;
  fiber.spins = fiber.yields = 0;
  fiber.accesses = 0;
  fiber.copies.clear();
  fiber.group_of_copies = 0;
  // As duel_simt_switch leaves a stack: six registers, where to go on, and the (absent) caller's address. The
  // tops differ, or all stacks would compete for the same sets of the cache.
  char* top = fiber.stack_high - 192 * (linear % 16);
  auto** words = reinterpret_cast<void**>(top) - 8;
  std::memset(words, 0, 8 * sizeof(void*));
  words[6] = reinterpret_cast<void*>(&fiber_main);
  fiber.sp = words;
}

void Worker::resume(Fiber& fiber) {
  set_current(this, &fiber);
  duel_simt_switch(&scheduler_sp_, fiber.sp);
  set_current(this, nullptr);
}

void Worker::wait() { duel_simt_switch(&current_fiber()->sp, scheduler_sp_); }

void Worker::leave() {
  void* nowhere;
  duel_simt_switch(&nowhere, scheduler_sp_);
  std::abort();  // nobody resumes it
}

void Worker::fail(Fault fault, std::string what, uintptr_t pc) {
  fail(fault, std::move(what), site_of(*current_fiber(), pc));
}

void Worker::fail(Fault fault, std::string what, const Site& site, const Site& other) {
  launch->report({fault, std::move(what), true, block_index, current_fiber()->index, site, other});
  failed_ = true;
  leave();
}

std::string Worker::describe(const Fiber& fiber) const {
  return "thread (" + std::to_string(fiber.index.x) + ", " + std::to_string(fiber.index.y) + ", " +
         std::to_string(fiber.index.z) + ")";
}

void Worker::run_block(uint64_t linear) {
  threads = static_cast<int>(volume(launch->block));
  block_index = unravel(linear, launch->grid);
  ++block_serial;
  epoch = 1;
  at_barrier = at_warp_op = finished = 0;
  failed_ = false;
  std::memset(dynamic_shared, 0xFF,
              kSharedArena < launch->shared_bytes + 64 ? kSharedArena : launch->shared_bytes + 64);
  order_.resize(static_cast<size_t>(threads));
  std::iota(order_.begin(), order_.end(), 0);
  put_in_order(order_, linear);
  for (int k = 0; k < threads; ++k) prepare(fibers[static_cast<size_t>(k)], k);
  for (int w = 0; w * kWarp < threads; ++w) {
    const int lanes = std::min(threads - w * kWarp, kWarp);
    Warp& warp = warps_[static_cast<size_t>(w)];
    warp.present = ~uint32_t{0} >> (kWarp - lanes);
    warp.ended = 0;
    warp.meetings = 0;
  }

  while (finished < threads) {
    bool ran = false;
    for (int k : order_) {
      Fiber& fiber = fibers[static_cast<size_t>(k)];
      if (fiber.state != State::ready) continue;
      ran = true;
      resume(fiber);
      if (failed_) return;
    }
    if (!ran) {
      launch->report(stuck());
      return;
    }
  }
}

void Worker::finish(Fiber& fiber) {
  const Unwatched unwatched;
  fiber.state = State::done;
  ++finished;
  if (at_barrier > 0) {
    const Fiber& other = first_in(State::at_barrier);
    fail(Fault::skipped_barrier, "ends while " + describe(other) + " waits at this barrier",
         site_of(other, other.request.pc));
  }
  Warp& warp = warps_[static_cast<size_t>(fiber.warp)];
  warp.ended |= 1u << fiber.lane;
  for (int k = 0; k < warp.meetings; ++k) {
    const Meeting& each = warp.meeting[static_cast<size_t>(k)];
    if ((each.mask >> fiber.lane & 1) == 0) continue;
    const Fiber& other = fibers[static_cast<size_t>(fiber.warp * kWarp + std::countr_zero(each.arrived))];
    fail(Fault::exited_lane, "ends while " + describe(other) + " waits for it at this " + other.request.name,
         site_of(other, other.request.pc));
  }
}

const Fiber& Worker::first_in(State state) const {
  int k = 0;
  while (k + 1 < threads && fibers[static_cast<size_t>(k)].state != state) ++k;
  return fibers[static_cast<size_t>(k)];
}

void Worker::arrive_at_barrier(Fiber& fiber) {
  if (finished > 0) {
    fail(Fault::skipped_barrier,
         "comes to a barrier after " + std::to_string(finished) +
             " threads of the block have ended without it",
         fiber.request.pc);
  }
  if (at_barrier > 0) {
    const Fiber& other =
        fibers[static_cast<size_t>(first_waiting_)];  // all who wait have been compared with it
    if (other.request.op != fiber.request.op || !same_place(fiber, other)) {
      fail(Fault::divergent_barrier, "comes to this barrier while " + describe(other) + " waits at {other}",
           site_of(fiber, fiber.request.pc), site_of(other, other.request.pc));
    }
  } else {
    first_waiting_ = fiber.linear;
  }
  fiber.state = State::at_barrier;
  if (++at_barrier == threads) release_barrier();
  wait();
}

void Worker::release_barrier() {
  int count = 0;
  for (int k = 0; k < threads; ++k) count += fibers[static_cast<size_t>(k)].request.value != 0 ? 1 : 0;
  for (int k = 0; k < threads; ++k) {
    Fiber& fiber = fibers[static_cast<size_t>(k)];
    const Op op = fiber.request.op;
    fiber.request.result = static_cast<uint64_t>(op == Op::barrier_count ? count
                                                 : op == Op::barrier_and ? count == threads
                                                                         : count > 0);
    fiber.state = State::ready;
  }
  at_barrier = 0;
  ++epoch;
}

void Worker::arrive_at_warp_op(Fiber& fiber) {
  const Request& mine = fiber.request;
  if ((mine.mask >> fiber.lane & 1) == 0) {
    fail(Fault::lane_not_in_mask, std::string("calls ") + mine.name + " with a mask that does not name it",
         mine.pc);
  }
  Warp& warp = warps_[static_cast<size_t>(fiber.warp)];
  if (const uint32_t missing = mine.mask & (warp.ended | ~warp.present); missing != 0) {
    const int lane = std::countr_zero(missing);
    fail(Fault::exited_lane,
         std::string(mine.name) + "'s mask names lane " + std::to_string(lane) +
             ((warp.present >> lane & 1) != 0 ? ", which has ended" : ", which the block does not have"),
         mine.pc);
  }
  const auto lane_of = [&](uint32_t lanes) -> const Fiber& {
    return fibers[static_cast<size_t>(fiber.warp * kWarp + std::countr_zero(lanes))];
  };
  const auto diverge = [&](const Fiber& other) {
    const Request& theirs = other.request;
    fail(Fault::divergent_warp_op,
         std::string("comes to ") + mine.name + " while " + describe(other) + " of the same mask waits at " +
             theirs.name + " in {other}" + (theirs.mask == mine.mask ? "" : " with another mask"),
         site_of(fiber, mine.pc), site_of(other, theirs.pc));
  };
  Meeting* meeting = nullptr;
  for (int k = 0; k < warp.meetings; ++k) {
    Meeting& each = warp.meeting[static_cast<size_t>(k)];
    if (each.mask == mine.mask) meeting = &each;
    const bool wait_for_each_other = (each.mask >> fiber.lane & 1) != 0 && (each.arrived & mine.mask) != 0;
    if (each.mask != mine.mask && wait_for_each_other) diverge(lane_of(each.arrived & mine.mask));
  }
  if (meeting == nullptr) {
    meeting = &warp.meeting[static_cast<size_t>(warp.meetings++)];
    *meeting = {mine.mask, 0};
  } else {
    const Fiber& other = lane_of(meeting->arrived);  // those who wait have been compared with each other
    if (other.request.op != mine.op || other.request.variant != mine.variant || !same_place(fiber, other)) {
      diverge(other);
    }
  }
  meeting->arrived |= 1u << fiber.lane;
  fiber.state = State::at_warp_op;
  ++at_warp_op;
  if (meeting->arrived == mine.mask) {
    *meeting = warp.meeting[static_cast<size_t>(--warp.meetings)];
    complete_warp_op(*this, fiber.warp, mine.mask);
  }
  wait();
}

void Worker::yield_spinning(Fiber& fiber, uintptr_t pc) {
  constexpr int kPatience = 64;
  if (++fiber.yields > kPatience) {
    fail(Fault::deadlock,
         "spins on memory that no thread of its block changes (blocks must not wait for each other)", pc);
  }
  wait();
}

Diagnosis Worker::stuck() const {
  Diagnosis found;
  found.fault = Fault::deadlock;
  found.in_thread = true;
  found.block = block_index;
  const Fiber& first = first_in(at_warp_op > 0 ? State::at_warp_op : State::at_barrier);
  found.thread = first.index;
  found.site = site_of(first, first.request.pc);
  found.what = std::string("waits at this ") + first.request.name + " for ever";
  if (at_warp_op > 0 && at_barrier > 0) {
    const Fiber& barrier = first_in(State::at_barrier);
    found.other = site_of(barrier, barrier.request.pc);
    found.what += ", as " + describe(barrier) + " waits at the barrier in {other}";
  }
  return found;
}

namespace {

std::vector<std::unique_ptr<Worker>>& idle_workers() {
  static std::vector<std::unique_ptr<Worker>> workers;
  return workers;
}
std::mutex idle_mutex;

void check_launch(dim3 grid, dim3 block, size_t shared_bytes, bool on_device) {
  const auto refuse = [](const std::string& what) { throw Failure(Fault::bad_launch, "launch: " + what); };
  if (!on_device) refuse("expected a device stream, got the host");
  if (volume(grid) == 0 || grid.x > 0x7FFFFFFFu || grid.y > 65535 || grid.z > 65535) {
    refuse("expected a grid of 1 to (2^31 - 1, 65535, 65535) blocks, got (" + std::to_string(grid.x) + ", " +
           std::to_string(grid.y) + ", " + std::to_string(grid.z) + ")");
  }
  if (volume(block) == 0 || volume(block) > kMaxThreads || block.z > 64) {
    refuse("expected a block of 1 to 1024 threads, got (" + std::to_string(block.x) + ", " +
           std::to_string(block.y) + ", " + std::to_string(block.z) + ")");
  }
  if (shared_bytes > kSharedLimit) {
    refuse("expected at most 48 KB of shared memory, got " + std::to_string(shared_bytes) + " bytes");
  }
}

}  // namespace

WorkerLease::WorkerLease() {
  {
    std::scoped_lock lock(idle_mutex);
    if (!idle_workers().empty()) {
      worker_ = std::move(idle_workers().back());
      idle_workers().pop_back();
      return;
    }
  }
  worker_ = std::make_unique<Worker>();
}

WorkerLease::~WorkerLease() {
  std::scoped_lock lock(idle_mutex);
  idle_workers().push_back(std::move(worker_));
}

namespace {

std::function<void(Launch&)>& other_executor() {
  static std::function<void(Launch&)> executor;
  return executor;
}

void run_blocks(Launch& launch) {
  note_launch(launch.kernel);
  launch.block_order.resize(volume(launch.grid));
  std::iota(launch.block_order.begin(), launch.block_order.end(), uint64_t{0});
  put_in_order(launch.block_order, ~uint64_t{0});
  if (other_executor()) {
    other_executor()(launch);
  } else {
    std::vector<std::jthread> helpers;
    const auto wanted = std::min<uint64_t>(static_cast<uint64_t>(schedule().os_threads), volume(launch.grid));
    for (uint64_t k = 1; k < wanted; ++k) {
      helpers.emplace_back([&] {
        WorkerLease worker;
        worker->run(launch);
      });
    }
    WorkerLease worker;
    worker->run(launch);
  }
  if (launch.diagnosis) throw explain(launch, *launch.diagnosis);
}

}  // namespace

void execute_with(std::function<void(Launch&)> executor) { other_executor() = std::move(executor); }

void run_grid(void (*thunk)(void*), size_t (*pack)(const void*, unsigned char*), void* arguments,
              size_t argument_bytes, const void* kernel, dim3 grid, dim3 block, size_t shared_bytes,
              bool on_device, void* stream) {
  check_launch(grid, block, shared_bytes, on_device);
  // Arguments are bits (see Parameters), aligned as any of them may need.
  std::vector<std::max_align_t> copy((argument_bytes + sizeof(std::max_align_t) - 1) /
                                     sizeof(std::max_align_t));
  std::memcpy(copy.data(), arguments, argument_bytes);
  Work what{.kernel = kernel, .grid = grid, .block = block, .shared_bytes = shared_bytes};
  for (size_t at = 0; launches_watched() && at + sizeof(void*) <= argument_bytes; at += sizeof(void*)) {
    const void* word = nullptr;
    std::memcpy(&word, reinterpret_cast<const char*>(copy.data()) + at, sizeof(word));
    if (word != nullptr && word != kernel) what.pointers.push_back(word);
  }
  on_stream(
      stream, cudaGraphNodeTypeKernel,
      [=]() mutable {
        Launch launch;
        launch.thunk = thunk;
        launch.pack = pack;
        launch.arguments = copy.data();
        launch.argument_bytes = argument_bytes;
        launch.kernel = kernel;
        launch.grid = grid;
        launch.block = block;
        launch.shared_bytes = shared_bytes;
        run_blocks(launch);
      },
      std::move(what));
}

uint3 thread_index() { return current_fiber()->index; }
uint3 block_index() { return current_worker()->block_index; }
dim3 block_extent() { return current_worker()->launch->block; }
dim3 grid_extent() { return current_worker()->launch->grid; }
void* dynamic_shared() { return current_worker()->dynamic_shared; }

}  // namespace duel::simt
