// cuBLASLt's file against a stand-in library that computes from column-major layouts: fails on a swapped
// operand, a wrong leading dimension or transposition, a bias along the wrong side, a plan that is not kept
// or kept for the wrong shape.
#include "duel/kernels/linear/vendor/cublas.h"

#include <unistd.h>

#include <filesystem>

#include "duel/kernels/linear/device_library.h"
#include "gemm_reference.h"
#include "loaded_library.h"

namespace duel::kernels {
namespace {

class Cublas : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fake.built()) GTEST_SKIP() << "no cublasLt.h on this machine";
    cublas::reset();
  }
  void TearDown() override {
    cublas::reset();
    set_tf32(true);
  }
  Fake fake{DUEL_FAKE_cublaslt};
  Environment library{"DUEL_CUBLAS", DUEL_FAKE_cublaslt};
};

const Stream kStream = Stream::device(reinterpret_cast<void*>(77));

template <class T>
void expect_products(bool with_tf32) {
  set_tf32(with_tf32);
  for (const Case& s : {Case{1, 1, 1}, Case{2, 3, 4}, Case{5, 7, 3}, Case{17, 4, 130}, Case{3, 31, 9}}) {
    for (int flags = 0; flags < 4; ++flags) {
      const Problem<T> p{(flags & 1) != 0, (flags & 2) != 0, s.m, s.n, s.k};
      const Aligned<T> a(p.a), b(p.b), bias(p.bias);
      Workspace space(cublas::workspace<T>(p.trans_a, p.trans_b, s.m, s.n, s.k));
      const auto start = noise<T>(s.m * s.n, 9);
      const Aligned<T> c(start);
      ASSERT_TRUE(cublas::gemm<T>(kStream, p.trans_a, p.trans_b, s.m, s.n, s.k, T(0.5), a.data(), b.data(),
                                  T(2), nullptr, c.data(), space.data()));
      p.expect(c.data(), 0.5, start, 2);
      const bool done = cublas::gemm<T>(kStream, p.trans_a, p.trans_b, s.m, s.n, s.k, T(1), a.data(),
                                        b.data(), T(0), bias.data(), c.data(), space.data());
      ASSERT_EQ(done, sizeof(T) == 4);  // as the library: no bias for double
      if (done) p.expect(c.data(), 1, p.bias, 1);
    }
  }
}

TEST_F(Cublas, ComputesRowMajorProducts) {
  expect_products<float>(false);
  expect_products<double>(true);
}

TEST_F(Cublas, AsksForPrecisionAndAnyReduction) {
  set_tf32(true);
  cublas::workspace<float>(false, false, 2, 3, 4);
  EXPECT_EQ(fake.count("choose:compute77,schemes7,align16;"), 2)
      << fake.calls();  // CUBLAS_COMPUTE_32F_FAST_TF32
  set_tf32(false);
  cublas::workspace<float>(false, false, 2, 3, 4);
  EXPECT_EQ(fake.count("choose:compute68,"), 2) << fake.calls();  // CUBLAS_COMPUTE_32F
  cublas::workspace<double>(false, false, 2, 3, 4);
  EXPECT_EQ(fake.count("choose:compute70,"), 2) << fake.calls();  // CUBLAS_COMPUTE_64F
  // What the stand-in computes with TF32 is not a float product.
  set_tf32(true);
  const Aligned<float> x({1.0001f}), y({0.0f});
  ASSERT_TRUE(cublas::gemm<float>(kStream, false, false, 1, 1, 1, 1, x.data(), x.data(), 0, nullptr, y.data(),
                                  nullptr));
  EXPECT_EQ(*y.data(), 1.0f);
}

