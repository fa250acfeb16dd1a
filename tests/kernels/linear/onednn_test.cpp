// oneDNN behind gemm.h and conv.h: against the naive f64 definitions, within the bound of a float sum in any
// order, and against the own kernels. Fails on wrong leading dimensions or offsets of a piece, a last piece
// of other size, padded channels that leak into results, a workspace that is too small, bits that follow the
// thread count, a caller whose OpenMP setting changes, and a switch that does not switch.
#include "duel/kernels/linear/vendor/onednn.h"

#include <gtest/gtest.h>
#if DUEL_HAS_ONEDNN
#include <omp.h>
#endif

#include <cstring>
#include <thread>

#include "conv_reference.h"
#include "duel/kernels/base/parallel.h"
#include "gemm_reference.h"

namespace duel::kernels {
namespace {

class OneDnn : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!DUEL_HAS_ONEDNN) GTEST_SKIP() << "this build has no oneDNN (DUEL_ONEDNN=ON)";
    set_host_library(HostLibrary::onednn);
  }
  ~OneDnn() override {
    set_host_library(before_);
    set_threads(threads_);
  }

 private:
  const HostLibrary before_ = host_library();
  const int threads_ = threads();
};

template <class Compute>
auto with_own(Compute compute) {
  set_host_library(HostLibrary::own);
  const auto result = compute();
  set_host_library(HostLibrary::onednn);
  return result;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// Two sums of the same products, each within the bound of the exact one.
void expect_close(const std::vector<float>& a, const std::vector<float>& b, int64_t terms,
                  const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  // All factors lie in [-1, 1).
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_LE(std::abs(a[i] - b[i]), 2 * rounding_bound<float>(terms, double(terms)))
        << what << ", entry " << i;
  }
}

const Case kSizes[] = {{1, 1, 1},    {1, 17, 5},     {17, 1, 33},    {5, 7, 3},
                       {33, 65, 17}, {3, 2, 300},    {64, 1, 9},     {2, 200, 129},
                       {100, 33, 1}, {70, 130, 257}, {150, 530, 31}, {520, 26, 700}};

TEST_F(OneDnn, GemmAllTransposesOddSizes) {
  for (const Case& s : kSizes) {
    for (int flags = 0; flags < 4; ++flags) {
      const Problem<float> p{(flags & 1) != 0, (flags & 2) != 0, s.m, s.n, s.k};
      const auto old = noise<float>(s.m * s.n, 4);
      p.expect(run_gemm<float>(p, 1, 0, {}).data(), 1, {}, 0);  // the old c is NaN
      p.expect(run_gemm<float>(p, 1, 1, old).data(), 1, old, 1);
      p.expect(run_gemm<float>(p, -0.75f, 0.5f, old).data(), -0.75, old, 0.5);
      p.expect(run_bias<float>(p, nullptr).data(), 1, {}, 0);
      const auto with_bias = run_bias<float>(p, p.bias.data());
      p.expect(with_bias.data(), 1, p.bias, 1);
      expect_close(with_bias, with_own([&] { return run_bias<float>(p, p.bias.data()); }), s.k + 1,
                   "own gemm");
    }
  }
}

TEST_F(OneDnn, GemmEmptySizes) {
  const Problem<float> p{false, true, 3, 5, 0};
  const auto old = noise<float>(15, 4);
  p.expect(run_gemm<float>(p, 1, 0.5f, old).data(), 1, old, 0.5);
  p.expect(run_bias<float>(p, p.bias.data()).data(), 1, p.bias, 1);
  for (const Case& s : {Case{0, 5, 3}, Case{5, 0, 3}, Case{0, 0, 0}}) {
    run_gemm<float>({false, false, s.m, s.n, s.k}, 1, 0, {});
  }
}

TEST_F(OneDnn, GemmSameBitsForAnyThreadCount) {
  for (const Case& s : {Case{64, 512, 784}, Case{700, 70, 301}, Case{1, 900, 5000}, Case{64, 6272, 1}}) {
    for (int flags = 0; flags < 4; ++flags) {
      const Problem<float> p{(flags & 1) != 0, (flags & 2) != 0, s.m, s.n, s.k};
      set_threads(1);
      const auto one = run_bias<float>(p, p.bias.data());
      for (int count : {2, 4}) {
        set_threads(count);
        ASSERT_TRUE(same_bits(one, run_bias<float>(p, p.bias.data())))
            << count << " threads, " << s.m << "x" << s.n << "x" << s.k << " flags " << flags;
      }
    }
  }
}

