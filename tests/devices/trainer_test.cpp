// The trainer on a device: captured iterations are eager ones bit for bit, under every objective; the CPU's
// way within rounding; checkpoints cross devices; memory stays. On the SIMT harness with tiny networks and
// few iterations.
#include "trainers.h"

#include <cmath>

#include "duel/core/ops.h"
#include "duel/gan/objective/critic.h"
#include "duel/gan/train/diagnostics.h"
#include "duel/nn/layers.h"
#include "duel/nn/module/sequential.h"
#include "tests/own_parts.h"

namespace duel::gan {
namespace {

using namespace testing_devices;

std::vector<Recipe> every_objective() {
  std::vector<Recipe> all;
  for (const std::string& name : objective_names()) all.push_back({name});
  all.push_back({"ns-gan", "dcgan", {{"instance-noise", 0.3}, {"ema", 0.9}, {"instance-noise-steps", 8}}});
  all.push_back({"wgan-gp", "dcgan", {{"critic-steps", 2}, {"lazy-interval", 3}}});
  all.push_back({"ns-gan", "mlp", {{"ema", 0.9}, {"lr-decay-steps", 9}, {"update", "extragradient"}}});
  all.push_back({"acgan", "mlp", {{"label-flip", 0.2}, {"unroll", 2}}});
  all.push_back({"ns-gan", "mlp", {{"optimizer", "oadam"}, {"lookahead", 2}, {"unroll", 2}}});
  all.push_back({"wgan-gp", "resnet", {{"critic-steps", 1}}});
  all.push_back({"hinge", "sagan", {{"ema", 0.9}}});
  all.push_back({"projection", "biggan", {{"critic-steps", 1}}});
  all.push_back({"r1", "stylegan2", {{"lazy-interval", 2}}});
  all.push_back({"r3gan", "r3gan"});
  all.push_back({"r1", "unet", {{"cutmix", 1.0}, {"lazy-interval", 2}}});
  all.push_back(
      {"hinge", "dcgan", {{"lecam", 0.3}, {"bcr", 10.0}, {"zcr-d", 5.0}, {"zcr-g", 0.5}, {"top-k", 0.5}}});
  all.push_back({"ns-gan",
                 "dcgan",
                 {{"path-length", 2.0}, {"orthogonal", 1e-4}, {"augment", "color,translation,cutout"}}});
  all.push_back({"hinge",
                 "dcgan",
                 {{"augment", "flip,turn,affine,color"},
                  {"ada", true},
                  {"apa", true},
                  {"adaptive-target", 0.1},
                  {"adaptive-images", 20}}});
  all.push_back({"ns-gan", "mlp", {{"historical-averaging", 0.1}, {"spectral-regularisation", 0.01}}});
  all.push_back({"ns-gan", "mlp", {{"path-length", 2.0}, {"path-length-every", 2}}});
  all.push_back({"cgan", "dcgan", {}, Norm::virtual_batch});
  all.push_back({"hinge", "dcgan", {{"latent-step", 0.9}, {"critic-steps", 2}}});
  return all;
}

class DeviceTrainerGraph : public testing_devices::OnDevice, public ::testing::WithParamInterface<Recipe> {};

TEST_P(DeviceTrainerGraph, CapturedIterationsAreEagerOnes) {
  const int64_t steps = sized(50, GetParam().arch == "mlp" || GetParam().arch == "dcgan" ? 5 : 3);
  const auto eager = trainer_on(kDevice, GetParam(), false), captured = trainer_on(kDevice, GetParam(), true);
  run(*eager, steps);
  run(*captured, steps);
  EXPECT_GE(captured->graphs(), 1);
  EXPECT_EQ(eager->graphs(), 0);
  EXPECT_EQ(first_difference(eager->state(), captured->state()), "");
  const Metrics a = eager->metrics(), b = captured->metrics();
  EXPECT_EQ(a.loss_d, b.loss_d);
  EXPECT_EQ(a.loss_g, b.loss_g);
  EXPECT_EQ(a.penalty, b.penalty);
  EXPECT_TRUE(std::isfinite(b.loss_d) && std::isfinite(b.loss_g));
  for (size_t i = 0; i < eager->last_gradients().size(); ++i) {
    ASSERT_EQ(eager->last_gradients()[i].defined(), captured->last_gradients()[i].defined());
    if (eager->last_gradients()[i].defined()) {
      EXPECT_TRUE(same_bits(eager->last_gradients()[i], captured->last_gradients()[i])) << i;
    }
  }
}

class DeviceTrainer : public testing_devices::OnDevice {};
class DeviceTrainerGraphs : public testing_devices::OnDevice {};
class DeviceTrainerMemory : public testing_devices::OnDevice {};

const std::vector<Recipe> kFew = {{"wgan-gp"}, {"ns-gan", "dcgan", {{"ema", 0.9}}}};

/// |a - b| / |b| over all weights of D or of G ("d." or "g.").
double distance(const TensorFile& a, const TensorFile& b, const std::string& prefix) {
  double apart = 0, length = 0;
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    if (!a.tensors[i].first.starts_with(prefix)) continue;
    const auto x = a.tensors[i].second.to_vector<double>(), y = b.tensors[i].second.to_vector<double>();
    for (size_t k = 0; k < x.size(); ++k) {
      apart += (x[k] - y[k]) * (x[k] - y[k]);
      length += y[k] * y[k];
    }
  }
  return std::sqrt(apart / length);
}

/// Without the average's statistics, which are computed.
TensorFile drawn(const TensorFile& state) {
  TensorFile rest;
  for (const auto& entry : state.tensors) {
    if (!entry.first.starts_with("g_ema.") || entry.first.find("running") == std::string::npos)
      rest.tensors.push_back(entry);
  }
  return rest;
}

TEST_F(DeviceTrainer, GoesTheWayOfTheCpu) {
  const int64_t steps = sized(20, 6);
  for (const Recipe& recipe : kFew) {
    const auto cpu = trainer_on(Device::cpu(), recipe, true), gpu = trainer_on(kDevice, recipe, true);
    const TensorFile start = cpu->state();
    EXPECT_EQ(first_difference(drawn(start), drawn(gpu->state())), "") << "initial weights are drawn alike";
    run(*cpu, steps);
    run(*gpu, steps);
    for (const char* player : {"d.", "g."}) {
      const double apart = distance(gpu->state(), cpu->state(), player),
                   moved = distance(cpu->state(), start, player);
      EXPECT_LT(apart, 0.05 * moved) << recipe.objective << " " << player;
      EXPECT_GT(moved, 1e-4);
    }
    EXPECT_NEAR(gpu->metrics().loss_d, cpu->metrics().loss_d,
                1e-2 * std::max(1.0, std::abs(cpu->metrics().loss_d)));
    EXPECT_EQ(cpu->state().find("progress")->to_vector<int64_t>(),
              gpu->state().find("progress")->to_vector<int64_t>());
    EXPECT_EQ(cpu->state().find("random.latent")->to_vector<int64_t>(),
              gpu->state().find("random.latent")->to_vector<int64_t>());
    const Tensor z = Generator(5).normal({3, cpu->networks().latent.width()});
    gpu->restore(cpu->state());
    const auto a = cpu->sample(z).to_vector<double>(), b = gpu->sample(z).to_vector<double>();
    for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-3) << i;
  }
}

