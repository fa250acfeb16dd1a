#include "duel/core/engine/gradcheck.h"

#include <cmath>
#include <cstring>
#include <unordered_set>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/internal/node.h"
#include "duel/core/tensor/internal/tensor_impl.h"

namespace duel {
namespace {

/// Uniform in [0.5, 1.5] with a random sign: no cotangent is near zero.
class Cotangents {
 public:
  explicit Cotangents(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull + 1) {}
  Tensor like(const Tensor& tensor) {
    std::vector<double> values(static_cast<size_t>(tensor.numel()));
    for (double& value : values) {
      state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
      const double unit = static_cast<double>(state_ >> 11) * 0x1p-53;
      value = unit < 0.5 ? -(0.5 + 2 * unit) : 2 * unit - 0.5;
    }
    return Tensor::from(values, tensor.shape(), tensor.device());
  }

 private:
  uint64_t state_;
};

Tensor leaf_copy(const Tensor& tensor) {
  Tensor copy = tensor.detach().clone();
  if (tensor.requires_grad()) copy.set_requires_grad(true);
  return copy;
}

struct Problem {
  TensorFunction f;
  std::vector<Tensor> inputs;  // own leaves
  std::vector<Tensor> wanted;
  std::vector<size_t> wanted_index;

  Problem(TensorFunction function, const std::vector<Tensor>& given) : f(std::move(function)) {
    for (const Tensor& tensor : given) {
      inputs.push_back(leaf_copy(tensor));
      if (!tensor.requires_grad()) continue;
      DUEL_CHECK(tensor.dtype() == DType::f64, "gradcheck", "expected f64 inputs, got {}", to_text(tensor));
      wanted.push_back(inputs.back());
      wanted_index.push_back(inputs.size() - 1);
    }
    DUEL_CHECK(!wanted.empty(), "gradcheck", "expected at least one input that requires grad");
  }
};

double weighted_value(const Problem& problem, const Tensor& v) {
  NoGrad no_grad;
  return sum(mul(problem.f(problem.inputs), v)).item();
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  return std::memcmp(detail::on_cpu(a).raw(), detail::on_cpu(b).raw(), a.bytes()) == 0;
}

std::vector<Tensor> analytic(const Problem& problem, const Tensor& v) {
  const Tensor y = problem.f(problem.inputs);
  return grad({y}, problem.wanted, {v}, {.allow_unused = true});
}

/// Whether the graph of y leads to one of `wanted`. (A gradient says less: that of x^0 is undefined, its
/// rule's zero.)
bool depends_on_one(const Tensor& y, const std::vector<Tensor>& wanted) {
  if (!y.requires_grad()) return false;
  std::unordered_set<const detail::Node*> seen;
  std::vector<const detail::Node*> open = {y.impl()->node.get()};
  while (!open.empty()) {
    const detail::Node* node = open.back();
    open.pop_back();
    if (!node || !seen.insert(node).second) continue;
    for (const Tensor& leaf : wanted) {
      if (leaf.impl()->node.get() == node) return true;
    }
    for (const auto& input : node->inputs) open.push_back(input.get());
  }
  return false;
}

GradcheckResult compare(const Problem& problem, const Tensor& v, const GradcheckOptions& options) {
  const auto gradients = analytic(problem, v);
  const auto again = analytic(problem, v);
  GradcheckResult result;
  for (size_t k = 0; k < problem.wanted.size(); ++k) {
    if (!same_bits(gradients[k], again[k])) {
      return {false, message("the gradient of input {} differs between two runs", problem.wanted_index[k]),
              INFINITY};
    }
    NoGrad no_grad;
    const Tensor& x = problem.wanted[k];
    auto values = x.to_vector<double>();
    const auto rule =
        gradients[k].defined() ? gradients[k].to_vector<double>() : std::vector<double>(values.size());
    for (int64_t i = 0; i < x.numel(); ++i) {
      double& element = values[static_cast<size_t>(i)];
      const double kept = element;
      const auto value_at = [&](double moved) {
        element = moved;
        x.copy_(Tensor::from(values, x.shape()));
        return weighted_value(problem, v);
      };
      const double above = value_at(kept + options.eps), below = value_at(kept - options.eps);
      element = kept;
      const double numeric = (above - below) / (2 * options.eps);
      const double computed = rule[static_cast<size_t>(i)];
      const double error = std::abs(computed - numeric) / (options.atol + options.rtol * std::abs(numeric));
      if (!(error <= result.worst)) {
        result.worst = std::isnan(error) ? INFINITY : error;
        result.message =
            message("input {}, element {}: expected {} by differences, the rule gave {}",
                    problem.wanted_index[k], i, std::to_string(numeric), std::to_string(computed));
      }
    }
    x.copy_(Tensor::from(values, x.shape()));
  }
  result.ok = result.worst <= 1.0;
  return result;
}

}  // namespace

GradcheckResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                          GradcheckOptions options) {
  try {
    const Problem problem(f, inputs);
    Tensor y;
    {
      NoGrad no_grad;
      y = f(problem.inputs);
    }
    if (!depends_on_one(f(problem.inputs), problem.wanted)) {
      return {false,
              "the result does not depend on any input that requires grad, so there is nothing to compare: "
              "f must compute with the tensors that it is given, which are copies, "
              "not with others that it knows (for a module's weights: nn::ScopedParameters in f, "
              "as in core/engine/gradcheck.h)",
              INFINITY};
    }
    return compare(problem, Cotangents(options.seed).like(y), options);
  } catch (const AnyError& error) {
    return {false, error.what(), INFINITY};
  }
}

GradcheckResult gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                              GradcheckOptions options) {
  try {
    const Problem first(f, inputs);
    Tensor y;
    {
      NoGrad no_grad;
      y = f(first.inputs);
    }
    Cotangents cotangents(options.seed + 1);
    Tensor v = cotangents.like(y).set_requires_grad(true);
    std::vector<Tensor> extended = first.inputs;
    extended.push_back(v);
    // All first gradients joined to one vector; an undefined one is zero and cannot be checked further.
    const auto gradient = [&first, &f](const std::vector<Tensor>& in) {
      EnableGrad recording;
      std::vector<Tensor> leaves(in.begin(), in.end() - 1), wanted;
      for (size_t i : first.wanted_index) {
        if (!leaves[i].requires_grad()) leaves[i] = leaves[i].detach().set_requires_grad(true);
        wanted.push_back(leaves[i]);
      }
      const auto gradients =
          grad({f(leaves)}, wanted, {in.back()}, {.create_graph = true, .allow_unused = true});
      std::vector<Tensor> parts;
      for (const Tensor& g : gradients) {
        if (g.defined()) parts.push_back(g.reshape({-1}));
      }
      DUEL_CHECK(!parts.empty(), "gradgradcheck", "the first gradient is undefined for every input");
      return concat(parts);
    };
    return gradcheck(gradient, extended, options);
  } catch (const AnyError& error) {
    return {false, error.what(), INFINITY};
  }
}

}  // namespace duel
