#include "duel/gan/models/internal/layers.h"

#include "duel/nn/blocks/self_attention.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"
#include "duel/nn/norm/batch_norm.h"
#include "duel/nn/norm/instance_norm.h"
#include "duel/nn/norm/layer_norm.h"
#include "duel/nn/norm/minibatch_stddev.h"
#include "duel/nn/norm/virtual_batch_norm.h"

namespace duel::gan::detail {

void add_norm(nn::Sequential& net, Norm norm, int64_t features, int64_t height, int64_t width) {
  switch (norm) {
    case Norm::automatic:
    case Norm::none:
      return;
    case Norm::batch:
      if (height == 0) {
        net.push_back(nn::BatchNorm1d(features));
      } else {
        net.push_back(nn::BatchNorm2d(features));
      }
      return;
    case Norm::layer:
      net.push_back(height == 0 ? nn::LayerNorm(Shape{features})
                                : nn::LayerNorm(Shape{features, height, width}));
      return;
    case Norm::instance:
      // A vector has one value per channel: nothing to normalise over.
      if (height != 0) net.push_back(nn::InstanceNorm2d(features, {.affine = true}));
      return;
    case Norm::virtual_batch:
      net.push_back(nn::VirtualBatchNorm(features));
      return;
  }
}

std::shared_ptr<nn::Sequential> doubling_generator(const NetworkOptions& o, int64_t input, int64_t c,
                                                   Norm norm, const DoublingOptions& how) {
  const int64_t h = o.height / 4, w = o.width / 4;
  auto net = std::make_shared<nn::Sequential>();
  add_weights(*net, o.spectral_norm_g, nn::Linear(input, 2 * c * h * w));
  net->push_back(nn::Unflatten({2 * c, h, w}));
  add_norm(*net, norm, 2 * c, h, w);
  net->push_back(nn::ReLU());
  add_weights(*net, o.spectral_norm_g, nn::ConvTranspose2d(2 * c, c, 4, kDouble));
  add_norm(*net, norm, c, 2 * h, 2 * w);
  net->push_back(nn::ReLU());
  if (how.attention) net->push_back(nn::SelfAttention2d(c, {.spectral_norm = o.spectral_norm_g}));
  add_weights(*net, o.spectral_norm_g, nn::ConvTranspose2d(c, o.image_channels, 4, kDouble));
  return net;
}

Trunk halving_trunk(const NetworkOptions& o, int64_t labels) { return halving_trunk_with(o, labels, {}); }

Trunk halving_trunk_with(const NetworkOptions& o, int64_t labels, const HalvingOptions& how) {
  const int64_t d = o.channels_d;
  auto critic = std::make_shared<nn::Sequential>();
  add_weights(*critic, o.spectral_norm, nn::Conv2d(o.packing * o.image_channels + labels, d, 4, kHalve));
  critic->push_back(nn::LeakyReLU(how.slope));
  if (how.attention) critic->push_back(nn::SelfAttention2d(d, {.spectral_norm = o.spectral_norm}));
  add_weights(*critic, o.spectral_norm, nn::Conv2d(d, 2 * d, 4, kHalve));
  add_norm(*critic, o.discriminator_norm, 2 * d, o.height / 4, o.width / 4);
  critic->push_back(nn::LeakyReLU(how.slope));
  if (o.minibatch_stddev) critic->push_back(nn::MinibatchStddev());
  critic->push_back(nn::Flatten());
  return {critic, (2 * d + (o.minibatch_stddev ? 1 : 0)) * (o.height / 4) * (o.width / 4)};
}

}  // namespace duel::gan::detail
