#include "duel/gan/models/models.h"

#include "duel/core/tensor/autograd.h"
#include "duel/gan/objective/conditional.h"
#include "duel/gan/objective/energy.h"
#include "duel/gan/objective/objective.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/conv2d.h"
#include "duel/nn/layers/conv_transpose2d.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"
#include "duel/nn/module/init.h"
#include "duel/nn/module/sequential.h"
#include "duel/nn/norm/batch_norm.h"
#include "duel/nn/norm/instance_norm.h"
#include "duel/nn/norm/layer_norm.h"
#include "duel/nn/norm/minibatch_stddev.h"
#include "duel/nn/norm/spectral_norm.h"

namespace duel::gan {
namespace {

using namespace duel::nn;  // NOLINT: layer names only, in this file

/// Appends the normalisation of `features` channels, each of height x width (0: a vector).
void add_norm(Sequential& net, Norm norm, int64_t features, int64_t height = 0, int64_t width = 0) {
  switch (norm) {
    case Norm::automatic:
    case Norm::none:
      return;
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

/// D's layers with weights, under the options' constraint.
template <class Layer>
void add_weights(Sequential& net, const NetworkOptions& o, Layer layer) {
  if (o.spectral_norm) {
    net.push_back(SpectralNorm(std::move(layer)));
  } else {
    net.push_back(std::move(layer));
  }
}

constexpr Conv2dOptions kHalve{.stride = 2, .padding = 1};
constexpr ConvTranspose2dOptions kDouble{.stride = 2, .padding = 1};

/// A network from [N, input] to images before their last activation, g wide.
using Generating = std::shared_ptr<Sequential> (*)(const NetworkOptions&, int64_t input, int64_t g,
                                                   Norm norm);

std::shared_ptr<Sequential> mlp_generator(const NetworkOptions& o, int64_t input, int64_t g, Norm norm) {
  auto generator = std::make_shared<Sequential>();
  generator->push_back(Linear(input, g));
  add_norm(*generator, norm, g);
  generator->push_back(LeakyReLU(0.2));
  generator->push_back(Linear(g, 2 * g));
  add_norm(*generator, norm, 2 * g);
  generator->push_back(LeakyReLU(0.2));
  generator->push_back(Linear(2 * g, o.height * o.width));
  generator->push_back(Unflatten({1, o.height, o.width}));
  return generator;
}

std::shared_ptr<Sequential> dcgan_generator(const NetworkOptions& o, int64_t input, int64_t g, Norm norm) {
  const int64_t h = o.height / 4, w = o.width / 4;
  auto generator = std::make_shared<Sequential>();
  generator->push_back(Linear(input, 4 * g * h * w));
  generator->push_back(Unflatten({4 * g, h, w}));
  add_norm(*generator, norm, 4 * g, h, w);
  generator->push_back(ReLU());
  generator->push_back(ConvTranspose2d(4 * g, 2 * g, 4, kDouble));
  add_norm(*generator, norm, 2 * g, 2 * h, 2 * w);
  generator->push_back(ReLU());
  generator->push_back(ConvTranspose2d(2 * g, 1, 4, kDouble));
  return generator;
}

constexpr int64_t kWide = 1024;  // infogan's vectors

std::shared_ptr<Sequential> infogan_generator(const NetworkOptions& o, int64_t input, int64_t g, Norm norm) {
  const int64_t h = o.height / 4, w = o.width / 4;
  auto generator = std::make_shared<Sequential>();
  generator->push_back(Linear(input, kWide));
  add_norm(*generator, norm, kWide);
  generator->push_back(ReLU());
  generator->push_back(Linear(kWide, 2 * g * h * w));
  add_norm(*generator, norm, 2 * g * h * w);
  generator->push_back(ReLU());
  generator->push_back(Unflatten({2 * g, h, w}));
  generator->push_back(ConvTranspose2d(2 * g, g, 4, kDouble));
  add_norm(*generator, norm, g, 2 * h, 2 * w);
  generator->push_back(ReLU());
  generator->push_back(ConvTranspose2d(g, 1, 4, kDouble));
  return generator;
}

/// The critic's layers up to the features that its last layer sees.
struct Trunk {
  std::shared_ptr<Sequential> layers;
  int64_t features;
};
/// `labels` more inputs: planes, or columns behind the flat image (mlp).
using Judging = Trunk (*)(const NetworkOptions&, int64_t labels);

Trunk mlp_trunk(const NetworkOptions& o, int64_t labels) {
  const int64_t d = o.channels_d;
  auto critic = std::make_shared<Sequential>();
  critic->push_back(Flatten());
  add_weights(*critic, o, Linear(o.packing * o.height * o.width + labels, 2 * d));
  critic->push_back(LeakyReLU(0.2));
  add_weights(*critic, o, Linear(2 * d, d));
  add_norm(*critic, o.discriminator_norm, d);
  critic->push_back(LeakyReLU(0.2));
  if (o.minibatch_stddev) critic->push_back(MinibatchStddev());
  return {critic, o.minibatch_stddev ? d + 1 : d};
}

/// Images [N, packing + labels, H, W] to features [N, 2 d H/4 W/4], d = channels_d.
Trunk dcgan_trunk(const NetworkOptions& o, int64_t labels) {
  const int64_t d = o.channels_d;
  auto critic = std::make_shared<Sequential>();
  add_weights(*critic, o, Conv2d(o.packing + labels, d, 4, kHalve));
  critic->push_back(LeakyReLU(0.2));
  add_weights(*critic, o, Conv2d(d, 2 * d, 4, kHalve));
  add_norm(*critic, o.discriminator_norm, 2 * d, o.height / 4, o.width / 4);
  critic->push_back(LeakyReLU(0.2));
  if (o.minibatch_stddev) critic->push_back(MinibatchStddev());
  critic->push_back(Flatten());
  return {critic, (2 * d + (o.minibatch_stddev ? 1 : 0)) * (o.height / 4) * (o.width / 4)};
}

Trunk infogan_trunk(const NetworkOptions& o, int64_t labels) {
  const Trunk convolutions = dcgan_trunk(o, labels);
  add_weights(*convolutions.layers, o, Linear(convolutions.features, kWide));
  add_norm(*convolutions.layers, o.discriminator_norm, kWide);
  convolutions.layers->push_back(LeakyReLU(0.2));
  return {convolutions.layers, kWide};
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
  Generating generator;
  Judging trunk;
  int64_t latent, channels_g, channels_d;
  Norm norm;  // what automatic means
  bool starts_small;
  int64_t sides;  // of images are multiples of this
};

const Architecture kArchitectures[] = {
    {"mlp", mlp_generator, mlp_trunk, 100, 256, 256, Norm::none, false, 1},
    {"dcgan", dcgan_generator, dcgan_trunk, 100, 64, 64, Norm::batch, true, 4},
    {"infogan", infogan_generator, infogan_trunk, 62, 64, 64, Norm::batch, true, 4},
};

const Architecture& architecture(const std::string& name) {
  for (const Architecture& a : kArchitectures) {
    if (name == a.name) return a;
  }
  const std::string nearest = nearest_name(name, architecture_names());
  fail("models", "unknown architecture '{}'{} there are mlp, dcgan and infogan", name,
       nearest.empty() ? ";" : ": did you mean '" + nearest + "'?");
}

std::shared_ptr<Module> make_critic(const Architecture& a, const NetworkOptions& o, int64_t code_width) {
  const bool flat = a.trunk == mlp_trunk;
  const Trunk trunk = a.trunk(o, o.critic == CriticKind::label_input ? o.classes : 0);
  switch (o.critic) {
    case CriticKind::plain:
      add_weights(*trunk.layers, o, Linear(trunk.features, 1));
      return std::make_shared<SequentialCritic>(*trunk.layers);
    case CriticKind::label_input:
      return std::make_shared<LabelCritic>(trunk.layers, trunk.features, o.classes,
                                           flat ? LabelCritic::Input::columns : LabelCritic::Input::planes,
                                           o.spectral_norm);
    case CriticKind::projection:
      return std::make_shared<ProjectionCritic>(trunk.layers, trunk.features, o.classes, o.spectral_norm);
    case CriticKind::class_head:
      return std::make_shared<ClassCritic>(trunk.layers, trunk.features, o.classes, o.spectral_norm);
    case CriticKind::code_head: {
      constexpr int64_t hidden = 128;  // Chen 2016, appendix C.1
      auto q = std::make_shared<Sequential>();
      add_weights(*q, o, Linear(trunk.features, hidden));
      add_norm(*q, o.discriminator_norm, hidden);
      q->push_back(LeakyReLU(0.2));
      add_weights(*q, o, Linear(hidden, code_width));
      return std::make_shared<CodeCritic>(trunk.layers, trunk.features, q, o.spectral_norm);
    }
    case CriticKind::squared_error:
    case CriticKind::absolute_error: {
      trunk.layers->push_back(Linear(trunk.features, o.channels_d));
      const auto decoder = a.generator(o, o.channels_d, o.channels_d, o.discriminator_norm);
      // Under an absolute error black is the best constant answer for a pixel that is mostly black, and a
      // tanh that has reached it passes no gradient any more: BEGAN's decoder is linear, as in its paper.
      const bool squared = o.critic == CriticKind::squared_error;
      if (squared) decoder->push_back(Tanh());
      return std::make_shared<AutoencoderCritic>(
          trunk.layers, decoder,
          squared ? AutoencoderCritic::Error::squared : AutoencoderCritic::Error::absolute);
    }
  }
  throw InternalError("unknown critic");
}

void check_heads(const NetworkOptions& o) {
  DUEL_CHECK(is_conditional(o.critic) == (o.classes > 0), "models", "expected {}, got {} classes",
             is_conditional(o.critic) ? "at least 1 class for a conditional objective"
                                      : "no classes for an objective without labels",
             o.classes);
  DUEL_CHECK(o.critic != CriticKind::code_head || o.codes.count() > 0, "models",
             "this objective's D finds G's codes, and there are none: expected code-classes of at least 2 or "
             "code-values of at least 1");
  DUEL_CHECK(o.critic == CriticKind::code_head || o.codes.count() == 0, "models",
             "expected no codes for an objective whose D does not find them, got {}", o.codes.count());
  DUEL_CHECK(o.packing == 1 || o.critic == CriticKind::plain, "models",
             "packing {}: this objective's D says something about each image, and cannot judge {} as one",
             o.packing, o.packing);
}

}  // namespace

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const Architecture& a : kArchitectures) names.emplace_back(a.name);
  return names;
}

NetworkOptions networks_for(const Objective& objective, NetworkOptions options, int64_t classes) {
  options.packing = objective.schedule.packing;
  options.critic = objective.critic;
  options.classes = is_conditional(objective.critic) ? classes : 0;
  options.codes = objective.codes;
  options.noise = objective.noise;
  options.spectral_norm = objective.constraint.spectral_norm;
  return options;
}

Networks make_networks(const NetworkOptions& options, const Objective& objective, Generator& random) {
  const bool batch_norm_fits = objective.penalties.empty() && objective.batch_norm_in_d &&
                               !objective.constraint.spectral_norm && objective.schedule.unroll == 0;
  return make_networks(networks_for(objective, options, options.classes), batch_norm_fits, random);
}

Networks make_networks(NetworkOptions o, bool allow_batch_norm_in_d, Generator& random) {
  const Architecture& a = architecture(o.arch);
  DUEL_CHECK(o.height >= 1 && o.width >= 1, "models", "expected images of at least 1 x 1 pixel, got {} x {}",
             o.height, o.width);
  DUEL_CHECK(o.height % a.sides == 0 && o.width % a.sides == 0, "models",
             "{} halves an image twice: expected sides that divide by {}, got {} x {}; --arch mlp takes any",
             a.name, a.sides, o.height, o.width);
  DUEL_CHECK(o.latent >= 0 && o.channels_g >= 0 && o.channels_d >= 0 && o.packing >= 1, "models",
             "expected sizes of at least 1 (0: the default), got latent {}, channels-g {}, channels-d {}, "
             "packing {}",
             o.latent, o.channels_g, o.channels_d, o.packing);
  if (o.latent == 0) o.latent = a.latent;
  if (o.channels_g == 0) o.channels_g = a.channels_g;
  if (o.channels_d == 0) o.channels_d = a.channels_d;
  if (o.generator_norm == Norm::automatic) o.generator_norm = a.norm;
  if (o.discriminator_norm == Norm::automatic) {
    o.discriminator_norm = a.norm == Norm::batch && !allow_batch_norm_in_d ? Norm::none : a.norm;
  }
  check_heads(o);
  Networks networks{.generator = {},
                    .discriminator = {},
                    .latent = {.noise = o.latent,
                               .kind = o.noise,
                               .classes = o.classes,
                               .categorical = o.codes.categorical,
                               .continuous = o.codes.continuous},
                    .options = o};
  {
    const LendDefaultGenerator lent(random);  // layers initialise themselves from the thread's
    const auto generator = a.generator(o, networks.latent.width(), o.channels_g, o.generator_norm);
    generator->push_back(Tanh());
    networks.generator = generator;
    networks.discriminator = make_critic(a, o, networks.latent.code_width());
  }
  if (a.starts_small) {
    start_small(*networks.generator, random);
    // Without a norm an autoencoder of such weights is nearly 0 everywhere, and learns to see only after many
    // steps.
    const bool autoencoder = o.critic == CriticKind::squared_error || o.critic == CriticKind::absolute_error;
    if (!autoencoder) start_small(*networks.discriminator, random);
  }
  return networks;
}

namespace {
constexpr std::pair<Norm, const char*> kNorms[] = {{Norm::automatic, "auto"},
                                                   {Norm::none, "none"},
                                                   {Norm::batch, "batch"},
                                                   {Norm::layer, "layer"},
                                                   {Norm::instance, "instance"}};
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
