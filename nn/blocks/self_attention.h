// SelfAttention2d: every place of an image looks at every other (SAGAN: Zhang et al. 2019, arXiv:1805.08318, equations 1
// to 3; keys and values pooled as in its code and in BigGAN's).
//
//   q = query(x) [N, C / 8, P],  k = pool(key(x)) [N, C / 8, P'],  v = pool(value(x)) [N, C / 2, P']
//   y = x + gamma out(v softmax(q^T k)^T)
//
// P places, P' of them after 2x2 max pooling; four 1x1 convolutions without bias, at least one channel each, and gamma a
// learned number that starts at 0, so that a network begins as if the block were not there. Not piecewise linear: a
// gradient penalty over it goes twice through the engine.
//
// Note [Attention in single precision]
// The products are accumulated and the softmax is taken in the tensor's own type, shifted by each row's maximum; TF32 may
// enter the products on a GPU (DUEL_TF32=0 forbids it), never the softmax.
//
// Example:  nn::SelfAttention2d attention(64, {.spectral_norm = true});   // [N, 64, H, W] to the same
#pragma once

#include "duel/nn/module/module.h"

namespace duel::nn {

struct SelfAttention2dOptions {
  bool spectral_norm = false;  // of the four convolutions (nn/norm/spectral_norm.h)
  bool pool = true;            // keys and values 2x2, where both sides are even
};

class SelfAttention2d : public Module {
 public:
  explicit SelfAttention2d(int64_t channels, SelfAttention2dOptions options = {});
  /// x [N, C, H, W] to the same.
  Tensor forward(const Tensor& x) override;
  /// Where each place looks: softmax(q^T k), [N, P, P'], rows that sum to 1.
  Tensor attention(const Tensor& x);
  bool mixes_samples() const override { return children_mix_samples(); }
  std::string describe() const override;

  int64_t channels;
  SelfAttention2dOptions options;
  std::shared_ptr<Module> query, key, value, out;
  Tensor gamma;  // [1]

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<SelfAttention2d>(channels, options);
  }

 private:
  Tensor pooled(const Tensor& x) const;
};

}  // namespace duel::nn
