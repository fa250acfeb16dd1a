// Residual networks as WGAN-GP and SNGAN have them for CIFAR-10: constant width, G with batch norm, D without.
#include "duel/gan/models/internal/blocks.h"
#include "duel/gan/models/network.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"

namespace duel::gan::detail {

std::shared_ptr<nn::Sequential> resnet_generator(const NetworkOptions& o, int64_t input, int64_t g,
                                                 Norm norm) {
  const int64_t doublings = halvings(o, kSmallestSide);
  int64_t h = o.height >> doublings, w = o.width >> doublings;
  auto net = std::make_shared<nn::Sequential>();
  add_weights(*net, o.spectral_norm_g, nn::Linear(input, g * h * w));
  net->push_back(nn::Unflatten({g, h, w}));
  for (int64_t i = 0; i < doublings; ++i, h *= 2, w *= 2) {
    net->push_back(
        residual_block(g, g, h, w, {.resize = Resize::up, .norm = norm, .spectral_norm = o.spectral_norm_g}));
  }
  add_norm(*net, norm, g, h, w);
  net->push_back(nn::ReLU());
  add_weights(*net, o.spectral_norm_g, nn::Conv2d(g, o.image_channels, 3, {.padding = 1}));
  return net;
}

namespace {

constexpr int64_t kJudged = 7;       // sides that D halves images to at least
constexpr int64_t kPlainBlocks = 2;  // of D, behind the halving ones

Trunk resnet_trunk(const NetworkOptions& o, int64_t labels) {
  const int64_t d = o.channels_d, halved = halvings(o, kJudged);
  int64_t h = o.height, w = o.width;
  auto net = std::make_shared<nn::Sequential>();
  for (int64_t i = 0; i < halved + kPlainBlocks; ++i) {
    const bool first = i == 0, down = i < halved;
    net->push_back(residual_block(first ? channels_in(o, labels) : d, d, h, w,
                                  {.resize = down ? Resize::down : Resize::none,
                                   .norm = first ? Norm::none : o.discriminator_norm,
                                   .spectral_norm = o.spectral_norm,
                                   .activation_first = !first}));
    if (down) h /= 2, w /= 2;
  }
  net->push_back(nn::ReLU());
  return pooled_trunk(net, o, d, h, w);
}

}  // namespace

NetworkBuilder resnet() {
  return built_from({.generator = resnet_generator, .trunk = resnet_trunk, .start = Start::xavier});
}

}  // namespace duel::gan::detail
