#include "duel/gan/models.h"

#include "duel/core/autograd.h"
#include "duel/gan/objective.h"
#include "duel/nn/activations.h"
#include "duel/nn/batch_norm.h"
#include "duel/nn/conv2d.h"
#include "duel/nn/conv_transpose2d.h"
#include "duel/nn/init.h"
#include "duel/nn/instance_norm.h"
#include "duel/nn/layer_norm.h"
#include "duel/nn/linear.h"
#include "duel/nn/reshape.h"
#include "duel/nn/sequential.h"

namespace duel::gan {
namespace {

using namespace duel::nn;  // NOLINT: layer names only, in this file

/// Appends the normalisation of `features` channels, each of height x width (0: a vector).
void add_norm(Sequential& net, Norm norm, int64_t features, int64_t height = 0, int64_t width = 0) {
  switch (norm) {
    case Norm::automatic:
    case Norm::none: return;
    case Norm::batch:
      if (height == 0) {
        net.push_back(BatchNorm1d(features));
      } else {
        net.push_back(BatchNorm2d(features));
      }
      return;
    case Norm::layer:
      net.push_back(height == 0 ? LayerNorm(Shape{features}) : LayerNorm(Shape{features, height, width}));
      return;
    case Norm::instance:
      // A vector has one value per channel: nothing to normalise over.
      if (height != 0) net.push_back(InstanceNorm2d(features, {.affine = true}));
      return;
  }
}

constexpr Conv2dOptions kHalve{.stride = 2, .padding = 1};
constexpr ConvTranspose2dOptions kDouble{.stride = 2, .padding = 1};

Networks make_mlp(const NetworkOptions& o) {
  const int64_t pixels = o.height * o.width, g = o.channels_g, d = o.channels_d;
  auto generator = std::make_shared<Sequential>();
  generator->push_back(Linear(o.latent, g));
  add_norm(*generator, o.generator_norm, g);
  generator->push_back(LeakyReLU(0.2));
  generator->push_back(Linear(g, 2 * g));
  add_norm(*generator, o.generator_norm, 2 * g);
  generator->push_back(LeakyReLU(0.2));
  generator->push_back(Linear(2 * g, pixels));
  generator->push_back(Tanh());
  generator->push_back(Unflatten({1, o.height, o.width}));

  auto critic = std::make_shared<Sequential>();
  critic->push_back(Flatten());
  critic->push_back(Linear(o.packing * pixels, 2 * d));
  critic->push_back(LeakyReLU(0.2));
  critic->push_back(Linear(2 * d, d));
  add_norm(*critic, o.discriminator_norm, d);
  critic->push_back(LeakyReLU(0.2));
  critic->push_back(Linear(d, 1));
  return {generator, critic, {.noise = o.latent}, o};
}

/// What the convolutional critics share: images [N, packing, H, W] to features [N, 2 d H/4 W/4], d = channels_d.
std::shared_ptr<Sequential> convolutional_critic(const NetworkOptions& o) {
  const int64_t d = o.channels_d;
  auto critic = std::make_shared<Sequential>();
  critic->push_back(Conv2d(o.packing, d, 4, kHalve));
  critic->push_back(LeakyReLU(0.2));
  critic->push_back(Conv2d(d, 2 * d, 4, kHalve));
  add_norm(*critic, o.discriminator_norm, 2 * d, o.height / 4, o.width / 4);
  critic->push_back(LeakyReLU(0.2));
  critic->push_back(Flatten());
  return critic;
}

Networks make_dcgan(const NetworkOptions& o) {
  const int64_t h = o.height / 4, w = o.width / 4, g = o.channels_g, d = o.channels_d;
  auto generator = std::make_shared<Sequential>();
  generator->push_back(Linear(o.latent, 4 * g * h * w));
  generator->push_back(Unflatten({4 * g, h, w}));
  add_norm(*generator, o.generator_norm, 4 * g, h, w);
  generator->push_back(ReLU());
  generator->push_back(ConvTranspose2d(4 * g, 2 * g, 4, kDouble));
  add_norm(*generator, o.generator_norm, 2 * g, 2 * h, 2 * w);
  generator->push_back(ReLU());
  generator->push_back(ConvTranspose2d(2 * g, 1, 4, kDouble));
  generator->push_back(Tanh());

  auto critic = convolutional_critic(o);
  critic->push_back(Linear(2 * d * h * w, 1));
  return {generator, critic, {.noise = o.latent}, o};
}

Networks make_infogan(const NetworkOptions& o) {
  const int64_t h = o.height / 4, w = o.width / 4, g = o.channels_g, d = o.channels_d, wide = 1024;
  auto generator = std::make_shared<Sequential>();
  generator->push_back(Linear(o.latent, wide));
  add_norm(*generator, o.generator_norm, wide);
  generator->push_back(ReLU());
  generator->push_back(Linear(wide, 2 * g * h * w));
  add_norm(*generator, o.generator_norm, 2 * g * h * w);
  generator->push_back(ReLU());
  generator->push_back(Unflatten({2 * g, h, w}));
  generator->push_back(ConvTranspose2d(2 * g, g, 4, kDouble));
  add_norm(*generator, o.generator_norm, g, 2 * h, 2 * w);
  generator->push_back(ReLU());
  generator->push_back(ConvTranspose2d(g, 1, 4, kDouble));
  generator->push_back(Tanh());

  auto critic = convolutional_critic(o);
  critic->push_back(Linear(2 * d * h * w, wide));
  add_norm(*critic, o.discriminator_norm, wide);
  critic->push_back(LeakyReLU(0.2));
  critic->push_back(Linear(wide, 1));
  return {generator, critic, {.noise = o.latent}, o};
}

/// Weights N(0, 0.02) and biases 0, but for norms (Radford 2015, section 4).
void start_small(Module& net, Generator& random) {
  for (const auto& [name, parameter] : net.named_parameters()) {
    if (parameter.rank() >= 2) {
      init::normal_(parameter, 0.0, 0.02, random);
    } else if (name.ends_with(".bias")) {
      init::constant_(parameter, 0.0);
    }
  }
}

struct Architecture {
  const char* name;
  Networks (*make)(const NetworkOptions&);
  int64_t latent, channels_g, channels_d;
  Norm norm;  // what automatic means
  bool starts_small;
};

const Architecture kArchitectures[] = {
    {"mlp", make_mlp, 100, 256, 256, Norm::none, false},
    {"dcgan", make_dcgan, 100, 64, 64, Norm::batch, true},
    {"infogan", make_infogan, 62, 64, 64, Norm::batch, true},
};

const Architecture& architecture(const std::string& name) {
  for (const Architecture& a : kArchitectures) {
    if (name == a.name) return a;
  }
  const std::string nearest = nearest_name(name, architecture_names());
  fail("models", "unknown architecture '{}'{}; there are mlp, dcgan and infogan", name,
       nearest.empty() ? "" : ": did you mean '" + nearest + "'?");
}

}  // namespace

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& a : kArchitectures) names.emplace_back(a.name);
  return names;
}

