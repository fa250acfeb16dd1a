// Networks and optimizer steps as functions of weights: equal to the real thing, and differentiable through
// it.
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/nn/module/scoped_parameters.h"
#include "duel/nn/optim/functional_optimizer.h"
#include "tests/nn/helpers.h"
#include "tests/tensors.h"

namespace duel::nn {
namespace {

using duel::testing::kF64;

Sequential small_net() {
  Sequential net(Linear(3, 4), Tanh(), Linear(4, 1));
  net.to(DType::f64);
  return net;
}

TEST(ScopedParameters, ReplaceTheWeightsForAWhile) {
  Sequential net = small_net();
  const Tensor x = Generator(1).normal({5, 3}, 0, 1, kF64);
  const std::vector<double> before = net(x).to_vector<double>();
  std::vector<Tensor> doubled, leaves;
  for (const Tensor& p : net.parameters()) {
    leaves.push_back(p.detach().clone().set_requires_grad(true));
    doubled.push_back(leaves.back() * 2.0);
  }
  Tensor y;
  {
    ScopedParameters scope(net.parameters(), doubled);
    y = net(x);
    EXPECT_EQ(net.parameters()[0].to_vector<double>(), doubled[0].to_vector<double>());
  }
  EXPECT_EQ(net(x).to_vector<double>(), before);
  // Backward runs after the scope, through the replacements to what they were made of: here the chain rule's
  // factor 2.
  const auto g = grad({sum(y)}, leaves);
  Sequential same = small_net();
  StateDict state = net.state_dict();
  for (size_t i = 0; i < state.size(); ++i) state[i].second = doubled[i].detach();
  same.load_state_dict(state);
  const auto expected = grad({sum(same(x))}, same.parameters());
  for (size_t i = 0; i < g.size(); ++i) {
    for (size_t k = 0; k < g[i].to_vector<double>().size(); ++k) {
      EXPECT_NEAR(g[i].to_vector<double>()[k], 2 * expected[i].to_vector<double>()[k], 1e-13);
    }
  }
}

TEST(ScopedParameters, WhatDoesNotFitIsRefusedAndChangesNothing) {
  Sequential net = small_net();
  std::vector<Tensor> wrong = net.parameters();
  wrong.back() = Tensor::zeros({2}, kF64);
  EXPECT_THROW(ScopedParameters(net.parameters(), wrong), Error);
  wrong.pop_back();
  EXPECT_THROW(ScopedParameters(net.parameters(), wrong), Error);
  EXPECT_EQ(net.parameters().back().shape(), (Shape{1}));
}

template <class Optim, class Options>
void equals_real_steps(Options options, double clip = 0, bool grouped = false) {
  Sequential net = small_net();
  Optim optimizer(net, options);
  optimizer.set_clip(clip);
  if (grouped) optimizer.add_param_group({.params = net[2].parameters(), .lr = 0.02, .weight_decay = 0.4});
  const Tensor x = Generator(2).normal({6, 3}, 0, 1, kF64);
  const auto loss = [&] { return mean(softplus(net(x))); };
  for (int i = 0; i < 3; ++i) optimizer.step(grad({loss()}, net.parameters()));  // moments that are not zero
  FunctionalOptimizer ahead(optimizer);
  std::vector<Tensor> now;
  for (const Tensor& p : net.parameters()) now.push_back(p.detach().clone().set_requires_grad(true));
  for (int i = 0; i < 4; ++i) {
    std::vector<Tensor> g;
    {
      ScopedParameters scope(net.parameters(), now);
      g = grad({loss()}, now, {}, {.create_graph = true});
    }
    now = ahead.step(now, g);
  }
  for (int i = 0; i < 4; ++i) optimizer.step(grad({loss()}, net.parameters()));
  EXPECT_EQ(optimizer.steps(), 7) << "looking ahead is not stepping";
  const auto real = net.parameters();
  for (size_t i = 0; i < real.size(); ++i) {
    const auto a = now[i].to_vector<double>(), b = real[i].to_vector<double>();
    for (size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-13) << i;
  }
}

TEST(FunctionalOptimizer, EqualsTheRealStepsFromTheirMoments) {
  equals_real_steps<Adam>(AdamOptions{.lr = 0.05, .betas = {0.5, 0.9}});
  equals_real_steps<Adam>(AdamOptions{.lr = 0.05, .betas = {0.0, 0.9}, .weight_decay = 0.1});
  equals_real_steps<AdamW>(AdamWOptions{.lr = 0.05, .betas = {0.5, 0.9}, .weight_decay = 0.3});
  equals_real_steps<OptimisticAdam>(AdamOptions{.lr = 0.05, .betas = {0.5, 0.9}});
  equals_real_steps<OptimisticAdam>(AdamOptions{.lr = 0.05, .betas = {0.0, 0.9}, .weight_decay = 0.1}, 0.2);
  equals_real_steps<RMSProp>(RMSPropOptions{.lr = 0.05});
  equals_real_steps<RMSProp>(RMSPropOptions{.lr = 0.05, .alpha = 0.9, .weight_decay = 0.1, .momentum = 0.5});
  equals_real_steps<SGD>(SGDOptions{.lr = 0.1});
  equals_real_steps<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.2, .weight_decay = 0.1});
  equals_real_steps<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true});
  equals_real_steps<Adam>(AdamOptions{.lr = 0.05}, 0.2);
  equals_real_steps<Adam>(AdamOptions{.lr = 0.05}, 0, true);
  equals_real_steps<AdamW>(AdamWOptions{.lr = 0.05}, 0, true);
  equals_real_steps<OptimisticAdam>(AdamOptions{.lr = 0.05}, 0, true);
  equals_real_steps<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9}, 0, true);
}

// A weight that never had a gradient has v = 0: its step is 0, and what flows back through it too, not a NaN.
TEST(FunctionalOptimizer, AWeightWithoutGradientGivesNoNaN) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Linear layer(1, 1, {.bias = false});
    layer.to(dtype);
    Adam optimizer(layer, {.lr = 0.1});
    FunctionalOptimizer ahead(optimizer);
    const Tensor w = layer.weight.detach().clone().set_requires_grad(true);
    const Tensor zero = w * 0.0;
    const Tensor next = ahead.step({w}, {zero})[0];
    EXPECT_EQ(next.item(), w.item());
    EXPECT_EQ(grad({sum(next)}, {w})[0].item(), 1.0);
  }
}

}  // namespace
}  // namespace duel::nn
