// Deep copies and files: the same network, in memory of its own.
#include "duel/nn/module/save.h"

#include "duel/core/io/safetensors.h"
#include "duel/nn/optim/optim.h"
#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

/// The copy has the original's state, describes itself alike, computes the same, and shares nothing.
void check_clone(const Module& original, const Tensor& input) {
  const std::shared_ptr<Module> copy = original.clone();
  SCOPED_TRACE(original.describe());
  EXPECT_EQ(copy->describe(), original.describe());
  EXPECT_EQ(copy->is_training(), original.is_training());
  const StateDict a = original.state_dict(), b = copy->state_dict();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].first, b[i].first);
    expect_same_bits(a[i].second, b[i].second, a[i].first);
    EXPECT_FALSE(a[i].second.same_storage(b[i].second));
  }
  const std::shared_ptr<Module> other = copy->clone();  // forward may move buffers: one copy for each pass
  manual_seed(3);
  const Tensor y = (*copy)(input);
  manual_seed(3);
  expect_same_bits((*other)(input), y);
}

TEST(Clone, EveryLayer) {
  const Tensor flat = wave({4, 6}, 0, DType::f32), image = wave({2, 3, 4, 4}, 0, DType::f32);
  for (const auto& layer :
       ModuleList(ReLU(), LeakyReLU(0.3), ELU(2.0), Tanh(), Sigmoid(), Softplus(3.0), GELU(), Identity(),
                  Linear(6, 2), Linear(6, 2, {.bias = false}), Maxout(2), Dropout(0.25), Flatten(0, -1),
                  Unflatten({3, 2}), BatchNorm1d(6), LayerNorm({6}, {.eps = 1e-2, .bias = false}),
                  MinibatchStddev(), MinibatchDiscrimination(6, 2, 3), PixelNorm(1e-3),
                  Equalized(Linear(6, 2), {.gain = 2.0, .lr_multiplier = 0.1}),
                  SpectralNorm(Linear(6, 2), {.n_power_iterations = 3}))) {
    check_clone(*layer, flat);
  }
  for (const auto& layer :
       ModuleList(Conv2d(3, 2, 3, {.stride = 2, .padding = 1}),
                  Conv2d(3, 6, {3, 1}, {.dilation = {1, 2}, .groups = 3}), Upsample(2), AvgPool2d(2),
                  MaxPool2d({2, 3}, {.stride = 1, .padding = 1}), ZeroPad2d({.left = 2}),
                  ReflectionPad2d({.bottom = 3}),
                  ConvTranspose2d(3, 2, 3, {.stride = 2, .output_padding = 1, .bias = false}),
                  BatchNorm2d(3, {.momentum = 0.3}), InstanceNorm2d(3, {.affine = true}),
                  Upsample(2, Upsample::Mode::bilinear), Blur2d(), GlobalSumPool2d(),
                  SelfAttention2d(3, {.spectral_norm = true, .pool = false}),
                  Residual(Sequential(ReLU(), Conv2d(3, 2, 1)), Sequential(Conv2d(3, 2, 1))),
                  SpectralNorm(ConvTranspose2d(3, 2, 2)))) {
    check_clone(*layer, image);
  }
  check_clone(Embedding(4, 3), Tensor::from({2, 0, 3}, {3}));
}

struct Own : Module {
  explicit Own(int64_t width)
      : body(register_module("body", Sequential(Linear(6, width), BatchNorm1d(width)))) {}
  Tensor forward(const Tensor& x) override { return (*body)(x)*scale; }
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<Own>(body->at<Linear>(0).out_features);
  }
  std::shared_ptr<Sequential> body;
  Tensor scale = register_parameter("scale", Tensor::ones({}));
};

TEST(Clone, AModuleOfOnesOwnWithItsModeDtypeAndFrozenParameters) {
  Own net(5);
  set_parameters(net);
  net.to(DType::f64);
  net(wave({4, 6}, 1));  // running statistics
  net.eval();
  net.body->train();
  (*net.body)[0].set_requires_grad(false);
  const std::shared_ptr<Own> copy = clone(net);
  EXPECT_FALSE(copy->is_training());
  EXPECT_TRUE(copy->body->is_training());
  EXPECT_FALSE(copy->body->at<Linear>(0).weight.requires_grad());
  EXPECT_TRUE(copy->scale.requires_grad());
  check_clone(net, wave({4, 6}, 0));
  // A step of one does not move the other, arenas and all.
  Adam optimizer(net, {.lr = 0.1});
  const auto before = copy->scale.item();
  optimizer.step(grad({sum(net(wave({4, 6}, 0)))}, net.parameters()));
  EXPECT_NE(net.scale.item(), before);
  EXPECT_EQ(copy->scale.item(), before);
  copy->set_requires_grad(true);
  EXPECT_FALSE(net.body->at<Linear>(0).weight.requires_grad());
}

