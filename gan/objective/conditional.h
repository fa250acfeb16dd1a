// Critics that know classes or codes, and the terms that they make possible. Each is put around a trunk: any
// module that maps images to features phi(x) [N, F].
//
//   LabelCritic       the label as one-hot columns beside a flat image, or as planes beside its channels, into the trunk
//                     (CGAN: Mirza & Osindero 2014, arXiv:1411.1784; planes as in DCGAN-sized followers)
//   ProjectionCritic  psi(phi(x)) + <embed(y), phi(x)> (Miyato & Koyama 2018, arXiv:1802.05637, eq. 3)
//   ClassCritic       logit and class logits from the same features (ACGAN: Odena et al. 2017, arXiv:1610.09585)
//   CodeCritic        logit, and Q's predictions of G's codes through a hidden layer of Q's own (InfoGAN: Chen et al. 2016,
//                     arXiv:1606.03657)
//
// Under spectral norm the heads are normalised as the trunk's layers are; the embedding too (Miyato & Koyama
// 2018, section 4).
//
// Note [Who trains Q]
// Q's layers are the discriminator's: D's optimizer moves them, by the mutual-information term on D's fakes,
// which is part of L_D. The same term is part of L_G, where the gradient goes through Q, held still, into G.
// (As in the paper's code.)
//
// Example:
//   ProjectionCritic critic(trunk, /*features=*/1024, /*classes=*/10);
//   Tensor logits = critic.judge(images, labels).logits;
#pragma once

#include "duel/gan/objective/term.h"
#include "duel/nn/layers/linear.h"

namespace duel::gan {

/// Labels i64 [N] as planes of 0 and 1 behind the channels of images x [N, C, H, W]: [N, C + classes, H, W].
Tensor with_label_planes(const Tensor& x, const Tensor& labels, int64_t classes);

class LabelCritic : public Critic {
 public:
  /// How the trunk is given a label: columns makes rows [N, pixels + classes], planes images [N, C + classes,
  /// H, W].
  enum class Input { columns, planes };
  LabelCritic(std::shared_ptr<nn::Module> trunk, int64_t features, int64_t classes, Input input,
              bool spectral_norm = false);
  Judgement judge(const Tensor& x, const Tensor& labels) override;
  bool needs_labels() const override { return true; }
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  bool mixes_samples() const override { return children_mix_samples(); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<LabelCritic>(like(trunk_), features_, classes_, input_, spectral_norm_);
  }

 private:
  std::shared_ptr<nn::Module> trunk_;
  std::shared_ptr<nn::Module> logit_;
  int64_t features_, classes_;
  Input input_;
  bool spectral_norm_;
};

class ProjectionCritic : public Critic {
 public:
  ProjectionCritic(std::shared_ptr<nn::Module> trunk, int64_t features, int64_t classes,
                   bool spectral_norm = false);
  Judgement judge(const Tensor& x, const Tensor& labels) override;
  bool needs_labels() const override { return true; }
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  bool mixes_samples() const override { return children_mix_samples(); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<ProjectionCritic>(like(trunk_), features_, classes_, spectral_norm_);
  }

 private:
  std::shared_ptr<nn::Module> trunk_;
  // embed.weight [classes, features]: a row per class, as nn.Embedding's
  std::shared_ptr<nn::Module> logit_, embed_;
  int64_t features_, classes_;
  bool spectral_norm_;
};

class ClassCritic : public Critic {
 public:
  ClassCritic(std::shared_ptr<nn::Module> trunk, int64_t features, int64_t classes,
              bool spectral_norm = false);
  Judgement judge(const Tensor& x, const Tensor& labels) override;
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  bool mixes_samples() const override { return children_mix_samples(); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<ClassCritic>(like(trunk_), features_, class_count_, spectral_norm_);
  }

 private:
  std::shared_ptr<nn::Module> trunk_;
  std::shared_ptr<nn::Module> logit_, classes_;
  int64_t features_, class_count_;
  bool spectral_norm_;
};

class CodeCritic : public Critic {
 public:
  /// q maps features to LatentPlan::code_width() columns: logits of each categorical code, then means of the
  /// others.
  CodeCritic(std::shared_ptr<nn::Module> trunk, int64_t features, std::shared_ptr<nn::Module> q,
             bool spectral_norm = false);
  Judgement judge(const Tensor& x, const Tensor& labels) override;
  bool second_derivative_zero() const override { return children_second_derivative_zero(); }
  bool mixes_samples() const override { return children_mix_samples(); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<CodeCritic>(like(trunk_), features_, like(q_), spectral_norm_);
  }

 private:
  std::shared_ptr<nn::Module> trunk_;
  std::shared_ptr<nn::Module> logit_, q_;
  int64_t features_;
  bool spectral_norm_;
};

/// -sum log Q(code | x) / N: cross-entropy of the categorical codes and, for the continuous ones, the
/// negative log-likelihood of a Gaussian of variance 1 without its constant, (c - mean)^2 / 2 (the variance
/// of the paper's MNIST code). Up to a constant this is minus the bound L_I of the mutual information (Chen
/// 2016, eq. 5). predictions and codes [N, width]; differentiable in both; shape [].
Tensor code_loss(const Codes& plan, const Tensor& predictions, const Tensor& codes);

/// Cross-entropy of the class head: of real and fake samples in D's loss, of fakes in G's (Odena 2017, eq.
/// 3).
Term class_term_d(double weight = 1.0);
Term class_term_g(double weight = 1.0);
/// code_loss on fakes, the same in both losses.
Term information_term(const Codes& plan, double weight = 1.0);

}  // namespace duel::gan
