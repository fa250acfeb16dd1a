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
  net.push_back(nn::with_spectral_norm(spectral_norm, std::move(layer)));
}

/// 4x4 convolutions that halve and double an image's sides.
inline constexpr nn::Conv2dOptions kHalve{.stride = 2, .padding = 1};
inline constexpr nn::ConvTranspose2dOptions kDouble{.stride = 2, .padding = 1};

struct DoublingOptions {
  bool attention = false;  // between the two convolutions
};
/// G's two doubling convolutions: [N, input] by a linear layer to 2 c channels of H/4 x W/4, then c of H/2 x W/2, then images.
std::shared_ptr<nn::Sequential> doubling_generator(const NetworkOptions& o, int64_t input, int64_t c,
                                                   Norm norm, const DoublingOptions& how = {});

inline constexpr double kSlope = 0.2;  // of LeakyReLU where a paper says no other

/// D's two halving convolutions: images [N, packing image_channels + labels, H, W] to features [N, 2 d H/4 W/4], d =
/// channels_d.
Trunk halving_trunk(const NetworkOptions& o, int64_t labels);

struct HalvingOptions {
  double slope = kSlope;
  bool attention = false;  // between the two convolutions
};
Trunk halving_trunk_with(const NetworkOptions& o, int64_t labels, const HalvingOptions& how);

}  // namespace duel::gan::detail
