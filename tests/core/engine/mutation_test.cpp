// Negative controls: deliberately wrong backward rules, switched on one at a time, must all be caught by the
// gradient checks that guard the right ones. A mutant is (op, input, factor): the gradient of that input is
// negated, doubled, or dropped. Every op that registers samples gets all of its mutants; the list is printed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <optional>

#include "duel/core/engine/gradcheck.h"
#include "duel/core/engine/internal/mutation.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "tests/core/samples/op_registry.h"

namespace duel {
namespace {

Tensors draw(const OpSample& sample) {
  Generator random(7);
  Tensors inputs;
  for (const OpInput& spec : sample.inputs) {
    if (spec.index) {
      inputs.push_back(random.integers(spec.shape, static_cast<int64_t>(spec.high)));
      continue;
    }
    auto values = random.uniform(spec.shape, spec.low, spec.high, {DType::f64, {}}).to_vector<double>();
    for (double& v : values) {
      for (double kink : spec.kinks) {
        if (std::abs(v - kink) < spec.away) v = kink + (v < kink ? -spec.away : spec.away);
      }
    }
    inputs.push_back(Tensor::from(values, spec.shape));
    if (spec.differentiable) inputs.back().set_requires_grad(true);
  }
  return inputs;
}

/// Whether a check of the op's samples notices the mutation; unset if the mutation never came into play.
std::optional<bool> caught(const OpInfo& op, const testing::Mutation& mutation) {
  bool applied = false;
  for (const OpSample& sample : op.samples()) {
    if (sample.max_order < 1) continue;
    const Tensors inputs = draw(sample);
    if (sample.apply(inputs).numel() == 0) continue;
    testing::set_mutation(mutation);
    const bool noticed =
        !gradcheck(sample.apply, inputs) || (sample.max_order > 1 && !gradgradcheck(sample.apply, inputs));
    const bool used = testing::mutations_applied() > 0;
    testing::set_mutation({});
    applied = applied || used;
    if (used && noticed) return true;
  }
  return applied ? std::optional<bool>(false) : std::nullopt;
}

TEST(Mutation, EveryWrongRuleIsCaught) {
  const std::pair<double, const char*> kinds[] = {{-1.0, "sign"}, {2.0, "factor 2"}, {0.0, "term dropped"}};
  int mutants = 0;
  for (const OpInfo& op : registered_ops()) {
    for (int input = 0; input < 3; ++input) {
      for (const auto& [factor, kind] : kinds) {
        const auto result = caught(op, {op.name, input, factor});
        if (!result) continue;
        ++mutants;
        std::printf("mutant %3d: %s, input %d, %s: %s\n", mutants, op.name.c_str(), input, kind,
                    *result ? "caught" : "MISSED");
        EXPECT_TRUE(*result) << op.name << " input " << input << " " << kind;
      }
    }
  }
  EXPECT_GE(mutants, 30);
}

// Mutants inside a rule, which no factor on a whole gradient can imitate: a term of a sum left out, a factor
// forgotten. Each has the right value and a wrong rule.
struct WrongRule {
  const char* name;
  Tensor (*apply)(const Tensor& x);
};

using Grads = std::vector<Tensor>;

Tensor with_rule(const Tensor& value, const Tensor& x, Rule rule) {
  return record("wrong", value.detach(), {x}, {x}, std::move(rule));
}

/// (x - mean) / sqrt(var + eps) over the last axis.
Tensor normalised(const Tensor& x) {
  return (x - mean(x, {-1}, true)) / sqrt(variance(x, {-1}, true) + 1e-5);
}
Tensor deviation(const Tensor& x) { return sqrt(variance(x, {-1}, true) + 1e-5); }

const WrongRule kWrongRules[] = {
    {"softmax without the sum of g y",
     [](const Tensor& x) {
       return with_rule(softmax(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g * softmax(c.saved(0))};
       });
     }},
    {"log_softmax without softmax times sum g",
     [](const Tensor& x) {
       return with_rule(log_softmax(x), x, [](const RuleContext&, const Tensor& g) -> Grads { return {g}; });
     }},
    {"layer norm without both means",
     [](const Tensor& x) {
       return with_rule(normalised(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g / deviation(c.saved(0))};
       });
     }},
    {"layer norm without the variance's term",
     [](const Tensor& x) {
       return with_rule(normalised(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {(g - mean(g, {-1}, true)) / deviation(c.saved(0))};
       });
     }},
    {"layer norm without the mean's term",
     [](const Tensor& x) {
       return with_rule(normalised(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         const Tensor n = normalised(c.saved(0));
         return {(g - n * mean(g * n, {-1}, true)) / deviation(c.saved(0))};
       });
     }},
    {"sample norm not divided by the norm",
     [](const Tensor& x) {
       return with_rule(sample_norm(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g.reshape({-1, 1}) * c.saved(0)};
       });
     }},
    {"sample norm divided by one norm of the whole batch",
     [](const Tensor& x) {
       return with_rule(sample_norm(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g.reshape({-1, 1}) * c.saved(0) / sqrt(sum(square(c.saved(0))))};
       });
     }},
    {"sigmoid' = s",
     [](const Tensor& x) {
       return with_rule(sigmoid(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g * sigmoid(c.saved(0))};
       });
     }},
    {"tanh' = 1 - t",
     [](const Tensor& x) {
       return with_rule(tanh(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g * (1.0 - tanh(c.saved(0)))};
       });
     }},
    {"softplus' = sigmoid(-x)",
     [](const Tensor& x) {
       return with_rule(softplus(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g * sigmoid(-c.saved(0))};
       });
     }},
    {"gelu' without the density",
     [](const Tensor& x) {
       return with_rule(gelu(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         const Tensor in = c.saved(0);
         return {g * (gelu(in) / in)};
       });
     }},
    {"mean not divided by the count",
     [](const Tensor& x) {
       return with_rule(mean(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {broadcast_to(g, c.saved(0).shape())};
       });
     }},
    {"max whose gradient goes to every element",
     [](const Tensor& x) {
       return with_rule(max(x, -1), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {broadcast_to(g.reshape({-1, 1}), c.saved(0).shape())};
       });
     }},
    {"square without the factor 2",
     [](const Tensor& x) {
       return with_rule(square(x), x,
                        [](const RuleContext& c, const Tensor& g) -> Grads { return {g * c.saved(0)}; });
     }},
    {"a matrix product whose gradient is not transposed",
     [](const Tensor& x) {
       return with_rule(matmul(x, x.detach(), false, true), x,
                        [](const RuleContext& c, const Tensor& g) -> Grads {
                          return {matmul(g, c.saved(0).detach(), true, false)};
                        });
     }},
    {"cross-entropy without the labels",
     [](const Tensor& x) {
       const Tensor labels = Tensor::from<int64_t>({2, 0, 1}, {3});
       return with_rule(cross_entropy(x, labels), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g * softmax(c.saved(0)) / 3.0};
       });
     }},
};

