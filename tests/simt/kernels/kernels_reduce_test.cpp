// Reductions, losses and per-sample norms as CUDA kernels: sums within the bound of Note [Reductions] from
// the host's, everything that is a map or a choice bit for bit. Fails on a lost tail, a chunk counted twice,
// a wrong scale.
#include "apps/bench/cases/example_of.h"
#include "duel/kernels/map/losses.h"
#include "duel/kernels/reduce/reduce.h"
#include "duel/kernels/reduce/sample_norm.h"
#include "kernels_common.h"

namespace duel::simt {
namespace {

using kernels::Stream;

template <class T>
class SimtReduce : public ::testing::Test {};
TYPED_TEST_SUITE(SimtReduce, Types);

template <class T>
constexpr double kUnit = std::numeric_limits<T>::epsilon() / 2;

struct ReducedShape {
  int64_t a, r, b;
};
const std::vector<ReducedShape> kReduced = {
    {1, 1, 1}, {1, 7, 1},     {3, 257, 1}, {1, 1000, 1}, {1, 20000, 1}, {1, 5, 31}, {1, 64, 33}, {2, 3, 5},
    {5, 1, 7}, {1, 700, 130}, {2, 301, 2}, {1, 9001, 3}, {2, 8200, 1},  {1, 0, 5},  {17, 2, 1}};

enum class Op { sum, max, min };

template <class T>
void call_reduce(Op op, Stream s, const ReducedShape& e, const T* x, T* y, T* work) {
  if (op == Op::sum) kernels::sum_axes(s, e.a, e.r, e.b, x, y, work, 2.7);
  if (op == Op::max) kernels::max_axes(s, e.a, e.r, e.b, x, y, work);
  if (op == Op::min) kernels::min_axes(s, e.a, e.r, e.b, x, y, work);
}

template <class T>
void expect_reduction(Op op, const ReducedShape& e, const std::vector<T>& values) {
  const int64_t outputs = e.a * e.b, space = kernels::reduce_workspace(e.a, e.r, e.b);
  std::vector<T> expected(static_cast<size_t>(outputs)), work(static_cast<size_t>(space) + 1);
  call_reduce(op, Stream(), e, values.data(), expected.data(), work.data());
  const In<T> x(values, "x");
  const Out<T> y(outputs, "y");
  const Scratch<T> scratch(space, "workspace");
  run_all_orders([&] { call_reduce(op, stream(), e, x.data(), y.data(), scratch.data()); }, {.shift = 1});
  const std::string what = std::to_string(e.a) + " x " + std::to_string(e.r) + " x " + std::to_string(e.b);
  if (op != Op::sum) {
    expect_same(y.values(), expected, what);
    return;
  }
  expect_near(
      y.values(), expected,
      [&](size_t i) {
        double size = 0;
        const int64_t a = static_cast<int64_t>(i) / e.b, b = static_cast<int64_t>(i) % e.b;
        for (int64_t r = 0; r < e.r; ++r)
          size += std::abs(values[static_cast<size_t>((a * e.r + r) * e.b + b)]);
        return (2 * std::sqrt(static_cast<double>(e.r)) + 2) * kUnit<T> * size / 2.7;
      },
      what);
}

TYPED_TEST(SimtReduce, Sums) {
  for (const ReducedShape& e : kReduced) expect_reduction(Op::sum, e, noise<TypeParam>(e.a * e.r * e.b, 1));
}

// Per channel, in one launch and, without tickets, in two; the host's against a plain sum.
TYPED_TEST(SimtReduce, SumsAround) {
  using T = TypeParam;
  for (const auto& [a, c, b] : {ReducedShape{1, 1, 1}, ReducedShape{3, 5, 7}, ReducedShape{64, 3, 196},
                                ReducedShape{2, 300, 9}, ReducedShape{70, 1, 130}, ReducedShape{5, 4, 1}}) {
    const std::vector<T> values = noise<T>(a * c * b, 1);
    const int64_t space = kernels::sum_around_workspace(a, c, b);
    std::vector<T> expected, host(static_cast<size_t>(c)), work(static_cast<size_t>(space) + 1);
    double size = 0;
    for (int64_t k = 0; k < c; ++k) {
      double sum = 0;
      for (int64_t i = 0; i < a * b; ++i) {
        const double x = values[static_cast<size_t>((i / b * c + k) * b + i % b)];
        sum += x, size += std::abs(x);
      }
      expected.push_back(static_cast<T>(sum / 2.7));
    }
    const auto bound = [&, terms = static_cast<double>(a * b)](size_t) {
      return (2 * std::sqrt(terms) + 2) * kUnit<T> * size / 2.7;
    };
    const std::string what = std::to_string(a) + " x " + std::to_string(c) + " x " + std::to_string(b);
    kernels::sum_around(Stream(), a, c, b, values.data(), host.data(), work.data(), 2.7);
    expect_near<T>(host, expected, bound, what + " on the host");
    const In<T> x(values, "x");
    const Scratch<T> scratch(space, "workspace");
    for (const Stream& on : {stream(), Stream::device(nullptr)}) {
      const Out<T> y(c, "y");
      run_all_orders([&, a_ = a, c_ = c, b_ = b] {
        kernels::sum_around(on, a_, c_, b_, x.data(), y.data(), scratch.data(), 2.7);
      });
      expect_near<T>(y.values(), expected, bound, what);
    }
  }
}

TYPED_TEST(SimtReduce, MaximaAndMinima) {
  for (const ReducedShape& e : kReduced) {
    if (e.r == 0) continue;
    auto values = noise<TypeParam>(e.a * e.r * e.b, 2);
    if (values.size() > 50) {
      values[40] = std::numeric_limits<TypeParam>::quiet_NaN();
      values[7] = std::numeric_limits<TypeParam>::infinity();
    }
    expect_reduction(Op::max, e, values);
    expect_reduction(Op::min, e, values);
  }
}

TYPED_TEST(SimtReduce, ArgmaxOfRows) {
  using T = TypeParam;
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {3, 10}, {65, 7}, {130, 33}}) {
    auto values = noise<T>(rows * cols, 3);
    for (T& v : values) v = std::round(v * 3);  // many equals
    if (rows > 2) values[static_cast<size_t>(cols + 2)] = std::numeric_limits<T>::quiet_NaN();
    expect_map<int64_t, T>(
        {values}, rows,
        [&, r = rows, c = cols](Stream s, auto& x, int64_t* y) { kernels::argmax_rows(s, r, c, x[0], y); },
        "argmax_rows");
  }
}

