// Registration, modes, state dicts, conversions, declarations, descriptions.
#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

std::vector<std::string> names(const StateDict& dict) {
  std::vector<std::string> all;
  for (const auto& [name, tensor] : dict) all.push_back(name);
  return all;
}

using Names = std::vector<std::string>;

struct Critic : Module {
  std::shared_ptr<Linear> in = register_module("in", Linear(3, 4));
  std::shared_ptr<Sequential> body = register_module("body", Sequential(BatchNorm1d(4), LeakyReLU(0.2)));
  Tensor scale = register_parameter("scale", Tensor::ones({}));
  Tensor none = register_parameter("none", Tensor());
  Tensor count = register_buffer("count", Tensor::zeros({2}, {DType::i64, {}}));
  Tensor forward(const Tensor& x) override { return (*body)((*in)(x)) * scale; }
};

TEST(Module, NamesInPyTorchsOrder) {
  Critic critic;
  EXPECT_EQ(names(critic.named_parameters()),
            (Names{"scale", "in.weight", "in.bias", "body.0.weight", "body.0.bias"}));
  EXPECT_EQ(names(critic.state_dict()),
            (Names{"scale", "count", "in.weight", "in.bias", "body.0.weight", "body.0.bias",
                   "body.0.running_mean", "body.0.running_var", "body.0.num_batches_tracked"}));
  EXPECT_EQ(names(critic.named_buffers()),
            (Names{"count", "body.0.running_mean", "body.0.running_var", "body.0.num_batches_tracked"}));
  EXPECT_EQ(critic.parameter_count(), 1 + 12 + 4 + 8);
  EXPECT_EQ(critic.children().size(), 2u);
  for (const Tensor& parameter : critic.parameters()) EXPECT_TRUE(parameter.requires_grad());
}

TEST(Module, BadNamesAreRefused) {
  struct Open : Critic {
    void parameter(const std::string& name) { register_parameter(name, Tensor::ones({1})); }
    void module(const std::string& name) { register_module(name, std::shared_ptr<Module>()); }
  } open;
  for (const char* name : {"", "a.b", "scale", "count", "in"}) {
    EXPECT_NE(error_of([&] { open.parameter(name); }), "") << name;
  }
  expect_mentions(error_of([&] { open.module("new"); }), {"null"});
}

TEST(Module, SharedLayersCountOnceButKeepBothNames) {
  auto shared = std::make_shared<Linear>(3, 3);
  Sequential net(shared, ReLU(), shared);
  EXPECT_EQ(net.parameters().size(), 2u);
  EXPECT_EQ(names(net.state_dict()), (Names{"0.weight", "0.bias", "2.weight", "2.bias"}));
}

TEST(Module, TrainAndEvalReachEveryDescendant) {
  Critic critic;
  EXPECT_TRUE(critic.is_training());
  critic.eval();
  int visited = 0;
  critic.apply([&](Module& m) {
    ++visited;
    EXPECT_FALSE(m.is_training());
  });
  EXPECT_EQ(visited, 5);
  critic.train();
  EXPECT_TRUE((*critic.body)[0].is_training());
}

TEST(Module, NoParamGradTreatsParametersAsConstants) {
  Linear layer(2, 2);
  const Tensor x = Tensor::ones({1, 2}).set_requires_grad(true);
  NoParamGrad frozen;
  const Tensor y = sum(layer(x));
  EXPECT_EQ(grad({y}, {x}, {}, {.retain_graph = true}).size(), 1u);
  EXPECT_FALSE(grad({y}, {layer.weight}, {}, {.allow_unused = true})[0].defined());
}

