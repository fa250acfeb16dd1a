// Element-wise maps against plain double loops: every registered functor, broadcasting of every pattern up to
// rank 5, where, fill, cast. Fails on a wrong stride or a wrong merge of axes, on a stretch that starts
// in the middle of an axis (sizes above one range of 16384 elements), on reads of a wrong operand, and on
// bits that follow the threads.
#include "duel/kernels/map/elementwise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "duel/kernels/base/parallel.h"
#include "duel/kernels/map/functors.h"
#include "tests/kernels/buffer.h"

namespace duel::kernels {
namespace {

using Shape = std::vector<int64_t>;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

int64_t size_of(const Shape& shape) {
  int64_t n = 1;
  for (int64_t extent : shape) n *= extent;
  return n;
}

/// Value of an input of shape `in` at output position i of shape `out`: NumPy's rule, one coordinate at a
/// time.
template <class T>
T read(const std::vector<T>& x, const Shape& in, const Shape& out, int64_t i) {
  int64_t offset = 0, step = 1;
  for (size_t d = out.size(); d-- > 0;) {
    const int64_t k = i % out[d];
    i /= out[d];
    const size_t lead = out.size() - in.size();
    if (d < lead) continue;
    const int64_t extent = in[d - lead];
    offset += extent == 1 ? 0 : k * step;
    step *= extent;
  }
  return x[static_cast<size_t>(offset)];
}

struct Formula {
  std::string name;
  std::function<double(double)> exact;
  std::function<void(int64_t, const float*, float*)> single;
  std::function<void(int64_t, const double*, double*)> twice;
};

template <class F>
Formula formula(const char* name, std::function<double(double)> exact, F f = {}) {
  return {name, exact, [f](int64_t n, const float* x, float* y) { unary({}, n, x, y, f); },
          [f](int64_t n, const double* x, double* y) { unary({}, n, x, y, f); }};
}

std::vector<Formula> formulas() {
  return {
      formula<Neg>("Neg", [](double x) { return -x; }),
      formula<Exp>("Exp", [](double x) { return std::exp(x); }),
      formula<Expm1>("Expm1", [](double x) { return std::expm1(x); }),
      formula<Log>("Log", [](double x) { return std::log(x); }),
      formula<Log1p>("Log1p", [](double x) { return std::log1p(x); }),
      formula<Erf>("Erf", [](double x) { return std::erf(x); }),
      formula<Sqrt>("Sqrt", [](double x) { return std::sqrt(x); }),
      formula<Abs>("Abs", [](double x) { return std::abs(x); }),
      formula<Sign>("Sign", [](double x) { return x > 0 ? 1.0 : (x < 0 ? -1.0 : x); }),
      formula<Square>("Square", [](double x) { return x * x; }),
      formula<Reciprocal>("Reciprocal", [](double x) { return 1 / x; }),
      formula(
          "AddScalar", [](double x) { return x + 1.25; }, AddScalar{1.25}),
      formula(
          "MulScalar", [](double x) { return x * -0.75; }, MulScalar{-0.75}),
      formula(
          "DivScalar", [](double x) { return x / -13.0; }, DivScalar{-13.0}),
      formula(
          "ScalarDiv", [](double x) { return 13.0 / x; }, ScalarDiv{13.0}),
      formula(
          "PowScalar", [](double x) { return std::pow(x, 3); }, PowScalar{3}),
      formula(
          "MaxScalar", [](double x) { return std::isnan(x) ? x : std::max(x, 0.5); }, MaxScalar{0.5}),
      formula(
          "ClampMax", [](double x) { return std::isnan(x) ? x : std::min(x, 0.5); }, ClampMax{0.5}),
      formula(
          "Clamp", [](double x) { return std::isnan(x) ? x : std::min(std::max(x, -0.5), 0.25); },
          Clamp{-0.5, 0.25}),
      formula(
          "GreaterScalar", [](double x) { return x > 0.5 ? 1.0 : 0.0; }, GreaterScalar{0.5}),
  };
}

template <class T>
void expect_close(T got, double want, const std::string& what) {
  if (std::isnan(want)) {
    EXPECT_TRUE(std::isnan(got)) << what << ": " << got;
  } else if (std::isinf(want)) {
    EXPECT_EQ(static_cast<double>(got), want) << what;
  } else {
    const double unit = std::numeric_limits<T>::epsilon();
    EXPECT_NEAR(static_cast<double>(got), want,
                2 * unit * std::abs(want) + std::numeric_limits<T>::denorm_min())
        << what;
  }
}

TEST(Unary, EveryFunctor) {
  for (const Formula& f : formulas()) {
    for (int64_t n : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{33}, int64_t{16384 + 5}}) {
      std::vector<float> x = noise<float>(n, 11);
      for (float& v : x) v *= 3;
      const float special[] = {0.0f, 1.0f, -1.0f, 0.5f, std::nanf(""), INFINITY, -INFINITY};
      for (int64_t i = 0; n == 33 && i < 7; ++i) x[static_cast<size_t>(4 * i)] = special[i];
      const std::vector<double> xd(x.begin(), x.end());
      Guarded<float> y(n);
      Guarded<double> yd(n);
      f.single(n, x.data(), y.data());
      f.twice(n, xd.data(), yd.data());
      ASSERT_TRUE(y.guards_intact() && yd.guards_intact()) << f.name;
      for (int64_t i = 0; i < n; ++i) {
        const std::string what = f.name + "(" + std::to_string(xd[i]) + ")";
        expect_close(y.data()[i], f.exact(xd[i]), what);
        expect_close(yd.data()[i], f.exact(xd[i]), what);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(Unary, InPlaceAndErrors) {
  std::vector<float> x = {1, 2, 3};
  unary<Square>({}, 3, x.data(), x.data());
  EXPECT_EQ(x, (std::vector<float>{1, 4, 9}));
  EXPECT_THROW(unary<Neg>({}, -1, x.data(), x.data()), Error);
  EXPECT_THROW(unary<Neg>({}, 1, static_cast<const float*>(nullptr), x.data()), Error);
  EXPECT_NO_THROW(unary<Neg>({}, 0, static_cast<const float*>(nullptr), static_cast<float*>(nullptr)));
}

struct Shapes {
  Shape out, a, b;
};

/// Same, scalar, row, column, channel and mixed patterns; extents of 1, of 0, odd, and past one range of the
/// threads.
const Shapes kShapes[] = {
    {{}, {}, {}},
    {{1}, {1}, {1}},
    {{7}, {7}, {7}},
    {{7}, {1}, {7}},
    {{7}, {7}, {}},
    {{1, 1}, {1, 1}, {1}},
    {{5, 7}, {5, 7}, {7}},
    {{5, 7}, {7}, {5, 7}},
    {{5, 7}, {5, 7}, {5, 1}},
    {{5, 7}, {5, 1}, {1, 7}},
    {{5, 7}, {5, 1}, {5, 1}},
    {{17, 3001}, {17, 1}, {3001}},
    {{3001, 17}, {3001, 17}, {17}},
    {{3, 4, 5, 6}, {3, 4, 5, 6}, {4, 1, 1}},
    {{3, 4, 5, 6}, {4, 1, 1}, {3, 1, 5, 6}},
    {{8, 16, 14, 14}, {8, 16, 14, 14}, {16, 1, 1}},
    {{3, 1, 5, 1}, {3, 1, 1, 1}, {1, 5, 1}},
    {{2, 3, 4, 5, 6}, {2, 1, 4, 1, 6}, {3, 1, 5, 1}},
    {{2, 3, 4, 5, 6}, {2, 3, 4, 5, 6}, {1}},
    {{2, 3, 4, 5, 6}, {1, 3, 1, 5, 1}, {2, 1, 4, 1, 6}},
    {{0}, {0}, {1}},
    {{3, 0, 2}, {3, 0, 1}, {2}},
};

template <class F, class T>
void check_binary(const std::function<double(double, double)>& exact) {
  for (const Shapes& s : kShapes) {
    auto a = noise<T>(size_of(s.a), 1), b = noise<T>(size_of(s.b), 2);
    for (size_t i = 0; i < a.size(); i += 3) a[i] = T(0.5);  // equal values for the comparisons
    for (size_t i = 0; i < b.size(); i += 2) b[i] = T(0.5);
    const int64_t n = size_of(s.out);
    Guarded<T> y(n);
    binary<F>({}, make_broadcast(s.out, s.a, s.b), a.data(), b.data(), y.data());
    ASSERT_TRUE(y.guards_intact());
    for (int64_t i = 0; i < n; ++i) {
      const double left = read(a, s.a, s.out, i), right = read(b, s.b, s.out, i);
      expect_close(y.data()[i], exact(left, right),
                   typeid(F).name() + std::to_string(left) + "," + std::to_string(right));
      if (::testing::Test::HasFailure()) return;
    }
  }
}

template <class F>
void check_both(const std::function<double(double, double)>& exact) {
  check_binary<F, float>(exact);
  check_binary<F, double>(exact);
}

TEST(Binary, EveryFunctorEveryBroadcast) {
  check_both<Add>([](double a, double b) { return a + b; });
  check_both<Sub>([](double a, double b) { return a - b; });
  check_both<Mul>([](double a, double b) { return a * b; });
  check_both<Div>([](double a, double b) { return a / b; });
  check_both<Pow>([](double a, double b) { return std::pow(a, b); });
  check_both<Maximum>([](double a, double b) { return a > b ? a : b; });
  check_both<Minimum>([](double a, double b) { return a < b ? a : b; });
  check_both<Greater>([](double a, double b) { return a > b ? 1.0 : 0.0; });
  check_both<GreaterEqual>([](double a, double b) { return a >= b ? 1.0 : 0.0; });
  check_both<Equal>([](double a, double b) { return a == b ? 1.0 : 0.0; });
}

TEST(Binary, NotANumberWinsInMaximumAndMinimum) {
  const int64_t n = 4;
  const Shape shape = {n};
  const double a[] = {kNan, 1, -kInf, kNan}, b[] = {1, kNan, kInf, kNan};
  double y[4];
  binary<Maximum>({}, make_broadcast(shape, shape, shape), a, b, y);
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]) && y[2] == kInf && std::isnan(y[3]));
  binary<Minimum>({}, make_broadcast(shape, shape, shape), a, b, y);
  EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]) && y[2] == -kInf && std::isnan(y[3]));
}

