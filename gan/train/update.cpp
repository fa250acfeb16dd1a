#include "duel/gan/train/update.h"

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/nn/module/scoped_parameters.h"
#include "duel/nn/optim/functional_optimizer.h"

namespace duel::gan {
namespace {

Gradients gradients_of(const Game& game) {
  const auto [loss_d, loss_g] = game.losses();
  Gradients result;
  result.d = grad({loss_d}, game.d.parameters, {}, {.retain_graph = true, .allow_unused = true});
  result.g = grad({loss_g}, game.g.parameters, {}, {.allow_unused = true});
  return result;
}

void step(const Game& game, const Gradients& gradients, nn::Average average = nn::Average::moves) {
  game.d.optimizer.step(gradients.d, average);
  game.g.optimizer.step(gradients.g, average);
}

}  // namespace

Gradients simultaneous_update(const Game& game) {
  Gradients gradients = gradients_of(game);
  step(game, gradients);
  return gradients;
}

Gradients consensus_update(const Game& game, double gamma) {
  const auto [loss_d, loss_g] = game.losses();
  constexpr GradOptions kRecorded{.create_graph = true, .allow_unused = true};
  Gradients g{grad({loss_d}, game.d.parameters, {}, kRecorded),
              grad({loss_g}, game.g.parameters, {}, kRecorded)};
  Tensor energy;
  for (const auto* gradients : {&g.d, &g.g}) {
    for (const Tensor& gradient : *gradients) {
      if (!gradient.defined()) continue;
      const Tensor squares = sum(square(gradient));
      energy = energy.defined() ? add(energy, squares) : squares;
    }
  }
  DUEL_CHECK(energy.defined(), "consensus_update", "expected losses that depend on the players' weights");
  std::vector<Tensor> both = game.d.parameters;
  both.insert(both.end(), game.g.parameters.begin(), game.g.parameters.end());
  const std::vector<Tensor> pull = grad({mul_scalar(energy, 0.5)}, both, {}, {.allow_unused = true});
  NoGrad no_grad;
  for (size_t i = 0; i < both.size(); ++i) {
    Tensor& own = i < g.d.size() ? g.d[i] : g.g[i - g.d.size()];
    if (own.defined()) own = own.detach();
    if (!pull[i].defined()) continue;
    const Tensor pulled = mul_scalar(pull[i], gamma);
    own = own.defined() ? add(own, pulled) : pulled;
  }
  step(game, g);
  return g;
}

std::vector<Tensor> unrolled_parameters(const Player& d, int64_t steps, const std::function<Tensor()>& loss) {
  nn::FunctionalOptimizer ahead(d.optimizer);
  std::vector<Tensor> now;
  // frozen ones stay
  for (const Tensor& p : d.parameters)
    now.push_back(p.requires_grad() ? p.detach().set_requires_grad(true) : p);
  for (int64_t k = 0; k < steps; ++k) {
    std::vector<Tensor> gradients;
    {
      nn::ScopedParameters there(d.parameters, now);
      gradients = grad({loss()}, now, {}, {.create_graph = true, .allow_unused = true});
    }
    now = ahead.step(now, gradients);
  }
  return now;
}

Gradients extragradient_update(const Game& game) {
  const nn::ParameterArena &arena_d = game.d.optimizer.arena(), &arena_g = game.g.optimizer.arena();
  const std::vector<Tensor> d = arena_d.copies(), g = arena_g.copies();
  step(game, gradients_of(game), nn::Average::stays);
  Gradients ahead = gradients_of(game);
  arena_d.restore(d);
  arena_g.restore(g);
  step(game, ahead);
  return ahead;
}

}  // namespace duel::gan
