// BigGAN at MNIST's scale: residual blocks whose batch norms are conditioned on a shared embedding of the label joined with
// a part of the noise, self-attention at half an image's sides, spectral norm in both networks, orthogonal first weights.
#include "duel/core/ops/map/activation.h"
#include "duel/core/ops/map/arithmetic.h"
#include "duel/core/ops/map/movement.h"
#include "duel/core/ops/reduce/pooling.h"
#include "duel/gan/models/internal/blocks.h"
#include "duel/gan/models/network.h"
#include "duel/nn/blocks/self_attention.h"
#include "duel/nn/layers/activations.h"
#include "duel/nn/layers/linear.h"
#include "duel/nn/layers/reshape.h"
#include "duel/nn/norm/conditional_batch_norm.h"

namespace duel::gan::detail {
namespace {

constexpr int64_t kEmbedded = 32;  // values of the shared embedding (the paper's 128 are for 1,000 classes)

/// What G's blocks are conditioned on: the columns behind the noise embedded once for all blocks, and a part of the noise
/// each (skip-z).
struct Conditions {
  int64_t noise = 0, told = 0;  // columns of the input: noise, then labels and codes
  int64_t parts =
      1;  // of the noise: one for the first layer, one for each block; the first takes what is left

  int64_t part() const { return noise / parts; }
  int64_t first() const { return noise - (parts - 1) * part(); }
  int64_t width() const { return part() + (told > 0 ? kEmbedded : 0); }
};

/// Conditional batch norm, ReLU, enlarged, 3x3 convolution, conditional batch norm, ReLU, 3x3 convolution; the shortcut as
/// in residual_block.
class ConditionalBlock : public nn::Module {
 public:
  ConditionalBlock(int64_t in, int64_t out, int64_t condition, bool spectral_norm)
      : in_(in), out_(out), condition_(condition), spectral_norm_(spectral_norm) {
    const auto norm = [&](const char* name, int64_t channels) {
      return register_module(
          name, nn::ConditionalBatchNorm2d(channels, condition, {.spectral_norm = spectral_norm}));
    };
    const auto conv = [&](const char* name, int64_t from, int64_t kernel) {
      return register_module(
          name,
          nn::with_spectral_norm(spectral_norm, nn::Conv2d(from, out, kernel, {.padding = kernel / 2})));
    };
    norm1_ = norm("norm1", in);
    conv1_ = conv("conv1", in, 3);
    norm2_ = norm("norm2", out);
    conv2_ = conv("conv2", out, 3);
    skip_ = conv("skip", in, 1);
  }
  Tensor forward(const Tensor& x, const Tensor& condition) override {
    const Tensor inner = (*conv1_)(upsample_nearest2d(relu((*norm1_)(x, condition)), 2));
    const Tensor path = (*conv2_)(relu((*norm2_)(inner, condition)));
    return path + upsample_nearest2d((*skip_)(x), 2);  // Note [Cheap shortcuts]
  }
  bool mixes_samples() const override { return children_mix_samples(); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<ConditionalBlock>(in_, out_, condition_, spectral_norm_);
  }

 private:
  int64_t in_, out_, condition_;
  bool spectral_norm_;
  std::shared_ptr<nn::Module> norm1_, norm2_, conv1_, conv2_, skip_;
};

/// From [N, noise + told] to [N, channels of the last block, H, W].
class ConditionalTower : public nn::Module {
 public:
  ConditionalTower(Conditions c, int64_t width, int64_t height, int64_t columns, bool spectral_norm)
      : conditions_(c), width_(width), height_(height), columns_(columns), spectral_norm_(spectral_norm) {
    const int64_t blocks = c.parts - 1, widest = width << blocks;
    if (c.told > 0) {  // never under spectral norm, as in the paper
      shared_ = register_module("shared", nn::Linear(c.told, kEmbedded, {.bias = false}));
    }
    start_ = register_module(
        "start", nn::with_spectral_norm(spectral_norm, nn::Linear(c.first(), widest * height * columns)));
    blocks_ = register_module("blocks", nn::ModuleList());
    for (int64_t i = 0; i < blocks; ++i) {
      if (i + 1 == blocks) {
        attention_ =
            register_module("attention", nn::SelfAttention2d(widest >> i, {.spectral_norm = spectral_norm}));
      }
      blocks_->push_back(ConditionalBlock(widest >> i, widest >> (i + 1), c.width(), spectral_norm));
    }
  }
  Tensor forward(const Tensor& input) override {
    const Conditions& c = conditions_;
    const Tensor told = c.told > 0 ? (*shared_)(slice(input, 1, c.noise, c.noise + c.told)) : Tensor();
    Tensor x = (*start_)(slice(input, 1, 0, c.first()))
                   .reshape({input.dim(0), width_ << (c.parts - 1), height_, columns_});
    int64_t at = c.first();
    for (size_t i = 0; i < blocks_->size(); ++i, at += c.part()) {
      if (i + 1 == blocks_->size()) x = (*attention_)(x);
      const Tensor own = slice(input, 1, at, at + c.part());
      x = (*blocks_)[i](x, told.defined() ? concat({told, own}, 1) : own);
    }
    return x;
  }
  bool mixes_samples() const override { return children_mix_samples(); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<ConditionalTower>(conditions_, width_, height_, columns_, spectral_norm_);
  }

