// Value and gradients of every layer against PyTorch in f64. A wrong axis, eps, slope, momentum, bias
// correction or parameter order fails.
#include "duel/core/engine/gradcheck.h"
#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

TEST(Layers, Linear) {
  check_layer("linear", Linear(3, 2), {4, 3});
  check_layer("linear_rank3", Linear(3, 2, {.bias = false}), {2, 2, 3});
}

TEST(Layers, LinearTakesAnyLeadingAxes) {
  Linear layer(3, 2);
  const Tensor x = wave({2, 4, 3}, 0, DType::f32);
  // Within rounding: a product of fewer rows may add its terms in another order.
  const std::vector<double> rows = layer(x.reshape({8, 3})).to_vector<double>();
  expect_close(layer(x), rows, "[2, 4, 3]", 1e-6);
  EXPECT_EQ(layer(x).shape(), (Shape{2, 4, 2}));
  const Tensor one = layer(slice(x.reshape({8, 3}), 0, 0, 1).reshape({3}));
  EXPECT_EQ(one.shape(), (Shape{2}));
  expect_close(one, {rows[0], rows[1]}, "[3]", 1e-6);
}

TEST(Layers, Conv2d) { check_layer("conv2d", Conv2d(2, 3, 3, {.stride = 2, .padding = 1}), {2, 2, 5, 5}); }

TEST(Layers, ConvTranspose2d) {
  check_layer("conv_transpose2d", ConvTranspose2d(2, 3, 3, {.stride = 2, .padding = 1, .output_padding = 1}),
              {2, 2, 3, 3});
}

void check_batch_norm(const std::string& name, BatchNorm&& norm, const Shape& shape) {
  norm.to(DType::f64);
  set_parameters(norm);
  compare(name, norm, wave(shape, 0));
  norm(wave(shape, 3) * 2.0 + 1.0);
  expect_pytorch(norm.running_mean, name + ".running_mean");
  expect_pytorch(norm.running_var, name + ".running_var");
  EXPECT_EQ(norm.num_batches_tracked.to_vector<int64_t>(), std::vector<int64_t>{2});
  norm.eval();
  const Tensor mean_before = norm.running_mean.clone(), var_before = norm.running_var.clone();
  compare(name + "_eval", norm, wave(shape, 0));
  expect_same_bits(norm.running_mean, mean_before);
  expect_same_bits(norm.running_var, var_before);
  EXPECT_EQ(norm.num_batches_tracked.to_vector<int64_t>(), std::vector<int64_t>{2});
}

TEST(Layers, BatchNorm) {
  check_batch_norm("batch_norm1d", BatchNorm1d(3), {4, 3});
  check_batch_norm("batch_norm1d_length", BatchNorm1d(3, {.momentum = 0.3}), {2, 3, 4});
  check_batch_norm("batch_norm2d", BatchNorm2d(3, {.eps = 1e-3}), {2, 3, 2, 2});
}

TEST(Layers, BatchNormWithoutStatisticsUsesTheBatchInEvaluationToo) {
  BatchNorm2d norm(3, {.affine = false, .track_running_stats = false});
  norm.to(DType::f64);
  norm.eval();
  EXPECT_TRUE(norm.state_dict().empty());
  compare("batch_norm2d_bare", norm, wave({2, 3, 2, 2}, 0));
}

TEST(Layers, BatchNormRefusesOneValuePerChannelAndCountsNothing) {
  BatchNorm1d norm(3);
  EXPECT_NE(error_of([&] { norm(Tensor::ones({1, 3})); }), "");
  EXPECT_EQ(norm.num_batches_tracked.to_vector<int64_t>()[0], 0);
  norm.eval();
  EXPECT_EQ(norm(Tensor::ones({1, 3})).shape(), (Shape{1, 3}));
}

TEST(Layers, LayerNorm) {
  check_layer("layer_norm", LayerNorm({3, 2, 2}), {2, 3, 2, 2});
  check_layer("layer_norm_last", LayerNorm({5}, {.eps = 1e-3}), {2, 3, 5});
  LayerNorm bare({4}, {.elementwise_affine = false});
  EXPECT_TRUE(bare.parameters().empty());
  expect_close(bare(Tensor::from({1.f, 1.f, 3.f, 3.f}, {4})), {-1, -1, 1, 1}, "one row without batch axis",
               1e-5);
}

TEST(Layers, InstanceNorm) {
  check_layer("instance_norm2d", InstanceNorm2d(3, {.affine = true}), {2, 3, 2, 3});
  check_layer("instance_norm2d_bare", InstanceNorm2d(3), {2, 3, 2, 3});
}

