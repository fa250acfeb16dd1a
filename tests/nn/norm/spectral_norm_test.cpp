// Spectral norm: against PyTorch, against a power iteration by hand, and against the true largest singular
// value.
#include "duel/core/engine/gradcheck.h"
#include "tests/nn/helpers.h"
#include "tests/tensors.h"

namespace duel::nn {
namespace {

void check(const std::string& name, SpectralNorm&& layer, const Shape& shape) {
  layer.to(DType::f64);
  set_parameters(layer);
  layer.weight_u.copy_(wave(layer.weight_u.shape(), 3) * 0.5);
  layer.weight_v.copy_(wave(layer.weight_v.shape(), 4) * 0.5);
  layer(wave(shape, 2));  // the first of two power iterations
  Tensor x = wave(shape, 0).set_requires_grad(true);
  const Tensor y = layer(x);
  expect_pytorch(y, name + ".y");
  std::vector<Tensor> wanted{x};
  std::vector<std::string> labels{"x"};
  for (const auto& [label, parameter] : layer.named_parameters()) {
    wanted.push_back(parameter);
    labels.push_back(label);
  }
  const auto grads = grad({y}, wanted, {wave(y.shape(), 5)});
  for (size_t i = 0; i < grads.size(); ++i) expect_pytorch(grads[i], name + ".d_" + labels[i]);
  expect_pytorch(layer.weight_u, name + ".u");
  expect_pytorch(layer.weight_v, name + ".v");
  layer.eval();
  expect_pytorch(layer(wave(shape, 1)), name + ".y_eval");
  expect_pytorch(layer.weight_u, name + ".u");  // evaluation moves nothing
}

// A weight that is too large for one launch, or whose rows lie inside, is iterated by ops: the same directions, value and slope,
// also where there is no direction.
TEST(PowerIteration, ByOpsIsAsByTheKernel) {
  Generator random(7);
  for (const double scale : {1.0, 0.0, -3.0}) {
    const Tensor inside = mul_scalar(random.normal({3, 4, 5}, 0, 1, duel::testing::kF64), scale);
    const Tensor outside = transpose(inside, 0, 2);
    Tensor u = random.normal({5}, 0, 1, duel::testing::kF64),
           v = random.normal({12}, 0, 1, duel::testing::kF64);
    Tensor u_outside = u.clone(), v_outside = v.clone();
    for (const int64_t iterations : {1, 3}) {
      const SpectralEstimate ops = power_iteration(inside, 2, u, v, iterations, 1e-6);
      const SpectralEstimate kernel = power_iteration(outside, 0, u_outside, v_outside, iterations, 1e-6);
      for (const auto& [a, b] :
           {std::pair(ops.u, kernel.u), {ops.v, kernel.v}, {ops.value, kernel.value}, {u, u_outside}})
        EXPECT_LT(max(abs(a - b)).item(), 1e-12) << scale;
      EXPECT_EQ(ops.slope.item(), kernel.slope.item()) << scale;
    }
    const SpectralEstimate resting = spectral_estimate(inside, 2, neg(u), v, 1e-6);
    const SpectralEstimate beside = spectral_estimate(outside, 0, neg(u), v, 1e-6);
    EXPECT_NEAR(resting.value.item(), beside.value.item(), 1e-12);
    EXPECT_EQ(resting.slope.item(), beside.slope.item());
    EXPECT_EQ(resting.slope.item(), scale == 0 ? 0 : -1);
  }
}

TEST(SpectralNorm, MatchesPyTorch) {
  check("sn_linear", SpectralNorm(Linear(3, 4)), {2, 3});
  check("sn_conv2d", SpectralNorm(Conv2d(2, 3, 2)), {1, 2, 3, 3});
  check("sn_conv_transpose2d", SpectralNorm(ConvTranspose2d(2, 3, 2, {.bias = false})), {1, 2, 2, 2});
}

TEST(SpectralNorm, OfAnEmbeddingMatchesPyTorch) {
  SpectralNorm table(Embedding(4, 3));
  table.to(DType::f64);
  set_parameters(table);
  table.weight_u.copy_(wave({4}, 3) * 0.5);
  table.weight_v.copy_(wave({3}, 4) * 0.5);
  const Tensor y = table(Tensor::from<int64_t>({2, 0, 2, 3, 3, 1}, {2, 3}));
  expect_pytorch(y, "sn_embedding.y");
  expect_pytorch(grad({y}, {table.weight_orig}, {wave(y.shape(), 5)})[0], "sn_embedding.d_weight_orig");
  expect_pytorch(table.weight_u, "sn_embedding.u");
  expect_pytorch(table.weight_v, "sn_embedding.v");
}

TEST(SpectralNorm, HasPyTorchsKeys) {
  Sequential net(SpectralNorm(Conv2d(1, 2, 3)), ReLU());
  std::vector<std::string> names;
  for (const auto& [name, tensor] : net.state_dict()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"0.bias", "0.weight_orig", "0.weight_u", "0.weight_v"}));
  EXPECT_EQ(net.at<SpectralNorm>(0).weight_u.shape(), Shape{2});
  EXPECT_EQ(net.at<SpectralNorm>(0).weight_v.shape(), Shape{9});
}

