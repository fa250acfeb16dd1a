// Module: registration, traversal, state dicts.
#include "duel/nn/module/module.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "duel/core/ops/reduce/normalization.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/op_trace.h"
#include "duel/core/tensor/internal/tensor_impl.h"

namespace duel::nn {
namespace {

/// Keeps the first of entries that are the same tensor.
StateDict unique(StateDict all) {
  std::unordered_set<const void*> seen;
  std::erase_if(all, [&](const auto& entry) { return !seen.insert(entry.second.impl().get()).second; });
  return all;
}

void append(std::string& text, const std::string& part) { text += (text.empty() ? "" : ", ") + part; }

[[noreturn]] void refuse_inputs(const Module& module, const char* given) {
  fail("forward", "expected another number of tensors, got {}: no forward() of so many in {}", given,
       module.describe());
}

/// What `forward` gives, as one step of the trace where it is to be one.
template <class Forward>
Tensor seen(duel::detail::OpTrace& trace, const Module& module, Forward forward, std::vector<Tensor> inputs) {
  std::string step = trace.as_one ? trace.as_one(&module) : std::string();
  if (step.empty()) return forward();
  const Tensor output = [&] {
    const duel::detail::OpTrace::Pause pause;
    return forward();
  }();
  trace.add(std::move(step), output, std::move(inputs));
  return output;
}

}  // namespace

namespace detail {
struct Hooks {
  std::vector<std::pair<int64_t, ForwardHook>> all;
  int64_t next = 0;
};

std::string number(double value) { return shortest(value); }
}  // namespace detail

Tensor Module::forward(const Tensor&) { refuse_inputs(*this, "one tensor"); }
Tensor Module::forward(const Tensor&, const Tensor&) { refuse_inputs(*this, "two tensors"); }
Tensor Module::forward(const Tensor&, const Tensor&, const Tensor&) { refuse_inputs(*this, "three tensors"); }

Tensor Module::forward_then(const Tensor&, const Activation&) { return {}; }

bool Module::hooked() const { return hooks_ && !hooks_->all.empty(); }

template <class... Inputs>
Tensor Module::run(const Inputs&... inputs) {
  return named([&] {
    auto* trace = duel::detail::OpTrace::active();
    Tensor output =
        trace ? seen(*trace, *this, [&] { return forward(inputs...); }, {inputs...}) : forward(inputs...);
    if (hooks_) {
      const Tensor given[] = {inputs...};
      for (const auto& [id, hook] : std::vector(hooks_->all)) {  // a copy: a hook may remove itself
        if (Tensor other = hook(*this, given, output); other.defined()) output = std::move(other);
      }
    }
    return detail::traced(*this, std::move(output));
  });
}

/// This layer and the activation that `next` is, in one op; undefined where they are two.
Tensor Module::run_then(const Module& next, const Tensor& x) {
  const Activation f = next.activation();
  if (!f || !fuses() || hooked() || next.hooked() || detail::tracing()) return {};
  return named([&] { return forward_then(x, f); });
}

Tensor Module::run_in_turn(std::span<const std::pair<std::string, std::shared_ptr<Module>>> layers,
                           const Tensor& x) {
  Tensor y = x;
  for (size_t i = 0; i < layers.size(); ++i) {
    Module& layer = *layers[i].second;
    // An activation behind the layer, or behind reshapes: which of those comes first makes no difference.
    size_t next = i + 1;
    const auto passed_by = [&](const Module& module) { return module.only_reshapes() && !module.hooked(); };
    while (next < layers.size() && passed_by(*layers[next].second)) ++next;
    const Tensor both = next < layers.size() ? layer.run_then(*layers[next].second, y) : Tensor();
    y = both.defined() ? both : layer(y);
    if (!both.defined()) continue;
    for (++i; i < next; ++i) y = (*layers[i].second)(y);
  }
  return y;
}

/// Errors on the way say in which layer they arose.
template <class Forward>
Tensor Module::named(Forward forward) {
  try {
    return forward();
  } catch (AnyError& error) {
    const auto child = std::find_if(children_.begin(), children_.end(),
                                    [&](const auto& c) { return c.second.get() == error.layer(); });
    error.leaves_layer(this, child == children_.end() ? "" : child->first, error.layer() ? "" : describe());
    throw;
  }
}
template Tensor Module::run(const Tensor&);
template Tensor Module::run(const Tensor&, const Tensor&);
template Tensor Module::run(const Tensor&, const Tensor&, const Tensor&);

HookHandle Module::add_hook(ForwardHook hook) {
  if (!hooks_) hooks_ = std::make_shared<detail::Hooks>();
  HookHandle handle;
  handle.hooks_ = hooks_;
  handle.id_ = hooks_->next++;
  hooks_->all.emplace_back(handle.id_, std::move(hook));
  return handle;
}

void HookHandle::remove() {
  if (const auto hooks = hooks_.lock())
    std::erase_if(hooks->all, [this](const auto& h) { return h.first == id_; });
}

ScopedMode::ScopedMode(Module& module, bool training) {
  module.apply([this](Module& m) { before_.emplace_back(&m, m.training_); });
  module.train(training);
}

ScopedMode::~ScopedMode() {
  for (const auto& [module, training] : before_) module->training_ = training;
}

void Module::check_name(const std::string& name, const char* op) const {
  DUEL_CHECK(!name.empty() && name.find('.') == std::string::npos, op,
             "expected a name without dots, got \"{}\"", name);
  const auto taken = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const auto& entry) { return entry.first == name; });
  };
  DUEL_CHECK(!taken(parameters_) && !taken(buffers_) && !taken(children_), op,
             "expected a new name, this module already has \"{}\"", name);
}