TEST(Clone, KeepsWhatLayersShare) {
  auto shared = std::make_shared<Linear>(3, 3);
  Sequential net(shared, Sequential(ReLU(), shared));
  const auto copy = clone(net);
  EXPECT_EQ(copy->parameters().size(), 2u);
  EXPECT_EQ(&(*copy)[0], &copy->at<Sequential>(1)[1]);
  EXPECT_NE(&(*copy)[0], shared.get());
}

TEST(Clone, DrawsNothingAndLeavesHooksBehind) {
  Linear layer(3, 3);
  int calls = 0;
  layer.register_forward_hook([&](Module&, std::span<const Tensor>, const Tensor&) { ++calls; });
  const RandomState before = default_generator().state();
  const auto copy = clone(layer);
  EXPECT_EQ(default_generator().state().offset, before.offset);
  (*copy)(Tensor::ones({1, 3}));
  EXPECT_EQ(calls, 0);
}

TEST(Clone, WhatCannotBeMadeAnewSaysSo) {
  struct Silent : Module {
    Tensor forward(const Tensor& x) override { return x; }
  };
  struct Heir : Linear {
    Heir() : Linear(2, 2) {}
  };
  struct Grows : Module {
    explicit Grows(bool more) {
      register_module("a", Linear(1, 1));
      if (more) register_module("b", Linear(1, 1));
    }
    std::shared_ptr<Module> make_like() const override { return std::make_shared<Grows>(false); }
  };
  struct Parts : Module {  // its two layers are one; those of the copy are not
    Parts(std::shared_ptr<Linear> a, std::shared_ptr<Linear> b) {
      register_module("a", a);
      register_module("b", b);
    }
    std::shared_ptr<Module> make_like() const override {
      return std::make_shared<Parts>(std::make_shared<Linear>(1, 1), std::make_shared<Linear>(1, 1));
    }
  };
  expect_mentions(error_of([] { Silent().clone(); }), {"[clone]", "overrides make_like()"});
  expect_mentions(error_of([] { Sequential(Linear(1, 1), Silent()).clone(); }), {"overrides make_like()"});
  expect_mentions(error_of([] { Heir().clone(); }), {"inherits", "Linear("});
  expect_mentions(error_of([] { Grows(true).clone(); }),
                  {"same parameters, buffers and children", "(b): Linear"});
  const auto one = std::make_shared<Linear>(1, 1);
  expect_mentions(error_of([&] { Parts(one, one).clone(); }), {"shares"});
  EXPECT_NO_THROW(Parts(one, std::make_shared<Linear>(1, 1)).clone());
}

TEST(Save, RoundTripUnderPyTorchsNames) {
  const testing::Scratch folder;
  Sequential net(SpectralNorm(Linear(6, 5)), BatchNorm1d(5)),
      other(SpectralNorm(Linear(6, 5)), BatchNorm1d(5));
  net(wave({4, 6}, 1, DType::f32));
  save(net, folder / "net.safetensors");
  const TensorFile file = read_safetensors(folder / "net.safetensors");
  EXPECT_EQ(file.text("format"), "pt");
  for (const char* name :
       {"0.weight_orig", "0.weight_u", "0.weight_v", "0.bias", "1.running_var", "1.num_batches_tracked"}) {
    EXPECT_NE(file.find(name), nullptr) << name;
  }
  const auto report = load(other, folder / "net.safetensors");
  EXPECT_TRUE(report.missing.empty() && report.unexpected.empty());
  const StateDict a = net.state_dict(), b = other.state_dict();
  for (size_t i = 0; i < a.size(); ++i) expect_same_bits(a[i].second, b[i].second, a[i].first);
}

TEST(Save, LoadTellsWhatIsMissingAndUnexpected) {
  const testing::Scratch folder;
  const auto path = folder / "net.safetensors";
  save(Sequential(Linear(3, 2), Tanh(), Linear(2, 2)), path);
  Sequential net(Linear(3, 2), BatchNorm1d(2));
  const Tensor before = net.at<Linear>(0).weight.clone();
  expect_mentions(error_of([&] { load(net, path); }), {"missing: 1.weight, 1.bias", "unexpected: 2."});
  expect_same_bits(net.at<Linear>(0).weight.detach(), before.detach());
  const auto [missing, unexpected] = load(net, path, false);
  EXPECT_EQ(missing.size(), 5u);
  EXPECT_EQ(unexpected.size(), 2u);
  EXPECT_NE(net.at<Linear>(0).weight.to_vector<float>(), before.to_vector<float>());
  EXPECT_NE(error_of([&] { load(net, folder / "none.safetensors"); }), "");
}

}  // namespace
}  // namespace duel::nn
