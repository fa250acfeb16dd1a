// The blocks of today's networks against PyTorch in f64, and what their papers promise of them.
#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

/// A layer of two inputs, the second one held.
struct Told : Module {
  template <class Layer>
  Told(Layer layer, Tensor second)
      : inner(register_module("inner", std::move(layer))), told(std::move(second)) {}
  Tensor forward(const Tensor& x) override { return (*inner)(x, told); }
  std::string describe() const override { return inner->describe(); }
  std::shared_ptr<Module> inner;
  Tensor told;
};

/// As check_layer, without the name of the layer that Told puts before its parameters.
void check_told(const std::string& name, Told&& module, const Shape& shape) {
  module.to(DType::f64);
  set_parameters(module);
  compare(name, module, wave(shape, 0), "inner.");
}

TEST(Blocks, AreAsInPyTorch) {
  check_layer("self_attention", SelfAttention2d(4), {2, 4, 2, 4});
  check_layer("residual",
              Residual(Sequential(ReLU(), Conv2d(2, 3, 1, {.bias = false}), AvgPool2d(2)),
                       Sequential(AvgPool2d(2), Conv2d(2, 3, 1, {.bias = false}))),
              {1, 2, 2, 4});
  check_layer("minibatch_discrimination", MinibatchDiscrimination(4, 2, 3), {3, 4});
  check_layer("pixel_norm", PixelNorm(), {2, 3, 2});
  check_layer("equalized_linear", Equalized(Linear(3, 2), {.gain = 2.0, .lr_multiplier = 0.1}), {2, 3});
  check_layer("equalized_conv2d", Equalized(Conv2d(2, 3, 2)), {1, 2, 3, 3});
  check_layer("upsample_bilinear", Upsample(2, Upsample::Mode::bilinear), {1, 2, 2, 3});
  check_layer("upsample_bilinear3", Upsample(3, Upsample::Mode::bilinear), {1, 1, 2, 3});
  check_layer("pixel_shuffle", PixelShuffle(2), {1, 8, 1, 2});
  check_layer("blur", Blur2d(), {1, 1, 3, 4});
  check_layer("global_sum_pool2d", GlobalSumPool2d(), {2, 3, 2, 2});
  {
    WithReference module(VirtualBatchNorm(3), wave({2, 3, 2, 2}, 9));
    module.to(DType::f64);
    set_parameters(module);
    compare("virtual_batch_norm", module, wave({2, 3, 2, 2}, 0), "network.");
  }
  check_told("conditional_batch_norm2d", Told(ConditionalBatchNorm2d(3, 2), wave({2, 2}, 9)), {2, 3, 2, 2});
  check_told("modulated_conv2d", Told(ModulatedConv2d(2, 3, 3, 2), wave({2, 2}, 9)), {2, 2, 3, 4});
  check_told("modulated_conv2d_plain",
             Told(ModulatedConv2d(2, 3, 3, 2, {.demodulate = false}), wave({2, 2}, 9)), {2, 2, 3, 4});
}

TEST(Blocks, SecondOrder) {
  check_twice(SelfAttention2d(2), {1, 2, 2, 4});
  check_twice(Residual(Sequential(Tanh(), Conv2d(2, 2, 1))), {1, 2, 2, 2});
  check_twice(MinibatchDiscrimination(3, 2, 2), {3, 3});
  check_twice(PixelNorm(), {2, 3});
  check_twice(Equalized(Linear(3, 2), {.lr_multiplier = 0.5}), {2, 3});
  check_twice(Told(ConditionalBatchNorm2d(2, 2), wave({2, 2}, 9)), {2, 2, 2, 1});
  check_twice(WithReference(Sequential(VirtualBatchNorm(2), Conv2d(2, 2, 1), VirtualBatchNorm(2)),
                            wave({3, 2, 2, 1}, 9)),
              {2, 2, 2, 1});
  check_twice(Told(ModulatedConv2d(2, 2, 3, 2), wave({2, 2}, 9)), {2, 2, 2, 2});
}

