// What a discriminator says about a batch, and the interface of one that says more than a logit.
//
// Any nn::Module that maps a batch to logits [N, 1] can judge. A Critic may also give features (feature
// matching, pull-away term), class logits (ACGAN) and code predictions (InfoGAN), and may look at labels
// (CGAN, projection).
//
// Example:
//   Judgement j = judge(*networks.discriminator, images, labels);   // j.logits, j.features, …
#pragma once

#include "duel/core/tensor/tensor.h"
#include "duel/nn/module/sequential.h"

namespace duel::gan {

/// The critics that objectives ask for; models.h builds each around every architecture.
enum class CriticKind {
  plain,           // a logit per sample
  label_input,     // the label enters beside the image (CGAN: Mirza & Osindero 2014)
  projection,      // psi(phi(x)) + <embed(y), phi(x)> (Miyato & Koyama 2018)
  class_head,      // class logits beside the logit (ACGAN: Odena 2017)
  code_head,       // Q: predictions of G's codes beside the logit (InfoGAN: Chen 2016)
  squared_error,   // an autoencoder; the "logit" is the mean squared error of a sample (EBGAN: Zhao 2016)
  absolute_error,  // the same with the mean absolute error (BEGAN: Berthelot 2017)
  embedding,  // several numbers per sample, between which losses measure distances (MMD GAN: Binkowski 2018)
};

/// Whether objectives with this critic have class labels: real ones and such that G is given.
constexpr bool is_conditional(CriticKind kind) {
  return kind == CriticKind::label_input || kind == CriticKind::projection || kind == CriticKind::class_head;
}

/// Whether what D says in place of a logit is an energy: a reconstruction's error.
constexpr bool is_autoencoder(CriticKind kind) {
  return kind == CriticKind::squared_error || kind == CriticKind::absolute_error;
}

struct Judgement {
  // [N, 1] raw; energies for critics that are autoencoders, lengths for those that give embeddings
  Tensor logits = {};
  // [N, F], what the last layer sees, or the embedding; undefined where the critic does not give them
  Tensor features = {};
  Tensor classes = {};  // [N, K] class logits; undefined without such a head
  // [N, C] predictions of G's codes, laid out as LatentPlan says; undefined without such a head
  Tensor codes = {};
  // [N, 1, H, W] a raw logit for each pixel, of critics that judge those too (gan/models/networks/unet.cpp): the losses take the
  // mean of theirs beside that of `logits`
  Tensor pixels = {};
};

/// All that D says of how real each sample is, [N, 1]: the logit, and the mean of its pixels' where there are any. What
/// penalties differentiate.
Tensor whole_answer(const Judgement& judgement);
/// `f` of all that was said; what is undefined stays so.
template <class F>
Judgement each_of(const Judgement& j, const F& f) {
  const auto of = [&](const Tensor& t) { return t.defined() ? f(t) : t; };
  return {of(j.logits), of(j.features), of(j.classes), of(j.codes), of(j.pixels)};
}

/// Rows [begin, end) of all that was said.
Judgement rows(const Judgement& judgement, int64_t begin, int64_t end);

class Critic : public nn::Module {
 public:
  /// x [N, ...]; labels i64 [N], undefined for critics that do not look at them.
  virtual Judgement judge(const Tensor& x, const Tensor& labels) = 0;
  /// Whether judge() reads the labels.
  virtual bool needs_labels() const { return false; }
  /// Whether judge() gives pixels.
  virtual bool judges_pixels() const { return false; }
  /// The logits of a critic that needs no labels.
  Tensor forward(const Tensor& x) override { return judge(x, {}).logits; }
};

/// Layers in a row as a critic: its features are what the last layer is given. Shares the layers; names are
/// the Sequential's.
class SequentialCritic : public Critic {
 public:
  /// At least one layer; the last one gives the logit.
  explicit SequentialCritic(const nn::Sequential& layers);
  Judgement judge(const Tensor& x, const Tensor& labels) override;
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  bool mixes_samples() const override {
    return typeid(*this) == typeid(SequentialCritic) ? children_mix_samples() : Critic::mixes_samples();
  }
  std::string describe() const override { return describe_children("SequentialCritic"); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override;
};

/// Judges by any module: a Critic by its own judge(), another one gives logits only. Throws Error where a
/// critic needs labels and none are given, and where D gives another number of logits than one for each
/// sample.
Judgement judge(nn::Module& discriminator, const Tensor& x, const Tensor& labels = {});

}  // namespace duel::gan
