// Note [Analytic critic]: D's loss with a penalty by derivatives written out against the same by the engine, for penalties of
// every shape and sampling. Fails on a forgotten slope, a tangent that a bias gets, a row of the points that the loss sees,
// points drawn at another time.
#include "duel/gan/train/internal/analytic.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/gan/models/models.h"
#include "duel/gan/objective/objective.h"
#include "duel/gan/train/judging.h"
#include "duel/nn/layers.h"
#include "duel/nn/module/module.h"

namespace duel::gan {
namespace {

struct AnalyticCase {
  std::string objective, arch;
};
void PrintTo(const AnalyticCase& c, std::ostream* out) { *out << c.objective << " " << c.arch; }

class AnalyticCritic : public ::testing::TestWithParam<AnalyticCase> {
 protected:
  ~AnalyticCritic() override { set_analytic_critic(true); }
};

/// L_D and its gradients, by hand or by the engine, from the same numbers.
struct Outcome {
  LossOfD loss;
  std::vector<Tensor> gradients;
};
Outcome outcome_of(const AnalyticCase& c, DType dtype, bool by_hand) {
  set_analytic_critic(by_hand);
  const Objective objective = named_objective(c.objective, {});
  Generator weights(1, 0), samples(2, 0);
  Networks networks =
      make_networks({.arch = c.arch, .height = 8, .width = 8, .latent = 3, .channels_g = 2, .channels_d = 3},
                    objective, weights);
  networks.discriminator->to(dtype);
  Judging judging(networks.discriminator, objective, 7, {dtype, {}});
  const auto draw = [&] { return samples.normal({6, 1, 8, 8}, 0, 1, {dtype, {}}); };
  const Tensor real = draw(), fake = draw();
  LossOfD loss = loss_of_d(objective, judging, {.real = {real}, .fake = {fake}}, {}, true, false);
  std::vector<Tensor> gradients = grad({loss.value}, networks.discriminator->parameters());
  return {std::move(loss), std::move(gradients)};
}

TEST_P(AnalyticCritic, GivesWhatTheEngineGives) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const double close = dtype == DType::f64 ? 1e-12 : 2e-5;
    const Outcome hand = outcome_of(GetParam(), dtype, true), engine = outcome_of(GetParam(), dtype, false);
    const auto same = [&](const Tensor& a, const Tensor& b, const std::string& what) {
      ASSERT_EQ(a.shape(), b.shape()) << what;
      const double size = max(abs(b)).item();
      EXPECT_LE(max(abs(a - b)).item(), close * (size + 1e-3)) << what << " " << to_text(dtype);
    };
    same(hand.loss.value, engine.loss.value, "L_D");
    same(hand.loss.penalty, engine.loss.penalty, "penalty");
    same(hand.loss.input_gradient_norm, engine.loss.input_gradient_norm, "norm");
    same(hand.loss.real_logits, engine.loss.real_logits, "real logits");
    same(hand.loss.fake_logits, engine.loss.fake_logits, "fake logits");
    ASSERT_EQ(hand.gradients.size(), engine.gradients.size());
    for (size_t i = 0; i < hand.gradients.size(); ++i)
      same(hand.gradients[i], engine.gradients[i], "parameter " + std::to_string(i));
  }
}

/// Whether D's loss of a round is taken by hand, for a D of these options.
bool by_hand(const Objective& objective, NetworkOptions options,
             const std::function<void(Networks&)>& change = {}) {
  Generator weights(1, 0), samples(2, 0);
  options.height = options.width = 8, options.latent = 3, options.channels_g = options.channels_d = 2;
  Networks networks = make_networks(options, objective, weights);
  if (change) change(networks);
  Judging judging(networks.discriminator, objective, 1, {});
  Round round{.real = {samples.normal({4, 1, 8, 8})}, .fake = {samples.normal({4, 1, 8, 8})}};
  const std::optional<LossOfD> loss = analytic_loss_of_d(objective, judging, round);
  if (loss) {
    EXPECT_TRUE(loss->value.requires_grad());
    EXPECT_EQ(loss->real_logits.dim(0), 4);
  }
  return loss.has_value();
}

