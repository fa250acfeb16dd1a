// FunctionalOptimizer: what an optimizer's next steps would do, as recorded ops on copies, so that a later
// loss can be differentiated through them (unrolled GANs: Metz et al. 2017, arXiv:1611.02163).
//
// It starts from the optimizer's present moments and step count and changes nothing of the optimizer. Adam,
// AdamW, OptimisticAdam, RMSProp and SGD with their options, groups and weight clipping; no average. On a GPU rates and step counts are read
// there, when the work runs, so that an iteration that does this can be replayed as a CUDA graph; SGD with
// dampening is refused there.
//
// Example, one step ahead:
//   nn::FunctionalOptimizer ahead(optimizer);
//   std::vector<Tensor> next = ahead.step(weights, grad({loss}, weights, {}, {.create_graph = true}));
#pragma once

#include <functional>
#include <vector>

#include "duel/nn/optim/optim.h"

namespace duel::nn {

class FunctionalOptimizer {
 public:
  explicit FunctionalOptimizer(const Optimizer& optimizer);

  /// The parameters after one more step, in the order of Module::parameters(). An undefined gradient counts
  /// as zeros; parameters that require no gradient are returned as they are.
  std::vector<Tensor> step(const std::vector<Tensor>& parameters, const std::vector<Tensor>& gradients);

 private:
  /// A constant of a step: a number, or on a GPU a scalar that lies there.
  struct Factor {
    double value = 0;
    Tensor tensor = {};
  };
  friend Tensor operator*(const Tensor& x, const Factor& factor);
  /// What the rules need of the step count, and of a group its rate and weight decay.
  struct Now {
    bool may_be_first = false, is_first = false;  // SGD's momentum starts as the first gradient
    double weight_decay = 0;
    Factor lr, lr_over_bias1, over_root_bias2;
    Factor lr_over_bias1_before, over_root_bias2_before;  // of the step before; at the first lr and 1
  };
  struct Rules;
  /// Of each group.
  std::vector<Now> advance();

  /// From one parameter, its gradient and its moments, which it moves, to the parameter's next value.
  using Rule = std::function<Tensor(const Tensor& parameter, const Tensor& gradient,
                                    std::vector<Tensor>& moments, const Now& now)>;
  Rule rule_;
  std::vector<std::vector<Tensor>> moments_;  // [parameter][slot]
  std::vector<size_t> group_of_;
  std::vector<double> rates_, weight_decays_;  // of a group; the rates only on the CPU
  Tensor states_;                              // on a GPU: a copy of the kernels' StepStates, u8
  int64_t steps_ = 0;                          // on the CPU
  bool optimistic_ = false;                    // whether the rule asks for the step before
  double beta1_, beta2_, clip_;
  DType dtype_ = DType::f32;
};

}  // namespace duel::nn
