// Sequential where a layer and its activation are one op: the same values and gradients as of two, and everybody who looks
// sees both. Fails where an activation is dropped, done twice, or done behind the back of a hook.
#include "duel/nn/module/sequential.h"

#include <gtest/gtest.h>

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/nn/layers.h"
#include "duel/nn/module/activation_trace.h"
#include "tests/nn/helpers.h"
#include "tests/tensors.h"

namespace duel::nn {
namespace {

Sequential network() {
  manual_seed(4);
  Sequential net(Conv2d(1, 4, 3, {.stride = 2, .padding = 1}), BatchNorm2d(4), ReLU(),
                 SpectralNorm(ConvTranspose2d(4, 2, 2, {.stride = 2})), LeakyReLU(0.2), Flatten(),
                 Linear(128, 16), Unflatten({4, 2, 2}), Identity(), Tanh(), InstanceNorm2d(4), LeakyReLU(0.1),
                 Flatten(), Linear(16, 6), LayerNorm(Shape{6}), ReLU(), Linear(6, 3), GELU(),
                 WeightNorm(Linear(3, 2)), Tanh(), Dropout(0.0), ReLU());
  return net;
}

/// The result, then the gradient of every parameter.
std::vector<std::vector<float>> run(Sequential& net, const std::function<Tensor(const Tensor&)>& forward) {
  const Tensor x = Generator(2).normal({5, 1, 8, 8});
  const Tensor y = forward(x);
  std::vector<std::vector<float>> all{y.to_vector<float>()};
  for (const Tensor& gradient : grad({sum(square(y))}, net.parameters()))
    all.push_back(gradient.to_vector<float>());
  return all;
}

TEST(Sequential, ALayerAndItsActivationInOneOpChangeNoBit) {
  for (const bool training : {true, false}) {
    Sequential together = network(), apart = network();
    together.train(training), apart.train(training);
    const auto layer_by_layer = [&](const Tensor& x) {
      Tensor y = x;
      for (const auto& layer : apart) y = (*layer)(y);
      return y;
    };
    EXPECT_EQ(run(together, [&](const Tensor& x) { return together(x); }), run(apart, layer_by_layer))
        << training;
    for (const auto& [name, buffer] : apart.named_buffers()) {
      for (const auto& [other, value] : together.named_buffers()) {
        if (name == other) expect_same_bits(value, buffer);
      }
    }
  }
}

TEST(Sequential, HooksAndTracesSeeTheLayerBeforeItsActivation) {
  Sequential net(Linear(3, 4), Unflatten({2, 2}), ReLU());
  const Tensor x = Generator(2).normal({6, 3});
  const Tensor plain = net(x), before = net.at<Linear>(0)(x);
  for (size_t i = 0; i < 3; ++i) {
    Tensor seen;
    HookHandle handle = net[i].register_forward_hook(
        [&](Module&, std::span<const Tensor>, const Tensor& output) { seen = output; });
    expect_same_bits(net(x), plain);
    expect_same_bits(seen.reshape(plain.shape()), i == 2 ? plain : before.reshape(plain.shape()));
    handle.remove();
  }
  ActivationTrace trace;
  expect_same_bits(net(x), plain);
  ASSERT_EQ(trace.outputs().size(), 3u);
  expect_same_bits(trace.outputs()[0].second, before);
}

/// Layers of a user's, derived from Duel's with a forward() of their own.
struct TwiceLinear : Linear {
  using Linear::Linear;
  Tensor forward(const Tensor& x) override { return Linear::forward(x * 2.0); }
};
struct ShiftedLeaky : LeakyReLU {
  using LeakyReLU::LeakyReLU;
  Tensor forward(const Tensor& x) override { return LeakyReLU::forward(x) + 1.0; }
};
struct HalfNorm : BatchNorm1d {
  using BatchNorm1d::BatchNorm1d;
  Tensor forward(const Tensor& x) override { return BatchNorm1d::forward(x) * 0.5; }
};
struct Negated : Identity {
  Tensor forward(const Tensor& x) override { return neg(x); }
};

TEST(Sequential, CallsTheForwardOfDerivedLayers) {
  Sequential net(TwiceLinear(3, 4), ReLU(), Linear(4, 4), ShiftedLeaky(0.2), HalfNorm(4), Tanh(),
                 Linear(4, 2), Negated(), ReLU());
  const Tensor x = Generator(2).normal({6, 3});
  Tensor y = x;
  for (const auto& layer : net) y = (*layer)(y);
  expect_same_bits(net(x), y);
}

TEST(Sequential, AnErrorNamesTheLayerThatHasAnActivationBehindIt) {
  Sequential net(Linear(3, 4), ReLU());
  expect_mentions(error_of([&] { net(Tensor::ones({2, 5})); }), {"Linear", "0", "[2, 5]"});
}

}  // namespace
}  // namespace duel::nn
