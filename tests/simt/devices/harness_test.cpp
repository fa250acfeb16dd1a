// What only the harness can tell of core/ on a device: closed memory, other orders of kernels, lanes and
// blocks, what is refused, and how errors of the runtime are told.
#include "duel/core/device/graph.h"
#include "duel/core/device/side_streams.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/kernels/base/runtime.h"
#include "duel/nn/layers.h"
#include "duel/nn/optim/optim.h"
#include "tests/devices/device.h"
#include "tests/simt/host_runtime.h"
#include "tests/simt/simt.h"

namespace duel {
namespace {

namespace runtime = kernels::runtime;
using testing::error_of;
using testing_devices::kDevice;
using testing_devices::same_bits;

constexpr TensorOptions kOn{DType::f32, kDevice};

class SimtDevice : public testing_devices::OnDevice {};

TEST_F(SimtDevice, HostCodeCannotFollowADevicePointer) {
  const Tensor x = Tensor::ones({4}, kOn);
  EXPECT_DEATH({ [[maybe_unused]] volatile float v = x.data<float>()[1]; }, "");
}

TEST_F(SimtDevice, KernelsCannotReadWhatNobodyWrote) {
  const Tensor x = Tensor::empty({4}, kOn);
  try {
    (void)(x + 1.0).to_vector<float>();
    ADD_FAILURE() << "read poison";
  } catch (const simt::Failure& failure) {
    EXPECT_EQ(failure.fault, simt::Fault::uninitialised) << failure.what();
  }
}

TEST_F(SimtDevice, ATrainingStepGivesTheSameBitsInEveryOrder) {
  const auto train = [] {
    manual_seed(1);
    nn::Sequential net(nn::Conv2d(1, 3, 3, {.padding = 1}), nn::BatchNorm2d(3), nn::LeakyReLU(0.2),
                       nn::Flatten(), nn::Linear(3 * 25, 1));
    net.to(kDevice);
    nn::Adam adam(net, nn::AdamOptions{});
    Generator noise(2);
    for (int step = 0; step < 2; ++step) {
      Tensor x = noise.normal({3, 1, 5, 5}, 0, 1, kOn).set_requires_grad(true);
      const Tensor y = net(x);
      const Tensor g = grad({sum(y)}, {x}, {}, {.create_graph = true})[0];
      adam.step(grad({mean(square(sample_norm(g) - 1.0)) + mean(softplus(y))}, net.parameters()));
    }
    return net.state_dict();
  };
  const nn::StateDict expected = train();
  for (const simt::Schedule& order :
       {simt::Schedule{simt::Order::reverse, 0, 1}, simt::Schedule{simt::Order::shuffled, 5, 2}}) {
    nn::StateDict got;
    simt::run_in_order(order, [&] { got = train(); });
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_TRUE(same_bits(got[i].second, expected[i].second))
          << got[i].first << ", " << simt::to_text(order);
    }
  }
}

TEST_F(SimtDevice, BranchesOfAGraphRunInAnyOrder) {
  const Tensor x = Tensor::full({16, 16}, 0.5, kOn);
  const Tensor expected = matmul(x, x) + tanh(x) + exp(x);
  Tensor y;
  CapturedGraph graph(kDevice, [&] {
    Tensor a, b;
    SideStreams branches(kDevice);
    branches.run([&] { a = matmul(x, x); });
    branches.run([&] { b = exp(x); });
    const Tensor c = tanh(x);
    branches.join();
    y = a + c + b;
  });
  for (const simt::Schedule& order :
       {simt::Schedule{simt::Order::forward, 0, 1}, simt::Schedule{simt::Order::reverse, 0, 1},
        simt::Schedule{simt::Order::shuffled, 3, 1}}) {
    simt::run_in_order(order, [&] { graph.launch(); });
    EXPECT_TRUE(same_bits(y, expected)) << simt::to_text(order);
  }
}

// Fails where a side stream that goes on does not wait for the second fork.
TEST_F(SimtDevice, ASideStreamGoesOnAfterASecondFork) {
  const Tensor x = Tensor::full({16, 16}, 0.5, kOn);
  const Tensor expected = mul(exp(x), tanh(x)) + matmul(x, x);
  Tensor y;
  CapturedGraph graph(kDevice, [&] {
    Tensor a, c;
    SideStreams beside(kDevice);
    beside.run(2, [&] { a = exp(x); });
    const Tensor b = tanh(x);
    beside.fork();
    beside.run(2, [&] { c = mul(a, b); });
    const Tensor d = matmul(x, x);
    beside.join();
    y = c + d;
  });
  for (const simt::Schedule& order :
       {simt::Schedule{simt::Order::forward, 0, 1}, simt::Schedule{simt::Order::reverse, 0, 1},
        simt::Schedule{simt::Order::shuffled, 3, 1}}) {
    simt::run_in_order(order, [&] { graph.launch(); });
    EXPECT_TRUE(same_bits(y, expected)) << simt::to_text(order);
  }
  SideStreams beside(kDevice);
  EXPECT_NE(error_of([&] { beside.run(SideStreams::kMost, [] {}); }), "");
}

TEST_F(SimtDevice, AResultThatIsReadBeforeTheJoinIsFound) {
  const Tensor x = Tensor::full({16, 16}, 0.5, kOn);
  Tensor y;
  CapturedGraph graph(kDevice, [&] {
    Tensor a;
    SideStreams branches(kDevice);
    branches.run([&] { a = exp(x); });
    y = a + x;  // too early
    branches.join();
  });
  bool found = false;
  try {
    simt::run_in_order({simt::Order::reverse, 0, 1}, [&] { graph.launch(); });
    found = !same_bits(y, exp(x) + x);
  } catch (const simt::Failure&) {
    found = true;  // where the memory has never been written to
  }
  EXPECT_TRUE(found);
}

TEST_F(SimtDevice, ForksMustJoin) {
  const kernels::Stream main = stream_of(kDevice), side = runtime::create_stream();
  const runtime::Event fork = runtime::create_event(), done = runtime::create_event();
  const Tensor x = Tensor::zeros({4}, kOn);
  const auto capture = [&](bool join) {
    runtime::begin_capture(main);
    runtime::record(fork, main);
    runtime::wait(side, fork);
    runtime::fill_bytes(side, x.mutable_raw(), 1, 16);
    if (join) {
      runtime::record(done, side);
      runtime::wait(main, done);
    }
    const runtime::Graph graph = runtime::end_capture(main);
    EXPECT_EQ(graph.nodes, 1);
    EXPECT_EQ(graph.kernels, 0);
    runtime::launch_graph(graph, main);
    runtime::destroy_graph(graph);
  };
  EXPECT_NE(error_of([&] { capture(false); }).find("cudaErrorStreamCaptureUnjoined"), std::string::npos);
  EXPECT_NO_THROW(capture(true));
  EXPECT_EQ(x.to(Device::cpu()).data<float>()[3], 2.36942782761724e-38f);  // bytes of 1
  runtime::destroy_event(fork);
  runtime::destroy_event(done);
  runtime::destroy_stream(side);
}

TEST_F(SimtDevice, ReplaysAllocateNothing) {
  const Tensor x = Tensor::full({16, 16}, 0.5, kOn);
  Tensor y = Tensor::zeros({16, 16}, kOn);
  CapturedGraph graph(kDevice, [&] { y.copy_(matmul(x, y) + x); });
  const long before = simt::device_allocations();
  for (int i = 0; i < 5; ++i) graph.launch();
  EXPECT_EQ(simt::device_allocations(), before);
}

TEST_F(SimtDevice, NoReplayWhileSideStreamsWork) {
  const Tensor x = Tensor::ones({4}, kOn);
  Tensor y = Tensor::zeros({4}, kOn);
  CapturedGraph graph(kDevice, [&] { y.copy_(x + x); });
  SideStreams beside(kDevice);
  beside.run([&] { (void)(x + x); });
  EXPECT_NE(error_of([&] { graph.launch(); }).find("join()"), std::string::npos);
  beside.join();
  graph.launch();
  EXPECT_EQ(y.to_vector<float>(), std::vector<float>(4, 2.0f));
}

TEST_F(SimtDevice, ErrorsOfTheRuntimeSayWhatToDo) {
  const struct {
    cudaError_t status;
    const char* advice;
  } cases[] = {{cudaErrorIllegalAddress, "compute-sanitizer"},
               {cudaErrorNoKernelImageForDevice, "-DCMAKE_CUDA_ARCHITECTURES=native"},
               {cudaErrorInsufficientDriver, "Install an NVIDIA driver"},
               {cudaErrorMemoryAllocation, "smaller batch"}};
  synchronize(kDevice);  // its stream is there
  for (const auto& each : cases) {
    simt::fail_next_call(each.status);
    const std::string text = error_of([] { synchronize(kDevice); });
    EXPECT_EQ(text.rfind(std::string("[cuda] CUDA error ") + cudaGetErrorName(each.status) + ": ", 0), 0u)
        << text;
    for (const char* part : {"cudaStreamSynchronize(", "(kernels/base/runtime.cu:", each.advice}) {
      EXPECT_NE(text.find(part), std::string::npos) << part << ": " << text;
    }
  }
}

TEST_F(SimtDevice, AFullDeviceIsAClearError) {
  empty_allocator_cache(kDevice);
  simt::set_device_memory(8 << 20);
  const Tensor held = Tensor::empty({3 << 20}, {DType::u8, kDevice});
  { const Tensor cached = Tensor::empty({2 << 20}, {DType::u8, kDevice}); }
  EXPECT_NO_THROW(Tensor::empty({4 << 20}, TensorOptions{DType::u8, kDevice})) << "what is cached makes room";
  const std::string text = error_of([] { Tensor::empty({16 << 20}, {DType::u8, kDevice}); });
  simt::set_device_memory(size_t{1} << 30);
  EXPECT_NE(
      text.find("out of memory on cuda:0: wanted 16 MiB, in use 3 MiB, cached 0 bytes, free on the device "),
      std::string::npos)
      << text;
}

TEST_F(SimtDevice, HasNameAndNumbers) {
  EXPECT_EQ(runtime::availability().devices, 1);
  const runtime::Properties p = runtime::properties();
  EXPECT_EQ(p.name, "SIMT harness");
  EXPECT_EQ(p.bandwidth(), 16e9);
}

}  // namespace
}  // namespace duel
