// Note [Slopes on the way]: a gradient that a product multiplied by the slope of the activation before it is the gradient
// that the activation would have made, bit by bit, to every order. A hook that does nothing keeps a product from it, which
// is how the tests have both. Fails where a slope is multiplied twice or not at all, or taken where somebody else wants
// the gradient as it was.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"

namespace duel {
namespace {

const TensorOptions kOptions{DType::f32, {}};

/// Layers that end in activations, some with a reshape behind them; `hooked`: nothing is multiplied on the way.
struct Net {
  std::vector<Tensor> weights;
  bool hooked = false;
  bool smooth = false;  // ends in a tanh

  explicit Net(Generator& random) {
    for (const Shape& shape : {Shape{3, 1, 4, 4}, Shape{3}, Shape{2, 3, 3, 3}, Shape{2, 2, 2, 2},
                               Shape{5, 128}, Shape{5}, Shape{4, 5}, Shape{1, 4}}) {
      weights.push_back(random.normal(shape, 0, 0.4, kOptions).set_requires_grad(true));
    }
  }
  Tensor seen(Tensor y) const {
    if (hooked && y.requires_grad()) y.register_hook([](const Tensor&) { return Tensor(); });
    return y;
  }
  Tensor operator()(const Tensor& x) const {
    const Activation leaky = kernels::LeakyRelu{0.2}, rectified = kernels::Relu{};
    Tensor y = seen(conv2d(x, weights[0], weights[1], {.stride = 2, .padding = 1}, leaky));
    y = seen(relu(conv2d(y, weights[2], {}, {.padding = 1})));
    y = seen(conv_transpose2d(y, weights[3], {}, {.stride = 2}, leaky));
    y = seen(linear(y.reshape({x.dim(0), -1}), weights[4], weights[5], rectified));
    y = seen(smooth ? tanh(linear(y, weights[6])) : linear(y, weights[6], {}, leaky));
    return linear(y, weights[7]);
  }
};

using Gradients = std::vector<std::vector<float>>;

void append(Gradients& values, const std::vector<Tensor>& tensors) {
  for (const Tensor& tensor : tensors)
    values.push_back(tensor.defined() ? tensor.to_vector<float>() : std::vector<float>());
}

/// Gradients of order 1, 2 and 3.
Gradients derivatives(const Net& net, const Tensor& from) {
  Gradients values;
  const Tensor x = from.detach().set_requires_grad(true);
  append(values, grad({mean(net(x))}, net.weights));
  const Tensor g = grad({sum(net(x))}, {x}, {}, {.create_graph = true})[0];
  net.seen(g);
  const Tensor penalty = mean(square(sample_norm(g) - 1.0));
  append(values, grad({penalty}, net.weights, {}, {.retain_graph = true, .allow_unused = true}));
  const auto second = grad({penalty}, {net.weights[4], net.weights[7]}, {}, {.create_graph = true});
  append(values,
         grad({sum(square(second[0])) + sum(square(second[1]))}, net.weights, {}, {.allow_unused = true}));
  return values;
}

TEST(SlopesOnTheWay, ChangeNoBitOfAnyOrder) {
  for (const bool smooth : {false, true}) {
    Generator random(3);
    Net net(random);
    net.smooth = smooth;
    const Tensor x = random.normal({4, 1, 8, 8}, 0, 1, kOptions);
    const Gradients plain = derivatives(net, x);
    net.hooked = true;
    EXPECT_EQ(plain, derivatives(net, x)) << smooth;
    for (const std::vector<float>& gradient : plain)
      for (float value : gradient) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST(SlopesOnTheWay, AreLeftWhereTheGradientHasOtherUses) {
  Generator random(5);
  const Tensor x = random.normal({6, 4}, 0, 1, kOptions),
               w = random.normal({3, 4}, 0, 1, kOptions).set_requires_grad(true),
               v = random.normal({2, 3}, 0, 1, kOptions).set_requires_grad(true);
  const auto both = [&](bool hooked) {
    Gradients values;
    const auto hidden = [&] {
      Tensor h = linear(x, w, {}, kernels::LeakyRelu{0.2});
      if (hooked) h.register_hook([](const Tensor&) { return Tensor(); });
      return h;
    };
    const Tensor twice = hidden(), asked = hidden(), seeded = hidden();
    append(values, grad({sum(linear(twice, v)) + sum(square(twice))}, {w, v}));
    append(values, grad({sum(linear(asked, v))}, {w, v, asked}));  // the gradient before the slope
    append(values, grad({sum(linear(seeded, v)), seeded}, {w}, {Tensor(), ones_like(seeded)}));
    Tensor kept = hidden();
    kept.retain_grad();
    backward(sum(linear(kept, v)));
    append(values, {kept.grad()});
    return values;
  };
  EXPECT_EQ(both(false), both(true));
}

TEST(SlopesOnTheWay, SeeWhatWasChangedSinceAsAnError) {
  Tensor w = Tensor::from(std::vector<float>{1, -1}, {1, 2}).set_requires_grad(true);
  const Tensor x = Tensor::from(std::vector<float>{1, 2}, {1, 2});
  const Tensor before = linear(x, w), y = relu(before);
  {
    NoGrad no_grad;
    Tensor changed = before.detach();
    changed.fill_(3);
  }
  EXPECT_THROW(grad({sum(linear(y, Tensor::ones({2, 1})))}, {w}), Error);
}

}  // namespace
}  // namespace duel
