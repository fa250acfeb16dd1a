// Recording: the thread-local modes, record(), nodes and their saved tensors.
#include <algorithm>
#include <atomic>
#include <optional>

#include "duel/core/ops/reduce/reduction.h"
#include "duel/core/tensor/internal/node.h"
#include "duel/core/tensor/internal/op_trace.h"

namespace duel {
namespace detail {

uint64_t next_sequence() {
  static std::atomic<uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed) + 1;
}

namespace {
// A long chain of nodes must not be destroyed by recursion: the first destructor drains all that follow.
thread_local std::vector<std::shared_ptr<Node>>* drain = nullptr;
}  // namespace

void Node::release() {
  std::vector<std::shared_ptr<Node>> mine;
  auto* sink = drain ? drain : &mine;
  for (auto& input : inputs) {
    if (input) sink->push_back(std::move(input));
  }
  for (auto& tensor : saved) {
    if (tensor.node) sink->push_back(std::move(tensor.node));
  }
  inputs.clear();
  saved.clear();
  rule = nullptr;
  if (drain) return;
  drain = &mine;
  while (!mine.empty()) {
    const std::shared_ptr<Node> last = std::move(mine.back());
    mine.pop_back();
  }
  drain = nullptr;
}

Node::~Node() { release(); }

}  // namespace detail

namespace {

thread_local bool grad_mode = true;
thread_local bool no_param_grad_mode = false;
thread_local bool anomaly_mode = false;

std::optional<int64_t> first_not_finite(const Tensor& tensor) {
  return tensor.defined() && is_floating(tensor.dtype()) ? first_nonfinite(tensor) : std::nullopt;
}

void check_finite(const char* op, const Tensor& output, std::span<const Tensor> inputs) {
  const auto index = first_not_finite(output);
  if (!index) return;
  std::string shapes;
  for (const Tensor& input : inputs) {
    if (first_not_finite(input)) return;  // this op only passed it on
    shapes += (shapes.empty() ? "" : ", ") + to_text(input);
  }
  fail("anomaly",
       "{} made the first NaN or infinity, at flat index {} of its result {}; its inputs ({}) are finite{}",
       op, *index, to_text(output), shapes,
       detail::current_backward_op()
           ? message("; it works for the backward of {}", detail::current_backward_op())
           : std::string());
}

}  // namespace

namespace detail {

ConstantParameters::ConstantParameters(bool on) : before_(no_param_grad_mode) { no_param_grad_mode = on; }
ConstantParameters::~ConstantParameters() { no_param_grad_mode = before_; }
bool ConstantParameters::now() { return no_param_grad_mode; }

void place_in_graph(const char* op, const Tensor& output, std::vector<std::shared_ptr<Node>> inputs,
                    std::span<const Tensor> saved, Rule rule) {
  auto node = std::make_shared<Node>();
  node->op = op;
  node->sequence = next_sequence();
  node->shape = output.shape();
  node->dtype = output.dtype();
  node->device = output.device();
  node->inputs = std::move(inputs);
  node->saved.reserve(saved.size());
  for (const Tensor& tensor : saved) {
    SavedTensor& kept = node->saved.emplace_back();
    if (!tensor.defined()) continue;
    kept.is_output = tensor.impl() == output.impl();
    if (!kept.is_output && tracked(tensor)) kept.node = tensor.impl()->node;
    kept.data = tensor.detach();
    kept.version = tensor.version();
  }
  node->rule = std::move(rule);
  output.impl()->node = std::move(node);
}

}  // namespace detail

bool grad_enabled() { return grad_mode; }

NoGrad::NoGrad() : before_(grad_mode) { grad_mode = false; }
NoGrad::~NoGrad() { grad_mode = before_; }
EnableGrad::EnableGrad(bool on) : before_(grad_mode) { grad_mode = on; }
EnableGrad::~EnableGrad() { grad_mode = before_; }
NoParamGrad::NoParamGrad() : before_(no_param_grad_mode) { no_param_grad_mode = true; }
NoParamGrad::~NoParamGrad() { no_param_grad_mode = before_; }
AnomalyMode::AnomalyMode() : before_(anomaly_mode) { anomaly_mode = true; }
AnomalyMode::~AnomalyMode() { anomaly_mode = before_; }

bool tracked(const Tensor& tensor) {
  if (!grad_mode || !tensor.defined()) return false;
  const auto& node = tensor.impl()->node;
  return node && !(no_param_grad_mode && node->is_parameter);
}

void mark_parameter(const Tensor& leaf, const std::string& name) {
  DUEL_CHECK(leaf.requires_grad() && leaf.is_leaf(), "mark_parameter", "expected a leaf that requires grad");
  leaf.impl()->parameter = std::make_shared<const std::string>(name);
  leaf.impl()->node->is_parameter = true;
  leaf.impl()->node->name = name;
}

Tensor record(const char* op, Tensor output, std::initializer_list<Tensor> inputs,
              std::initializer_list<Tensor> saved, Rule rule) {
  return record(op, std::move(output), std::span(inputs.begin(), inputs.size()),
                std::span(saved.begin(), saved.size()), std::move(rule));
}

Tensor record(const char* op, Tensor output, std::span<const Tensor> inputs, std::span<const Tensor> saved,
              Rule rule) {
  if (anomaly_mode) check_finite(op, output, inputs);
  if (auto* trace = detail::OpTrace::active()) trace->add(op, output, {inputs.begin(), inputs.end()});
  if (std::none_of(inputs.begin(), inputs.end(), tracked)) return output;
  std::vector<std::shared_ptr<detail::Node>> nodes;
  nodes.reserve(inputs.size());
  for (const Tensor& input : inputs) nodes.push_back(tracked(input) ? input.impl()->node : nullptr);
  detail::place_in_graph(op, output, std::move(nodes), saved, std::move(rule));
  return output;
}

Tensor RuleContext::saved(int i) const { return detail::saved_of(node_, i); }

bool RuleContext::has_slope() const { return passing_.arrived; }

const detail::Slope* RuleContext::take_slope(int i) const {
  const auto at = static_cast<size_t>(i);
  if (!passing_.offered[at].f) return nullptr;
  passing_.taken[at] = 1;
  return &passing_.offered[at];
}

Tensor detail::saved_of(const std::shared_ptr<Node>& node, int i) {
  DUEL_CHECK(i >= 0 && i < static_cast<int>(node->saved.size()), node->op,
             "its rule asks for saved tensor {}, but record() was given {}", i, node->saved.size());
  const SavedTensor& kept = node->saved[static_cast<size_t>(i)];
  if (!kept.data.defined()) return {};
  if (kept.data.version() != kept.version) {
    const std::string name =
        kept.node && !kept.node->name.empty() ? " (" + kept.node->name + ")" : std::string();
    fail(node->op,
         "a tensor saved for backward was changed in place: saved tensor {}{}, {}, is at version {}, "
         "expected {}. Change it after the backward, or compute the forward again",
         i, name, to_text(kept.data), kept.data.version(), kept.version);
  }
  Tensor tensor = kept.data.detach();  // a handle of its own, so that the graph's place can be set
  if (kept.is_output) {
    tensor.impl()->node = node;
  } else {
    tensor.impl()->node = kept.node;
  }
  return tensor;
}

Rule not_differentiable(const char* op, int order) {
  return [op, order](const RuleContext&, const Tensor&) -> std::vector<Tensor> {
    fail(op, "derivative of {} is not implemented at order {}", op, order);
  };
}

}  // namespace duel
