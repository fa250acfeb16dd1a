// FunctionalOptimizer: what an optimizer's next steps would do, as recorded ops on copies, so that a later loss can be
// differentiated through them (unrolled GANs: Metz et al. 2017, arXiv:1611.02163).
//
// It starts from the optimizer's present moments and step count and changes nothing of the optimizer. Adam, RMSProp and SGD
// with their options and weight clipping; no average. The steps' numbers are constants of what is recorded, so an iteration
// that does this cannot be replayed as a CUDA graph.
//
// Example, one step ahead:
//   nn::FunctionalOptimizer ahead(optimizer);
//   std::vector<Tensor> next = ahead.step(weights, grad({loss}, weights, {}, {.create_graph = true}));
#pragma once

#include <functional>
#include <vector>

#include "duel/nn/optim.h"

namespace duel::nn {

class FunctionalOptimizer {
 public:
  explicit FunctionalOptimizer(const Optimizer& optimizer);

  /// The parameters after one more step, in the order of Module::parameters(). An undefined gradient counts as zeros.
  std::vector<Tensor> step(const std::vector<Tensor>& parameters, const std::vector<Tensor>& gradients);

 private:
  /// From one parameter, its gradient and its moments, which it moves, to the parameter's next value.
  using Rule = std::function<Tensor(const Tensor& parameter, const Tensor& gradient,
                                    std::vector<Tensor>& moments, int64_t step)>;
  Rule rule_;
  std::vector<std::vector<Tensor>> moments_;  // [parameter][slot]
  int64_t steps_;
  double clip_;
};

}  // namespace duel::nn
