// Every objective against PyTorch in f64: first losses and all gradients, then ten iterations of losses and
// weights. Inputs and expectations: tests/golden/*.safetensors, whose README.md says exactly what was
// computed.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "duel/core/io/safetensors.h"
#include "duel/core/ops.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/distances/sliced.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/settings.h"
#include "duel/nn/layers.h"
#include "tests/source.h"

namespace duel::gan {
namespace {

using nn::Sequential;

const Tensor& at(const TensorFile& file, const std::string& name) {
  const Tensor* tensor = file.find(name);
  if (!tensor) throw Error("golden file lacks " + name);
  return *tensor;
}

nn::StateDict part(const TensorFile& file, const std::string& prefix) {
  nn::StateDict out;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix)) out.emplace_back(name.substr(prefix.size()), tensor);
  }
  return out;
}

/// |got - expected| <= 1e-9 (1 + |expected|) everywhere: f64 sums of at most some hundred terms, over up to 60 updates.
void expect_close(const Tensor& got, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(got.shape(), expected.shape()) << what;
  const auto a = got.to_vector<double>(), b = expected.to_vector<double>();
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]) / (1 + std::abs(b[i])));
  EXPECT_LE(worst, 1e-9) << what;
}

bool has_batch_norm_in_d(const TensorFile& file) { return file.find("d.3.running_mean") != nullptr; }

/// Appends a layer of D, under spectral norm where the objective asks for it.
template <class Layer>
void add(Sequential& d, const Objective& objective, Layer layer) {
  if (objective.constraint.spectral_norm) {
    d.push_back(nn::SpectralNorm(std::move(layer)));
  } else {
    d.push_back(std::move(layer));
  }
}

Networks golden_networks(const std::string& net, bool batch_norm_in_d, const Objective& objective) {
  using namespace nn;  // NOLINT: layers
  Networks networks;
  networks.latent.noise = 5;
  const auto critic = [&](const std::shared_ptr<Sequential>& d) -> std::shared_ptr<nn::Module> {
    if (objective.loss.reads_features) return std::make_shared<SequentialCritic>(*d);
    return d;
  };
  if (net == "mlp") {
    networks.generator =
        std::make_shared<Sequential>(Linear(5, 8), LeakyReLU(0.2), Linear(8, 12), nn::Tanh());
    auto d = std::make_shared<Sequential>();
    add(*d, objective, Linear(12 * objective.schedule.packing, 10));
    d->push_back(LeakyReLU(0.2));
    add(*d, objective, Linear(10, 6));
    d->push_back(LeakyReLU(0.2));
    add(*d, objective, Linear(6, 1));
    networks.discriminator = critic(d);
    return networks;
  }
  if (net != "dcgan") {  // make_golden_networks.py
    Generator random(1);
    return make_networks({.arch = net,
                          .height = 16,
                          .width = 16,
                          .latent = 5,
                          .channels_g = 3,
                          .channels_d = 3,
                          .generator_draws = false},
                         objective, random);
  }
  const ConvTranspose2dOptions twice{.stride = 2, .padding = 1};
  const Conv2dOptions half{.stride = 2, .padding = 1};
  networks.generator = std::make_shared<Sequential>(Linear(5, 16), Unflatten({4, 2, 2}), BatchNorm2d(4),
                                                    ReLU(), ConvTranspose2d(4, 3, 4, twice), BatchNorm2d(3),
                                                    ReLU(), ConvTranspose2d(3, 1, 4, twice), nn::Tanh());
  auto d = std::make_shared<Sequential>();
  add(*d, objective, Conv2d(1, 3, 4, half));
  d->push_back(LeakyReLU(0.2));
  add(*d, objective, Conv2d(3, 4, 4, half));
  if (batch_norm_in_d) d->push_back(BatchNorm2d(4));
  d->push_back(LeakyReLU(0.2));
  d->push_back(Flatten());
  add(*d, objective, Linear(16, 1));
  networks.discriminator = critic(d);
  return networks;
}

struct Case {
  std::string objective, net;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.objective << " " << c.net; }

std::filesystem::path golden_file(const std::string& objective, const std::string& net) {
  return duel::testing::in_source("tests/golden") / (objective + "_" + net + ".safetensors");
}

/// Every objective on the first of Duel's networks, the perceptrons; on the others where there is a file.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& objective : objective_names()) {
    if (named_objective(objective).critic != CriticKind::plain) continue;  // conditional_golden_test.cpp
    for (const NetworkRow& row : network_rows()) {
      if (&row == &network_rows().front() || std::filesystem::exists(golden_file(objective, row.name)))
        all.push_back({objective, row.name});
    }
  }
  return all;
}

