// SGD, RMSProp, Adam, AdamW and OptimisticAdam over a flat arena: PyTorch's formulas, names and defaults, one kernel
// launch per step, with weight clipping and an exponential moving average of the weights folded in.
//
// An undefined gradient counts as zero (PyTorch skips such a parameter instead). Frozen parameters
// (set_requires_grad(false)) and their moments rest; an average goes on towards them.
//
// Example:
//   nn::Adam optimizer(net, {.lr = 2e-4, .betas = {0.5, 0.999}});
//   optimizer.set_ema(0.999);
//   optimizer.step(grad({loss}, net.parameters()));            // or: backward(loss); optimizer.step();
//   averaged.load_state_dict(optimizer.ema_state_dict(net));
//
// Note [Parameter groups]
// Every parameter is in group 0, with the optimizer's options, until add_param_group() gives it a rate or weight
// decay of its own. A step is one launch for each run of parameters of one group that lie side by side in the
// arena (Module::parameters() order), so groups of whole layers or networks cost next to nothing, and a group
// of all biases one launch for each.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "duel/nn/optim/parameter_arena.h"

namespace duel::nn {

namespace detail {
struct StepPart;
class StepMemory;
}  // namespace detail

/// Whether a step moves the average of the weights: a step that will be taken back, to look ahead, must not.
enum class Average { moves, stays };

/// Parameters with a rate and a weight decay of their own; what is not given is the optimizer's.
struct ParamGroup {
  std::vector<Tensor> params;
  std::optional<double> lr = {}, weight_decay = {};
};

class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  virtual ~Optimizer();

  /// One update from one gradient per parameter, in Module::parameters() order, each of its parameter's shape
  /// and dtype.
  void step(const std::vector<Tensor>& grads, Average average = Average::moves);
  /// The same from the gradients that backward() left in the parameters; Error where it left none.
  void step();
  /// Forgets those.
  void zero_grad();

  /// Takes parameters of the module that are in group 0 into a new one: see Note [Parameter groups]. Returns
  /// its number. Not between the capture and the replay of a step; before load_state_dict().
  size_t add_param_group(const ParamGroup& group);
  /// Groups, with group 0.
  size_t group_count() const;

  double lr(size_t group = 0) const;
  /// On a GPU in its order: steps that were started before, captured ones too, take the rate that was set
  /// then.
  void set_lr(double lr, size_t group = 0);
  /// Updates so far. On a GPU this waits for them.
  int64_t steps() const;
  /// The first update that read a gradient or wrote a parameter, moment or average which is not finite; 0:
  /// none did. On a GPU this waits.
  int64_t first_nonfinite_step() const;

  /// Every parameter, biases too, ends each step in [-clip, clip]; 0: no clipping.
  void set_clip(double clip);
  double clip() const { return clip_; }

  /// ema = decay ema + (1 - decay) parameter after every step that moves it. The first call starts the
  /// average at the present parameters; later ones change the decay only. With warm_up the decay of update n
  /// is at most (1 + n) / (10 + n), so that a long average forgets how it began (as TensorFlow's
  /// ExponentialMovingAverage).
  void set_ema(double decay, bool warm_up = false);
  bool has_ema() const { return !ema_.empty(); }
  /// The average in the arena's layout, per block; undefined without set_ema.
  Tensor ema(size_t block = 0) const { return block < ema_.size() ? ema_[block] : Tensor(); }
  /// module.state_dict() with the averages in place of the parameters; buffers as they are. `module` must be
  /// the arena's. Shares storage with the average.
  StateDict ema_state_dict(const Module& module) const;

  /// "step", "lr" ("lr.1", … of further groups), and per parameter "NAME.exp_avg" and so on, "NAME.ema" with an average: all that an exact
  /// resume needs besides the options. Shares storage: clone() what must not change.
  StateDict state_dict() const;
  /// Error that names what is missing, unexpected or of the wrong shape; then nothing was changed.
  void load_state_dict(const StateDict& state);

