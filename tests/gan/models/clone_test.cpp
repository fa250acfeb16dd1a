// Deep copies of every network: G and the critic of every kind, and the judge.
#include <gtest/gtest.h>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/judge/classifier.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/objective.h"
#include "tests/tensors.h"

namespace duel::gan {
namespace {

using duel::testing::same_bits;

bool alike(const Tensor& a, const Tensor& b) {
  return a.defined() == b.defined() && (!a.defined() || same_bits(a, b));
}

/// The bits of each thing that D says, and what the passes left in D.
void expect_alike(const Judgement& a, const Judgement& b) {
  EXPECT_TRUE(alike(a.logits, b.logits));
  EXPECT_TRUE(alike(a.features, b.features));
  EXPECT_TRUE(alike(a.classes, b.classes));
  EXPECT_TRUE(alike(a.codes, b.codes));
}

/// Nothing that happens to the copy's tensors reaches the original's.
void expect_independent(const nn::Module& original, const nn::Module& copy) {
  const nn::StateDict a = original.state_dict(), b = copy.state_dict();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].first, b[i].first);
    EXPECT_FALSE(a[i].second.same_storage(b[i].second)) << a[i].first;
  }
  NoGrad no_grad;
  const Tensor before = a[0].second.clone();
  b[0].second.fill_(7);
  EXPECT_TRUE(same_bits(a[0].second, before));
}

TEST(Clone, GAndCriticsOfEveryKindInEveryNetwork) {
  std::vector<CriticKind> kinds;
  for (const char* name :
       {"ns-gan", "sngan", "cgan", "projection", "acgan", "infogan", "ebgan", "began", "mmd-gan"}) {
    const Objective objective = named_objective(name);
    kinds.push_back(objective.critic);
    for (const char* arch :
         {"mlp", "dcgan", "infogan", "resnet", "sagan", "biggan", "stylegan2", "r3gan", "unet"}) {
      SCOPED_TRACE(std::string(name) + " " + arch);
      Generator random(3);
      const Networks n = make_networks(
          networks_for(objective, {.arch = arch, .height = 8, .width = 8, .channels_g = 4, .channels_d = 4},
                       3),
          objective.batch_norm_in_d, random);
      const Tensor x = random.normal({4, 1, 8, 8}), labels = Tensor::from({0, 1, 2, 1}, {4});
      const auto d = nn::clone(*n.discriminator), g = nn::clone(*n.generator);
      expect_alike(judge(*n.discriminator, x, labels), judge(*d, x, labels));
      expect_alike(judge(*n.discriminator, x, labels), judge(*d, x, labels));  // buffers moved alike
      expect_independent(*n.discriminator, *d);
      const Tensor z = random.normal({4, n.latent.width()});
      n.generator->eval(), g->eval();  // stylegan2's draws while it trains
      EXPECT_TRUE(same_bits((*n.generator)(z), (*g)(z)));
      expect_independent(*n.generator, *g);
    }
  }
  for (int kind = 0; kind <= static_cast<int>(CriticKind::embedding); ++kind)
    EXPECT_NE(std::find(kinds.begin(), kinds.end(), static_cast<CriticKind>(kind)), kinds.end()) << kind;
}

TEST(Clone, TheJudgeAndItsMasks) {
  Classifier judge(5, 4);
  Generator random(3);
  const Tensor x = random.normal({2, 1, 28, 28});
  judge(x);  // its masks move
  const auto copy = nn::clone(judge);
  EXPECT_EQ(copy->classes(), 4);
  for (int pass = 0; pass < 2; ++pass) {
    const Tensor mine = judge(x);
    EXPECT_TRUE(same_bits(mine, (*copy)(x))) << pass;
  }
  expect_independent(judge, *copy);
}

}  // namespace
}  // namespace duel::gan
