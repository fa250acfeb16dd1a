// duel bench on a device: every case of its kernels gives the CPU's numbers there, the timer times and counts
// what is started, and graphs have the nodes that are counted.
#include "apps/bench/bench.h"
#include "apps/bench/cases/cases.h"

#include <cmath>

#include "apps/bench/timer.h"
#include "device.h"
#include "duel/core/tensor/autograd.h"

namespace duel {
namespace {

using namespace apps::bench;
using testing_devices::kDevice;

class DeviceBench : public testing_devices::OnDevice {};

void expect_near(const std::vector<Tensor>& expected, const std::vector<Tensor>& got,
                 const std::string& name) {
  ASSERT_EQ(expected.size(), got.size()) << name;
  for (size_t k = 0; k < got.size(); ++k) {
    const auto a = expected[k].to(DType::f64).to_vector<double>(),
               b = got[k].to(DType::f64).to_vector<double>();
    ASSERT_EQ(a.size(), b.size()) << name << " result " << k;
    for (size_t i = 0; i < a.size(); ++i) {
      if (std::isnan(a[i]) && std::isnan(b[i])) continue;  // the logarithm of a negative number
      ASSERT_NEAR(a[i], b[i], 1e-9 * (1 + std::abs(a[i]))) << name << " result " << k << " at " << i;
    }
  }
}

TEST_F(DeviceBench, EveryCaseGivesTheCpusNumbers) {
  const NoGrad no_grad;
  for (const NamedCase& named : all_cases()) {
    const Setting here{.size = 4096, .dtype = DType::f64, .device = {}},
        there{.size = 4096, .dtype = DType::f64, .device = kDevice};
    const Case cpu = named.make(here), gpu = named.make(there);
    EXPECT_EQ(cpu.bytes, gpu.bytes);
    cpu.run();
    gpu.run();
    expect_near(cpu.results, gpu.results, named.name);
    if (gpu.composed) expect_near(gpu.results, gpu.composed(), named.name + ", composed");
  }
}

TEST_F(DeviceBench, TheTimerTimesAndCounts) {
  const NoGrad no_grad;
  const Setting setting{.size = 65536, .dtype = DType::f32, .device = kDevice};
  for (const NamedCase& named : all_cases()) {
    if (named.name != "fill" && named.name != "loss_hinge") continue;
    const Case made = named.make(setting);
    for (const Cache cache : {Cache::warm, Cache::cold}) {
      const auto timer = make_timer(kDevice, cache);
      const Timed timed = timer->prepare(made.run, made.bytes),
                  copy = timer->prepare(timer->copy(made.bytes), made.bytes);
      EXPECT_EQ(cache == Cache::cold ? 1 : timed.calls, timed.calls);
      EXPECT_GT(timer->sample(timed), 0) << named.name;
      EXPECT_GT(timer->sample(copy), 0);
      EXPECT_LT(timer->sample(timed), 1) << named.name;
      const auto launches = timer->launches(made.run);
      ASSERT_TRUE(launches) << named.name;
      EXPECT_EQ(*launches, named.name == "fill" ? 1 : *launches);
      EXPECT_GE(*launches, 1);
      if (!made.composed) continue;
      const auto composed = timer->launches([&] { made.composed(); });
      ASSERT_TRUE(composed) << named.name;
      EXPECT_GT(*composed, *launches) << "the fused kernel saves launches";
    }
  }
}

TEST_F(DeviceBench, NodesAreCountedAndTimed) {
  const std::vector<NodesRow> rows = time_nodes(kDevice, 7, 0);
  ASSERT_EQ(rows.size(), 4u);
  for (size_t k = 0; k < rows.size(); ++k) {
    EXPECT_EQ(rows[k].nodes, 7) << k;
    EXPECT_EQ(rows[k].branches, k % 2 == 0 ? 1 : 3);
    EXPECT_EQ(rows[k].work, k < 2 ? "empty" : "64x256");
    EXPECT_GT(rows[k].replay_us, 0);
    EXPECT_GT(rows[k].alone_us, 0);
  }
}

// Fails after a failed capture too, unless the stream is given back as it was.
TEST_F(DeviceBench, WhatCannotBeCapturedHasNoCount) {
  const auto timer = make_timer(kDevice, Cache::warm);
  const Tensor x = Tensor::ones({4}, {DType::f32, kDevice});
  EXPECT_FALSE(timer->launches([&] { x.to_vector<float>(); }));
  EXPECT_EQ(x.to_vector<float>(), std::vector<float>(4, 1.0f));
}

}  // namespace
}  // namespace duel