void expect_right_and_close(const ConvShape& s, bool bias) {
  const Arrays<float> arrays(s);
  arrays.expect_right(bias);
  const int64_t taps = s.kh * s.kw;
  expect_close(arrays.forward(bias), with_own([&] { return arrays.forward(bias); }), s.c_in * taps + 1,
               text(s));
  expect_close(arrays.input_grad(bias), with_own([&] { return arrays.input_grad(bias); }), s.c_out * taps + 1,
               text(s));
  expect_close(arrays.weight_grad(), with_own([&] { return arrays.weight_grad(); }), s.n * s.h_out * s.w_out,
               text(s));
}

TEST_F(OneDnn, ConvKernelsStridesPads) {
  for (int64_t kernel = 1; kernel <= 5; ++kernel) {
    for (int64_t stride = 1; stride <= 3; ++stride) {
      for (int64_t pad = 0; pad <= 2; ++pad) {
        // 9x11: with most strides some rows or columns are never reached (output_padding of the adjoint).
        expect_right_and_close(make_shape(3, 3, 9, 11, 5, kernel, kernel, stride, stride, pad, pad),
                               pad != 1);
      }
    }
  }
}

TEST_F(OneDnn, ConvChannelCountsAndRectangles) {
  for (int64_t c_in : {1, 2, 3, 16, 17, 64}) {
    for (int64_t c_out : {1, 2, 16, 17, 64}) {
      expect_right_and_close(make_shape(2, c_in, 6, 6, c_out, 4, 4, 2, 2, 1, 1), c_in != 3);
    }
  }
  expect_right_and_close(make_shape(2, 3, 5, 12, 4, 2, 5, 3, 1, 0, 2), true);
  expect_right_and_close(make_shape(2, 17, 12, 5, 20, 5, 2, 1, 3, 2, 0), false);
  expect_right_and_close(make_shape(1, 2, 1, 40, 2, 1, 4, 1, 2, 0, 1), true);
}

TEST_F(OneDnn, ConvBatchesOfManyPieces) {
  expect_right_and_close(make_shape(19, 40, 14, 14, 64, 4, 4, 2, 2, 1, 1),
                         true);  // a last piece of other size
  expect_right_and_close(make_shape(33, 18, 14, 13, 33, 3, 3, 1, 1, 1, 1), false);  // padded channels
  expect_right_and_close(make_shape(97, 2, 28, 28, 3, 4, 4, 2, 2, 1, 1), true);
}

TEST_F(OneDnn, ConvEmpty) {
  Arrays<float>(make_shape(0, 3, 8, 8, 5, 4, 4, 2, 2, 1, 1)).expect_right(true);
  Arrays<float>(make_shape(2, 0, 8, 8, 5, 4, 4, 2, 2, 1, 1)).expect_right(true);
  Arrays<float>(make_shape(2, 3, 8, 8, 0, 4, 4, 2, 2, 1, 1)).expect_right(true);
  Arrays<float>(make_shape(2, 3, 2, 2, 3, 4, 4, 1, 1, 0, 0)).expect_right(true);  // no window fits
}

TEST_F(OneDnn, ConvSameBitsForAnyThreadCount) {
  for (const ConvShape& s :
       {make_shape(37, 16, 14, 14, 32, 4, 4, 2, 2, 1, 1), make_shape(19, 64, 14, 14, 128, 4, 4, 2, 2, 1, 1),
        make_shape(21, 3, 13, 11, 20, 3, 5, 1, 2, 1, 0)}) {
    const Arrays<float> arrays(s);
    set_threads(1);
    const std::vector<float> one[] = {arrays.forward(true), arrays.input_grad(true), arrays.weight_grad()};
    for (int count : {2, 4}) {
      set_threads(count);
      const std::vector<float> many[] = {arrays.forward(true), arrays.input_grad(true), arrays.weight_grad()};
      for (int pass = 0; pass < 3; ++pass) {
        ASSERT_TRUE(same_bits(one[pass], many[pass]))
            << count << " threads, pass " << pass << ", " << text(s);
      }
    }
  }
}