Networks make_networks(NetworkOptions o, bool allow_batch_norm_in_d, Generator& random) {
  const Architecture& a = architecture(o.arch);
  DUEL_CHECK(o.height >= 4 && o.width >= 4 && o.height % 4 == 0 && o.width % 4 == 0, "models",
             "expected images whose sides divide by 4, got {} x {}", o.height, o.width);
  DUEL_CHECK(o.latent >= 0 && o.channels_g >= 0 && o.channels_d >= 0 && o.packing >= 1, "models",
             "expected sizes of at least 1 (0: the default), got latent {}, channels-g {}, channels-d {}, packing {}", o.latent,
             o.channels_g, o.channels_d, o.packing);
  if (o.latent == 0) o.latent = a.latent;
  if (o.channels_g == 0) o.channels_g = a.channels_g;
  if (o.channels_d == 0) o.channels_d = a.channels_d;
  if (o.generator_norm == Norm::automatic) o.generator_norm = a.norm;
  if (o.discriminator_norm == Norm::automatic) {
    o.discriminator_norm = a.norm == Norm::batch && !allow_batch_norm_in_d ? Norm::none : a.norm;
  }
  // Layers initialise themselves from the thread's generator: lend it this one.
  std::swap(default_generator(), random);
  Networks networks = a.make(o);
  std::swap(default_generator(), random);
  if (a.starts_small) {
    start_small(*networks.generator, random);
    start_small(*networks.discriminator, random);
  }
  return networks;
}

namespace {
constexpr std::pair<Norm, const char*> kNorms[] = {{Norm::automatic, "auto"}, {Norm::none, "none"}, {Norm::batch, "batch"},
                                                    {Norm::layer, "layer"}, {Norm::instance, "instance"}};
}

std::string to_text(Norm norm) {
  for (const auto& [value, text] : kNorms) {
    if (value == norm) return text;
  }
  return "?";
}

Norm parse_norm(const std::string& text) {
  for (const auto& [value, name] : kNorms) {
    if (text == name) return value;
  }
  fail("models", "unknown normalisation '{}': expected auto, none, batch, layer or instance", text);
}

}  // namespace duel::gan
