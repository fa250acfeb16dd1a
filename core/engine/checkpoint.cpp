#include "duel/core/engine/checkpoint.h"

#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "duel/core/engine/internal/partial_grad.h"
#include "duel/core/ops/reduce/normalization.h"
#include "duel/core/tensor/random.h"

namespace duel {
namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;
using detail::Node;

/// Memory that a rule of f's reads, and the version that it had.
struct Watched {
  std::weak_ptr<detail::Storage> storage;  // dead where f made it
  uint64_t version;
  const char* op;
};

/// All that a second run needs beside the inputs, which the graph keeps.
struct Call {
  Function f;
  RandomState random;
  bool constant_parameters;
  int64_t batch_parts;
  std::vector<std::vector<Tensor>> tape = {};  // what run_once() gave, in order
  std::vector<Watched> watched = {};
  std::vector<const Node*> sources = {};  // what f's value depends on; the inputs of its node keep them
  std::optional<size_t> value = {};
};

/// A run of a checkpoint's function, while it lives.
class Run {
 public:
  Run(Call& call, bool again) : call_(call), again_(again), outer_(innermost) { innermost = this; }
  ~Run() { innermost = outer_; }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  static std::vector<Tensor> once(Run* run, const std::function<std::vector<Tensor>()>& change) {
    if (run == nullptr) {
      NoGrad no_grad;
      return change();
    }
    if (!run->again_) return run->call_.tape.emplace_back(once(run->outer_, change));
    DUEL_CHECK(run->next_ < run->call_.tape.size(), "checkpoint",
               "expected the function to do what it did in the forward pass, got one more run_once()");
    return run->call_.tape[run->next_++];
  }
  static bool any_again() {
    for (const Run* run = innermost; run != nullptr; run = run->outer_) {
      if (run->again_) return true;
    }
    return false;
  }
  /// What a checkpoint within this run's function reads, it reads, too.
  static void watch(const std::vector<Watched>& more) {
    if (innermost == nullptr || innermost->again_) return;
    auto& mine = innermost->call_.watched;
    mine.insert(mine.end(), more.begin(), more.end());
  }
  static thread_local Run* innermost;

 private:
  Call& call_;
  bool again_;
  size_t next_ = 0;
  Run* outer_;
};
thread_local Run* Run::innermost = nullptr;

/// Of the bytes of a tensor that the host can read.
std::optional<size_t> fingerprint(const Tensor& tensor) {
  if (tensor.device().is_cuda()) return std::nullopt;
  return std::hash<std::string_view>{}(
      {reinterpret_cast<const char*>(tensor.impl()->data()), tensor.bytes()});
}

/// The same place in the graph, so that what f does to its handle stays its own.
Tensor handle(const Tensor& tensor) {
  if (!tensor.defined()) return {};
  Tensor own = tensor.detach();
  own.impl()->node = tensor.impl()->node;
  return own;
}

/// Goes through the graph of f's value down to what is older than `start`. Returns that.
std::vector<std::shared_ptr<Node>> explore(const Tensor& value, uint64_t start, Call& call) {
  std::vector<std::shared_ptr<Node>> order{value.impl()->node}, sources;
  std::unordered_set<const Node*> known{order[0].get()};
  for (size_t i = 0; i < order.size(); ++i) {
    const std::shared_ptr<Node> node = order[i];
    if (node->sequence < start) {
      call.sources.push_back(node.get());
      sources.push_back(node);
      continue;
    }
    for (const auto& input : node->inputs) {
      if (input && known.insert(input.get()).second) order.push_back(input);
    }
    for (const auto& saved : node->saved) {
      if (saved.data.defined() && !saved.data.same_storage(value))
        call.watched.push_back({saved.data.impl()->storage, saved.version, node->op});
    }
  }
  return sources;
}

std::vector<Tensor> backward_of(Call& call, size_t inputs, const RuleContext& ctx, const Tensor& grad) {
  const bool create_graph = grad_enabled();
  std::vector<Tensor> in;
  for (size_t i = 0; i < inputs; ++i) in.push_back(ctx.saved(static_cast<int>(i)));
  for (const Watched& watched : call.watched) {
    const auto storage = watched.storage.lock();
    DUEL_CHECK(storage == nullptr || storage->version == watched.version, "checkpoint",
               "a tensor that {} needs for backward was changed in place: it is at version {}, expected {}. "
               "Change it after the backward, or compute the forward again",
               watched.op, storage->version, watched.version);
  }
  const uint64_t start = detail::next_sequence();
  Tensor again;
  {
    EnableGrad recording;
    const detail::ConstantParameters mode(call.constant_parameters);
    const BatchParts parts(call.batch_parts);
    Generator generator;
    generator.set_state(call.random);
    const LendDefaultGenerator lent(generator);
    const Run run(call, /*again=*/true);
    again = call.f(in);
  }
  DUEL_CHECK(
      again.defined() && again.shape() == grad.shape() && again.dtype() == grad.dtype() &&
          fingerprint(again) == call.value,
      "checkpoint",
      "expected the function to compute what it computed in the forward pass, {}, got {}other values: what "
      "it reads was changed since, or it changes what it reads (then run_once() is for that)",
      to_text(grad), again.defined() && again.shape() != grad.shape() ? to_text(again) + " and " : "");
  return detail::partial_grad(
      "checkpoint", again, grad, call.sources, [&](int i) { return ctx.needs(i); }, start, create_graph);
}

}  // namespace

std::vector<Tensor> run_once(const std::function<std::vector<Tensor>()>& change) {
  return Run::once(Run::innermost, change);
}

bool recomputing() { return Run::any_again(); }

Tensor checkpoint(const Function& f, const std::vector<Tensor>& inputs) {
  if (!grad_enabled()) return f(inputs);
  auto call = std::make_shared<Call>(
      Call{f, default_generator().state(), detail::ConstantParameters::now(), BatchParts::now()});
  std::vector<Tensor> in;
  for (const Tensor& input : inputs) in.push_back(handle(input));
  // Recorded, so that every op does what it does without a checkpoint; the graph goes when f is done.
  const uint64_t start = detail::next_sequence();
  Tensor value;
  {
    const Run run(*call, /*again=*/false);
    value = f(in);
  }
  DUEL_CHECK(value.defined(), "checkpoint",
             "expected a function that returns a tensor, got an undefined one");
  if (!value.requires_grad() || value.impl()->node->sequence < start) return value;
  auto sources = explore(value, start, *call);
  Run::watch(call->watched);
  call->value = fingerprint(value);
  value = value.detach();
  detail::place_in_graph("checkpoint", value, std::move(sources), inputs,
                         [call, count = inputs.size()](const RuleContext& ctx, const Tensor& grad) {
                           return backward_of(*call, count, ctx, grad);
                         });
  value.impl()->node->undivided = true;
  return value;
}

}  // namespace duel