TEST(Layers, Activations) {
  check_layer("relu", ReLU(), {7}, 3.0);
  check_layer("leaky_relu", LeakyReLU(), {7}, 3.0);
  check_layer("leaky_relu02", LeakyReLU(0.2), {7}, 3.0);
  check_layer("elu", ELU(), {7}, 3.0);
  check_layer("elu2", ELU(2.0), {7}, 3.0);
  check_layer("tanh", Tanh(), {7}, 3.0);
  check_layer("sigmoid", Sigmoid(), {7}, 3.0);
  check_layer("softplus", Softplus(), {7}, 3.0);
  check_layer("softplus3", Softplus(3.0), {7}, 3.0);
  check_layer("gelu", GELU(), {7}, 3.0);
  check_layer("silu", SiLU(), {7}, 3.0);
  check_layer("prelu", PReLU(), {7}, 3.0);
  check_layer("prelu_channels", PReLU(3), {1, 3, 2}, 3.0);
  expect_mentions(error_of([] { PReLU(3)(Tensor::ones({2, 4})); }), {"PReLU", "[N, 3, ...]", "[2, 4]"});
}

TEST(Layers, MaxoutTakesTheGreatestOfItsPieces) {
  Tensor x =
      Tensor::from({1., -7., 5., -3., 2., -4., 0., 6., 8., 6., 8., 6.}, {2, 6}).set_requires_grad(true);
  const Tensor y = Maxout(3)(x);
  EXPECT_EQ(y.shape(), (Shape{2, 2}));
  expect_close(y, {5, -3, 8, 6}, "maxout");
  // Every second feature belongs together (not neighbours), and ties share.
  expect_close(grad({sum(y * Tensor::from({1., 2., 4., 3.}, {2, 2}))}, {x})[0],
               {0, 0, 1, 2, 0, 0, 0, 1, 2, 1, 2, 1}, "maxout gradient");
  EXPECT_EQ(Maxout(2)(wave({2, 3, 4}, 1)).shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(Maxout(2)(Tensor::ones({0, 4})).shape(), (Shape{0, 2}));
  expect_same_bits(Maxout(1)(x), x);
  EXPECT_NE(error_of([] {
              Maxout(4)(Tensor::ones({2, 6}));
            }).find("4 divides, got [2, 6]"),
            std::string::npos);
  EXPECT_THROW(Maxout(0), Error);
}

TEST(Layers, Resampling) {
  check_layer("upsample", Upsample(2), {1, 2, 2, 3});
  check_layer("avg_pool2d", AvgPool2d(2), {1, 2, 4, 6});
  check_layer("avg_pool2d_overlap", AvgPool2d({3, 2}, {.stride = {2, 1}, .padding = 1}), {1, 1, 5, 3});
  check_layer("max_pool2d", MaxPool2d(2), {1, 1, 5, 4});
  check_layer("max_pool2d_overlap", MaxPool2d({3, 2}, {.stride = {2, 1}, .padding = 1}), {1, 1, 5, 3});
  expect_mentions(error_of([] { MaxPool2d(2, {.padding = 2}); }), {"MaxPool2d", "half", "(2, 2)"});
  EXPECT_THROW(AvgPool2d(0), Error);
}

TEST(Layers, Padding) {
  check_layer("zero_pad2d", ZeroPad2d({.left = 1, .top = 2, .bottom = 1}), {1, 1, 1, 2});
  check_layer("reflection_pad2d", ReflectionPad2d({.left = 1, .right = 2, .bottom = 1}), {1, 1, 2, 3});
  EXPECT_EQ(ZeroPad2d(2)(Tensor::ones({1, 1, 3, 3})).shape(), (Shape{1, 1, 7, 7}));
  EXPECT_EQ(ReflectionPad2d(0)(Tensor::ones({1, 1, 3, 3})).shape(), (Shape{1, 1, 3, 3}));
  expect_mentions(error_of([] {
                    ReflectionPad2d(3)(Tensor::ones({1, 1, 3, 3}));
                  }),
                  {"ReflectionPad2d", "smaller than the 3 pixels", "3 and 3"});
  EXPECT_THROW(ZeroPad2d(-1), Error);
}

TEST(Layers, GroupNorm) {
  check_layer("group_norm", GroupNorm(2, 4), {2, 4, 3});
  check_layer("group_norm_bare", GroupNorm(3, 6, {.eps = 1e-3, .affine = false}), {1, 6});
  expect_mentions(error_of([] { GroupNorm(3, 4); }), {"GroupNorm", "divides", "3 and 4"});
  expect_mentions(error_of([] { GroupNorm(2, 4)(Tensor::ones({2, 6, 3})); }), {"[N, 4, ...]", "[2, 6, 3]"});
}

TEST(Layers, WeightNorm) {
  check_layer("wn_linear", WeightNorm(Linear(3, 2)), {1, 3});
  check_layer("wn_linear_dim1", WeightNorm(Linear(3, 2), {.dim = 1}), {1, 3});
  check_layer("wn_conv_transpose2d", WeightNorm(ConvTranspose2d(2, 3, 2, {.bias = false})), {1, 2, 2, 2});
  // The layer computes what it did before it was wrapped.
  manual_seed(2);
  Linear plain(5, 4);
  manual_seed(2);
  WeightNorm normed(Linear(5, 4));
  expect_close(normed.weight(), plain.weight.to_vector<double>(), "weight", 1e-6);
  EXPECT_EQ(normed.weight_g.shape(), (Shape{4, 1}));
  EXPECT_THROW(WeightNorm(Linear(1, 1), {.dim = 2}), Error);
  EXPECT_THROW(WeightNorm(std::shared_ptr<WeightLayer>()), Error);
}

// Order 2 in the input and in the weights, of what is made of more than one op.
TEST(Layers, SecondOrder) {
  check_twice(SiLU(), {5});
  check_twice(PReLU(2), {2, 2, 2});
  check_twice(GroupNorm(2, 4), {2, 4, 2});
  check_twice(WeightNorm(Linear(3, 2)), {2, 3});
  check_twice(WeightNorm(Conv2d(1, 2, 2)), {1, 1, 3, 3});
  check_twice(MaxPool2d(2, {.stride = 1}), {1, 1, 3, 3});
  check_twice(AvgPool2d(2, {.stride = 1, .padding = 1}), {1, 1, 3, 3});
  check_twice(ReflectionPad2d(1), {1, 1, 2, 3});
  check_twice(ZeroPad2d(1), {1, 1, 2, 2});
}

TEST(Layers, Embedding) {
  Embedding table(4, 3);
  table.to(DType::f64);
  set_parameters(table);
  compare("embedding", table, Tensor::from<int64_t>({2, 0, 2, 3, 3, 1}, {2, 3}));
  EXPECT_EQ(table(Tensor::from<int64_t>({1}, {})).shape(), (Shape{3}));
  expect_mentions(error_of([&] { table(Tensor::from<int64_t>({4}, {1})); }), {"4"});
  EXPECT_NE(error_of([&] { table(Tensor::from<int64_t>({-1}, {1})); }), "");
  expect_mentions(error_of([&] { table(Tensor::ones({1})); }), {"i64"});
}

TEST(Layers, FlattenAndUnflatten) {
  const Tensor x = wave({2, 3, 4, 5}, 0);
  EXPECT_EQ(Flatten()(x).shape(), (Shape{2, 60}));
  EXPECT_EQ(Flatten(0, 1)(x).shape(), (Shape{6, 4, 5}));
  EXPECT_EQ(Flatten(2)(x).shape(), (Shape{2, 3, 20}));
  EXPECT_EQ(Unflatten(1, {3, 1})(x).shape(), (Shape{2, 3, 1, 4, 5}));
  EXPECT_EQ(Unflatten({3, 4, 5})(Flatten()(x)).shape(), x.shape());
  EXPECT_EQ(Unflatten(-1, {5})(x).shape(), x.shape());
  expect_same_bits(Unflatten({3, 4, 5})(Flatten()(x)), x);
  expect_mentions(error_of([&] { Unflatten(1, {2, 2})(x); }), {"4 elements", "[2, 3, 4, 5]"});
  EXPECT_NE(error_of([&] { Flatten(2, 1)(x); }), "");
}

TEST(Layers, DefaultsAreF32AndEmptyBatchesPass) {
  Sequential net(Conv2d(1, 2, 3), LeakyReLU(), Flatten(), Linear(8, 1));
  const Tensor y = net(Tensor::zeros({0, 1, 4, 4}));
  EXPECT_EQ(y.shape(), (Shape{0, 1}));
  EXPECT_EQ(y.dtype(), DType::f32);
}

TEST(Layers, WrongInputsAreNamed) {
  expect_mentions(error_of([] { Linear(3, 2)(Tensor::ones({4, 5})); }), {"Linear", "3", "[4, 5]"});
  expect_mentions(error_of([] { BatchNorm2d(3)(Tensor::ones({4, 3})); }), {"BatchNorm2d", "[4, 3]"});
  expect_mentions(error_of([] {
                    LayerNorm({3, 2})(Tensor::ones({4, 3}));
                  }),
                  {"LayerNorm", "[3, 2]", "[4, 3]"});
  expect_mentions(error_of([] {
                    InstanceNorm2d(3)(Tensor::ones({2, 3, 1, 1}));
                  }),
                  {"instance_norm", "pixel"});
  expect_mentions(error_of([] { Linear(0, 2); }), {"Linear", "0"});
  EXPECT_NE(error_of([] { Conv2d(1, 1, 3, {.stride = 0}); }), "");
  EXPECT_NE(error_of([] { ConvTranspose2d(1, 1, 3, {.output_padding = 1}); }), "");
  EXPECT_NE(error_of([] { BatchNorm2d(3, {.momentum = 2}); }), "");
  EXPECT_NE(error_of([] { Softplus(0.0); }), "");
}

}  // namespace
}  // namespace duel::nn