// The reference comes out as batch norm gives it; a sample comes out the same alone and beside others; with many references it is
// normalised as they are; and what cannot work is refused with the reason.
TEST(VirtualBatchNorm, ReadsTheReferenceAndTheSampleAlone) {
  const Tensor reference = wave({6, 2, 2, 2}, 9), x = wave({3, 2, 2, 2}, 4);
  VirtualBatchNorm layer(2);
  layer.references = 6;
  layer.to(DType::f64);
  BatchNorm2d by_batch(2);
  by_batch.to(DType::f64);
  expect_close(layer(reference), by_batch(reference).to_vector<double>(), "the reference");
  WithReference whole(Sequential(VirtualBatchNorm(2), Conv2d(2, 3, 1), VirtualBatchNorm(3)), reference);
  whole.to(DType::f64);
  EXPECT_FALSE(whole.mixes_samples());
  const Tensor all = whole(x);
  expect_close(whole(rows(x, 1, 2)), rows(all, 1, 2).to_vector<double>(), "alone", 1e-14);
  ASSERT_EQ(whole.named_buffers().size(), 1u);
  EXPECT_EQ(whole.named_buffers()[0].first, "reference");
  const auto copy = clone(whole);
  expect_same_bits((*copy)(x), all);
  const Tensor many = Generator(1).normal({4000, 1}, 3, 2, {DType::f64, {}});
  WithReference wide(VirtualBatchNorm(1), many);
  wide.to(DType::f64);
  expect_close(wide(Tensor::from({3.0, 5.0}, {2, 1})), {0, 1}, "by N(3, 2)", 0.05);
  const auto refused = [](auto make) { return error_of(make); };
  expect_mentions(refused([&] { VirtualBatchNorm(2)(Tensor::zeros({4, 2})); }), {"within a WithReference"});
  expect_mentions(refused([] {
                    WithReference(Linear(2, 2), Tensor::zeros({4, 2}));
                  }),
                  {"with a VirtualBatchNorm"});
  expect_mentions(refused([] {
                    WithReference(Sequential(BatchNorm1d(2), VirtualBatchNorm(2)), Tensor::zeros({4, 2}));
                  }),
                  {"mix the reference in"});
  expect_mentions(refused([&] {
                    whole(Tensor::zeros({1, 2, 3, 3}, {DType::f64, {}}));
                  }),
                  {"like those of the reference"});
}

// With gamma 0 the block is not there; rows of its weights are distributions; with equal keys every place sees the mean.
TEST(SelfAttention2d, BeginsAsTheIdentityAndLooksEverywhere) {
  manual_seed(3);
  SelfAttention2d block(8);
  const Tensor x = wave({2, 8, 4, 4}, 0, DType::f32);
  expect_same_bits(block(x), x);
  const Tensor looks = block.attention(x);
  EXPECT_EQ(looks.shape(), (Shape{2, 16, 4}));
  expect_close(sum(looks, {2}), std::vector<double>(32, 1.0), "rows", 1e-6);
  NoGrad off;
  static_cast<Conv2d&>(*block.key).weight.fill_(0);
  expect_close(block.attention(x), std::vector<double>(128, 0.25), "equal keys", 1e-6);
  EXPECT_EQ(SelfAttention2d(8, {.pool = false}).attention(x).shape(), (Shape{2, 16, 16}));
  EXPECT_EQ(SelfAttention2d(8).attention(wave({1, 8, 3, 4}, 0, DType::f32)).shape(), (Shape{1, 12, 12}))
      << "odd sides";
}