Tensor Module::register_parameter(const std::string& name, Tensor tensor) {
  check_name(name, "register_parameter");
  if (!tensor.defined()) return tensor;
  tensor.set_requires_grad(true);
  mark_parameter(tensor, name);
  parameters_.emplace_back(name, tensor);
  return tensor;
}

Tensor Module::register_buffer(const std::string& name, Tensor tensor) {
  check_name(name, "register_buffer");
  if (tensor.defined()) buffers_.emplace_back(name, tensor);
  return tensor;
}

std::shared_ptr<Module> Module::register_module(const std::string& name, std::shared_ptr<Module> module) {
  check_name(name, "register_module");
  DUEL_CHECK(module, "register_module", "expected a module as \"{}\", got a null pointer", name);
  // Errors name a parameter by its path from the outermost module.
  for (const auto& [path, parameter] : module->named_parameters()) {
    const bool frozen = duel::detail::is_frozen(parameter);
    Tensor handle = parameter;
    if (frozen) handle.set_requires_grad(true);
    mark_parameter(handle, name + "." + path);
    if (frozen) handle.set_requires_grad(false);
  }
  children_.emplace_back(name, module);
  return module;
}

void Module::collect(const std::string& prefix, bool parameters, bool buffers, StateDict& into) const {
  if (parameters) {
    for (const auto& [name, tensor] : parameters_) into.emplace_back(prefix + name, tensor);
  }
  if (buffers) {
    for (const auto& [name, tensor] : buffers_) into.emplace_back(prefix + name, tensor);
  }
  for (const auto& [name, child] : children_) child->collect(prefix + name + ".", parameters, buffers, into);
}

StateDict Module::named_parameters() const {
  StateDict all;
  collect("", true, false, all);
  return unique(std::move(all));
}

StateDict Module::named_buffers() const {
  StateDict all;
  collect("", false, true, all);
  return unique(std::move(all));
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> all;
  for (auto& [name, tensor] : named_parameters()) all.push_back(tensor);
  return all;
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (const Tensor& parameter : parameters()) count += parameter.numel();
  return count;
}

std::vector<std::shared_ptr<Module>> Module::children() const {
  std::vector<std::shared_ptr<Module>> all;
  for (const auto& [name, child] : children_) all.push_back(child);
  return all;
}

void Module::visit(const std::string& name, std::vector<std::pair<std::string, Module*>>& into) {
  if (std::any_of(into.begin(), into.end(), [this](const auto& seen) { return seen.second == this; })) return;
  into.emplace_back(name, this);
  for (const auto& [child_name, child] : children_)
    child->visit(name.empty() ? child_name : name + "." + child_name, into);
}

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> all;
  visit("", all);
  return all;
}

