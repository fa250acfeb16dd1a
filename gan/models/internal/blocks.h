// Internal to gan/models/: residual blocks of 3x3 convolutions, and what networks made of them have in common.
//
// Note [Cheap shortcuts]
// A block that enlarges or halves an image has a 1x1 convolution on its shortcut. It commutes with a mean of pixels and with
// their repetition, bias included, so it always runs on the smaller image: the same function at a quarter of the work.
#pragma once

#include "duel/gan/models/internal/layers.h"
#include "duel/nn/blocks/residual.h"

namespace duel::gan::detail {

/// Sides of an image that generators start from, and discriminators halve it to, at least.
inline constexpr int64_t kSmallestSide = 4;

enum class Resize { none, up, down };

struct BlockOptions {
  Resize resize = Resize::none;
  Norm norm = Norm::none;        // before each convolution
  bool spectral_norm = false;    // of every convolution
  bool activation_first = true;  // false: for a block that is given images, whose values have their meaning
};

/// [ReLU(norm)] 3x3 convolution, ReLU(norm), 3x3 convolution, enlarged before or halved after both; the shortcut a 1x1
/// convolution where channels or sides change. `height` and `width` are the input's, for layer norm. (Gulrajani et al. 2017,
/// arXiv:1704.00028, appendix F; Miyato et al. 2018, arXiv:1802.05957, figure 9.)
nn::Residual residual_block(int64_t in, int64_t out, int64_t height, int64_t width,
                            const BlockOptions& o = {});

/// How often both sides of an image can be halved without a remainder and come to no less than `least` pixels.
int64_t halvings(const NetworkOptions& o, int64_t least);

/// Channels of what D is given: `packing` images and planes of labels.
inline int64_t channels_in(const NetworkOptions& o, int64_t labels) {
  return o.packing * o.image_channels + labels;
}

/// Ends a trunk of `channels` x height x width in its features: [minibatch deviation], and each channel's mean, or under
/// spectral norm, which would leave little of a mean's slope, its sum (Miyato et al. 2018).
Trunk pooled_trunk(std::shared_ptr<nn::Sequential> layers, const NetworkOptions& o, int64_t channels,
                   int64_t height, int64_t width);

/// G of residual blocks of `width` that double the sides from 4 or more to the image's (networks/resnet.cpp).
std::shared_ptr<nn::Sequential> resnet_generator(const NetworkOptions& o, int64_t input, int64_t width,
                                                 Norm norm);

}  // namespace duel::gan::detail
