// Objectives with classes, codes, energies and embeddings against PyTorch in f64: losses, gradients, ten iterations of
// weights, every objective with its row's defaults. Files: tests/golden/README.md, section "Classes, codes,
// energies and embeddings".
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "duel/core/io/safetensors.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/conditional.h"
#include "duel/gan/train/trainer.h"
#include "duel/kernels/base/settings.h"
#include "duel/nn/layers.h"
#include "tests/source.h"

namespace duel::gan {
namespace {

constexpr int64_t kClasses = 3;

struct ConditionalCase {
  std::string objective, net;
};
void PrintTo(const ConditionalCase& c, std::ostream* out) { *out << c.objective << " " << c.net; }

std::filesystem::path conditional_golden_file(const std::string& objective, const std::string& net) {
  return duel::testing::in_source("tests/golden") / (objective + "_" + net + ".safetensors");
}

/// Every objective whose critic is more than plain, on the first of Duel's networks: one without its file fails. On
/// the others where there is a file.
std::vector<ConditionalCase> conditional_cases() {
  std::vector<ConditionalCase> all;
  for (const std::string& name : objective_names()) {
    if (named_objective(name).critic == CriticKind::plain) continue;  // golden_test.cpp
    for (const NetworkRow& row : network_rows()) {
      if (&row == &network_rows().front() || std::filesystem::exists(conditional_golden_file(name, row.name)))
        all.push_back({name, row.name});
    }
  }
  return all;
}

class ConditionalGolden : public ::testing::TestWithParam<ConditionalCase> {
 protected:
  ConditionalGolden()
      : file_(read_safetensors(conditional_golden_file(GetParam().objective, GetParam().net))),
        objective_(named_objective(GetParam().objective)) {}

  const Tensor& at(const std::string& name) const {
    const Tensor* tensor = file_.find(name);
    if (!tensor) throw Error("golden file lacks " + name);
    return *tensor;
  }
  Tensor maybe(const std::string& name) const {
    const Tensor* tensor = file_.find(name);
    return tensor ? *tensor : Tensor();
  }
  nn::StateDict part(const std::string& prefix) const {
    nn::StateDict out;
    for (const auto& [name, tensor] : file_.tensors) {
      if (name.starts_with(prefix)) out.emplace_back(name.substr(prefix.size()), tensor);
    }
    return out;
  }

  Networks networks() {
    Generator random(1);
    NetworkOptions options{
        .arch = GetParam().net, .height = 4, .width = 4, .latent = 5, .channels_g = 4, .channels_d = 5};
    if (options.arch == "dcgan") {
      options.height = options.width = 8;
      options.channels_g = 1;
      options.channels_d = 2;
    } else if (options.arch != "mlp") {  // make_golden_networks.py
      options.height = options.width = 16;
      options.channels_g = options.channels_d = 3;
    }
    Networks n = make_networks(networks_for(objective_, options, kClasses), objective_, random);
    if (objective_.critic == CriticKind::code_head) {  // with a smaller Q, for a smaller file
      using namespace nn;                              // NOLINT: layers
      auto trunk = std::make_shared<Sequential>(Flatten(), Linear(16, 10), LeakyReLU(0.2), Linear(10, 5),
                                                LeakyReLU(0.2));
      n.discriminator = std::make_shared<CodeCritic>(
          trunk, 5, std::make_shared<Sequential>(Linear(5, 6), LeakyReLU(0.2), Linear(6, 12)));
    }
    for (nn::Module* module : {n.generator.get(), n.discriminator.get()}) module->to(DType::f64);
    n.generator->load_state_dict(part("g."));
    n.discriminator->load_state_dict(part("d."));
    return n;
  }

  /// |got - expected| <= 1e-9 (1 + |expected|) everywhere.
  void expect_close(const Tensor& got, const Tensor& expected, const std::string& what) const {
    ASSERT_EQ(got.shape(), expected.shape()) << what;
    const auto a = got.to_vector<double>(), b = expected.to_vector<double>();
    for (size_t i = 0; i < a.size(); ++i)
      ASSERT_LE(std::abs(a[i] - b[i]), 1e-9 * (1 + std::abs(b[i]))) << what << " " << i;
  }
  void expect_gradients(const Trainer& trainer, const nn::Module& module, const std::string& prefix) const {
    const auto parameters = module.named_parameters();
    for (size_t i = 0; i < parameters.size(); ++i) {
      expect_close(trainer.last_gradients()[i], at(prefix + parameters[i].first),
                   prefix + parameters[i].first);
    }
  }

  TensorFile file_;
  Objective objective_;
};

TEST_P(ConditionalGolden, EveryIterationIsAsInPyTorch) {
  const Networks nets = networks();
  std::string step;  // names of the random numbers of the current critic step
  for (Penalty& penalty : objective_.penalties) {
    penalty.sampling.points = [&](const Tensor& real, const Tensor& fake, Generator&) {
      return line_points(real, fake, at(step + "eps"));
    };
  }
  Trainer trainer(nets, objective_, nullptr, {.batch = 4, .dtype = DType::f64});
  const auto near = [](double got, double expected, const std::string& what) {
    EXPECT_NEAR(got, expected, 1e-9 * (1 + std::abs(expected))) << what;
  };
  const auto iterations = parsed<int>("golden", "iterations", file_.text("iterations"));
  for (int t = 0; t < iterations; ++t) {
    const std::string iteration = "t" + std::to_string(t) + ".";
    for (int64_t s = 0; s < objective_.schedule.critic_steps; ++s) {
      step = iteration + "s" + std::to_string(s) + ".";
      trainer.critic_step({.real = at(step + "real"),
                           .real_labels = maybe(step + "y"),
                           .fake = trainer.generate(at(step + "z")),
                           .latents = {at(step + "z"), maybe(step + "y_fake"), maybe(step + "codes")}});
      near(trainer.metrics().loss_d, at(step + "loss_d").item(), step);
      if (objective_.equilibrium)
        near(trainer.metrics().more.front().second, at(step + "k").item(), step + "k");
      if (t == 0 && s == 0) expect_gradients(trainer, *nets.discriminator, "grad.d.");
    }
    trainer.generator_step(
        {.real = at(step + "real"),
         .latents = {at(iteration + "z_g"), maybe(iteration + "y_g"), maybe(iteration + "codes_g")}});
    near(trainer.metrics().loss_g, at(iteration + "loss_g").item(), iteration);
    if (t == 0) expect_gradients(trainer, *nets.generator, "grad.g.");
  }
  for (const auto& [key, tensor] : nets.generator->state_dict())
    expect_close(tensor, at("final.g." + key), "g." + key);
  for (const auto& [key, tensor] : nets.discriminator->state_dict())
    expect_close(tensor, at("final.d." + key), "d." + key);
}

INSTANTIATE_TEST_SUITE_P(Objectives, ConditionalGolden, ::testing::ValuesIn(conditional_cases()),
                         [](const auto& golden) {
                           std::string name = golden.param.objective + "_" + golden.param.net;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace duel::gan
