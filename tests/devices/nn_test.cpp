// Modules and optimizers on a CUDA device against the CPU.
#include <cmath>
#include <functional>

#include "device.h"
#include "duel/core/ops.h"
#include "duel/core/tensor/autograd.h"
#include "duel/core/tensor/random.h"
#include "duel/nn/layers.h"
#include "duel/nn/module/save.h"
#include "duel/nn/optim/clip_grad.h"
#include "duel/nn/optim/functional_optimizer.h"
#include "duel/nn/optim/lr_schedule.h"
#include "duel/nn/optim/optim.h"
#include "tests/files.h"

namespace duel {
namespace {

using testing_devices::kDevice;
using testing_devices::same_bits;

class DeviceModules : public testing_devices::OnDevice {};

/// Twice the same module from one seed, the second on the device.
std::pair<nn::Sequential, nn::Sequential> twins(const std::function<nn::Sequential()>& make) {
  manual_seed(11);
  auto cpu = make();
  manual_seed(11);
  auto gpu = make();
  gpu.to(kDevice);
  return {std::move(cpu), std::move(gpu)};
}

void expect_near_tensors(const Tensor& a, const Tensor& b, double bound) {
  ASSERT_EQ(to_text(a), to_text(b));
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_NEAR(x[i], y[i], bound * std::max(1.0, std::abs(x[i]))) << "element " << i;
}

void expect_same_state(const nn::Module& cpu, const nn::Module& gpu, double bound) {
  const auto a = cpu.state_dict(), b = gpu.state_dict();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    SCOPED_TRACE(a[i].first);
    EXPECT_EQ(b[i].second.device(), kDevice);
    expect_near_tensors(a[i].second, b[i].second, bound);
  }
}

TEST_F(DeviceModules, MoveWithTheirHandles) {
  nn::Linear layer(3, 2);
  const Tensor handle = layer.weight;
  const auto values = handle.to_vector<float>();
  backward(sum(layer(Tensor::ones({1, 3}))));
  layer.to(kDevice);
  EXPECT_EQ(handle.device(), kDevice);
  EXPECT_TRUE(handle.is_leaf() && handle.requires_grad());
  EXPECT_FALSE(handle.grad().defined());  // it was on the CPU
  EXPECT_EQ(handle.to_vector<float>(), values);
  backward(sum(layer(Tensor::ones({1, 3}, {DType::f32, kDevice}))));
  EXPECT_EQ(handle.grad().device(), kDevice);
  layer.to(Device::cpu());
  EXPECT_EQ(handle.to_vector<float>(), values);
}

TEST_F(DeviceModules, LayersAgree) {
  auto [cpu, gpu] = twins([] {
    nn::Sequential net(nn::Conv2d(1, 4, 3, {.padding = 1}), nn::BatchNorm2d(4), nn::LeakyReLU(0.2),
                       nn::SpectralNorm(nn::Conv2d(4, 3, 4, {.stride = 2, .padding = 1})),
                       nn::InstanceNorm2d(3), nn::Flatten(), nn::Linear(3 * 16, 8), nn::LayerNorm(Shape{8}),
                       nn::Dropout(0.25), nn::Tanh());
    return net;
  });
  Generator noise(3);
  for (int step = 0; step < 3; ++step) {
    const Tensor x = noise.normal({4, 1, 8, 8});
    manual_seed(static_cast<uint64_t>(step));
    const Tensor a = cpu(x);
    manual_seed(static_cast<uint64_t>(step));  // the same mask
    const Tensor b = gpu(x.to(kDevice));
    expect_near_tensors(a, b, 2e-5);
  }
  expect_same_state(cpu, gpu, 2e-5);  // running statistics, their counters, power iterations
  cpu.eval();
  gpu.eval();
  const Tensor x = noise.normal({2, 1, 8, 8});
  expect_near_tensors(cpu(x), gpu(x.to(kDevice)), 2e-5);
}

TEST_F(DeviceModules, StateDictsCrossDevices) {
  auto [cpu, gpu] = twins([] { return nn::Sequential(nn::Linear(3, 4), nn::BatchNorm1d(4)); });
  cpu.to(DType::f64);
  gpu.load_state_dict(cpu.state_dict());
  cpu.load_state_dict(gpu.state_dict());
  expect_same_state(cpu, (gpu.to(DType::f64), gpu), 0);
}

class DeviceOptimizers : public testing_devices::OnDevice, public ::testing::WithParamInterface<int> {};

std::unique_ptr<nn::Optimizer> optimizer(int kind, nn::Module& net) {
  if (kind == 0)
    return std::make_unique<nn::SGD>(net, nn::SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true});
  if (kind == 3) {
    auto groups = std::make_unique<nn::AdamW>(net, nn::AdamWOptions{.lr = 0.02, .weight_decay = 0.2});
    groups->add_param_group({.params = net.children()[0]->parameters(), .lr = 0.05, .weight_decay = 0.0});
    return groups;
  }
  if (kind == 4)
    return std::make_unique<nn::OptimisticAdam>(net, nn::AdamOptions{.lr = 0.01, .betas = {0.5, 0.99}});
  if (kind == 1) return std::make_unique<nn::RMSProp>(net, nn::RMSPropOptions{.lr = 0.01, .momentum = 0.5});
  return std::make_unique<nn::Adam>(net,
                                    nn::AdamOptions{.lr = 0.02, .betas = {0.5, 0.99}, .weight_decay = 0.1});
}

