#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

TEST(Dropout, KeepsTheShareAndTheMean) {
  Generator generator(3);
  Dropout layer(0.3, generator);
  const int64_t n = 100000;
  const auto y = layer(Tensor::ones({n})).to_vector<double>();
  int64_t zeros = 0;
  for (double v : y) {
    if (v == 0) {
      ++zeros;
    } else {
      ASSERT_FLOAT_EQ(static_cast<float>(v), 1.0f / 0.7f);
    }
  }
  // Five standard deviations of a binomial.
  EXPECT_NEAR(static_cast<double>(zeros), 0.3 * n, 5 * std::sqrt(0.3 * 0.7 * n));
}

TEST(Dropout, GradientUsesTheSameMask) {
  Dropout layer(0.5);
  const Tensor x = (wave({50}, 0.1)).set_requires_grad(true);
  const Tensor y = layer(x);
  const Tensor g = grad({sum(y)}, {x})[0];
  expect_same_bits(g * x.detach(), y.detach());
}

TEST(Dropout, SameGeneratorSameMask) {
  const Tensor x = Tensor::ones({1000});
  Generator a(5), b(5);
  Dropout first(0.5, a), second(0.5, b);
  const Tensor mask = first(x);
  expect_same_bits(mask, second(x));
  EXPECT_NE(first(x).to_vector<double>(), mask.to_vector<double>());  // every pass draws anew
  manual_seed(9);
  Dropout standard;
  const Tensor y = standard(x);
  manual_seed(9);
  expect_same_bits(standard(x), y);
}

TEST(Dropout, EdgesAndEvaluation) {
  const Tensor x = wave({20}, 0);
  Dropout layer(0.5);
  layer.eval();
  expect_same_bits(layer(x), x);
  expect_same_bits(Dropout(0.0)(x), x);
  EXPECT_EQ(Dropout(1.0)(x).to_vector<double>(), std::vector<double>(20, 0.0));
  EXPECT_NE(error_of([] { Dropout(1.5); }), "");
  EXPECT_NE(error_of([] { Dropout(-0.1); }), "");
}

}  // namespace
}  // namespace duel::nn
