// SAGAN in dcgan's size: self-attention at half an image's sides in both networks, all of their layers under spectral norm.
#include "duel/gan/models/internal/layers.h"
#include "duel/gan/models/network.h"
#include "duel/nn/blocks/self_attention.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"

namespace duel::gan::detail {
namespace {

std::shared_ptr<nn::Sequential> sagan_generator(const NetworkOptions& o, int64_t input, int64_t g,
                                                Norm norm) {
  const int64_t h = o.height / 4, w = o.width / 4;
  auto net = std::make_shared<nn::Sequential>();
  add_weights(*net, o.spectral_norm_g, nn::Linear(input, 2 * g * h * w));
  net->push_back(nn::Unflatten({2 * g, h, w}));
  add_norm(*net, norm, 2 * g, h, w);
  net->push_back(nn::ReLU());
  add_weights(*net, o.spectral_norm_g, nn::ConvTranspose2d(2 * g, g, 4, kDouble));
  add_norm(*net, norm, g, 2 * h, 2 * w);
  net->push_back(nn::ReLU());
  net->push_back(nn::SelfAttention2d(g, {.spectral_norm = o.spectral_norm_g}));
  add_weights(*net, o.spectral_norm_g, nn::ConvTranspose2d(g, o.image_channels, 4, kDouble));
  return net;
}

Trunk sagan_trunk(const NetworkOptions& o, int64_t labels) {
  return halving_trunk_with(o, labels, {.slope = 0.1, .attention = true});  // the slope of the paper's code
}

}  // namespace

NetworkBuilder sagan() {
  return built_from({.generator = sagan_generator, .trunk = sagan_trunk, .start = Start::xavier});
}

}  // namespace duel::gan::detail
