// The three protocols, what they were published with, and their networks.
#include "duel/core/tensor/random.h"
#include "duel/gan/lab/stacked/stacked.h"
#include "duel/gan/models/internal/layers.h"
#include "duel/gan/models/network.h"
#include "duel/gan/objective/compatibility.h"
#include "duel/gan/objective/conditional.h"
#include "duel/gan/objective/critic.h"
#include "duel/kernels/base/error.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"

namespace duel::gan::lab {
namespace {

constexpr const char* kTable3 =
    "Unrolled GAN (Metz et al. 2017, arXiv:1611.02163) and PacGAN, table 3 (Lin et al. 2018, arXiv:1712.04086): "
    "500,000 steps, 25,600 samples; PacGAN's rows are of 50 trials, mean and standard error";
constexpr const char* kTable2 =
    "VEEGAN, table 2 (Srivastava et al. 2017, arXiv:1705.07761), without errors, and PacGAN, table 2 (Lin et al. 2018, "
    "arXiv:1712.04086), 10 trials, mean and standard error: 50 epochs of 128,000 images, 26,000 samples";

OptimizerChoice stacked_adam(double lr, double beta2) { return {.lr = lr, .beta1 = 0.5, .beta2 = beta2}; }

std::vector<StackedProtocol> make_protocols() {
  return {{.name = "quarter",
           .about = "D's widths a quarter of G's (2, 4, 8 against 32, 16, 8), 3x3 layers",
           .width_d = 2,
           .d = stacked_adam(2e-4, 0.99),
           .g = stacked_adam(1e-4, 0.99),
           .published_steps = 500000,
           .published_in = kTable3,
           .published = {{"DCGAN (Unrolled paper)", 30.6, 20.73, 5.99, 0.42},
                         {"Unrolled, 1 step", 65.4, 34.75, 5.91, 0.14},
                         {"Unrolled, 5 steps", 236.4, 63.30, 4.67, 0.43},
                         {"Unrolled, 10 steps", 327.2, 74.67, 4.66, 0.46},
                         {"DCGAN (PacGAN paper)", 78.5, 17.56, 5.21, 0.19},
                         {"PacDCGAN2", 484.5, 32.99, 2.61, 0.22},
                         {"PacDCGAN3", 601.3, 32.18, 2.00, 0.17},
                         {"PacDCGAN4", 667.4, 29.00, 1.81, 0.15}}},
          {.name = "half",
           .about = "D's widths half of G's (4, 8, 16 against 32, 16, 8), 3x3 layers",
           .width_d = 4,
           .d = stacked_adam(2e-4, 0.99),
           .g = stacked_adam(1e-4, 0.99),
           .published_steps = 500000,
           .published_in = kTable3,
           .published = {{"DCGAN (Unrolled paper)", 628.0, 140.9, 2.58, 0.75},
                         {"Unrolled, 1 step", 523.6, 55.77, 2.44, 0.26},
                         {"Unrolled, 5 steps", 732.0, 44.98, 1.66, 0.09},
                         {"Unrolled, 10 steps", 817.4, 37.91, 1.43, 0.12},
                         {"DCGAN (PacGAN paper)", 487.7, 34.59, 2.24, 0.15},
                         {"PacDCGAN2", 840.7, 15.92, 1.00, 0.05},
                         {"PacDCGAN3", 866.6, 12.10, 0.90, 0.04},
                         {"PacDCGAN4", 820.2, 25.50, 1.15, 0.14}}},
          {.name = "full",
           .about = "DCGAN, D 64 to 512 channels, 5x5 layers, two steps of G for one of D",
           .latent = 100,
           .noise = NoiseKind::uniform,
           .width_g = 64,
           .width_d = 64,
           .batch = 64,
           .generator_steps = 2,
           .d = stacked_adam(2e-4, 0.999),
           .g = stacked_adam(2e-4, 0.999),
           .samples = 26000,
           .published_steps = 100000,
           .published_in = kTable2,
           .published = {{"DCGAN (VEEGAN paper)", 99.0, 0, 3.40},
                         {"ALI", 16.0, 0, 5.40},
                         {"Unrolled GAN", 48.7, 0, 4.32},
                         {"VEEGAN", 150.0, 0, 2.95},
                         {"DCGAN (PacGAN paper)", 78.9, 6.46, 4.50, 0.127},
                         {"PacDCGAN2", 1000, 0, 0.06, 0.003},
                         {"PacDCGAN3", 1000, 0, 0.06, 0.003},
                         {"PacDCGAN4", 1000, 0, 0.07, 0.005}}}};
}

using Layers = std::shared_ptr<nn::Sequential>;

void start_planes(nn::Sequential& net, int64_t input, int64_t channels, int64_t side, Norm norm) {
  net.push_back(nn::Linear(input, channels * side * side));
  net.push_back(nn::Unflatten({channels, side, side}));
  detail::add_norm(net, norm, channels, side, side);
  net.push_back(nn::ReLU());
}

/// From planes of `side` - 1 to `side` pixels half as large to planes of `side`.
void enlarge(nn::Sequential& net, int64_t from, int64_t to, int64_t kernel, int64_t side, Norm norm) {
  const int64_t before = (side + 1) / 2;
  net.push_back(nn::ConvTranspose2d(
      from, to, kernel, {.stride = 2, .padding = kernel / 2, .output_padding = side - (2 * before - 1)}));
  detail::add_norm(net, norm, to, side, side);
  net.push_back(nn::ReLU());
}

void shrink(nn::Sequential& net, const NetworkOptions& o, int64_t from, int64_t to, int64_t kernel,
            int64_t side, double slope, bool with_norm) {
  detail::add_weights(net, o.spectral_norm,
                      nn::Conv2d(from, to, kernel, {.stride = 2, .padding = kernel / 2}));
  if (with_norm) detail::add_norm(net, o.discriminator_norm, to, side, side);
  net.push_back(nn::LeakyReLU(slope));
}

/// 4, 7, 14, 28 pixels a side with 8, 4, 2 and 1 times g channels, and a layer to colours.
Layers tiny_generator(const NetworkOptions& o, int64_t input, int64_t g, Norm norm) {
  auto net = std::make_shared<nn::Sequential>();
  start_planes(*net, input, 8 * g, 4, norm);
  enlarge(*net, 8 * g, 4 * g, 3, 7, norm);
  enlarge(*net, 4 * g, 2 * g, 3, 14, norm);
  enlarge(*net, 2 * g, g, 3, 28, norm);
  net->push_back(nn::Conv2d(g, o.image_channels, 3, {.padding = 1}));
  return net;
}

Trunk tiny_trunk(const NetworkOptions& o, int64_t labels) {
  const int64_t d = o.channels_d;
  auto net = std::make_shared<nn::Sequential>();
  shrink(*net, o, o.packing * o.image_channels + labels, d, 3, 14, 0.3, true);
  shrink(*net, o, d, 2 * d, 3, 7, 0.3, true);
  shrink(*net, o, 2 * d, 4 * d, 3, 4, 0.3, true);
  net->push_back(nn::Flatten());
  return {net, 4 * d * 4 * 4};
}

/// 2, 4, 7, 14 pixels a side with 8, 4, 2 and 1 times g channels, and colours at 28.
Layers wide_generator(const NetworkOptions& o, int64_t input, int64_t g, Norm norm) {
  auto net = std::make_shared<nn::Sequential>();
  start_planes(*net, input, 8 * g, 2, norm);
  enlarge(*net, 8 * g, 4 * g, 5, 4, norm);
  enlarge(*net, 4 * g, 2 * g, 5, 7, norm);
  enlarge(*net, 2 * g, g, 5, 14, norm);
  net->push_back(
      nn::ConvTranspose2d(g, o.image_channels, 5, {.stride = 2, .padding = 2, .output_padding = 1}));
  return net;
}

Trunk wide_trunk(const NetworkOptions& o, int64_t labels) {
  const int64_t d = o.channels_d;
  auto net = std::make_shared<nn::Sequential>();
  shrink(*net, o, o.packing * o.image_channels + labels, d, 5, 14, 0.2, false);
  shrink(*net, o, d, 2 * d, 5, 7, 0.2, true);
  shrink(*net, o, 2 * d, 4 * d, 5, 4, 0.2, true);
  shrink(*net, o, 4 * d, 8 * d, 5, 2, 0.2, true);
  net->push_back(nn::Flatten());
  return {net, 8 * d * 2 * 2};
}

}  // namespace

const std::vector<StackedProtocol>& stacked_protocols() {
  static const std::vector<StackedProtocol> protocols = make_protocols();
  return protocols;
}

const StackedProtocol& stacked_protocol(const std::string& name) {
  std::string names;
  for (const StackedProtocol& protocol : stacked_protocols()) {
    if (protocol.name == name) return protocol;
    names += (names.empty() ? "" : ", ") + protocol.name;
  }
  fail("lab", "protocol: expected one of {}, got '{}'", names, name);
}

Objective stacked_objective(const StackedProtocol& protocol, const std::string& name, bool own_schedule) {
  Objective objective = named_objective(name);
  DUEL_CHECK(!is_conditional(objective.critic), "lab",
             "{}: needs classes, and stacked digits come without; take an objective without", name);
  DUEL_CHECK(
      !is_autoencoder(objective.critic), "lab",
      "{}: its D is an autoencoder, and the protocol's is not; take an objective whose D gives a number",
      name);
  if (own_schedule) return objective;
  Schedule& schedule = objective.schedule;
  schedule.lr_decay_steps = 0;
  if (objective.constraint.weight_clip > 0) return objective;
  schedule.d = protocol.d;
  schedule.g = protocol.g;
  if (schedule.critic_steps == 1 && schedule.update == Update::alternating)
    schedule.generator_steps = std::max(schedule.generator_steps, protocol.generator_steps);
  return objective;
}

Networks stacked_networks(const StackedProtocol& protocol, const Objective& objective, Generator& random) {
  NetworkOptions options = networks_for(
      objective, {.arch = "stacked-" + protocol.name,
                  .image_channels = 3,
                  .latent = protocol.latent,
                  .channels_g = protocol.width_g,
                  .channels_d = protocol.width_d,
                  .generator_norm = Norm::batch,
                  .discriminator_norm = allows_batch_norm_in_d(objective) ? Norm::batch : Norm::none});
  options.noise = protocol.noise;
  const bool wide = protocol.name == "full";
  const LendDefaultGenerator lent(random);  // layers initialise themselves from the thread's
  Networks networks = built_from({.generator = wide ? wide_generator : tiny_generator,
                                  .trunk = wide ? wide_trunk : tiny_trunk,
                                  .start = wide ? Start::small : Start::layers})(options);
  networks.latent = latent_plan(options);
  networks.options = options;
  networks.name = options.arch;
  return networks;
}

}  // namespace duel::gan::lab
