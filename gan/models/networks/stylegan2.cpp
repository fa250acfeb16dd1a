// StyleGAN2 at MNIST's scale: a mapping network, modulated convolutions with noise inputs from a learned constant, an image
// summed up over the resolutions; a residual D. Every weight but D's last layer is equalised (nn/norm/equalized.h).
#include <cmath>
#include <numbers>

#include "duel/core/ops.h"
#include "duel/gan/models/internal/blocks.h"
#include "duel/gan/models/network.h"
#include "duel/nn/blocks/modulated_conv2d.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"
#include "duel/nn/layers/upsample.h"
#include "duel/nn/norm/equalized.h"
#include "duel/nn/norm/minibatch_stddev.h"
#include "duel/nn/norm/pixel_norm.h"

namespace duel::gan::detail {
namespace {

constexpr int64_t kMapped = 4;         // layers of the mapping (8 there)
constexpr double kMappingRate = 0.01;  // their rate's multiplier
constexpr double kMixing = 0.9;        // probability that a sample's later layers get another latent's style
constexpr double kGain = std::numbers::sqrt2;

/// [1, 3, 3, 1] up: every pixel twice, blurred.
Tensor enlarged(const Tensor& x) { return blur2d(upsample_nearest2d(x, 2)); }

/// Enlarged or not, modulated 3x3 convolution, noise, bias, LeakyReLU.
class StyledConv : public nn::Module {
 public:
  StyledConv(int64_t channels, int64_t height, int64_t width, bool up, int64_t style)
      : channels_(channels),
        height_(height),
        width_(width),
        up_(up),
        style_(style),
        conv_(register_module("conv", nn::ModulatedConv2d(channels, channels, 3, style))),
        strength_(register_parameter("strength", Tensor::zeros({}))),
        bias_(register_parameter("bias", Tensor::zeros({channels}))),
        noise_(register_buffer("noise", default_generator().normal({1, 1, height, width}))) {}
  /// Undefined noise: the layer's own, the same for every sample and pass.
  Tensor forward(const Tensor& x, const Tensor& w, const Tensor& noise) override {
    const Tensor y = (*conv_)(up_ ? enlarged(x) : x, w);
    const Tensor moved =
        y + (noise.defined() ? noise : noise_) * strength_ + bias_.reshape({1, channels_, 1, 1});
    return leaky_relu(moved, kSlope) * kGain;
  }
  Shape noise_shape(int64_t n) const { return {n, 1, height_, width_}; }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<StyledConv>(channels_, height_, width_, up_, style_);
  }

 private:
  int64_t channels_, height_, width_;
  bool up_;
  int64_t style_;
  std::shared_ptr<nn::ModulatedConv2d> conv_;
  Tensor strength_, bias_, noise_;
};

struct StylePlan {
  int64_t noise = 0, told = 0;  // columns of the input: noise, then labels and codes
  NoiseKind kind = NoiseKind::normal;
  int64_t style = 0;                 // values of w: as many as of z, in the paper too
  int64_t channels = 0, images = 1;  // of the features, of the image
  int64_t height = 0, width = 0;     // of the constant
  int64_t doublings = 0;
  bool random = true;  // whether training draws noise inputs and mixes styles; evaluation never does
};

/// From [N, noise + told] to [N, images, H, W]. Note [What a style generator draws]: while it trains, noise for every layer and
/// a second latent for style mixing come from default_generator(), which a Trainer lends and checkpoints hold; in evaluation
/// mode noise is a buffer and nothing is mixed, so that samples are a function of latents and weights.
class StyleGenerator : public nn::Module, public MapsLatents {
 public:
  explicit StyleGenerator(StylePlan plan)
      : plan_(plan),
        constant_(register_parameter(
            "constant", default_generator().normal({1, plan.channels, plan.height, plan.width}))) {
    auto mapping = std::make_shared<nn::Sequential>();
    for (int64_t i = 0; i < kMapped; ++i) {
      const int64_t in = i > 0 ? plan.style : plan.noise + (plan.told > 0 ? plan.style : 0);
      mapping->push_back(
          nn::Equalized(nn::Linear(in, plan.style), {.gain = kGain, .lr_multiplier = kMappingRate}));
      mapping->push_back(nn::LeakyReLU(kSlope));
    }
    if (plan.told > 0) embed_ = register_module("embed", nn::Equalized(nn::Linear(plan.told, plan.style)));
    mapping_ = register_module("mapping", mapping);
    layers_ = register_module("layers", nn::ModuleList());
    to_image_ = register_module("to_image", nn::ModuleList());
    const auto layer = [&](int64_t level, bool up) {
      layers_->push_back(
          StyledConv(plan.channels, plan.height << level, plan.width << level, up, plan.style));
    };
    for (int64_t level = 0; level <= plan.doublings; ++level) {
      if (level > 0) layer(level, true);
      layer(level, false);
      to_image_->push_back(
          nn::ModulatedConv2d(plan.channels, plan.images, 1, plan.style, {.demodulate = false}));
    }
    image_bias_ = register_parameter("image_bias", Tensor::zeros({plan.images}));
  }