TEST(Binary, MergesAxes) {
  EXPECT_EQ(make_broadcast(Shape{2, 3, 4}, Shape{2, 3, 4}, Shape{2, 3, 4}).rank, 1);
  EXPECT_EQ(make_broadcast(Shape{2, 3, 4}, Shape{2, 3, 4}, Shape{}).rank, 1);
  EXPECT_EQ(make_broadcast(Shape{2, 3, 4}, Shape{2, 3, 4}, Shape{3, 4}).rank, 2);
  EXPECT_EQ(make_broadcast(Shape{2, 3, 4, 5}, Shape{2, 3, 4, 5}, Shape{3, 1, 1}).rank, 3);
}

TEST(Binary, RefusesShapes) {
  EXPECT_THROW(make_broadcast(Shape{3}, Shape{3}, Shape{2}), Error);
  EXPECT_THROW(make_broadcast(Shape{3}, Shape{1, 3}, Shape{3}), Error);
  EXPECT_THROW(make_broadcast(Shape{1, 1, 1, 1, 1, 1}, Shape{}, Shape{}), Error);
  EXPECT_THROW(make_broadcast(Shape{1}, Shape{3}, Shape{1}), Error);
}

TEST(Binary, SameBitsForAnyThreadCount) {
  const Shape out = {130, 517}, row = {517};
  const auto a = noise<float>(size_of(out), 1), b = noise<float>(517, 2);
  std::vector<std::vector<float>> results;
  for (int count : {1, 2, 4}) {
    set_threads(count);
    Guarded<float> y(size_of(out));
    binary<Div>({}, make_broadcast(out, out, row), a.data(), b.data(), y.data());
    unary<Exp>({}, size_of(out), y.data(), y.data());
    results.push_back(y.copy());
  }
  set_threads(2);
  EXPECT_EQ(std::memcmp(results[0].data(), results[1].data(), results[0].size() * 4), 0);
  EXPECT_EQ(std::memcmp(results[0].data(), results[2].data(), results[0].size() * 4), 0);
}

