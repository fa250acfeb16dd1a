// One critic of every kind (critic.h) around one trunk: the layers that come before what D says.
//
// Example:
//   auto critic = make_critic(CriticKind::projection, {layers, /*features=*/1024}, {.classes = 10});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "duel/gan/objective/conditional.h"
#include "duel/nn/module/sequential.h"

namespace duel::gan {

/// Layers from samples to features [N, features].
struct Trunk {
  std::shared_ptr<nn::Sequential> layers;
  int64_t features;
};

/// What some kinds need beside the trunk.
struct CriticHeads {
  int64_t classes = 0;                                     // of conditional kinds
  LabelCritic::Input labels = LabelCritic::Input::planes;  // how a trunk is given them (label_input)
  bool spectral_norm = false;  // of the heads; of the trunk's layers it is their maker's
  std::function<std::shared_ptr<nn::Module>()> q = {};  // of code_head: features to codes
  int64_t code = 0;  // of autoencoders: the encoder ends in a Linear to so many values; 0: in the features
  std::function<std::shared_ptr<nn::Module>()> decoder = {};  // of autoencoders: that end back to samples
  int64_t embedding = 0;                                      // of embedding: numbers per sample
};

/// The trunk's layers are the critic's from then on. Only the heads of this kind are made.
std::shared_ptr<Critic> make_critic(CriticKind kind, const Trunk& trunk, const CriticHeads& heads = {});

}  // namespace duel::gan
