// The iteration that is tried before a run: it fails where the run's would, costs no more than that, and
// moves nothing.
#include "duel/gan/run/internal/rehearsal.h"

#include <gtest/gtest.h>

#include "duel/core/ops.h"
#include "tests/files.h"

namespace duel::gan {
namespace {

using duel::testing::error_of;
using duel::testing::has;

detail::RunSetup small(const std::string& objective) {
  RunConfig config;
  config.objective = objective;
  config.networks.arch = "mlp";
  config.networks.channels_g = config.networks.channels_d = 8;
  config.data = "synthetic";
  config.synthetic_count = 32;
  config.batch = 8;
  config.device = "cpu";
  return detail::set_up(std::move(config));
}

std::vector<std::vector<float>> weights(const detail::RunSetup& setup) {
  std::vector<std::vector<float>> all;
  for (const auto& network : {setup.networks.generator, setup.networks.discriminator}) {
    for (const Tensor& tensor : network->parameters()) all.push_back(tensor.to_vector<float>());
    for (const auto& [name, tensor] : network->named_buffers()) all.push_back(tensor.to_vector<float>());
  }
  return all;
}

TEST(Rehearsal, LeavesTheRunWhereItWas) {
  for (const char* name : {"sngan", "acgan", "infogan", "wgan-gp"}) {
    detail::RunSetup setup = small(name);
    const auto before = weights(setup);
    rehearse(setup);
    EXPECT_EQ(weights(setup), before) << name;
  }
}

TEST(Rehearsal, WhatAnIterationRefusesIsTold) {
  detail::RunSetup setup = small("ns-gan");
  setup.objective.g_terms.push_back({.name = "two by two", .value = [](const Round& round) {
                                       return sum(round.fake.samples.reshape({2, 2}));
                                     }});
  const std::string text = error_of([&] { rehearse(setup); });
  for (const char* part : {"ns-gan with mlp and batch 8", "its first iteration would fail", "two by two"})
    EXPECT_TRUE(has(text, part)) << text;
}

// Repeated steps show nothing new: these would take hours.
TEST(Rehearsal, IsShort) {
  detail::RunSetup setup = small("wgan-gp");
  int64_t judged = 0;
  setup.objective.d_terms.push_back({.name = "count", .weight = 0, .value = [&](const Round& round) {
                                       ++judged;
                                       return mul_scalar(sum(round.fake.judgement.logits), 0.0);
                                     }});
  Schedule& schedule = setup.objective.schedule;
  schedule.critic_steps = schedule.warmup.critic_steps = 1000000;
  rehearse(setup);
  EXPECT_EQ(judged, 2);
}

}  // namespace
}  // namespace duel::gan
