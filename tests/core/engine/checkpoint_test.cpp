// A checkpoint against the same function without one: bits of values and gradients, order 2, random numbers,
// memory. A gradient that is lost or counted twice, another mask in the second run, results that are kept, or a
// change that nobody notices fails.
#include "duel/core/engine/checkpoint.h"

#include <gtest/gtest.h>

#include "duel/core/device/allocator.h"
#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "tests/files.h"
#include "tests/tensors.h"

namespace duel {
namespace {

using testing::error_of;
using testing::same_bits;
using Tensors = std::vector<Tensor>;
using Function = std::function<Tensor(const Tensors&)>;

Tensor drawn(const Shape& shape, uint64_t seed, DType dtype = DType::f64) {
  Generator random(seed);
  return random.normal(shape, 0, 1, {dtype, {}});
}
Tensor leaf(const Shape& shape, uint64_t seed, DType dtype = DType::f64) {
  return drawn(shape, seed, dtype).set_requires_grad(true);
}
Tensor plain(const Function& f, const Tensors& inputs) { return f(inputs); }

/// `compute` with checkpoint() and without: every result has the same bits.
template <class Compute>
void expect_same(const Compute& compute) {
  const Tensors with = compute(checkpoint), without = compute(plain);
  ASSERT_EQ(with.size(), without.size());
  for (size_t i = 0; i < with.size(); ++i) EXPECT_TRUE(same_bits(with[i], without[i])) << "result " << i;
}

TEST(Checkpoint, ValuesAndGradientsHaveTheSameBits) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    expect_same([&](const auto& run) {
      const Tensor x = leaf({5, 7}, 1, dtype), w = leaf({7, 7}, 2, dtype), b = leaf({7}, 3, dtype);
      // b is known to f alone, and w is used by two runs.
      const Function f = [b](const Tensors& in) { return tanh(matmul(in[0], in[1]) + b) + in[0]; };
      const Tensor y = run(f, {run(f, {x, w}), w});
      Tensors results = grad({sum(square(y))}, {x, w, b}, {}, {.retain_graph = true});
      const Tensors again = grad({sum(square(y))}, {x, w, b});
      results.insert(results.end(), again.begin(), again.end());
      results.push_back(y);
      return results;
    });
  }
}

TEST(Checkpoint, OneInputMadeFromAnotherCountsOnce) {
  expect_same([](const auto& run) {
    const Tensor x = leaf({4}, 1), h = sin(x);
    const Tensor y =
        run([](const Tensors& in) { return in[0] * in[1] + exp(in[2]); }, {x, h, h});  // and one stands twice
    const Tensor k = x * 3.0;  // f knows it, and it has a graph
    const Tensor z = run([k](const Tensors& in) { return in[1] * k; }, {Tensor(), y});
    return grad({sum(z)}, {x, h, k});
  });
}

TEST(Checkpoint, GradientPenaltyOfOrderTwo) {
  const auto compute = [](const auto& run) {
    const Tensor x = leaf({3, 4}, 1), v = leaf({4, 4}, 2), w = leaf({4, 1}, 3);
    const Tensor h = run([v](const Tensors& in) { return tanh(matmul(in[0], v)); }, {x * 2.0});
    const Tensor y = run([w](const Tensors& in) { return matmul(softplus(in[0]), w); }, {h});
    const Tensor g = grad({sum(y)}, {x}, {}, {.create_graph = true})[0];
    return grad({mean(square(add_scalar(sample_norm(g), -1.0)))}, {x, v, w});
  };
  const Tensors with = compute(checkpoint), without = compute(plain);  // the same terms, in another order
  for (size_t i = 0; i < with.size(); ++i) EXPECT_TRUE(allclose(with[i], without[i], 1e-12, 1e-12)) << i;
  const Function f = [](const Tensors& in) {
    return checkpoint([](const Tensors& t) { return tanh(matmul(t[0], t[1])) * t[0]; }, in);
  };
  const auto checked = gradgradcheck(f, {leaf({2, 3}, 5), leaf({3, 3}, 6)});
  EXPECT_TRUE(checked) << checked.message;
}

