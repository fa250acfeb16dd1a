// Random numbers and the batch family as CUDA kernels: the same bits as the host's. Fails on a wrong counter,
// word order, tail or row; on an offset that is read on the host.
#include "duel/kernels/map/random.h"
#include "duel/kernels/training/batch.h"
#include "duel/kernels/training/ring.h"
#include "kernels_common.h"

namespace duel::simt {
namespace {

using kernels::PhiloxState;
using kernels::Stream;

template <class T>
class SimtRandom : public ::testing::Test {};
TYPED_TEST_SUITE(SimtRandom, Types);
template <class T>
class SimtBatch : public ::testing::Test {};
TYPED_TEST_SUITE(SimtBatch, Types);

/// draw(stream, state, n, out) with an offset in memory of the stream's device, and without one.
template <class T, class Draw>
void expect_draw(Draw draw, const std::string& what) {
  constexpr uint64_t kOffset = (uint64_t{1} << 40) + 3;
  for (int64_t n : {0, 1, 3, 4, 5, 1023, 1025, 4099}) {
    expect_map<T, uint64_t>(
        {{kOffset}}, n,
        [&](Stream s, auto& offset, T* y) {
          draw(s, PhiloxState{42, 7, offset[0], 5}, n, y);
        },
        what);
    expect_map<T, uint64_t>(
        {}, n,
        [&](Stream s, auto&, T* y) {
          draw(s, PhiloxState{1, 2, nullptr, 9}, n, y);
        },
        what + " without offset");
  }
}

TYPED_TEST(SimtRandom, UniformAndNormal) {
  using T = TypeParam;
  expect_draw<T>(
      [](Stream s, PhiloxState state, int64_t n, T* y) { kernels::uniform(s, state, n, -0.3, 0.9, y); },
      "uniform");
  expect_draw<T>(
      [](Stream s, PhiloxState state, int64_t n, T* y) { kernels::normal(s, state, n, 0.5, 1.5, y); },
      "normal");
}

TEST(SimtRandomIntegers, Same) {
  for (int64_t bound : {int64_t{1}, int64_t{10}, int64_t{1} << 32}) {
    expect_draw<int64_t>([&](Stream s, PhiloxState state, int64_t n,
                             int64_t* y) { kernels::random_integers(s, state, n, bound, y); },
                         "integers");
  }
}

TEST(SimtRandomIntegers, AdvanceIsOrderedBehindTheDraw) {
  const InOut<uint64_t> offset(std::vector<uint64_t>{11});
  const Out<float> y(20);
  run_all_orders([&] {
    for (int k = 0; k < 2; ++k) {
      kernels::uniform(stream(), PhiloxState{3, 4, offset.data()}, 10, 0.0, 1.0, y.data() + 10 * k);
      kernels::philox_advance(stream(), offset.data(), kernels::philox_blocks(10));
    }
  });
  EXPECT_EQ(offset.data()[0], 17u);
  std::vector<float> expected(20);
  kernels::uniform(Stream(), PhiloxState{3, 4, nullptr, 11}, 10, 0.0, 1.0, expected.data());
  kernels::uniform(Stream(), PhiloxState{3, 4, nullptr, 14}, 10, 0.0, 1.0, expected.data() + 10);
  EXPECT_EQ(y.values(), expected);
}

TEST(SimtRandomIntegers, Permutation) {
  for (int64_t n : {1, 2, 257, 1000, 60000}) {
    for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, std::min<int64_t>(n, 700)},
                                     {n / 2, n / 2 + std::min<int64_t>(n / 2, 300)}}) {
      expect_map<int64_t, int64_t>(
          {}, end - begin,
          [&, b = begin, e = end](Stream s, auto&, int64_t* y) {
            kernels::permutation(s, 5, 6, 7, n, b, e, y);
          },
          "permutation");
    }
  }
}

TEST(SimtRandomIntegers, ShuffledItems) {
  for (int64_t count : {1, 10, 257, 60000}) {
    expect_draw<int64_t>([&](Stream s, PhiloxState state, int64_t n,
                             int64_t* y) { kernels::shuffled_items(s, state, n, count, y); },
                         "shuffled_items");
  }
}