class DeviceTrainerTf32 : public DeviceTrainer, public ::testing::WithParamInterface<Recipe> {};

// 200 iterations with products of floats, and the same with TF32's (convolutions under the harness fewer; with 200 they stay
// as near). Bounds, set before: the weights moved apart by less than a twentieth of what they moved, and the losses of the
// last quarter by less than 0.05, or a twentieth.
TEST_P(DeviceTrainerTf32, GoesTheWayOfFloats) {
  if (!kernels::device::tensor_cores()) GTEST_SKIP() << "no tensor cores for TF32";
  const Recipe& recipe = GetParam();
  const int64_t steps = recipe.arch == "mlp" ? 200 : sized(200, 40);
  TensorFile start, ends[2];
  double losses[2] = {};
  for (const bool tf32 : {false, true}) {
    kernels::set_tf32(tf32);
    const auto trainer = trainer_on(kDevice, recipe, true);
    if (!tf32) start = trainer->state();
    for (int64_t i = 0; i < steps; ++i) {
      trainer->step();
      if (4 * i >= 3 * steps) losses[tf32] += 4 * trainer->metrics().loss_d / static_cast<double>(steps);
    }
    ends[tf32] = trainer->state();
  }
  for (const char* player : {"d.", "g."}) {
    const double apart = distance(ends[0], ends[1], player), moved = distance(ends[0], start, player);
    EXPECT_LT(apart, 0.05 * moved) << player;
    EXPECT_GT(apart, 0) << player << " another arithmetic has other bits";
  }
  EXPECT_NEAR(losses[0], losses[1], 0.05 * std::max(1.0, std::abs(losses[0])));
}

