// The networks of PacGAN's 2-D experiments (Lin et al. 2018, arXiv:1712.04086; their code follows Dumoulin's
// ALI).
//
//   G   z [N, 2] - four times Linear 400, batch norm, ReLU - Linear 2
//   D   points [N, 2 m] (m packed points) - three times Linear 1000 and Maxout of 5 pieces, so 200 features - Linear 1
//
// Weights start from N(0, 0.02), biases from 0. D has no batch statistics, so every per-sample penalty is
// allowed.
//
// An objective that asks more of D than a logit gets its critic around the same 200 features: labels (a
// point's mode) and codes enter G beside z, an autoencoder's decoder mirrors the layers of D, Q is one layer.
// Those are Duel's: the paper has none.
//
// Example:
//   Generator random(1);
//   auto d = make_point_critic({.packing = 2}, random);
#pragma once

#include <cstdint>
#include <memory>

#include "duel/core/tensor/random.h"
#include "duel/gan/objective/critic.h"
#include "duel/gan/objective/latent.h"

namespace duel::gan::lab {

struct PointNetworkOptions {
  int64_t latent = 2;
  int64_t width_g = 400, width_d = 200;
  int64_t layers_g = 4, layers_d = 3;
  int64_t pieces = 5;
  int64_t packing = 1;
  bool spectral_norm = false;  // in every layer of D
  CriticKind critic = CriticKind::plain;
  int64_t classes = 0;    // of conditional critics
  Codes codes = {};       // of CriticKind::code_head
  int64_t embedding = 0;  // numbers per point, of CriticKind::embedding
};

/// What G starts from; the noise is normal, as in the protocol.
LatentPlan point_latents(const PointNetworkOptions& options);

std::shared_ptr<nn::Module> make_point_generator(const PointNetworkOptions& options, Generator& random);
std::shared_ptr<nn::Module> make_point_critic(const PointNetworkOptions& options, Generator& random);

}  // namespace duel::gan::lab
