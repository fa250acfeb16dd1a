// What diagnostics are made of: norms of gradients in one launch, and the outputs of layers while a network
// runs.
#include "duel/nn/module/activation_trace.h"
#include "duel/nn/optim/grad_norm.h"
#include "tests/nn/helpers.h"

namespace duel::nn {
namespace {

double norm_of(const Tensor& t) {
  double total = 0;
  for (double v : t.to_vector<double>()) total += v * v;
  return std::sqrt(total);
}

TEST(GradientNorms, AreThoseOfEachAndOfAll) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    // 150 tensors need three launches; one is undefined, one is empty, one is long.
    std::vector<Tensor> gradients;
    for (int64_t i = 0; i < 150; ++i)
      gradients.push_back(wave({i == 70 ? 100003 : 1 + i % 7}, static_cast<double>(i), dtype));
    gradients[3] = {};
    gradients[66] = Tensor::zeros({0}, {dtype, {}});
    const GradientNorms norms = gradient_norms(gradients);
    const auto each = norms.each.to_vector<double>();
    ASSERT_EQ(each.size(), gradients.size());
    EXPECT_EQ(norms.total.dtype(), dtype);
    double squares = 0;
    for (size_t i = 0; i < gradients.size(); ++i) {
      const double expected = gradients[i].defined() ? norm_of(gradients[i]) : 0;
      EXPECT_NEAR(each[i], expected, 1e-6 * (1 + expected)) << i;
      squares += expected * expected;
    }
    EXPECT_NEAR(norms.total.item(), std::sqrt(squares),
                (dtype == DType::f32 ? 1e-5 : 1e-12) * std::sqrt(squares));
  }
}

TEST(GradientNorms, OfNothingAreZeros) {
  EXPECT_EQ(gradient_norms({}).total.item(), 0);
  EXPECT_EQ(gradient_norms({Tensor(), Tensor()}).each.to_vector<float>(), (std::vector<float>{0, 0}));
}

TEST(GradientNorms, MixedDtypesAreRefused) {
  expect_mentions(error_of([] {
                    gradient_norms({Tensor::ones({2}), Tensor::ones({2}, {DType::f64, {}})});
                  }),
                  {"gradient_norms", "f32", "f64"});
}

TEST(ActivationTrace, SeesLayersInOrderAndTheirGradients) {
  Sequential net(Sequential(Linear(3, 4), Tanh()), Linear(4, 1));
  net.to(DType::f64);
  set_parameters(net);
  const Tensor x = wave({5, 3}, 2);
  ActivationTrace outer;
  {
    ActivationTrace trace;
    const Tensor y = net(x);
    ASSERT_EQ(trace.outputs().size(), 3u);
    EXPECT_EQ(trace.outputs()[1].second.shape(), (Shape{5, 4}));
    EXPECT_EQ(trace.outputs()[2].first, &net[1]);
    // d(sum of y)/d(tanh's output) is the last layer's weight, in every row.
    const auto at = grad({sum(y)}, trace.tensors());
    const auto weight = net.at<Linear>(1).weight.to_vector<double>();
    const auto rows = at[1].to_vector<double>();
    for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i], weight[i % 4]);
  }
  EXPECT_TRUE(outer.outputs().empty()) << "the inner trace alone saw them";
  net(x);
  EXPECT_EQ(outer.outputs().size(), 3u);
}

}  // namespace
}  // namespace duel::nn
