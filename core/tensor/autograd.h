// Reverse-mode differentiation of any order.
//
// grad() is the primitive. backward() accumulates detached gradients into leaves and cannot create a graph,
// so no cycle between a parameter and its gradient can exist.
//
// Example, a gradient penalty (second order):
//   Tensor x = interpolate(real, fake).detach().set_requires_grad(true);
//   Tensor g = grad({sum(critic(x))}, {x}, {}, {.create_graph = true})[0];
//   Tensor penalty = mean(square(add_scalar(sample_norm(g), -1.0)));
//   auto dw = grad({loss + penalty}, critic.parameters());    // the last bias has no part in a penalty alone: allow_unused
//
// Note [Saved tensors carry a version]
// An op that needs a tensor in its backward saves a handle and the storage's version. If the storage is
// changed in place before that backward, the engine throws an Error that names the op and the tensor: a GAN
// steps D between uses of D, and a silently wrong gradient would be the result.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel {

struct GradOptions {
  bool create_graph = false;  // record the backward itself, so that it can be differentiated again
  bool retain_graph = false;  // keep saved tensors for another walk; create_graph implies it
  bool allow_unused = false;  // an input that no output depends on gives an undefined tensor, not an Error
};

/// d(sum_k <outputs[k], grad_outputs[k]>) / d(inputs). grad_outputs may be empty when every output has one
/// element (then 1 is taken). Returns one tensor per input, of that input's shape. Inputs may be leaves or
/// intermediate results; a frozen parameter among them gives an undefined tensor, which optimizers pass over.
/// Throws Error when an output has no graph, an input is unused, or a derivative order does not exist.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs = {}, GradOptions options = {});

/// Adds d(loss)/d(leaf) into leaf.grad() of every leaf that loss depends on. `loss` has one element.
void backward(const Tensor& loss, bool retain_graph = false);

/// Whether ops record now, on this thread.
bool grad_enabled();

/// While alive, ops on this thread do not record.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;

 private:
  bool before_;
};

/// While alive, ops on this thread record (also inside NoGrad).
class EnableGrad {
 public:
  explicit EnableGrad(bool on = true);
  ~EnableGrad();
  EnableGrad(const EnableGrad&) = delete;

 private:
  bool before_;
};

/// While alive, parameters (mark_parameter) count as constants: D(G(z)) for G's step records nothing for D's
/// weights.
class NoParamGrad {
 public:
  NoParamGrad();
  ~NoParamGrad();
  NoParamGrad(const NoParamGrad&) = delete;

 private:
  bool before_;
};

/// While alive, the first op on this thread whose result holds a NaN or an infinity although its inputs are
/// finite throws an Error that names it (and the op whose backward it works for). Slow: every result is read.
class AnomalyMode {
 public:
  AnomalyMode();
  ~AnomalyMode();
  AnomalyMode(const AnomalyMode&) = delete;

 private:
  bool before_;
};

/// Marks a leaf as a parameter, with the name that errors show.
void mark_parameter(const Tensor& leaf, const std::string& name = "");

// ---- For authors of ops
// -----------------------------------------------------------------------------------------

namespace detail {
struct Slope;
struct Passing;
}  // namespace detail

/// What a backward rule sees.
class RuleContext {
 public:
  RuleContext(const std::shared_ptr<detail::Node>& node, const std::vector<char>& needs,
              detail::Passing& passing)
      : node_(node), needs_(needs), passing_(passing) {}
  /// The i-th tensor given to record() as saved, with its place in the graph.
  Tensor saved(int i) const;
  /// Whether the gradient of the i-th input is wanted; an undefined tensor may be returned otherwise.
  bool needs(int i) const { return needs_[static_cast<size_t>(i)]; }
  /// Inside core/, see internal/slope.h: the slope that the gradient of input i is to be returned multiplied with, null if
  /// as it is; who asks has to do so.
  const detail::Slope* take_slope(int i) const;
  /// Whether the gradient that came is multiplied by this node's slope already.
  bool has_slope() const;

 private:
  const std::shared_ptr<detail::Node>& node_;
  const std::vector<char>& needs_;
  detail::Passing& passing_;
};

/// From the gradient of the op's output to the gradients of its inputs. Written with differentiable ops only,
/// so that any order works. An undefined tensor means "zero". A gradient may have the output's broadcast
/// shape: the engine sums it down to the input's. `grad` is not changed in place: others may have it too.
using Rule = std::function<std::vector<Tensor>(const RuleContext&, const Tensor& grad)>;

/// The one door that every op's result passes. `op` is a string literal. `saved` is what the rule reads back
/// (inputs, the output itself, or constants). Returns `output`, recorded if an input has a graph and
/// recording is on.
Tensor record(const char* op, Tensor output, std::initializer_list<Tensor> inputs,
              std::initializer_list<Tensor> saved, Rule rule);
Tensor record(const char* op, Tensor output, std::span<const Tensor> inputs, std::span<const Tensor> saved,
              Rule rule);

/// A rule that throws "derivative of OP is not implemented at order N".
Rule not_differentiable(const char* op, int order);

/// True where gradients of this tensor would be recorded now.
bool tracked(const Tensor& tensor);

}  // namespace duel
