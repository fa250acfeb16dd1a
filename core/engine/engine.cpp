// The backward walk: iterative, pruned to what the wanted inputs need, in one fixed order.
#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "duel/core/device/side_streams.h"
#include "duel/core/engine/internal/mutation.h"
#include "duel/core/engine/internal/partial_grad.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/internal/node.h"
#include "duel/core/tensor/internal/unit.h"

namespace duel {
namespace detail {

namespace {
thread_local const char* backward_op = nullptr;
thread_local bool keeps_graph = false;
}  // namespace
const char* current_backward_op() { return backward_op; }
bool walk_keeps_graph() { return keeps_graph; }

namespace {

/// Side streams that leaves' gradients share.
constexpr int kLeafStreams = 3;

testing::Mutation mutation;
int64_t mutated = 0;

/// While it lives, errors and AnomalyMode name this op's backward.
class WorksFor {
 public:
  explicit WorksFor(const char* op) : before_(backward_op) { backward_op = op; }
  ~WorksFor() { backward_op = before_; }
  WorksFor(const WorksFor&) = delete;
  WorksFor& operator=(const WorksFor&) = delete;

 private:
  const char* before_;
};

struct Visit {
  Tensor grad;
  bool needed = false;
  bool target = false;
  bool multiplied = false;  // grad, by the node's slope: Note [Slopes on the way]
  int gradients = 0;        // that may come from other nodes
  std::vector<Tensor> later =
      {};  // of a leaf, where all leaves' gradients are added up at the end of the walk
};

/// Whether nobody else sees what is written to the tensor.
bool held_alone(const Tensor& tensor) {
  return tensor.impl().use_count() == 1 && tensor.impl()->storage.use_count() == 1;
}

using Nodes = std::unordered_set<const Node*>;

class Walk {
 public:
  /// What `ends` were made from is not walked, and their hooks are not called.
  Walk(const std::vector<Tensor>& outputs, bool create_graph, bool keep, Nodes ends = {})
      : ends_(std::move(ends)), create_graph_(create_graph), keep_(keep) {
    for (const Tensor& output : outputs) {
      if (visits_.try_emplace(output.impl()->node.get()).second) order_.push_back(output.impl()->node);
    }
    for (size_t i = 0; i < order_.size(); ++i) {
      // A freed node has forgotten its inputs, so that whatever lies behind it would look unused.
      DUEL_CHECK(!order_[i]->released, "grad",
                 "the graph of {} was freed by an earlier walk: pass retain_graph to that walk",
                 order_[i]->op);
      if (ends_.contains(order_[i].get())) continue;
      for (const auto& input : order_[i]->inputs) {
        if (input && visits_.try_emplace(input.get()).second) order_.push_back(input);
      }
    }
    // Later ops first; an op's inputs always have smaller sequences.
    std::sort(order_.begin(), order_.end(),
              [](const auto& a, const auto& b) { return a->sequence > b->sequence; });
  }

  const std::vector<std::shared_ptr<Node>>& nodes() const { return order_; }
  Visit* find(const Node* node) {
    const auto found = visits_.find(node);
    return found == visits_.end() ? nullptr : &found->second;
  }

  void accumulate(Visit& visit, Tensor grad, bool of_leaf = false) {
    if (!visit.grad.defined()) {
      visit.grad = std::move(grad);
    } else if (lanes_ && of_leaf) {
      visit.later.push_back(std::move(grad));
    } else if (!create_graph_ && !lanes_ && held_alone(visit.grad)) {
      add_in_place(visit.grad, grad);
    } else {
      visit.grad = add(visit.grad, grad);
    }
  }

  void run() {
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
      Visit& visit = visits_.at(it->get());
      visit.needed = visit.target;
      if (ends_.contains(it->get())) continue;
      for (const auto& input : (*it)->inputs) visit.needed |= input && visits_.at(input.get()).needed;
    }
    for (const auto& node : order_) {
      if (!visits_.at(node.get()).needed || ends_.contains(node.get())) continue;
      for (const auto& input : node->inputs) {
        if (input) ++visits_.at(input.get()).gradients;
      }
    }
    EnableGrad mode(create_graph_);
    struct Keeps {
      explicit Keeps(bool now) : before(std::exchange(keeps_graph, now)) {}
      ~Keeps() { keeps_graph = before; }
      bool before;
    } keeps(keep_);
    // A hook is called when all lanes' work for its tensor is done, and a rule that walks may open lanes itself:
    // then there is one lane.
    bool one_lane = false;
    for (const auto& node : order_) one_lane |= !node->hooks.empty() || node->undivided;
    const Device device = order_.empty() ? Device{} : order_.front()->device;
    if (parallel_leaf_gradients() && !create_graph_ && !one_lane && device.is_cuda()) lanes_.emplace(device);
    for (const auto& node : order_) step(node);
    if (!lanes_) return;
    lanes_->join();
    add_up_leaves();
  }

