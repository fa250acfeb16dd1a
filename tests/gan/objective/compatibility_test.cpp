// The table of impossible mixes: each row is met, refused with its own sentence, and met by no named
// objective.
#include "duel/gan/objective/compatibility.h"
#include "duel/gan/objective/distances/embedding.h"
#include "duel/gan/objective/distances/sliced.h"
#include "duel/gan/objective/regularisers/regularisers.h"

#include <gtest/gtest.h>

#include <map>

#include "duel/nn/layers.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;
using namespace nn;  // NOLINT: layers

struct Case {
  const char* row;   // its name
  const char* says;  // part of the sentence
  Objective objective;
  int64_t batch = 8;
  std::shared_ptr<Module> critic = std::make_shared<Sequential>(Linear(2, 1));
  std::shared_ptr<Module> generator = nullptr;
};

Objective with(Objective objective, const std::function<void(Objective&)>& change) {
  change(objective);
  return objective;
}

/// A critic that says more than a logit, as far as the table can see.
struct Talkative : Critic {
  std::shared_ptr<Linear> layer = register_module("layer", Linear(2, 1));
  Judgement judge(const Tensor& x, const Tensor&) override { return {.logits = (*layer)(x)}; }
};

/// The same of one that judges pixels.
struct Pixelwise : Talkative {
  bool judges_pixels() const override { return true; }
};

std::shared_ptr<Module> with_batch_norm() {
  return std::make_shared<Sequential>(Linear(2, 2), BatchNorm1d(2), Linear(2, 1));
}
std::shared_ptr<Module> with_stddev() {
  return std::make_shared<Sequential>(Linear(2, 2), MinibatchStddev(), Linear(3, 1));
}
std::shared_ptr<Module> spectral_with_batch_norm() {
  return std::make_shared<Sequential>(SpectralNorm(Linear(2, 2)), BatchNorm1d(2), SpectralNorm(Linear(2, 1)));
}
std::shared_ptr<Module> autoencoder() {
  return std::make_shared<AutoencoderCritic>(std::make_shared<Sequential>(Linear(2, 1)),
                                             std::make_shared<Sequential>(Linear(1, 2)),
                                             AutoencoderCritic::Error::squared);
}
std::shared_ptr<Module> with_spectral_norm() {
  return std::make_shared<Sequential>(SpectralNorm(Linear(2, 1)));
}
std::shared_ptr<Module> half_spectral() {
  return std::make_shared<Sequential>(SpectralNorm(Linear(2, 2)), ReLU(), Linear(2, 1));
}

