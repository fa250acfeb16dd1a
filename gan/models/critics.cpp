#include "duel/gan/models/critics.h"

#include "duel/gan/models/internal/layers.h"
#include "duel/gan/objective/distances/embedding.h"
#include "duel/gan/objective/energy.h"

namespace duel::gan {

std::shared_ptr<Critic> make_critic(CriticKind kind, const Trunk& trunk, const CriticHeads& heads) {
  const auto& [layers, features] = trunk;
  const bool normed = heads.spectral_norm;
  switch (kind) {
    case CriticKind::plain:
      detail::add_weights(*layers, normed, nn::Linear(features, 1));
      return std::make_shared<SequentialCritic>(*layers);
    case CriticKind::label_input:
      return std::make_shared<LabelCritic>(layers, features, heads.classes, heads.labels, normed);
    case CriticKind::projection:
      return std::make_shared<ProjectionCritic>(layers, features, heads.classes, normed);
    case CriticKind::class_head:
      return std::make_shared<ClassCritic>(layers, features, heads.classes, normed);
    case CriticKind::code_head:
      DUEL_CHECK(heads.q, "make_critic", "expected of a code_head what makes q, got none");
      return std::make_shared<CodeCritic>(layers, features, heads.q(), normed);
    case CriticKind::squared_error:
    case CriticKind::absolute_error:
      DUEL_CHECK(heads.decoder, "make_critic", "expected of an autoencoder what makes its decoder, got none");
      if (heads.code > 0) layers->push_back(nn::Linear(features, heads.code));
      return std::make_shared<AutoencoderCritic>(layers, heads.decoder(),
                                                 kind == CriticKind::squared_error
                                                     ? AutoencoderCritic::Error::squared
                                                     : AutoencoderCritic::Error::absolute);
    case CriticKind::embedding:
      return std::make_shared<EmbeddingCritic>(layers, features, heads.embedding, normed);
  }
  throw InternalError("unknown critic");
}

}  // namespace duel::gan