INSTANTIATE_TEST_SUITE_P(Workloads, DeviceTrainerTf32,
                         ::testing::Values(Recipe{"ns-gan"}, Recipe{"wgan-gp", "mlp", {{"critic-steps", 2}}},
                                           Recipe{"ns-gan", "dcgan"},
                                           Recipe{"wgan-gp", "dcgan", {{"critic-steps", 2}}}));

TEST_F(DeviceTrainer, ACheckpointGoesOnBitForBitAndOnOtherDevices) {
  for (const Recipe& recipe : kFew) {
    const auto whole = trainer_on(kDevice, recipe, true), half = trainer_on(kDevice, recipe, true);
    run(*whole, 7);
    run(*half, 3);
    const TensorFile kept = half->state();
    for (const auto& [name, tensor] : kept.tensors) EXPECT_EQ(tensor.device(), Device::cpu()) << name;
    const auto resumed = trainer_on(kDevice, recipe, true, /*seed=*/1);
    run(*resumed, 4);  // captured by now: restoring lets that go
    resumed->restore(kept);
    run(*resumed, 4);
    EXPECT_EQ(first_difference(whole->state(), resumed->state()), "") << recipe.objective;
    const auto here = trainer_on(Device::cpu(), recipe, true);
    here->restore(kept);
    EXPECT_EQ(first_difference(here->state(), kept), "");
    here->step();
    const auto back = trainer_on(kDevice, recipe, true);
    back->restore(here->state());
    EXPECT_EQ(first_difference(here->state(), back->state()), "");
    EXPECT_EQ(back->iteration(), 4);
  }
}

TEST_F(DeviceTrainerGraphs, LooksBetweenReplaysChangeNothing) {
  const Recipe recipe{"wgan-gp", "mlp", {{"critic-steps", 2}}};
  const auto plain = trainer_on(kDevice, recipe, true), watched = trainer_on(kDevice, recipe, true);
  for (int i = 0; i < 6; ++i) {
    plain->step();
    if (i % 3 != 2) {
      watched->step();
      continue;
    }
    StepRecord record;
    watched->step(true, &record);
    const Diagnosis d = diagnose(*watched, record);
    EXPECT_TRUE(std::isfinite(d.number("wasserstein_estimate")));
    EXPECT_GT(watched->metrics().grad_norm_g, 0);
    EXPECT_EQ(watched->metrics().loss_d, plain->metrics().loss_d);
  }
  EXPECT_EQ(first_difference(plain->state(), watched->state()), "");
  EXPECT_EQ(watched->graphs(), 1);
}

// Warm-up and lazy penalties make kinds of iterations; each is captured once.
TEST_F(DeviceTrainerGraphs, EveryKindOfIterationHasItsOwn) {
  const Recipe recipe{"wgan-gp", "mlp", {{"critic-steps", 1}, {"lazy-interval", 2}}};
  const auto eager = trainer_on(kDevice, recipe, false), captured = trainer_on(kDevice, recipe, true);
  run(*eager, 9);
  run(*captured, 9);
  EXPECT_EQ(captured->graphs(), 2);
  EXPECT_EQ(first_difference(eager->state(), captured->state()), "");
  captured->forget_graphs();
  EXPECT_EQ(captured->graphs(), 0);
  eager->step();
  captured->step();
  EXPECT_EQ(first_difference(eager->state(), captured->state()), "");
}

