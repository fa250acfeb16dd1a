// Critics that give an energy, low on data, in place of a logit: autoencoders, whose energy is the
// reconstruction error.
//
// EBGAN (Zhao et al. 2016, arXiv:1609.03126):   L_D = E(x) + max(0, m - E(G(z))),   L_G = E(G(z)) + 0.1 PT
// BEGAN (Berthelot et al. 2017, arXiv:1703.10717):   L_D = E(x) - k E(G(z)),   L_G = E(G(z)),   with k from an Equilibrium
//
// Energies are means over a sample's pixels, so that margins mean the same for every image size.
//
// Example:
//   AutoencoderCritic critic(encoder, decoder, AutoencoderCritic::Error::squared);
//   Judgement j = critic.judge(images, {});     // j.logits: energies [N, 1]; j.features: codes [N, F]
//   Tensor pt = pull_away(j.features);
#pragma once

#include "duel/gan/objective/loss.h"
#include "duel/gan/objective/term.h"

namespace duel::gan {

class AutoencoderCritic : public Critic {
 public:
  enum class Error { squared, absolute };
  /// encoder: images [N, C, H, W] to codes [N, F]; decoder: codes back to images of the same shape.
  AutoencoderCritic(std::shared_ptr<nn::Module> encoder, std::shared_ptr<nn::Module> decoder, Error error);
  Judgement judge(const Tensor& x, const Tensor& labels) override;
  Tensor reconstruct(const Tensor& x) { return (*decoder_)((*encoder_)(x)); }

 protected:
  std::shared_ptr<nn::Module> make_like() const override {
    return std::make_shared<AutoencoderCritic>(like(encoder_), like(decoder_), error_);
  }

 private:
  std::shared_ptr<nn::Module> encoder_, decoder_;
  Error error_;
};

/// Mean over pairs i != j of the squared cosine between rows i and j of codes [N, F], N >= 2: 0 where all are
/// orthogonal, 1 where all are parallel (Zhao 2016, eq. 4). Each row is divided by its own length; a row of
/// zeros counts as orthogonal.
Tensor pull_away(const Tensor& codes);

/// pull_away of the fakes' codes.
Term pull_away_term(double weight = 0.1);

/// D: mean r + mean max(0, margin - f); G: mean f (Zhao 2016, eq. 1, 2). r and f are energies.
Loss energy_margin_loss(double margin);
/// D: mean r - mean f; G: mean f: Wasserstein's with the signs of an energy. BEGAN weighs D's second term by
/// k.
Loss energy_loss();

/// Keeps E(G(z)) = gamma E(x): the weight k of the fakes in D's loss starts at 0 and moves after each of D's
/// steps by rate (gamma E(x) - E(G(z))), within [0, 1] (Berthelot 2017, section 3.4; E(G(z)) is that of D's
/// fakes).
struct Equilibrium {
  double gamma = 0.5;
  double rate = 1e-3;
};

/// The next k, from energies' means; all of shape []. No graph.
Tensor next_balance(const Equilibrium& equilibrium, const Tensor& k, const Tensor& real, const Tensor& fake);
/// M = E(x) + |gamma E(x) - E(G(z))|: falls as a run converges (Berthelot 2017, section 3.4.1).
Tensor convergence_measure(const Equilibrium& equilibrium, const Tensor& real, const Tensor& fake);

}  // namespace duel::gan
