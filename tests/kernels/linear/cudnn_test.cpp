// cuDNN's file against a stand-in library that computes from sizes and strides: fails on swapped tensors, a
// wrong stride or padding, an engine that is not deterministic, a plan that is not kept. Then, where the true
// library is installed, its plans for an H100, which it builds without one.
#include "duel/kernels/linear/vendor/cudnn.h"

#include "conv_reference.h"
#include "duel/kernels/linear/device_library.h"
#include "loaded_library.h"

namespace duel::kernels {
namespace {

const Stream kFakeStream = Stream::device(reinterpret_cast<void*>(77));
constexpr ConvPass kPasses[] = {ConvPass::kForward, ConvPass::kInputGrad, ConvPass::kWeightGrad};

class Cudnn : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fake.built()) GTEST_SKIP() << "no cudnn_graph.h on this machine";
    cudnn::reset();
    cudnn::ready();
    fake.forget();
  }
  void TearDown() override { set_tf32(true); }
  Fake fake{DUEL_FAKE_cudnn};
  Environment library{"DUEL_CUDNN", DUEL_FAKE_cudnn};
};

template <class T>
void expect_pass(const ConvShape& s, ConvPass pass) {
  const Arrays<T> host(s);
  const bool forward = pass == ConvPass::kForward, weight_grad = pass == ConvPass::kWeightGrad;
  const Aligned<T> first(pass == ConvPass::kInputGrad ? host.dy : host.x),
      second(weight_grad ? host.dy : host.w);
  const std::vector<T>& result = forward ? host.dy : weight_grad ? host.w : host.x;
  const Aligned<T> out(std::vector<T>(result.size(), std::numeric_limits<T>::quiet_NaN()));
  Workspace space(cudnn::workspace<T>(s, pass));
  ASSERT_TRUE(cudnn::conv<T>(kFakeStream, s, pass, first.data(), second.data(), out.data(), space.data()));
  Reference expected(static_cast<int64_t>(result.size()));
  for_products(s, [&](int64_t in, int64_t tap, int64_t at) {
    if (forward) expected.add(at, double(host.x[in]) * host.w[tap]);
    if (pass == ConvPass::kInputGrad) expected.add(in, double(host.dy[at]) * host.w[tap]);
    if (weight_grad) expected.add(tap, double(host.dy[at]) * host.x[in]);
  });
  expected.expect(std::vector<T>(out.data(), out.data() + result.size()), text(s));
}

TEST_F(Cudnn, ComputesEveryPass) {
  for (const ConvShape& s :
       {make_shape(2, 3, 6, 5, 4, 3, 2, 2, 1, 1, 0), make_shape(1, 2, 7, 7, 3, 4, 4, 2, 2, 1, 1),
        make_shape(2, 6, 9, 8, 4, 3, 2, 2, 1, 1, 2, 2, 2, 3)}) {  // groups, dilation
    for (ConvPass pass : kPasses) {
      expect_pass<float>(s, pass);
      expect_pass<double>(s, pass);
    }
  }
}

TEST_F(Cudnn, TakesDeterministicEnginesThatAreReadyToRun) {
  const ConvShape s = make_shape(2, 3, 6, 6, 4, 4, 4, 2, 2, 1, 1);
  set_tf32(true);
  EXPECT_EQ(cudnn::plan_info<float>(s, ConvPass::kForward).engine, 13);
  EXPECT_EQ(cudnn::workspace<float>(s, ConvPass::kForward), 4096u);
  // Refused before it: not deterministic, no plan, compiled at run time, a terabyte of workspace.
  EXPECT_EQ(cudnn::plan_info<float>(s, ConvPass::kForward).refused, 4);
  EXPECT_EQ(fake.count("plan11;"), 0);
  EXPECT_EQ(fake.count("plan12;"), 1);
  EXPECT_EQ(fake.count("plan14;"), 0);
  set_tf32(false);  // no tensor cores, no Winograd
  EXPECT_EQ(cudnn::plan_info<float>(s, ConvPass::kForward).engine, 16);
  EXPECT_EQ(cudnn::workspace<float>(s, ConvPass::kForward), 256u);
  EXPECT_EQ(cudnn::plan_info<double>(s, ConvPass::kForward).engine, 13);  // tensor cores are exact there
}