class Golden : public ::testing::TestWithParam<Case> {};

TEST_P(Golden, EveryIterationIsAsInPyTorch) {
  const auto& [name, net] = GetParam();
  const TensorFile file = read_safetensors(golden_file(name, net));
  Objective objective = named_objective(name);
  Networks networks = golden_networks(net, has_batch_norm_in_d(file), objective);
  for (nn::Module* module : {networks.generator.get(), networks.discriminator.get()}) module->to(DType::f64);
  networks.generator->load_state_dict(part(file, "g."));
  networks.discriminator->load_state_dict(part(file, "d."));

  std::string iteration, step;  // names of the random numbers of the current iteration and critic step
  for (Penalty& penalty : objective.penalties) {
    const std::string where = penalty.sampling.name;
    if (where == "real" || where == "fake") continue;
    penalty.sampling.points = [&file, &step, where](const Tensor& real, const Tensor& fake, Generator&) {
      if (where == "line") return line_points(real, fake, at(file, step + "eps"));
      const Tensor points = dragan_points(real, at(file, step + "alpha"), at(file, step + "noise"));
      return where == "dragan" ? points : clamp_max(clamp_min(points, -1.0), 1.0);
    };
  }
  if (file.find("t0.directions") != nullptr) {
    objective.loss = sliced_wasserstein_loss(
        at(file, "t0.directions").dim(1),
        [&](int64_t, int64_t, const TensorOptions&) { return at(file, iteration + "directions"); });
  }
  const int64_t critic_steps = objective.schedule.critic_steps;
  const bool joint = objective.schedule.update != Update::alternating;
  Trainer trainer(networks, objective, nullptr, {.batch = 4, .dtype = DType::f64});
  const auto expect_gradients = [&](const nn::Module& module, const std::string& prefix) {
    const auto parameters = module.named_parameters();
    ASSERT_EQ(parameters.size(), trainer.last_gradients().size());
    for (size_t i = 0; i < parameters.size(); ++i) {
      expect_close(trainer.last_gradients()[i], at(file, prefix + parameters[i].first),
                   prefix + parameters[i].first);
    }
  };

  const auto iterations = parsed<int>("golden", "iterations", file.text("iterations"));
  for (int t = 0; t < iterations; ++t) {
    iteration = "t" + std::to_string(t) + ".";
    trainer.begin_iteration(t);
    for (int64_t s = 0; s < critic_steps; ++s) {
      step = iteration + "s" + std::to_string(s) + ".";
      if (joint) {
        trainer.joint_step({.real = at(file, step + "real"), .latents = {.input = at(file, step + "z")}});
        const double loss_g = at(file, iteration + "loss_g").item();
        EXPECT_NEAR(trainer.metrics().loss_g, loss_g, 1e-9 * (1 + std::abs(loss_g))) << iteration;
        if (t == 0) expect_gradients(*networks.generator, "grad.g.");
      } else {
        trainer.critic_step(at(file, step + "real"), trainer.generate(at(file, step + "z")));
      }
      const double loss_d = at(file, step + "loss_d").item();
      EXPECT_NEAR(trainer.metrics().loss_d, loss_d, 1e-9 * (1 + std::abs(loss_d))) << step;
      if (t == 0 && s == 0) {
        EXPECT_NEAR(trainer.metrics().penalty, at(file, "penalty").item(),
                    1e-9 * (1 + at(file, "penalty").item()));
        if (!joint) expect_gradients(*networks.discriminator, "grad.d.");
      }
    }
    for (int64_t k = 0; k < objective.schedule.generator_steps && !joint; ++k) {
      const std::string now = k == 0 ? iteration : iteration + "g" + std::to_string(k) + ".";
      trainer.generator_step(at(file, now + "z_g"), at(file, step + "real"));
      const double loss_g = at(file, now + "loss_g").item();
      EXPECT_NEAR(trainer.metrics().loss_g, loss_g, 1e-9 * (1 + std::abs(loss_g))) << now;
      if (t == 0 && k == 0) expect_gradients(*networks.generator, "grad.g.");
    }
  }
  for (const auto& [key, tensor] : networks.generator->state_dict())
    expect_close(tensor, at(file, "final.g." + key), "g." + key);
  for (const auto& [key, tensor] : networks.discriminator->state_dict())
    expect_close(tensor, at(file, "final.d." + key), "d." + key);
}

INSTANTIATE_TEST_SUITE_P(Objectives, Golden, ::testing::ValuesIn(cases()), [](const auto& golden) {
  std::string name = golden.param.objective + "_" + golden.param.net;
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
});

}  // namespace
}  // namespace duel::gan
