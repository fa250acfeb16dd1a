// Norms beyond single samples: every order against a norm composed of plain ops (wrong fused formulas of
// orders 1 and 2, or a wrong hand-over from kernels to plain ops, fail here), running statistics, refusals.
#include <gtest/gtest.h>

#include <cmath>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/base/error.h"

namespace duel {
namespace {

Tensor drawn_input(const Shape& shape, uint64_t key, double low = -1.5, double high = 1.5) {
  std::vector<double> values;
  uint64_t state = key * 0x9E3779B97F4A7C15ull + 1;
  for (int64_t i = 0; i < shape.numel(); ++i) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    values.push_back(low + (high - low) * static_cast<double>(state >> 11) * 0x1p-53);
  }
  return Tensor::from(values, shape);
}

using Norm = std::function<Tensor(const Tensor& x, const Tensor& weight, const Tensor& bias)>;

Norm composed(std::vector<int> axes, Shape affine_view) {
  return [=](const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const Tensor centred = x - mean(x, axes, true);
    const Tensor xhat = centred / sqrt(add_scalar(mean(square(centred), axes, true), 0.1));
    return xhat * weight.reshape(affine_view) + bias.reshape(affine_view);
  };
}

/// Gradients of orders 1 to 3 of a nonlinear function of the norm, recorded or not: {d1, d2, d3} joined per
/// input.
std::vector<Tensor> all_orders(const Norm& norm, const Shape& shape, const Shape& affine) {
  const Tensor x = drawn_input(shape, 1).set_requires_grad(true);
  const Tensor weight = drawn_input(affine, 2, 0.5, 1.5).set_requires_grad(true);
  const Tensor bias = drawn_input(affine, 3).set_requires_grad(true);
  const std::vector<Tensor> inputs = {x, weight, bias};
  std::vector<Tensor> results;
  Tensor scalar = sum(tanh(norm(x, weight, bias)) * drawn_input(shape, 4));
  for (int order = 1; order <= 3; ++order) {
    // Once without recording (kernels), once recorded (plain ops for what follows): both must agree with the
    // oracle.
    for (const bool create_graph : {false, true}) {
      const auto gradients = grad({scalar}, inputs, {}, {.create_graph = create_graph, .retain_graph = true});
      results.insert(results.end(), gradients.begin(), gradients.end());
      if (!create_graph) continue;
      scalar = Tensor::zeros({}, x.options());
      for (size_t i = 0; i < gradients.size(); ++i) {
        scalar = scalar + sum(square(gradients[i]) * drawn_input(inputs[i].shape(), 10 + i));
      }
    }
  }
  return results;
}

void expect_orders_agree(const Norm& fused, const Norm& oracle, const Shape& shape, const Shape& affine) {
  const auto a = all_orders(fused, shape, affine), b = all_orders(oracle, shape, affine);
  ASSERT_EQ(a.size(), 18u);
  for (size_t i = 0; i < a.size(); ++i) {
    const auto va = a[i].to_vector<double>(), vb = b[i].to_vector<double>();
    double largest = 1e-3;
    for (double v : vb) largest = std::max(largest, std::abs(v));
    for (size_t j = 0; j < va.size(); ++j) {
      ASSERT_NEAR(va[j], vb[j], 1e-10 * largest)
          << "order " << 1 + i / 6 << (i / 3 % 2 ? " recorded" : "") << ", input " << i % 3;
    }
  }
}

TEST(Normalization, BatchNormOfEveryOrderIsThatOfPlainOps) {
  const Norm fused = [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return batch_norm(x, w, b, {.eps = 0.1});
  };
  expect_orders_agree(fused, composed({0, 2, 3}, {1, 3, 1, 1}), {2, 3, 3, 2}, {3});
  expect_orders_agree(fused, composed({0}, {1, 4}), {5, 4}, {4});
}

TEST(Normalization, BatchNormInPartsOfEveryOrderIsThatOfPlainOps) {
  const Norm fused = [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return batch_norm(x, w, b, {.eps = 0.1, .parts = 2});
  };
  const auto oracle = [](const Norm& each) {
    return [each](const Tensor& x, const Tensor& w, const Tensor& b) {
      const int64_t half = x.dim(0) / 2;
      return concat({each(rows(x, 0, half), w, b), each(rows(x, half, 2 * half), w, b)});
    };
  };
  expect_orders_agree(fused, oracle(composed({0, 2, 3}, {1, 3, 1, 1})), {4, 3, 3, 2}, {3});
  expect_orders_agree(fused, oracle(composed({0}, {1, 4})), {10, 4}, {4});
}

TEST(Normalization, BatchPartsAreNestedAndChecked) {
  EXPECT_EQ(BatchParts::now(), 1);
  {
    const BatchParts outer(3);
    {
      const BatchParts inner(2);
      EXPECT_EQ(BatchParts::now(), 2);
    }
    EXPECT_EQ(BatchParts::now(), 3);
  }
  EXPECT_EQ(BatchParts::now(), 1);
  EXPECT_THROW(BatchParts(0), Error);
  const Tensor x = drawn_input({4, 3}, 1);
  EXPECT_THROW(batch_norm(x, {}, {}, {.parts = 3}), Error);  // of unequal size
  EXPECT_THROW(batch_norm(x, {}, {}, {.parts = 0}), Error);
  EXPECT_THROW(batch_norm(x, {}, {}, {.parts = 4}), Error);  // one value per channel in each
}

TEST(Normalization, LayerNormOfEveryOrderIsThatOfPlainOps) {
  const Norm fused = [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return layer_norm(x, w, b, 0.1);
  };
  expect_orders_agree(fused, composed({1}, {1, 7}), {3, 7}, {7});
  expect_orders_agree(fused, composed({1, 2, 3}, {1, 2, 3, 2}), {2, 2, 3, 2}, {2, 3, 2});
}

TEST(Normalization, InstanceNormOfEveryOrderIsThatOfPlainOps) {
  const Norm fused = [](const Tensor& x, const Tensor& w, const Tensor& b) {
    return instance_norm(x, w, b, 0.1);
  };
  expect_orders_agree(fused, composed({2, 3}, {1, 3, 1, 1}), {2, 3, 3, 2}, {3});
}

TEST(Normalization, RunningStatisticsMoveAsInPyTorch) {
  // torch.nn.BatchNorm1d(2, momentum=0.25) on [[1, 2], [3, 6], [5, 1]]: batch mean (3, 3), unbiased variance
  // (4, 7).
  const Tensor x = Tensor::from({1., 2., 3., 6., 5., 1.}, {3, 2});
  const BatchNormState state{.running_mean = Tensor::from({1., -1.}, {2}),
                             .running_var = Tensor::from({2., 3.}, {2}),
                             .momentum = 0.25};
  {
    NoGrad no_grad;  // training moves them there too
    batch_norm(x, {}, {}, state);
  }
  EXPECT_EQ(state.running_mean.to_vector<double>(),
            (std::vector<double>{0.75 * 1 + 0.25 * 3, 0.75 * -1 + 0.25 * 3}));
  const auto var = state.running_var.to_vector<double>();
  EXPECT_NEAR(var[0], 0.75 * 2 + 0.25 * 4, 1e-14);
  EXPECT_NEAR(var[1], 0.75 * 3 + 0.25 * 7, 1e-14);

  BatchNormState evaluation = state;
  evaluation.training = false;
  const auto before = state.running_mean.to_vector<double>();
  const auto y = batch_norm(x, {}, {}, evaluation).to_vector<double>();
  EXPECT_NEAR(y[0], (1 - before[0]) / std::sqrt(var[0] + 1e-5), 1e-14);
  EXPECT_EQ(state.running_mean.to_vector<double>(), before);  // evaluation reads only
}

TEST(Normalization, EvaluationHasTheSameValuesWithAndWithoutAGraph) {
  const Tensor x = drawn_input({4, 3, 2, 2}, 1).to(DType::f32), weight = drawn_input({3}, 2).to(DType::f32),
               bias = drawn_input({3}, 3).to(DType::f32);
  const BatchNormState state{.running_mean = drawn_input({3}, 4).to(DType::f32),
                             .running_var = drawn_input({3}, 5, 0.5, 2).to(DType::f32),
                             .training = false};
  const auto fused = batch_norm(x, weight, bias, state).to_vector<float>();
  Tensor leaf = x.detach().clone();
  leaf.set_requires_grad(true);
  const auto plain = batch_norm(leaf, weight, bias, state).to_vector<float>();
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(fused[i], plain[i], 2e-6f);
}

TEST(Normalization, RefusesWhatCannotBeNormalised) {
  const Tensor one = Tensor::ones({1, 3});
  EXPECT_THROW(batch_norm(one, {}, {}, {}), Error);                                  // one value per channel
  EXPECT_THROW(batch_norm(Tensor::ones({2, 3}), Tensor::ones({2}), {}, {}), Error);  // wrong weight
  EXPECT_THROW(batch_norm(Tensor::ones({2, 3}), {}, {}, {.running_mean = Tensor::ones({3})}), Error);
  EXPECT_THROW(batch_norm(Tensor::ones({2, 3}), {}, {},
                          {.running_mean = Tensor::ones({3}, {DType::f64}),
                           .running_var = Tensor::ones({3}, {DType::f64})}),
               Error);
  EXPECT_THROW(instance_norm(Tensor::ones({2, 3, 1, 1}), {}, {}), Error);
  EXPECT_THROW(layer_norm(Tensor::ones({2, 0}), {}, {}), Error);
  EXPECT_THROW(layer_norm(Tensor::ones({2, 3}), {}, Tensor::ones({3}, {DType::f64})), Error);
}

}  // namespace
}  // namespace duel