struct BatchSize {
  int64_t batch, m;
};
const std::vector<BatchSize> kBatches = {{1, 1}, {3, 784}, {65, 7}, {0, 5}, {4, 0}, {2, 1001}};

TYPED_TEST(SimtBatch, GatherNormalize) {
  using T = TypeParam;
  constexpr int64_t kRows = 9;
  for (const auto& [batch, m] : kBatches) {
    const auto pixels = indices<uint8_t>(kRows * m, 256, 37);
    const auto index = indices<int64_t>(batch, kRows, 5);
    std::vector<T> expected(static_cast<size_t>(batch * m));
    kernels::gather_normalize(Stream(), batch, m, kRows, pixels.data(), index.data(), T(2) / 255, T(-1),
                              expected.data());
    const In<uint8_t> source(pixels, "source");
    const In<int64_t> at(index, "index");
    const Out<T> y(batch * m, "y");
    run_all_orders(
        [&, b = batch, n = m] {
          kernels::gather_normalize(stream(), b, n, kRows, source.data(), at.data(), T(2) / 255, T(-1),
                                    y.data());
        },
        {.shift = 1});
    expect_same(y.values(), expected, "gather_normalize");
  }
}

TYPED_TEST(SimtBatch, DrawRows) {
  using T = TypeParam;
  constexpr int64_t kRows = 9;
  for (const auto& [batch, m] : kBatches) {
    for (const int64_t more : {0, 300}) {
      const auto pixels = indices<uint8_t>(kRows * m, 256, 37);
      const auto others = noise<T>(more, 4);
      const uint64_t position = 5;
      std::vector<T> expected(static_cast<size_t>(batch * m + more));
      std::vector<int64_t> items(static_cast<size_t>(batch));
      kernels::draw_rows(Stream(), {3, 0, &position, 2}, batch, m, kRows, pixels.data(), T(2) / 255, T(-1),
                         others.data(), more, items.data(), expected.data());
      const In<uint8_t> source(pixels, "source");
      const In<uint64_t> offset(std::vector<uint64_t>{position}, "offset");
      const In<T> behind(others, "behind");
      const Out<T> y(batch * m + more, "y");
      const Out<int64_t> index(batch, "index");
      run_all_orders(
          [&, b = batch, n = m, k = more] {
            kernels::draw_rows(stream(), {3, 0, offset.data(), 2}, b, n, kRows, source.data(), T(2) / 255,
                               T(-1), behind.data(), k, index.data(), y.data());
          },
          {.shift = 1});
      expect_same(y.values(), expected, "draw_rows");
      expect_same(index.values(), items, "index");
    }
  }
}

TYPED_TEST(SimtBatch, GatherOutsideTheSet) {
  using T = TypeParam;
  const In<uint8_t> source(indices<uint8_t>(3 * 4, 256, 37), "source");
  const In<int64_t> at({1, 3, -1, INT64_MIN}, "index");
  const Out<T> y(4 * 4, "y");
  const Out<int64_t> label(4, "labels");
  run_all_orders([&] {
    kernels::gather_normalize(stream(), 4, 4, 3, source.data(), at.data(), T(1), T(0), y.data());
    kernels::gather_labels(stream(), 4, 3, source.data(), at.data(), label.data());
  });
  for (int64_t i = 0; i < 16; ++i) {
    if (i < 4) {
      EXPECT_EQ(y.data()[i], static_cast<T>(source.data()[4 + i]));
    } else {
      EXPECT_TRUE(std::isnan(y.data()[i]));
    }
  }
  EXPECT_EQ(label.values(), (std::vector<int64_t>{source.data()[1], -1, -1, -1}));
}

TEST(SimtBatchLabels, Gather) {
  const auto check = [](auto type) {
    using L = decltype(type);
    const std::vector<L> labels = indices<L>(11, 200, 31);
    const auto index = indices<int64_t>(300, 11, 3);
    std::vector<int64_t> expected(300);
    kernels::gather_labels(Stream(), 300, 11, labels.data(), index.data(), expected.data());
    const In<L> source(labels, "labels");
    const In<int64_t> at(index, "index");
    const Out<int64_t> y(300, "y");
    run_all_orders([&] { kernels::gather_labels(stream(), 300, 11, source.data(), at.data(), y.data()); });
    expect_same(y.values(), expected, "gather_labels");
  };
  check(uint8_t());
  check(int64_t());
}

