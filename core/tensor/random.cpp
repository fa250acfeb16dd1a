// Generators, and where their offsets live: Note [A generator's offset] in random_state.h.
#include "duel/core/tensor/random.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "duel/core/device/allocator.h"
#include "duel/core/tensor/internal/random_state.h"
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

Counter::Counter(const Generator::State& state) : seed_(state.seed), stream_(state.stream), offset_(state.offset) {}

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
  DUEL_CHECK(log == nullptr, "Generator",
             "a graph is being captured, and this generator's offset is on {}: draw from it on {} once before", home_, device);
  if (home_.is_cuda()) {
    offset_ = read() + pending_;
    pending_ = 0;
    home_ = {};
  }
  if (!device.is_cuda()) return;
  DUEL_CHECK(memory_ == nullptr || memory_device_ == device, "Generator", "expected draws on one GPU, got {} after {}",
             device, memory_device_);
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

void Counter::give_back(int64_t n) {
  (home_.is_cuda() ? pending_ : offset_) -= kernels::philox_blocks(n);
}

Generator::State Counter::state() const {
  return {seed_, stream_, home_.is_cuda() ? read() + pending_ : offset_};
}

void Counter::set_state(const Generator::State& state) {
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
    finish_capture();
  }
}

void Counter::finish_capture() {
  kernels::philox_advance(stream_of(memory_device_), memory_, pending_);
  pending_ = 0;
}

void settle_counters(const Device& device) {
  std::scoped_lock lock(counters().mutex);
  for (Counter* counter : counters().all) {
    if (counter->memory_device() == device) counter->settle();
  }
}

CounterLog::CounterLog(std::vector<std::shared_ptr<Counter>>& into) { log = &into; }
CounterLog::~CounterLog() { log = nullptr; }

}  // namespace detail

namespace {

/// Calls `fill` with the state for so many numbers, four to an offset. Where it refuses, nothing was drawn.
template <class Fill>
void draw(const std::shared_ptr<detail::Counter>& counter, const Device& device, int64_t n, Fill fill) {
  const kernels::PhiloxState state = counter->take(device, n);
  if (device.is_cuda() && detail::log != nullptr &&
      std::find(detail::log->begin(), detail::log->end(), counter) == detail::log->end()) {
    detail::log->push_back(counter);
  }
  try {
    fill(state);
  } catch (...) {
    counter->give_back(n);
    throw;
  }
}

}  // namespace

Generator::Generator(uint64_t seed, uint64_t stream)
    : counter_(std::make_shared<detail::Counter>(State{seed, stream, 0})) {}
Generator::Generator(const Generator& other) : counter_(std::make_shared<detail::Counter>(other.state())) {}
Generator& Generator::operator=(const Generator& other) {
  if (this != &other) counter_ = std::make_shared<detail::Counter>(other.state());
  return *this;
}

Generator::State Generator::state() const { return counter_->state(); }
void Generator::set_state(const State& state) { counter_->set_state(state); }

Tensor Generator::uniform(const Shape& shape, double low, double high, TensorOptions options) {
  Tensor x = Tensor::empty(shape, options);
  draw(counter_, options.device, x.numel(), [&](const kernels::PhiloxState& state) {
    DUEL_DISPATCH(options.dtype, "uniform",
                  kernels::uniform<T>(stream_of(options.device), state, x.numel(), low, high, x.mutable_data<T>()));
  });
  return x;
}

Tensor Generator::normal(const Shape& shape, double mean, double deviation, TensorOptions options) {
  Tensor x = Tensor::empty(shape, options);
  draw(counter_, options.device, x.numel(), [&](const kernels::PhiloxState& state) {
    DUEL_DISPATCH(options.dtype, "normal",
                  kernels::normal<T>(stream_of(options.device), state, x.numel(), mean, deviation, x.mutable_data<T>()));
  });
  return x;
}

Tensor Generator::integers(const Shape& shape, int64_t bound, Device device) {
  Tensor x = Tensor::empty(shape, {DType::i64, device});
  draw(counter_, device, x.numel(), [&](const kernels::PhiloxState& state) {
    kernels::random_integers(stream_of(device), state, x.numel(), bound, x.mutable_data<int64_t>());
  });
  return x;
}

Tensor Generator::shuffled(int64_t n, int64_t count, Device device) {
  Tensor x = Tensor::empty({n}, {DType::i64, device});
  draw(counter_, device, 4 * n, [&](const kernels::PhiloxState& state) {
    kernels::shuffled_items(stream_of(device), state, n, count, x.mutable_data<int64_t>());
  });
  return x;
}

Generator& default_generator() {
  thread_local Generator generator;
  return generator;
}

void manual_seed(uint64_t seed) { default_generator().set_state({seed, 0, 0}); }

LendDefaultGenerator::LendDefaultGenerator(Generator& generator) : generator_(generator) {
  std::swap(default_generator(), generator_);
}
LendDefaultGenerator::~LendDefaultGenerator() { std::swap(default_generator(), generator_); }

}  // namespace duel
