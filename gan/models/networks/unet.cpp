// U-Net GAN (Schonfeld et al. 2020, arXiv:2002.12655): D is an encoder, which says whether an image is real, and a decoder, which says it
// of each pixel; the decoder is given what the encoder saw of the same sides. G is resnet's.
#include <algorithm>

#include "duel/core/ops/map/movement.h"
#include "duel/gan/models/internal/blocks.h"
#include "duel/gan/models/network.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/module/module_list.h"

namespace duel::gan::detail {
namespace {

/// Encoder and decoder: block k of the encoder halves the sides, block k of the decoder doubles them again, from its predecessor's
/// output joined with the encoder's of the same sides.
class UNetCritic : public Critic {
 public:
  /// `features` and `head`: from the encoder's last output to features, and what they say. `classes` > 0: labels come as planes.
  UNetCritic(std::shared_ptr<nn::ModuleList> encoder, std::shared_ptr<nn::Sequential> features,
             std::shared_ptr<Critic> head, std::shared_ptr<nn::ModuleList> decoder,
             std::shared_ptr<nn::Sequential> pixels, int64_t classes)
      : encoder_(register_module("encoder", std::move(encoder))),
        features_(register_module("features", std::move(features))),
        head_(register_module("head", std::move(head))),
        decoder_(register_module("decoder", std::move(decoder))),
        pixels_(register_module("pixels", std::move(pixels))),
        classes_(classes) {}

  Judgement judge(const Tensor& x, const Tensor& labels) override {
    Tensor y = classes_ > 0 ? with_label_planes(x, labels, classes_) : x;
    std::vector<Tensor> seen;
    for (const auto& block : *encoder_) seen.push_back(y = (*block)(y));
    Judgement judgement = head_->judge((*features_)(y), labels);
    seen.pop_back();
    bool first = true;
    for (const auto& block : *decoder_) {
      if (!first) {
        y = concat({y, seen.back()}, 1);
        seen.pop_back();
      }
      first = false;
      y = (*block)(y);
    }
    judgement.pixels = (*pixels_)(y);
    return judgement;
  }
  bool needs_labels() const override { return classes_ > 0 || head_->needs_labels(); }
  bool judges_pixels() const override { return true; }
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  bool mixes_samples() const override { return children_mix_samples(); }
  std::string describe() const override { return describe_children("UNetCritic"); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<UNetCritic>(like(encoder_), like(features_), like(head_), like(decoder_),
                                        like(pixels_), classes_);
  }

 private:
  std::shared_ptr<nn::ModuleList> encoder_;
  std::shared_ptr<nn::Sequential> features_;
  std::shared_ptr<Critic> head_;
  std::shared_ptr<nn::ModuleList> decoder_;
  std::shared_ptr<nn::Sequential> pixels_;
  int64_t classes_;
};

/// The encoder's blocks, and what it halves the sides to. Sides that cannot be halved have one block that keeps them.
struct Encoder {
  std::vector<nn::Residual> blocks = {};
  int64_t height, width;
  Resize back;  // what undoes a block
};
Encoder encoder(const NetworkOptions& o, int64_t labels) {
  const int64_t halved = halvings(o, kSmallestSide), d = o.channels_d;
  Encoder made{.height = o.height, .width = o.width, .back = halved > 0 ? Resize::up : Resize::none};
  for (int64_t i = 0; i < std::max<int64_t>(halved, 1); ++i) {
    const bool first = i == 0;
    made.blocks.push_back(residual_block(first ? channels_in(o, labels) : d, d, made.height, made.width,
                                         {.resize = halved > 0 ? Resize::down : Resize::none,
                                          .norm = first ? Norm::none : o.discriminator_norm,
                                          .spectral_norm = o.spectral_norm,
                                          .activation_first = !first}));
    if (halved > 0) made.height /= 2, made.width /= 2;
  }
  return made;
}

Trunk unet_trunk(const NetworkOptions& o, int64_t labels) {
  Encoder made = encoder(o, labels);
  auto net = std::make_shared<nn::Sequential>();
  for (nn::Residual& block : made.blocks) net->push_back(std::move(block));
  net->push_back(nn::ReLU());
  return pooled_trunk(net, o, o.channels_d, made.height, made.width);
}

std::shared_ptr<Critic> unet_critic(const NetworkOptions& o, int64_t labels, const NetworkParts::Head& head) {
  const int64_t d = o.channels_d;
  Encoder made = encoder(o, labels);
  auto down = std::make_shared<nn::ModuleList>(), up = std::make_shared<nn::ModuleList>();
  for (nn::Residual& block : made.blocks) down->push_back(std::move(block));
  int64_t h = made.height, w = made.width;
  const Trunk features = pooled_trunk(std::make_shared<nn::Sequential>(nn::ReLU()), o, d, h, w);
  const std::shared_ptr<Critic> judges = head(features.features);
  for (size_t i = 0; i < made.blocks.size(); ++i) {
    up->push_back(residual_block(
        i == 0 ? d : 2 * d, d, h, w,
        {.resize = made.back, .norm = o.discriminator_norm, .spectral_norm = o.spectral_norm}));
    if (made.back == Resize::up) h *= 2, w *= 2;
  }
  auto pixels = std::make_shared<nn::Sequential>(nn::ReLU());
  add_weights(*pixels, o.spectral_norm, nn::Conv2d(d, 1, 1));
  return std::make_shared<UNetCritic>(down, features.layers, judges, up, pixels, labels);
}

}  // namespace

NetworkBuilder unet() {
  return built_from(
      {.generator = resnet_generator, .trunk = unet_trunk, .start = Start::xavier, .critic = unet_critic});
}

}  // namespace duel::gan::detail
