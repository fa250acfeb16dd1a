// Optimizers: the arena's segments are cut into parts that one kernel call takes; the kernels do the rest.
#include "duel/nn/optim/optim.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <unordered_map>

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/kernels/map/elementwise.h"
#include "duel/kernels/training/optimizers.h"

namespace duel::nn {
namespace detail {

/// The state in the memory of the parameters' device, at an address that captured steps can rely on (Note
/// [Graph-safe steps] in kernels/training/optimizers.h). On the host only the learning rate is always known:
/// nothing but set_lr changes it.
class StepMemory {
 public:
  StepMemory(const Device& device, double lr) : bytes_(Tensor::empty({kBytes}, {DType::u8, device})) {
    write({.lr = lr});
  }
  kernels::StepState* state() const {
    return reinterpret_cast<kernels::StepState*>(bytes_.mutable_data<uint8_t>());
  }
  double lr() const { return lr_; }
  Tensor numbers() const {
    static_assert(kBytes == 5 * sizeof(double) && offsetof(kernels::StepState, lr) == 8 &&
                  offsetof(kernels::StepState, bias1) == 16 && offsetof(kernels::StepState, bias2) == 24);
    auto as_numbers = std::make_shared<duel::detail::TensorImpl>(*bytes_.impl());
    as_numbers->dtype = DType::f64;
    as_numbers->shape = {5};
    return Tensor(std::move(as_numbers)).clone();
  }
  /// On a GPU this waits for it.
  kernels::StepState read() const {
    kernels::StepState now;
    const auto bytes = bytes_.to_vector<uint8_t>();
    std::memcpy(&now, bytes.data(), sizeof now);
    return now;
  }
  void write(const kernels::StepState& now) {
    std::vector<uint8_t> bytes(kBytes);
    std::memcpy(bytes.data(), &now, sizeof now);
    bytes_.copy_(Tensor::from(bytes, {kBytes}));
    lr_ = now.lr;
  }
  void set_lr(double lr) {
    // A fill: nothing is copied from the host, so nothing waits.
    kernels::fill(stream_of(bytes_.device()), 1, lr, &state()->lr);
    lr_ = lr;
  }

 private:
  static constexpr int64_t kBytes = sizeof(kernels::StepState);
  Tensor bytes_;
  double lr_ = 0;
};

struct Segment {
  const void* gradient;  // null: zeros
  int64_t size;
};

/// One kernel call: `size` elements of a block from element `offset` on, and the gradients that cover them.
struct StepPart {
  const Tensor& flat;
  const std::vector<Tensor>& moments;
  const Tensor& ema;  // undefined: none
  kernels::StepState* state;
  double clip, ema_decay;
  bool ema_warm_up;
  int64_t offset = 0, size = 0;
  std::vector<Segment> segments = {};

  kernels::Stream stream() const { return stream_of(flat.device()); }

