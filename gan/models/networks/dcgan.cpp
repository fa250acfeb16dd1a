#include "duel/gan/models/internal/layers.h"
#include "duel/gan/models/network.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"

namespace duel::gan::detail {
namespace {

std::shared_ptr<nn::Sequential> dcgan_generator(const NetworkOptions& o, int64_t input, int64_t g,
                                                Norm norm) {
  const int64_t h = o.height / 4, w = o.width / 4;
  auto net = std::make_shared<nn::Sequential>();
  add_weights(*net, o.spectral_norm_g, nn::Linear(input, 4 * g * h * w));
  net->push_back(nn::Unflatten({4 * g, h, w}));
  add_norm(*net, norm, 4 * g, h, w);
  net->push_back(nn::ReLU());
  add_weights(*net, o.spectral_norm_g, nn::ConvTranspose2d(4 * g, 2 * g, 4, kDouble));
  add_norm(*net, norm, 2 * g, 2 * h, 2 * w);
  net->push_back(nn::ReLU());
  add_weights(*net, o.spectral_norm_g, nn::ConvTranspose2d(2 * g, o.image_channels, 4, kDouble));
  return net;
}

}  // namespace

NetworkBuilder dcgan() {
  return built_from({.generator = dcgan_generator, .trunk = halving_trunk, .start = Start::small});
}

}  // namespace duel::gan::detail
