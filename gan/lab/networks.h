// The networks of PacGAN's 2-D experiments (Lin et al. 2018, arXiv:1712.04086; their code follows Dumoulin's ALI).
//
//   G   z [N, 2] - four times Linear 400, batch norm, ReLU - Linear 2
//   D   points [N, 2 m] (m packed points) - three times Linear 1000 and Maxout of 5 pieces, so 200 features - Linear 1
//
// Weights start from N(0, 0.02), biases from 0. D has no batch statistics, so every per-sample penalty is allowed.
//
// Example:
//   Generator random(1);
//   PointNetworks nets = make_point_networks({.packing = 2}, random);
#pragma once

#include <cstdint>
#include <memory>

#include "duel/core/random.h"
#include "duel/nn/module.h"

namespace duel::gan::lab {

struct PointNetworkOptions {
  int64_t latent = 2;
  int64_t width_g = 400, width_d = 200;
  int64_t layers_g = 4, layers_d = 3;
  int64_t pieces = 5;
  int64_t packing = 1;
  bool spectral_norm = false;  // in every layer of D
};

std::shared_ptr<nn::Module> make_point_generator(const PointNetworkOptions& options, Generator& random);
std::shared_ptr<nn::Module> make_point_critic(const PointNetworkOptions& options, Generator& random);

}  // namespace duel::gan::lab
