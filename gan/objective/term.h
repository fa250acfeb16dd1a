// Terms beside the adversarial loss: functions of everything that one round of the fight shows, added to D's
// or G's loss.
//
// Example, a term of one's own:
//   objective.g_terms.push_back({.name = "brightness", .reads_real = true, .value = [](const Round& round) {
//     return square(mean(round.fake.samples) - mean(round.real.samples));
//   }});
// One that asks G: how much it changes its samples with what it makes them of (StyleGAN2's path length is this with
// noise in place of the sum, and a mean of earlier lengths in Term::memory):
//   objective.g_terms.push_back({.name = "slope", .value = [](const Round& round) {
//     const Tensor z = round.latents.detach().set_requires_grad(true);
//     return mean(square(grad({sum((*round.generator)(z))}, {z}, {}, {.create_graph = true})[0]));
//   }});
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "duel/gan/objective/critic.h"
#include "duel/gan/objective/latent.h"

namespace duel::gan {

/// One batch and what D says about it.
struct Side {
  Tensor samples = {};  // as D is shown them, but for packing
  Tensor labels = {};   // i64 [N]; undefined in unconditional objectives
  Judgement judgement = {};
};

struct Round {
  // in G's step real is judged only where its loss or a term reads it, and without a graph
  Side real = {}, fake = {};
  Tensor codes = {};          // the codes that G was given; undefined without
  Tensor latents = {};        // [N, latent width]: what G made the fakes of
  int64_t noise_columns = 0;  // the first of them that are noise; behind them labels and codes
  // The players, for passes of a term's own. What their layers draw meanwhile, and what a term draws from
  // default_generator(), is resumed with the run.
  nn::Module *generator = nullptr, *discriminator = nullptr;
  std::vector<Tensor> memory = {};  // of the term that is asked
  int64_t step = 0;                 // of the player whose loss it is, counted from 0
};

struct Term {
  std::string name;
  double weight = 1.0;
  bool reads_real = false;                    // of G's terms: whether round.real is needed
  std::function<Tensor(const Round&)> value;  // shape []
  int64_t least_samples = 1;  // that the value needs: 2 where it compares the samples of a batch
  // lazy: asked in every so many-th step of its player, with its weight times as much (Karras 2020, arXiv:1912.04958,
  // section 3.1)
  int64_t every = 1;
  // What the term remembers from one iteration to the next, as it is at first. A Trainer keeps a copy of its
  // own, which checkpoints hold; value() finds it in round.memory and writes there with copy_().
  std::vector<Tensor> memory = {};
  // What makes `memory` where it is as large as the networks: a Trainer calls it with G and D. None: as it stands.
  std::function<std::vector<Tensor>(const nn::Module& generator, const nn::Module& discriminator)> memory_of =
      {};
  /// Whether it is asked in a step, counted from 0: the last one of each `every`.
  bool due(int64_t step) const { return (step + 1) % every == 0; }
};

/// Of G: the squared distance of the mean features of fake and real samples, as D's last layer sees them
/// (Salimans 2016, arXiv:1606.03498, section 3.1). Error where the critic gives no features.
Term feature_matching(double weight = 1.0);

}  // namespace duel::gan