TEST(Checkpoint, RandomNumbersRepeatAndTheGeneratorStandsWhereItStood) {
  std::vector<RandomState> states;
  expect_same([&](const auto& run) {
    manual_seed(7);
    const Tensor x = leaf({64}, 1);
    const Function dropout = [](const Tensors& in) {
      return in[0] * (rand({64}, {DType::f64, {}}) > 0.5).to(DType::f64);
    };
    const Tensor y = run(dropout, {run(dropout, {x})});
    const Tensor between = rand({3});
    Tensors results = grad({sum(y * y)}, {x});
    states.push_back(default_generator().state());
    results.insert(results.end(), {y, between});
    return results;
  });
  EXPECT_EQ(states[0], states[1]);
}

int64_t peak_of_chain(bool checkpointed) {
  constexpr int kBlocks = 8, kLayers = 8;
  Tensor x = leaf({64, 64}, 1);
  const int64_t before = allocator_stats(Device{}).active_bytes;
  reset_allocator_peak(Device{});
  const Function block = [](const Tensors& in) {
    Tensor y = in[0];
    for (int i = 0; i < kLayers; ++i) y = tanh(y);
    return y;
  };
  Tensor y = x;
  for (int i = 0; i < kBlocks; ++i) y = checkpointed ? checkpoint(block, {y}) : block({y});
  backward(sum(y));
  return allocator_stats(Device{}).peak_bytes - before;
}

TEST(Checkpoint, ADeepChainTakesLessMemory) {
  const int64_t with = peak_of_chain(true), without = peak_of_chain(false), one = 64 * 64 * 8;
  EXPECT_GE(without, 64 * one);
  EXPECT_LE(with, 24 * one);  // 8 inputs, a block's 8 results, and some gradients
}

TEST(Checkpoint, WithoutAGraphItIsTheFunction) {
  int calls = 0;
  const Function f = [&calls](const Tensors& in) {
    ++calls;
    return in[0] * 2.0;
  };
  const Tensor x = leaf({3}, 1);
  {
    NoGrad no_grad;
    EXPECT_FALSE(checkpoint(f, {x}).requires_grad());
  }
  EXPECT_FALSE(checkpoint(f, {x.detach()}).requires_grad());
  EXPECT_EQ(calls, 2);
  const Tensor same = checkpoint([](const Tensors& in) { return in[0]; }, {x});
  EXPECT_TRUE(same_bits(grad({sum(same)}, {x})[0], Tensor::ones({3}, {DType::f64, {}})));
  EXPECT_EQ(checkpoint([](const Tensors& in) { return argmax(in[0]); }, {x}).dtype(), DType::i64);
  // What f does to its handle stays its own.
  const Tensor h = x * 1.0, y = checkpoint(
                                [](const Tensors&in) {
                                  Tensor t = in[0];
                                  t += 1;
                                  return t * t;
                                },
                                {h});
  EXPECT_TRUE(same_bits(h, x));
  EXPECT_TRUE(same_bits(grad({sum(y)}, {x})[0], (x + 1.0) * 2.0));
}

TEST(Checkpoint, ParametersAreConstantWhereTheyWereInTheForward) {
  const Tensor x = leaf({3}, 1), w = leaf({3}, 2);
  mark_parameter(w, "w");
  const Function f = [w](const Tensors& in) { return in[0] * w; };
  Tensor held, moved = checkpoint(f, {x});
  {
    NoParamGrad of_d;
    held = checkpoint(f, {x});
    EXPECT_TRUE(same_bits(grad({sum(moved)}, {w})[0], x));
  }
  const Tensors grads = grad({sum(held)}, {x, w}, {}, {.allow_unused = true});
  EXPECT_TRUE(same_bits(grads[0], w));
  EXPECT_FALSE(grads[1].defined());
}

