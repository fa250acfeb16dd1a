// Initialisers: bounds and deviations by formula, orthogonality, PyTorch's default initialisation of the
// layers.
#include "duel/nn/module/init.h"

#include <algorithm>

#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments(const Tensor& x) {
  Moments m;
  const auto values = x.to_vector<double>();
  for (double v : values) {
    m.mean += v / static_cast<double>(values.size());
    m.largest = std::max(m.largest, std::abs(v));
  }
  for (double v : values) m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

/// Uniform within +-bound: never above, nearly reached, mean 0, deviation bound / sqrt 3; all within 5
/// standard errors.
void expect_uniform(const Tensor& x, double bound) {
  const Moments m = moments(x);
  const double n = static_cast<double>(x.numel());
  EXPECT_LE(m.largest, bound * (1 + 1e-6));
  EXPECT_GE(m.largest, bound * (1 - 20 / n));
  EXPECT_NEAR(m.mean, 0, 5 * bound / std::sqrt(3 * n));
  EXPECT_NEAR(m.deviation, bound / std::sqrt(3), 5 * bound / std::sqrt(n));
}

void expect_normal(const Tensor& x, double mean, double deviation) {
  const Moments m = moments(x);
  const double n = static_cast<double>(x.numel());
  EXPECT_NEAR(m.mean, mean, 5 * deviation / std::sqrt(n));
  EXPECT_NEAR(m.deviation, deviation, 5 * deviation / std::sqrt(2 * n));
}

TEST(Init, DefaultsOfTheLayers) {
  manual_seed(11);
  Linear linear(400, 300);
  expect_uniform(linear.weight, 1 / std::sqrt(400));
  expect_uniform(linear.bias, 1 / std::sqrt(400));
  Conv2d conv(16, 64, 5);
  expect_uniform(conv.weight, 1 / std::sqrt(16 * 25));
  expect_uniform(conv.bias, 1 / std::sqrt(16 * 25));
  ConvTranspose2d up(16, 64, 5);
  expect_uniform(up.weight, 1 / std::sqrt(64 * 25));  // PyTorch takes the output channels here
  expect_uniform(up.bias, 1 / std::sqrt(64 * 25));
  expect_normal(Embedding(500, 20).weight, 0, 1);
  BatchNorm2d norm(3);
  EXPECT_EQ(norm.weight.to_vector<double>(), std::vector<double>(3, 1.0));
  EXPECT_EQ(norm.bias.to_vector<double>(), std::vector<double>(3, 0.0));
  EXPECT_EQ(norm.running_mean.to_vector<double>(), std::vector<double>(3, 0.0));
  EXPECT_EQ(norm.running_var.to_vector<double>(), std::vector<double>(3, 1.0));
  manual_seed(11);
  expect_same_bits(Linear(400, 300).weight.detach(), linear.weight.detach());
}

TEST(Init, Formulas) {
  Generator random(2);
  const Tensor w = Tensor::empty({64, 32, 5, 5});
  EXPECT_EQ(init::fan_in(w.shape()), 800);
  EXPECT_EQ(init::fan_out(w.shape()), 1600);
  init::uniform_(w, -0.25, 0.25, random);
  expect_uniform(w, 0.25);
  init::normal_(w, 0.5, 0.02, random);
  expect_normal(w, 0.5, 0.02);
  init::kaiming_uniform_(w, 0.0, init::Fan::in, random);
  expect_uniform(w, std::sqrt(6.0 / 800));
  init::kaiming_uniform_(w, 0.2, init::Fan::out, random);
  expect_uniform(w, std::sqrt(6.0 / 1.04 / 1600));
  init::kaiming_normal_(w, 0.2, init::Fan::in, random);
  expect_normal(w, 0, std::sqrt(2.0 / 1.04 / 800));
  init::xavier_uniform_(w, 2.0, random);
  expect_uniform(w, 2 * std::sqrt(6.0 / 2400));
  init::constant_(w, 0.75);
  EXPECT_EQ(w.to_vector<double>(), std::vector<double>(static_cast<size_t>(w.numel()), 0.75));
  EXPECT_NE(error_of([] { init::fan_in({3}); }), "");
  EXPECT_NE(error_of([] { init::orthogonal_(Tensor::empty({3})); }), "");
}

