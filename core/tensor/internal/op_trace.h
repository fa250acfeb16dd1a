// The ops that this thread runs, in their order and with what they were told: for who writes down what a network computes
// (nn/module/program.h). record() hands every op over; an op whose result does not follow from its inputs' and its output's
// shapes says the rest just before, by DUEL_OP_SAYS. While no trace is alive an op pays for one comparison. Internal to the
// library.
//
// Example:
//   OpTrace trace;
//   Tensor y = leaky_relu(x, 0.2);
//   trace.steps()[0].op;      // "leaky_relu", with {"negative_slope", 0.2}
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "duel/core/tensor/tensor.h"

namespace duel::detail {

using Attribute = std::variant<bool, int64_t, double, std::vector<int64_t>>;
using Attributes = std::vector<std::pair<std::string, Attribute>>;

class OpTrace {
 public:
  struct Step {
    std::string op;
    Tensor output;  // kept, so that no later tensor takes its place in memory
    std::vector<Tensor> inputs;
    Attributes attributes;
  };

  OpTrace() : before_(active_) { active_ = this; }
  ~OpTrace() { active_ = before_; }
  OpTrace(const OpTrace&) = delete;
  OpTrace& operator=(const OpTrace&) = delete;

  /// The one that sees this thread's ops; null: none.
  static OpTrace* active() { return active_; }

  /// What a module's call is as one step; null or empty: the ops that it calls.
  std::function<std::string(const void* module)> as_one;

  void note(Attributes of_next) { of_next_ = std::move(of_next); }
  void add(std::string op, Tensor output, std::vector<Tensor> inputs) {
    steps_.push_back({std::move(op), std::move(output), std::move(inputs), std::move(of_next_)});
    of_next_.clear();
  }
  const std::vector<Step>& steps() const { return steps_; }

  /// While it lives nothing is seen: a layer that is one step is at work.
  class Pause {
   public:
    Pause() : paused_(active_) { active_ = nullptr; }
    ~Pause() { active_ = paused_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    OpTrace* paused_;
  };

 private:
  static inline constinit thread_local OpTrace* active_ = nullptr;
  OpTrace* before_;
  std::vector<Step> steps_;
  Attributes of_next_;
};

}  // namespace duel::detail

/// Pairs {"name", value} of the op that calls record() next on this thread, by PyTorch's names.
#define DUEL_OP_SAYS(...)                                   \
  do {                                                      \
    if (auto* trace = ::duel::detail::OpTrace::active())    \
      trace->note(::duel::detail::Attributes{__VA_ARGS__}); \
  } while (false)
