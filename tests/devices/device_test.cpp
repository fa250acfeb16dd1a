// Tensors, the allocator and errors on a CUDA device.
#include "device.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/kernels/base/error.h"

namespace duel {
namespace {

using testing::error_of;
using testing_devices::kDevice;
using testing_devices::same_bits;

class DeviceTensors : public testing_devices::OnDevice {};

TEST_F(DeviceTensors, GoThereAndBack) {
  const std::vector<float> values = {1, -2, 3.5, 0, 5, 6};
  const Tensor cpu = Tensor::from(values, {2, 3}), gpu = Tensor::from(values, {2, 3}, kDevice);
  EXPECT_EQ(gpu.device(), kDevice);
  EXPECT_EQ(gpu.to_vector<float>(), values);
  EXPECT_EQ(cpu.to(kDevice).to_vector<float>(), values);
  EXPECT_EQ(gpu.to(Device::cpu()).device(), Device::cpu());
  EXPECT_EQ(gpu.clone().to_vector<float>(), values);
  EXPECT_FALSE(gpu.clone().same_storage(gpu));
  EXPECT_EQ(slice(gpu, 0, 1, 2).to_vector<float>(), (std::vector<float>{0, 5, 6}));
  EXPECT_EQ(sum(gpu).item(), 13.5);
}

TEST_F(DeviceTensors, AreFilledAndConverted) {
  const Tensor x = Tensor::full({5}, 2.75, {DType::f32, kDevice});
  EXPECT_EQ(x.to(DType::f64).to_vector<double>(), std::vector<double>(5, 2.75));
  EXPECT_EQ(x.to(DType::i64).to_vector<int64_t>(), std::vector<int64_t>(5, 2));
  EXPECT_EQ(Tensor::full({3}, 7, {DType::u8, kDevice}).to_vector<uint8_t>(), std::vector<uint8_t>(3, 7));
  const Tensor cpu = Tensor::zeros({5}, {DType::f64, {}});
  cpu.copy_(x);  // another device and another dtype
  EXPECT_EQ(cpu.to_vector<double>(), std::vector<double>(5, 2.75));
  x.copy_(Tensor::from(std::vector<double>{1, 2, 3, 4, 5}, {5}));
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5}));
  EXPECT_EQ(Tensor::empty({0, 3}, {DType::f32, kDevice}).to_vector<float>().size(), 0u);
}

TEST_F(DeviceTensors, ShowWhatNobodyWrote) {
  EXPECT_TRUE(std::isnan(Tensor::empty({3}, {DType::f32, kDevice}).to_vector<float>()[1]));
}

TEST_F(DeviceTensors, TensorsOfTwoDevicesAreAnErrorThatNamesThem) {
  const Tensor cpu = Tensor::ones({4, 4}), gpu = Tensor::ones({4, 4}, {DType::f32, kDevice});
  const Tensor image = Tensor::ones({1, 1, 4, 4}), filter = Tensor::ones({1, 1, 3, 3}, {DType::f32, kDevice});
  const Tensor index = Tensor::zeros({2}, {DType::i64, kDevice}), row = Tensor::ones({4});
  const std::vector<std::pair<std::string, std::function<void()>>> calls = {
      {"add", [&] { add(cpu, gpu); }},
      {"mul", [&] { mul(gpu, cpu); }},
      {"where", [&] { where(cpu, gpu, gpu); }},
      {"matmul", [&] { matmul(cpu, gpu); }},
      {"linear", [&] { linear(gpu, gpu, row); }},
      {"conv2d", [&] { conv2d(image, filter, {}); }},
      {"concat",
       [&] {
         concat({cpu, gpu});
       }},
      {"gather", [&] { gather(cpu, index); }},
      {"cross_entropy",
       [&] {
         cross_entropy(cpu, Tensor::zeros({4}, {DType::i64, kDevice}));
       }},
      {"layer_norm", [&] { layer_norm(gpu, row, {}); }},
      {"grad", [&] {
         Tensor x = gpu.clone().set_requires_grad(true);
         grad({x * 2.0}, {x}, {cpu});
       }}};
  for (const auto& [op, call] : calls) {
    const std::string text = error_of(call);
    EXPECT_EQ(text.rfind("[" + op + "] expected tensors on one device", 0), 0u) << op << ": " << text;
    EXPECT_NE(text.find("on cpu"), std::string::npos) << text;
    EXPECT_NE(text.find("on cuda:0"), std::string::npos) << text;
  }
}

