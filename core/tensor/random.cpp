// Generators: shapes, dtypes and the kernels that fill them.
#include "duel/core/tensor/random.h"

#include "duel/core/device/internal/counter.h"

namespace duel {

namespace {

/// Calls `fill` with the state for so many numbers, four to an offset. Where it refuses, nothing was drawn.
template <class Fill>
void draw(const std::shared_ptr<detail::Counter>& counter, const Device& device, int64_t n, Fill fill) {
  const kernels::PhiloxState state = counter->take(device, n);
  if (device.is_cuda()) detail::note_draw(counter);
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

void Generator::draw(int64_t n, const Device& device,
                     const std::function<void(const kernels::PhiloxState&)>& fill) {
  duel::draw(counter_, device, n, fill);
}

Tensor Generator::uniform(const Shape& shape, double low, double high, TensorOptions options) {
  Tensor x = Tensor::empty(shape, options);
  duel::draw(counter_, options.device, x.numel(), [&](const kernels::PhiloxState& state) {
    DUEL_DISPATCH(
        options.dtype, "uniform",
        kernels::uniform<T>(stream_of(options.device), state, x.numel(), low, high, x.mutable_data<T>()));
  });
  return x;
}

Tensor Generator::normal(const Shape& shape, double mean, double deviation, TensorOptions options) {
  Tensor x = Tensor::empty(shape, options);
  duel::draw(counter_, options.device, x.numel(), [&](const kernels::PhiloxState& state) {
    DUEL_DISPATCH(options.dtype, "normal",
                  kernels::normal<T>(stream_of(options.device), state, x.numel(), mean, deviation,
                                     x.mutable_data<T>()));
  });
  return x;
}

Tensor Generator::integers(const Shape& shape, int64_t bound, Device device) {
  Tensor x = Tensor::empty(shape, {DType::i64, device});
  duel::draw(counter_, device, x.numel(), [&](const kernels::PhiloxState& state) {
    kernels::random_integers(stream_of(device), state, x.numel(), bound, x.mutable_data<int64_t>());
  });
  return x;
}

Tensor Generator::shuffled(int64_t n, int64_t count, Device device) {
  Tensor x = Tensor::empty({n}, {DType::i64, device});
  duel::draw(counter_, device, 4 * n, [&](const kernels::PhiloxState& state) {
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