std::vector<Case> cases() {
  const Objective plain{.name = "mine"};
  const Objective penalised{.name = "mine", .penalties = {{one_centered(), on_lines(), 10.0}}};
  std::vector<Case> all = {
      {"an empty batch", "at least 1, got 0", plain, 0},
      {"a schedule without steps", "at least 1",
       with(plain, [](Objective& o) { o.schedule.critic_steps = 0; })},
      {"a loss without its terms", "lacks a term",
       with(plain, [](Objective& o) { o.loss.g_fake = nullptr; })},
      {"a per-sample penalty, D mixing samples", "batch norm", penalised, 8, with_batch_norm()},
      {"a per-sample penalty, D mixing samples", "minibatch standard deviation", penalised, 8, with_stddev()},
      {"a per-sample penalty, packing", "2 samples at once",
       with(penalised, [](Objective& o) { o.schedule.packing = 2; })},
      {"packing, a batch that it does not divide", "packing 3 does not divide the batch of 8",
       with(plain, [](Objective& o) { o.schedule.packing = 3; })},
      {"heads, a critic without them", "expected a Critic",
       with(plain, [](Objective& o) { o.critic = CriticKind::class_head; })},
      {"heads, a critic without them", "expected a Critic with its heads",
       with(plain, [](Objective& o) { o.critic = CriticKind::class_head; }), 8,
       std::make_shared<SequentialCritic>(Sequential(Linear(2, 1)))},
      {"heads, packing", "about each image",
       with(plain,
            [](Objective& o) {
              o.critic = CriticKind::class_head;
              o.schedule.packing = 2;
            }),
       8, std::make_shared<Talkative>()},
      {"codes to find, none given", "above 0",
       with(plain, [](Objective& o) { o.critic = CriticKind::code_head; }), 8, std::make_shared<Talkative>()},
      {"an equilibrium, relativism", "cannot be relativistic",
       with(plain,
            [](Objective& o) {
              o.equilibrium = Equilibrium{};
              o.relativism = Relativism::average;
            })},
      {"an equilibrium, unrolling", "leave where it is",
       with(plain,
            [](Objective& o) {
              o.equilibrium = Equilibrium{};
              o.schedule.unroll = 2;
            })},
      {"a D that judges pixels, a loss of both sides", "one here has no partner there",
       named_objective("rsgan"), 8, std::make_shared<Pixelwise>()},
      {"a D that judges pixels, a loss of both sides", "one here has no partner there",
       named_objective("softmax-gan"), 8, std::make_shared<Pixelwise>()},
      {"cutmix, a D that judges no pixels", "take arch unet", named_objective("ns-gan", {{"cutmix", 1.0}})},
      {"cutmix, labels that differ between the sides", "labels that may be exchanged",
       named_objective("ns-gan", {{"cutmix", 1.0}, {"label-flip", 0.1}}), 8, std::make_shared<Pixelwise>()},
      {"a multiplier, a look ahead of D", "more than once for a step",
       with(named_objective("fisher-gan"), [](Objective& o) { o.schedule.unroll = 2; })},
      {"a multiplier, a look ahead of D", "more than once for a step",
       with(named_objective("fisher-gan"), [](Objective& o) { o.schedule.update = Update::extragradient; })},
      {"a loss that compares samples, too few of them", "at least 2 of them, but D judges 1",
       with(plain, [](Objective& o) { o.loss = cramer_loss(); }), 1, std::make_shared<Talkative>()},
      {"a loss of features, a critic without them", "gives a logit alone",
       with(plain, [](Objective& o) { o.loss = cramer_loss(); })},
      {"an embedding, a loss of logits", "the loss 'non_saturating' reads one logit",
       with(plain, [](Objective& o) { o.critic = CriticKind::embedding; }), 8, std::make_shared<Talkative>()},
      {"a loss that pairs samples, unequal batches", "2 times D's",
       with(plain,
            [](Objective& o) {
              o.loss = sliced_wasserstein_loss(4);
              o.schedule.generator_batch = 2;
            }),
       8, std::make_shared<Talkative>()},
      {"relativism, a joint loss", "compares real and fake by itself",
       with(plain,
            [](Objective& o) {
              o.loss = softmax_loss();
              o.relativism = Relativism::paired;
            })},
      {"relativism, a loss without a term for real samples in G", "no relativistic form",
       with(plain,
            [](Objective& o) {
              o.loss = divergence_loss(kullback_leibler());
              o.relativism = Relativism::average;
            })},
      {"relativism, unequal batches", "2 times D's",
       with(plain,
            [](Objective& o) {
              o.relativism = Relativism::paired;
              o.schedule.generator_batch = 2;
            })},
      {"weight clipping, a penalty around a norm", "a norm of 1,",
       with(penalised, [](Objective& o) { o.constraint.weight_clip = 0.01; })},
      {"weight clipping, a penalty around a norm", "a norm of 0.5,",
       with(plain,
            [](Objective& o) {
              o.penalties = {{zero_centered(), at_real(), 1.0}, {worst_of(one_sided(0.5)), on_lines(), 1.0}};
              o.constraint.weight_clip = 0.01;
            })},
      {"a penalty without its functions", "'flat' has no apply",
       with(plain,
            [](Objective& o) {
              o.penalties = {{PenaltyShape{.name = "flat", .apply = nullptr}, at_real(), 1.0}};
            })},
      {"a penalty without its functions", "'nowhere' has no points",
       with(plain,
            [](Objective& o) {
              o.penalties = {{one_centered(), {"nowhere", nullptr}, 1.0}};
            })},
      {"a term without its value", "'silent' has no value",
       with(plain, [](Objective& o) { o.g_terms = {{.name = "silent", .value = nullptr}}; })},
      {"a term without its value", "'silent' has no value",
       with(plain, [](Objective& o) { o.d_terms = {{.name = "silent", .value = nullptr}}; })},
      {"a clip value below zero", "got -0.01",
       with(plain, [](Objective& o) { o.constraint.weight_clip = -0.01; })},
      {"an equilibrium, a joint loss", "'softmax' is joint",
       with(plain,
            [](Objective& o) {
              o.equilibrium = Equilibrium{};
              o.loss = softmax_loss();
            })},
      {"batch norm of vectors, a single sample", "norm-d layer", plain, 1, with_batch_norm()},
      {"batch norm of vectors, a single sample", "norm-d layer",
       with(plain, [](Objective& o) { o.schedule.packing = 2; }), 2, with_batch_norm()},
      {"batch norm of vectors, a single sample", "norm-g layer", plain, 1,
       std::make_shared<Sequential>(Linear(2, 1)), with_batch_norm()},
      {"a term that compares samples, too few of them", "at least 2 of them, but D judges 1",
       with(plain, [](Objective& o) { o.g_terms = {pull_away_term()}; }), 1},
      {"a term that compares samples, too few of them", "'mine' compares",
       with(plain,
            [](Objective& o) {
              o.d_terms = {
                  {.name = "mine", .value = [](const Round& r) { return r.codes; }, .least_samples = 5}};
              o.schedule.packing = 2;
            })},
      {"weight clipping, spectral norm", "starve",
       with(plain, [](Objective& o) { o.constraint.weight_clip = 0.01; }), 8, with_spectral_norm()},
      {"spectral norm, a critic without it", "Linear(in_features=2",
       with(plain, [](Objective& o) { o.constraint.spectral_norm = true; })},
      {"spectral norm, a critic without it", "has none",
       with(plain, [](Objective& o) { o.constraint.spectral_norm = true; }), 8, half_spectral()},
      {"spectral norm, an autoencoder without it", "leave spectral-norm out",
       with(plain, [](Objective& o) { o.constraint.spectral_norm = true; }), 8, autoencoder()},
      {"spectral norm, batch norm in D", "undoes the bound",
       with(plain, [](Objective& o) { o.constraint.spectral_norm = true; }), 8, spectral_with_batch_norm()},
      {"unrolling, flipped labels, unequal batches", "generator batch 1",
       with(plain,
            [](Objective& o) {
              o.schedule.unroll = 1;
              o.schedule.label_flip = 0.1;
              o.schedule.generator_batch = 2;
            })},
      {"top-k, a loss of both sides", "leave top-k out",
       with(plain,
            [](Objective& o) {
              o.relativism = Relativism::paired;
              o.schedule.top_k = 0.5;
            })},
      {"an adapting probability, a loss that asks D for no answer", "a critic's offset is arbitrary",
       with(plain,
            [](Objective& o) {
              o.loss = wasserstein_loss();
              o.adaptation.pseudo = true;
            })},
      {"adapting augmentation, no augmentation", "set Objective::augmentation",
       with(plain, [](Objective& o) { o.adaptation.augmentation = true; })},
      {"spectral regularisation, spectral norm", "penalising that value changes nothing that D does",
       with(plain, [](Objective& o) { o.d_terms = {spectral_regularisation(0.01)}; }), 8,
       with_spectral_norm()},
      {"a latent step, consensus", "a third derivative",
       with(plain,
            [](Objective& o) {
              o.latent_step.rate = 0.9;
              o.schedule.update = Update::consensus;
            })},
      {"a term that is never due", "every of at least 1",
       with(plain,
            [](Objective& o) {
              o.g_terms = {path_length(1)};
              o.g_terms[0].every = 0;
            })},
      {"consensus, lazy terms", "ask it in every step",
       with(plain,
            [](Objective& o) {
              o.g_terms = {path_length(1)};
              o.g_terms[0].every = 4;
              o.schedule.update = Update::consensus;
            })},
      {"unrolling, a lazy term of D", "whether a term of D is due",
       with(plain,
            [](Objective& o) {
              o.d_terms = {lecam(1)};
              o.d_terms[0].every = 2;
              o.schedule.unroll = 1;
            })},
      {"packing, a term that judges samples itself", "D judges 2 samples as one",
       with(plain,
            [](Objective& o) {
              o.d_terms = {consistency(Consistency::real, 1)};
              o.schedule.packing = 2;
            })},
      {"unrolling, a gradient penalty", "never comes",
       with(penalised, [](Objective& o) { o.schedule.unroll = 1; })},
      {"unrolling, running statistics in D", "running statistics of BatchNorm1d(2",
       with(plain, [](Objective& o) { o.schedule.unroll = 1; }), 8, with_batch_norm()},
      {"unrolling, spectral norm", "power iteration",
       with(plain, [](Objective& o) { o.schedule.unroll = 1; }), 8, with_spectral_norm()},
      {"unrolling, both players at once", "alternating",
       with(plain,
            [](Objective& o) {
              o.schedule.unroll = 1;
              o.schedule.update = Update::simultaneous;
            })},
      {"consensus, lazy penalties", "lazy interval 1",
       with(penalised,
            [](Objective& o) {
              o.schedule.update = Update::consensus;
              o.schedule.lazy_interval = 4;
            })},
      {"both players at once, several steps of G", "generator steps",
       with(plain,
            [](Objective& o) {
              o.schedule.update = Update::extragradient;
              o.schedule.generator_steps = 2;
            })},
      {"a rate that is not positive", "positive learning rates",
       with(plain, [](Objective& o) { o.schedule.g.lr = 0; })},
  };
  return all;
}

