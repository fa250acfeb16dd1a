#include "duel/gan/lab/networks.h"

#include "duel/gan/models/critics.h"
#include "duel/kernels/base/error.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/maxout.h"
#include "duel/nn/module/init.h"
#include "duel/nn/module/sequential.h"
#include "duel/nn/norm/batch_norm.h"
#include "duel/nn/norm/spectral_norm.h"

namespace duel::gan::lab {
namespace {

nn::Linear linear(int64_t in, int64_t out, Generator& random) {
  nn::Linear layer(in, out);
  nn::init::normal_(layer.weight, 0.0, 0.02, random);
  nn::init::constant_(layer.bias, 0.0);
  return layer;
}

void check(const PointNetworkOptions& o) {
  DUEL_CHECK(o.latent >= 1 && o.width_g >= 1 && o.width_d >= 1 && o.layers_g >= 1 && o.layers_d >= 1 &&
                 o.pieces >= 1 && o.packing >= 1,
             "lab", "networks: expected sizes of at least 1");
  DUEL_CHECK(
      is_conditional(o.critic) == (o.classes > 0) &&
          (o.critic == CriticKind::code_head) == (o.codes.count() > 0),
      "lab",
      "networks: expected classes for conditional critics and codes for a code head, and for no others; "
      "got {} and {}",
      o.classes, o.codes.count());
}

/// Maxout layers, of which the first sees `in` numbers.
std::shared_ptr<nn::Sequential> maxout_layers(const PointNetworkOptions& o, int64_t in, Generator& random) {
  auto net = std::make_shared<nn::Sequential>();
  for (int64_t i = 0; i < o.layers_d; ++i) {
    nn::Linear layer = linear(i == 0 ? in : o.width_d, o.width_d * o.pieces, random);
    if (o.spectral_norm) {
      net->push_back(nn::SpectralNorm(std::move(layer)));
    } else {
      net->push_back(std::move(layer));
    }
    net->push_back(nn::Maxout(o.pieces));
  }
  return net;
}

}  // namespace

LatentPlan point_latents(const PointNetworkOptions& o) {
  return {.noise = o.latent,
          .classes = o.classes,
          .categorical = o.codes.categorical,
          .continuous = o.codes.continuous};
}

std::shared_ptr<nn::Module> make_point_generator(const PointNetworkOptions& o, Generator& random) {
  check(o);
  auto net = std::make_shared<nn::Sequential>();
  for (int64_t i = 0; i < o.layers_g; ++i) {
    net->push_back(linear(i == 0 ? point_latents(o).width() : o.width_g, o.width_g, random));
    net->push_back(nn::BatchNorm1d(o.width_g));
    net->push_back(nn::ReLU());
  }
  net->push_back(linear(o.width_g, 2, random));
  return net;
}

std::shared_ptr<nn::Module> make_point_critic(const PointNetworkOptions& o, Generator& random) {
  check(o);
  // SpectralNorm draws its first vectors from the thread's generator: what ran there before has no say in a
  // run.
  const Generator::State now = random.state();
  Generator vectors(now.seed, now.stream + (uint64_t{1} << 32));
  const LendDefaultGenerator lent(vectors);
  const int64_t told = o.critic == CriticKind::label_input ? o.classes : 0;
  const int64_t features = o.width_d;
  const auto decoder = [&] {
    const auto net = maxout_layers(o, features, random);
    net->push_back(linear(features, 2, random));
    return net;
  };
  const auto critic =
      make_critic(o.critic, {maxout_layers(o, 2 * o.packing + told, random), features},
                  {.classes = o.classes,
                   .labels = LabelCritic::Input::columns,
                   .spectral_norm = o.spectral_norm,
                   .q = [&] { return std::make_shared<nn::Linear>(features, point_latents(o).code_width()); },
                   .decoder = decoder,
                   .embedding = o.embedding});
  // Heads too start as the paper's layers do; a plain critic's is its last layer.
  const nn::Module& fresh = o.critic == CriticKind::plain ? *critic->named_children().back().second : *critic;
  for (const auto& [name, parameter] : fresh.named_parameters()) {
    if (parameter.rank() >= 2)
      nn::init::normal_(parameter, 0.0, 0.02, random);
    else
      nn::init::constant_(parameter, 0.0);
  }
  return critic;
}

}  // namespace duel::gan::lab
