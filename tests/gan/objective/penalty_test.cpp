// gradient_penalty as a function: under NoGrad and in gradcheck; parts of one's own that do not fit are
// named.
#include "duel/gan/objective/penalty.h"

#include <gtest/gtest.h>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/train/trainer.h"
#include "duel/nn/layers.h"
#include "duel/nn/module/scoped_parameters.h"
#include "tests/files.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;

using duel::testing::kF64;

struct PenaltySetting {
  nn::Sequential d{nn::Linear(3, 5), nn::Tanh(), nn::Linear(5, 1)};
  Tensor points = Generator(4, 0).normal({6, 3}, 0.0, 1.0, kF64);
  PenaltySetting() {
    d.to(DType::f64);
    Generator random(9, 0);
    NoGrad no_grad;
    for (const Tensor& weight : d.parameters()) weight.copy_(random.normal(weight.shape(), 0.0, 1.0, kF64));
  }
};

TEST(GradientPenalty, WithoutAGraphTheValueIsTheSame) {
  PenaltySetting s;
  for (const PenaltyShape& shape : {one_centered(), zero_centered()}) {
    const PenaltyResult recorded = gradient_penalty(s.d, s.points, shape, 2.0);
    EXPECT_TRUE(recorded.value.requires_grad());
    NoGrad no_grad;
    const PenaltyResult plain = gradient_penalty(s.d, s.points, shape, 2.0);
    EXPECT_FALSE(plain.value.requires_grad());
    EXPECT_EQ(plain.value.item(), recorded.value.item()) << shape.name;
    EXPECT_EQ(plain.mean_norm.item(), recorded.mean_norm.item()) << shape.name;
    EXPECT_EQ(mean_gradient_norm(s.d, s.points), recorded.mean_norm.item());
  }
}

// The recipe of penalty.h and core/engine/gradcheck.h.
TEST(GradientPenalty, GradcheckInTheWeights) {
  PenaltySetting s;
  for (const PenaltyShape& shape : {one_centered(), zero_centered(), power(6), worst_of(zero_centered())}) {
    const auto penalty = [&](const std::vector<Tensor>& in) {
      const nn::ScopedParameters moved(s.d.parameters(), in);
      return gradient_penalty(s.d, s.points, shape, 1.0).value;
    };
    const auto result = gradcheck(penalty, s.d.parameters());
    EXPECT_TRUE(result) << shape.name << ": " << result.message;
  }
  // Without them D's own weights are read, and nothing would be checked.
  const auto ignores = [&](const std::vector<Tensor>&) {
    return gradient_penalty(s.d, s.points, one_centered(), 1.0).value;
  };
  EXPECT_TRUE(has(gradcheck(ignores, s.d.parameters()).message, "ScopedParameters"));
}

// Trainers of one's own parts: what is wrong is named.
struct Own {
  Objective objective{.name = "mine", .loss = wasserstein_loss()};
  int64_t outputs = 1;
  std::string message(bool generator = false) {
    return error_of([&] { step(generator); });
  }
  void step(bool generator = false) {
    Networks networks;
    networks.generator = std::make_shared<nn::Sequential>(nn::Linear(4, 3));
    networks.discriminator = std::make_shared<nn::Sequential>(nn::Linear(3, outputs));
    Trainer trainer(networks, objective, nullptr, {.batch = 8});
    Generator random(2, 0);
    const Tensor real = random.normal({8, 3}), z = random.normal({8, 4});
    generator ? trainer.generator_step(z, real) : trainer.critic_step(real, trainer.generate(z));
  }
};