TEST(Module, StateDictRoundTrip) {
  Critic a, b;
  set_parameters(a);
  a(wave({5, 3}, 2, DType::f32));  // moves the running statistics
  StateDict kept = a.state_dict();
  for (auto& [name, tensor] : kept) tensor = tensor.clone();
  const auto report = b.load_state_dict(kept);
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty());
  const StateDict loaded = b.state_dict();
  for (size_t i = 0; i < kept.size(); ++i) expect_same_bits(loaded[i].second, kept[i].second, kept[i].first);
  EXPECT_TRUE(b.scale.requires_grad());
  for (const auto& [name, tensor] : b.state_dict()) EXPECT_FALSE(tensor.requires_grad()) << name;
  a.eval();
  b.eval();
  const Tensor x = wave({2, 3}, 0, DType::f32);
  expect_same_bits(a(x), b(x));
}

TEST(Module, StateDictConvertsFloats) {
  Linear f32(2, 2), f64(2, 2);
  f64.to(DType::f64);
  f32.load_state_dict(f64.state_dict());
  EXPECT_EQ(f32.weight.dtype(), DType::f32);
  expect_same_bits(f32.weight.detach(), f64.weight.to(DType::f32));
}

TEST(Module, StateDictErrorsNameEverythingAndChangeNothing) {
  Sequential net(Linear(2, 3), BatchNorm1d(3));
  const Tensor before = net.at<Linear>(0).weight.clone();
  StateDict state;
  for (const auto& [name, tensor] : net.state_dict())
    state.emplace_back(name, Tensor::full(tensor.shape(), 9, tensor.options()));
  StateDict bad = state;
  bad[1] = {"0.extra", Tensor::ones({1})};              // 0.bias missing
  bad[2].second = Tensor::ones({4});                    // 1.weight
  bad[6].second = Tensor::ones({});                     // num_batches_tracked as f32
  bad.emplace_back("0.weight", Tensor::zeros({3, 2}));  // twice
  bad.emplace_back("other", Tensor::zeros({1}));
  expect_mentions(error_of([&] { net.load_state_dict(bad); }),
                  {"missing: 0.bias", "unexpected: 0.extra, other", "1.weight is f32 [3] here and f32 [4]",
                   "1.num_batches_tracked is i64 [] here and f32 []", "repeated: 0.weight"});
  expect_same_bits(net.at<Linear>(0).weight.detach(), before);

  StateDict partial(state.begin(), state.begin() + 1);
  partial.emplace_back("other", Tensor::zeros({1}));
  expect_mentions(error_of([&] { net.load_state_dict(partial); }),
                  {"missing", "1.running_var", "unexpected: other"});
  expect_same_bits(net.at<Linear>(0).weight.detach(), before);
  const auto report = net.load_state_dict(partial, false);
  EXPECT_EQ(report.missing, (Names{"0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var",
                                   "1.num_batches_tracked"}));
  EXPECT_EQ(report.unexpected, (Names{"other"}));
  EXPECT_EQ(net.at<Linear>(0).weight.to_vector<double>(), std::vector<double>(6, 9.0));

  StateDict wrong(state.begin(), state.begin() + 1);
  wrong[0].second = Tensor::ones({2, 3});
  expect_mentions(error_of([&] { net.load_state_dict(wrong, false); }), {"0.weight", "[3, 2]", "[2, 3]"});
}

TEST(Module, ToKeepsHandlesAndNames) {
  Sequential net(Linear(2, 2), BatchNorm1d(2));
  const Tensor handle = net.at<Linear>(0).weight;
  const auto before = handle.to_vector<double>();
  backward(sum(net(wave({3, 2}, 0, DType::f32))));
  EXPECT_TRUE(handle.grad().defined());
  net.to(DType::f64);
  EXPECT_EQ(handle.dtype(), DType::f64);
  EXPECT_EQ(handle.to_vector<double>(), before);
  EXPECT_TRUE(handle.requires_grad());
  EXPECT_FALSE(handle.grad().defined());
  const auto& norm = net.at<BatchNorm1d>(1);
  EXPECT_EQ(norm.running_var.dtype(), DType::f64);
  EXPECT_EQ(norm.num_batches_tracked.dtype(), DType::i64);
  backward(sum(square(net(wave({3, 2}, 0)))));
  EXPECT_EQ(handle.grad().dtype(), DType::f64);
  // Still a parameter: NoParamGrad knows it, and errors name it.
  {
    NoParamGrad frozen;
    EXPECT_FALSE(tracked(handle));
  }
  expect_mentions(error_of([&] { grad({sum(Tensor::ones({1}).set_requires_grad(true) * 2.0)}, {handle}); }),
                  {"0.weight"});
  EXPECT_NE(error_of([&] { net.to(DType::i64); }), "");
  net.to(Device{});
  expect_mentions(error_of([&] { net.to(Device::cuda(99)); }), {"[to]", "cuda:99 is not available"});
}

