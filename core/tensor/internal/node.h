// A node of the autograd graph. Internal to core/.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/slope.h"
#include "duel/core/tensor/internal/tensor_impl.h"

namespace duel::detail {

/// A tensor kept for backward: its data, its place in the graph, and the version it had.
struct SavedTensor {
  Tensor data;                 // detached
  std::shared_ptr<Node> node;  // null for constants and for the output (that would be a cycle)
  bool is_output = false;
  uint64_t version = 0;
};

/// Made by an op, or the leaf node of a tensor that gradients are wanted for (no rule, no inputs).
struct Node {
  ~Node();
  /// Frees what only backward needs.
  void release();
  bool is_leaf() const { return leaf; }

  const char* op = "leaf";
  bool leaf = false;
  bool released = false;
  bool is_parameter = false;
  bool undivided = false;  // its rule is called once, for all inputs: it walks a graph of its own
  // Its rule makes all gradients in one pass: called for one leaf at a time it would repeat it.
  bool one_pass = false;
  // Inputs from there on are weight, bias, weight, …; a pair's gradients are one launch.
  int pairs_from = -1;
  // Its one input in another shape.
  bool reshapes = false;
  // Its rule multiplies the gradient that comes by this one's slope at saved[slope_at]: Note [Slopes on the way].
  kernels::Activation slope;
  int slope_at = 0;
  std::string name;  // parameters
  uint64_t sequence = 0;
  Shape shape;
  DType dtype = DType::f32;
  Device device;
  std::vector<std::shared_ptr<Node>> inputs;  // null where no gradient flows
  std::vector<SavedTensor> saved;
  Rule rule;
  Tensor grad;  // what backward() accumulated: in leaves, and in results whose gradient is retained
  bool retains_grad = false;
  std::vector<std::pair<unsigned, Tensor::Hook>> hooks;  // by number
};

/// What rules and the engine tell each other about slopes, in one call of a rule.
struct Passing {
  bool arrived = false;        // the gradient that came is multiplied
  std::vector<Slope> offered;  // for each input
  std::vector<char> taken;
};

/// The i-th saved tensor of a node, with its place in the graph; Error where it was changed since.
Tensor saved_of(const std::shared_ptr<Node>& node, int i);

/// Says of the node that made `recorded`, if there is one, that its rule multiplies by f'(its i-th saved tensor).
inline Tensor with_slope(Tensor recorded, const kernels::Activation& f, int i) {
  if (recorded.impl()->node) recorded.impl()->node->slope = f, recorded.impl()->node->slope_at = i;
  return recorded;
}

/// Follows every op of the process, so that a larger sequence is never an input of a smaller one.
uint64_t next_sequence();

/// Makes `output` the result of a new node from these inputs, null where no gradient flows: record() for who knows
/// nodes only.
void place_in_graph(const char* op, const Tensor& output, std::vector<std::shared_ptr<Node>> inputs,
                    std::span<const Tensor> saved, Rule rule);

/// While it lives, parameters count as constants (NoParamGrad), or do not.
class ConstantParameters {
 public:
  explicit ConstantParameters(bool on);
  ~ConstantParameters();
  ConstantParameters(const ConstantParameters&) = delete;
  ConstantParameters& operator=(const ConstantParameters&) = delete;
  static bool now();

 private:
  bool before_;
};

/// The op whose backward rule runs on this thread now; null outside a walk.
const char* current_backward_op();

}  // namespace duel::detail
