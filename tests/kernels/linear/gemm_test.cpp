// Matrix products against a naive f64 sum, within the bound of a float sum in any order:
// |error| <= 2 sqrt(K) 2^-24 * sum |a||b|, with a small constant. Fails on wrong transposes, edges that are not
// a multiple of a tile, writes past c, reads of an old c under beta == 0, and bits that follow the thread
// count.
#include "duel/kernels/linear/gemm.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "duel/kernels/base/parallel.h"
#include "gemm_reference.h"

namespace duel::kernels {
namespace {

template <class T>
class Gemm : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Gemm, Reals);

const Case kSizes[] = {{1, 1, 1},   {1, 17, 5},    {17, 1, 33},  {64, 1, 256},  {1, 1, 100}, {256, 64, 1},
                       {5, 7, 3},   {16, 32, 16},  {33, 65, 17}, {13, 100, 70}, {3, 2, 300}, {2, 200, 129},
                       {64, 48, 9}, {100, 33, 66}, {31, 31, 31}, {1, 300, 64},  {129, 1, 1}, {70, 130, 257}};

TYPED_TEST(Gemm, AllTransposesOddSizes) {
  using T = TypeParam;
  for (const Case& s : kSizes) {
    for (int flags = 0; flags < 4; ++flags) {
      Problem<T> p{(flags & 1) != 0, (flags & 2) != 0, s.m, s.n, s.k};
      const auto old = noise<T>(s.m * s.n, 4);
      p.expect(run_gemm<T>(p, T(1), T(0), {}).data(), 1, {}, 0);  // the old c is NaN
      p.expect(run_gemm<T>(p, T(1), T(1), old).data(), 1, old, 1);
      p.expect(run_gemm<T>(p, T(-0.75), T(0.5), old).data(), -0.75, old, 0.5);
      p.expect(run_bias<T>(p, p.bias.data()).data(), 1, p.bias, 1);
      p.expect(run_bias<T>(p, nullptr).data(), 1, {}, 0);
    }
  }
}

TYPED_TEST(Gemm, SizesBeyondOneBlock) {
  using T = TypeParam;
  for (const Case& s : {Case{150, 530, 310}, Case{520, 260, 1100}, Case{64, 1030, 700}, Case{2, 3, 5000}}) {
    for (int flags = 0; flags < 4; ++flags) {
      Problem<T> p{(flags & 1) != 0, (flags & 2) != 0, s.m, s.n, s.k};
      const auto old = noise<T>(s.m * s.n, 4);
      p.expect(run_gemm<T>(p, T(2), T(-1), old).data(), 2, old, -1);
      p.expect(run_bias<T>(p, p.bias.data()).data(), 1, p.bias, 1);
    }
  }
}

TYPED_TEST(Gemm, EmptySizes) {
  using T = TypeParam;
  // k == 0: c becomes beta * c, or the bias.
  Problem<T> p{false, true, 3, 5, 0};
  const auto old = noise<T>(15, 4);
  p.expect(run_gemm<T>(p, T(1), T(0.5), old).data(), 1, old, 0.5);
  p.expect(run_gemm<T>(p, T(1), T(0), {}).data(), 1, {}, 0);
  p.expect(run_bias<T>(p, p.bias.data()).data(), 1, p.bias, 1);
  // m == 0 or n == 0: nothing to write, the guards stay.
  for (const Case& s : {Case{0, 5, 3}, Case{5, 0, 3}, Case{0, 0, 0}})
    run_gemm<T>({false, false, s.m, s.n, s.k}, 1, 0, {});
}

TYPED_TEST(Gemm, SameBitsForAnyThreadCount) {
  using T = TypeParam;
  for (const Case& s :
       {Case{64, 512, 784}, Case{512, 784, 64}, Case{77, 1, 301}, Case{301, 65, 1000}, Case{1, 700, 900}}) {
    for (int flags = 0; flags < 4; ++flags) {
      Problem<T> p{(flags & 1) != 0, (flags & 2) != 0, s.m, s.n, s.k};
      set_threads(1);
      const auto one = run_bias<T>(p, p.bias.data());
      for (int threads : {2, 4}) {
        set_threads(threads);
        const auto many = run_bias<T>(p, p.bias.data());
        ASSERT_EQ(std::memcmp(one.data(), many.data(), one.size() * sizeof(T)), 0)
            << threads << " threads, " << s.m << "x" << s.n << "x" << s.k << " flags " << flags;
      }
    }
  }
  set_threads(2);
}

// An activation, a slope and sums of the left operand's rows against the same by kernels of their own.
TYPED_TEST(Gemm, FinishesItsResults) {
  using T = TypeParam;
  for (const auto& [m, n, k] :
       {Case{35, 67, 40}, Case{3, 1, 9}, Case{1, 5, 9}, Case{4, 6, 1}, Case{3, 5, 0}}) {
    const Problem<T> p{true, false, m, n, k};
    const std::vector<T> plain = run_gemm<T>(p, T(1), T(0), {}), at = noise<T>(m * n, 5);
    for (const Activation& f : {Activation(Relu{}), Activation(LeakyRelu{0.2}), Activation(Tanh{})}) {
      std::vector<T> expected(plain.size()), sloped(plain.size());
      f.visit([&, count = m * n](const auto& g) {
        activation(Stream(), count, plain.data(), expected.data(), g);
        activation_d1(Stream(), count, at.data(), plain.data(), sloped.data(), g);
      });
      Workspace space(gemm_workspace<T>(true, false, m, n, k, {}, true));
      Guarded<T> c(m * n), value(m * n), alone(m * n), product(m * n), sums(m);
      const auto multiply = [&, m_ = m, n_ = n, k_ = k](T* to, const Finish<T>& finish, T* left_sums) {
        gemm<T>({}, true, false, m_, n_, k_, T(1), p.a.data(), p.b.data(), T(0), to, space.data(), finish,
                left_sums);
      };
      multiply(c.data(), {.f = f, .value = value.data()}, sums.data());
      multiply(nullptr, {.f = f, .value = alone.data()}, nullptr);
      multiply(product.data(), {.f = f, .slope_at = at.data()}, nullptr);
      EXPECT_EQ(c.copy(), plain);
      EXPECT_EQ(value.copy(), expected);
      EXPECT_EQ(alone.copy(), expected);
      EXPECT_EQ(product.copy(), sloped);
      for (int64_t i = 0; i < m; ++i) {
        double sum = 0;
        for (int64_t s = 0; s < k; ++s) sum += p.left(i, s);
        EXPECT_NEAR(sums.data()[i], sum, rounding_bound<T>(k + 1, static_cast<double>(k))) << "row " << i;
      }
      EXPECT_TRUE(c.guards_intact() && value.guards_intact() && alone.guards_intact() &&
                  product.guards_intact() && sums.guards_intact());
    }
  }
  T x[4] = {};
  EXPECT_THROW(gemm<T>({}, false, false, 1, 1, 1, T(1), x, x, T(0), nullptr, nullptr), Error);
  EXPECT_THROW(gemm<T>({}, false, false, 1, 1, 1, T(1), x, x, T(0), x, nullptr, {.value = x}), Error);
  EXPECT_THROW(gemm<T>({}, false, false, 1, 1, 1, T(1), x, x, T(0), x, nullptr,
                       {.f = Relu{}, .slope_at = x, .value = x}),
               Error);
  EXPECT_THROW(
      gemm<T>({}, false, false, 1, 1, 1, T(1), x, x, T(1), nullptr, nullptr, {.f = Relu{}, .value = x}),
      Error);
}

TYPED_TEST(Gemm, RefusesBadArguments) {
  using T = TypeParam;
  T one = 1;
  EXPECT_THROW(gemm<T>({}, false, false, -1, 1, 1, 1, &one, &one, 0, &one, nullptr), Error);
  EXPECT_THROW(gemm<T>({}, false, false, 1, 1, 1, 1, nullptr, &one, 0, &one, nullptr), Error);
}

}  // namespace
}  // namespace duel::kernels
