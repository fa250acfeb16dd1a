// A critic alone, trained against two fixed sources by Duel's own losses, penalties and constraints: what the
// theorems about an optimal D speak of.
//
// Example:
//   Generator random(1);
//   const auto critic = dense_critic({1, 64, 64, 1}, random);
//   fit_critic(critic, named_objective("gan"), {.steps = 500, .seed = 1}, [&](Generator& noise) {
//     return CriticBatch{noise.normal({256, 1}), noise.normal({256, 1}, 2.0)};
//   }, observer);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "duel/core/tensor/random.h"
#include "duel/gan/lab/observer.h"
#include "duel/gan/objective/objective.h"
#include "duel/nn/module/sequential.h"

namespace duel::gan::lab {

/// Linear layers of these widths, the first the input's, with ReLU (of the slope below 0 that is given) between them;
/// PyTorch's initial weights, from `random`.
std::shared_ptr<nn::Sequential> dense_critic(const std::vector<int64_t>& widths, Generator& random,
                                             double slope = 0.0);

struct CriticBatch {
  Tensor real, fake;  // [N, ...] each, f32
};

struct CriticFit {
  int64_t steps = 0;
  uint64_t seed = 1;
  std::function<void(int64_t step)> after = {};  // each step, counted from 1
};

/// Steps of D alone under the objective's loss, penalties, constraint, optimizer and decay of its rate. The critic is
/// made f32. False where the observer stopped it; tells it of every step.
bool fit_critic(const std::shared_ptr<nn::Module>& critic, const Objective& objective, const CriticFit& fit,
                const std::function<CriticBatch(Generator&)>& draw, LabObserver& observer);

/// D's raw outputs at points [N, ...], in evaluation mode and without a graph.
std::vector<double> outputs_at(nn::Module& critic, const Tensor& points);

double mean_of(const std::vector<double>& values);

}  // namespace duel::gan::lab