 private:
  Conditions conditions_;
  int64_t width_, height_, columns_;
  bool spectral_norm_;
  std::shared_ptr<nn::Module> shared_, start_, attention_;
  std::shared_ptr<nn::ModuleList> blocks_;
};

std::shared_ptr<nn::Sequential> biggan_generator(const NetworkOptions& o, int64_t input, int64_t g,
                                                 Norm norm) {
  const int64_t doublings = halvings(o, kSmallestSide),
                told = is_autoencoder(o.critic) ? 0 : input - o.latent;
  int64_t h = o.height >> doublings, w = o.width >> doublings;
  auto net = std::make_shared<nn::Sequential>();
  if (norm == Norm::batch) {
    const Conditions conditions{.noise = input - told, .told = told, .parts = doublings + 1};
    DUEL_CHECK(conditions.part() >= 1, "biggan",
               "latent: expected at least {} values, one for each block and the first layer, got {}",
               conditions.parts, conditions.noise);
    net->push_back(ConditionalTower(conditions, g, h, w, o.spectral_norm_g));
  } else {  // nothing to condition: all of the input goes into the first layer
    add_weights(*net, o.spectral_norm_g, nn::Linear(input, (g << doublings) * h * w));
    net->push_back(nn::Unflatten({g << doublings, h, w}));
    for (int64_t i = 0; i < doublings; ++i) {
      const int64_t in = g << (doublings - i);
      if (i + 1 == doublings) net->push_back(nn::SelfAttention2d(in, {.spectral_norm = o.spectral_norm_g}));
      net->push_back(
          residual_block(in, in / 2, h << i, w << i,
                         {.resize = Resize::up, .norm = norm, .spectral_norm = o.spectral_norm_g}));
    }
  }
  add_norm(*net, norm, g, o.height, o.width);
  net->push_back(nn::ReLU());
  add_weights(*net, o.spectral_norm_g, nn::Conv2d(g, o.image_channels, 3, {.padding = 1}));
  return net;
}

Trunk biggan_trunk(const NetworkOptions& o, int64_t labels) {
  const int64_t halved = halvings(o, kSmallestSide);
  int64_t in = channels_in(o, labels), out = o.channels_d, h = o.height, w = o.width;
  auto net = std::make_shared<nn::Sequential>();
  for (int64_t i = 0; i <= halved; ++i, in = out, out *= 2) {  // the last one keeps the sides
    const bool first = i == 0, down = i < halved;
    net->push_back(residual_block(in, out, h, w,
                                  {.resize = down ? Resize::down : Resize::none,
                                   .norm = first ? Norm::none : o.discriminator_norm,
                                   .spectral_norm = o.spectral_norm,
                                   .activation_first = !first}));
    if (down) h /= 2, w /= 2;
    if (first && down) net->push_back(nn::SelfAttention2d(out, {.spectral_norm = o.spectral_norm}));
  }
  net->push_back(nn::ReLU());
  return pooled_trunk(net, o, in, h, w);
}

}  // namespace

NetworkBuilder biggan() {
  return built_from({.generator = biggan_generator, .trunk = biggan_trunk, .start = Start::orthogonal});
}

}  // namespace duel::gan::detail
