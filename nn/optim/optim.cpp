// Optimizers: the arena's segments are cut into parts that one kernel call takes; the kernels do the rest.
#include "duel/nn/optim/optim.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/tensor_impl.h"
#include "duel/nn/optim/internal/step.h"

namespace duel::nn {
namespace {

/// The average of frozen parameters goes on.
void rest(const detail::StepPart& part) {
  DUEL_DISPATCH(part.flat.dtype(), "step", {
    kernels::UpdateExtras<T> extras = part.extras<T>();
    extras.clip = 0;
    kernels::average_step<T>(part.stream(), part.size, part.state, part.parameters<T>(), extras);
  });
}

/// The rate of a group in the state: "lr" of those in none, "lr.1", …
std::string rate_name(size_t group) { return group == 0 ? "lr" : "lr." + std::to_string(group); }

}  // namespace

Optimizer::Optimizer(ParameterArena arena, double lr, double weight_decay, std::vector<std::string> slots,
                     double beta1, double beta2)
    : arena_(std::move(arena)),
      group_of_(arena_.size(), 0),
      weight_decays_{weight_decay},
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

size_t Optimizer::add_param_group(const ParamGroup& group) {
  const double lr = group.lr.value_or(this->lr()), decay = group.weight_decay.value_or(weight_decays_[0]);
  DUEL_CHECK(lr >= 0 && decay >= 0, "add_param_group", "expected lr and weight_decay >= 0, got {} and {}", lr,
             decay);
  DUEL_CHECK(!group.params.empty(), "add_param_group", "expected parameters, got none");
  std::vector<size_t> places;
  for (const Tensor& parameter : group.params) {
    const ParameterArena::Entry* entry = arena_.find(parameter);
    DUEL_CHECK(entry != nullptr, "add_param_group", "expected parameters of the module, got {}",
               to_text(parameter));
    DUEL_CHECK(
        group_of_[entry->index] == 0 && std::find(places.begin(), places.end(), entry->index) == places.end(),
        "add_param_group", "expected parameters that are in no group yet, got {}", entry->name);
    places.push_back(entry->index);
  }
  kernels::StepState state = memory_->read()[0];
  state.lr = lr;
  memory_->add(state);
  weight_decays_.push_back(decay);
  for (const size_t place : places) group_of_[place] = memory_->size() - 1;
  return memory_->size() - 1;
}

size_t Optimizer::group_count() const { return memory_->size(); }

double Optimizer::lr(size_t group) const {
  check_group("lr", group);
  return memory_->lr(group);
}

void Optimizer::set_lr(double lr, size_t group) {
  DUEL_CHECK(lr >= 0, "set_lr", "expected lr >= 0, got {}", lr);
  check_group("set_lr", group);
  memory_->set_lr(group, lr);
}

void Optimizer::check_group(const char* op, size_t group) const {
  DUEL_CHECK(group < memory_->size(), op, "expected one of {} groups, got {}", memory_->size(), group);
}

const Tensor& Optimizer::step_memory() const { return memory_->bytes(); }
int64_t Optimizer::steps() const { return memory_->read()[0].step; }
int64_t Optimizer::first_nonfinite_step() const { return memory_->read()[0].bad_step; }

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
  const bool advances = one_update();
  if (!advances) {
    kernels::advance_step(stream_of(arena_.blocks()[0].flat.device()), memory_->state(), beta1_, beta2_,
                          static_cast<int>(memory_->size()));
  }
  for (size_t b = 0; b < arena_.blocks().size(); ++b) step_block(b, grads, average, advances);
}

bool Optimizer::one_update() const {
  if (memory_->size() != 1 || arena_.blocks().size() != 1) return false;
  const auto& block = arena_.blocks()[0];
  size_t segments = 0;
  for (size_t i = 0; i < block.entries.size(); ++i) {
    const auto& entry = block.entries[i];
    const int64_t size = entry.parameter.numel();
    const int64_t end = i + 1 < block.entries.size() ? block.entries[i + 1].offset : block.flat.numel();
    if (duel::detail::is_frozen(entry.parameter)) return false;
    segments += (size > 0 ? 1 : 0) + (end > entry.offset + size ? 1 : 0);
  }
  return segments >= 1 && segments <= static_cast<size_t>(kernels::kMaxSegments);
}

void Optimizer::step_block(size_t b, const std::vector<Tensor>& grads, Average average, bool advances) {
  const auto& block = arena_.blocks()[b];
  static const Tensor none;
  detail::StepPart part{.flat = block.flat,
                        .moments = moments_[b],
                        .ema = has_ema() && average == Average::moves ? ema_[b] : none,
                        .bad_step = &memory_->state()->bad_step,
                        .clip = clip_,
                        .ema_decay = ema_decay_,
                        .ema_warm_up = ema_warm_up_,
                        .advances = advances,
                        .beta1 = beta1_,
                        .beta2 = beta2_};
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
  size_t group = memory_->size();  // none yet
  for (size_t i = 0; i < block.entries.size(); ++i) {
    const auto& entry = block.entries[i];
    if (group_of_[entry.index] != group) {
      flush();
      group = group_of_[entry.index];
      part.state = memory_->state(group);
      part.weight_decay = weight_decays_[group];
    }
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
        all.emplace_back(entry.name + "." + slots_[s], ParameterArena::window(moments_[b][s], entry));
      }
      if (has_ema()) all.emplace_back(entry.name + ".ema", ParameterArena::window(ema_[b], entry));
    }
  }
  return all;
}

StateDict Optimizer::state_dict() const {
  StateDict all{{"step", Tensor::from({steps()}, {})}};
  for (size_t group = 0; group < memory_->size(); ++group)
    all.emplace_back(rate_name(group), Tensor::from({lr(group)}, {}));
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
  DUEL_CHECK(steps_done >= 0, "load_state_dict", "step: expected at least 0, got {}", steps_done);
  std::vector<kernels::StepState> now = memory_->read();
  for (size_t group = 0; group < now.size(); ++group) {
    const double rate = given.at(rate_name(group)).item();
    DUEL_CHECK(rate >= 0 && std::isfinite(rate), "load_state_dict",
               "{}: expected a finite number of at least 0, got {}", rate_name(group), rate);
    now[group] = {.step = steps_done > 0 ? steps_done - 1 : 0};
    now[group].lr = rate;
  }
  for (const auto& [name, target] : targets) target.copy_(given.at(name));  // "step", "lr": into temporaries
  memory_->write(now);
  if (steps_done == 0 || arena_.blocks().empty()) return;
  // As the last step left them: the corrections too.
  kernels::advance_step(stream_of(arena_.blocks()[0].flat.device()), memory_->state(), beta1_, beta2_,
                        static_cast<int>(memory_->size()));
}

StateDict Optimizer::ema_state_dict(const Module& module) const {
  DUEL_CHECK(has_ema(), "ema_state_dict", "there is no average: set_ema starts one");
  std::unordered_map<const void*, Tensor>
      average;  // by the parameter's memory, so shared parameters are found twice
  for (size_t b = 0; b < arena_.blocks().size(); ++b) {
    for (const auto& entry : arena_.blocks()[b].entries) {
      average.emplace(entry.parameter.raw(), ParameterArena::window(ema_[b], entry));
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

}  // namespace duel::nn
