// The optimizers' options, as the kernels take them.
#include "duel/nn/optim/internal/step.h"
#include "duel/nn/optim/optim.h"

namespace duel::nn {
namespace {

void check_rates(const char* name, double lr, double weight_decay, double momentum) {
  DUEL_CHECK(lr >= 0, name, "expected lr >= 0, got {}", lr);
  DUEL_CHECK(weight_decay >= 0 && momentum >= 0, name,
             "expected weight_decay and momentum >= 0, got {} and {}", weight_decay, momentum);
}

}  // namespace

SGD::SGD(ParameterArena arena, SGDOptions o)
    : Optimizer(std::move(arena), o.lr, o.weight_decay,
                o.momentum != 0 ? std::vector<std::string>{"momentum_buffer"} : std::vector<std::string>{}),
      options(o) {
  check_rates("SGD", o.lr, o.weight_decay, o.momentum);
  DUEL_CHECK(!o.nesterov || (o.momentum > 0 && o.dampening == 0), "SGD",
             "expected momentum above 0 and no dampening with nesterov, got {} and {}", o.momentum,
             o.dampening);
}

void SGD::update(const detail::StepPart& part) {
  const kernels::SgdOptions o{.momentum = options.momentum,
                              .dampening = options.dampening,
                              .weight_decay = part.weight_decay,
                              .nesterov = options.nesterov};
  DUEL_DISPATCH(part.flat.dtype(), "SGD",
                kernels::sgd_step<T>(part.stream(), part.size, part.grads<T>(), o, part.state,
                                     part.parameters<T>(), part.moment<T>(0), part.extras<T>()));
}

RMSProp::RMSProp(ParameterArena arena, RMSPropOptions o)
    : Optimizer(std::move(arena), o.lr, o.weight_decay,
                o.momentum != 0 ? std::vector<std::string>{"square_avg", "momentum_buffer"}
                                : std::vector<std::string>{"square_avg"}),
      options(o) {
  check_rates("RMSProp", o.lr, o.weight_decay, o.momentum);
  DUEL_CHECK(o.alpha >= 0 && o.eps >= 0, "RMSProp", "expected alpha and eps >= 0, got {} and {}", o.alpha,
             o.eps);
}

void RMSProp::update(const detail::StepPart& part) {
  const kernels::RmsPropOptions o{.alpha = options.alpha,
                                  .eps = options.eps,
                                  .weight_decay = part.weight_decay,
                                  .momentum = options.momentum};
  DUEL_DISPATCH(
      part.flat.dtype(), "RMSProp",
      kernels::rmsprop_step<T>(part.stream(), part.size, part.grads<T>(), o, part.state, part.parameters<T>(),
                               part.moment<T>(0), part.moment<T>(1), part.extras<T>()));
}

Adam::Adam(ParameterArena arena, AdamOptions o)
    : Optimizer(std::move(arena), o.lr, o.weight_decay, {"exp_avg", "exp_avg_sq"}, o.betas.first,
                o.betas.second),
      options(o) {
  check_rates("Adam", o.lr, o.weight_decay, 0.0);
  DUEL_CHECK(
      o.betas.first >= 0 && o.betas.first < 1 && o.betas.second >= 0 && o.betas.second < 1 && o.eps >= 0,
      "Adam", "expected betas in [0, 1) and eps >= 0, got {}, {} and {}", o.betas.first, o.betas.second,
      o.eps);
}

void Adam::update(const detail::StepPart& part) {
  const kernels::AdamOptions o{.beta1 = options.betas.first,
                               .beta2 = options.betas.second,
                               .eps = options.eps,
                               .weight_decay = part.weight_decay,
                               .decoupled_weight_decay = options.decoupled_weight_decay,
                               .optimistic = options.optimistic};
  DUEL_DISPATCH(
      part.flat.dtype(), "Adam",
      kernels::adam_step<T>(part.stream(), part.size, part.grads<T>(), o, part.state, part.parameters<T>(),
                            part.moment<T>(0), part.moment<T>(1), part.extras<T>()));
}

AdamW::AdamW(ParameterArena arena, AdamWOptions o)
    : Adam(std::move(arena), {.lr = o.lr,
                              .betas = o.betas,
                              .eps = o.eps,
                              .weight_decay = o.weight_decay,
                              .decoupled_weight_decay = true}) {}

OptimisticAdam::OptimisticAdam(ParameterArena arena, AdamOptions o)
    : Adam(std::move(arena), [&] {
        o.optimistic = true;
        return o;
      }()) {}

}  // namespace duel::nn
