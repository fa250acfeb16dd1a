// R3GAN's networks at MNIST's scale: residual blocks of grouped convolutions without any normalisation, kept quiet at the
// start as Fixup does, a learned basis at G's beginning and a depthwise one at D's end, smooth changes of resolution.
#include <cmath>

#include "duel/core/ops/map/arithmetic.h"
#include "duel/gan/models/internal/blocks.h"
#include "duel/gan/models/network.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/pooling.h"
#include "duel/nn/layers/reshape.h"
#include "duel/nn/layers/upsample.h"
#include "duel/nn/module/init.h"
#include "duel/nn/norm/minibatch_stddev.h"

namespace duel::gan::detail {
namespace {

constexpr int64_t kExpansion = 2;  // channels within a block for one outside
constexpr int64_t kGroup = 16;     // of those in a group, where there are more; of fewer there are two groups
constexpr int64_t kBlocks = 2;     // at each resolution

/// A layer without bias or with a bias of 0, whose weight is N(0, gain^2 / fan in).
template <class Layer>
Layer started(Layer layer, double gain) {
  const double deviation = gain / std::sqrt(static_cast<double>(nn::init::fan_in(layer.weight.shape())));
  if (gain == 0) {
    nn::init::zeros_(layer.weight);
  } else {
    nn::init::normal_(layer.weight, 0.0, deviation);
  }
  if (layer.bias.defined()) nn::init::zeros_(layer.bias);
  return layer;
}

/// x + conv1x1(f(grouped conv3x3(f(conv1x1(x))))), the last weight 0 and the others shrunk by blocks^(-1 / 4): with three
/// layers on a path the variance of `blocks` of them stays bounded (Zhang et al. 2019, arXiv:1901.09321, section 3).
nn::Residual fixed_up_block(int64_t channels, int64_t blocks, bool spectral_norm) {
  const int64_t inner = kExpansion * channels;
  const double gain = std::sqrt(2 / (1 + kSlope * kSlope)) * std::pow(static_cast<double>(blocks), -0.25);
  nn::Sequential path;
  add_weights(path, spectral_norm, started(nn::Conv2d(channels, inner, 1), gain));
  path.push_back(nn::LeakyReLU(kSlope));
  const int64_t groups = inner % kGroup == 0 && inner > kGroup ? inner / kGroup : kExpansion;
  add_weights(path, spectral_norm,
              started(nn::Conv2d(inner, inner, 3, {.padding = 1, .groups = groups}), gain));
  path.push_back(nn::LeakyReLU(kSlope));
  add_weights(path, spectral_norm, started(nn::Conv2d(inner, channels, 1, {.bias = false}), 0));
  return nn::Residual(std::move(path));
}

/// Learned images [C, h, w], each times what a linear layer makes of the input.
class Basis : public nn::Module {
 public:
  Basis(int64_t input, int64_t channels, int64_t height, int64_t width, bool spectral_norm)
      : input_(input),
        shape_{channels, height, width},
        spectral_norm_(spectral_norm),
        basis_(register_parameter("basis", default_generator().normal({channels, height, width}))),
        linear_(register_module(
            "linear", nn::with_spectral_norm(spectral_norm,
                                             started(nn::Linear(input, channels, {.bias = false}), 1)))) {}
  Tensor forward(const Tensor& x) override {
    return (*linear_)(x).reshape({x.dim(0), shape_[0], 1, 1}) *
           basis_.reshape({1, shape_[0], shape_[1], shape_[2]});
  }
  bool second_derivative_zero() const override { return true; }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<Basis>(input_, shape_[0], shape_[1], shape_[2], spectral_norm_);
  }

 private:
  int64_t input_;
  Shape shape_;
  bool spectral_norm_;
  Tensor basis_;
  std::shared_ptr<nn::Module> linear_;
};

std::shared_ptr<nn::Sequential> r3gan_generator(const NetworkOptions& o, int64_t input, int64_t g,
                                                Norm norm) {
  DUEL_CHECK(norm == Norm::none, "r3gan",
             "norm-g: expected auto or none, got {}: its blocks are made to need none", to_text(norm));
  const int64_t doublings = halvings(o, kSmallestSide), blocks = kBlocks * (doublings + 1);
  auto net = std::make_shared<nn::Sequential>();
  net->push_back(Basis(input, g, o.height >> doublings, o.width >> doublings, o.spectral_norm_g));
  for (int64_t i = 0; i < blocks; ++i) {
    if (i > 0 && i % kBlocks == 0) {
      net->push_back(nn::Upsample(2));
      net->push_back(nn::Blur2d());
    }
    net->push_back(fixed_up_block(g, blocks, o.spectral_norm_g));
  }
  add_weights(*net, o.spectral_norm_g, started(nn::Conv2d(g, o.image_channels, 1, {.bias = false}), 1));
  return net;
}

Trunk r3gan_trunk(const NetworkOptions& o, int64_t labels) {
  const int64_t halved = halvings(o, kSmallestSide), blocks = kBlocks * (halved + 1), d = o.channels_d;
  const int64_t h = o.height >> halved, w = o.width >> halved;
  auto net = std::make_shared<nn::Sequential>();
  add_weights(*net, o.spectral_norm, started(nn::Conv2d(channels_in(o, labels), d, 1, {.bias = false}), 1));
  for (int64_t i = 0; i < blocks; ++i) {
    if (i > 0 && i % kBlocks == 0) {
      net->push_back(nn::Blur2d());
      net->push_back(nn::AvgPool2d(2));
    }
    net->push_back(fixed_up_block(d, blocks, o.spectral_norm));
  }
  if (o.minibatch_stddev) net->push_back(nn::MinibatchStddev());
  const int64_t c = d + (o.minibatch_stddev ? 1 : 0);
  add_weights(*net, o.spectral_norm, started(nn::Conv2d(c, c, {h, w}, {.groups = c, .bias = false}), 1));
  net->push_back(nn::Flatten());
  return {net, c};
}

}  // namespace

NetworkBuilder r3gan() {
  // As in the paper's code. Before a tanh this G, which no norm brings back, soon says so much that the tanh passes no gradient.
  return built_from({.generator = r3gan_generator, .trunk = r3gan_trunk, .tanh = false});
}

}  // namespace duel::gan::detail
