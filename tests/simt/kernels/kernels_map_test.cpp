// Element-wise families as CUDA kernels: every formula, broadcasting, casts, activations. The same
// bits as the host's. Fails on a wrong tail, stride or argument order, and on a formula that host and device
// do not share.
#include <iterator>
#include <list>

#include "apps/bench/cases/example_of.h"
#include "duel/kernels/map/activations.h"
#include "duel/kernels/map/functors.h"
#include "kernels_common.h"

namespace duel::simt {
namespace {

using kernels::Stream;

template <class T>
class SimtMap : public ::testing::Test {};
TYPED_TEST_SUITE(SimtMap, Types);

template <class T, class F>
void expect_unary(int64_t n, F f, const std::string& what,
                  const RunOptions& options = {.shuffles = 2, .shift = 1}) {
  expect_map<T, T>(
      {noise_with_corners<T>(n, 1)}, n, [&](Stream s, auto& x, T* y) { kernels::unary(s, n, x[0], y, f); },
      what, options);
}

TYPED_TEST(SimtMap, EveryUnaryFormula) {
  using T = TypeParam;
  using namespace kernels;
  constexpr int64_t n = 300;
#define DUEL_EXPECT(F) expect_unary<T>(n, apps::bench::example_of<F>(), #F);
  DUEL_UNARY_FUNCTORS(DUEL_EXPECT)
#undef DUEL_EXPECT
}

TYPED_TEST(SimtMap, EverySize) {
  for (int64_t n : kSizes) {
    expect_unary<TypeParam>(n, kernels::Square{}, "Square", {.shuffles = 3, .shift = 0});
    expect_unary<TypeParam>(n, kernels::Square{}, "Square", {.shuffles = 3, .shift = 1});
  }
  run_all_orders([&] { kernels::unary<kernels::Neg, TypeParam>(stream(), 0, nullptr, nullptr); });
}

/// More elements than the largest grid has threads.
TEST(SimtMapLarge, StridesOverTheGrid) {
  expect_unary<float>(4096 * 256 + 301, kernels::AddScalar{1.0}, "AddScalar", {.shuffles = 1});
}

TYPED_TEST(SimtMap, InPlace) {
  using T = TypeParam;
  const auto x = noise<T>(700, 1), other = noise<T>(700, 2);
  expect_map_in_place(
      x, [](Stream s, T* y) { kernels::unary(s, 700, y, y, kernels::Exp{}); }, "unary");
  const In<T> b(other);
  for (const char* name : {"add_inplace", "binary"}) {
    const auto call = [&](Stream s, const T* from, T* y) {
      const int64_t shape[] = {700};
      if (name[1] == 'd') kernels::add_inplace(s, 700, from, y);
      if (name[1] == 'i')
        kernels::binary(s, kernels::make_broadcast(shape, shape, shape), y, from, y, kernels::Mul{});
    };
    std::vector<T> expected = x;
    call(Stream(), other.data(), expected.data());
    const InOut<T> y(x);
    run_all_orders([&] { call(stream(), b.data(), y.data()); }, {.shift = 1});
    expect_same(y.values(), expected, name);
  }
}

template <class T, class F>
void expect_binary(const Shape& out, const Shape& a, const Shape& b, F f, const std::string& what) {
  const auto plan = kernels::make_broadcast(out, a, b);
  expect_map<T, T>(
      {noise_with_corners<T>(volume(a), 1), noise_with_corners<T>(volume(b), 2)}, volume(out),
      [&](Stream s, auto& x, T* y) { kernels::binary(s, plan, x[0], x[1], y, f); }, what);
}

TYPED_TEST(SimtMap, EveryBinaryFormula) {
  using T = TypeParam;
  using namespace kernels;
  const auto both = [](auto f, const std::string& what) {
    expect_binary<T>({17, 19}, {17, 19}, {17, 19}, f, what);
    expect_binary<T>({17, 19}, {17, 1}, {19}, f, what + ", broadcast");
  };
#define DUEL_EXPECT(F) both(F{}, #F);
  DUEL_BINARY_FUNCTORS(DUEL_EXPECT)
#undef DUEL_EXPECT
}

/// With equal elements among them; integers from small ones.
template <class T>
std::vector<T> comparable(int64_t n, uint64_t key) {
  if constexpr (std::is_floating_point_v<T>) {
    auto values = noise_with_corners<T>(n, key);
    for (size_t k = 0; k < values.size(); k += 3) values[k] = T(0.5);
    return values;
  } else {
    return indices<T>(n, 5, static_cast<int64_t>(key) + 1);
  }
}

template <class T>
void expect_comparisons() {
  using namespace kernels;
  for (const auto& [out, left, right] :
       {std::tuple<Shape, Shape, Shape>{{17, 19}, {17, 19}, {17, 19}}, {{17, 19}, {17, 1}, {19}}}) {
    const auto plan = make_broadcast(out, left, right);
    const auto each = [&](auto f, const std::string& what) {
      expect_map<uint8_t, T>(
          {comparable<T>(volume(left), 1), comparable<T>(volume(right), 2)}, volume(out),
          [&](Stream s, auto& x, uint8_t* y) { compare(s, plan, x[0], x[1], y, f); }, what);
    };
#define DUEL_EXPECT(F) each(F{}, #F);
    DUEL_COMPARE_FUNCTORS(DUEL_EXPECT)
    if constexpr (std::is_same_v<T, uint8_t>) {
      DUEL_LOGICAL_FUNCTORS(DUEL_EXPECT)
#undef DUEL_EXPECT
    }
    if constexpr (std::is_same_v<T, int64_t>) {
      const auto integers = [&](auto f, const std::string& what) {
        expect_map<T, T>(
            {comparable<T>(volume(left), 1), comparable<T>(volume(right), 2)}, volume(out),
            [&](Stream s, auto& x, T* y) { binary(s, plan, x[0], x[1], y, f); }, what);
      };
#define DUEL_EXPECT(F) integers(F{}, #F);  // division also by zero
      DUEL_INTEGER_FUNCTORS(DUEL_EXPECT)
#undef DUEL_EXPECT
    }
  }
}
TEST(SimtCompare, EveryType) {
  expect_comparisons<float>();
  expect_comparisons<double>();
  expect_comparisons<uint8_t>();
  expect_comparisons<int64_t>();
}

TYPED_TEST(SimtMap, BroadcastShapes) {
  using T = TypeParam;
  struct Case {
    Shape out, a, b;
  };
  const std::vector<Case> cases = {{{1}, {1}, {1}},
                                   {{257}, {257}, {1}},
                                   {{3, 7}, {3, 7}, {7}},
                                   {{3, 7}, {3, 1}, {1, 7}},
                                   {{5, 6, 7}, {6, 1}, {5, 1, 7}},
                                   {{2, 3, 4, 5}, {3, 1, 1}, {2, 3, 4, 5}},
                                   {{2, 3, 2, 3, 5}, {2, 1, 2, 1, 5}, {3, 1, 3, 1}},
                                   {{4, 0, 3}, {4, 1, 3}, {4, 0, 3}}};
  for (const Case& c : cases) expect_binary<T>(c.out, c.a, c.b, kernels::Sub{}, "Sub");
}

// Each pair once, and nothing beyond its end; an empty one among them.
TYPED_TEST(SimtMap, AddEach) {
  using T = TypeParam;
  const std::vector<int64_t> sizes = {1, 300, 0, 31, 2000};
  std::vector<std::vector<T>> expected;
  std::list<InOut<T>> to;
  std::list<In<T>> from;
  kernels::Additions<T> on_host, on_device;
  for (int64_t size : sizes) {
    const auto key = static_cast<uint64_t>(size);
    expected.push_back(noise<T>(size, key));
    to.emplace_back(expected.back(), "to");
    from.emplace_back(noise<T>(size, key + 1), "from");
  }
  std::list<std::vector<T>> values;
  for (size_t k = 0; k < sizes.size(); ++k) {
    values.push_back(noise<T>(sizes[k], static_cast<uint64_t>(sizes[k]) + 1));
    const auto i = static_cast<size_t>(on_host.count++);
    on_host.to[i] = expected[k].data(), on_host.from[i] = values.back().data(), on_host.size[i] = sizes[k];
  }
  kernels::add_each(Stream(), on_host);
  for (size_t k = 0; k < sizes.size(); ++k) {
    const std::vector<T> before = noise<T>(sizes[k], static_cast<uint64_t>(sizes[k]));
    for (size_t i = 0; i < before.size(); ++i)
      ASSERT_EQ(expected[k][i], before[i] + std::next(values.begin(), static_cast<std::ptrdiff_t>(k))->at(i));
  }
  run_all_orders([&] {
    on_device = {};
    auto source = from.begin();
    for (const InOut<T>& target : to) {
      const auto i = static_cast<size_t>(on_device.count++);
      on_device.to[i] = target.data(), on_device.from[i] = (source++)->data(), on_device.size[i] = sizes[i];
    }
    kernels::add_each(stream(), on_device);
  });
  size_t k = 0;
  for (const InOut<T>& target : to) expect_same(target.values(), expected[k++], "add_each");
}

TYPED_TEST(SimtMap, Where) {
  using T = TypeParam;
  struct Case {
    Shape out, condition, a, b;
  };
  const std::vector<Case> cases = {{{300}, {300}, {300}, {300}},
                                   {{5, 6, 7}, {6, 7}, {5, 6, 7}, {1}},
                                   {{5, 6, 7}, {5, 1, 1}, {6, 1}, {7}},
                                   {{2, 3, 2, 3, 5}, {3, 1, 3, 1}, {5}, {2, 3, 2, 3, 5}}};
  for (const Case& c : cases) {
    const auto plan = kernels::make_broadcast(c.out, c.condition, c.a, c.b);
    std::vector<uint8_t> condition(static_cast<size_t>(volume(c.condition)));
    for (size_t k = 1; k < condition.size(); k += 2) condition[k] = static_cast<uint8_t>(k);
    const auto a = noise<T>(volume(c.a), 1), b = noise<T>(volume(c.b), 2);
    std::vector<T> expected(static_cast<size_t>(volume(c.out)));
    kernels::where(Stream(), plan, condition.data(), a.data(), b.data(), expected.data());
    const In<uint8_t> chosen(condition, "condition");
    const In<T> left(a, "a"), right(b, "b");
    const Out<T> y(volume(c.out), "y");
    run_all_orders(
        [&] { kernels::where(stream(), plan, chosen.data(), left.data(), right.data(), y.data()); },
        {.shift = 1});
    expect_same(y.values(), expected, "where");
  }
}

template <class From, class To>
void expect_cast() {
  std::vector<From> x(300);
  for (size_t k = 0; k < x.size(); ++k) x[k] = static_cast<From>(static_cast<double>(k) * 3.7 - 20);
  if constexpr (std::is_floating_point_v<From>) {
    x = noise_with_corners<From>(300, 4);
    x[3] = From(1e30);
    x[4] = From(-1e30);
    x[5] = From(255.9);
    x[6] = From(256);
  }
  expect_map<To, From>(
      {x}, 300, [](Stream s, auto& from, To* to) { kernels::cast(s, 300, from[0], to); }, "cast");
}

template <class From>
void expect_casts() {
  expect_cast<From, float>();
  expect_cast<From, double>();
  expect_cast<From, uint8_t>();
  expect_cast<From, int64_t>();
  expect_map<From, From>(
      {}, 300, [](Stream s, auto&, From* y) { kernels::fill(s, 300, From(7), y); }, "fill");
}

TEST(SimtCast, EachToEachAndFill) {
  expect_casts<float>();
  expect_casts<double>();
  expect_casts<uint8_t>();
  expect_casts<int64_t>();
}

template <class T, class A>
void expect_activation(A f, const std::string& what) {
  constexpr int64_t n = 300;
  const auto x = noise_with_corners<T>(n, 1), g = noise<T>(n, 2);
  expect_map<T, T>(
      {x}, n, [&](Stream s, auto& in, T* y) { kernels::activation(s, n, in[0], y, f); }, what);
  expect_map<T, T>(
      {x, g}, n, [&](Stream s, auto& in, T* y) { kernels::activation_d1(s, n, in[0], in[1], y, f); },
      what + "'");
  expect_map<T, T>(
      {x, g}, n, [&](Stream s, auto& in, T* y) { kernels::activation_d2(s, n, in[0], in[1], y, f); },
      what + "''");
}

TYPED_TEST(SimtMap, EveryActivation) {
  using T = TypeParam;
  using namespace kernels;
#define DUEL_EXPECT(A) expect_activation<T>(apps::bench::example_of<A>(), #A);
  DUEL_ACTIVATIONS(DUEL_EXPECT)
#undef DUEL_EXPECT
}

}  // namespace
}  // namespace duel::simt
