#include "duel/gan/lab/founding/fresh_critic.h"

#include <cmath>
#include <numbers>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/loss.h"
#include "duel/kernels/base/error.h"
#include "duel/nn/optim/grad_norm.h"

namespace duel::gan::lab {
namespace {

double fresh_share_above_zero(const Tensor& logits) {
  return mean(greater(logits, zeros_like(logits)).to(DType::f64)).item();
}

double fresh_norm_of(const std::vector<Tensor>& gradients) {
  return nn::gradient_norms(gradients).total.item();
}

}  // namespace

GeneratorGradients generator_gradients(nn::Module& g, nn::Module& d, const Tensor& z) {
  const Tensor fake = g(z);
  Tensor logits;
  {
    const NoParamGrad weights_of_d_are_constants;
    logits = d(fake);
  }
  const std::vector<Tensor> parameters = g.parameters();
  GeneratorGradients found;
  found.saturating = grad({minimax_loss().g_fake(logits)}, parameters, {}, {.retain_graph = true});
  found.non_saturating = grad({non_saturating_loss().g_fake(logits)}, parameters);
  return found;
}

FreshCriticPoint judge_fresh_critic(nn::Module& d, const Tensor& real, const Tensor& fake) {
  const NoGrad nothing_recorded;
  const Tensor on_real = d(real), on_fake = d(fake);
  FreshCriticPoint point;
  point.cross_entropy = discriminator_loss(non_saturating_loss(), Relativism::none, on_real, on_fake).item();
  point.accuracy = (fresh_share_above_zero(on_real) + fresh_share_above_zero(neg(on_fake))) / 2;
  return point;
}

std::vector<FreshCriticPoint> train_fresh_critic(const FreshFight& fight, const FreshCriticOptions& options,
                                                 const std::function<bool()>& keep_going) {
  DUEL_CHECK(options.steps >= 1 && options.batch >= 2 && options.judged >= 2 && options.every >= 1, "lab",
             "a fresh D: expected at least 1 step, batches of 2 and a look every step or less often; got {} "
             "steps, batches of {} and {}, every {}",
             options.steps, options.batch, options.judged, options.every);
  const Loss loss = non_saturating_loss();
  nn::Adam optimizer(fight.d, options.adam);
  const std::vector<Tensor> parameters = fight.d.parameters();
  std::vector<FreshCriticPoint> points;
  for (int64_t step = 0; step <= options.steps; ++step) {
    if (step % options.every == 0 || step == options.steps) {
      if (keep_going && !keep_going()) return {};
      FreshCriticPoint point =
          judge_fresh_critic(fight.d, fight.held_out(options.judged), fight.fake(options.judged));
      point.step = step;
      if (fight.gradients) {
        const GeneratorGradients a = fight.gradients(), b = fight.gradients();
        const double norm_a = fresh_norm_of(a.non_saturating), norm_b = fresh_norm_of(b.non_saturating);
        point.saturating = (fresh_norm_of(a.saturating) + fresh_norm_of(b.saturating)) / 2;
        point.non_saturating = (norm_a + norm_b) / 2;
        point.non_saturating_spread = std::abs(norm_a - norm_b) / std::numbers::sqrt2;
      }
      points.push_back(point);
    }
    if (step == options.steps) break;
    if (options.decays)
      optimizer.set_lr(options.adam.lr *
                       (1.0 - static_cast<double>(step) / static_cast<double>(options.steps)));
    const Tensor on_real = fight.d(fight.real(options.batch));
    const Tensor on_fake = fight.d(fight.fake(options.batch));
    optimizer.step(grad({discriminator_loss(loss, Relativism::none, on_real, on_fake)}, parameters));
  }
  return points;
}

}  // namespace duel::gan::lab