TEST_F(Cudnn, PlansOncePerShapeAndPass) {
  const ConvShape s = make_shape(2, 3, 6, 6, 4, 4, 4, 2, 2, 1, 1);
  for (int i = 0; i < 3; ++i) expect_pass<float>(s, ConvPass::kForward);
  EXPECT_EQ(cudnn::plans(), 1);
  EXPECT_EQ(fake.count("graph;"), 1);
  EXPECT_EQ(fake.count("execute13;"), 3);
  for (ConvPass pass : kPasses) expect_pass<float>(s, pass);
  expect_pass<float>(make_shape(3, 3, 6, 6, 4, 4, 4, 2, 2, 1, 1), ConvPass::kForward);
  EXPECT_EQ(cudnn::plans(), 4);
  // One more handle, for plans; that for work was made with the library. One stream, told once.
  EXPECT_EQ(fake.count("handle;"), 1);
  EXPECT_EQ(fake.count("stream77;"), 1);
  // Another stream gets a handle of its own, and both keep theirs.
  const Aligned<float> a(noise<float>(1000, 1)), b(noise<float>(1000, 2));
  Workspace space(cudnn::workspace<float>(s, ConvPass::kForward));
  for (uintptr_t stream : {78, 77, 78}) {
    cudnn::conv<float>(Stream::device(reinterpret_cast<void*>(stream)), s, ConvPass::kForward, a.data(),
                       a.data(), b.data(), space.data());
  }
  EXPECT_EQ(fake.count("handle;"), 2);
  EXPECT_EQ(fake.count("stream77;"), 1);
  EXPECT_EQ(fake.count("stream78;"), 1);
}

TEST_F(Cudnn, RefusesWhatTheLibraryDoesNotDo) {
  float x[64 * 64] = {};
  const ConvShape refused = make_shape(1, 13, 4, 4, 2, 3, 3, 1, 1, 1, 1),
                  loose = make_shape(1, 15, 4, 4, 2, 3, 3, 1, 1, 1, 1);
  for (const ConvShape& s : {refused, loose}) {
    EXPECT_EQ(cudnn::workspace<float>(s, ConvPass::kForward), 0u);
    EXPECT_FALSE(cudnn::conv<float>(kFakeStream, s, ConvPass::kForward, x, x, x, nullptr));
    EXPECT_FALSE(cudnn::plan_info<float>(s, ConvPass::kForward).exists);
  }
  EXPECT_NE(cudnn::plan_info<float>(refused, ConvPass::kForward).why.find("the library's reason"),
            std::string::npos);
  EXPECT_EQ(cudnn::plan_info<float>(loose, ConvPass::kForward).why,
            "no engine is deterministic and exact enough");
  EXPECT_EQ(fake.count("execute"), 0);
  // An address that no engine was planned for.
  const ConvShape s = make_shape(1, 2, 4, 4, 2, 3, 3, 1, 1, 1, 1);
  const Aligned<float> a(noise<float>(100, 1)), b(noise<float>(100, 2));
  Workspace space(cudnn::workspace<float>(s, ConvPass::kForward));
  EXPECT_FALSE(
      cudnn::conv<float>(kFakeStream, s, ConvPass::kForward, a.data() + 1, a.data(), b.data(), space.data()));
  EXPECT_TRUE(
      cudnn::conv<float>(kFakeStream, s, ConvPass::kForward, a.data() + 4, a.data(), b.data(), space.data()));
  EXPECT_THROW(cudnn::conv<float>(kFakeStream, s, ConvPass::kForward, a.data(), a.data(), b.data(), nullptr),
               Error);
}

void expect_parts(const std::string& text, std::initializer_list<const char*> parts) {
  for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
}

TEST_F(Cudnn, ErrorsSayWhatWhereAndWhatToDo) {
  try {
    cudnn::workspace<float>(make_shape(1, 14, 4, 4, 2, 3, 3, 1, 1, 1, 1), ConvPass::kForward);
    FAIL() << "no error";
  } catch (const Error& error) {
    expect_parts(error.what(),
                 {"[cudnn] cudnnBackendFinalize(operation graph) failed: ", "(2000) the library's reason",
                  "kernels/linear/vendor/cudnn.cpp:", "cuDNN 9.19.4 (", "DUEL_DEVICE_LIBRARY=own"});
  }
  const ConvShape s = make_shape(1, 2, 4, 4, 2, 3, 3, 1, 1, 1, 1);
  const Aligned<float> a(noise<float>(100, 1)), b(noise<float>(100, 2));
  try {
    cudnn::conv<float>(kFakeStream, s, ConvPass::kForward, a.data(), a.data(), b.data(),
                       reinterpret_cast<void*>(0xBAD0));
    FAIL() << "no error";
  } catch (const Error& error) {
    expect_parts(error.what(), {"cudnnBackendExecute failed", "kernels/linear/vendor/cudnn.cpp:"});
  }
}

