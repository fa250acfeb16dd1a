// A fresh D trained against samples that stand still, and the gradient that a frozen G would get from it on the
// way: how Arjovsky & Bottou 2017 (arXiv:1701.04862) look at the losses of Goodfellow et al. 2014.
//
// Both losses of G come from one pass through the same D, so they differ in nothing else. Norm layers work as in
// training, by the batch that they see: D is given real samples and fakes in batches of one kind, G its latents.
//
// Example:
//   const auto points = train_fresh_critic({.d = d, .real = digits, .held_out = test_digits, .fake = draw_g,
//                                           .gradients = [&] { return generator_gradients(g, d, noise.normal({64, 100})); }},
//                                          {.steps = 4000});
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "duel/core/tensor/tensor.h"
#include "duel/nn/module/module.h"
#include "duel/nn/optim/optim.h"

namespace duel::gan::lab {

/// Of G's losses log(1 - D) and -log D, means over the batch, in G's parameters, in their order.
struct GeneratorGradients {
  std::vector<Tensor> saturating, non_saturating;
};
/// G(z) is judged by d as it stands; neither moves. Statistics of norms are those of the batch where a network
/// trains.
GeneratorGradients generator_gradients(nn::Module& g, nn::Module& d, const Tensor& z);

using DrawSamples = std::function<Tensor(int64_t count)>;

struct FreshFight {
  nn::Module& d;               // ends in one logit a sample
  DrawSamples real, held_out;  // D learns from the first and is judged on the second, beside fresh fakes
  DrawSamples fake;            // without a graph
  std::function<GeneratorGradients()> gradients = {};  // none: G is none
};

struct FreshCriticOptions {
  int64_t steps = 4000;
  int64_t batch = 64;    // of each kind
  int64_t judged = 256;  // samples of each kind behind an accuracy
  int64_t every = 10;    // steps from look to look, of which the first is before the first step
  nn::AdamOptions adam = {.lr = 2e-4, .betas = {0.5, 0.999}};
  bool decays = false;  // the rate falls to 0 in a straight line
};

/// D before a step.
struct FreshCriticPoint {
  int64_t step = 0;
  double cross_entropy = 0;  // E -log D(x) + E -log(1 - D(G(z))) in nats: 2 log 2 where D knows nothing
  double accuracy = 0;       // share of samples on the right side of the logit 0, half of them real
  // Norms of G's gradients, each the mean of two batches, and how far the second one's lie apart by chance: root of
  // their variance. 0 without a G.
  double saturating = 0, non_saturating = 0, non_saturating_spread = 0;
};

/// The points of steps 0, every, 2 every, …, steps. Empty where `keep_going`, asked at every look, said no.
std::vector<FreshCriticPoint> train_fresh_critic(const FreshFight& fight, const FreshCriticOptions& options,
                                                 const std::function<bool()>& keep_going = {});

/// How D does on given samples: cross_entropy and accuracy of a point. Nothing is recorded.
FreshCriticPoint judge_fresh_critic(nn::Module& d, const Tensor& real, const Tensor& fake);

}  // namespace duel::gan::lab