std::vector<Module*> Module::modules() {
  std::vector<Module*> all;
  for (const auto& [name, module] : named_modules()) all.push_back(module);
  return all;
}

void Module::apply(const std::function<void(Module&)>& f) {
  for (const auto& [name, child] : children_) child->apply(f);
  f(*this);
}

void Module::train(bool on) {
  training_ = on;
  for (const auto& [name, child] : children_) child->train(on);
}

void Module::set_requires_grad(bool on) {
  for (Tensor& parameter : parameters()) parameter.set_requires_grad(on);
}

void Module::zero_grad() {
  for (Tensor& parameter : parameters()) parameter.zero_grad();
}

StateDict Module::state_dict() const {
  StateDict all;
  collect("", true, true, all);
  for (auto& [name, tensor] : all) tensor = tensor.detach();
  return all;
}

Module::LoadReport Module::load_state_dict(const StateDict& state, bool strict) {
  StateDict mine;
  collect("", true, true, mine);
  std::unordered_map<std::string, Tensor> given;
  std::unordered_set<std::string> known;
  LoadReport report;
  std::string repeated, wrong, missing, unexpected;
  for (const auto& [name, tensor] : state) {
    DUEL_CHECK(tensor.defined(), "load_state_dict", "expected a tensor for \"{}\", got an undefined one",
               name);
    if (!given.emplace(name, tensor).second) append(repeated, name);
  }
  for (const auto& [name, target] : mine) {
    known.insert(name);
    const auto found = given.find(name);
    if (found == given.end()) {
      report.missing.push_back(name);
      append(missing, name);
      continue;
    }
    const Tensor& source = found->second;
    const bool convertible =
        source.dtype() == target.dtype() || (is_floating(source.dtype()) && is_floating(target.dtype()));
    if (source.shape() != target.shape() || !convertible) {
      append(wrong, message("{} is {} here and {} in the state", name, to_text(target), to_text(source)));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (known.contains(name)) continue;
    report.unexpected.push_back(name);
    append(unexpected, name);
  }
  std::string problems;
  const auto tell = [&](const char* what, const std::string& list) {
    if (!list.empty()) problems += (problems.empty() ? "" : "; ") + std::string(what) + ": " + list;
  };
  if (strict) tell("missing", missing);
  if (strict) tell("unexpected", unexpected);
  tell("wrong", wrong);
  tell("repeated", repeated);
  DUEL_CHECK(problems.empty(), "load_state_dict", "the state does not fit this module; {}", problems);

  NoGrad no_grad;
  for (const auto& [name, target] : mine) {
    const auto found = given.find(name);
    if (found != given.end()) target.copy_(found->second);
  }
  return report;
}

void Module::to(DType dtype) {
  DUEL_CHECK(is_floating(dtype), "to", "expected a floating dtype for a module, got {}", to_text(dtype));
  StateDict all;
  collect("", true, true, all);
  for (const auto& [name, tensor] : all) {
    if (!is_floating(tensor.dtype()) || tensor.dtype() == dtype) continue;
    duel::detail::move_to_storage(tensor, Tensor::empty(tensor.shape(), {dtype, tensor.device()}), 0);
  }
}

void Module::to(Device device) {
  DUEL_CHECK(is_available(device), "to", "{} is not available: {}", device, why_unavailable(device));
  StateDict all;
  collect("", true, true, all);
  for (const auto& [name, tensor] : all) {
    if (tensor.device() == device) continue;
    duel::detail::move_to_storage(tensor, Tensor::empty(tensor.shape(), {tensor.dtype(), device}), 0);
  }
}

bool Module::mixes_samples() const {
  const BatchParts one(1);
  return children_mix_samples();
}

bool Module::children_mix_samples() const {
  return std::any_of(children_.begin(), children_.end(),
                     [](const auto& child) { return child.second->mixes_samples(); });
}

bool Module::children_second_derivative_zero() const {
  return std::all_of(children_.begin(), children_.end(),
                     [](const auto& child) { return child.second->second_derivative_zero(); });
}

std::string Module::describe_children(const std::string& type) const {
  std::string inside;
  for (const auto& [name, child] : children_) append(inside, "(" + name + "): " + child->describe());
  return type + "(" + inside + ")";
}

}  // namespace duel::nn
