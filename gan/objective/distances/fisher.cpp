#include "duel/gan/objective/distances/fisher.h"

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"

namespace duel::gan {
namespace {
constexpr const char* kSecondMoment = "second_moment";
}

Term second_moment(double rho) {
  DUEL_CHECK(rho > 0, "second_moment", "rho: expected a number above 0, got {}", rho);
  return {.name = kSecondMoment,
          .value =
              [rho](const Round& round) {
                const Tensor &r = round.real.judgement.logits, &f = round.fake.judgement.logits;
                const Tensor excess = 0.5 * (mean(square(r)) + mean(square(f))) - 1.0;
                Tensor multiplier = round.memory.at(0);
                const Tensor now = multiplier.to(excess.dtype()).clone();  // the graph must not see it move
                {
                  const NoGrad off;
                  multiplier.copy_(multiplier + (rho * excess.detach()).to(multiplier.dtype()));
                }
                return now * excess + (rho / 2) * square(excess);
              },
          .memory = {Tensor::zeros({})}};
}

bool has_multiplier(const Term& term) { return term.name == kSecondMoment; }

}  // namespace duel::gan