TEST_F(Cublas, PlansOncePerShape) {
  const Aligned<float> x(noise<float>(64, 1)), y(noise<float>(64, 2));
  const auto run = [&](bool ta, int64_t m, int64_t n, int64_t k, const float* bias) {
    return cublas::gemm<float>(kStream, ta, false, m, n, k, 1, x.data(), x.data(), 0, bias, y.data(),
                               nullptr);
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(run(false, 2, 4, 8, nullptr));
  EXPECT_EQ(cublas::plans(), 1);
  EXPECT_EQ(fake.count("matmul:stream77,workspace0;"), 3);
  run(true, 2, 4, 8, nullptr), run(false, 2, 4, 8, x.data()), run(false, 4, 2, 8, nullptr),
      run(false, 2, 4, 8, nullptr);
  EXPECT_EQ(cublas::plans(), 4);
  EXPECT_EQ(fake.count("choose"), 4);
  EXPECT_EQ(fake.count("create"), 1);
}

TEST_F(Cublas, WorkspaceIsTheCallers) {
  EXPECT_EQ(cublas::workspace<float>(false, false, 2, 2, 10), 0u);
  EXPECT_EQ(cublas::workspace<float>(false, false, 2, 2, 100), 1024u);
  const Aligned<float> x(noise<float>(200, 1)), y(noise<float>(4, 2));
  EXPECT_THROW(cublas::gemm<float>(kStream, false, false, 2, 2, 100, 1, x.data(), x.data(), 0, nullptr,
                                   y.data(), nullptr),
               Error);
}

TEST_F(Cublas, LeavesUnalignedArraysToOwnKernels) {
  const Aligned<float> x(noise<float>(64, 1)), y(noise<float>(64, 2));
  const auto run = [&](int a, int b, int c) {
    return cublas::gemm<float>(kStream, false, false, 4, 4, 4, 1, x.data() + a, x.data() + b, 0, nullptr,
                               y.data() + c, nullptr);
  };
  EXPECT_FALSE(run(1, 0, 0));
  EXPECT_FALSE(run(0, 2, 0));
  EXPECT_FALSE(run(0, 0, 3));
  EXPECT_EQ(fake.count("matmul"), 0);
  EXPECT_TRUE(run(4, 8, 16));
}

TEST_F(Cublas, ErrorsSayWhatWhereAndWhatToDo) {
  const Aligned<float> x(noise<float>(64, 1)), y(noise<float>(64, 2));
  try {
    cublas::gemm<float>(Stream::device(reinterpret_cast<void*>(0xBAD)), false, false, 4, 4, 4, 1, x.data(),
                        x.data(), 0, nullptr, y.data(), nullptr);
    FAIL() << "no error";
  } catch (const Error& error) {
    for (const char* part :
         {"[cublas] cublasLtMatmul failed: CUBLAS_STATUS_EXECUTION_FAILED (text of the status)",
          "kernels/linear/vendor/cublas.cpp:", "cuBLASLt 13.2.3 (", "DUEL_DEVICE_LIBRARY=own"}) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << part << " in " << error.what();
    }
  }
}

TEST_F(Cublas, ReportsWhatItLoadedOrWhyNot) {
  EXPECT_TRUE(cublas::ready());
  EXPECT_EQ(cublas::report(), message("cuBLASLt 13.2.3 ({})", DUEL_FAKE_cublaslt));
  const auto expect_not = [](const std::string& reason) {
    cublas::reset();
    EXPECT_FALSE(cublas::ready());
    EXPECT_NE(cublas::report().find(reason), std::string::npos) << cublas::report();
    EXPECT_EQ(cublas::report().find("no cuBLASLt: "), 0u) << cublas::report();
    EXPECT_EQ((cublas::workspace<float>(false, false, 2, 2, 100)), 0u);
    float x[4] = {};
    EXPECT_FALSE(cublas::gemm<float>(kStream, false, false, 1, 1, 1, 1, x, x, 0, nullptr, x, nullptr));
  };
  {
    const Environment no_gpu("FAKE_CUBLASLT", "no_gpu");
    expect_not("loaded, but cublasLtCreate failed: CUBLAS_STATUS_NOT_INITIALIZED (text of the status)");
  }
  {
    const Environment other("DUEL_CUBLAS", DUEL_FAKE_nothing);
    expect_not("has no function cublasLtCreate");
  }
  {
    const Environment nowhere("DUEL_CUBLAS", "/nowhere");
    expect_not("in DUEL_CUBLAS=/nowhere");
  }
}

TEST_F(Cublas, TakesTheOlderLibraryWhereThereIsNoNewer) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(::testing::TempDir()) / ("duel_cublas_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const Environment there("DUEL_CUBLAS", folder.string());
  fs::copy_file(DUEL_FAKE_cublaslt, folder / "libcublasLt.so.12");
  cublas::reset();
  EXPECT_NE(cublas::report().find("libcublasLt.so.12)"), std::string::npos) << cublas::report();
  fs::copy_file(DUEL_FAKE_cublaslt, folder / "libcublasLt.so.13");
  cublas::reset();
  EXPECT_NE(cublas::report().find("libcublasLt.so.13)"), std::string::npos) << cublas::report();
  fs::remove_all(folder);
}

}  // namespace
}  // namespace duel::kernels
