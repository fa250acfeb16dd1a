// VirtualBatchNorm: batch norm whose statistics are those of a reference batch, chosen once, and of the sample itself, so that
// no sample depends on the others of its batch (Salimans et al. 2016, arXiv:1606.03498, section 3.4). WithReference: a network
// of such layers and its reference batch, which goes through the network before every batch, so that each layer sees it by the
// present weights. Twice the work of batch norm; the paper uses it in G alone.
//
// Per channel, with R reference samples, a = 1 / (R + 1), and mean and biased variance over positions (of the reference over
// its samples too):
//   m = a m_x + (1 - a) m_R                      the means over the reference batch and the sample together
//   v = a v_x + (1 - a) v_R + a (1 - a) (m_x - m_R)^2                                        and their variance
//   y = (x - m) / sqrt(v + eps) * weight + bias
// The reference itself is normalised by m_R and v_R.
//
// Example:
//   nn::WithReference g(nn::Sequential(nn::Linear(16, 32), nn::VirtualBatchNorm(32), nn::ReLU(), nn::Linear(32, 784)), randn({64, 16}));
#pragma once

#include <concepts>
#include <memory>

#include "duel/nn/module/module.h"

namespace duel::nn {

struct VirtualBatchNormOptions {
  double eps = 1e-5;
  bool affine = true;
};

class VirtualBatchNorm : public Module {
 public:
  explicit VirtualBatchNorm(int64_t num_features, VirtualBatchNormOptions options = {});
  /// x [R + N, C, ...], the reference in front. Error outside a WithReference.
  Tensor forward(const Tensor& x) override;
  /// No sample behind the reference reads another one.
  bool mixes_samples() const override { return false; }
  std::string describe() const override;

  int64_t num_features;
  VirtualBatchNormOptions options;
  Tensor weight, bias;     // [C], ones and zeros; undefined without affine
  int64_t references = 0;  // R, which WithReference sets

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<VirtualBatchNorm>(num_features, options);
  }
};

class WithReference : public Module {
 public:
  /// reference [R, ...], samples as the network takes them, R at least 1; a buffer, kept in checkpoints. Error where the
  /// network has no VirtualBatchNorm, or a layer that mixes samples: those would read the reference.
  template <std::derived_from<Module> Network>
  WithReference(Network net, Tensor samples)
      : WithReference(std::shared_ptr<Module>(std::make_shared<Network>(std::move(net))),
                      std::move(samples)) {}
  WithReference(std::shared_ptr<Module> net, Tensor samples);

  /// x [N, ...]: the network of it, [N, ...].
  Tensor forward(const Tensor& x) override;
  bool mixes_samples() const override { return children_mix_samples(); }
  std::string describe() const override { return describe_children("WithReference"); }

  std::shared_ptr<Module> network;
  Tensor reference;

 protected:
  std::shared_ptr<Module> make_like() const override {
    return std::make_shared<WithReference>(like(network), reference.detach().clone());
  }
};

}  // namespace duel::nn
