#include "duel/gan/objective/term.h"

#include "duel/core/ops.h"

namespace duel::gan {

Term feature_matching(double weight) {
  return {.name = "feature_matching", .weight = weight, .reads_real = true, .value = [](const Round& round) {
            const Tensor &fake = round.fake.judgement.features, &real = round.real.judgement.features;
            DUEL_CHECK(fake.defined() && real.defined(), "feature_matching",
                       "this critic gives no features: derive it from Critic, or make it a SequentialCritic");
            return sum(square(sub(mean(fake.flatten(1), {0}), mean(real.flatten(1), {0}))));
          }};
}

}  // namespace duel::gan