// What a term remembers and what an augmentation draws lies on the device: replays go on with it.
TEST_F(DeviceTrainerGraphs, HoldPartsOfOnesOwn) {
  const Objective objective = testing::own_objective();
  const auto eager = trainer_on(kDevice, objective, "mlp", false),
             captured = trainer_on(kDevice, objective, "mlp", true);
  run(*eager, 5);
  run(*captured, 5);
  EXPECT_EQ(captured->graphs(), 1);
  EXPECT_EQ(first_difference(eager->state(), captured->state()), "");
  EXPECT_GT(captured->state().find("terms_g.path_length.0")->item(), 0);
}

TEST_F(DeviceTrainerMemory, IsConstantOverCapturedIterations) {
  for (const Recipe& recipe : kFew) {
    const auto trainer = trainer_on(kDevice, recipe, true);
    run(*trainer, 4);
    ASSERT_EQ(trainer->graphs(), 1);
    const AllocatorStats before = allocator_stats(kDevice);
    run(*trainer, sized(1000, 4));
    const AllocatorStats after = allocator_stats(kDevice);
    EXPECT_EQ(after.allocations, before.allocations) << "a replay allocates nothing";
    EXPECT_EQ(after.active_bytes, before.active_bytes);
    EXPECT_EQ(after.graph_bytes, before.graph_bytes);
    EXPECT_EQ(after.system_allocations, before.system_allocations);
    // Logged iterations return what they took.
    trainer->step(true);
    const int64_t looked = allocator_stats(kDevice).active_bytes;
    for (int i = 0; i < 3; ++i) trainer->step(true);
    EXPECT_EQ(allocator_stats(kDevice).active_bytes, looked);
    EXPECT_TRUE(std::isfinite(trainer->metrics().loss_d));
  }
}

// On the CPU as on the device, captured or not: the losses of every iteration, as metrics() showed them one
// by one.
TEST_F(DeviceTrainerGraphs, EveryIterationsLossesAreRemembered) {
  for (const Device device : {Device::cpu(), kDevice}) {
    const auto trainer = trainer_on(device, {"wgan-gp", "mlp", {{"critic-steps", 1}}}, true);
    EXPECT_TRUE(trainer->recent_losses().empty());
    const TensorFile start = trainer->state();
    std::vector<Metrics> seen;
    for (int i = 0; i < 5; ++i) {
      trainer->step(i == 3);
      seen.push_back(trainer->metrics());
    }
    const std::vector<Losses> losses = trainer->recent_losses();
    ASSERT_EQ(losses.size(), 5u);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(losses[i].iteration, static_cast<int64_t>(i) + 1);
      EXPECT_EQ(losses[i].loss_d, seen[i].loss_d);
      EXPECT_EQ(losses[i].loss_g, seen[i].loss_g);
      EXPECT_EQ(losses[i].penalty, seen[i].penalty);
    }
    trainer->restore(start);
    EXPECT_TRUE(trainer->recent_losses().empty());
    trainer->step();
    ASSERT_EQ(trainer->recent_losses().size(), 1u);
    EXPECT_EQ(trainer->recent_losses()[0].iteration, 1);
  }
}

class DeviceTrainerKnownMistakes : public testing_devices::OnDevice {};

