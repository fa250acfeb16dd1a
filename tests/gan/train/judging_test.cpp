// Both sides shown to D in one pass: what D says, what it remembers and what it learns are those of two passes, one
// for each side. A norm over the statistics of both, running statistics that move once, or a layer that cannot keep
// sides apart and is given both, fails.
#include "duel/gan/train/judging.h"

#include <gtest/gtest.h>

#include "duel/core/engine/checkpoint.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/objective.h"
#include "duel/nn/layers.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using testing::same_bits;

std::shared_ptr<nn::Module> critic(bool with_stddev = false) {
  Generator random(3);
  const LendDefaultGenerator lent(random);
  auto net = std::make_shared<nn::Sequential>();
  net->push_back(nn::Conv2d(1, 6, 3, {.padding = 1}));
  net->push_back(nn::BatchNorm2d(6));
  net->push_back(nn::LeakyReLU(0.2));
  net->push_back(nn::Flatten());
  net->push_back(nn::Linear(6 * 16, 5));
  net->push_back(nn::BatchNorm1d(5));
  if (with_stddev) {
    net->push_back(nn::Unflatten(1, {5, 1, 1}));
    net->push_back(nn::MinibatchStddev());
    net->push_back(nn::Flatten());
  }
  net->push_back(nn::Linear(with_stddev ? 6 : 5, 1));
  return net;
}

Round round_of(int64_t real, int64_t fake) {
  Generator random(4);
  return {.real = {random.normal({real, 1, 4, 4}, 0.3, 1, {DType::f64, {}})},
          .fake = {random.normal({fake, 1, 4, 4}, -0.7, 2, {DType::f64, {}})}};
}

struct Judged {
  Tensor real, fake, both;
  std::vector<Tensor> gradients;
  nn::StateDict state;
};

/// By judge_both(), or by a pass for each side.
Judged judged(const std::shared_ptr<nn::Module>& net, const Round& shown, bool in_one) {
  net->to(DType::f64);
  net->train(true);
  Judging judging(net, named_objective("ns-gan", {}), 1, {DType::f64, {}});
  Round round = shown;
  Judged result;
  if (in_one) {
    result.both = judging.judge_both(round);
  } else {
    round.real.judgement = judging.judge(round.real.samples, {});
    round.fake.judgement = judging.judge(round.fake.samples, {});
  }
  result.real = round.real.judgement.logits;
  result.fake = round.fake.judgement.logits;
  result.gradients =
      grad({mean(softplus(neg(result.real))) + mean(softplus(result.fake))}, net->parameters());
  result.state = net->state_dict();
  return result;
}

void expect_alike(const Judged& a, const Judged& b) {
  EXPECT_TRUE(same_bits(a.real.detach(), b.real.detach()));
  EXPECT_TRUE(same_bits(a.fake.detach(), b.fake.detach()));
  ASSERT_EQ(a.state.size(), b.state.size());
  for (size_t i = 0; i < a.state.size(); ++i)
    EXPECT_TRUE(same_bits(a.state[i].second, b.state[i].second)) << a.state[i].first;
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    const auto x = a.gradients[i].to_vector<double>(), y = b.gradients[i].to_vector<double>();
    for (size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(x[j], y[j], 1e-13) << i << "[" << j << "]";
  }
}

TEST(JudgingBoth, OnePassThroughBatchNormsIsTwo) {
  const Round round = round_of(6, 6);
  const Judged one = judged(critic(), round, true), two = judged(critic(), round, false);
  EXPECT_TRUE(one.both.defined());  // it was one pass
  expect_alike(one, two);
}

TEST(JudgingBoth, LayersThatMixSidesGetTwoPasses) {
  const Round round = round_of(4, 4);
  const Judged one = judged(critic(true), round, true), two = judged(critic(true), round, false);
  EXPECT_FALSE(one.both.defined());
  expect_alike(one, two);
}

TEST(JudgingBoth, SidesOfUnequalSizeGetTwoPasses) {
  const Round round = round_of(6, 4);
  const Judged one = judged(critic(), round, true), two = judged(critic(), round, false);
  EXPECT_FALSE(one.both.defined());
  expect_alike(one, two);
}

TEST(JudgingBoth, ABatchNormMixesSamplesButNoParts) {
  nn::BatchNorm1d norm(3);
  EXPECT_TRUE(norm.mixes_samples());
  {
    const BatchParts parts(2);
    EXPECT_FALSE(norm.mixes_samples());
    EXPECT_FALSE(norm.second_derivative_zero());
    EXPECT_TRUE(nn::MinibatchStddev().mixes_samples());
  }
  norm.eval();
  EXPECT_FALSE(norm.mixes_samples());
}

/// A critic of one's own that does more with its samples than to give them to its layers.
class Comparing : public nn::Module {
 public:
  Comparing() : trunk_(register_module("trunk", critic())) {}
  Tensor forward(const Tensor& x) override {
    const Tensor y = (*trunk_)(x);
    return sub(y, mean(y, {0}, true));
  }

 private:
  std::shared_ptr<nn::Module> trunk_;
};

TEST(JudgingBoth, AModuleOfOnesOwnGetsTwoPasses) {
  const Round round = round_of(6, 6);
  const Judged one = judged(std::make_shared<Comparing>(), round, true),
               two = judged(std::make_shared<Comparing>(), round, false);
  EXPECT_FALSE(one.both.defined());
  expect_alike(one, two);
  // Within a Sequential, too.
  auto wrapped = std::make_shared<nn::Sequential>();
  wrapped->push_back(std::make_shared<Comparing>());
  const BatchParts parts(2);
  EXPECT_TRUE(wrapped->mixes_samples());
  EXPECT_FALSE(critic()->mixes_samples());
}

// The second run of a checkpoint comes after the parts' end.
TEST(JudgingBoth, CheckpointsRememberTheParts) {
  const auto result = [](bool checkpointed) {
    nn::BatchNorm1d norm(3);
    norm.to(DType::f64);
    Generator random(5);
    const Tensor x = random.normal({8, 3}, 0, 1, {DType::f64, {}}).set_requires_grad(true);
    const auto pass = [&](const std::vector<Tensor>& in) { return norm(in[0]); };
    Tensor y;
    {
      const BatchParts parts(2);
      y = checkpointed ? checkpoint(pass, {x}) : pass({x});
    }
    return grad({sum(square(y) * random.normal({8, 3}, 0, 1, {DType::f64, {}}))}, {x})[0];
  };
  EXPECT_TRUE(same_bits(result(true), result(false)));
}

}  // namespace
}  // namespace duel::gan