TEST_F(DeviceTensors, AWrongIndexIsNotANumber) {
  const Tensor x = Tensor::ones({3, 2}, {DType::f32, kDevice});
  const auto rows = gather(x, Tensor::from(std::vector<int64_t>{2, 3}, {2}, kDevice)).to_vector<float>();
  EXPECT_EQ(rows[0], 1);
  EXPECT_TRUE(std::isnan(rows[2]) && std::isnan(rows[3]));
}

TEST_F(DeviceTensors, AreSavedToFiles) {
  const auto file = std::filesystem::temp_directory_path() / message("duel_device_{}.safetensors", getpid());
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3}, {3}, kDevice);
  write_safetensors(file, {.tensors = {{"x", x}}, .metadata = {}});
  EXPECT_TRUE(same_bits(*read_safetensors(file).find("x"), x));
  std::filesystem::remove(file);
}

TEST_F(DeviceTensors, AnomalyModeFindsTheOp) {
  const AnomalyMode watch;
  const Tensor x = Tensor::from(std::vector<float>{1, -1, 3}, {3}, kDevice);
  const std::string text = error_of([&] { log(x); });
  EXPECT_NE(text.find("log made the first NaN or infinity, at flat index 1"), std::string::npos) << text;
}

class DeviceMemory : public testing_devices::OnDevice {};

TEST_F(DeviceMemory, FreedBlocksAreReusedAtOnce) {
  const void* first = Tensor::empty({1000}, {DType::f32, kDevice}).raw();
  const auto before = allocator_stats(kDevice);
  const Tensor again = Tensor::empty({1000}, {DType::f32, kDevice});
  EXPECT_EQ(again.raw(), first);
  EXPECT_EQ(allocator_stats(kDevice).system_allocations, before.system_allocations);
  EXPECT_EQ(allocator_stats(kDevice).active_bytes - before.active_bytes, 4096);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(again.raw()) % 256, 0u);
}

TEST_F(DeviceMemory, OutOfMemorySaysWhatThereIs) {
  empty_allocator_cache(kDevice);
  { const Tensor cached = Tensor::empty({1 << 20}, {DType::u8, kDevice}); }
  set_allocator_limit(kDevice, allocator_stats(kDevice).active_bytes + (8 << 20));
  const Tensor held = Tensor::empty({2 << 20}, {DType::u8, kDevice});
  const std::string text = error_of([] { Tensor::empty({16 << 20}, {DType::u8, kDevice}); });
  set_allocator_limit(kDevice, 0);
  for (const char* part : {"out of memory on cuda:0", "wanted 16 MiB", "in use 2 MiB", "cached 0 bytes",
                           "free on the device ", "limit ", "A smaller batch needs less"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << ": " << text;
  }
  EXPECT_NO_THROW(Tensor::empty({16 << 20}, {DType::u8, kDevice}));
  empty_allocator_cache(kDevice);
  EXPECT_EQ(allocator_stats(kDevice).cached_bytes, 0);
}

TEST_F(DeviceMemory, StaysConstantOverSteps) {
  Tensor w = Tensor::ones({8, 8}, {DType::f32, kDevice}).set_requires_grad(true);
  const Tensor x = Tensor::full({4, 8}, 0.25, {DType::f32, kDevice});
  const auto step = [&] { return grad({mean(square(leaky_relu(linear(x, w), 0.2)))}, {w})[0]; };
  for (int i = 0; i < 3; ++i) step();
  const auto before = allocator_stats(kDevice);
  for (int i = 0; i < 20; ++i) step();
  EXPECT_EQ(allocator_stats(kDevice).active_bytes, before.active_bytes);
  EXPECT_EQ(allocator_stats(kDevice).system_allocations, before.system_allocations);
}

TEST(DeviceErrors, ADeviceThatIsNotThereSaysWhy) {
  const Device none = Device::cuda(99);
  EXPECT_FALSE(is_available(none));
  const std::string reason = why_unavailable(none);
  EXPECT_FALSE(reason.empty());
  EXPECT_NE(error_of([&] {
              Tensor::zeros({1}, {DType::f32, none});
            }).find("cuda:99 is not available: " + reason),
            std::string::npos);
  EXPECT_TRUE(is_available(Device::cpu()));
}

}  // namespace
}  // namespace duel
