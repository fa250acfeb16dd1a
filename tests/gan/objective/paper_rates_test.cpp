// What the papers say of optimizers, rates, steps and weights, and where: every named objective has that, or
// says in its row what the paper has and why it differs (`duel objectives NAME` shows it). A row that has the
// paper's values gives no reason.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "duel/gan/objective/objective.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::has;

OptimizerChoice adam(double lr, double beta1, double beta2) {
  return {.kind = OptimizerKind::adam, .lr = lr, .beta1 = beta1, .beta2 = beta2};
}
OptimizerChoice rmsprop(double lr) { return {.kind = OptimizerKind::rmsprop, .lr = lr}; }
OptimizerChoice sgd(double lr) { return {.kind = OptimizerKind::sgd, .lr = lr}; }

struct Paper {
  std::string name, where;
  std::optional<OptimizerChoice> d = {};  // unset: rates of its own were not found
  std::optional<OptimizerChoice> g = {};  // unset: as D's
  int64_t critic_steps = 1, generator_steps = 1;
  std::optional<double> weight = {};  // of the penalty (gamma / 2 of R1), the clip value, gamma of consensus
  std::string reason = "";  // words of the row where it differs, in these columns or in what they do not hold
};

const Paper kPapers[] = {
    {.name = "gan",
     .where = "section 5 and goodfeli/adversarial mnist.yaml",
     .d = sgd(0.1),
     .reason = "SGD 0.1"},
    {.name = "ns-gan", .where = "the same", .d = sgd(0.1), .reason = "SGD 0.1"},
    {.name = "wgan", .where = "algorithm 1", .d = rmsprop(5e-5), .critic_steps = 5, .weight = 0.01},
    {.name = "wgan-gp",
     .where = "algorithm 1",
     .d = adam(1e-4, 0, 0.9),
     .critic_steps = 5,
     .weight = 10,
     .reason = "Adam 1e-4 (0, 0.9)"},
    {.name = "wgan-lp",
     .where = "the authors' gan_mnist.py",
     .d = adam(1e-4, 0.5, 0.9),
     .critic_steps = 5,
     .weight = 10},
    {.name = "lsgan", .where = "the authors' train_chn.py, 28x28 characters", .d = adam(2e-4, 0.5, 0.999)},
    {.name = "lsgan-pearson", .where = "the same", .d = adam(2e-4, 0.5, 0.999)},
    {.name = "dragan", .where = "DRAGAN.ipynb", .d = adam(1e-4, 0.5, 0.9), .weight = 10},
    {.name = "dragan-two-sided",
     .where = "DRAGAN.ipynb",
     .d = adam(1e-4, 0.5, 0.9),
     .weight = 10,
     .reason = "Adam 1e-4 (0.5, 0.9)"},
    {.name = "hinge",
     .where = "Lim & Ye, README of lim0606's MNIST experiment",
     .d = rmsprop(2e-4),
     .generator_steps = 10,
     .reason = "RMSProp 2e-4"},
    {.name = "hinge-v1",
     .where = "the same",
     .d = rmsprop(2e-4),
     .generator_steps = 10,
     .reason = "RMSProp 2e-4"},
    {.name = "geometric-gan", .where = "the same", .d = rmsprop(2e-4), .generator_steps = 10},
    {.name = "rsgan", .where = "the author's GAN_losses_iter.py", .d = adam(1e-4, 0.5, 0.999)},
    {.name = "rasgan", .where = "the same", .d = adam(1e-4, 0.5, 0.999)},
    {.name = "ralsgan", .where = "the same", .d = adam(1e-4, 0.5, 0.999)},
    {.name = "rahinge", .where = "the same", .d = adam(1e-4, 0.5, 0.999)},
    {.name = "fgan-kl", .where = "section 4, MNIST", .d = adam(2e-4, 0.5, 0.999)},
    {.name = "fgan-reverse-kl", .where = "section 4, MNIST", .d = adam(2e-4, 0.5, 0.999)},
    {.name = "fgan-pearson", .where = "section 4, MNIST", .d = adam(2e-4, 0.5, 0.999)},
    {.name = "fgan-hellinger", .where = "section 4, MNIST", .d = adam(2e-4, 0.5, 0.999)},
    {.name = "fgan-js", .where = "section 4, MNIST", .d = adam(2e-4, 0.5, 0.999)},
    {.name = "fgan-alpha", .where = "section 4, MNIST", .d = adam(2e-4, 0.5, 0.999)},
    {.name = "softmax-gan", .where = "", .reason = "not found"},
    {.name = "sngan", .where = "sn_cifar10_unconditional.yml", .d = adam(2e-4, 0, 0.9), .critic_steps = 5},
    {.name = "r1",
     .where = "section 4.2 and configs/default.yaml; gamma 10",
     .d = rmsprop(1e-4),
     .weight = 5},
    {.name = "r3gan",
     .where = "table 9, Stacked MNIST; gamma 1 to 0.1, beta2 0.9 to 0.99",
     .d = adam(2e-4, 0, 0.99),
     .weight = 0.5,
     .reason = "gamma from 1 to 0.1"},
    {.name = "lgan", .where = "", .reason = "not found"},
    {.name = "wgan-div", .where = "k = 2", .weight = 1, .reason = "not found"},
    {.name = "pacgan",
     .where = "the authors' Stacked MNIST code",
     .d = adam(2e-4, 0.5, 0.999),
     .generator_steps = 2,
     .reason = "two steps of G"},
    {.name = "unrolled",
     .where = "the ring of the authors' notebook",
     .d = adam(1e-4, 0.5, 0.999),
     .g = adam(1e-3, 0.5, 0.999)},
    {.name = "consensus",
     .where = "section 6, mixtures of Gaussians",
     .d = rmsprop(1e-4),
     .weight = 10,
     .reason = "gamma 10"},
    {.name = "fisher-gan",
     .where = "the authors' README, LSUN and CIFAR-10",
     .d = adam(2e-4, 0.5, 0.999),
     .critic_steps = 2},
    {.name = "mmd-gan", .where = "section 5", .d = adam(1e-4, 0.5, 0.9), .critic_steps = 5, .weight = 1},
    {.name = "mmd-gan-rep",
     .where = "the authors' my_test_cifar.py",
     .d = adam(2e-4, 0.5, 0.999),
     .g = adam(5e-4, 0.5, 0.999)},
    {.name = "cramer-gan",
     .where = "algorithm 1",
     .d = adam(1e-4, 0.5, 0.9),
     .critic_steps = 5,
     .weight = 10},
    {.name = "sliced-wasserstein", .where = "the authors' swg.py", .d = adam(1e-4, 0.5, 0.999)},
    {.name = "ebgan", .where = "section 4, a grid on MNIST", .reason = "grid on MNIST"},
    {.name = "began", .where = "section 4", .d = adam(1e-4, 0.5, 0.999), .reason = "gamma 0.5"},
    {.name = "cgan", .where = "section 4.1", .d = sgd(0.1), .reason = "SGD 0.1"},
    {.name = "acgan", .where = "appendix A, one of its three rates", .d = adam(2e-4, 0.5, 0.999)},
    {.name = "projection", .where = "section 5", .d = adam(2e-4, 0, 0.9), .critic_steps = 5},
    {.name = "infogan",
     .where = "run_mnist_exp.py",
     .d = adam(2e-4, 0.5, 0.999),
     .g = adam(1e-3, 0.5, 0.999)},
};

