// Learning-rate schedules, with the names, defaults and values of torch.optim.lr_scheduler: StepLR, LinearLR,
// CosineAnnealingLR, LambdaLR.
//
// A schedule is a rule, from the rate that an optimizer began with and the number of step() calls to the rate
// now; every parameter group has its own beginning. So a schedule is at the same place whatever was done
// between, and its state is one number beside the beginnings. One schedule to an optimizer: a second one
// overwrites the first one's rates.
//
// Example:
//   nn::Adam optimizer(net, {.lr = 2e-4});
//   nn::LinearLR schedule(optimizer, 1.0, 0.0, 10000);
//   for (…) { optimizer.step(grad({loss}, net.parameters()));  schedule.step(); }
#pragma once

#include <functional>
#include <vector>

#include "duel/nn/optim/optim.h"

namespace duel::nn {

/// From a group's first rate and the steps since to its rate.
using LrRule = std::function<double(double base, int64_t step)>;

/// base gamma^(step / step_size), whole quotients.
LrRule step_rule(int64_t step_size, double gamma = 0.1);
/// base (start + (end - start) min(step, total) / total).
LrRule linear_rule(double start_factor = 1.0 / 3, double end_factor = 1.0, int64_t total_iters = 5);
/// least + (base - least) (1 + cos(pi step / T_max)) / 2, Loshchilov & Hutter 2016, arXiv:1608.03983; after
/// T_max it rises again, as PyTorch's.
LrRule cosine_rule(int64_t T_max, double eta_min = 0.0);
/// base lr_lambda(step).
LrRule lambda_rule(std::function<double(int64_t)> lr_lambda);

class LrSchedule {
 public:
  /// Takes the optimizer's present rates as its beginnings and sets those of step 0. The optimizer must outlive
  /// it, and gets no group after it.
  LrSchedule(Optimizer& optimizer, LrRule rule);
  LrSchedule(const LrSchedule&) = delete;

  /// After each of the optimizer's steps, or after each epoch: the next rates.
  void step();
  /// How often step() was called.
  int64_t last_epoch() const { return last_epoch_; }
  /// The present rate of every group.
  std::vector<double> get_last_lr() const;

  /// "last_epoch" i64 [] and "base_lrs" f64 [groups].
  StateDict state_dict() const;
  /// Sets the optimizer's rates too. Error where the state does not fit; then nothing was changed.
  void load_state_dict(const StateDict& state);

 private:
  /// A rule may give anything: Error unless it is a rate.
  double rate(double base, int64_t step) const;
  void set_rates(const std::vector<double>& bases, int64_t step);

  Optimizer& optimizer_;
  LrRule rule_;
  std::vector<double> bases_;
  int64_t last_epoch_ = 0;
};

/// An LrSchedule by step_rule.
class StepLR : public LrSchedule {
 public:
  StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1)
      : LrSchedule(optimizer, step_rule(step_size, gamma)) {}
};

/// An LrSchedule by linear_rule.
class LinearLR : public LrSchedule {
 public:
  explicit LinearLR(Optimizer& optimizer, double start_factor = 1.0 / 3, double end_factor = 1.0,
                    int64_t total_iters = 5)
      : LrSchedule(optimizer, linear_rule(start_factor, end_factor, total_iters)) {}
};

/// An LrSchedule by cosine_rule.
class CosineAnnealingLR : public LrSchedule {
 public:
  CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min = 0.0)
      : LrSchedule(optimizer, cosine_rule(T_max, eta_min)) {}
};

/// An LrSchedule by lambda_rule.
class LambdaLR : public LrSchedule {
 public:
  LambdaLR(Optimizer& optimizer, std::function<double(int64_t)> lr_lambda)
      : LrSchedule(optimizer, lambda_rule(std::move(lr_lambda))) {}
};

}  // namespace duel::nn
