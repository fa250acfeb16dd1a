#include "duel/gan/lab/demands.h"

namespace duel::gan::lab {

std::string more_than_a_logit(const Objective& objective) {
  switch (objective.critic) {
    case CriticKind::plain: break;
    case CriticKind::label_input:
    case CriticKind::projection: return "its D is told the label of each sample, and points have none";
    case CriticKind::class_head: return "its D names the class of each sample, and points have none";
    case CriticKind::code_head: return "its D reads back the codes that G was given, and G of points is given none";
    case CriticKind::squared_error:
    case CriticKind::absolute_error:
      return "its D is an autoencoder, judging by how well it rebuilds a sample instead of by a logit";
  }
  for (const auto* terms : {&objective.d_terms, &objective.g_terms}) {
    if (!terms->empty()) return "its term " + terms->front().name + " reads more of D than a logit";
  }
  return {};
}

}  // namespace duel::gan::lab
