#include "duel/gan/lab/networks.h"

#include "duel/kernels/error.h"
#include "duel/nn/activations.h"
#include "duel/nn/batch_norm.h"
#include "duel/nn/init.h"
#include "duel/nn/linear.h"
#include "duel/nn/maxout.h"
#include "duel/nn/sequential.h"
#include "duel/nn/spectral_norm.h"

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
}

}  // namespace

std::shared_ptr<nn::Module> make_point_generator(const PointNetworkOptions& o, Generator& random) {
  check(o);
  auto net = std::make_shared<nn::Sequential>();
  for (int64_t i = 0; i < o.layers_g; ++i) {
    net->push_back(linear(i == 0 ? o.latent : o.width_g, o.width_g, random));
    net->push_back(nn::BatchNorm1d(o.width_g));
    net->push_back(nn::ReLU());
  }
  net->push_back(linear(o.width_g, 2, random));
  return net;
}

std::shared_ptr<nn::Module> make_point_critic(const PointNetworkOptions& o, Generator& random) {
  check(o);
  auto net = std::make_shared<nn::Sequential>();
  // SpectralNorm draws its first vectors from the thread's generator: what ran there before has no say in a run.
  const Generator::State now = random.state();
  Generator vectors(now.seed, now.stream + (uint64_t{1} << 32));
  const LendDefaultGenerator lent(vectors);
  const auto add = [&](int64_t in, int64_t out) {
    nn::Linear layer = linear(in, out, random);
    if (o.spectral_norm) {
      net->push_back(nn::SpectralNorm(std::move(layer)));
    } else {
      net->push_back(std::move(layer));
    }
  };
  for (int64_t i = 0; i < o.layers_d; ++i) {
    add(i == 0 ? 2 * o.packing : o.width_d, o.width_d * o.pieces);
    net->push_back(nn::Maxout(o.pieces));
  }
  add(o.width_d, 1);
  return net;
}

}  // namespace duel::gan::lab
