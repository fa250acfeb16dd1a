// Module: the base of every layer and network. It knows its parameters, buffers and children by PyTorch's
// names, its mode (train or eval), and what a gradient penalty must know about it.
//
// A module is move-only: a copy of handles would share its parameters. clone() makes a deep copy.
//
// Note [How many tensors a module takes]
// A module overrides forward() of one, two or three tensors, whichever it takes (a label, a style, noise); the
// others refuse with a sentence. It is called as (*module)(x, style). A module that takes more, or a list, has
// a function of its own beside forward().
//
// Note [Passes come one after the other]
// A pass may change its network (batch-norm statistics, spectral norm's vectors, a generator's offset), and
// C++ does not say which operand of + it computes first. So two passes of one network stand in two
// statements:
//   Tensor on_real = d(real), on_fake = d(fake);
//
// Example, a network of one's own:
//   struct Critic : nn::Module {
//     std::shared_ptr<nn::Linear> in = register_module("in", nn::Linear(784, 256));
//     std::shared_ptr<nn::Linear> out = register_module("out", nn::Linear(256, 1));
//     Tensor forward(const Tensor& x) override { return (*out)(leaky_relu((*in)(x), 0.2)); }
//     bool second_derivative_zero() const override { return true; }   // piecewise linear: cheaper penalties
//     std::shared_ptr<nn::Module> make_like() const override { return std::make_shared<Critic>(); }   // for clone()
//   };
//
// A conditional batch norm, which takes two tensors:
//   struct ConditionalNorm : nn::Module {
//     std::shared_ptr<nn::BatchNorm2d> norm = register_module("norm", nn::BatchNorm2d(64, {.affine = false}));
//     std::shared_ptr<nn::Embedding> gain = register_module("gain", nn::Embedding(10, 64));
//     Tensor forward(const Tensor& x, const Tensor& label) override {
//       return (*norm)(x) * (*gain)(label).reshape({x.dim(0), 64, 1, 1});
//     }
//   };
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "duel/core/ops/map/activation.h"
#include "duel/core/tensor/tensor.h"

namespace duel::nn {

/// Names and tensors in order: a module's own parameters, its buffers, then its children's, as in PyTorch.
using StateDict = std::vector<std::pair<std::string, Tensor>>;

class Module;
namespace detail {
/// Shows a layer's output to the ActivationTrace of this thread, if there is one
/// (nn/module/activation_trace.h).
Tensor traced(const Module& module, Tensor output);
/// Is an ActivationTrace alive on this thread?
bool tracing();
struct Hooks;
}  // namespace detail

/// Sees a module's inputs and its output after every call of it; a defined result takes the output's place.
using ForwardHook = std::function<Tensor(Module&, std::span<const Tensor> inputs, const Tensor& output)>;

/// remove() takes the hook off its module; destruction leaves it there. May outlive the module.
class HookHandle {
 public:
  HookHandle() = default;
  void remove();

 private:
  friend class Module;
  std::weak_ptr<detail::Hooks> hooks_;
  int64_t id_ = 0;
};

class Module {
 public:
  Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  // What the module computes: see Note [How many tensors a module takes].
  virtual Tensor forward(const Tensor& x);
  virtual Tensor forward(const Tensor& x, const Tensor& y);
  virtual Tensor forward(const Tensor& x, const Tensor& y, const Tensor& z);
  /// forward() and then the activation, which a layer's op may do in one launch; undefined where this one does not. Called
  /// in place of both layers' forward() by Sequential, where nobody sees what is between them.
  virtual Tensor forward_then(const Tensor& x, const Activation& f);
  /// forward() of as many, then the hooks. An error on the way says in which layer it arose.
  Tensor operator()(const Tensor& x) { return run(x); }
  Tensor operator()(const Tensor& x, const Tensor& y) { return run(x, y); }
  Tensor operator()(const Tensor& x, const Tensor& y, const Tensor& z) { return run(x, y, z); }