  const ParameterArena& arena() const { return arena_; }

 protected:
  /// `slots`: PyTorch's names of the moments that this optimizer keeps per parameter, each starting at zero.
  Optimizer(ParameterArena arena, double lr, double weight_decay, std::vector<std::string> slots,
            double beta1 = 0.0, double beta2 = 0.0);
  /// One kernel call, with the weight decay and the StepState of the part.
  virtual void update(const detail::StepPart& part) = 0;

 private:
  friend class FunctionalOptimizer;
  void step_block(size_t block, const std::vector<Tensor>& grads, Average average, bool advances);
  /// Is a step one launch? Then it advances the state itself.
  bool one_update() const;
  /// The moments and the average by name, without what lies in StepMemory.
  StateDict named_state() const;
  void check_group(const char* op, size_t group) const;
  /// The kernels' StepState of every group, u8.
  const Tensor& step_memory() const;

  ParameterArena arena_;
  std::vector<size_t> group_of_;       // of a parameter, by its place in Module::parameters()
  std::vector<double> weight_decays_;  // of a group
  std::vector<std::string> slots_;
  std::vector<std::vector<Tensor>> moments_;  // [block][slot], in the arena's layout
  std::vector<Tensor> ema_;                   // [block], empty without an average
  std::unique_ptr<detail::StepMemory> memory_;
  double beta1_, beta2_, clip_ = 0.0, ema_decay_ = 0.0;
  bool ema_warm_up_ = false;
};

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0.0, dampening = 0.0, weight_decay = 0.0;
  bool nesterov = false;
};

/// b = momentum b + (1 - dampening) g, first b = g;  p -= lr b (nesterov: lr (g + momentum b)).
class SGD : public Optimizer {
 public:
  explicit SGD(ParameterArena arena, SGDOptions options = {});
  const SGDOptions options;

 private:
  void update(const detail::StepPart& part) override;
};

struct RMSPropOptions {
  double lr = 1e-2;
  double alpha = 0.99, eps = 1e-8, weight_decay = 0.0, momentum = 0.0;
};

/// s = alpha s + (1 - alpha) g^2;  p -= lr g / (sqrt(s) + eps), through a velocity with momentum. Not
/// centred.
class RMSProp : public Optimizer {
 public:
  explicit RMSProp(ParameterArena arena, RMSPropOptions options = {});
  const RMSPropOptions options;

 private:
  void update(const detail::StepPart& part) override;
};

struct AdamOptions {
  double lr = 1e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8, weight_decay = 0.0;
  bool decoupled_weight_decay = false;  // as AdamW
  bool optimistic = false;              // as OptimisticAdam
};

/// Kingma & Ba 2014 with bias correction; eps outside the root; weight decay added to the gradient.
class Adam : public Optimizer {
 public:
  explicit Adam(ParameterArena arena, AdamOptions options = {});
  const AdamOptions options;

 private:
  void update(const detail::StepPart& part) override;
};

struct AdamWOptions {
  double lr = 1e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8, weight_decay = 1e-2;
};

/// Adam with decoupled weight decay, p *= 1 - lr weight_decay before the step (Loshchilov & Hutter 2017,
/// arXiv:1711.05101).
class AdamW : public Adam {
 public:
  explicit AdamW(ParameterArena arena, AdamWOptions options = {});
};

/// Adam whose step is taken twice and the one before taken back (Daskalakis et al. 2018, arXiv:1711.00141, algorithm
/// 1), p -= 2 lr u - lr u_before, u Adam's step for a rate of 1: in a game of two players it dampens the rotation
/// around the point where neither wants to move, in which Adam may circle. State as Adam's.
class OptimisticAdam : public Adam {
 public:
  /// Of the options `optimistic` is set.
  explicit OptimisticAdam(ParameterArena arena, AdamOptions options = {});
};

}  // namespace duel::nn