TEST(Module, ZeroGrad) {
  Linear layer(2, 1);
  backward(sum(layer(Tensor::ones({1, 2}))));
  layer.zero_grad();
  EXPECT_FALSE(layer.weight.grad().defined());
}

TEST(Sequential, BuildsFromValuesAndPointers) {
  Sequential net(Linear(2, 3), std::make_shared<ReLU>());
  net.push_back(Sequential(Linear(3, 3), Tanh()));
  net.push_back(std::make_shared<Linear>(3, 1));
  EXPECT_EQ(net.size(), 4u);
  EXPECT_EQ(names(net.state_dict()),
            (Names{"0.weight", "0.bias", "2.0.weight", "2.0.bias", "3.weight", "3.bias"}));
  EXPECT_EQ(net(Tensor::ones({5, 2})).shape(), (Shape{5, 1}));
  expect_mentions(error_of([&] { net[4]; }), {"4"});
  expect_mentions(error_of([&] { net.at<Linear>(1); }), {"ReLU()"});
  Sequential moved(std::move(net));
  EXPECT_EQ(moved.size(), 4u);
  const Tensor x = Tensor::ones({2});
  expect_same_bits(Sequential()(x), x);
  EXPECT_EQ(Sequential(Sequential(Tanh()), Sequential(Tanh())).size(), 2u);
}

TEST(Declarations, PiecewiseLinearLayersSayTheirSecondDerivativeIsZero) {
  EXPECT_TRUE(Linear(1, 1).second_derivative_zero());
  EXPECT_TRUE(Conv2d(1, 1, 1).second_derivative_zero());
  EXPECT_TRUE(ConvTranspose2d(1, 1, 1).second_derivative_zero());
  EXPECT_TRUE(SpectralNorm(Linear(1, 1)).second_derivative_zero());
  EXPECT_TRUE(ReLU().second_derivative_zero());
  EXPECT_TRUE(LeakyReLU().second_derivative_zero());
  EXPECT_TRUE(Maxout(5).second_derivative_zero());
  EXPECT_TRUE(Dropout().second_derivative_zero());
  EXPECT_TRUE(Embedding(1, 1).second_derivative_zero());
  EXPECT_TRUE(Identity().second_derivative_zero());
  EXPECT_TRUE(Flatten().second_derivative_zero());
  EXPECT_TRUE(Unflatten({1}).second_derivative_zero());
  EXPECT_TRUE(Upsample(2).second_derivative_zero());
  EXPECT_TRUE(AvgPool2d(2).second_derivative_zero());
  EXPECT_TRUE(MaxPool2d(2).second_derivative_zero());
  EXPECT_TRUE(ZeroPad2d(1).second_derivative_zero());
  EXPECT_TRUE(ReflectionPad2d(1).second_derivative_zero());
  EXPECT_TRUE(PReLU().second_derivative_zero());
  EXPECT_TRUE(WeightNorm(Linear(1, 1)).second_derivative_zero());
  EXPECT_FALSE(ELU().second_derivative_zero());
  EXPECT_FALSE(Tanh().second_derivative_zero());
  EXPECT_FALSE(Sigmoid().second_derivative_zero());
  EXPECT_FALSE(Softplus().second_derivative_zero());
  EXPECT_FALSE(GELU().second_derivative_zero());
  EXPECT_FALSE(SiLU().second_derivative_zero());
  EXPECT_FALSE(GroupNorm(1, 1).second_derivative_zero());
  EXPECT_FALSE(LayerNorm({1}).second_derivative_zero());
  EXPECT_FALSE(InstanceNorm2d(1).second_derivative_zero());
  // A network that says nothing is not assumed to be piecewise linear; a Sequential is what its layers are.
  EXPECT_FALSE(Critic().second_derivative_zero());
  EXPECT_TRUE(Sequential(Linear(1, 1), Sequential(ReLU(), Flatten())).second_derivative_zero());
  EXPECT_FALSE(Sequential(Linear(1, 1), Sequential(ReLU(), Tanh())).second_derivative_zero());
}

