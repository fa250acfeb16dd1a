// A network under its moving average: the average's weights and statistics of their own, and nothing left
// behind.
#include "duel/nn/optim/averaged_weights.h"

#include <gtest/gtest.h>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/nn/layers.h"
#include "tests/files.h"

namespace duel::nn {
namespace {

using duel::testing::error_of;

Sequential net_with_statistics() { return Sequential(Linear(2, 3), BatchNorm1d(3), Linear(3, 1)); }

std::vector<std::vector<float>> all_values(const Module& module) {
  std::vector<std::vector<float>> all;
  for (const auto& [name, tensor] : module.state_dict()) all.push_back(tensor.to_vector<float>());
  return all;
}

TEST(GatherStatistics, AreTheMeansOverTheBatches) {
  Sequential net = net_with_statistics();
  Generator random(3);
  const std::vector<Tensor> inputs{random.normal({8, 2}), random.normal({8, 2}), random.normal({8, 2})};
  gather_statistics(net, inputs);
  const BatchNorm1d& norm = net.at<BatchNorm1d>(1);
  const NoGrad no_grad;
  Tensor means = Tensor::zeros({3}), variances = Tensor::zeros({3});
  for (const Tensor& x : inputs) {
    const Tensor y = net[0](x);
    means = means + mean(y, {0}) * (1.0 / 3);
    variances = variances + variance(y, {0}) * (8.0 / 7 / 3);  // running variances are unbiased
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(norm.running_mean.to_vector<float>()[i], means.to_vector<float>()[i], 1e-6);
    EXPECT_NEAR(norm.running_var.to_vector<float>()[i], variances.to_vector<float>()[i], 1e-6);
  }
  EXPECT_EQ(norm.options.momentum, 0.1);
  EXPECT_TRUE(has_statistics(net));
}

TEST(AveragedWeights, HaveStatisticsOfTheirOwnAndLeaveNothingBehind) {
  Sequential net = net_with_statistics();
  Adam adam(net, {.lr = 0.3});
  adam.set_ema(0.9);
  Generator random(3);
  for (int i = 0; i < 5; ++i) adam.step(grad({mean(square(net(random.normal({8, 2}))))}, net.parameters()));
  net[1].eval();  // a layer's own mode stays its own
  const auto before = all_values(net);
  const std::vector<Tensor> inputs{random.normal({64, 2}), random.normal({64, 2})};
  const StateDict buffers = averaged_buffers(net, adam, inputs);
  EXPECT_EQ(all_values(net), before);

  // The same by hand: a second network that holds the average.
  Sequential other = net_with_statistics();
  other.load_state_dict(adam.ema_state_dict(net));
  gather_statistics(other, inputs);
  other.eval();
  const Tensor z = random.normal({4, 2});
  {
    const NoGrad no_grad;
    const AveragedWeights average(net, adam, buffers);
    const EvalMode eval(net);
    EXPECT_EQ(net(z).to_vector<float>(), other(z).to_vector<float>());
  }
  EXPECT_EQ(all_values(net), before);
  EXPECT_FALSE(net[1].is_training());
  EXPECT_TRUE(net[0].is_training());
  try {
    const AveragedWeights average(net, adam, buffers);
    const EvalMode eval(net);
    net(Tensor::zeros({1, 9}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("in 0: Linear(in_features=2"), std::string::npos)
        << error.what();
  }
  EXPECT_EQ(all_values(net), before);
  EXPECT_FALSE(net[1].is_training());
  adam.step(grad({mean(square(net(z)))}, net.parameters()));  // the arena's memory is the network's again
}

TEST(LayerErrors, NameThePathToTheInnermostLayer) {
  Sequential net(Linear(2, 3), Sequential(ReLU(), Linear(4, 1)));
  const std::string text = error_of([&] { net(Tensor::zeros({1, 2})); });
  EXPECT_NE(text.find("; in 1.1: Linear(in_features=4, out_features=1, bias=True)"), std::string::npos)
      << text;
  Embedding table(10, 4);
  const std::string missing = error_of([&] { table(Tensor::from({12}, {1})); });
  EXPECT_NE(missing.find("; in Embedding(10, 4)"), std::string::npos) << missing;
}

}  // namespace
}  // namespace duel::nn
