// Terms beside the adversarial loss: functions of everything that one round of the fight shows, added to D's or G's loss.
//
// Example, feature matching (Salimans 2016, arXiv:1606.03498, section 3.1):
//   objective.g_terms.push_back({.name = "feature_matching", .reads_real = true, .value = [](const Round& round) {
//     return sum(square(sub(mean(round.fake.judgement.features, 0), mean(round.real.judgement.features, 0))));
//   }});
#pragma once

#include <functional>
#include <string>

#include "duel/gan/critic.h"
#include "duel/gan/latent.h"

namespace duel::gan {

/// One batch and what D says about it.
struct Side {
  Tensor samples = {};
  Tensor labels = {};  // i64 [N]; undefined in unconditional objectives
  Judgement judgement = {};
};

struct Round {
  Side real = {}, fake = {};   // in G's step real is judged only where its loss or a term reads it, and without a graph
  Tensor codes = {};      // the codes that G was given; undefined without
};

struct Term {
  std::string name;
  double weight = 1.0;
  bool reads_real = false;  // of G's terms: whether round.real is needed
  std::function<Tensor(const Round&)> value;  // shape []
};

}  // namespace duel::gan
