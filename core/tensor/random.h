// Random tensors from Philox4x32-10: a number is a function of (seed, stream, offset) and of nothing else, so
// runs repeat bit for bit on any number of threads and on any device, and a checkpoint restores a generator
// with three integers.
//
// A captured graph (graph.h) goes on drawing new numbers: after a draw on a GPU the offset lives there.
//
// Example:
//   Generator noise(/*seed=*/1, /*stream=*/2);       // streams of one seed are independent
//   Tensor z = noise.normal({64, 100});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "duel/core/device/random_state.h"
#include "duel/core/tensor/tensor.h"

namespace duel {

namespace kernels {
struct PhiloxState;
}
namespace detail {
class Counter;
}

class Generator {
 public:
  using State = RandomState;

  explicit Generator(uint64_t seed = 0, uint64_t stream = 0);
  /// A generator of its own that goes on from the same state.
  Generator(const Generator& other);
  Generator& operator=(const Generator& other);
  Generator(Generator&&) noexcept = default;
  Generator& operator=(Generator&&) noexcept = default;

  // A refused draw (an Error) moves nothing.

  /// Uniform in [low, high), a range of finite width; f32 or f64.
  Tensor uniform(const Shape& shape, double low = 0.0, double high = 1.0, TensorOptions options = {});
  Tensor normal(const Shape& shape, double mean = 0.0, double deviation = 1.0, TensorOptions options = {});
  /// i64, uniform in {0, …, bound - 1}.
  Tensor integers(const Shape& shape, int64_t bound, Device device = {});
  /// i64 [n]: the next n places of one random order of {0, …, count - 1} after the other, so that each item
  /// comes once in every `count`. Advances the offset by n: a generator of its own gives whole orders.
  Tensor shuffled(int64_t n, int64_t count, Device device = {});

  /// For authors of ops: calls `fill` with the state to draw n numbers by on the device (kernels/map/random.h).
  void draw(int64_t n, const Device& device, const std::function<void(const kernels::PhiloxState&)>& fill);

  /// After a draw on a GPU this waits for it.
  State state() const;
  /// Captured graphs go on from the new offset, but with the seed and stream that they were captured with.
  void set_state(const State& state);

 private:
  std::shared_ptr<detail::Counter> counter_;  // a graph keeps those that it draws from
};

/// The generator of this thread that initialisers and dropout use when none is given.
Generator& default_generator();
/// Restarts it.
void manual_seed(uint64_t seed);

/// While it lives, this thread's default generator and `generator` have changed places: layers draw from
/// `generator`, which advances by that.
class LendDefaultGenerator {
 public:
  explicit LendDefaultGenerator(Generator& generator);
  ~LendDefaultGenerator();
  LendDefaultGenerator(const LendDefaultGenerator&) = delete;

 private:
  Generator& generator_;
};

}  // namespace duel
