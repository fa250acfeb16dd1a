#include "duel/gan/objective/regularisers/latent_step.h"

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"

namespace duel::gan {

Tensor stepped(const LatentStep& step, const LatentPlan& plan, const Tensor& input,
               const std::function<Tensor(const Tensor& input)>& answers) {
  const EnableGrad on;
  const Tensor noise = slice(input.detach(), 1, 0, plan.noise).set_requires_grad(true);
  const auto with_rest = [&](const Tensor& columns) {
    return plan.noise == input.dim(1)
               ? columns
               : concat({columns, slice(input.detach(), 1, plan.noise, input.dim(1))}, 1);
  };
  const Tensor g = grad({sum(answers(with_rest(noise)))}, {noise}, {}, {.create_graph = true})[0];
  const Tensor way = step.damping > 0 ? g / (sum(square(g), {1}, true) + step.damping) : g;
  const Tensor moved = noise.detach() + way * step.rate;
  return with_rest(plan.kind == NoiseKind::uniform ? clamp(moved, -1, 1) : moved);
}

}  // namespace duel::gan
