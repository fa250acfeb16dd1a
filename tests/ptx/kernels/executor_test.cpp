// From a launch of the harness to an entry of the PTX: names, parameters, failures.
#include <chrono>
#include <cstring>
#include <filesystem>

#include "duel/core/ops.h"
#include "on_ptx.h"
#include "tests/simt/host_cuda.h"

// What CUDA's language needs of C's names; the tests below use the tensors' own.
#undef rsqrt

namespace duel {
namespace {

using testing_devices::kDevice;

constexpr TensorOptions kOn{DType::f32, kDevice};

TEST(PtxNames, AnonymousNamespacesAreCalledAlike) {
  const std::string ours = "_ZN4duel7kernels12_GLOBAL__N_116ring_push_kernelIfEEvl";
  EXPECT_EQ(ptx::without_hashes(
                "_ZN4duel7kernels44_GLOBAL__N__fa6fe18f_7_ring_cu_0a5d0154_835516ring_push_kernelIfEEvl"),
            ours);
  EXPECT_EQ(ptx::without_hashes(ours), ours);
  EXPECT_EQ(ptx::without_hashes(
                "_ZN1a31_GLOBAL__N__0123_1_x_cu_4567_891kIN1a31_GLOBAL__N__0123_1_x_cu_4567_891sEEEvv"),
            "_ZN1a12_GLOBAL__N_11kIN1a12_GLOBAL__N_11sEEEvv");
  EXPECT_EQ(ptx::without_hashes("_Z5plainPf"), "_Z5plainPf");
}

struct Odd {
  char small;
  double large;
};

TEST(PtxParameters, AreLaidOutAsCudaDoes) {
  using Kernel = simt::Parameters<void (*)(char, Odd, int, short, void*)>;
  const typename Kernel::Tuple arguments(nullptr, 'x', Odd{'y', 2.5}, 7, short{-3}, nullptr);
  ASSERT_EQ(Kernel::pack(&arguments, nullptr), 40u);
  unsigned char bytes[40];
  Kernel::pack(&arguments, bytes);
  const auto at = [&]<class T>(size_t offset, T value) {
    std::memcpy(&value, bytes + offset, sizeof(value));
    return value;
  };
  EXPECT_EQ(at(0, char{}), 'x');
  EXPECT_EQ(at(8, char{}), 'y');
  EXPECT_EQ(at(16, double{}), 2.5);
  EXPECT_EQ(at(24, int{}), 7);
  EXPECT_EQ(at(28, short{}), -3);
  EXPECT_EQ(at(32, uint64_t{}), 0u);
}

TEST(PtxFolder, IsReadWhereItIsNewerThanTheKernelsOrAskedFor) {
  namespace fs = std::filesystem;
  const testing::Scratch place;
  const fs::path texts = place / "build" / "below", sources = place / "kernels";
  fs::create_directories(texts);
  fs::create_directories(sources);
  const auto read = [&](const char* told) {
    return ptx::read_kernels(told, (place / "build").string(), sources.string());
  };
  testing::write(sources / "k.cu", "");
  EXPECT_NE(read(nullptr).why_none.find("no *.ptx below "), std::string::npos);
  EXPECT_EQ(read(nullptr).executor, nullptr);
  EXPECT_FALSE(read(nullptr).demanded);
  EXPECT_TRUE(read(sources.c_str()).demanded);

  testing::write(texts / "k.cu.o.ptx", ".version 8.0\n.visible .entry k(){ret;}\n");
  fs::last_write_time(texts / "k.cu.o.ptx", fs::last_write_time(sources / "k.cu") + std::chrono::seconds(1));
  ASSERT_NE(read(nullptr).executor, nullptr) << read(nullptr).why_none;
  EXPECT_EQ(read(nullptr).executor->all_modules().front()->entries(), std::vector<std::string>{"k"});

  fs::last_write_time(sources / "k.cu", fs::last_write_time(texts / "k.cu.o.ptx") + std::chrono::seconds(1));
  EXPECT_NE(read(nullptr).why_none.find("is older than the kernels"), std::string::npos);
  EXPECT_EQ(read(nullptr).executor, nullptr);
  EXPECT_NE(read(texts.c_str()).executor, nullptr) << "asked for";
}

simt::Failure failure_of(ptx::Executor& executor, const std::function<void()>& work) {
  const ptx::Interpreted interpreted(executor);
  try {
    work();
  } catch (const simt::Failure& failure) {
    return failure;
  }
  return simt::Failure(simt::Fault::host_access, "no failure");
}

class PtxExecutor : public testing_devices::OnDevice {};

TEST_F(PtxExecutor, AKernelThatThePtxLacksIsAFailure) {
  const Tensor x = Tensor::ones({4}, kOn);
  ptx::Executor other;
  other.add(std::make_unique<ptx::Module>("other.ptx", ".version 8.0\n.visible .entry k(){ret;}\n"));
  const simt::Failure failure = failure_of(other, [&] { (void)(x + 1.0); });
  EXPECT_EQ(failure.fault, simt::Fault::bad_launch) << failure.what();
  EXPECT_NE(failure.kernel.find("duel::kernels::"), std::string::npos) << failure.what();
  EXPECT_NE(std::string(failure.what()).find("the PTX of 1 modules has no such kernel"), std::string::npos)
      << failure.what();
  EXPECT_EQ((x + 1.0).to_vector<float>(), std::vector<float>(4, 2.0f)) << "fibers again";
}

class PtxFailures : public testing_devices::OnPtx {};

TEST_F(PtxFailures, NameTheKernelTheThreadAndTheInstruction) {
  const Tensor x = Tensor::empty({40}, kOn);
  const simt::Failure failure = failure_of(executor(), [&] { (void)(x + 1.0); });
  EXPECT_EQ(failure.fault, simt::Fault::uninitialised) << failure.what();
  EXPECT_NE(failure.kernel.find("duel::kernels::map_kernel"), std::string::npos) << failure.what();
  EXPECT_NE(failure.site.find("ptx:"), std::string::npos) << failure.site;
  EXPECT_NE(failure.site.find("ld.global"), std::string::npos) << failure.site;
}

}  // namespace
}  // namespace duel
