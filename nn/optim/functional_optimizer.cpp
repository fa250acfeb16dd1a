#include "duel/nn/optim/functional_optimizer.h"

#include <cmath>
#include <limits>
#include <unordered_map>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/training/optimizers.h"

namespace duel::nn {
namespace {

/// sqrt(x) whose gradient is finite at 0: where a gradient has always been exactly zero, nothing flows
/// through its square's average, and 0 times infinity must not make a NaN of that.
Tensor root(const Tensor& x) {
  return sqrt(add_scalar(x, x.dtype() == DType::f32 ? static_cast<double>(std::numeric_limits<float>::min())
                                                    : std::numeric_limits<double>::min()));
}

Tensor decayed(const Tensor& gradient, const Tensor& parameter, double weight_decay) {
  return weight_decay == 0 ? gradient : gradient + parameter * weight_decay;
}

Tensor moved_average(const Tensor& average, double decay, const Tensor& value) {
  return average * decay + value * (1 - decay);
}

}  // namespace

Tensor operator*(const Tensor& x, const FunctionalOptimizer::Factor& factor) {
  return factor.tensor.defined() ? mul(x, factor.tensor) : mul_scalar(x, factor.value);
}

/// The options by value: the rule may outlive the optimizer.
struct FunctionalOptimizer::Rules {
  static Rule of(const AdamOptions& o) {
    return [o](const Tensor& p, const Tensor& gradient, std::vector<Tensor>& m, const Now& now) {
      const bool apart = o.decoupled_weight_decay;
      const Tensor g = apart ? gradient : decayed(gradient, p, now.weight_decay);
      Tensor kept = apart ? p - p * now.weight_decay * now.lr : p;
      if (o.optimistic) {
        kept = kept + m[0] / (root(m[1]) * now.over_root_bias2_before + o.eps) * now.lr_over_bias1_before;
      }
      m[0] = moved_average(m[0], o.betas.first, g);
      m[1] = moved_average(m[1], o.betas.second, square(g));
      const Tensor step = m[0] / (root(m[1]) * now.over_root_bias2 + o.eps) * now.lr_over_bias1;
      return kept - (o.optimistic ? step * 2.0 : step);
    };
  }
  static Rule of(const RMSPropOptions& o) {
    return [o](const Tensor& p, const Tensor& gradient, std::vector<Tensor>& m, const Now& now) {
      const Tensor g = decayed(gradient, p, now.weight_decay);
      m[0] = moved_average(m[0], o.alpha, square(g));
      Tensor step = g / (root(m[0]) + o.eps);
      if (o.momentum != 0) step = m[1] = m[1] * o.momentum + step;
      return p - step * now.lr;
    };
  }
  static Rule of(const SGDOptions& o) {
    return [o](const Tensor& p, const Tensor& gradient, std::vector<Tensor>& m, const Now& now) {
      const Tensor g = decayed(gradient, p, now.weight_decay);
      if (o.momentum == 0) return p - g * now.lr;
      DUEL_CHECK(!now.may_be_first || o.dampening == 0, "FunctionalOptimizer",
                 "expected SGD without dampening on a GPU, got {}", o.dampening);
      // Without dampening the formula gives the first step as well: the velocity starts at zero.
      m[0] = now.is_first ? g : m[0] * o.momentum + g * (1 - o.dampening);
      return p - (o.nesterov ? g + m[0] * o.momentum : m[0]) * now.lr;
    };
  }
};

FunctionalOptimizer::FunctionalOptimizer(const Optimizer& optimizer)
    : moments_(optimizer.arena().size()),
      group_of_(optimizer.group_of_),
      weight_decays_(optimizer.weight_decays_),
      beta1_(optimizer.beta1_),
      beta2_(optimizer.beta2_),
      clip_(optimizer.clip()) {
  std::vector<const char*> slots;
  if (const auto* adam = dynamic_cast<const Adam*>(&optimizer)) {
    rule_ = Rules::of(adam->options);
    optimistic_ = adam->options.optimistic;
    slots = {"exp_avg", "exp_avg_sq"};
  } else if (const auto* rmsprop = dynamic_cast<const RMSProp*>(&optimizer)) {
    rule_ = Rules::of(rmsprop->options);
    slots = {"square_avg"};
    if (rmsprop->options.momentum != 0) slots.push_back("momentum_buffer");
  } else if (const auto* sgd = dynamic_cast<const SGD*>(&optimizer)) {
    rule_ = Rules::of(sgd->options);
    if (sgd->options.momentum != 0) slots = {"momentum_buffer"};
  } else {
    fail("FunctionalOptimizer", "expected Adam, RMSProp or SGD");
  }
  const StateDict state = optimizer.named_state();
  const std::unordered_map<std::string, Tensor> by_name(state.begin(), state.end());
  for (const auto& block : optimizer.arena().blocks()) {
    dtype_ = block.flat.dtype();
    for (const auto& entry : block.entries) {
      // Copies: the optimizer's own next step moves its moments in place, perhaps before this graph's
      // backward.
      for (const char* slot : slots)
        moments_[entry.index].push_back(by_name.at(entry.name + "." + slot).clone());
    }
  }
  if (!optimizer.arena().blocks().empty() && optimizer.arena().blocks()[0].flat.device().is_cuda()) {
    states_ = optimizer.step_memory().clone();
  } else {
    steps_ = optimizer.steps();
    for (size_t group = 0; group < optimizer.group_count(); ++group) rates_.push_back(optimizer.lr(group));
  }
}

std::vector<FunctionalOptimizer::Now> FunctionalOptimizer::advance() {
  std::vector<Now> all;
  if (!states_.defined()) {
    ++steps_;
    const auto bias = [&](double beta, int64_t steps) { return steps > 0 ? 1 - std::pow(beta, steps) : 1.0; };
    const double bias1 = bias(beta1_, steps_), bias2 = bias(beta2_, steps_);
    for (size_t group = 0; group < rates_.size(); ++group) {
      all.push_back({false,
                     steps_ == 1,
                     weight_decays_[group],
                     {rates_[group]},
                     {rates_[group] / bias1},
                     {1 / std::sqrt(bias2)},
                     {rates_[group] / bias(beta1_, steps_ - 1)},
                     {1 / std::sqrt(bias(beta2_, steps_ - 1))}});
    }
    return all;
  }
  const NoGrad no_grad;
  const auto groups = static_cast<int64_t>(weight_decays_.size());
  auto* states = reinterpret_cast<kernels::StepState*>(states_.mutable_data<uint8_t>());
  const kernels::Stream stream = stream_of(states_.device());
  const auto factors_now = [&] {
    const Tensor factors = Tensor::empty({3 * groups}, {DType::f64, states_.device()});
    kernels::step_factors(stream, states, factors.mutable_data<double>(), static_cast<int>(groups));
    return factors.to(dtype_);
  };
  const Tensor before = optimistic_ ? factors_now() : Tensor();
  kernels::advance_step(stream, states, beta1_, beta2_, static_cast<int>(groups));
  const Tensor now = factors_now();
  const auto factor = [](const Tensor& factors, int64_t i) {
    return factors.defined() ? Factor{0, rows(factors, i, i + 1).reshape({})} : Factor();
  };
  for (int64_t k = 0; k < groups; ++k) {
    all.push_back({true, false, weight_decays_[static_cast<size_t>(k)], factor(now, 3 * k),
                   factor(now, 3 * k + 1), factor(now, 3 * k + 2), factor(before, 3 * k + 1),
                   factor(before, 3 * k + 2)});
  }
  return all;
}

std::vector<Tensor> FunctionalOptimizer::step(const std::vector<Tensor>& parameters,
                                              const std::vector<Tensor>& gradients) {
  DUEL_CHECK(parameters.size() == moments_.size() && gradients.size() == moments_.size(),
             "FunctionalOptimizer", "expected {} parameters and gradients, got {} and {}", moments_.size(),
             parameters.size(), gradients.size());
  const std::vector<Now> now = advance();
  std::vector<Tensor> next;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& p = parameters[i];
    if (!p.requires_grad()) {
      next.push_back(p);
      continue;
    }
    const Tensor g = gradients[i].defined() ? gradients[i] : Tensor::zeros(p.shape(), p.options());
    Tensor value = rule_(p, g, moments_[i], now[group_of_[i]]);
    if (clip_ > 0) value = clamp_max(clamp_min(value, -clip_), clip_);
    next.push_back(value);
  }
  return next;
}

}  // namespace duel::nn
