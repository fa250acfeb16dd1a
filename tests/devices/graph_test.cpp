// Captured graphs: n replays are n eager calls, bit for bit.
#include "device.h"

#include <cmath>
#include <memory>
#include <optional>

#include "duel/core/device/graph.h"
#include "duel/core/device/side_streams.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/nn/layers.h"
#include "duel/nn/optim/optim.h"

namespace duel {
namespace {

using testing_devices::kDevice;
using testing_devices::same_bits;

constexpr TensorOptions kOn{DType::f32, kDevice};

/// A network, an optimizer and noise: everything that a training step changes lives on the device.
struct Training {
  nn::Sequential net;
  std::unique_ptr<nn::Adam> adam;
  Generator noise{9, 1};
  Tensor loss;

  Training() : net(make()) {
    net.to(kDevice);
    adam = std::make_unique<nn::Adam>(net, nn::AdamOptions{.lr = 0.01});
    adam->set_ema(0.9);
  }
  static nn::Sequential make() {
    manual_seed(4);
    return {nn::Linear(6, 16), nn::BatchNorm1d(16), nn::LeakyReLU(0.2), nn::Linear(16, 1)};
  }
  /// A gradient penalty, so that the graph holds a backward of a backward.
  void step() {
    Tensor x = noise.normal({8, 6}, 0, 1, kOn).set_requires_grad(true);
    const Tensor y = net(x);
    const Tensor g = grad({sum(y)}, {x}, {}, {.create_graph = true})[0];
    const Tensor value = mean(square(sample_norm(g) - 1.0)) + mean(softplus(y));
    adam->step(grad({value}, net.parameters()));
    if (!loss.defined()) loss = Tensor::zeros({}, kOn);
    loss.copy_(value.detach());
  }
};

void expect_same(const Training& a, const Training& b) {
  const auto x = a.net.state_dict(), y = b.net.state_dict();
  for (size_t i = 0; i < x.size(); ++i) EXPECT_TRUE(same_bits(x[i].second, y[i].second)) << x[i].first;
  const auto p = a.adam->state_dict(), q = b.adam->state_dict();
  for (size_t i = 0; i < p.size(); ++i) EXPECT_TRUE(same_bits(p[i].second, q[i].second)) << p[i].first;
  EXPECT_EQ(a.noise.state(), b.noise.state());
  EXPECT_TRUE(same_bits(a.loss, b.loss));
}

class DeviceGraph : public testing_devices::OnDevice {};

TEST_F(DeviceGraph, ReplaysAreEagerStepsBitForBit) {
  Training eager, captured;
  for (int i = 0; i < 6; ++i) eager.step();
  for (int i = 0; i < 2; ++i) captured.step();
  CapturedGraph graph(kDevice, [&] { captured.step(); });
  EXPECT_EQ(captured.adam->steps(), 2) << "capturing runs nothing";
  const auto before = allocator_stats(kDevice);
  for (int i = 2; i < 6; ++i) graph.launch();
  synchronize(kDevice);
  const auto after = allocator_stats(kDevice);
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.active_bytes, before.active_bytes);
  EXPECT_GE(graph.kernels(), 35);
  EXPECT_GE(graph.nodes(), graph.kernels());
  EXPECT_EQ(captured.adam->steps(), 6);
  expect_same(eager, captured);
}

TEST_F(DeviceGraph, EagerStepsAndReplaysMix) {
  Training eager, mixed;
  for (int i = 0; i < 8; ++i) eager.step();
  mixed.step();
  CapturedGraph graph(kDevice, [&] { mixed.step(); });
  graph.launch();
  mixed.step();
  graph.launch();
  graph.launch();
  CapturedGraph again = std::move(graph);
  mixed.step();
  again.launch();
  mixed.step();
  expect_same(eager, mixed);
}

TEST_F(DeviceGraph, SettingsApplyToTheNextReplay) {
  Training eager, captured;
  eager.step();
  captured.step();
  CapturedGraph graph(kDevice, [&] { captured.step(); });
  for (Training* each : {&eager, &captured}) {
    each->adam->set_lr(0.1);
    each->noise.set_state({9, 1, 12345});
  }
  eager.step();
  graph.launch();
  expect_same(eager, captured);
}

// Leaves may have streams of their own; a norm's kernel, which makes the gradients of all of them and of x, is started once
// all the same. Used twice, so that leaves' gradients are added too.
TEST_F(DeviceGraph, ANormIsDifferentiatedOnceWhateverItsLeavesRunOn) {
  nn::BatchNorm2d norm(5);
  norm.to(kDevice);
  const Tensor x = Generator(3).normal({4, 5, 3, 3}, 0, 1, kOn).set_requires_grad(true);
  std::vector<Tensor> wanted = norm.parameters();
  wanted.push_back(x);
  std::vector<std::vector<Tensor>> found(2);
  std::vector<int64_t> kernels;
  for (const bool beside : {false, true}) {
    const auto step = [&] {
      std::optional<ParallelLeafGradients> streams;
      if (beside) streams.emplace();
      found[beside] = grad({sum(square(norm(norm(x))))}, wanted);
    };
    step();
    CapturedGraph graph(kDevice, step);
    graph.launch();
    synchronize(kDevice);
    for (Tensor& gradient : found[beside]) gradient = gradient.to(Device::cpu());
    kernels.push_back(graph.kernels());
  }
  EXPECT_EQ(kernels[0], kernels[1] + 1)
      << "weight and bias get their second gradients in one launch beside, in two else";
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(same_bits(found[0][i], found[1][i])) << i;
}

TEST_F(DeviceGraph, MemoryIsTheGraphsUntilItDies) {
  const int64_t before = allocator_stats(kDevice).graph_bytes;
  const Tensor x = Tensor::full({1000}, 3, kOn);
  Tensor y;
  Tensor gone = Tensor::full({1000}, 5, kOn);
  auto graph = std::make_unique<CapturedGraph>(kDevice, [&] {
    y = exp(square(x * 0.1)) + gone;
    gone = {};  // the graph reads it all the same
  });
  EXPECT_GT(graph->bytes(), 4 * 4000);
  EXPECT_GT(allocator_stats(kDevice).graph_bytes, before);
  // Tensors made meanwhile keep their values, and the graph its scratch memory.
  std::vector<Tensor> others;
  for (int i = 0; i < 8; ++i) others.push_back(Tensor::full({1000}, i, kOn));
  graph->launch();
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(others[static_cast<size_t>(i)].to_vector<float>(),
              std::vector<float>(1000, static_cast<float>(i)));
  EXPECT_NEAR(y.to_vector<float>()[999], std::exp(0.09) + 5, 1e-5);
  graph.reset();
  EXPECT_NEAR(y.to_vector<float>()[0], std::exp(0.09) + 5, 1e-5);  // who holds a tensor keeps it
  EXPECT_EQ(allocator_stats(kDevice).graph_bytes, before);
}

TEST_F(DeviceGraph, BranchesJoin) {
  const Tensor x = Tensor::full({64, 64}, 0.5, kOn);
  const Tensor expected = matmul(x, x) + tanh(x);
  Tensor a, b, y;
  const auto both = [&] {
    SideStreams branches(kDevice);
    branches.run([&] { a = matmul(x, x); });
    branches.run([&] { b = tanh(x); });
    branches.join();
    y = a + b;
  };
  both();
  EXPECT_TRUE(same_bits(y, expected));
  CapturedGraph graph(kDevice, both);
  graph.launch();
  EXPECT_TRUE(same_bits(y, expected));
  // On the CPU the same code runs one after the other.
  SideStreams here(Device::cpu());
  bool ran = false;
  here.run([&] { ran = true; });
  EXPECT_TRUE(ran);
  here.join();
}

TEST_F(DeviceGraph, WhatACaptureCannotDoIsAnErrorAndLeavesNothingBehind) {
  Training eager, captured;
  eager.step();
  captured.step();
  const auto refused = [&](const std::function<void()>& work, const std::string& part) {
    try {
      CapturedGraph graph(kDevice, [&] {
        captured.step();
        work();
      });
      ADD_FAILURE() << "captured: " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  refused([&] { (void)captured.loss.item(); }, "A CUDA graph is being captured");
  refused([&] { (void)Tensor::from({1.f}, {1}, kDevice); }, "A CUDA graph is being captured");
  refused([&] { synchronize(kDevice); }, "cudaErrorStreamCaptureUnsupported");
  refused([&] { (void)captured.noise.uniform({4}); },
          "a graph is being captured, and this generator's offset is on cuda:0");
  refused([&] { CapturedGraph inner(kDevice, [] {}); }, "a graph is being captured on cuda:0 already");
  refused([] { fail("mine", "stop"); }, "[mine] stop");
  eager.step();
  captured.step();
  expect_same(eager, captured);
  EXPECT_THROW(CapturedGraph(Device::cpu(), [] {}), Error);
}

}  // namespace
}  // namespace duel
