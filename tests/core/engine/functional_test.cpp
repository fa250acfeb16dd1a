// Products with Jacobian and Hessian against their closed forms; hooks and retained gradients. A transposed
// Jacobian, a forgotten half of the Hessian or a hook that sees part of a gradient fails.
#include "duel/core/engine/functional.h"

#include <gtest/gtest.h>

#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/base/error.h"
#include "tests/tensors.h"

namespace duel {
namespace {

using duel::testing::kF64;
using Values = std::vector<double>;

const Tensor kMatrix = Tensor::from({1., 2., 3., 4., 5., 6.}, {2, 3});

/// (M x)^2, whose Jacobian is 2 diag(M x) M.
Tensor squares(const Tensor& x) { return square(matmul(kMatrix, x)); }
Tensor point() { return Tensor::from({1., -1., 2.}, {3}); }  // M x = (5, 11)

TEST(Functional, JacobianAndItsProducts) {
  const Tensor j = jacobian(squares, point());
  EXPECT_EQ(j.shape(), (Shape{2, 3}));
  EXPECT_EQ(j.to_vector<double>(), (Values{10, 20, 30, 88, 110, 132}));
  const Tensor v = Tensor::from({1., 0., -1.}, {3}), u = Tensor::from({1., 2.}, {2});
  EXPECT_EQ(jvp(squares, point(), v).to_vector<double>(), (Values{-20, -44}));
  EXPECT_EQ(vjp(squares, point(), u).to_vector<double>(), (Values{186, 240, 294}));
}

TEST(Functional, HessianAndItsProduct) {
  const auto f = [](const Tensor& x) { return sum(squares(x)); };  // Hessian 2 M^T M
  const Tensor h = hessian(f, point());
  EXPECT_EQ(h.shape(), (Shape{3, 3}));
  EXPECT_EQ(h.to_vector<double>(), (Values{34, 44, 54, 44, 58, 72, 54, 72, 90}));
  const Tensor v = Tensor::from({1., 0., -1.}, {3});
  EXPECT_EQ(hvp(f, point(), v).to_vector<double>(), (Values{-20, -28, -36}));
}

TEST(Functional, OfMatricesAndOfConstants) {
  const Tensor x = arange(6.0).to(DType::f64).reshape({2, 3});
  const Tensor j = jacobian([](const Tensor& m) { return m.t(); }, x);
  EXPECT_EQ(j.shape(), (Shape{3, 2, 2, 3}));
  EXPECT_EQ(j.index({2, 1, 1, 2}).item(), 1.0);
  EXPECT_EQ(j.sum().item(), 6.0);
  EXPECT_EQ(jacobian([](const Tensor&) { return Tensor::ones({2}, kF64); }, x).sum().item(), 0.0);
  EXPECT_EQ(jvp([](const Tensor&) { return Tensor::ones({2}, kF64); }, x, x).to_vector<double>(),
            (Values{0, 0}));
  // Linear: no Hessian.
  EXPECT_EQ(hvp([](const Tensor& m) { return m.sum(); }, x, x).sum().item(), 0.0);
}

TEST(Functional, ResultsAreDifferentiableUnderCreateGraph) {
  const Tensor x = Tensor::from({2.}, {1}).set_requires_grad(true);
  const auto cube = [](const Tensor& t) { return pow_scalar(t, 3.0); };
  const Tensor slope = jacobian(cube, x, true);  // 3 x^2
  EXPECT_EQ(grad({slope.reshape({1})}, {x})[0].item(), 12.0);
  const Tensor along = jvp(cube, x, Tensor::ones({1}, kF64), true);
  EXPECT_EQ(grad({along}, {x})[0].item(), 12.0);
}

TEST(Functional, RefusesWhatDoesNotFit) {
  EXPECT_THROW(hvp(squares, point(), point()), Error);
  EXPECT_THROW(jvp(squares, point(), Tensor::ones({2}, kF64)), Error);
}

TEST(Hooks, SeeTheWholeGradientAndMayChangeIt) {
  const Tensor x = Tensor::from({1., 2.}, {2}).set_requires_grad(true);
  const Tensor y = x * 2.0;
  Values seen;
  y.register_hook([&](const Tensor& g) { seen = g.to_vector<double>(); });
  const unsigned halved = y.register_hook([](const Tensor& g) { return g * 0.5; });
  const Tensor loss = sum(y * y) + sum(y);  // two uses of y
  EXPECT_EQ(grad({loss}, {x}, {}, {.retain_graph = true})[0].to_vector<double>(), (Values{5, 9}));
  EXPECT_EQ(seen, (Values{5, 9}));
  y.remove_hook(halved);
  EXPECT_EQ(grad({loss}, {x}, {}, {.retain_graph = true})[0].to_vector<double>(), (Values{10, 18}));
  EXPECT_THROW(y.remove_hook(halved), Error);
  y.register_hook([](const Tensor& g) { return g.reshape({1, 2}); });
  EXPECT_THROW(grad({loss}, {x}), Error);
}

TEST(Hooks, OfLeavesRunBeforeAccumulation) {
  const Tensor x = Tensor::from({1., 2.}, {2}).set_requires_grad(true);
  x.register_hook([](const Tensor& g) { return g * 10.0; });
  sum(x * 3.0).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{30, 30}));
  EXPECT_THROW(Tensor::ones({1}).register_hook([](const Tensor& g) { return g; }), Error);
}

TEST(Hooks, AreDifferentiatedUnderCreateGraph) {
  const Tensor x = Tensor::from({3.}, {1}).set_requires_grad(true);
  x.register_hook([](const Tensor& g) { return g * g; });
  const Tensor g = grad({sum(x * x)}, {x}, {}, {.create_graph = true})[0];  // (2 x)^2
  EXPECT_EQ(g.item(), 36.0);
  // d(4 x^2)/dx = 8 x = 24, and the hook squares that
  EXPECT_EQ(grad({g}, {x})[0].item(), 576.0);
}

TEST(RetainGrad, KeepsTheGradientOfAResult) {
  const Tensor x = Tensor::from({1., 2.}, {2}).set_requires_grad(true);
  const Tensor y = x * 2.0;
  EXPECT_FALSE(y.grad().defined());
  y.retain_grad();
  sum(y * y).backward();
  EXPECT_EQ(y.grad().to_vector<double>(), (Values{4, 8}));
  EXPECT_EQ(x.grad().to_vector<double>(), (Values{8, 16}));
  EXPECT_THROW(Tensor::ones({1}).retain_grad(), Error);
}

}  // namespace
}  // namespace duel