TEST_P(AnalyticCritic, IsTaken) {
  EXPECT_TRUE(by_hand(named_objective(GetParam().objective, {}), {.arch = GetParam().arch}));
}

TEST(AnalyticCriticOnly, WhereItHolds) {
  const Objective wgan_gp = named_objective("wgan-gp", {});
  EXPECT_TRUE(by_hand(wgan_gp, {.arch = "mlp"}));
  EXPECT_FALSE(by_hand(named_objective("ns-gan", {}), {.arch = "mlp"})) << "no penalty";
  EXPECT_FALSE(by_hand(wgan_gp, {.arch = "dcgan", .discriminator_norm = Norm::layer}))
      << "not piecewise linear";
  Objective two = wgan_gp;
  two.penalties.push_back(two.penalties.front());
  EXPECT_FALSE(by_hand(two, {.arch = "mlp"}));
  Objective flips = wgan_gp;
  flips.schedule.label_flip = 0.1;
  EXPECT_FALSE(by_hand(flips, {.arch = "mlp"}));
  nn::HookHandle handle;
  EXPECT_FALSE(by_hand(wgan_gp, {.arch = "mlp"}, [&](Networks& networks) {
    handle = networks.discriminator->named_children().at(1).second->register_forward_hook(
        [](nn::Module&, std::span<const Tensor>, const Tensor&) {});
  })) << "a hook sees what a layer gives";
  Objective own_shape = wgan_gp;
  own_shape.penalties[0].shape.apply = [](const Tensor& n) { return square(n); };
  EXPECT_FALSE(by_hand(own_shape, {.arch = "mlp"})) << "a user's shape may read more than norms";
  Objective own_loss = wgan_gp;
  own_loss.loss.d_real = [](const Tensor& logits) { return neg(mean(logits)); };
  EXPECT_FALSE(by_hand(own_loss, {.arch = "mlp"}));
  set_analytic_critic(false);
  EXPECT_FALSE(by_hand(wgan_gp, {.arch = "mlp"}));
  set_analytic_critic(true);
}

TEST(AnalyticCriticOnly, HasNoSecondDerivative) {
  const Objective wgan_gp = named_objective("wgan-gp", {});
  Generator weights(1, 0), samples(2, 0);
  Networks networks =
      make_networks({.arch = "mlp", .height = 8, .width = 8, .latent = 3, .channels_g = 2, .channels_d = 2},
                    wgan_gp, weights);
  Judging judging(networks.discriminator, wgan_gp, 1, {});
  Round round{.real = {samples.normal({4, 1, 8, 8})}, .fake = {samples.normal({4, 1, 8, 8})}};
  const std::optional<LossOfD> loss = analytic_loss_of_d(wgan_gp, judging, round);
  ASSERT_TRUE(loss);
  const std::vector<Tensor> parameters = networks.discriminator->parameters();
  EXPECT_THROW(grad({loss->value}, parameters, {}, {.create_graph = true}), Error);
  // A seed that is not 1 scales the gradients.
  const auto once = grad({loss->value}, parameters, {}, {.retain_graph = true});
  const auto thrice = grad({loss->value}, parameters, {Tensor::full({}, 3.0)}, {.retain_graph = true});
  for (size_t i = 0; i < once.size(); ++i) EXPECT_TRUE(allclose(thrice[i], once[i] * 3.0)) << i;
}