TEST_P(DeviceOptimizers, TakeTheSameWay) {
  auto [cpu, gpu] = twins([] { return nn::Sequential(nn::Linear(5, 7), nn::Tanh(), nn::Linear(7, 1)); });
  const auto a = optimizer(GetParam(), cpu), b = optimizer(GetParam(), gpu);
  for (auto* each : {a.get(), b.get()}) {
    each->set_clip(0.4);
    each->set_ema(0.9);
  }
  nn::CosineAnnealingLR schedule_a(*a, 10), schedule_b(*b, 10);
  Generator noise(5);
  for (int step = 0; step < 8; ++step) {
    const Tensor x = noise.normal({6, 5});
    a->step(grad({mean(square(cpu(x) - 1.0))}, cpu.parameters()));
    b->step(grad({mean(square(gpu(x.to(kDevice)) - 1.0))}, gpu.parameters()));
    schedule_a.step();
    schedule_b.step();
  }
  EXPECT_EQ(b->steps(), 8);
  EXPECT_EQ(a->lr(), b->lr());
  expect_same_state(cpu, gpu, 1e-5);
  const auto x = a->state_dict(), y = b->state_dict();
  ASSERT_EQ(x.size(), y.size());
  for (size_t i = 0; i < x.size(); ++i) {
    SCOPED_TRACE(x[i].first);
    expect_near_tensors(x[i].second, y[i].second, 1e-5);
  }
  // A state saved on one device goes on on the other.
  b->load_state_dict(x);
  EXPECT_TRUE(same_bits(a->ema(), b->ema()));
  EXPECT_EQ(b->steps(), 8);
}

INSTANTIATE_TEST_SUITE_P(Kinds, DeviceOptimizers, ::testing::Values(0, 1, 2, 3, 4));

TEST_P(DeviceOptimizers, LookAheadTheSameWay) {
  auto [cpu, gpu] = twins([] { return nn::Sequential(nn::Linear(3, 4), nn::Tanh(), nn::Linear(4, 1)); });
  const auto a = optimizer(GetParam(), cpu), b = optimizer(GetParam(), gpu);
  Generator noise(5);
  const Tensor x = noise.normal({6, 3});
  const auto loss = [](nn::Module& net, const Tensor& in) { return mean(square(net(in) - 1.0)); };
  for (int step = 0; step < 2; ++step) {
    a->step(grad({loss(cpu, x)}, cpu.parameters()));
    b->step(grad({loss(gpu, x.to(kDevice))}, gpu.parameters()));
  }
  nn::FunctionalOptimizer ahead_a(*a), ahead_b(*b);
  const auto next_a = ahead_a.step(cpu.parameters(), grad({loss(cpu, x)}, cpu.parameters()));
  const auto next_b = ahead_b.step(gpu.parameters(), grad({loss(gpu, x.to(kDevice))}, gpu.parameters()));
  for (size_t i = 0; i < next_a.size(); ++i) expect_near_tensors(next_a[i], next_b[i], 1e-5);
}

TEST_F(DeviceModules, CloneSaveAndClip) {
  auto [cpu, gpu] = twins([] { return nn::Sequential(nn::Linear(3, 4), nn::BatchNorm1d(4), nn::SiLU()); });
  const auto copy = nn::clone(gpu);
  expect_same_state(cpu, *copy, 0);
  const testing::Scratch folder;
  nn::save(gpu, folder / "net.safetensors");
  nn::load(cpu, folder / "net.safetensors");
  const Tensor x = Generator(2).normal({5, 3});
  backward(sum(square(cpu(x))));
  backward(sum(square((*copy)(x.to(kDevice)))));
  expect_near_tensors(nn::clip_grad_norm_(cpu.parameters(), 0.5),
                      nn::clip_grad_norm_(copy->parameters(), 0.5), 1e-5);
  for (size_t i = 0; i < 4; ++i)
    expect_near_tensors(cpu.parameters()[i].grad(), copy->parameters()[i].grad(), 1e-5);
}

TEST_F(DeviceModules, AnOptimizerWantsGradientsOfItsDevice) {
  nn::Linear layer(2, 1);
  layer.to(kDevice);
  nn::SGD sgd(layer, {});
  EXPECT_THROW(sgd.step({Tensor::zeros({1, 2}), Tensor::zeros({1})}), Error);
}

}  // namespace
}  // namespace duel
