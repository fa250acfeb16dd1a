#include "duel/gan/models/internal/layers.h"
#include "duel/gan/models/network.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"

namespace duel::gan::detail {
namespace {

constexpr int64_t kWide = 1024;  // the vectors of both networks

std::shared_ptr<nn::Sequential> infogan_generator(const NetworkOptions& o, int64_t input, int64_t g,
                                                  Norm norm) {
  const int64_t h = o.height / 4, w = o.width / 4;
  auto net = std::make_shared<nn::Sequential>();
  add_weights(*net, o.spectral_norm_g, nn::Linear(input, kWide));
  add_norm(*net, norm, kWide);
  net->push_back(nn::ReLU());
  add_weights(*net, o.spectral_norm_g, nn::Linear(kWide, 2 * g * h * w));
  add_norm(*net, norm, 2 * g * h * w);
  net->push_back(nn::ReLU());
  net->push_back(nn::Unflatten({2 * g, h, w}));
  add_weights(*net, o.spectral_norm_g, nn::ConvTranspose2d(2 * g, g, 4, kDouble));
  add_norm(*net, norm, g, 2 * h, 2 * w);
  net->push_back(nn::ReLU());
  add_weights(*net, o.spectral_norm_g, nn::ConvTranspose2d(g, o.image_channels, 4, kDouble));
  return net;
}

Trunk infogan_trunk(const NetworkOptions& o, int64_t labels) {
  const Trunk convolutions = halving_trunk(o, labels);
  add_weights(*convolutions.layers, o.spectral_norm, nn::Linear(convolutions.features, kWide));
  add_norm(*convolutions.layers, o.discriminator_norm, kWide);
  convolutions.layers->push_back(nn::LeakyReLU(0.2));
  return {convolutions.layers, kWide};
}

}  // namespace

NetworkBuilder infogan() {
  return built_from({.generator = infogan_generator, .trunk = infogan_trunk, .start = Start::small});
}

}  // namespace duel::gan::detail