 private:
  void step(const std::shared_ptr<Node>& node) {
    Visit& visit = visits_.at(node.get());
    if (!visit.needed || !visit.grad.defined() || ends_.contains(node.get())) return;
    call_hooks(*node, visit.grad);
    if (node->is_leaf()) return;
    std::vector<char> needs(node->inputs.size());
    bool any = false;
    for (size_t i = 0; i < needs.size(); ++i) {
      needs[i] = node->inputs[i] && visits_.at(node->inputs[i].get()).needed;
      any |= needs[i] != 0;
    }
    if (any) {
      const WorksFor now(node->op);
      Tensor grad = visit.grad;
      if (!visit.target) visit.grad = {};
      if (!lanes_ || node->one_pass)
        apply(node, std::move(grad), needs);
      else
        apply_in_lanes(node, grad, needs);
    }
    if (!keep_) {
      node->released = true;
      node->release();
    }
  }

  /// What was put off: the first gradients of all leaves get the second ones in one launch, then the third ones, …
  void add_up_leaves() {
    bool more = true;
    for (size_t round = 0; more; ++round) {
      more = false;
      std::vector<std::pair<Tensor, Tensor>> pairs;
      for (const auto& node : order_) {
        Visit& visit = visits_.at(node.get());
        if (round >= visit.later.size()) continue;
        more = true;
        if (held_alone(visit.grad)) {
          pairs.emplace_back(visit.grad, visit.later[round]);
        } else {
          visit.grad = add(visit.grad, visit.later[round]);
        }
      }
      if (!pairs.empty()) add_each(pairs);
    }
  }

  static void call_hooks(const Node& node, Tensor& grad) {
    const auto hooks = node.hooks;  // a hook may remove itself
    for (const auto& [number, hook] : hooks) {
      grad = own_copy(grad);
      const Tensor changed = hook(grad);
      if (!changed.defined()) continue;
      DUEL_CHECK(
          changed.shape() == node.shape && changed.dtype() == node.dtype && changed.device() == node.device,
          node.op, "its hook {} gave a gradient of {} on {} for {} {} on {}", number, to_text(changed),
          changed.device(), to_text(node.dtype), node.shape, node.device);
      grad = changed;
    }
  }

  /// The slope that a gradient of `node` is multiplied with next, if that is all that becomes of it.
  Slope slope_ahead(std::shared_ptr<Node> node) const {
    const Shape shape = node->shape;
    for (;; node = node->inputs.front()) {
      const Visit& visit = visits_.at(node.get());
      if (visit.target || visit.gradients != 1 || visit.grad.defined() || !node->hooks.empty() ||
          ends_.contains(node.get()))
        return {};
      if (!node->reshapes) break;
    }
    if (!node->slope || (create_graph_ && !node->slope.second_is_zero())) return {};
    return {node->slope, view(saved_of(node, node->slope_at), shape, 0)};
  }

  std::vector<Tensor> gradients_of(const std::shared_ptr<Node>& node, Tensor grad,
                                   const std::vector<char>& needs) {
    Passing passing;
    passing.arrived = visits_.at(node.get()).multiplied;
    passing.offered.resize(needs.size());
    passing.taken.resize(needs.size());
    for (size_t i = 0; i < needs.size(); ++i) {
      if (needs[i]) passing.offered[i] = slope_ahead(node->inputs[i]);
    }
    std::vector<Tensor> grads = node->rule(RuleContext(node, needs, passing), grad);
    grad = {};
    for (size_t i = 0; i < needs.size(); ++i) {
      if (passing.taken[i] || (node->reshapes && passing.arrived)) {
        visits_.at(node->inputs[i].get()).multiplied = true;
      }
    }
    if (!mutation.op.empty() && mutation.op == node->op) mutate(grads);
    DUEL_CHECK(
        grads.size() == node->inputs.size(), node->op,
        "its rule gave {} gradients for {} inputs: one is expected for each, undefined where it is zero",
        grads.size(), node->inputs.size());
    for (size_t i = 0; i < grads.size(); ++i) {
      if (needs[i] && grads[i].defined())
        grads[i] = fitted(node->op, *node->inputs[i], std::move(grads[i]));
      else
        grads[i] = {};
    }
    return grads;
  }

