// Copies and views, changes in place, and what their errors say.
#include "duel/core/tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "duel/core/device/allocator.h"
#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "tests/files.h"

namespace duel {
namespace {

using duel::testing::error_of;

Tensor leaf(double value) { return Tensor::from({value}, {1}).set_requires_grad(true); }
double slope(const Tensor& y, const Tensor& x) { return grad({sum(y)}, {x})[0].item(); }

// ---- Copies keep the graph ----

TEST(Copies, AreDifferentiable) {
  const Tensor x = leaf(1);
  EXPECT_EQ(slope(square(x.clone()) + x, x), 3);
  EXPECT_EQ(slope(square(x.to(DType::f64)) + x, x), 3);
  EXPECT_EQ(slope(square(x.to(Device::cpu())) + x, x), 3);
  EXPECT_EQ(slope(3.0 * x.clone() + x, x), 4);
}

TEST(Copies, BetweenFloatingTypesTooAtEveryOrder) {
  const Tensor x = Tensor::from({1.5f, -2.f}, {2}).set_requires_grad(true);
  const Tensor wide = x.to(DType::f64);
  const Tensor y = sum(wide * wide * wide);
  const Tensor first = grad({y}, {x}, {}, {.create_graph = true})[0];
  EXPECT_EQ(first.dtype(), DType::f32);
  EXPECT_EQ(first.to_vector<double>(), (std::vector<double>{6.75, 12}));
  const Tensor second = grad({sum(first)}, {x}, {}, {.create_graph = true})[0];
  EXPECT_EQ(second.to_vector<double>(), (std::vector<double>{9, -12}));
  EXPECT_EQ(grad({sum(second)}, {x})[0].to_vector<double>(), (std::vector<double>{6, 6}));
}

TEST(Copies, OfIntegersHaveNoGraph) {
  const Tensor x = leaf(2.75);
  EXPECT_FALSE(x.to(DType::i64).requires_grad());
  EXPECT_EQ(x.to(DType::i64).item(), 2);
}

TEST(Copies, NoGradAndDetachCutThem) {
  const Tensor x = leaf(1);
  EXPECT_FALSE(x.detach().clone().requires_grad());
  const NoGrad no_grad;
  EXPECT_FALSE(x.clone().requires_grad());
}

TEST(Slices, AreCopiesOnEveryAxisAndRowsShare) {
  for (const int axis : {0, 1}) {
    Tensor x = Tensor::ones({2, 2});
    slice(x, axis, 0, 1).fill_(5);
    EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 1, 1, 1})) << axis;
  }
  Tensor x = Tensor::ones({2, 2});
  rows(x, 0, 1).fill_(5);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{5, 5, 1, 1}));
  EXPECT_EQ(error_of([&] { rows(x, 1, 3); }),
            "[rows] expected 0 <= begin <= end <= 2 on axis 0 of [2, 2], got [1, 3)");
  EXPECT_EQ(error_of([&] { rows(Tensor::zeros({}), 0, 1); }),
            "[rows] expected at least one axis, got f32 []");
}

// ---- In place ----

TEST(InPlace, RefusesATargetOrASourceWhoseGradientWouldBeLost) {
  const Tensor w = leaf(3);
  Tensor loss = w * w;
  const auto writes = [](Tensor& target, const Tensor& source) {
    std::vector<std::string> errors;
    errors.push_back(error_of([&] { add_in_place(target, source); }));
    errors.push_back(error_of([&] { target.copy_(source); }));
    return errors;
  };
  Tensor free = Tensor::from({1.0}, {1}), leaf_target = leaf(1);
  for (const std::string& error : writes(loss, free))
    EXPECT_NE(error.find("the target (f64 [1]) requires grad"), error.npos) << error;
  for (const std::string& error : writes(leaf_target, free))
    EXPECT_NE(error.find("the target"), error.npos) << error;
  for (const std::string& error : writes(free, loss))
    EXPECT_NE(error.find("the source (f64 [1]) requires grad"), error.npos) << error;
  EXPECT_NE(error_of([&] { loss.fill_(1); }).find("write under NoGrad"), std::string::npos);
  {
    const NoParamGrad constants;  // constants of a graph are not free to be written
    mark_parameter(w);
    EXPECT_NE(error_of([&] { w.fill_(1); }).find("the target"), std::string::npos);
  }
  EXPECT_EQ(free.item(), 1);
  EXPECT_EQ(slope(loss, w), 6);
  const NoGrad meant;
  add_in_place(free, w);
  EXPECT_EQ(free.item(), 4);
}

// ---- Making ----

