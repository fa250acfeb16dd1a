#include "duel/nn/functional_optimizer.h"

#include <cmath>
#include <limits>
#include <unordered_map>

#include "duel/core/ops/arithmetic.h"

namespace duel::nn {
namespace {

/// sqrt(x) whose gradient is finite at 0: where a gradient has always been exactly zero, nothing flows through its square's
/// average, and 0 times infinity must not make a NaN of that.
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

/// The options by value, the rate as it stands: the rule may outlive a change of rates, not the optimizer.
struct Rules {
  double lr;

  auto operator()(const AdamOptions& o) const {
    return [o, lr = lr](const Tensor& p, const Tensor& gradient, std::vector<Tensor>& m, int64_t t) {
      const Tensor g = decayed(gradient, p, o.weight_decay);
      m[0] = moved_average(m[0], o.betas.first, g);
      m[1] = moved_average(m[1], o.betas.second, square(g));
      const double bias1 = 1 - std::pow(o.betas.first, t), bias2 = 1 - std::pow(o.betas.second, t);
      return p - m[0] / (root(m[1]) * (1 / std::sqrt(bias2)) + o.eps) * (lr / bias1);
    };
  }
  auto operator()(const RMSPropOptions& o) const {
    return [o, lr = lr](const Tensor& p, const Tensor& gradient, std::vector<Tensor>& m, int64_t) {
      const Tensor g = decayed(gradient, p, o.weight_decay);
      m[0] = moved_average(m[0], o.alpha, square(g));
      Tensor step = g / (root(m[0]) + o.eps);
      if (o.momentum != 0) step = m[1] = m[1] * o.momentum + step;
      return p - step * lr;
    };
  }
  auto operator()(const SGDOptions& o) const {
    return [o, lr = lr](const Tensor& p, const Tensor& gradient, std::vector<Tensor>& m, int64_t t) {
      const Tensor g = decayed(gradient, p, o.weight_decay);
      if (o.momentum == 0) return p - g * lr;
      m[0] = t == 1 ? g : m[0] * o.momentum + g * (1 - o.dampening);
      return p - (o.nesterov ? g + m[0] * o.momentum : m[0]) * lr;
    };
  }
};

}  // namespace

FunctionalOptimizer::FunctionalOptimizer(const Optimizer& optimizer)
    : moments_(optimizer.arena().size()), steps_(optimizer.steps()), clip_(optimizer.clip()) {
  std::vector<const char*> slots;
  const Rules rules{optimizer.lr()};
  if (const auto* adam = dynamic_cast<const Adam*>(&optimizer)) {
    rule_ = rules(adam->options);
    slots = {"exp_avg", "exp_avg_sq"};
  } else if (const auto* rmsprop = dynamic_cast<const RMSProp*>(&optimizer)) {
    rule_ = rules(rmsprop->options);
    slots = {"square_avg"};
    if (rmsprop->options.momentum != 0) slots.push_back("momentum_buffer");
  } else if (const auto* sgd = dynamic_cast<const SGD*>(&optimizer)) {
    rule_ = rules(sgd->options);
    if (sgd->options.momentum != 0) slots = {"momentum_buffer"};
  } else {
    fail("FunctionalOptimizer", "expected Adam, RMSProp or SGD");
  }
  const StateDict state = optimizer.state_dict();
  const std::unordered_map<std::string, Tensor> by_name(state.begin(), state.end());
  for (const auto& block : optimizer.arena().blocks()) {
    for (const auto& entry : block.entries) {
      // Copies: the optimizer's own next step moves its moments in place, perhaps before this graph's backward.
      for (const char* slot : slots)
        moments_[entry.index].push_back(by_name.at(entry.name + "." + slot).clone());
    }
  }
}

std::vector<Tensor> FunctionalOptimizer::step(const std::vector<Tensor>& parameters,
                                              const std::vector<Tensor>& gradients) {
  DUEL_CHECK(parameters.size() == moments_.size() && gradients.size() == moments_.size(),
             "FunctionalOptimizer", "expected {} parameters and gradients, got {} and {}", moments_.size(),
             parameters.size(), gradients.size());
  ++steps_;
  std::vector<Tensor> next;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& p = parameters[i];
    const Tensor g = gradients[i].defined() ? gradients[i] : Tensor::zeros(p.shape(), p.options());
    Tensor value = rule_(p, g, moments_[i], steps_);
    if (clip_ > 0) value = clamp_max(clamp_min(value, -clip_), clip_);
    next.push_back(value);
  }
  return next;
}

}  // namespace duel::nn