TEST(Checkpoint, NestedOnesAndHooks) {
  int hooked = 0;
  expect_same([&](const auto& run) {
    const Tensor x = leaf({4}, 1);
    const Tensor h = sin(x);
    h.register_hook([&](const Tensor& g) {
      ++hooked;
      return g * 2.0;
    });
    const Function inner = [](const Tensors& in) { return exp(in[0]) * rand({4}, {DType::f64, {}}); };
    manual_seed(3);
    const Tensor y = run([&](const Tensors& in) { return tanh(run(inner, {run(inner, {in[0]})})); }, {h});
    backward(sum(y));
    return Tensors{y, x.grad()};
  });
  EXPECT_EQ(hooked, 2);  // once with, once without
}

TEST(Checkpoint, WhatChangedSinceIsAnError) {
  const Tensor x = leaf({3}, 1), w = leaf({3}, 2);
  const auto change = [](const Tensor& t) {
    NoGrad no_grad;
    t.copy_(t * 2.0);
  };
  Tensor y = checkpoint([w](const Tensors& in) { return in[0] * w; }, {x});
  change(w);
  EXPECT_NE(error_of([&] {
              backward(sum(y));
            }).find("[checkpoint] a tensor that mul needs for backward was changed"),
            std::string::npos);
  y = checkpoint(
      [](const Tensors& in) { return checkpoint([&](const Tensors& t) { return sin(t[0]); }, in); }, {x});
  change(x);
  EXPECT_NE(error_of([&] { backward(sum(y)); }).find("changed in place"), std::string::npos);

  double scale = 1;
  y = checkpoint([&](const Tensors& in) { return in[0] * (scale *= 2); }, {x});
  EXPECT_NE(error_of([&] { backward(sum(y)); }).find("expected the function to compute what it computed"),
            std::string::npos);
  Tensor other = x.detach();
  y = checkpoint([&](const Tensors& in) { return in[0] + other; }, {x});
  other = x.detach().set_requires_grad(true);
  mark_parameter(other, "other");
  EXPECT_NE(error_of([&] { backward(sum(y)); }).find("got a leaf (other) of f64 [3] besides"),
            std::string::npos);
  EXPECT_NE(
      error_of([&] { checkpoint([](const Tensors&) { return Tensor(); }, {x}); }).find("returns a tensor"),
      std::string::npos);
}

TEST(Checkpoint, WhatRunsOnceKeepsItsResult) {
  double scale = 1;
  int again = 0;
  const Function f = [&](const Tensors& in) {
    again += recomputing() ? 1 : 0;
    const Tensors factor = run_once([&] { return Tensors{Tensor::full({}, scale *= 2, {DType::f64, {}})}; });
    return in[0] * factor[0];
  };
  const Tensor x = leaf({3}, 1);
  const Tensor y = checkpoint(f, {x});
  const Tensor z = checkpoint([&](const Tensors& in) { return checkpoint(f, {checkpoint(f, in)}); }, {x});
  EXPECT_EQ(scale, 8);
  EXPECT_TRUE(same_bits(grad({sum(y)}, {x})[0], Tensor::full({3}, 2, {DType::f64, {}})));
  EXPECT_TRUE(same_bits(grad({sum(z)}, {x})[0], Tensor::full({3}, 32, {DType::f64, {}})));
  EXPECT_EQ(scale, 8);
  EXPECT_GE(again, 3);
  EXPECT_FALSE(recomputing());
  int more = 0;
  const Tensor w = checkpoint(
      [&](const Tensors& in) {
        for (int i = 0; i <= more; ++i) run_once([] { return Tensors{}; });
        return in[0] * 2.0;
      },
      {x});
  more = 1;
  EXPECT_NE(error_of([&] { backward(sum(w)); }).find("one more run_once()"), std::string::npos);
}

}  // namespace
}  // namespace duel