  /// `hook` is called as hook(module, inputs, output) after forward(), in the order of registration. It
  /// returns nothing, or the tensor that goes on in place of the output (undefined: the output itself).
  template <std::invocable<Module&, std::span<const Tensor>, const Tensor&> Hook>
  HookHandle register_forward_hook(Hook hook) {
    using Result = std::invoke_result_t<Hook&, Module&, std::span<const Tensor>, const Tensor&>;
    if constexpr (std::is_void_v<Result>) {
      return add_hook([hook = std::move(hook)](Module& module, std::span<const Tensor> inputs,
                                               const Tensor& output) mutable {
        hook(module, inputs, output);
        return Tensor();
      });
    } else {
      return add_hook(std::move(hook));
    }
  }

  /// Every parameter once, even if two children share it: handles, so a step changes the module.
  std::vector<Tensor> parameters() const;
  StateDict named_parameters() const;
  StateDict named_buffers() const;
  /// Elements of all parameters.
  int64_t parameter_count() const;
  const std::vector<std::pair<std::string, std::shared_ptr<Module>>>& named_children() const {
    return children_;
  }
  std::vector<std::shared_ptr<Module>> children() const;
  /// This module (named "") and all below, each before its children and once, even if it has two places.
  std::vector<std::pair<std::string, Module*>> named_modules();
  std::vector<Module*> modules();
  /// Calls f on every descendant, then on this module; for custom initialisation (nn/module/init.h).
  void apply(const std::function<void(Module&)>& f);

  /// Training or evaluation mode, for this module and all below. New modules train.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

  /// false freezes every parameter here and below: gradients, optimizers and the Trainer pass over it
  /// (FreezeD: the first layers of D rest); true wakes it.
  void set_requires_grad(bool on);

  /// Forgets the gradients that backward() accumulated.
  void zero_grad();

  /// Parameters and buffers, detached, sharing storage with the module: clone() what must not change.
  StateDict state_dict() const;

  /// A deep copy: a module of the same type made by make_like(), with the same values, dtypes, devices, modes
  /// and frozen parameters in storage of its own; layers that were shared are shared. Without gradients,
  /// graphs, hooks, and what a module keeps outside its parameters, buffers and options. Draws no random
  /// numbers. nn::clone(layer) returns the layer's own type.
  std::shared_ptr<Module> clone() const;

  struct LoadReport {
    std::vector<std::string> missing, unexpected;
  };
  /// Copies values by name; floating dtypes are converted. Throws Error that names every wrong shape or
  /// dtype, every repeated key and, if strict, every missing and unexpected key; then nothing was changed.
  LoadReport load_state_dict(const StateDict& state, bool strict = true);

  /// Converts floating parameters and buffers; handles stay valid. A parameter whose dtype changes loses its
  /// gradient, and an arena or optimizer made before must be made anew.
  void to(DType dtype);
  /// Moves parameters and buffers; handles stay valid. A parameter that moves loses its gradient, and an
  /// arena or optimizer made before must be made anew. Error with the reason where the device is not
  /// available; then nothing was changed.
  void to(Device device);

  // What a per-sample penalty asks; both answers are for the current mode.

  /// Whether one sample's output depends on other samples of the batch. By default: whether a child's does. Asked under
  /// BatchParts (core/ops/reduce/normalization.h) a batch norm says no, as it keeps the parts apart; a module of one's own, which
  /// may do more with its samples than to give them to its children, still says yes, but where it overrides this by
  /// children_mix_samples().
  virtual bool mixes_samples() const;
  /// Whether forward's second derivative in its input is zero almost everywhere (linear, or piecewise
  /// linear), so that no penalty needs a second pass through the primal. By default false: that is always
  /// correct, only slower. A container that does nothing but call its children in turn may return
  /// children_second_derivative_zero().
  virtual bool second_derivative_zero() const { return false; }

  /// Whether a hook sees what this module gives.
  bool hooked() const;

  // What Sequential asks.

  /// Whether forward_then() may take forward()'s place. False in a class derived from one that says so, whose forward() may
  /// be another one: layers compare typeid(*this) with their own.
  virtual bool fuses() const { return false; }
  /// The activation that forward() is and nothing else; none where it is another one, or more, and in derived classes.
  virtual Activation activation() const { return {}; }
  /// Whether forward() gives the input's values in another shape, its first axis as it is; false in derived classes.
  virtual bool only_reshapes() const { return false; }

