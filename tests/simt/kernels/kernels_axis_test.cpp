// What goes along an axis as CUDA kernels: flip, gather and scatter, sequences, running sums, order, sums of integers.
// The same bits as the host's.
#include "duel/kernels/map/axis.h"
#include "duel/kernels/map/movement.h"
#include "duel/kernels/reduce/reduce.h"
#include "duel/kernels/reduce/scan.h"
#include "kernels_common.h"

namespace duel::simt {
namespace {

using kernels::Stream;

template <class T>
class SimtAxis : public ::testing::Test {};
TYPED_TEST_SUITE(SimtAxis, Types);

template <class T>
std::vector<T> values_of(int64_t n, uint64_t key) {
  if constexpr (std::is_floating_point_v<T>) {
    return noise<T>(n, key);
  } else {
    return indices<T>(n, 23, 7);
  }
}

struct Extents {
  int64_t a, r, b;
};
const Extents kExtents[] = {{1, 1, 1}, {3, 7, 5}, {1, 300, 1}, {2, 4, 33}, {5, 0, 3}, {0, 3, 2}};

template <class T>
void expect_flip() {
  const int64_t shape[] = {3, 5, 7};
  const bool turned[][3] = {
      {true, false, false}, {false, false, true}, {true, true, true}, {false, false, false}};
  for (const auto& axes : turned) {
    expect_map<T, T>(
        {values_of<T>(105, 1)}, 105,
        [&](Stream s, auto& x, T* y) { kernels::flip(s, 3, shape, axes, x[0], y); }, "flip");
  }
}
TEST(SimtFlip, EveryType) {
  expect_flip<float>();
  expect_flip<double>();
  expect_flip<uint8_t>();
  expect_flip<int64_t>();
}

template <class T>
void expect_along_axis() {
  for (const auto& [a, r, b] : kExtents) {
    const int64_t k = r == 0 ? 0 : 2 * r - 1;
    const auto x = values_of<T>(a * r * b, 1), g = values_of<T>(a * k * b, 2);
    const auto index = indices<int64_t>(a * k * b, std::max<int64_t>(r, 1), 4);
    std::vector<T> picked(g.size()), added(x);
    kernels::gather_axis(Stream(), a, r, b, k, x.data(), index.data(), picked.data());
    kernels::scatter_add_axis(Stream(), a, r, b, k, g.data(), index.data(), added.data());
    const In<T> from(x, "x"), terms(g, "g");
    const In<int64_t> at(index, "index");
    {
      const Out<T> y(a * k * b, "picked");
      run_all_orders(
          [&, a_ = a, r_ = r, b_ = b] {
            kernels::gather_axis(stream(), a_, r_, b_, k, from.data(), at.data(), y.data());
          },
          {.shift = 1});
      expect_same(y.values(), picked, "gather_axis");
    }
    const InOut<T> sum(x, "added");
    run_all_orders([&, a_ = a, r_ = r, b_ = b] {
      kernels::scatter_add_axis(stream(), a_, r_, b_, k, terms.data(), at.data(), sum.data());
    });
    expect_same(sum.values(), added, "scatter_add_axis");
  }
}
TEST(SimtAlongAxis, GatherAndScatter) {
  expect_along_axis<float>();
  expect_along_axis<double>();
  expect_along_axis<int64_t>();
}

/// Indices outside: not-a-number, or left out; nothing outside is touched.
TYPED_TEST(SimtAxis, IndicesOutsideTheAxis) {
  using T = TypeParam;
  const In<T> x(noise<T>(3, 1), "x");
  const In<int64_t> at({2, -1, 3, 0}, "index");
  {
    const Out<T> y(4, "y");
    run_all_orders([&] { kernels::gather_axis(stream(), 1, 3, 1, 4, x.data(), at.data(), y.data()); });
    EXPECT_EQ(y.data()[0], x.data()[2]);
    EXPECT_TRUE(std::isnan(y.data()[1]) && std::isnan(y.data()[2]));
    EXPECT_EQ(y.data()[3], x.data()[0]);
  }
  const In<T> g(std::vector<T>{1, 2, 4, 8}, "g");
  const InOut<T> sum(std::vector<T>{0, 0, 0}, "sum");
  run_all_orders([&] { kernels::scatter_add_axis(stream(), 1, 3, 1, 4, g.data(), at.data(), sum.data()); });
  EXPECT_EQ(sum.values(), (std::vector<T>{8, 0, 1}));
}

template <class T>
void expect_scans() {
  for (const auto& [a, r, b] : kExtents) {
    for (bool turned : {false, true}) {
      expect_map<T, T>(
          {values_of<T>(a * r * b, 3)}, a * r * b,
          [&, a_ = a, r_ = r, b_ = b](Stream s, auto& x, T* y) {
            kernels::cumsum(s, a_, r_, b_, turned, x[0], y);
          },
          "cumsum");
      auto values = values_of<T>(a * r * b, 4);
      if constexpr (std::is_floating_point_v<T>) {
        for (size_t i = 0; i < values.size(); i += 4)
          values[i] = i % 8 == 0 ? T(0.25) : std::numeric_limits<T>::quiet_NaN();
      }
      expect_map<int64_t, T>(
          {values}, a * r * b,
          [&, a_ = a, r_ = r, b_ = b](Stream s, auto& x, int64_t* y) {
            kernels::sort_rows(s, a_ * b_, r_, turned, x[0], y);
          },
          "sort_rows");
    }
  }
  expect_map<T, T>(
      {}, 301, [](Stream s, auto&, T* y) { kernels::sequence<T>(s, 301, -4, 3, 896, y); }, "sequence");
}
TEST(SimtScan, EveryType) {
  expect_scans<float>();
  expect_scans<double>();
  expect_scans<int64_t>();
}

TEST(SimtReduceIntegers, SumsAndExtremes) {
  using T = int64_t;
  for (const auto& [a, r, b] : {Extents{1, 1, 1}, {3, 37, 5}, {1, 20001, 1}, {2, 700, 33}}) {
    auto x = indices<T>(a * r * b, 1000003, 7919);
    for (T& v : x) v -= 500000;
    const auto call = [&, a_ = a, r_ = r, b_ = b](int kind, Stream s, const T* in, T* out, T* work) {
      if (kind == 0) kernels::sum_axes(s, a_, r_, b_, in, out, work);
      if (kind == 1) kernels::max_axes(s, a_, r_, b_, in, out, work);
      if (kind == 2) kernels::min_axes(s, a_, r_, b_, in, out, work);
    };
    for (int kind = 0; kind < 3; ++kind) {
      std::vector<T> space(static_cast<size_t>(kernels::reduce_workspace(a, r, b))),
          expected(static_cast<size_t>(a * b));
      call(kind, Stream(), x.data(), expected.data(), space.data());
      for (int64_t i = 0; i < a * b; ++i) {
        T value = x[static_cast<size_t>(i / b * r * b + i % b)];
        for (int64_t k = 1; k < r; ++k) {
          const T next = x[static_cast<size_t>((i / b * r + k) * b + i % b)];
          value = kind == 0 ? value + next : kind == 1 ? std::max(value, next) : std::min(value, next);
        }
        ASSERT_EQ(expected[static_cast<size_t>(i)], value) << kind;
      }
      const In<T> in(x, "x");
      const Out<T> out(a * b, "y"), work(static_cast<int64_t>(space.size()), "workspace");
      run_all_orders([&] { call(kind, stream(), in.data(), out.data(), work.data()); });
      expect_same(out.values(), expected, "reduction");
    }
  }
}

}  // namespace
}  // namespace duel::simt