TEST(Where, EveryBroadcastOfThree) {
  const Shape out = {3, 4, 5};
  const Shape shapes[] = {{3, 4, 5}, {5}, {4, 1}, {3, 1, 1}, {}};
  for (const Shape& c : shapes) {
    for (const Shape& a : shapes) {
      for (const Shape& b : shapes) {
        std::vector<uint8_t> condition;
        for (float v : noise<float>(size_of(c), 3))
          condition.push_back(v > 0 ? static_cast<uint8_t>(1 + condition.size()) : 0);
        const auto left = noise<float>(size_of(a), 1), right = noise<float>(size_of(b), 2);
        Guarded<float> y(size_of(out));
        where({}, make_broadcast(out, c, a, b), condition.data(), left.data(), right.data(), y.data());
        ASSERT_TRUE(y.guards_intact());
        for (int64_t i = 0; i < size_of(out); ++i) {
          const bool holds = read(condition, c, out, i) != 0;
          ASSERT_EQ(y.data()[i], holds ? read(left, a, out, i) : read(right, b, out, i)) << i;
        }
      }
    }
  }
}

TEST(Where, DoesNotMixInTheOtherSide) {
  const Shape shape = {2};
  const uint8_t condition[] = {1, 0};
  const double a[] = {1, kNan}, b[] = {kNan, 2};
  double y[2];
  where({}, make_broadcast(shape, shape, shape, shape), condition, a, b, y);
  EXPECT_EQ(y[0], 1);
  EXPECT_EQ(y[1], 2);
}