TEST(Mutation, EveryWrongTermInsideARuleIsCaught) {
  for (const WrongRule& wrong : kWrongRules) {
    const Tensor x = Generator(5).normal({3, 4}, 0.0, 1.0, {DType::f64, {}}).set_requires_grad(true);
    const auto result = gradcheck([&](const Tensors& in) { return wrong.apply(in[0]); }, {x});
    std::printf("mutant: %s: %s\n", wrong.name, result ? "MISSED" : "caught");
    EXPECT_FALSE(result) << wrong.name;
  }
}

// Right at order 1, wrong at order 2: what detached gradients and forgotten terms of a double backward look
// like.
const WrongRule kWrongSecondOrders[] = {
    {"tanh whose derivative is detached",
     [](const Tensor& x) {
       return with_rule(tanh(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g * (1.0 - square(tanh(c.saved(0).detach())))};
       });
     }},
    {"sample norm whose norm is detached",
     [](const Tensor& x) {
       return with_rule(sample_norm(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {c.saved(0) * (g / sample_norm(c.saved(0)).detach()).reshape({-1, 1})};
       });
     }},
    {"layer norm whose statistics are detached",
     [](const Tensor& x) {
       return with_rule(normalised(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         const Tensor in = c.saved(0), s = deviation(in).detach(), n = ((in - mean(in, {-1}, true)) / s);
         return {(g - mean(g, {-1}, true) - n * mean(g * n, {-1}, true)) / s};
       });
     }},
    {"a product that forgets its other factor",
     [](const Tensor& x) {
       return with_rule(square(x), x, [](const RuleContext& c, const Tensor& g) -> Grads {
         return {g * c.saved(0).detach() * 2.0};
       });
     }},
};

TEST(Mutation, EveryWrongSecondOrderIsCaught) {
  for (const WrongRule& wrong : kWrongSecondOrders) {
    const Tensor x = Generator(6).normal({3, 4}, 0.0, 1.0, {DType::f64, {}}).set_requires_grad(true);
    const auto apply = [&](const Tensors& in) { return wrong.apply(in[0]); };
    EXPECT_TRUE(gradcheck(apply, {x})) << wrong.name << " is meant to be right at order 1";
    const auto result = gradgradcheck(apply, {x});
    std::printf("mutant: %s: %s\n", wrong.name, result ? "MISSED" : "caught");
    EXPECT_FALSE(result) << wrong.name;
  }
}

}  // namespace
}  // namespace duel