  /// One line like PyTorch's repr: "Linear(in_features=100, out_features=256, bias=True)".
  virtual std::string describe() const { return describe_children("Module"); }

 protected:
  /// Makes `tensor` a trained parameter and returns it; an undefined tensor (no bias) is passed through
  /// unregistered. Names: not empty, no dots, unique in this module.
  Tensor register_parameter(const std::string& name, Tensor tensor);
  /// State that is saved but not trained.
  Tensor register_buffer(const std::string& name, Tensor tensor);
  std::shared_ptr<Module> register_module(const std::string& name, std::shared_ptr<Module> module);
  /// Takes a layer by value or by shared pointer and returns it as what it is.
  template <std::derived_from<Module> Layer>
  std::shared_ptr<Layer> register_module(const std::string& name, Layer layer) {
    return register_module(name, std::make_shared<Layer>(std::move(layer)));
  }
  template <std::derived_from<Module> Layer>
  std::shared_ptr<Layer> register_module(const std::string& name, std::shared_ptr<Layer> layer) {
    register_module(name, std::shared_ptr<Module>(layer));
    return layer;
  }

  /// A new module of the same type and architecture, for clone(), which copies the values. Where it makes its
  /// children itself, one line: return std::make_shared<Critic>(hidden). By default an Error that says so.
  virtual std::shared_ptr<Module> make_like() const;
  /// make_like() of a child that was given to this module's constructor; a child with two places is made once.
  static std::shared_ptr<Module> like(const Module& child);
  template <std::derived_from<Module> Layer>
  static std::shared_ptr<Layer> like(const std::shared_ptr<Layer>& child) {
    return std::static_pointer_cast<Layer>(like(static_cast<const Module&>(*child)));
  }

  bool children_second_derivative_zero() const;
  /// For mixes_samples() of a module that gives its children samples in the order that it has them, and mixes none itself.
  bool children_mix_samples() const;
  /// Calls layers in turn; one and the activation behind it are one op where the layer has it (forward_then) and no hook or
  /// ActivationTrace is to see what is between them.
  static Tensor run_in_turn(std::span<const std::pair<std::string, std::shared_ptr<Module>>> layers,
                            const Tensor& x);
  /// "TYPE((0): …, (1): …)"
  std::string describe_children(const std::string& type) const;

 private:
  friend class ScopedMode;
  void check_name(const std::string& name, const char* op) const;
  void collect(const std::string& prefix, bool parameters, bool buffers, StateDict& into) const;
  void visit(const std::string& name, std::vector<std::pair<std::string, Module*>>& into);
  template <class... Inputs>
  Tensor run(const Inputs&... inputs);
  template <class Forward>
  Tensor named(Forward forward);
  Tensor run_then(const Module& next, const Tensor& x);
  HookHandle add_hook(ForwardHook hook);
  void take_state(const Module& from);

  StateDict parameters_, buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  std::shared_ptr<detail::Hooks> hooks_;  // null: none was ever registered
  bool training_ = true;
};

/// module.clone() as what it is.
template <std::derived_from<Module> Layer>
std::shared_ptr<Layer> clone(const Layer& module) {
  return std::static_pointer_cast<Layer>(module.clone());
}

/// While it lives the module and all below are in training or evaluation mode; then each in the mode that it
/// had.
class ScopedMode {
 public:
  ScopedMode(Module& module, bool training);
  ~ScopedMode();
  ScopedMode(const ScopedMode&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> before_;
};

/// While it lives the module is in evaluation mode.
class EvalMode : public ScopedMode {
 public:
  explicit EvalMode(Module& module) : ScopedMode(module, false) {}
};

namespace detail {
/// A number as Python prints it, nearly: 1e-05, 0.2, 2.
std::string number(double value);
inline const char* truth(bool value) { return value ? "True" : "False"; }
}  // namespace detail

}  // namespace duel::nn