template <class T, class L>
void expect_loss(L loss, const std::string& what) {
  for (int64_t n : {0, 1, 31, 256, 257, 1000, 70001}) {
    SCOPED_TRACE(what + ", n = " + std::to_string(n));
    auto values = noise<T>(n, 5);
    for (T& v : values) v *= T(6);
    const T divisor = T(1.3) * static_cast<T>(n > 0 ? n : 1);
    const int64_t space = kernels::loss_workspace(n);
    std::vector<T> value(1), grad(static_cast<size_t>(n)), work(static_cast<size_t>(space));
    kernels::loss_value_grad(Stream(), n, values.data(), loss, divisor, value.data(), grad.data(),
                             work.data());
    double size = 0;
    for (T v : values) size += std::abs(loss.template value<T>(v)) / std::abs(divisor);
    const double bound = (2 * std::sqrt(static_cast<double>(n)) + 4) * kUnit<T> * size;

    const RunOptions options{.shuffles = n > 2000 ? 1 : 2, .shift = 1};
    {
      const In<T> x(values, "logits");
      const Out<T> y(1, "value"), g(n, "grad");
      const Scratch<T> scratch(space, "workspace");
      run_all_orders(
          [&] {
            kernels::loss_value_grad(stream(), n, x.data(), loss, divisor, y.data(), g.data(),
                                     scratch.data());
          },
          options);
      expect_same(g.values(), grad, "gradient");
      EXPECT_NEAR(y.data()[0], value[0], bound);
      if (n > 2000) continue;
      const std::vector<T> first = y.values();
      run_all_orders([&] {
        kernels::loss_value_grad(stream(), n, x.data(), loss, divisor, y.data(), g.data(), scratch.data());
        kernels::loss_value_grad(stream(), n, x.data(), loss, divisor, y.data(), nullptr, scratch.data());
      });
      expect_same(y.values(), first, "value without gradient");
    }
    {
      const Out<T> y(1, "value");
      const InOut<T> both(values, "logits and grad");
      const Scratch<T> scratch(space, "workspace");
      run_all_orders([&] {
        kernels::loss_value_grad(stream(), n, both.data(), loss, divisor, y.data(), both.data(),
                                 scratch.data());
      });
      expect_same(both.values(), grad, "gradient in place");
    }
    expect_map<T, T>(
        {values, noise<T>(n, 6)}, n,
        [&](Stream s, auto& in, T* out) { kernels::loss_d2(s, n, in[0], loss, divisor, in[1], out); },
        "second");
  }
}

