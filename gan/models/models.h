// The networks that MNIST-scale GANs are studied with. Images are [N, C, H, W] in [-1, 1]; G ends in tanh (r3gan in its last layer), D
// in raw logits [N, 1]; layers are PyTorch's, so that weights exchange key by key.
//
// There is a row for each in network.h: mlp, resnet and biggan take images of any sides (the latter two start from sides of
// 4 to 7 pixels where they can be halved so far); dcgan, infogan and sagan need sides that divide by 4.
//
// A critic of another kind than plain (critic.h) is the same network up to its features, with other last
// layers: see conditional.h. An autoencoder's encoder ends in channels_d codes, and its decoder is the
// architecture's generator, channels_d wide. G is given labels as one-hot columns beside the noise
// (LatentPlan).
//
// Example:
//   Networks nets = make_networks({.arch = "dcgan", .discriminator_norm = Norm::none}, generator);
//   Tensor fakes = (*nets.generator)(noise.normal({64, nets.latent.width()}));
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "duel/core/tensor/random.h"
#include "duel/gan/objective/critic.h"
#include "duel/gan/objective/latent.h"
#include "duel/nn/module/module.h"

namespace duel::gan {

/// virtual_batch: by a reference batch of latents, 64 of them, chosen with the weights (nn/norm/virtual_batch_norm.h); G's alone.
enum class Norm { automatic, none, batch, layer, instance, virtual_batch };

struct NetworkOptions {
  std::string arch = "dcgan";
  int64_t height = 28, width = 28;
  int64_t image_channels = 1;              // 1: gray, 3: red, green and blue; at most 4
  int64_t latent = 0;                      // size of z; 0: the architecture's own
  int64_t channels_g = 0, channels_d = 0;  // width of the networks; 0: the architecture's own
  Norm generator_norm = Norm::automatic;   // automatic: the architecture's own
  Norm discriminator_norm =
      Norm::automatic;            // automatic: the architecture's own, where the objective allows it
  bool minibatch_stddev = false;  // D sees how much the batch varies (nn/norm/minibatch_stddev.h)
  int64_t packing = 1;            // images that D sees as one sample's channels
  // every weight of D divided by its largest singular value (nn/norm/spectral_norm.h); not of autoencoders
  bool spectral_norm = false;
  bool spectral_norm_g = false;  // every weight of G likewise
  bool generator_draws =
      true;  // whether G draws while it trains, where it can (stylegan2: noise inputs, style mixing)
  // What follows from the objective, but for the number of classes, which is the data's.
  CriticKind critic = CriticKind::plain;
  int64_t classes = 0;
  Codes codes = {};
  NoiseKind noise = NoiseKind::normal;
  int64_t embedding = 0;  // numbers per sample that D gives (CriticKind::embedding)
};

struct Networks {
  std::shared_ptr<nn::Module> generator = {}, discriminator = {};
  LatentPlan latent = {};
  NetworkOptions options = {};  // with every automatic value filled in
  std::string name = "own";     // what a run calls them: the row's they were made of; of others the user's
};

std::vector<std::string> architecture_names();

struct Objective;
/// `options` with all that follows from the objective; `classes` of the data, for conditional ones.
NetworkOptions networks_for(const Objective& objective, NetworkOptions options = {}, int64_t classes = 10);

/// Fresh networks; `allow_batch_norm_in_d` decides Norm::automatic (a per-sample penalty forbids it).
Networks make_networks(NetworkOptions options, bool allow_batch_norm_in_d, Generator& random);

/// The same with all that follows from the objective; conditional ones need options.classes.
Networks make_networks(const NetworkOptions& options, const Objective& objective, Generator& random);

std::string to_text(Norm norm);
Norm parse_norm(const std::string& text);
/// Their texts, in order.
std::vector<std::string> norm_texts();

}  // namespace duel::gan