TEST(Fill, EveryType) {
  Guarded<float> y(20001);
  fill({}, 20001, 2.5f, y.data());
  for (float v : y.copy()) ASSERT_EQ(v, 2.5f);
  EXPECT_TRUE(y.guards_intact());
  std::vector<uint8_t> bytes(5, 1);
  fill({}, 4, uint8_t{7}, bytes.data());
  EXPECT_EQ(bytes, (std::vector<uint8_t>{7, 7, 7, 7, 1}));
  std::vector<int64_t> labels(3, 1);
  fill({}, 2, int64_t{-9}, labels.data());
  EXPECT_EQ(labels, (std::vector<int64_t>{-9, -9, 1}));
}

TEST(Cast, RoundsTowardsZeroAndClamps) {
  const std::vector<double> x = {0, 1.9, -1.9, 255.9, 256, -1, 1e30, -1e30, kNan, kInf, -kInf};
  const int64_t n = static_cast<int64_t>(x.size());
  std::vector<uint8_t> bytes(x.size());
  cast({}, n, x.data(), bytes.data());
  EXPECT_EQ(bytes, (std::vector<uint8_t>{0, 1, 0, 255, 255, 0, 255, 0, 0, 255, 0}));
  std::vector<int64_t> whole(x.size());
  cast({}, n, x.data(), whole.data());
  const int64_t top = std::numeric_limits<int64_t>::max(), bottom = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(whole, (std::vector<int64_t>{0, 1, -1, 255, 256, -1, top, bottom, 0, top, bottom}));
  const std::vector<int64_t> labels = {-5, 0, 300, 1000000007};
  cast({}, 4, labels.data(), bytes.data());
  EXPECT_EQ(bytes[0], 0);
  EXPECT_EQ(bytes[2], 255);
  std::vector<double> back(4);
  cast({}, 4, labels.data(), back.data());
  EXPECT_EQ(back, (std::vector<double>{-5, 0, 300, 1000000007}));
  std::vector<float> pixels(4);
  cast({}, 4, bytes.data(), pixels.data());
  EXPECT_EQ(pixels, (std::vector<float>{0, 0, 255, 255}));
}

TEST(AddInplace, Adds) {
  const int64_t n = 20001;
  const auto x = noise<double>(n, 1), start = noise<double>(n, 2);
  auto y = start;
  add_inplace({}, n, x.data(), y.data());
  for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[i], start[i] + x[i]);
}

}  // namespace
}  // namespace duel::kernels
