// Where offsets live: Note [A generator's offset] in counter.h.
#include "duel/core/device/internal/counter.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "duel/core/device/allocator.h"
#include "duel/kernels/base/runtime.h"

namespace duel {

namespace runtime = kernels::runtime;

namespace detail {
namespace {

struct Counters {
  std::mutex mutex;
  std::set<Counter*> all;  // those with memory on a GPU
};
Counters& counters() {
  static auto* living = new Counters;
  return *living;
}

thread_local std::vector<std::shared_ptr<Counter>>* log = nullptr;

}  // namespace

Counter::Counter(const RandomState& state)
    : seed_(state.seed), stream_(state.stream), offset_(state.offset) {}

Counter::~Counter() {
  if (memory_ == nullptr) return;
  {
    std::scoped_lock lock(counters().mutex);
    counters().all.erase(this);
  }
  deallocate(memory_device_, memory_, sizeof(uint64_t));
}

uint64_t Counter::read() const {
  uint64_t value = 0;
  const kernels::Stream stream = stream_of(memory_device_);
  runtime::copy_to_host(stream, &value, memory_, sizeof value);
  runtime::synchronize(stream);
  return value;
}

void Counter::move_to(const Device& device) {
  if (home_ == device) return;
  DUEL_CHECK(
      log == nullptr, "Generator",
      "a graph is being captured, and this generator's offset is on {}: draw from it on {} once before",
      home_, device);
  if (home_.is_cuda()) {
    offset_ = read() + pending_;
    pending_ = 0;
    home_ = {};
  }
  if (!device.is_cuda()) return;
  DUEL_CHECK(memory_ == nullptr || memory_device_ == device, "Generator",
             "expected draws on one GPU, got {} after {}", device, memory_device_);
  if (memory_ == nullptr) {
    memory_ = static_cast<uint64_t*>(allocate(device, sizeof(uint64_t)));
    memory_device_ = device;
    std::scoped_lock lock(counters().mutex);
    counters().all.insert(this);
  }
  runtime::copy_to_device(stream_of(device), memory_, &offset_, sizeof offset_);
  home_ = device;
}

kernels::PhiloxState Counter::take(const Device& device, int64_t n) {
  move_to(device);
  const uint64_t blocks = kernels::philox_blocks(n);
  if (!device.is_cuda()) {
    const kernels::PhiloxState now{seed_, stream_, nullptr, offset_};
    offset_ += blocks;
    return now;
  }
  const kernels::PhiloxState now{seed_, stream_, memory_, pending_};
  pending_ += blocks;
  return now;
}

void Counter::give_back(int64_t n) { (home_.is_cuda() ? pending_ : offset_) -= kernels::philox_blocks(n); }

RandomState Counter::state() const { return {seed_, stream_, home_.is_cuda() ? read() + pending_ : offset_}; }

void Counter::set_state(const RandomState& state) {
  DUEL_CHECK(log == nullptr, "Generator", "set_state: a graph is being captured");
  seed_ = state.seed;
  stream_ = state.stream;
  offset_ = state.offset;
  pending_ = 0;
  if (home_.is_cuda()) runtime::copy_to_device(stream_of(home_), memory_, &offset_, sizeof offset_);
}

void Counter::settle() {
  if (memory_ == nullptr) return;
  if (!home_.is_cuda()) {
    move_to(memory_device_);
  } else if (pending_ > 0) {
    kernels::philox_advance(stream_of(memory_device_), memory_, pending_);
    pending_ = 0;
  }
}

void Counter::finish_capture() {
  for (const auto& counter : *log) {
    const Device device = counter->memory_device_;
    if (counter->pending_ > 0) kernels::philox_advance(stream_of(device), take_drawn(device));
  }
}

kernels::PhiloxAdvances Counter::take_drawn(const Device& device) {
  kernels::PhiloxAdvances advances;
  if (log == nullptr) return advances;
  for (const auto& counter : *log) {
    if (counter->pending_ == 0 || !(counter->memory_device_ == device)) continue;
    if (advances.count == kernels::PhiloxAdvances::kMost) break;
    advances.offset[advances.count] = counter->memory_;
    advances.blocks[advances.count++] = counter->pending_;
    counter->pending_ = 0;
  }
  return advances;
}

void settle_counters(const Device& device) {
  std::scoped_lock lock(counters().mutex);
  for (Counter* counter : counters().all) {
    if (counter->memory_device() == device) counter->settle();
  }
}

void note_draw(const std::shared_ptr<Counter>& counter) {
  if (log != nullptr && std::find(log->begin(), log->end(), counter) == log->end()) log->push_back(counter);
}

CounterLog::CounterLog(std::vector<std::shared_ptr<Counter>>& into) { log = &into; }
CounterLog::~CounterLog() { log = nullptr; }

}  // namespace detail

}  // namespace duel