TEST(Declarations, BatchNormFollowsTheMode) {
  BatchNorm2d norm(1), bare(1, {.track_running_stats = false});
  EXPECT_TRUE(norm.mixes_samples());
  EXPECT_FALSE(norm.second_derivative_zero());
  norm.eval();
  bare.eval();
  EXPECT_FALSE(norm.mixes_samples());
  EXPECT_TRUE(norm.second_derivative_zero());
  EXPECT_TRUE(bare.mixes_samples());
  Critic critic;
  EXPECT_TRUE(critic.mixes_samples());
  critic.eval();
  EXPECT_FALSE(critic.mixes_samples());
  for (bool mixes :
       {LayerNorm({1}).mixes_samples(), InstanceNorm2d(1).mixes_samples(), Linear(1, 1).mixes_samples(),
        Dropout().mixes_samples(), SpectralNorm(Linear(1, 1)).mixes_samples()}) {
    EXPECT_FALSE(mixes);
  }
}

// The declarations against the mathematics: finite second differences of <forward, c> along a line, and the
// influence of one sample on another's output.
TEST(Declarations, AreTrue) {
  const auto check = [](Module&& module, const Shape& shape) {
    module.to(DType::f64);
    set_parameters(module);
    Tensor x = (wave(shape, 0.3) * 2.0).set_requires_grad(true);
    const Tensor first =
        grad({sum(square(wave(module(x).shape(), 1)) * module(x))}, {x}, {}, {.create_graph = true})[0];
    double second = 0;
    if (first.requires_grad()) {
      const Tensor g = grad({sum(first * wave(shape, 4))}, {x}, {}, {.allow_unused = true})[0];
      if (g.defined()) second = sum(abs(g)).item();
    }
    EXPECT_EQ(second == 0.0, module.second_derivative_zero()) << module.describe() << " " << second;
    const Tensor y = slice(module(x), 0, 0, 1);
    const Tensor others = slice(grad({sum(y * wave(y.shape(), 2))}, {x})[0], 0, 1, shape[0]);
    EXPECT_EQ(sum(abs(others)).item() != 0.0, module.mixes_samples()) << module.describe();
  };
  check(Linear(3, 2), {4, 3});
  check(Conv2d(2, 3, 2), {4, 2, 3, 3});
  check(ConvTranspose2d(2, 3, 2), {4, 2, 3, 3});
  check(SpectralNorm(Linear(3, 2)), {4, 3});
  check(MinibatchStddev(), {4, 3});
  check(MinibatchStddev(), {4, 2, 2, 2});
  check(BatchNorm1d(3), {4, 3});
  check(BatchNorm2d(2), {4, 2, 2, 2});
  BatchNorm1d evaluated(3);
  evaluated.eval();
  check(std::move(evaluated), {4, 3});
  check(LayerNorm({3}), {4, 3});
  check(InstanceNorm2d(2), {4, 2, 2, 2});
  check(ReLU(), {4, 3});
  check(LeakyReLU(), {4, 3});
  check(Maxout(3), {4, 6});
  check(ELU(), {4, 3});
  check(Tanh(), {4, 3});
  check(Sigmoid(), {4, 3});
  check(Softplus(), {4, 3});
  check(GELU(), {4, 3});
  check(SiLU(), {4, 3});
  check(PReLU(3), {4, 3});
  check(GroupNorm(2, 4), {4, 4, 2});
  check(WeightNorm(Linear(3, 2)), {4, 3});
  check(ZeroPad2d(1), {4, 1, 2, 2});
  check(ReflectionPad2d(1), {4, 1, 2, 2});
  check(MaxPool2d(2, {.stride = 1}), {4, 1, 3, 3});
  check(Identity(), {4, 3});
  check(Flatten(), {4, 2, 2});
  check(Unflatten({3, 1}), {4, 3});
  check(Upsample(2), {4, 1, 2, 2});
  check(AvgPool2d(2), {4, 1, 2, 2});
  check(Upsample(2, Upsample::Mode::bilinear), {4, 1, 2, 2});
  check(PixelShuffle(2), {4, 4, 1, 2});
  check(Blur2d(), {4, 1, 2, 3});
  check(GlobalSumPool2d(), {4, 2, 2, 2});
  check(PixelNorm(), {4, 3});
  check(Equalized(Conv2d(2, 3, 2)), {4, 2, 3, 3});
  check(Residual(Sequential(ReLU(), Conv2d(2, 2, 1))), {4, 2, 2, 2});
  check(Residual(Sequential(Tanh(), Conv2d(2, 2, 1)), Sequential(Conv2d(2, 2, 1))), {4, 2, 2, 2});
  check(Residual(Sequential(BatchNorm2d(2), Conv2d(2, 2, 1))), {4, 2, 2, 2});
  check(SelfAttention2d(2), {4, 2, 2, 4});
  check(MinibatchDiscrimination(3, 2, 2), {4, 3});
  check(WithReference(VirtualBatchNorm(2), wave({3, 2, 2, 2}, 9)), {4, 2, 2, 2});
  check(Sequential(Linear(3, 2), LeakyReLU(), Linear(2, 1)), {4, 3});
  check(Sequential(Linear(3, 2), Tanh(), Linear(2, 1)), {4, 3});
}

