#include "duel/gan/models/internal/layers.h"
#include "duel/gan/models/network.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"
#include "duel/nn/norm/minibatch_stddev.h"

namespace duel::gan::detail {
namespace {

std::shared_ptr<nn::Sequential> mlp_generator(const NetworkOptions& o, int64_t input, int64_t g, Norm norm) {
  auto net = std::make_shared<nn::Sequential>();
  add_weights(*net, o.spectral_norm_g, nn::Linear(input, g));
  add_norm(*net, norm, g);
  net->push_back(nn::LeakyReLU(0.2));
  add_weights(*net, o.spectral_norm_g, nn::Linear(g, 2 * g));
  add_norm(*net, norm, 2 * g);
  net->push_back(nn::LeakyReLU(0.2));
  add_weights(*net, o.spectral_norm_g, nn::Linear(2 * g, o.image_channels * o.height * o.width));
  net->push_back(nn::Unflatten({o.image_channels, o.height, o.width}));
  return net;
}

Trunk mlp_trunk(const NetworkOptions& o, int64_t labels) {
  const int64_t d = o.channels_d;
  auto critic = std::make_shared<nn::Sequential>();
  critic->push_back(nn::Flatten());
  add_weights(*critic, o.spectral_norm,
              nn::Linear(o.packing * o.image_channels * o.height * o.width + labels, 2 * d));
  critic->push_back(nn::LeakyReLU(0.2));
  add_weights(*critic, o.spectral_norm, nn::Linear(2 * d, d));
  add_norm(*critic, o.discriminator_norm, d);
  critic->push_back(nn::LeakyReLU(0.2));
  if (o.minibatch_stddev) critic->push_back(nn::MinibatchStddev());
  return {critic, o.minibatch_stddev ? d + 1 : d};
}

}  // namespace

NetworkBuilder mlp() {
  return built_from({.generator = mlp_generator, .trunk = mlp_trunk, .labels = LabelCritic::Input::columns});
}

}  // namespace duel::gan::detail
