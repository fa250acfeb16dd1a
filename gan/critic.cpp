#include "duel/gan/critic.h"

namespace duel::gan {

Judgement judge(nn::Module& discriminator, const Tensor& x, const Tensor& labels) {
  auto* critic = dynamic_cast<Critic*>(&discriminator);
  if (!critic) return {.logits = discriminator(x)};
  DUEL_CHECK(!critic->needs_labels() || labels.defined(), "judge", "this critic looks at labels, and none were given");
  return critic->judge(x, labels);
}

}  // namespace duel::gan