TEST_F(Cudnn, ReportsWhatItLoadedOrWhyNot) {
  EXPECT_EQ(cudnn::report(), std::string("cuDNN 9.19.4 (") + DUEL_FAKE_cudnn + ")");
  const auto expect_not = [](const char* reason) {
    cudnn::reset();
    EXPECT_FALSE(cudnn::ready());
    expect_parts(cudnn::report(), {"no cuDNN: ", reason});
    const ConvShape s = make_shape(1, 2, 4, 4, 2, 3, 3, 1, 1, 1, 1);
    EXPECT_EQ(cudnn::workspace<float>(s, ConvPass::kForward), 0u);
    float x[100] = {};
    EXPECT_FALSE(cudnn::conv<float>(kFakeStream, s, ConvPass::kForward, x, x, x, nullptr));
  };
  {
    const Environment no_gpu("FAKE_CUDNN", "no_gpu");
    expect_not("loaded, but cudnnCreate failed: CUDNN_STATUS_NOT_INITIALIZED");
  }
  {
    const Environment other("DUEL_CUDNN", DUEL_FAKE_nothing);
    expect_not("has no function cudnnGetVersion");
  }
  {
    const Environment nowhere("DUEL_CUDNN", "/nowhere");
    expect_not("in DUEL_CUDNN=/nowhere");
  }
}

// An H100 SXM as cuDNN 9.8 and later describe a device.
constexpr const char* kH100 =
    R"({"cudaDeviceId":0,"deviceVer":900,"driverVer":13000,"maxGridSize":[2147483647,65535,65535],)"
    R"("maxBlockSize":[1024,1024,64],"regsPerBlock":65536,"multiProcessorCount":132,"warpSize":32,)"
    R"("maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":232448,"reservedSharedMemoryPerBlock":1024,)"
    R"("maxRegistersPerSM":65536,"maxCtasPerSM":32,"maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"pciDeviceId":0,)"
    R"("isTccDriver":0,"supportCoopLaunch":1,"smClockRateKHz":1980000,"memClockRateKHz":2619000,)"
    R"("l2CacheSize":52428800,"deviceName":"NVIDIA H100 80GB HBM3","totalGlobalMem":85000000000})";

// The library itself leaks where there is no GPU.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

TEST(CudnnItself, PlansTheLayersOfDcgan) {
  if (kSanitized) GTEST_SKIP() << "not under sanitizers";
  const Environment library("DUEL_CUDNN", "");
  cudnn::reset(kH100);
  if (!cudnn::ready()) GTEST_SKIP() << cudnn::report();
  for (const ConvShape& s :
       {make_shape(64, 64, 14, 14, 128, 4, 4, 2, 2, 1, 1), make_shape(512, 128, 7, 7, 256, 4, 4, 2, 2, 1, 1),
        make_shape(3, 5, 9, 8, 7, 3, 2, 1, 2, 0, 1)}) {
    for (ConvPass pass : kPasses) {
      for (bool with_tf32 : {true, false}) {
        set_tf32(with_tf32);
        const cudnn::PlanInfo f = cudnn::plan_info<float>(s, pass), d = cudnn::plan_info<double>(s, pass);
        EXPECT_TRUE(f.exists) << text(s) << ", pass " << static_cast<int>(pass) << ": " << f.why;
        EXPECT_TRUE(d.exists) << text(s) << ", pass " << static_cast<int>(pass) << ": " << d.why;
        EXPECT_LT(f.workspace, size_t{1} << 29);
        RecordProperty(
            text(s) + " pass " + std::to_string(static_cast<int>(pass)) + (with_tf32 ? " TF32" : ""),
            "engine " + std::to_string(f.engine) + ", workspace " + std::to_string(f.workspace));
      }
    }
  }
  set_tf32(true);
}

// Whatever conv.h takes, cuDNN either plans or declines; an Error would be a graph that we built wrongly.
TEST(CudnnItself, PlansOrDeclinesAnyShape) {
  if (kSanitized) GTEST_SKIP() << "not under sanitizers";
  const Environment library("DUEL_CUDNN", "");
  cudnn::reset(kH100);
  if (!cudnn::ready()) GTEST_SKIP() << cudnn::report();
  int planned = 0;
  for (const ConvShape& s :
       {make_shape(1, 2, 4, 5, 2, 1, 2, 3, 2, 0, 0), make_shape(2, 2, 2, 3, 2, 4, 5, 1, 2, 2, 3),
        make_shape(1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0), make_shape(2, 2, 9, 4, 3, 5, 1, 3, 1, 2, 0),
        make_shape(1, 3, 4, 4, 2, 2, 2, 1, 1, 7, 7), make_shape(2, 100, 1, 1, 64, 1, 1, 1, 1, 0, 0),
        make_shape(5, 4, 40, 3, 4, 40, 3, 1, 1, 0, 0), make_shape(8, 32, 14, 14, 32, 3, 3, 1, 1, 1, 1, 32),
        make_shape(8, 32, 14, 14, 64, 3, 3, 1, 1, 2, 2, 4, 2, 2)}) {
    for (ConvPass pass : kPasses) {
      planned += cudnn::plan_info<float>(s, pass).exists ? 1 : 0;
      planned += cudnn::plan_info<double>(s, pass).exists ? 1 : 0;
    }
  }
  EXPECT_GT(planned, 20);
  cudnn::reset();
}

}  // namespace
}  // namespace duel::kernels
