// The engine: modes, pruning, higher orders, freed graphs, versions, anomaly mode, memory.
#include "duel/core/tensor/autograd.h"

#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/device/allocator.h"
#include "duel/core/engine/gradcheck.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/random.h"
#include "tests/files.h"

namespace duel {
namespace {

using duel::testing::error_of;

Tensor leaf(std::vector<double> values, const Shape& shape) {
  return Tensor::from(values, shape).set_requires_grad(true);
}

TEST(Autograd, PolynomialToOrderFour) {
  // y = x^5: 5 x^4, 20 x^3, 60 x^2, 120 x. A detached or zero gradient at any order would show.
  const Tensor x = leaf({1.5}, {});
  Tensor y = pow_scalar(x, 5);
  const double expected[] = {5 * std::pow(1.5, 4), 20 * std::pow(1.5, 3), 60 * 1.5 * 1.5, 120 * 1.5};
  for (double value : expected) {
    y = grad({y}, {x}, {}, {.create_graph = true})[0];
    EXPECT_NEAR(y.item(), value, 1e-9);
  }
}

TEST(Autograd, ThirdAndFourthOrderOfEveryActivation) {
  // Orders above the kernels come from plain ops: compare each with differences of the order below.
  using Op = Tensor (*)(const Tensor&);
  const std::pair<const char*, Op> ops[] = {{"tanh", &tanh},
                                            {"sigmoid", &sigmoid},
                                            {"softplus", &softplus},
                                            {"gelu", &gelu},
                                            {"elu", [](const Tensor& x) { return elu(x, 1.3); }}};
  for (const auto& [name, op] : ops) {
    const auto nth = [op = op](double at, int order) {
      const Tensor x = leaf({at}, {});
      Tensor y = op(x);
      for (int i = 0; i < order; ++i) y = grad({y}, {x}, {}, {.create_graph = true})[0];
      return y.item();
    };
    for (const double at : {-1.3, -0.4, 0.7, 1.9}) {
      for (const int order : {3, 4}) {
        const double h = 1e-5, numeric = (nth(at + h, order - 1) - nth(at - h, order - 1)) / (2 * h);
        if (std::string(name) == "elu" && at > 0) continue;  // identity there: the graph ends at order 1
        EXPECT_NEAR(nth(at, order), numeric, 1e-6 * (1 + std::abs(numeric)))
            << name << " at " << at << " order " << order;
      }
    }
  }
}

TEST(Autograd, SharedUsesAddUp) {
  const Tensor x = leaf({2, 3}, {2});
  const Tensor y = sum(x * x + x * 3.0 + x);
  EXPECT_EQ(grad({y}, {x})[0].to_vector<double>(), (std::vector<double>{8, 10}));
}

TEST(Autograd, IntermediateInputsAndPruning) {
  const Tensor x = leaf({2}, {1}), w = leaf({5}, {1});
  const Tensor h = x * w, y = sum(h * h);
  const auto g = grad({y}, {h, w});
  EXPECT_DOUBLE_EQ(g[0].item(), 20);
  EXPECT_DOUBLE_EQ(g[1].item(), 40);
}

TEST(Autograd, BroadcastGradientsAreSummedDown) {
  const Tensor row = leaf({1, 2, 3}, {3}), scalar = leaf({2}, {});
  const Tensor x = Tensor::ones({4, 3}, {DType::f64});
  const auto g = grad({sum(x * row * scalar)}, {row, scalar});
  EXPECT_EQ(g[0].to_vector<double>(), (std::vector<double>{8, 8, 8}));
  EXPECT_DOUBLE_EQ(g[1].item(), 24);
}

TEST(Autograd, BackwardAccumulatesDetachedLeafGradients) {
  Tensor x = leaf({3}, {1});
  backward(sum(square(x)));
  backward(sum(square(x)));
  EXPECT_DOUBLE_EQ(x.grad().item(), 12);
  EXPECT_FALSE(x.grad().requires_grad());
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, NoGradRecordsNothingAndEnableGradRecordsInside) {
  const Tensor x = leaf({3}, {1});
  NoGrad off;
  EXPECT_FALSE((x * 2.0).requires_grad());
  {
    EnableGrad on;
    EXPECT_TRUE((x * 2.0).requires_grad());
  }
  EXPECT_FALSE(grad_enabled());
}

TEST(Autograd, NoParamGradSkipsParametersOnly) {
  Tensor w = leaf({3}, {1});
  mark_parameter(w, "w");
  const Tensor x = leaf({2}, {1});
  NoParamGrad frozen;
  EXPECT_FALSE((w * 2.0).requires_grad());
  const auto g = grad({sum(x * w)}, {x, w}, {}, {.allow_unused = true});
  EXPECT_DOUBLE_EQ(g[0].item(), 3);
  EXPECT_FALSE(g[1].defined());
}

TEST(Autograd, PenaltyGradientIsTheSameWithParameterGradientsSkippedInside) {
  Generator random(3);
  const TensorOptions f64{DType::f64, {}};
  Tensor w1 = random.normal({6, 4}, 0, 1, f64).set_requires_grad(true),
         w2 = random.normal({1, 6}, 0, 1, f64).set_requires_grad(true);
  const Tensor x = random.normal({5, 4}, 0, 1, f64).set_requires_grad(true);
  const auto penalty = [&](bool also_weights) {
    const Tensor y = sum(linear(tanh(linear(x, w1)), w2));
    const auto inner = also_weights ? grad({y}, {x, w1, w2}, {}, {.create_graph = true})
                                    : grad({y}, {x}, {}, {.create_graph = true});
    return grad({mean(square(sample_norm(inner[0]) - 1.0))}, {w1, w2});
  };
  const auto lean = penalty(false), full = penalty(true);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(lean[i].to_vector<double>(), full[i].to_vector<double>());
}

TEST(Autograd, FreedGraphIsAnErrorUnlessRetained) {
  const Tensor x = leaf({3}, {1});
  const Tensor y = sum(exp(x));
  grad({y}, {x}, {}, {.retain_graph = true});
  grad({y}, {x});
  EXPECT_NE(error_of([&] { grad({y}, {x}); }).find("retain_graph"), std::string::npos);
}

TEST(Autograd, SavedTensorChangedInPlaceIsAnErrorThatNamesOpAndTensor) {
  Tensor w = leaf({3}, {1});
  mark_parameter(w, "critic.0.weight");
  const Tensor y = sum(w * w);
  {
    NoGrad off;
    w.fill_(4);
  }
  const std::string text = error_of([&] { grad({y}, {w}); });
  EXPECT_NE(text.find("[mul]"), std::string::npos) << text;
  EXPECT_NE(text.find("critic.0.weight"), std::string::npos) << text;
  EXPECT_NE(text.find("version"), std::string::npos) << text;
}

TEST(Autograd, InPlaceOnARecordedLeafNeedsNoGrad) {
  Tensor w = leaf({3}, {1});
  EXPECT_NE(error_of([&] { w.fill_(1); }).find("NoGrad"), std::string::npos);
}

TEST(Autograd, WrongUsesAreErrors) {
  const Tensor x = leaf({1, 2}, {2}), other = leaf({1}, {1});
  EXPECT_NE(error_of([&] { grad({x * 2.0}, {x}); }).find("grad_outputs"), std::string::npos);
  EXPECT_NE(error_of([&] { grad({sum(x)}, {other}); }).find("allow_unused"), std::string::npos);
  EXPECT_NE(error_of([&] { grad({Tensor::ones({})}, {x}); }).find("requires grad"), std::string::npos);
  EXPECT_NE(error_of([&] { grad({x}, {x}, {Tensor::ones({3}, {DType::f64})}); }).find("[2]"),
            std::string::npos);
  EXPECT_NE(error_of([&] { (void)(x * Tensor::ones({3}, {DType::f64})); }).find("[mul]"), std::string::npos);
  EXPECT_NE(error_of([&] { (void)(x * Tensor::ones({2})); }).find("dtype"), std::string::npos);
  EXPECT_NE(error_of([&] { Tensor::ones({2}, {DType::i64}).set_requires_grad(true); }).find("floating"),
            std::string::npos);
}

TEST(Autograd, AMissingOrderThrowsAndNeverReturnsZero) {
  const Tensor x = leaf({1}, {1});
  const Tensor once = record("half_done", square(x.detach()), {x}, {x},
                             [](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                               const Tensor in = ctx.saved(0);
                               return {record("half_done", (in.detach() * 2.0) * g.detach(), {in}, {},
                                              not_differentiable("half_done", 2))};
                             });
  const Tensor g = grad({once}, {x}, {}, {.create_graph = true})[0];
  EXPECT_DOUBLE_EQ(g.item(), 2);
  EXPECT_EQ(error_of([&] { grad({g}, {x}); }),
            "[half_done] derivative of half_done is not implemented at order 2");
}

TEST(Autograd, AnomalyModeNamesTheFirstCulprit) {
  const Tensor x = leaf({-1, 4}, {2});
  AnomalyMode on;
  const std::string forward = error_of([&] { (void)(log(x) * 0.0 + 1.0); });
  EXPECT_NE(forward.find("log made the first NaN"), std::string::npos) << forward;
  EXPECT_NE(forward.find("flat index 0"), std::string::npos) << forward;
  const Tensor zero = leaf({0}, {1});
  const Tensor root = sqrt(zero);
  const std::string behind = error_of([&] { grad({sum(root)}, {zero}); });
  EXPECT_NE(behind.find("backward of sqrt"), std::string::npos) << behind;
}

TEST(Autograd, ALongChainNeedsNoDeepStack) {
  Tensor x = leaf({1}, {1});
  Tensor y = x;
  for (int i = 0; i < 200000; ++i) y = add_scalar(y, 1.0);
  EXPECT_DOUBLE_EQ(grad({y}, {x}, {}, {.retain_graph = true})[0].item(), 1);
  y = Tensor();  // the destructor walks 200,000 nodes
}

TEST(Autograd, ActiveBytesAreConstantOverAThousandPenaltySteps) {
  Generator random(1);
  Tensor w1 = random.normal({16, 8}).set_requires_grad(true),
         w2 = random.normal({1, 16}).set_requires_grad(true);
  const Tensor data = random.normal({12, 8});
  int64_t after_three = 0;
  for (int step = 0; step < 1000; ++step) {
    {
      const Tensor x = data.detach().set_requires_grad(true);
      const Tensor g =
          grad({sum(linear(leaky_relu(linear(x, w1), 0.2), w2))}, {x}, {}, {.create_graph = true})[0];
      const auto dw = grad({mean(square(sample_norm(g) - 1.0))}, {w1, w2});
      NoGrad off;
      w1.copy_(w1 - dw[0] * 0.01);
      w2.copy_(w2 - dw[1] * 0.01);
    }
    const int64_t active = allocator_stats({}).active_bytes;
    if (step == 3) after_three = active;
    if (step > 3) {
      ASSERT_EQ(active, after_three) << "step " << step;
    }
  }
}

TEST(Gradcheck, AcceptsRightAndFindsWrongRules) {
  const Tensor x = leaf({0.3, -0.7, 1.1}, {3});
  EXPECT_TRUE(gradcheck([](const std::vector<Tensor>& in) { return tanh(in[0]) * in[0]; }, {x}));
  const auto wrong = [](const std::vector<Tensor>& in) {
    return record(
        "wrong", square(in[0].detach()), {in[0]}, {in[0]},
        [](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> { return {g * ctx.saved(0)}; });
  };
  const auto result = gradcheck(wrong, {x});
  EXPECT_FALSE(result);
  EXPECT_NE(result.message.find("input 0"), std::string::npos);
  EXPECT_FALSE(gradcheck([](const std::vector<Tensor>& in) { return in[0].detach(); }, {x}));
}

TEST(Gradcheck, RefusesAFunctionThatIgnoresItsInputs) {
  const Tensor x = leaf({0.3, -0.7, 1.1}, {3}), other = leaf({0.5, 0.2, -0.4}, {3});
  const auto ignores = [&](const std::vector<Tensor>&) { return tanh(other) * x; };  // x itself, not the copy
  const auto result = gradcheck(ignores, {x});
  EXPECT_FALSE(result);
  EXPECT_TRUE(duel::testing::has(result.message, "does not depend on any input")) << result.message;
  EXPECT_TRUE(duel::testing::has(result.message, "ScopedParameters")) << result.message;
  // One of two is enough; the other's derivative is 0.
  EXPECT_TRUE(gradcheck([](const std::vector<Tensor>& in) { return tanh(in[0]); }, {x, other}));
}

TEST(Gradcheck, SecondOrderFindsARuleThatIsRightAtOrderOneOnly) {
  const Tensor x = leaf({0.3, -0.7, 1.1}, {3});
  const auto detached = [](const std::vector<Tensor>& in) {
    return record("detached", square(in[0].detach()), {in[0]}, {in[0]},
                  [](const RuleContext& ctx, const Tensor& g) -> std::vector<Tensor> {
                    return {g * (ctx.saved(0).detach() * 2.0)};
                  });
  };
  EXPECT_TRUE(gradcheck(detached, {x}));
  EXPECT_FALSE(gradgradcheck(detached, {x}));
}

}  // namespace
}  // namespace duel