  void apply(const std::shared_ptr<Node>& node, Tensor grad, const std::vector<char>& needs) {
    std::vector<Tensor> grads = gradients_of(node, std::move(grad), needs);
    for (size_t i = 0; i < grads.size(); ++i) {
      if (grads[i].defined()) {
        accumulate(visits_.at(node->inputs[i].get()), std::move(grads[i]), node->inputs[i]->is_leaf());
      }
    }
  }

  // Gradients of leaves are made in the lanes in turn, and added up when all have joined.
  void apply_in_lanes(const std::shared_ptr<Node>& node, const Tensor& grad, const std::vector<char>& needs) {
    std::vector<char> chain = needs;
    std::vector<const Node*> done;
    const auto leaf = [&](size_t i) { return needs[i] && node->inputs[i]->is_leaf(); };
    // Weight and bias of one launch go to one lane where both are leaves, else on with the chain.
    const auto partner = [&](size_t i) {
      const auto from = static_cast<size_t>(node->pairs_from);
      if (node->pairs_from < 0 || i < from) return i;
      const size_t other = (i - from) % 2 == 0 ? i + 1 : i - 1;
      return other < needs.size() && needs[other] ? other : i;
    };
    for (size_t i = 0; i < needs.size(); ++i) {
      if (!leaf(i) || !leaf(partner(i))) continue;
      chain[i] = 0;
      const Node* first = node->inputs[i].get();
      if (std::find(done.begin(), done.end(), first) != done.end()) continue;
      std::vector<char> only(needs.size());
      for (size_t k = i; k < needs.size(); ++k) {
        const Node* other = node->inputs[k].get();
        only[k] = needs[k] && (other == first || other == node->inputs[partner(i)].get());
        if (only[k]) done.push_back(node->inputs[k].get());
      }
      lanes_->fork();
      lanes_->run(next_lane_++ % kLeafStreams, [&] { apply(node, grad, only); });
    }
    if (std::any_of(chain.begin(), chain.end(), [](char needed) { return needed != 0; }))
      apply(node, grad, chain);
  }

  /// Whether `to` broadcasts to `from`.
  static bool sums_to(const Shape& from, const Shape& to) {
    if (to.rank() > from.rank()) return false;
    for (int back = 1; back <= to.rank(); ++back) {
      if (to[-back] != from[-back] && to[-back] != 1) return false;
    }
    return true;
  }

  static Tensor fitted(const char* op, const Node& input, Tensor grad) {
    DUEL_CHECK(grad.dtype() == input.dtype && grad.device() == input.device, op,
               "its rule gave a gradient of {} on {} for an input of {} {} on {}", to_text(grad),
               grad.device(), to_text(input.dtype), input.shape, input.device);
    if (grad.shape() == input.shape) return grad;
    DUEL_CHECK(sums_to(grad.shape(), input.shape), op, "its rule gave a gradient of {} for an input of {} {}",
               to_text(grad), to_text(input.dtype), input.shape);
    return sum_to(grad, input.shape);
  }

  static void mutate(std::vector<Tensor>& grads) {
    const auto i = static_cast<size_t>(mutation.input);
    if (i >= grads.size() || !grads[i].defined()) return;
    ++mutated;
    grads[i] = mutation.factor == 0.0 ? Tensor() : mul_scalar(grads[i], mutation.factor);
  }

  std::unordered_map<const Node*, Visit> visits_;
  std::vector<std::shared_ptr<Node>> order_;
  int next_lane_ = 0;
  std::optional<SideStreams> lanes_;
  Nodes ends_;
  bool create_graph_, keep_;
};

void seed(Walk& walk, const std::vector<Tensor>& outputs, const std::vector<Tensor>& grad_outputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor start = i < grad_outputs.size() ? grad_outputs[i] : Tensor();
    if (start.defined()) {
      DUEL_CHECK(start.shape() == outputs[i].shape() && start.dtype() == outputs[i].dtype(), "grad",
                 "expected grad_outputs[{}] of {}, got {}", i, to_text(outputs[i]), to_text(start));
      check_same_device("grad", outputs[i], start);
    } else {
      DUEL_CHECK(outputs[i].numel() == 1, "grad",
                 "output {} has shape {}: pass grad_outputs, only an output of one element needs none", i,
                 outputs[i].shape());
      start = unit(outputs[i].shape(), outputs[i].options());
    }
    walk.accumulate(*walk.find(outputs[i].impl()->node.get()), start);
  }
}

void check_outputs(const std::vector<Tensor>& outputs) {
  DUEL_CHECK(!outputs.empty(), "grad", "expected at least one output");
  for (const Tensor& output : outputs) {
    DUEL_CHECK(output.defined() && output.impl()->node, "grad",
               "an output does not depend on anything that requires grad (was it computed under NoGrad or "
               "detached, or is it a gradient that grad() took without create_graph?)");
  }
}

}  // namespace