TEST(From, TakesIntsAsI64) {
  const Tensor x = Tensor::from({1, 2, 3}, {3});
  EXPECT_EQ(x.dtype(), DType::i64);
  EXPECT_EQ(x.to_vector<int64_t>(), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(Tensor::from(std::vector<int>{4, 5}, {2}).to_vector<int64_t>(), (std::vector<int64_t>{4, 5}));
}

TEST(Reshape, SaysWhatIsWrongWithItsHoles) {
  const Tensor x = Tensor::zeros({6});
  EXPECT_EQ(error_of([&] {
              x.reshape({-1, -1});
            }),
            "[reshape] expected one size of -1 at most, got 2 for [6]");
  EXPECT_EQ(
      error_of([&] {
        x.reshape({-1, 4});
      }),
      "[reshape] cannot fill in -1: the 6 elements of [6] do not divide by the product of the other sizes, "
      "4");
}

// ---- Frozen parameters ----

TEST(Frozen, ParametersGiveNoGradientAndWakeAgain) {
  Tensor w = leaf(2), frozen = leaf(5);
  mark_parameter(w, "w");
  mark_parameter(frozen, "trunk.weight");
  frozen.set_requires_grad(false);
  const auto gradients = grad({sum(w * frozen)}, {w, frozen});
  EXPECT_EQ(gradients[0].item(), 5);
  EXPECT_FALSE(gradients[1].defined());
  frozen.set_requires_grad(true);
  EXPECT_EQ(grad({sum(w * frozen)}, {w, frozen})[1].item(), 2);
  {
    const NoParamGrad constants;  // it is a parameter again, and has its name
    EXPECT_FALSE(tracked(frozen));
  }
  EXPECT_NE(error_of([&] { grad({sum(square(w))}, {w, frozen}); }).find("trunk.weight"), std::string::npos);
  // What is no parameter was probably meant to have a gradient.
  EXPECT_EQ(error_of([&] { grad({sum(square(w))}, {Tensor::zeros({2})}); }),
            "[grad] expected inputs that require grad, got f32 [2] that does not");
}

// ---- Rules of one's own ----

Tensor with_rule(const Tensor& x, Rule rule) {
  return record("mine", square(x.detach()), {x}, {x}, std::move(rule));
}

TEST(OwnRules, MistakesAreTheUsersAndNameTheOp) {
  const Tensor x = leaf(3);
  const auto of = [&](Rule rule) { return error_of([&] { grad({sum(with_rule(x, rule))}, {x}); }); };
  EXPECT_EQ(
      of([](const RuleContext&, const Tensor&) { return std::vector<Tensor>{}; }),
      "[mine] its rule gave 0 gradients for 1 inputs: one is expected for each, undefined where it is zero");
  EXPECT_EQ(of([](const RuleContext& c, const Tensor& g) { return std::vector<Tensor>{g * c.saved(1)}; }),
            "[mine] its rule asks for saved tensor 1, but record() was given 1");
  const Tensor pair = Tensor::from({1.0, 2.0}, {2}).set_requires_grad(true);
  const auto three = [](const RuleContext&, const Tensor&) {
    return std::vector<Tensor>{Tensor::zeros({3}, {DType::f64, {}})};
  };
  EXPECT_EQ(error_of([&] { grad({sum(with_rule(pair, three))}, {pair}); }),
            "[mine] its rule gave a gradient of f64 [3] for an input of f64 [2]");
  EXPECT_EQ(of([](const RuleContext&, const Tensor&) { return std::vector<Tensor>{Tensor::zeros({1})}; }),
            "[mine] its rule gave a gradient of f32 [1] on cpu for an input of f64 [1] on cpu");
}

TEST(OwnRules, AThrowLeavesNoBackwardBehind) {
  const Tensor x = leaf(3);
  error_of([&] {
    grad({sum(with_rule(x, [](const RuleContext&, const Tensor&) { return std::vector<Tensor>{}; }))}, {x});
  });
  const AnomalyMode anomaly;
  const std::string text = error_of([&] { log(Tensor::from({-1.0}, {1})); });
  EXPECT_NE(text.find("log made the first NaN"), std::string::npos) << text;
  EXPECT_EQ(text.find("backward"), std::string::npos) << text;
}

// ---- Random numbers ----

TEST(Draws, RangesThatAreNotFiniteAreRefusedAndMoveNothing) {
  Generator random(1), same(1);
  for (const auto& draw : std::vector<std::function<void()>>{
           [&] { random.uniform({4}, -3e38, 3e38); },
           [&] { random.uniform({4}, 0, std::numeric_limits<double>::infinity()); },
           [&] { random.uniform({4}, std::nan(""), 1); }, [&] { random.uniform({4}, 2, 1); },
           [&] { random.normal({4}, 0, 1e300); }, [&] { random.normal({4}, std::nan(""), 1); },
           [&] { random.integers({4}, 0); }, [&] { random.shuffled(4, 0); }}) {
    EXPECT_NE(error_of(draw).find("expected"), std::string::npos);
  }
  EXPECT_EQ(random.state(), same.state());
  const Tensor wide = random.uniform({1000}, -3e38, 3e38, {DType::f64, {}});
  EXPECT_NE(max(wide, 0).item(), min(wide, 0).item());
}

// ---- Memory ----

TEST(OutOfMemoryText, SaysSmallSizes) {
  const Device cpu;
  empty_allocator_cache(cpu);
  set_allocator_limit(cpu, 1);
  std::string text;
  try {
    Tensor::zeros({25});
  } catch (const OutOfMemory& error) {
    text = error.what();
  }
  set_allocator_limit(cpu, 0);
  EXPECT_NE(text.find("wanted 100 bytes"), std::string::npos) << text;
}

}  // namespace
}  // namespace duel