// W = diag(3, 1): one iteration by hand from u = (0.6, 0.8).
TEST(SpectralNorm, OneIterationByHand) {
  SpectralNorm layer(Linear(2, 2, {.bias = false}));
  layer.to(DType::f64);
  {
    NoGrad no_grad;
    layer.weight_orig.copy_(Tensor::from({3.0, 0.0, 0.0, 1.0}, {2, 2}));
  }
  layer.weight_u.copy_(Tensor::from({0.6, 0.8}, {2}));
  layer(Tensor::ones({1, 2}, {DType::f64, {}}));
  const double vx = 1.8, vy = 0.8, vn = std::hypot(vx, vy);              // W^T u
  const double ux = 3 * vx / vn, uy = vy / vn, un = std::hypot(ux, uy);  // W v
  expect_close(layer.weight_v, {vx / vn, vy / vn}, "v");
  expect_close(layer.weight_u, {ux / un, uy / un}, "u");
  expect_close(layer.sigma(), {3 * ux / un * vx / vn + uy / un * vy / vn}, "sigma");
}

// W = Q1 diag(5, 2, 1) Q2 for rotations Q: sigma must become 5, and the layer 1-Lipschitz.
TEST(SpectralNorm, ConvergesToTheLargestSingularValue) {
  const auto rotation = [](int a, int b, double angle) {
    std::vector<double> q = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    const auto at = [&](int r, int c) -> double& { return q[static_cast<size_t>(3 * r + c)]; };
    at(a, a) = at(b, b) = std::cos(angle);
    at(a, b) = -std::sin(angle);
    at(b, a) = std::sin(angle);
    return Tensor::from(q, {3, 3});
  };
  const Tensor diagonal = Tensor::from({5.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0}, {3, 3});
  const Tensor w = matmul(matmul(matmul(rotation(0, 1, 0.7), rotation(1, 2, 1.1)), diagonal),
                          matmul(rotation(0, 2, 0.4), rotation(0, 1, -0.9)));
  SpectralNorm layer(Linear(3, 3, {.bias = false}));
  layer.to(DType::f64);
  {
    NoGrad no_grad;
    layer.weight_orig.copy_(w);
  }
  const Tensor x = Tensor::ones({1, 3}, {DType::f64, {}});
  for (int i = 0; i < 60; ++i) layer(x);
  EXPECT_NEAR(layer.sigma().item(), 5.0, 1e-12);
  layer.eval();
  EXPECT_NEAR(std::sqrt(sum(square(layer(layer.weight_v.reshape({1, 3})))).item()), 1.0, 1e-12);
}

// Two forwards before one backward, as a critic does on real and fake: the first graph keeps its own u and v.
TEST(SpectralNorm, LaterForwardsDoNotDisturbAGraph) {
  SpectralNorm layer(Linear(3, 4));
  layer.to(DType::f64);
  set_parameters(layer);
  const Tensor a = wave({2, 3}, 1), b = wave({2, 3}, 2);
  const StateDict start = layer.state_dict();
  const Tensor u = layer.weight_u.clone(), v = layer.weight_v.clone();
  const Tensor alone = grad({sum(square(layer(a)))}, {layer.weight_orig})[0];
  layer.weight_u.copy_(u);
  layer.weight_v.copy_(v);
  const Tensor first = sum(square(layer(a)));
  layer(b);
  expect_same_bits(grad({first}, {layer.weight_orig})[0], alone);
}

// u and v constants: with frozen u, v (eval mode) W / sigma(W) is smooth, and both orders of its derivative
// check out.
TEST(SpectralNorm, SecondOrder) {
  for (int kind = 0; kind < 2; ++kind) {
    auto layer = kind == 0 ? SpectralNorm(Conv2d(2, 3, 2)) : SpectralNorm(ConvTranspose2d(2, 3, 2));
    layer.to(DType::f64);
    set_parameters(layer);
    layer(wave({1, 2, 3, 3}, 0));
    layer.eval();
    const Tensor x = wave({1, 2, 3, 3}, 0).set_requires_grad(true);
    const auto f = [&](const std::vector<Tensor>& in) { return tanh(layer(in[0])); };
    const auto result = gradgradcheck(f, {x, layer.weight_orig, layer.layer().bias});
    EXPECT_TRUE(result) << result.message;
  }
}

TEST(SpectralNorm, BadOptionsAreRefused) {
  EXPECT_NE(error_of([] { SpectralNorm(Linear(1, 1), {.n_power_iterations = 0}); }), "");
  EXPECT_NE(error_of([] { SpectralNorm(std::shared_ptr<WeightLayer>()); }), "");
}

// A weight with no direction: zeros give zeros and u keeps its own; tiny ones are not blown up.
TEST(SpectralNorm, AZeroOrTinyWeightIsFiniteAndNeverStretches) {
  for (const double value : {0.0, 1e-20, 1e-9}) {
    SpectralNorm layer{Linear(3, 2, {.bias = false})};
    {
      const NoGrad no_grad;
      layer.weight_orig.fill_(value);
    }
    const Tensor x = Tensor::ones({1, 3}).set_requires_grad(true);
    for (int i = 0; i < 3; ++i) {
      const Tensor y = layer(x);
      for (const float v : y.to_vector<float>()) EXPECT_LE(std::abs(v), 1.7321f) << value;
      const auto g = grad({sum(y)}, {x, layer.weight_orig});
      EXPECT_FALSE(first_nonfinite(g[0])) << value;
      EXPECT_FALSE(first_nonfinite(g[1])) << value;
    }
    for (const Tensor& direction : {layer.weight_u, layer.weight_v})
      EXPECT_NEAR(sum(square(direction)).item(), 1, 1e-4) << value;
  }
}

}  // namespace
}  // namespace duel::nn
