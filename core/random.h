// Random tensors from Philox4x32-10: a number is a function of (seed, stream, offset) and of nothing else, so runs repeat
// bit for bit on any number of threads, and a checkpoint restores a generator with three integers.
//
// Example:
//   Generator noise(/*seed=*/1, /*stream=*/2);       // streams of one seed are independent
//   Tensor z = noise.normal({64, 100});
#pragma once

#include <cstdint>

#include "duel/core/tensor.h"

namespace duel {

class Generator {
 public:
  struct State {
    uint64_t seed = 0, stream = 0, offset = 0;
    bool operator==(const State&) const = default;
  };

  explicit Generator(uint64_t seed = 0, uint64_t stream = 0) : state_{seed, stream, 0} {}

  /// Uniform in [low, high); f32 or f64.
  Tensor uniform(const Shape& shape, double low = 0.0, double high = 1.0, TensorOptions options = {});
  Tensor normal(const Shape& shape, double mean = 0.0, double deviation = 1.0, TensorOptions options = {});
  /// i64, uniform in {0, …, bound - 1}.
  Tensor integers(const Shape& shape, int64_t bound, Device device = {});

  const State& state() const { return state_; }
  void set_state(const State& state) { state_ = state; }

 private:
  State state_;
};

/// The generator of this thread that initialisers and dropout use when none is given.
Generator& default_generator();
/// Restarts it.
void manual_seed(uint64_t seed);

}  // namespace duel