TEST(Compatibility, EveryRowIsMetAndSaysWhy) {
  std::map<std::string, int> met;
  for (const Case& c : cases()) {
    const std::string text =
        error_of([&] { check_compatible(c.objective, *c.critic, c.batch, c.generator.get()); });
    EXPECT_TRUE(has(text, c.says)) << c.row << ": " << text;
    // The sentence is that row's own, and no row before it took the case.
    for (const ImpossibleMix& row : impossible_mixes()) {
      if (!row.present({c.objective, *c.critic, c.batch, c.generator.get()})) continue;
      EXPECT_STREQ(row.name, c.row);
      EXPECT_TRUE(has(text, row.why({c.objective, *c.critic, c.batch, c.generator.get()})));
      break;
    }
    ++met[c.row];
  }
  for (const ImpossibleMix& row : impossible_mixes())
    EXPECT_TRUE(met.contains(row.name)) << row.name << " has no case";
}

TEST(Compatibility, WithoutTheOtherHalfNothingIsRefused) {
  const auto plain = std::make_shared<Sequential>(Linear(2, 1));
  for (const char* name : {"wgan", "wgan-gp", "r3gan", "pacgan", "unrolled", "softmax-gan", "consensus"}) {
    EXPECT_NO_THROW(check_compatible(named_objective(name), *plain, 8)) << name;
  }
  EXPECT_NO_THROW(check_compatible(named_objective("r1", {{"cutmix", 1.0}}), Pixelwise(), 8));
  EXPECT_NO_THROW(check_compatible(named_objective("wgan"), *with_batch_norm(), 8));
  EXPECT_NO_THROW(check_compatible(named_objective("ns-gan"), *with_stddev(), 8));
  EXPECT_NO_THROW(check_compatible(named_objective("unrolled"), *with_stddev(),
                                   8));  // no buffers: a pass changes nothing
  const auto no_statistics = std::make_shared<Sequential>(
      Linear(2, 2), BatchNorm1d(2, {.track_running_stats = false}), Linear(2, 1));
  EXPECT_NO_THROW(check_compatible(named_objective("unrolled"), *no_statistics, 8));
  EXPECT_NO_THROW(check_compatible(named_objective("unrolled", {{"label-flip", 0.1}}), *plain, 8));
  // Within the clip a penalty around 0 is as near as ever.
  Objective clipped{.name = "mine",
                    .penalties = {{zero_centered(), at_real(), 5.0}, {power(6), on_lines(), 1.0}},
                    .constraint = {.weight_clip = 0.01}};
  EXPECT_NO_THROW(check_compatible(clipped, *plain, 8));
  EXPECT_NO_THROW(
      check_compatible(named_objective("ns-gan"), *with_batch_norm(), 2, with_batch_norm().get()));
  EXPECT_NO_THROW(check_compatible(named_objective("ns-gan"), *plain, 1, plain.get()));
  Objective spectral{.name = "mine", .constraint = {.spectral_norm = true}};
  EXPECT_NO_THROW(check_compatible(spectral, *with_spectral_norm(), 8));
  spectral.penalties = {{zero_centered(), at_real(), 1.0}};
  EXPECT_NO_THROW(check_compatible(spectral, *with_spectral_norm(), 8));
}

}  // namespace
}  // namespace duel::gan
