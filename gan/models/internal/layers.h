// Internal to gan/models/: what the networks' layers have in common.
#pragma once

#include <utility>

#include "duel/gan/models/critics.h"
#include "duel/gan/models/models.h"
#include "duel/nn/layers/conv2d.h"
#include "duel/nn/layers/conv_transpose2d.h"
#include "duel/nn/module/sequential.h"
#include "duel/nn/norm/spectral_norm.h"

namespace duel::gan::detail {

/// Appends the normalisation of `features` channels, each of height x width (0: a vector).
void add_norm(nn::Sequential& net, Norm norm, int64_t features, int64_t height = 0, int64_t width = 0);

/// A layer with weights, under spectral norm or without.
template <class Layer>
void add_weights(nn::Sequential& net, bool spectral_norm, Layer layer) {
  if (spectral_norm) {
    net.push_back(nn::SpectralNorm(std::move(layer)));
  } else {
    net.push_back(std::move(layer));
  }
}

/// 4x4 convolutions that halve and double an image's sides.
inline constexpr nn::Conv2dOptions kHalve{.stride = 2, .padding = 1};
inline constexpr nn::ConvTranspose2dOptions kDouble{.stride = 2, .padding = 1};

/// D's two halving convolutions: images [N, packing image_channels + labels, H, W] to features [N, 2 d H/4 W/4], d = channels_d.
Trunk halving_trunk(const NetworkOptions& o, int64_t labels);

}  // namespace duel::gan::detail