// Large logits: the softmax is shifted by the row's maximum, in the tensor's own type; exp(200) alone is infinite in f32.
TEST(SelfAttention2d, LargeLogitsStayFinite) {
  manual_seed(3);
  SelfAttention2d block(8);
  const Tensor x = (wave({1, 8, 4, 4}, 0, DType::f32) * 100.0).set_requires_grad(true);
  {
    NoGrad off;
    block.gamma.fill_(1);
  }
  const Tensor g = grad({sum(block(x))}, {x})[0];
  for (const float v : g.to_vector<float>()) ASSERT_TRUE(std::isfinite(v));
}

// Two labels, two scales; the running statistics are of x alone.
TEST(ConditionalBatchNorm2d, ALabelIsARowOfATable) {
  manual_seed(1);
  ConditionalBatchNorm2d norm(2, 3);
  const Tensor x = wave({2, 2, 3, 3}, 0, DType::f32);
  const auto told = [&](int64_t a, int64_t b) { return norm(x, one_hot(Tensor::from({a, b}, {2}), 3)); };
  const Tensor y = told(0, 1), swapped = told(0, 2);
  expect_same_bits(slice(y, 0, 0, 1), slice(swapped, 0, 0, 1));
  EXPECT_NE(slice(y, 0, 1, 2).to_vector<float>(), slice(swapped, 0, 1, 2).to_vector<float>());
  EXPECT_TRUE(norm.mixes_samples());
  norm.eval();
  EXPECT_FALSE(norm.mixes_samples());
  expect_mentions(error_of([&] { norm(x, Tensor::ones({1, 3})); }), {"condition [2, 3]", "[1, 3]"});
}

// Demodulated outputs of white inputs have unit variance whatever the styles' sizes.
TEST(ModulatedConv2d, DemodulationTakesTheStylesSizeAway) {
  manual_seed(2);
  ModulatedConv2d conv(4, 3, 3, 5);
  const Tensor x = Generator(1).normal({2, 4, 6, 6}), w = Generator(2).normal({2, 5});
  NoGrad off;
  const Tensor y = conv(x, w);
  conv.style->weight.copy_(conv.style->weight * 7.0);
  conv.style->bias.copy_(conv.style->bias * 7.0);
  expect_close(conv(x, w), y.to_vector<double>(), "seven times the style", 1e-5);
}

TEST(MinibatchDiscrimination, EqualSamplesAreNearest) {
  manual_seed(2);
  const Tensor same = MinibatchDiscrimination(3, 2, 4)(Tensor::ones({4, 3}));
  expect_close(slice(same, 1, 3, 5), std::vector<double>(8, 4.0), "as many as samples", 1e-6);
}

TEST(Blocks, SayWhatIsWrong) {
  expect_mentions(error_of([] {
                    Residual(Sequential(Linear(3, 2)))(Tensor::ones({1, 3}));
                  }),
                  {"[1, 2]", "[1, 3]"});
  expect_mentions(error_of([] { Residual{Sequential()}; }), {"at least one layer"});
  expect_mentions(error_of([] {
                    SelfAttention2d(4)(Tensor::ones({1, 3, 2, 2}));
                  }),
                  {"[N, 4, H, W]", "[1, 3, 2, 2]"});
  expect_mentions(error_of([] { ModulatedConv2d(2, 2, 2, 3); }), {"odd kernel"});
  expect_mentions(error_of([] {
                    ModulatedConv2d(2, 2, 3, 3)(Tensor::ones({1, 2, 2, 2}), Tensor::ones({2, 3}));
                  }),
                  {"[2, 3]"});
  expect_mentions(error_of([] { MinibatchDiscrimination(3, 2, 2)(Tensor::ones({2, 4})); }), {"[N, 3]"});
  expect_mentions(error_of([] { PixelShuffle(2)(Tensor::ones({1, 3, 2, 2})); }), {"C r r"});
  EXPECT_THROW(Equalized(Linear(1, 1), {.lr_multiplier = 0}), Error);
  EXPECT_THROW(Equalized(std::shared_ptr<WeightLayer>()), Error);
  EXPECT_THROW(PixelNorm(0), Error);
}

}  // namespace
}  // namespace duel::nn