// Every penalty of penalty_gradcheck_test.cpp's table on its networks whose layers are piecewise linear.
TEST(AnalyticCriticOnly, GivesWhatTheEngineGivesForEveryShapeSamplingAndNetwork) {
  const PenaltyShape shapes[] = {
      one_centered(1.0), one_centered(0.3), zero_centered(),           one_sided(0.25),
      power(6),          power(2.5),        worst_of(zero_centered()), worst_of(one_sided(0.25))};
  const PenaltySampling samplings[] = {on_lines(), at_real(), at_fake(), around_real(),
                                       around_real_two_sided()};
  const auto activation = [](nn::Sequential& net, int kind) {
    if (kind == 1) net.push_back(nn::ReLU());
    if (kind == 2) net.push_back(nn::LeakyReLU(0.2));
  };
  const auto critic_of = [&](bool conv, int kind) {
    Generator weights(5, 0);
    const LendDefaultGenerator lent(weights);
    nn::Sequential net;
    if (conv) {
      net.push_back(nn::Conv2d(1, 2, 3, {.stride = 2, .padding = 1}));
      activation(net, kind);
      net.push_back(nn::Conv2d(2, 2, 2));
      activation(net, kind);
      net.push_back(nn::Flatten());
      net.push_back(nn::Linear(4, 1));
    } else {
      net.push_back(nn::Flatten());
      net.push_back(nn::Linear(20, 5));
      activation(net, kind);
      net.push_back(nn::Linear(5, 3));
      activation(net, kind);
      net.push_back(nn::Linear(3, 1));
    }
    auto critic = std::make_shared<SequentialCritic>(net);
    critic->to(DType::f64);
    return critic;
  };
  int cases = 0;
  for (const bool conv : {false, true}) {
    for (const int kind : {0, 1, 2}) {
      for (const PenaltyShape& shape : shapes) {
        for (const PenaltySampling& sampling : samplings) {
          Objective objective = named_objective("wgan-gp", {});
          objective.penalties = {{shape, sampling, 3.0}};
          const auto outcome = [&](bool taken) {
            set_analytic_critic(taken);
            const auto critic = critic_of(conv, kind);
            Judging judging(critic, objective, 7, {DType::f64, {}});
            Generator samples(2, 0);
            const auto draw = [&] { return samples.normal({5, 1, 5, 4}, 0, 1, {DType::f64, {}}); };
            Round round{.real = {draw()}, .fake = {draw()}};
            std::optional<LossOfD> loss;
            if (taken) {
              loss = analytic_loss_of_d(objective, judging, round);
            } else {
              loss = loss_of_d(objective, judging, round, {}, true, false);
            }
            std::vector<Tensor> all;
            if (!loss) return all;
            all = {loss->value, loss->penalty};
            for (const Tensor& g : grad({loss->value}, critic->parameters(), {}, {.allow_unused = true}))
              all.push_back(g.defined() ? g : Tensor::zeros({1}, {DType::f64, {}}));
            return all;
          };
          const std::vector<Tensor> hand = outcome(true), engine = outcome(false);
          set_analytic_critic(true);
          const std::string what = shape.name + " " + sampling.name + (conv ? " conv" : " mlp") +
                                   (kind == 0   ? " linear"
                                    : kind == 1 ? " relu"
                                                : " leaky_relu");
          ASSERT_EQ(hand.size(), engine.size()) << what << ": not taken";
          for (size_t i = 0; i < hand.size(); ++i) {
            ASSERT_EQ(hand[i].shape(), engine[i].shape()) << what << " " << i;
            EXPECT_LE(max(abs(hand[i] - engine[i])).item(), 1e-12 * (max(abs(engine[i])).item() + 1e-3))
                << what << " " << i;
          }
          ++cases;
        }
      }
    }
  }
  EXPECT_EQ(cases, 2 * 3 * 8 * 5);
}

INSTANTIATE_TEST_SUITE_P(All, AnalyticCritic,
                         ::testing::Values(AnalyticCase{"wgan-gp", "mlp"}, AnalyticCase{"wgan-gp", "dcgan"},
                                           AnalyticCase{"wgan-gp", "infogan"}, AnalyticCase{"wgan-lp", "mlp"},
                                           AnalyticCase{"r1", "dcgan"}, AnalyticCase{"r1", "mlp"},
                                           AnalyticCase{"dragan", "dcgan"},
                                           AnalyticCase{"dragan-two-sided", "mlp"},
                                           AnalyticCase{"lgan", "mlp"}, AnalyticCase{"lgan", "dcgan"}));

}  // namespace
}  // namespace duel::gan