  template <class T>
  kernels::GradSegments<T> grads() const {
    kernels::GradSegments<T> all;
    for (const Segment& segment : segments) all.add(static_cast<const T*>(segment.gradient), segment.size);
    return all;
  }
  template <class T>
  T* parameters() const {
    return flat.mutable_data<T>() + offset;
  }
  /// Null when the optimizer has fewer moments.
  template <class T>
  T* moment(size_t slot) const {
    return slot < moments.size() ? moments[slot].mutable_data<T>() + offset : nullptr;
  }
  template <class T>
  kernels::UpdateExtras<T> extras() const {
    return {.clip = clip,
            .ema = ema.defined() ? ema.mutable_data<T>() + offset : nullptr,
            .ema_decay = ema_decay,
            .ema_warm_up = ema_warm_up,
            .bad_step = &state->bad_step};
  }
};

}  // namespace detail

namespace {

/// The part of a flat tensor in an arena's layout that belongs to one parameter.
Tensor window(const Tensor& flat, const ParameterArena::Entry& entry) {
  return duel::detail::view(flat, entry.parameter.shape(),
                            static_cast<size_t>(entry.offset) * size_of(flat.dtype()));
}

/// The average of frozen parameters goes on.
void rest(const detail::StepPart& part) {
  DUEL_DISPATCH(part.flat.dtype(), "step", {
    kernels::UpdateExtras<T> extras = part.extras<T>();
    extras.clip = 0;
    kernels::average_step<T>(part.stream(), part.size, part.state, part.parameters<T>(), extras);
  });
}

void check_rates(const char* name, double lr, double weight_decay, double momentum) {
  DUEL_CHECK(lr >= 0, name, "expected lr >= 0, got {}", lr);
  DUEL_CHECK(weight_decay >= 0 && momentum >= 0, name,
             "expected weight_decay and momentum >= 0, got {} and {}", weight_decay, momentum);
}

}  // namespace

Optimizer::Optimizer(ParameterArena arena, double lr, std::vector<std::string> slots, double beta1,
                     double beta2)
    : arena_(std::move(arena)),
      slots_(std::move(slots)),
      memory_(std::make_unique<detail::StepMemory>(
          arena_.blocks().empty() ? Device::cpu() : arena_.blocks()[0].flat.device(), lr)),
      beta1_(beta1),
      beta2_(beta2) {
  for (const auto& block : arena_.blocks()) {
    duel::detail::check_same_device("Optimizer", arena_.blocks()[0].flat, block.flat);
    auto& moments = moments_.emplace_back();
    for (size_t i = 0; i < slots_.size(); ++i) {
      moments.push_back(Tensor::zeros(block.flat.shape(), block.flat.options()));
    }
  }
}

Optimizer::~Optimizer() = default;

double Optimizer::lr() const { return memory_->lr(); }
Tensor Optimizer::step_numbers() const { return memory_->numbers(); }
int64_t Optimizer::steps() const { return memory_->read().step; }
int64_t Optimizer::first_nonfinite_step() const { return memory_->read().bad_step; }

void Optimizer::set_lr(double lr) {
  DUEL_CHECK(lr >= 0, "set_lr", "expected lr >= 0, got {}", lr);
  memory_->set_lr(lr);
}

void Optimizer::set_clip(double clip) {
  DUEL_CHECK(clip >= 0, "set_clip", "expected a bound >= 0 (0: none), got {}", clip);
  clip_ = clip;
}

void Optimizer::set_ema(double decay, bool warm_up) {
  DUEL_CHECK(decay >= 0 && decay <= 1, "set_ema", "expected a decay in [0, 1], got {}", decay);
  ema_decay_ = decay;
  ema_warm_up_ = warm_up;
  if (has_ema()) return;
  for (const auto& block : arena_.blocks()) ema_.push_back(block.flat.clone());
}

void Optimizer::zero_grad() {
  for (const auto& block : arena_.blocks()) {
    for (const auto& entry : block.entries) Tensor(entry.parameter).zero_grad();
  }
}

void Optimizer::step() {
  std::vector<Tensor> grads(arena_.size());
  bool any = arena_.size() == 0;
  for (const auto& block : arena_.blocks()) {
    for (const auto& entry : block.entries) {
      grads[entry.index] = entry.parameter.grad();
      any |= grads[entry.index].defined() || duel::detail::is_frozen(entry.parameter);
    }
  }
  DUEL_CHECK(any, "step",
             "no parameter has a gradient: call backward() first, or pass gradients, step(grad(...))");
  step(grads);
}

void Optimizer::step(const std::vector<Tensor>& grads, Average average) {
  arena_.check();
  DUEL_CHECK(grads.size() == arena_.size(), "step", "expected one gradient for each of {} parameters, got {}",
             arena_.size(), grads.size());
  for (const auto& block : arena_.blocks()) {
    for (const auto& entry : block.entries) {
      const Tensor& g = grads[entry.index];
      DUEL_CHECK(
          !g.defined() || (g.shape() == entry.parameter.shape() && g.dtype() == entry.parameter.dtype() &&
                           g.device() == entry.parameter.device()),
          "step", "expected a gradient of {} for parameter {}, got {}", to_text(entry.parameter), entry.name,
          to_text(g));
    }
  }
  if (arena_.blocks().empty()) return;
  kernels::advance_step(stream_of(arena_.blocks()[0].flat.device()), memory_->state(), beta1_, beta2_);
  for (size_t b = 0; b < arena_.blocks().size(); ++b) step_block(b, grads, average);
}

void Optimizer::step_block(size_t b, const std::vector<Tensor>& grads, Average average) {
  const auto& block = arena_.blocks()[b];
  static const Tensor none;
  detail::StepPart part{.flat = block.flat,
                        .moments = moments_[b],
                        .ema = has_ema() && average == Average::moves ? ema_[b] : none,
                        .state = memory_->state(),
                        .clip = clip_,
                        .ema_decay = ema_decay_,
                        .ema_warm_up = ema_warm_up_};
  const auto flush = [&] {
    if (part.size > 0) update(part);
    part.offset += part.size;
    part.size = 0;
    part.segments.clear();
  };
  const auto add = [&](const void* gradient, int64_t size) {
    if (part.segments.size() == static_cast<size_t>(kernels::kMaxSegments)) flush();
    part.segments.push_back({gradient, size});
    part.size += size;
  };
  for (size_t i = 0; i < block.entries.size(); ++i) {
    const auto& entry = block.entries[i];
    const Tensor& g = grads[entry.index];
    const int64_t size = entry.parameter.numel();
    const int64_t end = i + 1 < block.entries.size() ? block.entries[i + 1].offset : block.flat.numel();
    if (duel::detail::is_frozen(entry.parameter)) {
      flush();
      part.size = end - entry.offset;
      if (part.ema.defined()) rest(part);
      part.offset += part.size;
      part.size = 0;
      continue;
    }
    if (size > 0) add(g.defined() ? g.raw() : nullptr, size);
    // The zeros up to the next aligned parameter take part with a zero gradient and stay zero.
    if (end > entry.offset + size) add(nullptr, end - entry.offset - size);
  }
  flush();
}

StateDict Optimizer::named_state() const {
  StateDict all;
  for (size_t b = 0; b < arena_.blocks().size(); ++b) {
    for (const auto& entry : arena_.blocks()[b].entries) {
      for (size_t s = 0; s < slots_.size(); ++s) {
        all.emplace_back(entry.name + "." + slots_[s], window(moments_[b][s], entry));
      }
      if (has_ema()) all.emplace_back(entry.name + ".ema", window(ema_[b], entry));
    }
  }
  return all;
}

StateDict Optimizer::state_dict() const {
  StateDict all{{"step", Tensor::from({steps()}, {})}, {"lr", Tensor::from({lr()}, {})}};
  for (auto& entry : named_state()) all.push_back(std::move(entry));
  return all;
}

void Optimizer::load_state_dict(const StateDict& state) {
  StateDict targets = state_dict();
  std::unordered_map<std::string, Tensor> given(state.begin(), state.end());
  std::string problems;
  const auto tell = [&](const std::string& text) { problems += (problems.empty() ? "" : "; ") + text; };
  if (given.size() != state.size()) tell("repeated keys");
  for (const auto& [name, target] : targets) {
    const auto found = given.find(name);
    if (found == given.end()) {
      tell("missing: " + name);
    } else if (!found->second.defined() || found->second.shape() != target.shape() ||
               found->second.dtype() != target.dtype()) {
      tell(message("{} is {} here and {} in the state", name, to_text(target), to_text(found->second)));
    }
  }
  for (const auto& [name, tensor] : given) {
    const auto known = [&, &key = name](const auto& target) { return target.first == key; };
    if (std::none_of(targets.begin(), targets.end(), known)) tell("unexpected: " + name);
  }
  DUEL_CHECK(problems.empty(), "load_state_dict", "the state does not fit this optimizer; {}", problems);
  const auto steps_done = given.at("step").to_vector<int64_t>()[0];
  const double rate = given.at("lr").item();
  DUEL_CHECK(steps_done >= 0, "load_state_dict", "step: expected at least 0, got {}", steps_done);
  DUEL_CHECK(rate >= 0 && std::isfinite(rate), "load_state_dict",
             "lr: expected a finite number of at least 0, got {}", rate);
  for (const auto& [name, target] : targets) target.copy_(given.at(name));  // "step", "lr": into temporaries
  kernels::StepState now = memory_->read();
  now.step = steps_done;
  now.bad_step = 0;
  now.lr = rate;
  memory_->write(now);
}

StateDict Optimizer::ema_state_dict(const Module& module) const {
  DUEL_CHECK(has_ema(), "ema_state_dict", "there is no average: set_ema starts one");
  std::unordered_map<const void*, Tensor>
      average;  // by the parameter's memory, so shared parameters are found twice
  for (size_t b = 0; b < arena_.blocks().size(); ++b) {
    for (const auto& entry : arena_.blocks()[b].entries) {
      average.emplace(entry.parameter.raw(), window(ema_[b], entry));
    }
  }
  StateDict all = module.state_dict();
  size_t replaced = 0;
  for (auto& [name, tensor] : all) {
    const auto found = average.find(tensor.raw());
    if (found == average.end()) continue;
    tensor = found->second;
    ++replaced;
  }
  DUEL_CHECK(
      replaced >= average.size(), "ema_state_dict",
      "expected the module that this optimizer was made for: {} of its {} parameters are not in this one",
      average.size() - replaced, average.size());
  return all;
}

SGD::SGD(ParameterArena arena, SGDOptions o)
    : Optimizer(std::move(arena), o.lr,
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
                              .weight_decay = options.weight_decay,
                              .nesterov = options.nesterov};
  DUEL_DISPATCH(part.flat.dtype(), "SGD",
                kernels::sgd_step<T>(part.stream(), part.size, part.grads<T>(), o, part.state,
                                     part.parameters<T>(), part.moment<T>(0), part.extras<T>()));
}

RMSProp::RMSProp(ParameterArena arena, RMSPropOptions o)
    : Optimizer(std::move(arena), o.lr,
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
                                  .weight_decay = options.weight_decay,
                                  .momentum = options.momentum};
  DUEL_DISPATCH(
      part.flat.dtype(), "RMSProp",
      kernels::rmsprop_step<T>(part.stream(), part.size, part.grads<T>(), o, part.state, part.parameters<T>(),
                               part.moment<T>(0), part.moment<T>(1), part.extras<T>()));
}

Adam::Adam(ParameterArena arena, AdamOptions o)
    : Optimizer(std::move(arena), o.lr, {"exp_avg", "exp_avg_sq"}, o.betas.first, o.betas.second),
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
                               .weight_decay = options.weight_decay};
  DUEL_DISPATCH(
      part.flat.dtype(), "Adam",
      kernels::adam_step<T>(part.stream(), part.size, part.grads<T>(), o, part.state, part.parameters<T>(),
                            part.moment<T>(0), part.moment<T>(1), part.extras<T>()));
}

}  // namespace duel::nn
