// Terms beside the adversarial loss: functions of everything that one round of the fight shows, added to D's
// or G's loss.
//
// Example, a term of one's own:
//   objective.g_terms.push_back({.name = "brightness", .reads_real = true, .value = [](const Round& round) {
//     return square(mean(round.fake.samples) - mean(round.real.samples));
//   }});
#pragma once

#include <functional>
#include <string>

#include "duel/gan/objective/critic.h"
#include "duel/gan/objective/latent.h"

namespace duel::gan {

/// One batch and what D says about it.
struct Side {
  Tensor samples = {};
  Tensor labels = {};  // i64 [N]; undefined in unconditional objectives
  Judgement judgement = {};
};

struct Round {
  // in G's step real is judged only where its loss or a term reads it, and without a graph
  Side real = {}, fake = {};
  Tensor codes = {};  // the codes that G was given; undefined without
};

struct Term {
  std::string name;
  double weight = 1.0;
  bool reads_real = false;                    // of G's terms: whether round.real is needed
  std::function<Tensor(const Round&)> value;  // shape []
  int64_t least_samples = 1;  // that the value needs: 2 where it compares the samples of a batch
};

/// Of G: the squared distance of the mean features of fake and real samples, as D's last layer sees them
/// (Salimans 2016, arXiv:1606.03498, section 3.1). Error where the critic gives no features.
Term feature_matching(double weight = 1.0);

}  // namespace duel::gan