TEST(Describe, ReadsLikePyTorch) {
  EXPECT_EQ(Linear(100, 256).describe(), "Linear(in_features=100, out_features=256, bias=True)");
  EXPECT_EQ(Conv2d(1, 64, 4, {.stride = 2, .padding = 1, .bias = false}).describe(),
            "Conv2d(1, 64, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), bias=False)");
  EXPECT_EQ(ConvTranspose2d(8, 4, 4, {.stride = 2, .output_padding = 1}).describe(),
            "ConvTranspose2d(8, 4, kernel_size=(4, 4), stride=(2, 2), output_padding=(1, 1))");
  EXPECT_EQ(BatchNorm2d(64).describe(),
            "BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)");
  EXPECT_EQ(LayerNorm({10}).describe(), "LayerNorm((10,), eps=1e-05, elementwise_affine=True)");
  EXPECT_EQ(Sequential(Flatten(), LeakyReLU(0.2), Dropout(0.3)).describe(),
            "Sequential((0): Flatten(start_dim=1, end_dim=-1), (1): LeakyReLU(negative_slope=0.2), (2): "
            "Dropout(p=0.3))");
  EXPECT_EQ(Maxout(5).describe(), "Maxout(pieces=5)");
  EXPECT_EQ(GroupNorm(2, 4).describe(), "GroupNorm(2, 4, eps=1e-05, affine=True)");
  EXPECT_EQ(PReLU().describe(), "PReLU(num_parameters=1)");
  EXPECT_EQ(MaxPool2d({3, 2}, {.stride = 2}).describe(),
            "MaxPool2d(kernel_size=(3, 2), stride=(2, 2), padding=(0, 0))");
  EXPECT_EQ(ReflectionPad2d({.left = 1, .bottom = 2}).describe(), "ReflectionPad2d((1, 0, 0, 2))");
  EXPECT_EQ(ModuleList(Tanh()).describe(), "ModuleList((0): Tanh())");
  EXPECT_EQ(SpectralNorm(Linear(2, 1)).describe(),
            "SpectralNorm(Linear(in_features=2, out_features=1, bias=True))");
}

}  // namespace
}  // namespace duel::nn
