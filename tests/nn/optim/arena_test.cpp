// The arena: same handles, same values, one storage.
#include "duel/nn/optim/parameter_arena.h"

#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

TEST(Arena, KeepsHandlesValuesAndGradients) {
  Sequential net(Linear(3, 5), Tanh(), Linear(5, 1));
  const auto handles = net.parameters();
  std::vector<std::vector<double>> before;
  for (const Tensor& p : handles) before.push_back(p.to_vector<double>());
  const Tensor x = wave({4, 3}, 0, DType::f32);
  backward(sum(net(x)));
  const Tensor old_grad = handles[0].grad().clone();
  const Tensor pending = sum(net(x));  // a graph recorded before the move

  ParameterArena arena(net);
  ASSERT_EQ(arena.size(), 4u);
  EXPECT_EQ(arena.flat().numel(), 16 + 16 + 16 + 16);
  for (size_t k = 0; k < handles.size(); ++k) {
    EXPECT_EQ(handles[k].to_vector<double>(), before[k]);
    EXPECT_TRUE(handles[k].same_storage(arena.flat()));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(handles[k].raw()) % 64, 0u);
    EXPECT_EQ(net.parameters()[k].impl(), handles[k].impl());
  }
  expect_same_bits(handles[0].grad(), old_grad);
  // New and old graphs differentiate as before, and the flat tensor is what the layers read.
  expect_same_bits(grad({pending}, {handles[0]})[0], old_grad);
  expect_same_bits(grad({sum(net(x))}, {handles[0]})[0], old_grad);
  arena.flat().fill_(0);
  EXPECT_EQ(net(x).to_vector<double>(), std::vector<double>(4, 0.0));
}

TEST(Arena, ChangingTheFlatTensorBetweenForwardAndBackwardIsNoticed) {
  Sequential net(Linear(3, 2), Tanh(), Linear(2, 1));
  ParameterArena arena(net);
  const Tensor x = wave({4, 3}, 0, DType::f32);
  const Tensor loss = sum(net(x));
  arena.flat().fill_(1);
  expect_mentions(error_of([&] { grad({loss}, net.parameters()); }), {"changed in place"});
}

TEST(Arena, IsIdempotent) {
  Sequential net(Linear(3, 5), Linear(5, 1));
  ParameterArena first(net);
  const void* place = net.parameters()[1].raw();
  ParameterArena second(net);
  EXPECT_EQ(net.parameters()[1].raw(), place);
  EXPECT_EQ(second.flat().raw(), first.flat().raw());
  EXPECT_EQ(second.flat().numel(), first.flat().numel());
  first.check();
  second.check();
}

TEST(Arena, SaysWhenParametersMovedAway) {
  auto layer = std::make_shared<Linear>(3, 5);
  ParameterArena small(*layer);
  Sequential net(layer, Linear(5, 1));
  ParameterArena large(net);
  large.check();
  expect_mentions(error_of([&] { small.check(); }), {"weight", "moved"});
  net.to(DType::f64);
  expect_mentions(error_of([&] { large.check(); }), {"0.weight", "moved"});
  ParameterArena again(net);
  EXPECT_EQ(again.flat().dtype(), DType::f64);
  EXPECT_EQ(again.blocks()[0].entries[1].offset, 16);  // 15 elements, to the next 64 bytes
}

TEST(Arena, OneBlockPerDtypeAndNoneForNoParameters) {
  auto f64 = std::make_shared<Linear>(2, 2);
  f64->to(DType::f64);
  Sequential net(Linear(2, 2), f64, Linear(2, 1));
  ParameterArena arena(net);
  ASSERT_EQ(arena.blocks().size(), 2u);
  EXPECT_EQ(arena.blocks()[0].entries.size(), 4u);
  EXPECT_EQ(arena.blocks()[1].entries[1].name, "1.bias");
  EXPECT_EQ(arena.blocks()[1].entries[1].index, 3u);
  EXPECT_NE(error_of([&] { arena.flat(); }), "");
  Sequential empty{Tanh(), ReLU()};
  EXPECT_TRUE(ParameterArena(empty).blocks().empty());
}

TEST(Arena, SharedLayersLieThereOnce) {
  auto shared = std::make_shared<Linear>(4, 4);
  Sequential net(shared, shared);
  EXPECT_EQ(ParameterArena(net).flat().numel(), 32);
}

}  // namespace
}  // namespace duel::nn
