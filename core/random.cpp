#include "duel/core/random.h"

#include "duel/kernels/random.h"

namespace duel {
namespace {

kernels::PhiloxState take(Generator::State& state, int64_t n) {
  const kernels::PhiloxState now{state.seed, state.stream, nullptr, state.offset};
  state.offset += kernels::philox_blocks(n);
  return now;
}

}  // namespace

Tensor Generator::uniform(const Shape& shape, double low, double high, TensorOptions options) {
  Tensor x = Tensor::empty(shape, options);
  DUEL_DISPATCH(options.dtype, "uniform",
                kernels::uniform<T>(stream_of(options.device), take(state_, x.numel()), x.numel(), low, high, x.mutable_data<T>()));
  return x;
}

Tensor Generator::normal(const Shape& shape, double mean, double deviation, TensorOptions options) {
  Tensor x = Tensor::empty(shape, options);
  DUEL_DISPATCH(options.dtype, "normal", kernels::normal<T>(stream_of(options.device), take(state_, x.numel()), x.numel(), mean,
                                                            deviation, x.mutable_data<T>()));
  return x;
}

Tensor Generator::integers(const Shape& shape, int64_t bound, Device device) {
  Tensor x = Tensor::empty(shape, {DType::i64, device});
  kernels::random_integers(stream_of(device), take(state_, x.numel()), x.numel(), bound, x.mutable_data<int64_t>());
  return x;
}

Generator& default_generator() {
  thread_local Generator generator;
  return generator;
}

void manual_seed(uint64_t seed) { default_generator() = Generator(seed); }

}  // namespace duel