  Tensor forward(const Tensor& input) override {
    const Tensor z = noise_of(input), told = told_of(input), w = by_mapping(z, told);
    if (!draws() || layers_->size() < 2) return drawn(w);
    // Per sample the first layer of the second style: 1 … with probability kMixing, else none.
    Generator& random = default_generator();
    const Tensor other = plan_.kind == NoiseKind::uniform ? random.uniform(z.shape(), -1, 1, z.options())
                                                          : random.normal(z.shape(), 0, 1, z.options());
    const auto places = static_cast<double>(layers_->size() - 1);
    const Tensor from = floor(random.uniform({z.dim(0), 1}, 0, 1, z.options()) * (places / kMixing)) + 1.0;
    return draw(w, by_mapping(other, told), from);
  }
  Tensor mapped(const Tensor& input) override { return by_mapping(noise_of(input), told_of(input)); }
  Tensor drawn(const Tensor& w) override { return draw(w, {}, {}); }
  bool mixes_samples() const override { return children_mix_samples(); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override { return std::make_shared<StyleGenerator>(plan_); }

 private:
  bool draws() const { return plan_.random && is_training(); }
  Tensor noise_of(const Tensor& input) const { return slice(input, 1, 0, plan_.noise); }
  Tensor told_of(const Tensor& input) {
    return plan_.told > 0 ? (*embed_)(slice(input, 1, plan_.noise, plan_.noise + plan_.told)) : Tensor();
  }
  Tensor by_mapping(const Tensor& z, const Tensor& told) {
    nn::PixelNorm normed;
    return (*mapping_)(told.defined() ? concat({normed(z), normed(told)}, 1) : normed(z));
  }
  /// Styles of each layer: `other`'s from layer `from` on, where it is given.
  Tensor draw(const Tensor& w, const Tensor& other, const Tensor& from) {
    Tensor x = broadcast_to(constant_, constant_.shape().with(0, w.dim(0))), image;
    for (size_t i = 0; i < layers_->size(); ++i) {
      Tensor style = w;
      if (other.defined() && i > 0) {
        style = where(less_equal(from, Tensor::full({}, static_cast<double>(i), from.options())), other, w);
      }
      auto& layer = layers_->at<StyledConv>(i);
      x = layer(
          x, style,
          draws() ? default_generator().normal(layer.noise_shape(w.dim(0)), 0, 1, w.options()) : Tensor());
      if (i % 2 != 0) continue;  // an image at the end of every resolution
      const Tensor part = (*to_image_)[i / 2](x, style);
      image = image.defined() ? enlarged(image) + part : part;
    }
    return image + image_bias_.reshape({1, plan_.images, 1, 1});
  }

  StylePlan plan_;
  Tensor constant_, image_bias_;
  std::shared_ptr<nn::Module> embed_, mapping_;
  std::shared_ptr<nn::ModuleList> layers_, to_image_;
};

std::shared_ptr<nn::Sequential> stylegan2_generator(const NetworkOptions& o, int64_t input, int64_t g,
                                                    Norm norm) {
  DUEL_CHECK(norm == Norm::none, "stylegan2",
             "norm-g: expected auto or none, got {}: demodulation takes its place", to_text(norm));
  const bool decodes = is_autoencoder(o.critic);  // then G too makes its images of its input alone
  const int64_t doublings = halvings(o, kSmallestSide), told = decodes ? 0 : input - o.latent;
  auto net = std::make_shared<nn::Sequential>();
  net->push_back(StyleGenerator({.noise = input - told,
                                 .told = told,
                                 .kind = o.noise,
                                 .style = o.latent,
                                 .channels = g,
                                 .images = o.image_channels,
                                 .height = o.height >> doublings,
                                 .width = o.width >> doublings,
                                 .doublings = doublings,
                                 .random = o.generator_draws && !decodes}));
  return net;
}

/// A layer of D: equalised, or under spectral norm.
template <class Layer>
std::shared_ptr<nn::Module> weighted(const NetworkOptions& o, Layer layer, double gain) {
  if (o.spectral_norm) return std::make_shared<nn::SpectralNorm>(std::move(layer));
  return std::make_shared<nn::Equalized>(std::move(layer), nn::EqualizedOptions{.gain = gain});
}
/// With its activation.
template <class Layer>
void add_layer(nn::Sequential& net, const NetworkOptions& o, Layer layer) {
  net.push_back(weighted(o, std::move(layer), kGain));
  net.push_back(nn::LeakyReLU(kSlope));
}

Trunk stylegan2_trunk(const NetworkOptions& o, int64_t labels) {
  const int64_t halved = halvings(o, kSmallestSide);
  int64_t c = o.channels_d, h = o.height, w = o.width;
  auto net = std::make_shared<nn::Sequential>();
  add_layer(*net, o, nn::Conv2d(channels_in(o, labels), c, 1));
  for (int64_t i = 0; i < halved; ++i, c *= 2, h /= 2, w /= 2) {
    nn::Sequential path, skip;
    add_layer(path, o, nn::Conv2d(c, c, 3, {.padding = 1}));
    path.push_back(nn::Blur2d());
    add_layer(path, o, nn::Conv2d(c, 2 * c, 3, {.stride = 2, .padding = 1}));
    skip.push_back(nn::Blur2d());
    skip.push_back(weighted(o, nn::Conv2d(c, 2 * c, 1, {.stride = 2, .bias = false}), 1.0));
    net->push_back(nn::Residual(std::move(path), std::move(skip), 1 / std::numbers::sqrt2));
  }
  if (o.minibatch_stddev) net->push_back(nn::MinibatchStddev());
  add_layer(*net, o, nn::Conv2d(c + (o.minibatch_stddev ? 1 : 0), c, 3, {.padding = 1}));
  net->push_back(nn::Flatten());
  add_layer(*net, o, nn::Linear(c * h * w, c));
  return {net, c};
}

}  // namespace

NetworkBuilder stylegan2() {
  return built_from({.generator = stylegan2_generator, .trunk = stylegan2_trunk});
}

}  // namespace duel::gan::detail