TEST(Init, Orthogonal) {
  Generator random(4);
  for (const Shape& shape : {Shape{5, 12}, Shape{12, 5}, Shape{6, 6}, Shape{4, 3, 2, 2}, Shape{1, 7}}) {
    const Tensor w = Tensor::empty(shape, {DType::f64, {}});
    init::orthogonal_(w, 3.0, random);
    const Tensor m = w.flatten(1);
    const bool wide = m.dim(0) <= m.dim(1);
    const Tensor gram = wide ? matmul(m, m, false, true) : matmul(m, m, true, false);
    const int64_t n = gram.dim(0);
    std::vector<double> expected(static_cast<size_t>(n * n), 0.0);
    for (int64_t i = 0; i < n; ++i) expected[static_cast<size_t>(i * n + i)] = 9.0;
    expect_close(gram, expected, to_text(shape));
  }
}

TEST(Init, ParametersStayLeavesAndSeedsRepeat) {
  Linear a(3, 3), b(3, 3);
  Generator first(8), second(8);
  init::orthogonal_(a.weight, 1.0, first);
  init::orthogonal_(b.weight, 1.0, second);
  expect_same_bits(a.weight.detach(), b.weight.detach());
  EXPECT_TRUE(a.weight.is_leaf() && a.weight.requires_grad());
}

TEST(Init, XavierNormalAndGains) {
  manual_seed(5);
  Tensor w = Tensor::empty({300, 500});
  init::xavier_normal_(w, 2.0);
  expect_normal(w, 0, 2.0 * std::sqrt(2.0 / 800));
  EXPECT_DOUBLE_EQ(init::calculate_gain("relu"), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(init::calculate_gain("leaky_relu", 0.2), std::sqrt(2.0 / 1.04));
  EXPECT_DOUBLE_EQ(init::calculate_gain("tanh"), 5.0 / 3);
  EXPECT_EQ(init::calculate_gain("linear"), 1.0);
  expect_mentions(error_of([] { init::calculate_gain("swish"); }), {"swish", "leaky_relu"});
  init::ones_(w);
  EXPECT_EQ(sum(w).item(), 150000);
  init::zeros_(w);
  EXPECT_EQ(sum(w).item(), 0);
}

// Against the distribution itself: the share of draws below t is (Phi(t) - Phi(a)) / (Phi(b) - Phi(a)).
void expect_truncated(double mean, double deviation, double low, double high) {
  const int64_t n = 40000;
  const Tensor x = Tensor::empty({n}, {DType::f64, {}});
  Generator random(9);
  init::trunc_normal_(x, mean, deviation, low, high, random);
  const auto phi = [&](double t) { return 0.5 * std::erfc(-(t - mean) / deviation / std::sqrt(2.0)); };
  auto values = x.to_vector<double>();
  std::sort(values.begin(), values.end());
  EXPECT_GE(values.front(), low);
  EXPECT_LE(values.back(), high);
  double apart = 0;  // Kolmogorov and Smirnov's distance
  for (int64_t i = 0; i < n; ++i) {
    const double share = (phi(values[static_cast<size_t>(i)]) - phi(low)) / (phi(high) - phi(low));
    apart = std::max(apart, std::abs(share - (static_cast<double>(i) + 0.5) / static_cast<double>(n)));
  }
  EXPECT_LE(apart, 1.95 / std::sqrt(static_cast<double>(n))) << mean << " " << low;  // p = 0.001
}

TEST(Init, TruncatedNormal) {
  expect_truncated(0, 1, -2, 2);
  expect_truncated(0.5, 0.02, -2, 2);  // hardly truncated at all
  expect_truncated(0, 1, 1, 4);        // one tail
  expect_truncated(0, 1, -100, 100);   // both to where erf is 1
  const Tensor x = Tensor::empty({2});
  EXPECT_THROW(init::trunc_normal_(x, 0, 0), Error);
  EXPECT_THROW(init::trunc_normal_(x, 0, 1, 2, 2), Error);
  expect_mentions(error_of([&] { init::trunc_normal_(x, 0, 1, 50, 60); }), {"5 deviations", "50 to 60"});
}

}  // namespace
}  // namespace duel::nn