// PyTorch-GAN (dragan.py) draws the noise of its penalty with torch.rand on the CPU, from the process's
// generator: it fails beside tensors on a GPU, or with a copy makes the device wait, and a seed of the run
// does not decide it. Here all random numbers of an iteration (latents, order of the data, the penalty's)
// come from the trainer's generators and are made where it computes.
TEST_F(DeviceTrainerKnownMistakes, RandomNumbersOfTheHost_PyTorchGAN) {
  using Points = decltype(PenaltySampling::points);
  const auto draws_on_its_device_from_its_seed = [](const Points& points) {
    Objective objective = named_objective("dragan");
    if (points) objective.penalties[0].sampling.points = points;
    std::vector<TensorFile> ends;
    for (const uint64_t elsewhere : {1, 2}) {
      const auto trainer = trainer_on(kDevice, objective, "mlp", false);
      trainer->step();
      manual_seed(elsewhere);
      const int64_t on_host = allocator_stats(Device::cpu()).allocations;
      run(*trainer, 2);
      if (allocator_stats(Device::cpu()).allocations != on_host) return false;
      ends.push_back(trainer->state());
    }
    return first_difference(ends[0], ends[1]).empty();
  };
  const auto drawn_by = [](const auto& uniform) {
    return [uniform](const Tensor& real, const Tensor&, Generator& random) {
      const Tensor alpha = uniform({real.dim(0)}, random, real.options());
      return dragan_points(real, alpha, uniform(real.shape(), random, real.options()));
    };
  };
  const auto torch_rand = [](const Shape& shape, Generator&, TensorOptions o) {
    return default_generator().uniform(shape, 0, 1, {o.dtype, {}}).to(o.device);
  };
  const auto on_the_host = [](const Shape& shape, Generator& random, TensorOptions o) {
    return random.uniform(shape, 0, 1, {o.dtype, {}}).to(o.device);
  };
  const auto of_the_process = [](const Shape& shape, Generator&, TensorOptions o) {
    return default_generator().uniform(shape, 0, 1, o);
  };
  EXPECT_TRUE(draws_on_its_device_from_its_seed({}));
  EXPECT_FALSE(draws_on_its_device_from_its_seed(drawn_by(torch_rand)));
  EXPECT_FALSE(draws_on_its_device_from_its_seed(drawn_by(on_the_host)));
  // On the device the process's generator is no mistake any more: while D works the trainer lends one of its
  // own in its place.
  EXPECT_TRUE(draws_on_its_device_from_its_seed(drawn_by(of_the_process)));
}

// A layer with two places in D gets two gradients of its weight and two of its bias, whichever streams they are made on.
TEST_F(DeviceTrainer, ALayerWithTwoPlacesIsTrainedAlikeInAGraph) {
  const Objective objective = named_objective("wgan-gp");
  std::vector<TensorFile> ends;
  for (const bool graphs : {false, true}) {
    Generator weights(1);
    Networks nets = make_networks({.arch = "mlp", .height = 4, .width = 4, .latent = 3, .channels_g = 2},
                                  objective, weights);
    const LendDefaultGenerator lent(weights);
    const auto shared = std::make_shared<nn::Linear>(16, 16);
    nn::Sequential layers(nn::Flatten{}, shared, nn::LeakyReLU(0.2), shared, nn::LeakyReLU(0.2),
                          nn::Linear(16, 1));
    nets.discriminator = std::make_shared<SequentialCritic>(layers);
    Trainer trainer(nets, objective,
                    std::make_shared<ResidentData>(testing::noise_images(10, 4, 10), kDevice),
                    {.batch = kBatch, .seed = 3, .device = kDevice, .graphs = graphs});
    run(trainer, sized(20, 4));
    EXPECT_EQ(trainer.graphs() > 0, graphs);
    ends.push_back(trainer.state());
  }
  EXPECT_EQ(first_difference(ends[0], ends[1]), "");
}

TEST_F(DeviceTrainer, RefusesDataOfAnotherDevice) {
  const Objective objective = named_objective("ns-gan");
  Generator weights(1);
  const Networks nets = make_networks({.arch = "mlp", .height = 4, .width = 4}, true, weights);
  EXPECT_THROW(Trainer(nets, objective, std::make_shared<ResidentData>(testing::noise_images(8, 4, 10)),
                       {.batch = 4, .device = kDevice}),
               Error);
}

INSTANTIATE_TEST_SUITE_P(Objectives, DeviceTrainerGraph, ::testing::ValuesIn(every_objective()),
                         [](const auto& param) {
                           std::string name = param.param.arch + "_" + param.param.objective + "_" +
                                              std::to_string(param.index);
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace duel::gan
