#include "duel/gan/update.h"

#include "duel/core/autograd.h"

namespace duel::gan {
namespace {

Gradients gradients_of(const Game& game) {
  const auto [loss_d, loss_g] = game.losses();
  Gradients result;
  result.d = grad({loss_d}, game.d.parameters, {}, {.retain_graph = true, .allow_unused = true});
  result.g = grad({loss_g}, game.g.parameters, {}, {.allow_unused = true});
  return result;
}

void step(const Game& game, const Gradients& gradients) {
  game.d.optimizer.step(gradients.d);
  game.g.optimizer.step(gradients.g);
}

std::vector<Tensor> copies(const nn::ParameterArena& arena) {
  std::vector<Tensor> result;
  for (const auto& block : arena.blocks()) result.push_back(block.flat.clone());
  return result;
}

void put_back(const nn::ParameterArena& arena, const std::vector<Tensor>& copies) {
  NoGrad no_grad;
  for (size_t i = 0; i < copies.size(); ++i) arena.blocks()[i].flat.copy_(copies[i]);
}

}  // namespace

Gradients simultaneous_update(const Game& game) {
  Gradients gradients = gradients_of(game);
  step(game, gradients);
  return gradients;
}

Gradients extragradient_update(const Game& game) {
  const std::vector<Tensor> d = copies(game.d.optimizer.arena()), g = copies(game.g.optimizer.arena());
  step(game, gradients_of(game));
  Gradients ahead = gradients_of(game);
  put_back(game.d.optimizer.arena(), d);
  put_back(game.g.optimizer.arena(), g);
  step(game, ahead);
  return ahead;
}

}  // namespace duel::gan