TYPED_TEST(SimtBatch, RingGoesRound) {
  using T = TypeParam;
  const In<T> value(std::vector<T>{T(1.5), T(-2)}, "values");
  const InOut<int64_t> pushed(std::vector<int64_t>{5});
  const InOut<uint64_t> drawn(std::vector<uint64_t>{7, 1}, "drawn");
  const Out<T> ring(3 * kernels::kRingColumns, "ring");
  run_all_orders([&] {
    for (int i = 0; i < 4; ++i) {
      kernels::ring_push(stream(), 3, kernels::RingRow<T>{{value.data(), nullptr, value.data() + i % 2}},
                         pushed.data(), ring.data(), {2, {drawn.data(), drawn.data() + 1}, {10, 3}});
    }
  });
  EXPECT_EQ(pushed.data()[0], 9);
  EXPECT_EQ(drawn.values(), (std::vector<uint64_t>{47, 13}));
  // Rows 5 % 3 = 2, 0, 1 and again 2.
  expect_same(ring.values(), std::vector<T>{T(1.5), 0, T(-2), 0, T(1.5), 0, T(1.5), 0, T(1.5), 0, T(-2), 0},
              "ring");
}

TYPED_TEST(SimtBatch, Lines) {
  using T = TypeParam;
  for (const auto& [batch, m] : kBatches) {
    const int64_t n = batch * m;
    const auto real = noise<T>(n, 1), fake = noise<T>(n, 2), eps = noise<T>(batch, 3);
    expect_map<T, T>(
        {real, fake, eps}, n,
        [&, b = batch, k = m](Stream s, auto& x, T* y) {
          kernels::interpolate_line(s, b, k, x[0], x[1], x[2], y);
        },
        "interpolate_line");
    const InOut<uint64_t> offset({41}, "offset");
    uint64_t host_offset = 41;
    expect_map<T, T>(
        {real, fake}, n,
        [&, b = batch, k = m](Stream s, auto& x, T* y) {
          const kernels::PhiloxState state{7, 3, s.on_device() ? offset.data() : &host_offset, 2};
          kernels::interpolate_line(s, b, k, x[0], x[1], state, y);
        },
        "interpolate_line that draws");
    expect_map<T, T>(
        {real, fake}, 3 * n,
        [&, b = batch, k = m](Stream s, auto& x, T* y) {
          const kernels::PhiloxState state{7, 3, s.on_device() ? offset.data() : &host_offset, 2};
          kernels::join_with_line(s, b, k, x[0], x[1], state, y);
        },
        "join_with_line");
  }
}

TYPED_TEST(SimtBatch, DraganPoints) {
  using T = TypeParam;
  std::vector<BatchSize> sizes = kBatches;
  sizes.push_back({70, 1000});  // more partial sums than blocks
  for (const auto& [batch, m] : sizes) {
    const int64_t n = batch * m, space = kernels::dragan_workspace(batch, m);
    auto values = noise<T>(n, 1);
    for (T& v : values) v += T(3);
    const auto a = noise<T>(batch, 2), u = noise<T>(n, 3);
    std::vector<T> expected(static_cast<size_t>(n)), work(static_cast<size_t>(space));
    kernels::dragan_perturb(Stream(), batch, m, values.data(), a.data(), u.data(), expected.data(),
                            work.data());
    const In<T> x(values, "x"), alpha(a, "alpha"), noise_in(u, "u");
    const Out<T> y(n, "y");
    const Scratch<T> scratch(space, "workspace");
    run_all_orders(
        [&, b = batch, k = m] {
          kernels::dragan_perturb(stream(), b, k, x.data(), alpha.data(), noise_in.data(), y.data(),
                                  scratch.data());
        },
        {.shuffles = 1, .shift = 1});
    const double bound = (8 * std::sqrt(static_cast<double>(n)) + 8) * std::numeric_limits<T>::epsilon();
    expect_near(
        y.values(), expected, [&](size_t) { return bound; }, "dragan_perturb");
    if (n == 0) continue;
    EXPECT_NEAR(scratch.data()[0], work[0], bound) << "deviation";
  }
}

}  // namespace
}  // namespace duel::simt
