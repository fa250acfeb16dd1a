#include "duel/gan/models/internal/blocks.h"

#include <algorithm>

#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/pooling.h"
#include "duel/nn/layers/reshape.h"
#include "duel/nn/layers/upsample.h"
#include "duel/nn/norm/minibatch_stddev.h"

namespace duel::gan::detail {

nn::Residual residual_block(int64_t in, int64_t out, int64_t height, int64_t width, const BlockOptions& o) {
  nn::Sequential path, skip;
  const auto conv = [&](int64_t from, int64_t kernel) {
    return nn::Conv2d(from, out, kernel, {.padding = kernel / 2});
  };
  if (o.activation_first) {
    add_norm(path, o.norm, in, height, width);
    path.push_back(nn::ReLU());
  }
  const int64_t larger = o.resize == Resize::up ? 2 : 1;
  if (o.resize == Resize::up) path.push_back(nn::Upsample(2));
  add_weights(path, o.spectral_norm, conv(in, 3));
  add_norm(path, o.norm, out, larger * height, larger * width);
  path.push_back(nn::ReLU());
  add_weights(path, o.spectral_norm, conv(out, 3));
  if (o.resize == Resize::down) {
    path.push_back(nn::AvgPool2d(2));
    skip.push_back(nn::AvgPool2d(2));
  }
  // Note [Cheap shortcuts]
  if (in != out || o.resize != Resize::none) add_weights(skip, o.spectral_norm, conv(in, 1));
  if (o.resize == Resize::up) skip.push_back(nn::Upsample(2));
  return nn::Residual(std::move(path), std::move(skip));
}

int64_t halvings(const NetworkOptions& o, int64_t least) {
  int64_t n = 0;
  for (int64_t h = o.height, w = o.width; h % 2 == 0 && w % 2 == 0 && std::min(h, w) / 2 >= least;
       h /= 2, w /= 2)
    ++n;
  return n;
}

Trunk pooled_trunk(std::shared_ptr<nn::Sequential> layers, const NetworkOptions& o, int64_t channels,
                   int64_t height, int64_t width) {
  if (o.minibatch_stddev) layers->push_back(nn::MinibatchStddev());
  if (o.spectral_norm) {
    layers->push_back(nn::GlobalSumPool2d());
  } else {
    layers->push_back(nn::AvgPool2d({height, width}));
    layers->push_back(nn::Flatten());
  }
  return {std::move(layers), channels + (o.minibatch_stddev ? 1 : 0)};
}

}  // namespace duel::gan::detail
