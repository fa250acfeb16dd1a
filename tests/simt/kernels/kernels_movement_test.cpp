// Movement as CUDA kernels: the same bits as the host's. Fails on a wrong stride, offset or tail, and where
// an index outside its range is not answered as documented.
#include "duel/kernels/map/movement.h"

#include "duel/kernels/reduce/pooling.h"
#include "kernels_common.h"

namespace duel::simt {
namespace {

using kernels::Stream;

template <class T>
class SimtMovement : public ::testing::Test {};
TYPED_TEST_SUITE(SimtMovement, Types);
template <class T>
class SimtMovementAny : public ::testing::Test {};
using AllTypes = ::testing::Types<float, double, uint8_t, int64_t>;
TYPED_TEST_SUITE(SimtMovementAny, AllTypes);

template <class T>
std::vector<T> numbered(int64_t n) {
  return indices<T>(n, 251, 7);
}

TYPED_TEST(SimtMovementAny, Permute) {
  using T = TypeParam;
  struct Case {
    Shape shape;
    std::vector<int> axes;
  };
  const std::vector<Case> cases = {{{}, {}},
                                   {{7}, {0}},
                                   {{33, 17}, {1, 0}},
                                   {{33, 17}, {0, 1}},
                                   {{3, 5, 7}, {2, 0, 1}},
                                   {{3, 1, 7, 4}, {0, 3, 1, 2}},
                                   {{2, 3, 4, 5, 6}, {4, 2, 0, 3, 1}},
                                   {{3, 0, 2}, {1, 2, 0}}};
  for (const Case& c : cases) {
    expect_map<T, T>(
        {numbered<T>(volume(c.shape))}, volume(c.shape),
        [&](Stream s, auto& x, T* y) {
          kernels::permute(s, static_cast<int>(c.shape.size()), c.shape.data(), c.axes.data(), x[0], y);
        },
        "permute");
  }
}

TYPED_TEST(SimtMovementAny, CopyBox) {
  using T = TypeParam;
  struct Case {
    Shape extent, src, src_at, dst, dst_at;
  };
  const std::vector<Case> cases = {
      {{5}, {9}, {2}, {7}, {1}},
      {{3, 4}, {5, 6}, {1, 2}, {3, 9}, {0, 5}},
      {{2, 3, 4}, {2, 3, 4}, {0, 0, 0}, {4, 5, 6}, {1, 1, 1}},
      {{2, 1, 3, 2, 2}, {3, 2, 3, 3, 4}, {1, 1, 0, 1, 2}, {2, 2, 4, 2, 3}, {0, 1, 1, 0, 1}},
      {{0, 4}, {5, 6}, {1, 2}, {3, 9}, {0, 5}}};
  for (const Case& c : cases) {
    const auto source = numbered<T>(volume(c.src));
    const auto call = [&](Stream s, const T* from, T* to) {
      kernels::copy_box(s, static_cast<int>(c.extent.size()), c.extent.data(), from, c.src.data(),
                        c.src_at.data(), to, c.dst.data(), c.dst_at.data());
    };
    std::vector<T> expected(static_cast<size_t>(volume(c.dst)), T(9));
    const In<T> x(source, "source");
    const InOut<T> y(expected, "destination");  // what lies outside the box stays
    call(Stream(), source.data(), expected.data());
    run_all_orders([&] { call(stream(), x.data(), y.data()); }, {.shift = 1});
    expect_same(y.values(), expected, "copy_box");
  }
}

TYPED_TEST(SimtMovementAny, BroadcastTo) {
  using T = TypeParam;
  struct Case {
    Shape out, in;
  };
  const std::vector<Case> cases = {{{300}, {1}},    {{5, 6, 7}, {7}}, {{5, 6, 7}, {6, 1}},
                                   {{5, 6, 7}, {}}, {{5, 6}, {5, 6}}, {{2, 3, 2, 3, 5}, {3, 1, 3, 1}},
                                   {{4, 0}, {4, 1}}};
  for (const Case& c : cases) {
    expect_map<T, T>(
        {numbered<T>(volume(c.in))}, volume(c.out),
        [&](Stream s, auto& x, T* y) {
          kernels::broadcast_to(s, static_cast<int>(c.out.size()), c.out.data(),
                                static_cast<int>(c.in.size()), c.in.data(), x[0], y);
        },
        "broadcast_to");
  }
}

TYPED_TEST(SimtMovementAny, GatherRows) {
  using T = TypeParam;
  for (const auto& [count, rows, cols] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {40, 9, 33}, {257, 3, 1}, {0, 3, 4}}) {
    const auto values = numbered<T>(rows * cols);
    const auto index = indices<int64_t>(count, rows, 4);
    std::vector<T> expected(static_cast<size_t>(count * cols));
    kernels::gather_rows(Stream(), count, rows, cols, values.data(), index.data(), expected.data());
    const In<T> x(values, "x");
    const In<int64_t> at(index, "index");
    const Out<T> y(count * cols, "y");
    run_all_orders([&, n = count, r = rows,
                    c = cols] { kernels::gather_rows(stream(), n, r, c, x.data(), at.data(), y.data()); },
                   {.shift = 1});
    expect_same(y.values(), expected, "gather_rows");
  }
}

/// On a device nobody can be told: such rows become not-a-number, and nothing outside x is read.
TYPED_TEST(SimtMovement, GatherRowsOutsideTheTable) {
  using T = TypeParam;
  const In<T> x(noise<T>(3 * 5, 1), "x");
  const In<int64_t> at({2, -1, 3, 0, INT64_MAX, INT64_MIN}, "index");
  const Out<T> y(6 * 5, "y");
  run_all_orders([&] { kernels::gather_rows(stream(), 6, 3, 5, x.data(), at.data(), y.data()); });
  for (int64_t i = 0; i < 6; ++i) {
    for (int64_t j = 0; j < 5; ++j) {
      if (i == 0 || i == 3) {
        EXPECT_EQ(y.data()[i * 5 + j], x.data()[(i == 0 ? 10 : 0) + j]);
      } else {
        EXPECT_TRUE(std::isnan(y.data()[i * 5 + j])) << i;
      }
    }
  }
}

TYPED_TEST(SimtMovement, ScatterAddRows) {
  using T = TypeParam;
  for (const auto& [count, rows, cols] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {40, 9, 33}, {257, 3, 1}, {0, 3, 4}}) {
    const auto values = noise<T>(count * cols, 1), before = noise<T>(rows * cols, 2);
    const auto index = indices<int64_t>(count, rows, 4);
    std::vector<T> expected = before;
    kernels::scatter_add_rows(Stream(), count, rows, cols, values.data(), index.data(), expected.data());
    const In<T> g(values, "g");
    const In<int64_t> at(index, "index");
    const InOut<T> y(before, "y");
    run_all_orders(
        [&, n = count, r = rows, c = cols] {
          kernels::scatter_add_rows(stream(), n, r, c, g.data(), at.data(), y.data());
        },
        {.shift = 1});
    expect_same(y.values(), expected, "scatter_add_rows");  // both add in the order of the indices
  }
}