std::optional<double> weight_of(const Objective& o) {
  if (!o.penalties.empty()) return o.penalties.front().weight;
  if (o.constraint.weight_clip > 0) return o.constraint.weight_clip;
  if (o.schedule.update == Update::consensus) return o.schedule.consensus;
  return std::nullopt;
}

bool same(const OptimizerChoice& a, const OptimizerChoice& b) {
  return a.kind == b.kind && a.lr == b.lr &&
         (a.kind != OptimizerKind::adam || (a.beta1 == b.beta1 && a.beta2 == b.beta2));
}

bool as_the_paper(const Objective& o, const Paper& paper) {
  return paper.d && same(o.schedule.d, *paper.d) && same(o.schedule.g, paper.g.value_or(*paper.d)) &&
         o.schedule.critic_steps == paper.critic_steps &&
         o.schedule.generator_steps == paper.generator_steps && weight_of(o) == paper.weight;
}

TEST(PaperRates, EveryRowHasThemOrSaysWhatThePaperHas) {
  std::vector<std::string> names;
  for (const Paper& paper : kPapers) {
    SCOPED_TRACE(paper.name + ", " + paper.where);
    names.push_back(paper.name);
    const Objective objective = named_objective(paper.name);
    if (paper.reason.empty()) {
      EXPECT_TRUE(as_the_paper(objective, paper));
      EXPECT_EQ(objective.rates, "") << "a reason for what is the paper's";
    } else {
      EXPECT_TRUE(has(objective.rates, paper.reason)) << objective.rates;
      EXPECT_TRUE(has(objective.rates, "Here") || has(objective.rates, "here"))
          << "what Duel has instead: " << objective.rates;
      const bool anneals = paper.name == "r3gan";  // which no column holds
      EXPECT_EQ(as_the_paper(objective, paper), anneals) << "a reason for what is the paper's";
    }
  }
  EXPECT_EQ(names, objective_names()) << "one row here for every objective";
}

}  // namespace
}  // namespace duel::gan
