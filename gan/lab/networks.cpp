#include "duel/gan/lab/networks.h"

#include "duel/kernels/error.h"
#include "duel/nn/activations.h"
#include "duel/nn/batch_norm.h"
#include "duel/nn/init.h"
#include "duel/nn/linear.h"
#include "duel/nn/maxout.h"
#include "duel/nn/sequential.h"

namespace duel::gan::lab {
namespace {

void initialise(nn::Module& net, Generator& random) {
  net.apply([&](nn::Module& module) {
    if (auto* layer = dynamic_cast<nn::Linear*>(&module)) {
      nn::init::normal_(layer->weight, 0.0, 0.02, random);
      nn::init::constant_(layer->bias, 0.0);
    }
  });
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
    net->push_back(nn::Linear(i == 0 ? o.latent : o.width_g, o.width_g));
    net->push_back(nn::BatchNorm1d(o.width_g));
    net->push_back(nn::ReLU());
  }
  net->push_back(nn::Linear(o.width_g, 2));
  initialise(*net, random);
  return net;
}

std::shared_ptr<nn::Module> make_point_critic(const PointNetworkOptions& o, Generator& random) {
  check(o);
  auto net = std::make_shared<nn::Sequential>();
  for (int64_t i = 0; i < o.layers_d; ++i) {
    net->push_back(nn::Linear(i == 0 ? 2 * o.packing : o.width_d, o.width_d * o.pieces));
    net->push_back(nn::Maxout(o.pieces));
  }
  net->push_back(nn::Linear(o.width_d, 1));
  initialise(*net, random);
  return net;
}

}  // namespace duel::gan::lab