TEST(OwnParts, APenaltyThatIsNotOnePerSampleIsNamed) {
  Own own;
  const auto total = [](const Tensor& n) { return sum(n); };
  own.objective.penalties = {{PenaltyShape{.name = "total", .apply = total}, at_real(), 1.0}};
  EXPECT_TRUE(has(own.message(), "'total' gave [] for the norms of 8 samples: expected [8]"))
      << own.message();
  own.objective.penalties = {
      {PenaltyShape{.name = "total", .apply = total, .of_squares = total}, at_real(), 1.0}};
  EXPECT_TRUE(has(own.message(), "'total' gave []")) << own.message();
  PenaltySetting s;
  EXPECT_TRUE(has(
      error_of([&] { gradient_penalty(s.d, s.points, PenaltyShape{.name = "none", .apply = nullptr}, 1.0); }),
      "'none'"));
}

TEST(OwnParts, PointsOfAnotherSizeAreNamed) {
  Own own;
  const auto sampling = [](const std::function<Tensor(const Tensor&)>& points) {
    return PenaltySampling{"own points",
                           [points](const Tensor& real, const Tensor&, Generator&) { return points(real); }};
  };
  for (const auto& wrong : {std::function([](const Tensor& real) { return slice(real, 1, 0, 2); }),
                            std::function([](const Tensor& real) {
                              return real.reshape({8, 3, 1});
                            }),
                            std::function([](const Tensor&) { return Tensor(); })}) {
    own.objective.penalties = {{zero_centered(), sampling(wrong), 1.0}};
    EXPECT_TRUE(has(own.message(), "'own points' gave points")) << own.message();
  }
  // More of them are as good.
  own.objective.penalties = {{zero_centered(), sampling([](const Tensor& real) {
                                return concat({real, real});
                              }),
                              1.0}};
  EXPECT_NO_THROW(own.step());
}

TEST(OwnParts, ADWithMoreThanALogitPerSampleIsNamed) {
  Own own;
  own.outputs = 3;
  EXPECT_TRUE(has(own.message(), "expected of D a logit for each sample, [16, 1], got [16, 3]"))
      << own.message();
  EXPECT_TRUE(has(own.message(true), "[8, 1], got [8, 3]")) << own.message(true);
}

TEST(OwnParts, ALossThatIsNoMeanIsNamed) {
  const auto each = [](const Tensor& logits) { return softplus(logits); };
  const auto refused = [&](const std::function<void(Loss&)>& change, bool generator, const char* says) {
    Own own;
    change(own.objective.loss);
    EXPECT_TRUE(has(own.message(generator), says)) << own.message(generator);
    EXPECT_TRUE(has(own.message(generator), "expected a mean over the batch")) << own.message(generator);
  };
  refused([&](Loss& l) { l.d_real = each; }, false, "'wasserstein': d_real gave [8, 1]");
  refused([&](Loss& l) { l.d_fake = each; }, false, "d_fake gave [8, 1]");
  refused([&](Loss& l) { l.g_fake = each; }, true, "g_fake gave [8, 1]");
  refused([&](Loss& l) { l.g_fake = [](const Tensor&) { return Tensor(); }; }, true, "g_fake gave nothing");
  const auto joint = [&](const Tensor& real, const Tensor& fake) { return add(each(real), each(fake)); };
  refused([&](Loss& l) { l.d_joint = l.g_joint = joint; }, false, "d_joint gave [8, 1]");
  refused([&](Loss& l) { l.d_joint = l.g_joint = joint; }, true, "g_joint gave [8, 1]");
}

TEST(OwnParts, ATermThatReadsRealSamplesUnaskedIsNamed) {
  Own own;
  own.objective.g_terms = {
      {.name = "curious", .value = [](const Round& round) { return mean(round.real.judgement.logits); }}};
  EXPECT_TRUE(has(own.message(true), "'curious'") && has(own.message(true), "set reads_real"))
      << own.message(true);
  own.objective.g_terms[0].reads_real = true;
  EXPECT_NO_THROW(own.step(true));
  own.objective.d_terms = {
      {.name = "wide", .value = [](const Round& round) { return round.fake.judgement.logits; }}};
  EXPECT_TRUE(has(own.message(), "the term 'wide' gave [8, 1], expected one number")) << own.message();
}

}  // namespace
}  // namespace duel::gan