TYPED_TEST(SimtReduce, EveryLoss) {
  using T = TypeParam;
  using namespace kernels;
#define DUEL_EXPECT(L) expect_loss<T>(apps::bench::example_of<L>(), #L);
  DUEL_LOSSES(DUEL_EXPECT)
#undef DUEL_EXPECT
}

TYPED_TEST(SimtReduce, SampleNorm) {
  using T = TypeParam;
  for (const auto& [batch, m] :
       {std::pair<int64_t, int64_t>{1, 1}, {3, 257}, {5, 784}, {2, 1000}, {4, 0}, {0, 3}}) {
    const int64_t rows = batch, length = m;
    auto values = noise<T>(rows * length, 7);
    if (rows > 1) std::fill_n(values.begin(), length, T(0));  // a row of zeros
    const auto gg = noise<T>(rows * length, 8), g = noise<T>(rows, 9);
    for (T eps : {T(0), T(0.01)}) {
      std::vector<T> n(static_cast<size_t>(rows)), d_g(n), dx(values), d_x(values);
      kernels::sample_norm(Stream(), rows, length, values.data(), eps, n.data());
      kernels::sample_norm_backward(Stream(), rows, length, values.data(), n.data(), g.data(), dx.data());
      kernels::sample_norm_double_backward(Stream(), rows, length, values.data(), n.data(), g.data(),
                                           gg.data(), d_g.data(), d_x.data());
      const double relative = (std::sqrt(static_cast<double>(length)) + 8) * kUnit<T>;
      const In<T> x(values, "x"), given_n(n, "n"), given_g(g, "g"), given_gg(gg, "gg");
      {
        const Out<T> y(rows, "n");
        run_all_orders([&] { kernels::sample_norm(stream(), rows, length, x.data(), eps, y.data()); },
                       {.shift = 1});
        expect_near(
            y.values(), n, [&](size_t i) { return relative * n[i]; }, "norm");
      }
      {
        const Out<T> y(rows * length, "dx");
        run_all_orders(
            [&] {
              kernels::sample_norm_backward(stream(), rows, length, x.data(), given_n.data(), given_g.data(),
                                            y.data());
            },
            {.shift = 1});
        expect_same(y.values(), dx, "backward");  // no sum in it
      }
      const auto bound = [&](size_t i) {
        // |<gg, x>| is summed with errors relative to |gg| |x|; divided by n and scaled by g / n.
        const size_t row = i / static_cast<size_t>(std::max<int64_t>(length, 1));
        return 8 * relative * (1 + std::abs(g[row]) / std::max<double>(n[row], 1e-3)) *
               std::sqrt(length + 1.0);
      };
      const Out<T> a(rows, "d_g"), b(rows * length, "d_x");
      run_all_orders([&] {
        kernels::sample_norm_double_backward(stream(), rows, length, x.data(), given_n.data(), given_g.data(),
                                             given_gg.data(), a.data(), b.data());
      });
      expect_near(
          a.values(), d_g, [&](size_t i) { return bound(i * static_cast<size_t>(length)); }, "d_g");
      expect_near(b.values(), d_x, bound, "d_x");
      // Either output alone, the second in place: the same bits.
      const Out<T> alone(rows, "d_g alone");
      const InOut<T> in_place(gg, "gg and d_x");
      const std::vector<T> both_g = a.values(), both_x = b.values();
      run_all_orders([&] {
        kernels::sample_norm_double_backward(stream(), rows, length, x.data(), given_n.data(), given_g.data(),
                                             given_gg.data(), a.data(), b.data());
        kernels::sample_norm_double_backward(stream(), rows, length, x.data(), given_n.data(), given_g.data(),
                                             in_place.data(), alone.data(), nullptr);
        kernels::sample_norm_double_backward(stream(), rows, length, x.data(), given_n.data(), given_g.data(),
                                             in_place.data(), nullptr, in_place.data());
      });
      expect_same(alone.values(), both_g, "d_g alone");
      expect_same(in_place.values(), both_x, "d_x in place");
    }
  }
}

}  // namespace
}  // namespace duel::simt