TYPED_TEST(SimtMovement, PoolingAndUpsampling) {
  using T = TypeParam;
  struct Case {
    int64_t planes, height, width, k;
  };
  for (const Case& c :
       {Case{1, 1, 1, 1}, {3, 4, 6, 2}, {2, 9, 6, 3}, {5, 7, 7, 1}, {1, 28, 28, 4}, {0, 4, 4, 2}}) {
    const int64_t n = c.planes * c.height * c.width;
    expect_map<T, T>(
        {noise<T>(n, 1)}, n / (c.k * c.k),
        [&](Stream s, auto& x, T* y) {
          kernels::sum_pool2d(s, c.planes, c.height, c.width, c.k, x[0], y, 3.3);
        },
        "sum_pool2d");
    expect_map<T, T>(
        {noise<T>(n, 2)}, n * c.k * c.k,
        [&](Stream s, auto& x, T* y) {
          kernels::upsample_nearest2d(s, c.planes, c.height, c.width, c.k, x[0], y, 1.4);
        },
        "upsample_nearest2d");
  }
}

TYPED_TEST(SimtMovement, WindowsThatOverlap) {
  using T = TypeParam;
  using kernels::PoolShape;
  for (const PoolShape& s : {PoolShape{.planes = 1, .h_in = 1, .w_in = 1, .h_out = 1, .w_out = 1},
                             PoolShape{.planes = 3,
                             .h_in = 7,
                             .w_in = 9,
                             .kh = 3,
                             .kw = 3,
                             .stride_h = 2,
                             .stride_w = 2,
                             .pad_h = 1,
                             .pad_w = 1,
                             .h_out = 4,
                             .w_out = 5},
                             PoolShape{.planes = 2,
                             .h_in = 11,
                             .w_in = 13,
                             .kh = 2,
                             .kw = 4,
                             .stride_h = 3,
                             .stride_w = 1,
                             .pad_h = 0,
                             .pad_w = 2,
                             .h_out = 4,
                             .w_out = 14},
                             PoolShape{.planes = 0, .h_in = 2, .w_in = 2, .h_out = 2, .w_out = 2}}) {
    const int64_t in = s.planes * s.h_in * s.w_in, out = s.planes * s.h_out * s.w_out;
    const auto x = noise_with_corners<T>(in, 1), g = noise<T>(out, 2);
    std::vector<T> y(static_cast<size_t>(out));
    std::vector<int64_t> places(static_cast<size_t>(out));
    kernels::max_pool2d(Stream(), s, x.data(), y.data(), places.data());
    {
      const Out<int64_t> index(out);
      expect_map<T, T>(
          {x}, out,
          [&](Stream stream, auto& from, T* to) {
            if (!stream.on_device()) return kernels::take_from_planes(stream, s, from[0], places.data(), to);
            kernels::max_pool2d(stream, s, from[0], to, index.data());
          },
          "max_pool2d");
      expect_same(index.values(), places, "max_pool2d's index");
    }
    const In<int64_t> at(places);
    expect_map<T, T>(
        {g}, in,
        [&](Stream stream, auto& from, T* to) {
          kernels::return_to_planes(stream, s, from[0], stream.on_device() ? at.data() : places.data(), to);
        },
        "return_to_planes");
    expect_map<T, T>(
        {noise<T>(in, 3)}, out,
        [&](Stream stream, auto& from, T* to) { kernels::window_sums(stream, s, from[0], to, 3.3); },
        "window_sums");
    expect_map<T, T>(
        {g}, in,
        [&](Stream stream, auto& from, T* to) { kernels::window_sums_adjoint(stream, s, from[0], to, 1.4); },
        "window_sums_adjoint");
  }
}

TYPED_TEST(SimtMovement, OneHot) {
  using T = TypeParam;
  std::vector<int64_t> labels = indices<int64_t>(67, 10, 3);
  labels[5] = -1;
  labels[6] = 10;
  expect_map<T, int64_t>(
      {labels}, 67 * 10, [](Stream s, auto& label, T* y) { kernels::one_hot(s, 67, 10, label[0], y); },
      "one_hot");
}

}  // namespace
}  // namespace duel::simt