std::vector<Tensor> partial_grad(const char* op, const Tensor& output, const Tensor& grad_output,
                                 const std::vector<const Node*>& inputs,
                                 const std::function<bool(int)>& wanted, uint64_t start, bool create_graph) {
  std::vector<Tensor> results(inputs.size());
  if (!output.requires_grad()) return results;
  Walk walk({output}, create_graph, create_graph, Nodes(inputs.begin(), inputs.end()));
  for (const auto& node : walk.nodes()) {
    DUEL_CHECK(
        node->sequence > start || std::find(inputs.begin(), inputs.end(), node.get()) != inputs.end(), op,
        "expected the function to depend on what it depended on in the forward pass, got a {}{} of {} {} "
        "besides",
        node->op, node->name.empty() ? "" : " (" + node->name + ")", to_text(node->dtype), node->shape);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    Visit* visit = walk.find(inputs[i]);
    if (visit != nullptr) visit->target = wanted(static_cast<int>(i));
  }
  seed(walk, {output}, {grad_output});
  walk.run();
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Visit* visit = walk.find(inputs[i]);
    if (visit != nullptr && visit->target) results[i] = visit->grad;
  }
  return results;
}

}  // namespace detail

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& grad_outputs, GradOptions options) {
  // Of what is wholly frozen (a D that stays as it is) the outputs may have no graph at all.
  if (!inputs.empty() && std::all_of(inputs.begin(), inputs.end(), detail::is_frozen))
    return std::vector<Tensor>(inputs.size());
  detail::check_outputs(outputs);
  detail::Walk walk(outputs, options.create_graph, options.create_graph || options.retain_graph);
  for (const Tensor& input : inputs) {
    if (detail::is_frozen(input)) continue;
    DUEL_CHECK(input.defined() && input.impl()->node, "grad", "expected inputs that require grad, got {}",
               input.defined() ? to_text(input) + " that does not" : std::string("an undefined tensor"));
    if (auto* visit = walk.find(input.impl()->node.get())) visit->target = true;
  }
  detail::seed(walk, outputs, grad_outputs);
  walk.run();
  std::vector<Tensor> results;
  results.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (detail::is_frozen(inputs[i])) {
      results.emplace_back();
      continue;
    }
    auto* visit = walk.find(inputs[i].impl()->node.get());
    Tensor result = visit ? visit->grad : Tensor();
    DUEL_CHECK(result.defined() || options.allow_unused, "grad",
               "no output depends on input {}{}: set allow_unused for an undefined tensor instead", i,
               inputs[i].impl()->node->name.empty() ? "" : " (" + inputs[i].impl()->node->name + ")");
    results.push_back(detail::own_copy(result));
  }
  return results;
}

void backward(const Tensor& loss, bool retain_graph) {
  detail::check_outputs({loss});
  detail::Walk walk({loss}, false, retain_graph);
  for (const auto& node : walk.nodes()) {
    if (node->is_leaf() || node->retains_grad) walk.find(node.get())->target = true;
  }
  detail::seed(walk, {loss}, {});
  walk.run();
  NoGrad no_grad;
  for (const auto& node : walk.nodes()) {
    if (!node->is_leaf() && !node->retains_grad) continue;
    const Tensor& fresh = walk.find(node.get())->grad;
    if (!fresh.defined()) continue;
    node->grad = node->grad.defined() ? add(node->grad, fresh) : detail::own_copy(fresh).detach();
  }
}

namespace testing {
void set_mutation(const Mutation& mutation) {
  detail::mutation = mutation;
  detail::mutated = 0;
}
int64_t mutations_applied() { return detail::mutated; }
}  // namespace testing

}  // namespace duel
