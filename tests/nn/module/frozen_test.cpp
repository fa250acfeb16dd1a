// Frozen parameters rest everywhere; a step without gradients is an error; the step that made the first NaN
// is known.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/nn/layers.h"
#include "duel/nn/optim/functional_optimizer.h"
#include "duel/nn/optim/grad_norm.h"
#include "duel/nn/optim/optim.h"
#include "tests/files.h"

namespace duel::nn {
namespace {

using duel::testing::error_of;

Sequential two_layers() { return Sequential(Linear(3, 4), Tanh(), Linear(4, 1)); }
Tensor input() { return Generator(5).normal({6, 3}); }
std::vector<float> values(const Tensor& x) { return x.to_vector<float>(); }

template <class Optim, class Options>
void check_rests(Options options) {
  Sequential net = two_layers();
  Optim optimizer(net, options);
  optimizer.set_ema(0.5);
  optimizer.set_clip(0.05);  // frozen weights are not clipped either
  const Tensor frozen = net.at<Linear>(0).weight, moving = net.at<Linear>(2).weight;
  net[0].set_requires_grad(false);
  const auto before = values(frozen), moved = values(moving);
  for (int i = 0; i < 3; ++i) optimizer.step(grad({mean(square(net(input())))}, net.parameters()));
  EXPECT_EQ(values(frozen), before);
  EXPECT_NE(values(moving), moved);
  for (const auto& [name, tensor] : optimizer.state_dict()) {
    if (!name.starts_with("0.") || name.ends_with(".ema")) continue;
    EXPECT_EQ(values(tensor), std::vector<float>(static_cast<size_t>(tensor.numel()))) << name;
  }
  net[0].set_requires_grad(true);
  optimizer.step(grad({mean(square(net(input())))}, net.parameters()));
  EXPECT_NE(values(frozen), before);
}

TEST(Frozen, ParametersAndTheirMomentsRestInEveryOptimizer) {
  check_rests<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1});
  check_rests<RMSProp>(RMSPropOptions{.lr = 0.1, .weight_decay = 0.1, .momentum = 0.5});
  check_rests<Adam>(AdamOptions{.lr = 0.1, .weight_decay = 0.1});
}

TEST(Frozen, TheAverageGoesOnTowardsThem) {
  Linear layer(1, 1, {.bias = false});
  SGD sgd(layer);
  sgd.set_ema(0.5);
  {
    const NoGrad no_grad;
    layer.weight.fill_(8);
  }
  const float start = sgd.ema().to_vector<float>()[0];
  layer.set_requires_grad(false);
  sgd.step({Tensor()});
  EXPECT_EQ(sgd.ema().to_vector<float>()[0], 0.5f * start + 4);
  EXPECT_EQ(layer.weight.item(), 8);
}

TEST(Frozen, BackwardAndTheFunctionalOptimizerPassOverThem) {
  Sequential net = two_layers();
  Adam adam(net);
  net[0].set_requires_grad(false);
  backward(mean(square(net(input()))));
  EXPECT_FALSE(net.at<Linear>(0).weight.grad().defined());
  adam.step();
  FunctionalOptimizer ahead(adam);
  const auto next = ahead.step(net.parameters(), grad({mean(square(net(input())))}, net.parameters()));
  EXPECT_EQ(values(next[0]), values(net.at<Linear>(0).weight));
  EXPECT_NE(values(next[2]), values(net.at<Linear>(2).weight));
}

TEST(Step, WithoutAnyGradientIsAnErrorAndNoStep) {
  Sequential net = two_layers();
  Adam adam(net);
  EXPECT_EQ(error_of([&] { adam.step(); }),
            "[step] no parameter has a gradient: call backward() first, or pass gradients, step(grad(...))");
  EXPECT_EQ(adam.steps(), 0);
}

TEST(Average, WarmsUpAsTensorFlowsDoes) {
  Linear layer(1, 1, {.bias = false});
  SGD sgd(layer, {.lr = 1});
  sgd.set_ema(0.5, /*warm_up=*/true);
  double average = layer.weight.item(), weight = average;
  for (int n = 1; n <= 12; ++n) {
    sgd.step({Tensor::ones({1, 1})});
    weight -= 1;
    const double decay = std::min(0.5, (1.0 + n) / (10.0 + n));
    average = decay * average + (1 - decay) * weight;
    EXPECT_NEAR(sgd.ema().to_vector<float>()[0], average, 1e-5) << n;
  }
}

TEST(NonFinite, TheFirstStepIsKnownWhateverHoldsIt) {
  const float inf = std::numeric_limits<float>::infinity();
  const auto first_with = [](Optimizer& optimizer, const Tensor& bad) {
    for (int i = 0; i < 5; ++i) optimizer.step({i == 2 ? bad : Tensor::ones({1, 2})});
    return optimizer.first_nonfinite_step();
  };
  for (const float value : {std::nanf(""), inf, -inf}) {
    const Tensor bad = Tensor::from({1.f, value}, {1, 2});
    Linear a(2, 1, {.bias = false}), b(2, 1, {.bias = false}), c(2, 1, {.bias = false});
    Adam adam(a);
    RMSProp rmsprop(b);
    SGD clipped(c, {.lr = 0});  // the weight never shows it
    clipped.set_clip(0.1);
    EXPECT_EQ(first_with(adam, bad), 3);
    EXPECT_EQ(first_with(rmsprop, bad), 3);
    EXPECT_EQ(first_with(clipped, bad), 3);
  }
  Linear big(2, 1, {.bias = false});
  Adam overflows(big);
  overflows.step({Tensor::full({1, 2}, 1e30)});  // its square is infinite
  EXPECT_EQ(overflows.first_nonfinite_step(), 1);
  Linear fine(2, 1, {.bias = false});
  SGD large(fine, {.lr = 1e-3, .momentum = 0.9});
  for (int i = 0; i < 3; ++i) large.step({Tensor::full({1, 2}, 1e38)});
  EXPECT_EQ(large.first_nonfinite_step(), 0);
}

TEST(GradientNorms, AreForLookingAt) {
  const Tensor w = Tensor::ones({2}).set_requires_grad(true);
  const Tensor norm = gradient_norms({w * 2.0}).total;
  EXPECT_FLOAT_EQ(static_cast<float>(norm.item()), std::sqrt(8.f));
  EXPECT_NE(
      error_of([&] { grad({norm}, {w}); }).find("derivative of gradient_norms is not implemented at order 1"),
      std::string::npos);
}

}  // namespace
}  // namespace duel::nn