// That oneDNN really computes: it takes the multi-channel shapes, not the thin ones, and its sums round
// differently.
TEST_F(OneDnn, WhoComputesWhat) {
  EXPECT_EQ(host_library(), HostLibrary::onednn);
  const ConvShape wide = make_shape(8, 64, 14, 14, 128, 4, 4, 2, 2, 1, 1),
                  thin = make_shape(8, 1, 28, 28, 64, 4, 4, 2, 2, 1, 1);
  for (ConvPass pass : {ConvPass::kForward, ConvPass::kInputGrad, ConvPass::kWeightGrad}) {
    EXPECT_GT(onednn::conv2d_workspace(wide, pass), 0u);
    EXPECT_EQ(onednn::conv2d_workspace(thin, pass), 0u);
  }
  const Arrays<float> thin_arrays(thin), wide_arrays(wide);
  EXPECT_TRUE(same_bits(thin_arrays.forward(true), with_own([&] { return thin_arrays.forward(true); })));
  const auto theirs = wide_arrays.forward(true), own = with_own([&] { return wide_arrays.forward(true); });
  EXPECT_FALSE(same_bits(theirs, own));
  const Arrays<double> exact(make_shape(2, 3, 6, 6, 4, 3, 3, 1, 1, 1, 1));
  EXPECT_TRUE(same_bits(exact.forward(true), with_own([&] { return exact.forward(true); })));
  // Back and forth: each gives its own bits again.
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(same_bits(theirs, wide_arrays.forward(true)));
    EXPECT_TRUE(same_bits(own, with_own([&] { return wide_arrays.forward(true); })));
  }
}

#if DUEL_HAS_ONEDNN
TEST_F(OneDnn, CallersOpenMpSettingStays) {
  const Problem<float> p{false, true, 64, 300, 200};
  const Arrays<float> arrays(
      make_shape(9, 4, 11, 11, 6, 3, 3, 2, 2, 1, 1));  // a shape of its own: also created here
  const int before = omp_get_max_threads();
  for (int count : {3, 1}) {
    omp_set_num_threads(count);
    run_bias<float>(p, p.bias.data());
    EXPECT_EQ(omp_get_max_threads(), count);
    arrays.forward(true);
    arrays.input_grad(true);
    arrays.weight_grad();
    EXPECT_EQ(omp_get_max_threads(), count);
  }
  omp_set_num_threads(before);
}
#endif

TEST_F(OneDnn, ManyCallersAtOnce) {
  // New shapes and old ones from several threads: the cache of primitives is shared.
  std::vector<std::jthread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([t] {
      for (int64_t n = 1; n < 6; ++n) {
        Arrays<float>(make_shape(n, 5, 8, 8, 7 + t % 2, 3, 3, 1, 1, 1, 1)).expect_right(true);
      }
    });
  }
}

TEST_F(OneDnn, RefusesMissingWorkspace) {
  const ConvShape s = make_shape(2, 16, 6, 6, 16, 3, 3, 1, 1, 1, 1);
  Arrays<float> arrays(s);
  std::vector<float> y(arrays.dy.size());
  EXPECT_THROW(
      conv2d<float>({}, s, ConvPass::kForward, arrays.x.data(), arrays.w.data(), nullptr, y.data(), nullptr),
      Error);
}

TEST(HostLibrary, VersionIsThatOfTheApi) {
  EXPECT_EQ(onednn_version().substr(0, 2), DUEL_HAS_ONEDNN ? "2." : "no") << onednn_version();
}

TEST(HostLibrary, RefusesWhatTheBuildDoesNotHave) {
  if (DUEL_HAS_ONEDNN)
    GTEST_SKIP() << "this build has oneDNN; tests/consumer/check.sh looks at one that has none";
  try {
    set_host_library(HostLibrary::onednn);
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_TRUE(std::strstr(e.what(), "configure with -DDUEL_ONEDNN=ON")) << e.what();
  }
  EXPECT_EQ(host_library(), HostLibrary::own);
  const ConvShape s = make_shape(2, 16, 6, 6, 16, 3, 3, 1, 1, 1, 1);
  EXPECT_EQ(onednn::conv2d_workspace(s, ConvPass::kForward), 0u);
}

// A child process per value: the variable is read once.
TEST(HostLibraryDeathTest, EnvironmentVariable) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto read = [](const char* value, auto expected) {
    setenv("DUEL_HOST_LIBRARY", value, 1);
    _Exit(expected());
  };
  const auto is = [](HostLibrary library) { return [library] { return host_library() == library ? 0 : 1; }; };
  EXPECT_EXIT(read("own", is(HostLibrary::own)), ::testing::ExitedWithCode(0), "");
  const auto refused = [](const char* part) {
    return [part] {
      try {
        host_library();
      } catch (const Error& e) {
        return std::strstr(e.what(), part) ? 0 : 2;
      }
      return 1;
    };
  };
  EXPECT_EXIT(read("mkl", refused("expected own or onednn, got 'mkl'")), ::testing::ExitedWithCode(0), "");
  if (DUEL_HAS_ONEDNN) {
    EXPECT_EXIT(read("onednn", is(HostLibrary::onednn)), ::testing::ExitedWithCode(0), "");
  } else {
    EXPECT_EXIT(read("onednn", refused("DUEL_HOST_LIBRARY: expected own, got onednn")),
                ::testing::ExitedWithCode(0), "");
  }
}

}  // namespace
}  // namespace duel::kernels
